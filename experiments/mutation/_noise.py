"""Parts of the source in which a change is noise: types, and what asserts our own invariants."""

import ast
import itertools
from collections.abc import Iterator

Span = tuple[tuple[int, int], tuple[int, int]]
_INVARIANTS = ("strict", "slots", "frozen", "kw_only")
_TYPES = ("TypeVar", "NewType", "ParamSpec", "cast")


def noise(source: str) -> list[Span]:
    """The spans of annotations and other types, ``assert`` statements and invariants' keywords."""
    lines = source.split("\n")
    return [_span(node, lines) for node in _noisy(ast.parse(source))]


def covers(spans: list[Span], position: tuple[int, int]) -> bool:
    """Whether a position, line and column in characters, is within a span."""
    return any(start <= position < stop for start, stop in spans)


def _noisy(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=ast.expr() as types):
                yield types
            case ast.FunctionDef(returns=types, decorator_list=decorators):
                yield from [] if types is None else [types]
                if any(ast.unparse(name).endswith("overload") for name in decorators):
                    yield node
            case ast.AnnAssign(annotation=types):
                yield types
            case ast.Assert():
                yield node
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_alias(name, value):
                yield value
            case ast.ClassDef(bases=bases) if any("Protocol" in ast.unparse(b) for b in bases):
                yield node
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
            case ast.Call(func=ast.Name(id=name), args=[types, *_]) if name in _TYPES:
                yield types
            case ast.keyword(arg=name) if name in _INVARIANTS:
                yield node


def _is_alias(name: str, value: ast.expr) -> bool:
    """Whether an assignment such as ``Step = Callable[...]`` or ``Leaf = A | B`` names a type."""
    named = name.strip("_")[:1].isupper() and not name.isupper()
    return named and isinstance(value, (ast.Subscript, ast.BinOp))


def _span(node: ast.AST, lines: list[str]) -> Span:
    """A node's span with columns in characters; ``ast`` counts bytes."""
    where = [getattr(node, f"{end}{part}") for end, part in itertools.product(("", "end_"), _PARTS)]
    first, start, last, stop = where
    return (first, _characters(lines[first - 1], start)), (last, _characters(lines[last - 1], stop))


_PARTS = ("lineno", "col_offset")


def _characters(line: str, count: int) -> int:
    return len(line.encode()[:count].decode())
