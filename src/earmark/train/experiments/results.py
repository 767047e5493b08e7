"""The file of a table's results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from earmark.errors import ConfigError


def read_results(path: Path, table: str) -> dict[str, Any]:
    """Return what a file holds: ``table`` and ``results``, none if there is no file yet.

    Raises
    ------
    ConfigError
        If it is no file of results, or of another table.
    """
    report: dict[str, Any] = {"table": table, "results": []}
    if not path.exists():
        return report
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        results = found["results"]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ConfigError(f"'{path}' is no file of results ({err}); name another one") from err
    if found.get("table") != table:
        raise ConfigError(f"'{path}' holds results of '{found.get('table')}'; name another file")
    return report | {"results": results}


def write_results(path: Path, report: dict[str, Any]) -> None:
    """Write a file anew; an interruption leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
