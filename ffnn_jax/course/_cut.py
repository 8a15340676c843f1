"""Cuts the answers out of a chapter's file; everything else stays as it is written.

The body of each backward goes, with those of the private functions that nothing else reaches. Of
the derivation in the module's docstring the definition stays, and what leads to no equation:
headings, symbols, conventions. Where a sentence names another equation, its last clause goes.
"""

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Collection

Documented = ast.FunctionDef | ast.ClassDef | ast.Module
_TAG = re.compile(r"(?<!\^)\((\d\d?|[a-z]+\.\d+)\)")
_EQUATION = re.compile("^    .*" + _TAG.pattern + "$")
_WIDTH = 100


def cut_answers(source: str, definition: Collection[str], also: Collection[str] = ()) -> str:
    """The source of a chapter without its answers.

    Args:
        source: the chapter's source.
        definition: tags of the equations that stay.
        also: names of functions whose bodies go, besides every backward.
    """
    lines, tree = source.splitlines(), ast.parse(source)
    answers = answers_in(tree, also)
    documented = [node for node in ast.walk(tree) if isinstance(node, Documented)]
    for node in sorted(documented, key=lambda node: -getattr(node, "lineno", 0)):
        first, text = node.body[0], ast.get_docstring(node, clean=False)
        if isinstance(node, ast.FunctionDef) and node.name in answers:
            answer = node.body[text is not None]
            raising = f'{" " * first.col_offset}raise NotImplementedError("{_task(node)}")'
            lines[answer.lineno - 1 : node.end_lineno] = [raising]
        if text is not None:
            cut = _definition_in if isinstance(node, ast.Module) else _cut_clauses
            docstring = f'{" " * first.col_offset}"""{cut(text, definition)}"""'
            lines[first.lineno - 1 : first.end_lineno] = docstring.splitlines()
    return _cut_comments("\n".join(lines) + "\n", definition)


def answers_in(tree: ast.Module, also: Collection[str] = ()) -> set[str]:
    """The names of the functions whose bodies go."""
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    answers = {name for name in names if re.search(r"(^|_)backward$", name)} | set(also)
    users = [(getattr(top, "name", ""), _names_in(top)) for top in tree.body]
    private = {name for name in names if name.startswith("_")}
    while more := {
        name for name in private - answers
        if {user for user, used in users if name in used} - {name} <= answers
    }:  # fmt: skip
        answers |= more
    return answers


def _names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _task(function: ast.FunctionDef) -> str:
    """The name, and the cotangents that its docstring says it returns."""
    returned = re.match(r"Returns \((.*?),?\)", ast.get_docstring(function) or "")
    return f"{function.name}: {returned[1].replace(', None', '')}" if returned else function.name


def _definition_in(docstring: str, definition: Collection[str]) -> str:
    """The paragraphs that state the definition, lead to it, or follow all equations."""
    paragraphs = docstring.split("\n\n")
    equations = [_cut_equations(paragraph, definition) for paragraph in paragraphs]
    kept, before = [], True
    for i, (paragraph, cut) in enumerate(zip(paragraphs, equations, strict=True)):
        if cut is not None:
            before = bool(cut)
        else:  # a lower-case letter continues what stands before
            ahead = next((bool(one) for one in equations[i:] if one is not None), True)
            stays = before if paragraph.strip()[0].islower() else ahead
            cut = _cut_clauses(paragraph, definition) if stays else ""
            cut = cut if cut == paragraph else textwrap.fill(cut, _WIDTH)
        kept += [cut] if cut.strip() else []
    return "\n\n".join(kept).rstrip() + "\n" * docstring.endswith("\n")


def _cut_equations(paragraph: str, definition: Collection[str]) -> str | None:
    """A paragraph without other equations; "" if none is left, None if there was none."""
    kept, lines, tag = [], [], None
    for line in paragraph.splitlines():
        lines.append(line)
        if found := _EQUATION.match(line):
            tag = found[1]
            kept += lines if tag in definition else []
            lines = []
    return None if tag is None else "\n".join(kept)


def _cut_clauses(text: str, definition: Collection[str]) -> str:
    """A text whose sentences end before the clause that names another equation."""
    kept = []
    for sentence in re.split(r"(?<=\.)(?=\s)", text):
        others = (tag.start() for tag in _TAG.finditer(sentence) if tag[1] not in definition)
        start = next(others, None)
        clauses = list(re.finditer(r"[,:;]\s", sentence[:start]))
        if start is None:
            kept.append(sentence)
        elif clauses:
            kept.append(sentence[: clauses[-1].start()] + ".")
    return "".join(kept).lstrip()


def _cut_comments(source: str, definition: Collection[str]) -> str:
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        tags = _TAG.findall(token.string) if token.type == tokenize.COMMENT else []
        if not set(tags) <= set(definition):
            (row, column), stay = token.start, [f"({tag})" for tag in tags if tag in definition]
            lines[row - 1] = (
                lines[row - 1][:column] + "# " * bool(stay) + ", ".join(stay)
            ).rstrip()
    return "\n".join(lines) + "\n"
