"""Goals of a benchmark, read from a JSON file::

    {"clean: speech F": {"at_least": 0.9}, "noise: music reported": {"at_most": 0.02}}

The keys are the group and the name of a figure, as the table shows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from earmark.bench.report import Figure, Goal
from earmark.errors import ConfigError

_BOUNDS = ("at_least", "at_most")


def read_goals(path: str | Path) -> dict[str, Goal]:
    """Read goals by the key of their figure.

    Raises
    ------
    ConfigError
        If the file cannot be read, or an entry is not one bound.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        return {key: _goal(key, entry) for key, entry in entries.items()}
    except (OSError, ValueError, AttributeError) as err:
        raise ConfigError(
            f"goals '{path}' cannot be read ({err}); give a JSON object of figures and bounds"
        ) from err


def _goal(key: str, entry: object) -> Goal:
    if isinstance(entry, dict) and len(entry) == 1:
        bound, value = next(iter(entry.items()))
        if bound in _BOUNDS and isinstance(value, (int, float)):
            return Goal(float(value), bound == "at_least")
    raise ConfigError(f"goal of '{key}' is {json.dumps(entry)}; give one bound, e.g. {{\"at_least\": 0.9}}")


def with_goals(figures: Iterable[Figure], goals: Mapping[str, Goal]) -> list[Figure]:
    """Put the goals beside their figures; goals of figures that were not measured are left aside."""
    return [replace(figure, goal=goals.get(figure.key, figure.goal)) for figure in figures]
