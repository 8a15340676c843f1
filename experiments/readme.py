"""Writes every number quoted from the results: README's blocks, experiments/README.md, headers.

Command: python -m experiments.readme

In README it replaces what stands between ``<!-- NAME -->`` and ``<!-- end -->``, in an experiment
what stands between the first line and its command. A test finds them out of date when running this
would change them.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments import ablations, budget, final, mnist, table_3, text_claims
from experiments._formatting import mean_and_sd, percent
from experiments._page import page, results
from experiments._report import MNIST
from experiments._results import RESULTS, read_result, run_command
from experiments._speed_table import speed_table, whole_run_table
from experiments.faults import faults_table
from ffnn_jax.config import UserError

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
_HEADERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "mnist": mnist.header,
    "table_3": table_3.header,
    "final": final.header,
    "ablations": ablations.header,
    "budget": budget.header,
    "text_claims": text_claims.header,
}
_PICTURES = ("1_filters", "2_misclassified", "3_confusion")


def written() -> dict[Path, str]:
    """Every file that quotes results, with the text that it should have."""
    found = results()
    files = {
        README: with_blocks(README.read_text(encoding="utf-8")),
        HERE / "README.md": page(found),
    }
    for name, header in _HEADERS.items():
        if name in found:
            path = HERE / f"{name}.py"
            files[path] = with_header(path.read_text(encoding="utf-8"), header(found[name]))
    return files


def with_blocks(text: str) -> str:
    """README's text with its blocks made from the results."""
    for name, block in _BLOCKS.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text = _replaced(pattern, lambda found, make=block: found[1] + make() + found[2], text)
    return text


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
    """Writes every file that quotes results anew."""
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")


def _table_3() -> str:
    rows = read_result(RESULTS / "table_3.json")["rows"]
    return f"""
<img src="experiments/results/table_3_forest.png" width="75%" alt="Table 3 as a forest plot">

*The report's nine CIFAR-10 models: one run each there, \
{min(len(rows[row]["seeds"]) for row in table_3.ROWS)} seeds each here.*

| model | {" | ".join(table_3.ROWS)} |
| --- |{" ---: |" * len(table_3.ROWS)}
| report, % | {" | ".join(f"{100 * table_3.REPORT[row]:.0f}" for row in table_3.ROWS)} |
| ours, % | {" | ".join(percent(rows[row]["test_accuracy"]) for row in table_3.ROWS)} |

[Everything of the report beside ours](experiments/README.md), claim by claim.

"""


def _mnist() -> str:
    result = read_result(RESULTS / "mnist.json")
    pictures = " ".join(
        f'<img src="experiments/results/mnist_{name}.png" width="32%" alt="{name[2:]}">'
        for name in _PICTURES
    )
    return f"""
{pictures}

*First-layer filters, misclassified digits and the confusion matrix on MNIST's 10,000 test images.*

| network | data | test accuracy | report, one run | time a seed | experiment |
| --- | --- | --- | --- | --- | --- |
| the report's, {result["parameters"]:,} parameters | MNIST | \
{mean_and_sd(result["test_accuracy"])} | \
{MNIST.test_accuracy:.3f} | {mnist.time_of(result)} | [`mnist.py`](experiments/mnist.py) |

"""


def _check_styles() -> str:
    result = read_result(RESULTS / "check_styles.json")
    lines = [
        "",
        f"| check | finds, of {result['planted']} planted faults "
        f"| rejects, of {result['rules']} true rules |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {count} | {result['rejected'][name]} |"
            for name, count in result["found"].items()
        ),
        "",
        "",
    ]
    return "\n".join(lines)


def _install() -> str:
    lines = [
        "",
        "| Python | jax | installed | install time | tests passed | test time |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row['python']} | {row['jax']} | {row['megabytes'] / 1000:.1f} GB "
            f"| {row['install_seconds']:.0f} s | {row['tests_passed']} "
            f"| {row['test_seconds']:.0f} s |"
            for row in read_result(RESULTS / "install.json")["rows"]
        ),
        "",
        "On 2 CPU cores, from a package mirror nearby; these pairs were run, no others.",
        "",
        "",
    ]
    return "\n".join(lines)


def _speed() -> str:
    (path,) = RESULTS.glob("speed-cpu-*.json")
    result = read_result(path)
    whole = read_result(path.with_name(path.name.replace("speed", "whole-run")))
    return f"""
<img src="experiments/results/{path.stem}.png" width="75%" alt="A training step, ours and others'">

*A training step (forward, backward, update) in float32 on {result["cores"]} CPU cores: ours in \
milliseconds; of each library the fastest variant, as a multiple of ours in the same run. Below 1 \
it is faster than ours. numpy's product of two matrices of 2,048 by 2,048 makes \
{result["peak_gflops"]:.0f} GFLOP/s here.*

{speed_table(result["rows"])}
*The report's model 0 from the start of the process to the test accuracy, 5,000 steps: median of \
{whole["rounds"]} runs each, taken in turns. Ours then classifies the training images too and \
writes its page and figures.*

{whole_run_table(whole["rows"])}
"""


def _faults() -> str:
    saving = [100 * row["median"] for row in read_result(RESULTS / "saving.json")["rows"].values()]
    return f"""
{faults_table(read_result(RESULTS / "faults.json"))}
What a run saves by default takes {min(saving):.1f} to {max(saving):.1f} % of its time \
([`saving.py`](experiments/saving.py)).

"""


_BLOCKS = {
    "mnist": _mnist, "table_3": _table_3, "check_styles": _check_styles, "install": _install,
    "speed": _speed, "faults": _faults,
}  # fmt: skip

if __name__ == "__main__":
    run_command(main)
