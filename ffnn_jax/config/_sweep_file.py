"""Sweep files: TOML that says which settings to compare.

``base`` names what every row starts from: a preset, a settings file or the folder of a run.
``grid`` has a list of values for each of its keys, and every combination is a row; ``rows`` has the
changes of rows by name, each of which has the whole grid, if there is one. ``seeds`` is the number
of seeds of each row. Keys and values that change settings are those of settings files.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ffnn_jax._base_config import is_count
from ffnn_jax._errors import UserError
from ffnn_jax.config._settings_file import (
    NAMES,
    NamedSettings,
    changed,
    errors_in,
    named_settings,
    parsed,
    require_known,
)

_KEYS = ("base", "seeds", "grid", "rows")
_CHANGED = tuple(name for name in NAMES if name not in ("seed", "seeds"))
_SEEDS, _MOST = 5, 10_000


class SweepRows(NamedTuple):
    """The settings of each row of a sweep, by name, and the number of seeds of every row."""

    rows: dict[str, NamedSettings]
    seeds: int


def sweep_rows(names: Sequence[str], seeds: int | None = None) -> SweepRows:
    """The rows of presets, settings files, folders of runs, and sweep files.

    ``seeds`` replaces what the files ask for; by default, 5.

    Raises:
        UserError: a file cannot be read, or has a key or a value that is not allowed; two rows
            have the same name; the files ask for different numbers of seeds.
    """
    found: dict[str, NamedSettings] = {}
    asked = set() if seeds is None else {_count(seeds)}
    for name in names:
        rows, wanted = _read(name)
        if seeds is None and wanted is not None:
            asked.add(wanted)
        for row, settings in rows.items():
            if row in found:
                raise UserError(f"two rows are called {row!r}: a settings file may say name = ...")
            found[row] = settings
    if len(asked) > 1:
        raise UserError(f"seeds: the files ask for {' and '.join(map(str, sorted(asked)))}")
    if not found:
        raise UserError(
            "sweep needs a preset, a settings file, a sweep file or the folder of a run"
        )
    return SweepRows(found, *(asked or {_SEEDS}))


def _count(seeds: Any) -> int:
    if not is_count(seeds, 1) or seeds > _MOST:
        raise UserError(f"seeds must be from 1 to {_MOST}, got {seeds!r}")
    return seeds


def _read(name: str) -> tuple[dict[str, NamedSettings], int | None]:
    """The rows of one name, and the seeds that it asks for, if it is a sweep file."""
    if _is_sweep(name):
        with errors_in(name):
            fields = parsed(Path(name))
            return dict(_rows(fields)), _count(fields["seeds"]) if "seeds" in fields else None
    named = named_settings(name)
    return {named.settings.preset: named}, None


def _is_sweep(name: str) -> bool:
    """Whether the file, if it is one that can be read, has keys of a sweep file's."""
    if Path(name).suffix != ".toml":
        return False
    with errors_in(name):
        return not {"base", "grid", "rows"}.isdisjoint(parsed(Path(name)))


def _rows(fields: Mapping[str, Any]) -> Iterator[tuple[str, NamedSettings]]:
    require_known(fields, _KEYS)
    if not isinstance(fields.get("base"), str):
        raise UserError("base must be a preset, a settings file or the folder of a run")
    if _is_sweep(fields["base"]):
        raise UserError(f"base must be no sweep file, and {fields['base']} is one")
    base = named_settings(fields["base"])
    rows, grid = (_table(fields, key) for key in ("rows", "grid"))
    rows = rows or {base.settings.preset: {}}
    with errors_in("grid"):
        require_known(grid, _CHANGED)
    for name in rows:
        changes = _table(rows, name, "rows.")
        if both := changes.keys() & grid.keys():
            raise UserError(f"rows.{name}: {min(both)} is a key of the grid, too")
        for values in itertools.product(*(_values(grid, key) for key in grid)):
            point = dict(zip(grid, values, strict=True))
            row = ", ".join([name, *(f"{key} {_text(value)}" for key, value in point.items())])
            with errors_in(row):
                yield row, _with(base, changes | point)


def _with(base: NamedSettings, changes: dict[str, Any]) -> NamedSettings:
    require_known(changes, _CHANGED)
    settings, given = changed(base.settings, changes, base.settings.preset)
    return NamedSettings(settings, base.given | given)


def _table(fields: Mapping[str, Any], key: str, place: str = "") -> dict[str, Any]:
    if not isinstance(table := fields.get(key, {}), dict):
        raise UserError(f"{place}{key} must be a table, got {table!r}")
    return table


def _values(grid: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(values := grid[key], list) or not values:
        raise UserError(f"grid: {key} must be a list of values, got {values!r}")
    return values


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
