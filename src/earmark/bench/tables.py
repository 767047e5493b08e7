"""The papers' tables that can be run: TOML files of the source tree, which the package brings along."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from rich import box
from rich.table import Table

from earmark.errors import ConfigError


def folder() -> Path:
    """Return where the tables are: beside the package where it is installed, in benchmarks/ of its source."""
    inside = Path(str(files("earmark"))) / "tables"
    return inside if inside.is_dir() else inside.parents[2] / "benchmarks" / "tables"


def table_names() -> list[str]:
    """Return the names of all tables."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def find_table(name: str, commands: Sequence[str] = ()) -> Path:
    """Return the file of a table, given by name or path.

    Raises
    ------
    ConfigError
        If there is none; near names among the tables and `commands` are pointed out.
    """
    if name.endswith(".toml"):
        return Path(name)
    known = table_names()
    if name not in known:
        near = difflib.get_close_matches(name, [*known, *commands], 1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}; or give a TOML file"
        raise ConfigError(f"no table '{name}'; {hint}")
    return folder() / f"{name}.toml"


def list_tables() -> Table:
    """Lay out the tables with what each compares."""
    from earmark.train.config import read_toml

    table = Table(box=box.HORIZONTALS)
    for column in ("table", "source", "compares", "data"):
        table.add_column(column)
    for name in table_names():
        content = read_toml(folder() / f"{name}.toml")
        data = " or ".join(map(str, content.get("data", ())))
        table.add_row(name, str(content.get("source", "")), str(content.get("title", "")), data)
    return table
