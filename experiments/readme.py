"""README's numbers, written from the stored results.

Command: python -m experiments.readme

Replaces what stands between ``<!-- NAME -->`` and ``<!-- end -->``. A test finds README out of
date when running this would change it.
"""

import re
from pathlib import Path

from experiments import mnist
from experiments._report import MNIST_TEST_ACCURACY
from experiments._results import RESULTS, read_result

README = Path(__file__).parents[1] / "README.md"
_PICTURES = ("1_filters", "2_misclassified", "3_confusion")


def written(text: str) -> str:
    """README's text with its blocks made from the results."""
    for name, block in _BLOCKS.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text = re.sub(
            pattern, lambda found, make=block: found[1] + make() + found[2], text, flags=re.S
        )
    return text


def _mnist() -> str:
    result = read_result(RESULTS / "mnist.json")
    pictures = " ".join(
        f'<img src="experiments/results/mnist_{name}.png" width="32%" alt="{name[2:]}">'
        for name in _PICTURES
    )
    return f"""
{pictures}

*First-layer filters, misclassified digits and the confusion matrix on MNIST's 10,000 test images.*

| network | data | test accuracy | report, one run | time | experiment |
| --- | --- | --- | --- | --- | --- |
| the report's, {result["parameters"]:,} parameters | MNIST | {mnist.claim(result)} | \
{MNIST_TEST_ACCURACY:.3f} | {mnist.duration(result)} | [`mnist.py`](experiments/mnist.py) |

"""


def _check_styles() -> str:
    result = read_result(RESULTS / "check_styles.json")
    lines = [
        "",
        f"| check | finds, of {result['planted']} planted faults "
        f"| refuses, of {result['rules']} true rules |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {count} | {result['refused'][name]} |"
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


_BLOCKS = {"mnist": _mnist, "check_styles": _check_styles, "install": _install}

if __name__ == "__main__":
    README.write_text(written(README.read_text()))
