"""The page of what is proved by algebra: results/proofs.md."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def proofs_page(result: Row) -> str:
    """The page, in Markdown."""
    layers, forms = result["layers"], result["forms"]
    faults = [fault for row in layers.values() for fault in row["faults"].values()]
    beyond = Counter(fault["beyond"] for fault in faults if fault["beyond"])
    listed = ", ".join(f"{reason} {count}" for reason, count in beyond.most_common())
    lines = "".join(_line(name, row) for name, row in layers.items())
    return f"""# Proved by algebra

`python -m experiments.proofs` ran `ffnn-jax verify --prove` in {result["seconds"]:.0f} s on \
{result["processor"]}. At each shape the traced code of a rule runs on \
symbols, and its value and every entry of its cotangents are shown to be those of the definition, \
for all real numbers at once at which every step is defined. Comparisons are proved case by case: \
a case is a combination of signs, ties included, and of the values of integer arguments. At a tie \
the derivative is that of the convention in the rule's chapter.

What this does not prove: other shapes, rounding, dtypes, overflow, infinities and NaN, second \
derivatives. Activations that clip their argument where exponentials underflow are proved for \
|x| < 800. A constant stands for what it is but for rounding, such as sqrt(2 / pi).

{_verdicts(layers)} Of {len(faults)} planted faults, {_count(faults, "disproved")} have a \
counterexample in rational numbers. Exact arithmetic has nothing to say of the other \
{len(faults) - _count(faults, "disproved")}, and none was found in the few seconds that each got; \
what shows them is \
({listed}).

| rule | shapes | settings | cases | cotangent entries | primitives | s | faults disproved \
| beyond algebra |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{lines}
{_equations(result["equations"], result["without_algebra"])}
{_forms(forms)}{_undecided(layers)}"""


def _verdicts(layers: Mapping[str, Row]) -> str:
    proofs = [proof for row in layers.values() for proof in row["proofs"]]
    cases = sum(proof["cases"] for proof in proofs)
    entries = sum(proof["entries"] for proof in proofs)
    whole = sum(all(p["verdict"] == "proved" for p in row["proofs"]) for row in layers.values())
    return (
        f"{whole} of {len(layers)} rules are proved at all shapes, {_count(proofs, 'proved')} of "
        f"{len(proofs)} proofs: {entries:,} entries of cotangents in {cases:,} cases."
    )


def _line(name: str, row: Row) -> str:
    proofs, faults = row["proofs"], list(row["faults"].values())
    formulas = [fault for fault in faults if not fault["beyond"]]
    shapes = dict.fromkeys(_shapes(proof) for proof in proofs if proof["verdict"] == "proved")
    settings = len({str(proof["static"]) for proof in proofs})
    primitives = {name for proof in proofs for name in proof["primitives"]}
    cells = (
        f"`{name}`", "; ".join(list(shapes)[:2]), settings,
        f"{sum(proof['cases'] for proof in proofs):,}",
        f"{sum(proof['entries'] for proof in proofs):,}", len(primitives),
        f"{sum(proof['seconds'] for proof in proofs):.1f}",
        f"{_count(formulas, 'disproved')} of {len(formulas)}", len(faults) - len(formulas),
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |\n"


def _shapes(proof: Row) -> str:
    return " ".join("x".join(map(str, shape)) or "scalar" for shape in proof["shapes"])


def _equations(equations: Sequence[Row], without: Mapping[str, str]) -> str:
    chapters = {one["name"].partition(" ")[0] for one in equations}
    listed = "; ".join(f"{tag}: {reason}" for tag, reason in without.items())
    return f"""{_count(equations, "proved")} of {len(equations)} tagged equations, in \
{len(chapters)} chapters, are proved: the text in the docstring, as a function, equals what the \
code computes, or the derivative of a plain definition. {len(without)} tags state no equation \
between real numbers ({listed}).
"""


def _forms(forms: Sequence[Row]) -> str:
    lines = "".join(
        f"| {form} | {_count(own, 'proved')} of {len(own)} | {'; '.join(_some_shapes(own))} |\n"
        for form in dict.fromkeys(one["form"] for one in forms)
        for own in [[one for one in forms if one["form"] == form]]
    )
    return f"""The forms of a convolution, each map against the equation form's:

| form | maps proved | shapes of the forward map |
| --- | ---: | --- |
{lines}"""


def _some_shapes(forms: Sequence[Row]) -> Iterator[str]:
    return (_shapes(one) for one in forms if one["map"] == "forward")


def _undecided(layers: Mapping[str, Row]) -> str:
    lines = "".join(
        f"- `{name}` at {_shapes(proof)}: {proof['reason']}\n"
        for name, row in layers.items()
        for proof in row["proofs"]
        if proof["verdict"] == "not decided"
    )
    return f"\nNot decided:\n\n{lines}" if lines else ""


def _count(rows: Sequence[Row], verdict: str) -> int:
    return sum(row["verdict"] == verdict for row in rows)
