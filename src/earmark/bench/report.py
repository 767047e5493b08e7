"""What all benchmarks share: figures with goals, their table, and the JSON that documents a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from earmark.catalogue import load_model
from earmark.environment import environment
from earmark.errors import ConfigError
from earmark.modelfile import read_model


@dataclass(frozen=True)
class Goal:
    """A bound a figure should keep.

    Parameters
    ----------
    value : float
        The bound, in the figure's unit; it counts as kept when reached.
    at_least : bool
        Whether the figure should be that or more; else that or less.
    """

    value: float
    at_least: bool = True

    def met(self, value: float) -> bool:
        """Return whether a value keeps the bound."""
        return value >= self.value if self.at_least else value <= self.value


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    group, name : str
        Where it stands in the table.
    value : float or None
        None where there is nothing to measure it on.
    unit : str
        ``"%"`` for a share given as 0 to 1, else the unit shown behind the number.
    goal : Goal, optional
        What it should reach.
    """

    group: str
    name: str
    value: float | None
    unit: str = "%"
    goal: Goal | None = None

    @property
    def key(self) -> str:
        """Group and name, as goals call it."""
        return f"{self.group}: {self.name}"

    @property
    def text(self) -> str:
        """The value as shown."""
        return _number(self.value, self.unit)

    @property
    def goal_text(self) -> str:
        """The goal as shown, e.g. ``"≥ 90.0 %"``."""
        sign = "" if self.goal is None else "≥ " if self.goal.at_least else "≤ "
        return sign + (_number(self.goal.value, self.unit) if self.goal else "")

    @property
    def verdict(self) -> str:
        """``"yes"`` or ``"no"`` for a goal that was met or not, empty where there is none."""
        if self.goal is None or self.value is None:
            return ""
        return "yes" if self.goal.met(self.value) else "no"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.4g} {unit}".rstrip()


def figures_table(title: str, figures: Sequence[Figure]) -> Table:
    """Lay figures out as a table, one a row, with the goal beside each."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.HORIZONTALS)
    for name in ("", "figure"):
        table.add_column(name)
    for name in ("measured", "goal", "met"):
        table.add_column(name, justify="right")
    group = None
    for figure in figures:
        if group is not None and figure.group != group:
            table.add_section()
        shown = figure.group if figure.group != group else ""
        style = {"yes": "green", "no": "red"}.get(figure.verdict, "")
        table.add_row(shown, figure.name, figure.text, figure.goal_text, figure.verdict, style=style)
        group = figure.group
    return table


def groups_table(title: str, figures: Sequence[Figure]) -> Table:
    """Lay figures out with a group a row, its figures beside each other."""
    names = list(dict.fromkeys(figure.name for figure in figures))
    units = {figure.name: figure.unit for figure in figures}
    groups: dict[str, dict[str, str]] = {}
    for figure in figures:
        groups.setdefault(figure.group, {})[figure.name] = _number(figure.value, "")
    table = Table(title=title, title_justify="left", title_style="bold", box=box.HORIZONTALS)
    table.add_column("")
    for name in names:
        table.add_column(f"{name}\n{units[name]}".rstrip(), justify="right")
    for group, texts in groups.items():
        table.add_row(group, *(texts.get(name, "") for name in names))
    return table


def describe_model(name_or_path: str) -> dict[str, str]:
    """Return a model's name and version by its card, and the SHA-256 of its file.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    card = load_model(name_or_path).card
    digest = hashlib.sha256(read_model(name_or_path)).hexdigest()
    return {"name": card.name, "version": card.version, "sha256": digest}


def write_report(
    path: str | Path,
    benchmark: str,
    config: Mapping[str, Any],
    figures: Iterable[Figure],
    details: Mapping[str, Any],
) -> None:
    """Write a run as JSON: what was run, on what, the figures and what they were made from.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    rows = [{**asdict(f), "met": {"yes": True, "no": False}.get(f.verdict)} for f in figures]
    report = {
        "benchmark": benchmark,
        "config": dict(config),
        "environment": environment(),
        "figures": rows,
        "details": dict(details),
    }
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    except OSError as err:
        raise ConfigError(
            f"cannot write '{path}' ({err.strerror}); give a path in a folder you may write to"
        ) from err
