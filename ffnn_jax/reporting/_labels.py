"""Texts that a figure can draw: short, without formulas, in the letters of its font."""

import re
from collections.abc import Sequence

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties, findfont, get_font

_MISSING = "□"


def escape(texts: Sequence[str], longest: int = 120) -> list[str]:
    """Texts without formulas, their lines shortened; a box is a letter that the font lacks."""
    families = (FontProperties(family=[family]) for family in rcParams["font.family"])
    fonts = [get_font(findfont(family)) for family in families]
    drawn = {c: any(font.get_char_index(ord(c)) for font in fonts) for c in set("".join(texts))}
    drawn |= {"\n": True}
    long = re.compile(rf"(.{{{longest - 1}}})..+")
    shortened = [long.sub(r"\1…", text).replace("$", r"\$") for text in texts]
    return ["".join(c if drawn.get(c, True) else _MISSING for c in text) for text in shortened]


def class_labels(names: Sequence[str], longest: int = 24) -> list[str]:
    """Names on one line, shortened; a class's number if the font lacks a letter of its name."""
    labels = escape([" ".join(name.split()) for name in names], longest)
    return [f"class {k}" if _MISSING in label else label for k, label in enumerate(labels)]
