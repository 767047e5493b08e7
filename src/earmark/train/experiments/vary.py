"""A sweep: one row of a table's file that stands for a row for each combination of some values."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import product
from typing import Any

from earmark.errors import ConfigError

_SECTIONS = ("features", "model", "signal", "fit", "embedding", "head", "share")


def varied(row: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """Return the rows that a row stands for: itself, or one for each combination of what ``vary`` lists.

    ``vary = {features.l_harm = [11, 21], features.l_perc = [11, 21]}`` makes four; "B3" becomes
    "B3, l_harm 11, l_perc 11" and so on.

    Parameters
    ----------
    row : dict
        As in the file; it has a name.
    where : str
        Names it in messages.

    Raises
    ------
    ConfigError
        If ``vary`` is not understood, or the row has figures of the paper, which would be of one of many.
    """
    if "vary" not in row:
        return [row]
    if not isinstance(row["vary"], dict):
        raise ConfigError(f"vary of {where} must be a table, e.g. {{features.n_mels = [40, 80]}}")
    if "paper" in row:
        raise ConfigError(f"{where} has both vary and paper; give published figures a row of their own")
    unknown = [key for key in row["vary"] if key not in _SECTIONS]
    if unknown:
        raise ConfigError(
            f"unknown key '{unknown[0]}' in vary of {where}; allowed are {', '.join(_SECTIONS)}"
        )
    lists = dict(_lists(row["vary"], (), where))
    rows = []
    for values in product(*lists.values()):
        one = {key: copy.deepcopy(value) for key, value in row.items() if key != "vary"}
        for path, value in zip(lists, values, strict=True):
            table = one
            for key in path[:-1]:
                table = table.setdefault(key, {})
                if not isinstance(table, dict):
                    raise ConfigError(f"'{'.'.join(path)}' in vary of {where}: '{key}' is no table there")
            table[path[-1]] = value
            one["name"] += f", {path[-1]} {value}"
        rows.append(one)
    return rows


def _lists(
    table: dict[str, Any], above: tuple[str, ...], where: str
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield the keys that lead to each list of values, and the list."""
    for key, value in table.items():
        path = (*above, key)
        if isinstance(value, dict):
            yield from _lists(value, path, where)
        elif isinstance(value, list) and value:
            yield path, value
        else:
            raise ConfigError(
                f"'{'.'.join(path)}' in vary of {where} must be a list of values, got {value!r}"
            )
