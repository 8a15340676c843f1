"""The results of several verifications as a table."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from ffnn_jax.catalogue._verification import Verification
from ffnn_jax.verify import VerificationResult


def verification_table(checks: Iterable[str], verifications: Sequence[Verification]) -> Table:
    """The worst errors: a row for each check, a column for each verification."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True)
    table.add_column("worst error", no_wrap=True)
    for v in verifications:
        table.add_column(v.name.replace("_", "\n"), justify="right", no_wrap=True)
    for name in checks:
        table.add_row(name, *(_cell(v.result, name) for v in verifications))
    table.add_section()
    table.add_row("faults caught", *(f"{v.caught_count}/{len(v.caught)}" for v in verifications))
    table.add_row("false alarms", *(f"{v.false_alarms}/{v.draws}" for v in verifications))
    return table


def _cell(result: VerificationResult, name: str) -> str | Text:
    """The worst error, in epsilons for dtypes; a dot if the check does not apply."""
    check = next((check for check in result.checks if check.name == name), None)
    if check is None:
        return "·"
    number = f"{check.worst:.1e}" if check.worst else "0"
    return number if check.passed else Text(f"FAILS {number}", "bold red")
