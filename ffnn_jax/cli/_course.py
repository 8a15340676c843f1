"""``ffnn-jax course``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import FILE, Flag, shown
from ffnn_jax.config import UserError, require_run


@dataclasses.dataclass(frozen=True)
class Course:
    """Write a folder for a student: chapters whose backwards are to be derived and written.

    The folder holds the chapters without their answers, cases worked by hand, a notebook for each
    chapter, and a page that says what to do. In it, train and verify use the student's chapters.

    With --grade: grade what students have written, by the package's own checks, each student in a
    process that is confined and limited in time and memory.

    Example: ffnn-jax course assignment --chapters dense,relu
    """

    folders: Annotated[tyro.conf.Positional[tuple[Path, ...]], shown("DIR", "(required)")]
    """Folder to write, new or empty. With --grade, students' folders, or one that holds those."""

    chapters: Annotated[
        str | None, shown("NAME,...", "(default: what the preset course needs, and training)")
    ] = None
    """Chapters in the order of the course, as in dense,relu,softmax_loss,conv,pool; or all."""

    answers: Flag = False
    """Also write the complete chapters, for teachers, to DIR/answers."""

    grade: Flag = False
    """Grade the chapters in these folders; by default, those that half of the students have."""

    json: Annotated[str | None, FILE] = None
    """With --grade, write the results to FILE; who has not changed since is not graded again."""

    def __call__(self) -> int:
        """Writes the folder, and prints where to begin; or grades."""
        if self.grade:
            return self._grade()
        if self.json is not None:
            raise UserError("--json needs --grade, as in ffnn-jax course --grade class --json F")
        if len(self.folders) != 1:
            raise UserError("course needs one DIR, as in ffnn-jax course assignment")

        from ffnn_jax.course import USUAL, select_chapters, write_course

        (folder,), chapters = self.folders, USUAL
        if self.chapters is not None:
            chapters = select_chapters(self.chapters)
        write_course(folder, chapters, self.answers)
        print(f"{', '.join(chapters)} written to {folder}; begin with {folder / 'README.md'}")
        return 0

    def _grade(self) -> int:
        if self.answers or not self.folders:
            raise UserError("--grade needs at least one DIR, and goes without --answers")
        require_run("course --grade")
        require_writable(self.json, None)

        from ffnn_jax.course import grade, select_chapters

        chapters = select_chapters(self.chapters) if self.chapters else ()
        return grade(self.folders, self.json, chapters)
