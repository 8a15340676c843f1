"""Judges the chapters of a course in the current folder, one row per operation."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ffnn_jax._device import require_platform
from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.course import judge_chapter
from ffnn_jax.runs import enable_compilation_cache


def verify_course(chapters: Sequence[str], file: str | None) -> int:
    """Prints the state and the speed of each operation; returns 1 unless all are right."""
    require_platform()
    enable_compilation_cache()
    console, judgements = console_beside(file), []
    console.print(f"your chapters in {Path.cwd()}, by the package's references and checks")
    for chapter in chapters:
        for judgement in judge_chapter(Path("chapters", f"{chapter}.py")):
            judgements.append(judgement)
            console.print(str(judgement))
    right = sum(judgement.state == "right" for judgement in judgements)
    console.print(f"{right} of {len(judgements)} right")
    write_json(file, {"chapters": [dataclasses.asdict(judgement) for judgement in judgements]})
    return 0 if right == len(judgements) else 1
