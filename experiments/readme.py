"""Writes every number quoted from the results: README, guides, pages, headers.

Command: python -m experiments.readme

In README and in the guides it replaces the text between ``<!-- NAME -->`` and ``<!-- end -->``, in
an experiment the text between its first line and its command. A test fails when running this would
change a file.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments import ablations, budget, final, mnist, table_3, text_claims
from experiments._accelerator_section import accelerator_line
from experiments._chapters import chapters_table
from experiments._formatting import percent
from experiments._forms_page import forms_page
from experiments._model_legend import legend
from experiments._page import accelerators, page, results
from experiments._proofs_page import proofs_page
from experiments._report import MNIST
from experiments._results import RESULTS, read_result, run_command
from experiments._scaling_page import SCALING_BLOCKS
from experiments._speed_table import speed_table, whole_run_table
from experiments.against_autodiff import against_autodiff_page, fused_line, gains, summary
from experiments.diagnosis import diagnosis_lines
from experiments.faults import faults_table
from experiments.grading import grading_line
from experiments.healthy_runs import healthy_line
from experiments.install import install_tables
from experiments.own_pictures import own_pictures_line
from experiments.public_rules import public_rules_page
from experiments.start import start_table
from experiments.sweep_cost import sweep_cost_line
from experiments.wrong_gradients import checkers_table
from ffnn_jax.config import UserError, preset
from ffnn_jax.layers import dense_backward

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
GUIDES = HERE.parent / "notebooks" / "guides"
_HEADERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "mnist": mnist.header,
    "table_3": table_3.header,
    "final": final.header,
    "ablations": ablations.header,
    "budget": budget.header,
    "text_claims": text_claims.header,
}


def written() -> dict[Path, str]:
    """Every file that quotes results, with the text that it should have."""
    found = results()
    public_rules = read_result(RESULTS / "public_rules.json")
    files = {HERE / "README.md": page(found)}
    files[RESULTS / "public_rules.md"] = public_rules_page(public_rules)
    against_autodiff = read_result(RESULTS / "against_autodiff.json")
    files[RESULTS / "against_autodiff.md"] = against_autodiff_page(against_autodiff)
    timed = {path.stem.removeprefix("forms-cpu-"): path for path in RESULTS.glob("forms-*.json")}
    files[RESULTS / "forms.md"] = forms_page({k: read_result(path) for k, path in timed.items()})
    files[RESULTS / "proofs.md"] = proofs_page(read_result(RESULTS / "proofs.json"))
    for path in (README, *sorted(GUIDES.glob("*.md"))):
        files[path] = with_blocks(path.read_text(encoding="utf-8"))
    for name, header in _HEADERS.items():
        if name in found:
            path = HERE / f"{name}.py"
            files[path] = with_header(path.read_text(encoding="utf-8"), header(found[name]))
    return files


def with_blocks(text: str) -> str:
    """The text with its blocks made from the results."""
    return re.sub(
        r"(?s)(<!-- (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{_BLOCKS[found[2]]()}{found[3]}",
        text,
    )


def with_header(code: str, header: str) -> str:
    """An experiment's code with what it says of its result."""
    pattern = r'\A(""".*?\n\n).*?(\n?Command: )'
    return _replaced(pattern, lambda found: f"{found[1]}{header}\nCommand: ", code)


def _replaced(pattern: str, make: Callable[[re.Match[str]], str], text: str) -> str:
    """The text with the first match of the pattern replaced; there must be one."""
    new, count = re.subn(pattern, make, text, count=1, flags=re.S)
    if not count:
        raise UserError(f"nothing to replace: no {pattern!r}")
    return new


def main() -> None:
    """Rewrites every file that quotes results."""
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")


def _results() -> str:
    digits = read_result(RESULTS / "mnist.json")["test_accuracy"]
    cifar10 = read_result(RESULTS / "table_3.json")["rows"]
    seeds = min(len(cifar10[row]["seeds"]) for row in table_3.ROWS)
    lines = [
        _model_line("MNIST", "mnist", f"{100 * MNIST.test_accuracy:.1f}", digits),
        *(
            _model_line(
                row,
                f"cifar10-{row}",
                f"{100 * table_3.REPORT[row]:.0f}",
                cifar10[row]["test_accuracy"],
            )
            for row in table_3.ROWS
        ),
    ]
    return f"""
<img src="experiments/results/ladder.png" width="75%" alt="Accuracy against processor time">

*Means over seeds ([`ladder.py`](experiments/ladder.py)); below, the report's models: one run each \
there, here mean ± sd of {len(digits)} seeds on MNIST and {seeds} on CIFAR-10. Convolutions have \
16 filters of 5 × 5, pooling has windows of 2 × 2.*

| model | network | report, % | ours, % |
| --- | --- | ---: | ---: |
{chr(10).join(lines)}

"""


def _model_line(model: str, name: str, report: str, accuracies: list[float]) -> str:
    return f"| {model} | {legend(preset(name))} | {report} | {percent(accuracies)} |"


def _dense() -> str:
    body = inspect.getsource(dense_backward).split('"""')[2].rstrip()
    return f"""```python
def dense_backward(residuals, dz):{body}
```
"""


def _wrong_gradients() -> str:
    return f"\n{checkers_table(read_result(RESULTS / 'wrong_gradients.json'))}\n"


def _install() -> str:
    return f"""
{install_tables(read_result(RESULTS / "install.json"))}

On 2 CPU cores under Linux; times include all downloads, from a nearby package mirror.

"""


def _speed() -> str:
    steps = "".join(_steps_on(path) for path in sorted(RESULTS.glob("speed-*.json")))
    runs = "".join(_whole_runs_on(path) for path in sorted(RESULTS.glob("whole-run-*.json")))
    return f"""
*A training step (forward, backward, update) in float32, or where named in bfloat16: ours in \
milliseconds; the other columns are the time of each library in its fastest setting, divided by \
ours in the same run and precision: below 1 it is faster. `wide` has convolutions of 64, 128 and \
256 filters of 3 × 3; `airbench94` is that record's network, and `narrow94` the same with widths \
of 32, 128 and 128.*

{steps}*Whole presets, from process start to the test accuracy: the report's model 0, whose \
seconds and ratios are medians over three interleaved runs, and rungs of the ladder, one run each. \
Afterwards ours also classifies the training images and writes its page and figures.*

{runs}"""


def _steps_on(path: Path) -> str:
    """A processor's figure and table of training steps."""
    result = read_result(path)
    return f"""<img src="../../experiments/results/{path.stem}.png" width="75%" \
alt="Training step by library">

On {result["cores"]} cores of {_processor(path, "speed")}, where two float32 matrices of \
2,048 by 2,048 are multiplied at {result["peak_gflops"]:.0f} GFLOP/s:

{speed_table(result["rows"])}
"""


def _whole_runs_on(path: Path) -> str:
    """A processor's tables of whole runs, one for each preset."""
    rows = read_result(path)["rows"]
    presets = [
        [row for row in rows if row["preset"] == preset]
        for preset in dict.fromkeys(row["preset"] for row in rows)
    ]
    tables = "\n".join(whole_run_table(each) for each in presets)
    return f"On {_processor(path, 'whole-run')}:\n\n{tables}\n"


def _processor(path: Path, experiment: str) -> str:
    """The kind of processor in the name of a results file, as in "amd-epyc"."""
    return path.stem.removeprefix(f"{experiment}-").removeprefix("cpu-")


def _against_autodiff() -> str:
    fused = fused_line(read_result(RESULTS / "fused_norm.json"))
    return f"\n{summary(read_result(RESULTS / 'against_autodiff.json'))}\n{fused}\n"


def _single_rules() -> str:
    return f"\n{gains(read_result(RESULTS / 'against_autodiff.json'))}\n"


def _faults() -> str:
    saving = [100 * row["median"] for row in read_result(RESULTS / "saving.json")["rows"].values()]
    return f"""
{faults_table(read_result(RESULTS / "faults.json"))}
Saving takes {min(saving):.1f} to {max(saving):.1f} % of a run's time by default \
([`saving.py`](../../experiments/saving.py)).

"""


def _healthy() -> str:
    return f"""
{healthy_line(read_result(RESULTS / "healthy_runs.json"))} \
([`healthy_runs.py`](../../experiments/healthy_runs.py)).

"""


def _start() -> str:
    return "".join(_start_on(path) for path in sorted(RESULTS.glob("start-cpu-*.json")))


def _start_on(path: Path) -> str:
    """A processor's table of times from enter."""
    result = read_result(path)
    return f"""
{start_table(result["rows"])}
*Seconds from enter, the median of {result["rounds"]} fresh processes (fastest to slowest) on \
{result["cores"]} CPU cores ({path.stem.removeprefix("start-cpu-")}) with a load of \
{result["load"]:.1f}; the ratio is the median within rounds. `train` ends with its first progress \
line, after ten steps; `again` finds its programs in the cache.*

"""


def _accelerators() -> str:
    return f"{accelerator_line(accelerators())}\n"


def _diagnosis() -> str:
    return f"\n{diagnosis_lines(read_result(RESULTS / 'diagnosis.json'))}\n\n"


def _grading() -> str:
    return f"\n{grading_line(read_result(RESULTS / 'grading.json'))}\n\n"


def _sweep_cost() -> str:
    line = sweep_cost_line(read_result(RESULTS / "sweep_cost.json"))
    return f"\n{line} ([`sweep_cost.py`](../../experiments/sweep_cost.py))\n\n"


_BLOCKS = {
    "results": _results, "dense": _dense, "wrong_gradients": _wrong_gradients,
    "chapters": chapters_table, "speed": _speed, "faults": _faults, "healthy": _healthy,
    "install": _install, "against_autodiff": _against_autodiff, "single_rules": _single_rules,
    "accelerators": _accelerators, "start": _start, "diagnosis": _diagnosis, "grading": _grading,
    "own_pictures": own_pictures_line, "sweep_cost": _sweep_cost, **SCALING_BLOCKS,
}  # fmt: skip

if __name__ == "__main__":
    run_command(main)
