"""Variants that the user leaves out by name, and those that could not be timed."""

from collections.abc import Iterable, Mapping

from ffnn_jax.config import UserError, suggestion


def require_known(without: Iterable[str], variants: Iterable[str]) -> None:
    """Rejects a name that is neither a peer nor one of its variants.

    Raises:
        UserError: a name is unknown.
    """
    known = _names(variants)
    for name in without:
        if name not in known:
            peers = ", ".join(word for word in known if "-" not in word)
            hint = suggestion(name, known)
            raise UserError(f"--without: unknown peer {name!r} (known: {peers}){hint}")


def _names(variants: Iterable[str]) -> list[str]:
    """Every name that stands for variants: "torch", "torch-last", "torch-last-1"; not ours."""
    split = [variant.split("-") for variant in variants]
    names = ["-".join(words[:n]) for words in split for n in range(1, len(words) + 1)]
    return [name for name in dict.fromkeys(names) if name.partition("-")[0] != "ours"]


def is_left_out(variant: str, without: Iterable[str]) -> bool:
    """Whether a name of the variant, or of its library, is among these."""
    return any(f"{variant}-".startswith(f"{name}-") for name in without)


def require_none_skipped(skipped: Mapping[str, str]) -> None:
    """Rejects a measurement in which a variant was skipped that nobody left out.

    Raises:
        UserError: one was.
    """
    if skipped:
        names: dict[str, list[str]] = {}
        for name, why in skipped.items():
            names.setdefault(" ".join(why.split()), []).append(name)
        reasons = "; ".join(f"{', '.join(each)} ({why})" for why, each in names.items())
        raise UserError(
            f"skipped: {reasons}. The others are stored. "
            f'Install the extra "bench", or leave out by name: --without {" ".join(skipped)}'
        )
