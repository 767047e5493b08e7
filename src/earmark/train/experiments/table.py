"""A table of a paper as a TOML file: its rows, what they are run on, and the figures to compare with."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from earmark.datasets.mixtures import SMR_LEVELS_DB
from earmark.datasets.tasks import TASKS
from earmark.errors import ConfigError
from earmark.train.config import checked_values, read_toml
from earmark.train.experiments.protocol import OVERLAP, Protocol
from earmark.train.experiments.rowfile import filled, read_rows, refuse_unknown, section
from earmark.train.experiments.rows import Row, TransferRow
from earmark.train.experiments.scores import figure_names
from earmark.train.experiments.transfer import Pretraining

_FIELDS = {
    "title": str,
    "source": str,
    "note": str,
    "published_on": tuple[str, ...],
    "data": tuple[str, ...],
    "noise": tuple[str, ...],
    "measures": tuple[str, ...],
    "smr_db": tuple[float, ...],
    "compare": str,
}
_TABLE_KEYS = [*_FIELDS, "protocol", "signal", "fit", "training", "share", "pretrain", "row"]


@dataclass(frozen=True)
class Experiment:
    """A table.

    Parameters
    ----------
    name : str
        Name of its file.
    title : str
        What it compares.
    source : str
        Paper and table.
    published_on : tuple of str
        The paper's data: datasets, or in words what cannot be had; by default the first of `data`.
    data : tuple of str
        Datasets, or tasks (`earmark.datasets.tasks`); the first that is there is used, where none is asked
        for.
    measures : tuple of str
        The columns; see `earmark.train.experiments.scores.PatchScores.figures`.
    protocol : Protocol
    rows : tuple of Row
    smr_db : tuple of float
        Speech-to-music ratios at which all test mixtures are mixed anew and scored, each for itself.
    note : str
        What a reader should know of all rows.
    noise : tuple of str
        Datasets that have the class noise; with any other one, the noise is of the first that is there.
    pretrain : Pretraining
        What networks learn first, in rows that transfer them.
    compare : str
        Row that all others are compared with, fold by fold, in the first measure.
    """

    name: str
    title: str
    source: str
    published_on: tuple[str, ...]
    data: tuple[str, ...]
    measures: tuple[str, ...]
    protocol: Protocol
    rows: tuple[Row, ...]
    smr_db: tuple[float, ...] = ()
    note: str = ""
    noise: tuple[str, ...] = ()
    pretrain: Pretraining = field(default_factory=Pretraining)
    compare: str = ""

    def __post_init__(self) -> None:
        if self.compare and self.compare not in [row.name for row in self.rows]:
            raise ConfigError(f"compare of '{self.name}' is '{self.compare}', which is no row of it")
        if not self.protocol.classes:
            self._check_tasks()
            return
        if self.smr_db and OVERLAP not in self.protocol.classes:
            raise ConfigError(f"smr_db is of mixtures; '{self.name}' has no class '{OVERLAP}'")
        known = figure_names(self.protocol.classes, self.smr_db or SMR_LEVELS_DB)
        unknown = [name for name in self.measures if name not in known]
        if unknown:
            near = difflib.get_close_matches(unknown[0], known, 1)
            hint = f"did you mean '{near[0]}'?" if near else "see benchmarks/README.md"
            raise ConfigError(f"unknown measure '{unknown[0]}' of '{self.name}'; {hint}")
        for row in self.rows:
            if row.only and not self.protocol.task:
                raise ConfigError(f"row '{row.name}' has 'only', which names tasks; '{self.name}' has none")
            if isinstance(row, TransferRow) and not self.protocol.task:
                raise ConfigError(f"row '{row.name}' has 'frozen'; only tables of tasks transfer networks")
            for measure in row.paper:
                if measure not in self.measures:
                    raise ConfigError(
                        f"'{measure}' of paper of row '{row.name}' is no measure of '{self.name}'; "
                        f"these are {', '.join(self.measures)}"
                    )

    def on(self, data: str) -> Experiment:
        """Return the table as it is on one of its data: of a task, with its classes, rows and figures."""
        if data not in TASKS or self.protocol.task:
            return self
        rows = tuple(row.on(data, self.measures[0]) for row in self.rows if data in (row.only or self.data))
        return replace(self, protocol=self.protocol.of(data), rows=rows)

    def _check_tasks(self) -> None:
        """Refuse what a table of tasks cannot be; `on` finds the rest."""
        for name in self.data:
            if name not in TASKS:
                raise ConfigError(f"'{self.name}' is of tasks; '{name}' is none: {', '.join(TASKS)}")
        for row in self.rows:
            for name in (*row.paper, *row.only):
                if name not in self.data:
                    raise ConfigError(
                        f"row '{row.name}' names '{name}', which is no task of '{self.name}'; "
                        f"these are {', '.join(self.data)}"
                    )
            if isinstance(row, TransferRow) and not self.pretrain.sources:
                raise ConfigError(f"row '{row.name}' has 'frozen'; name sources in [pretrain]")
        for name in self.data:
            self.on(name)


def read_experiment(path: Path) -> Experiment:
    """Read a table.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or a value in it is wrong.
    """
    table = read_toml(path)
    where = f"'{path}'"
    refuse_unknown(table, _TABLE_KEYS, where)
    missing = [key for key in ("title", "source", "data", "measures", "row") if not table.get(key)]
    if missing:
        raise ConfigError(
            f"{where} has no {', '.join(missing)}; a table needs title, source, data, measures, row"
        )
    fields = checked_values(_FIELDS, {key: table[key] for key in _FIELDS if key in table}, where)
    fields.setdefault("published_on", fields["data"][:1])
    protocol = filled(_protocol(table, fields["data"], where), table, "protocol", where)
    if not isinstance(table["row"], list) or not all(isinstance(row, dict) for row in table["row"]):
        raise ConfigError(f"'row' in {where} must be tables, each under a line [[row]]")
    rows = tuple(row for given in table["row"] for row in read_rows(given, table, protocol, where))
    for data in fields["data"]:
        names = [row.name for row in rows if data in (row.only or fields["data"])]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ConfigError(f"two rows of {where} are called '{twice[0]}'; names tell them apart")
    pretrain = filled(Pretraining(), table, "pretrain", where)
    return Experiment(path.stem, protocol=protocol, rows=rows, pretrain=pretrain, **fields)


def _protocol(table: dict[str, Any], data: tuple[str, ...], where: str) -> Protocol:
    """Return what a protocol is by default: of tasks it has no classes of its own."""
    given = section(table, "protocol", where)
    unfit = [key for key in ("classes", "task") if key in given]
    if not set(data) & set(TASKS):
        if "task" in (given.get("kind"), *unfit):
            raise ConfigError(f"the protocol of {where} is of tasks, and its data are datasets; give tasks")
        return Protocol()
    if unfit:
        raise ConfigError(f"the protocol of {where} has '{unfit[0]}'; tasks have their own")
    return Protocol("task", (), shares=()) if given.get("kind") == "task" else Protocol(classes=())
