"""Single faults in the source, by cosmic-ray's operators, and a sample of them by room."""

# pyright: reportMissingImports=false

import ast
import dataclasses
import difflib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from experiments.mutation._fault import Fault, room_of, shares
from experiments.mutation._noise import covers, noise

_LEFT_OUT = ("layers", "catalogue")
_FAMILIES = (
    {"Add", "Sub"}, {"Mul", "Div"}, {"FloorDiv", "Mul"}, {"Mod", "FloorDiv"}, {"Pow", "Mul"},
    {"BitAnd", "BitOr"}, {"LShift", "RShift"},
    {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"}, {"Is", "IsNot"},
)  # fmt: skip


def source_files(root: Path) -> list[str]:
    """The package's files outside the rooms that are left out, relative to ``root``."""
    files = sorted((root / "ffnn_jax").rglob("*.py"))
    names = [file.relative_to(root) for file in files]
    return [str(name) for name in names if name.parts[1] not in _LEFT_OUT]


def sample(root: Path, count: int, seed: int) -> list[Fault]:
    """About ``count`` faults, spread over rooms by their lines, one at a place."""
    rooms: dict[str, list[str]] = defaultdict(list)
    for file in source_files(root):
        rooms[room_of(file)].append(file)
    lines = {room: sum(map(_line_count, map(root.joinpath, rooms[room]))) for room in rooms}
    chosen = []
    for room, share in shares(lines, count).items():
        draw = random.Random(f"{seed} {room}")
        places = [faults for file in rooms[room] for faults in places_in(root, file).values()]
        draw.shuffle(places)
        drawn = (shown(root, draw.choice(faults)) for faults in places)
        changing = (fault for fault in drawn if fault is not None)
        chosen += [fault for fault, _ in zip(changing, range(share), strict=False)]
    return chosen


def places_in(root: Path, file: str) -> dict[tuple[tuple[int, int], str], list[Fault]]:
    """A file's faults by place and kind of operator."""
    source = (root / file).read_text(encoding="utf-8")
    spans, places = noise(source), defaultdict(list)
    nodes = list(ast_nodes(get_ast(source)))
    for name in operators():
        operator, kind = cosmic_ray.plugins.get_operator(name)(), name.split("_")[0]
        positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, start in enumerate(positions):
            if not covers(spans, start):
                places[start, kind].append(Fault(file, start[0], name, occurrence))
    return dict(sorted(places.items()))


def shown(root: Path, fault: Fault) -> Fault | None:
    """The fault with its lines before and after; None if it changes nothing or cannot be read."""
    source = (root / fault.file).read_text(encoding="utf-8")
    code = faulty(source, fault)
    try:
        if ast.dump(ast.parse(code)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    old, new = _differing(source.split("\n"), code.split("\n"))
    return dataclasses.replace(fault, before=old, after=new)


def faulty(source: str, fault: Fault) -> str:
    """The source with the fault."""
    operator = cosmic_ray.plugins.get_operator(fault.operator)()
    code = mutate_code(source, operator, fault.occurrence)
    assert code is not None
    return code.replace("CosmicRayTestingException", "ZeroDivisionError")


def found_again(root: Path, faults: Iterable[Fault]) -> list[Fault]:
    """The same faults in code whose other lines may have changed, without those that are gone."""
    wanted, found = list(faults), []
    for file in sorted({fault.file for fault in wanted} & set(source_files(root))):
        keys = {fault.key for fault in wanted if fault.file == file}
        names = {operator for _, operator, *_ in keys}
        for faults_at in places_in(root, file).values():
            now = [shown(root, fault) for fault in faults_at if fault.operator in names]
            found += [fault for fault in now if fault and fault.key in keys]
    return found


def operators() -> Iterator[str]:
    """The operators, without those that give a sum in place of a set, or a random variable."""
    for name in sorted(cosmic_ray.plugins.operator_names()):
        kind, *pair = name.split("/")[1].split("_")
        if kind in ("ReplaceBinaryOperator", "ReplaceComparisonOperator"):
            if any(set(pair) <= family for family in _FAMILIES):
                yield name
        elif not kind.startswith("Variable"):
            yield name


def _line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _differing(old: list[str], new: list[str]) -> tuple[str, str]:
    """The lines in which two texts differ, without indentation."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    before = [line.strip() for _, start, stop, _, _ in changes for line in old[start:stop]]
    after = [line.strip() for _, _, _, start, stop in changes for line in new[start:stop]]
    return "\n".join(filter(None, before)), "\n".join(filter(None, after))
