"""What a ledger tells: counts, sums, errors, and every item as it stands; also while a run is at work."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from earmark.batch import database
from earmark.batch.database import told

STATES = ("pending", "running", "done", "failed")
_CHUNK = 5000  # items looked at at a time
_FIELDS = (
    *("number", "id", "source", "facts", "state", "attempts", "duration", "shares", "warnings"),
    *("error", "seconds", "ended", "shard"),
)
_Self = TypeVar("_Self", bound="LedgerReader")


class LedgerReader:
    """A ledger to be looked at; open one with `LedgerReader.open`, and close it after use.

    Parameters
    ----------
    connection : sqlite3.Connection
    path : Path
        The file.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls: type[_Self], folder: Path) -> _Self:
        """Open the ledger of a folder.

        Raises
        ------
        ConfigError
            If there is none, or one of another version.
        EarmarkError
            If it cannot be read.
        """
        return cls(database.open_existing(folder), folder / database.FILE_NAME)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        with told(self.path):
            self._connection.close()

    def facts(self) -> dict[str, Any]:
        """Return what is known of the batch: its settings, whether all its items are listed."""
        with told(self.path):
            return {name: json.loads(value) for name, value in self._rows("SELECT name, value FROM facts")}

    def counts(self) -> dict[str, int]:
        """Return how many items are in each state."""
        found = dict.fromkeys(STATES, 0)
        with told(self.path):
            found.update(self._rows("SELECT state, COUNT(*) FROM items GROUP BY state"))
        return found

    def sums(self) -> tuple[float, float]:
        """Return the seconds of audio done, and the seconds spent on all items."""
        with told(self.path):
            ((audio, spent),) = self._rows(
                "SELECT COALESCE(SUM(duration), 0), COALESCE(SUM(seconds), 0) FROM items"
            )
        return float(audio), float(spent)

    def errors(self, most: int) -> list[tuple[str, int, str]]:
        """Return the most frequent errors: text, count, and the id of a recording that has it."""
        with told(self.path):
            return list(
                self._rows(
                    "SELECT error, COUNT(*), MIN(id) FROM items WHERE state = 'failed' "
                    "GROUP BY error ORDER BY 2 DESC, 1 LIMIT ?",
                    (most,),
                )
            )

    def names(self, column: str) -> list[str]:
        """Return the names that occur in a column of names and values: ``facts`` or ``shares``."""
        with told(self.path):
            return [name for (name,) in self._rows(f"SELECT DISTINCT key FROM items, json_each({column})")]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield all items as they stand, in the order they were added."""
        query = f"SELECT {', '.join(_FIELDS)} FROM items WHERE number > ? ORDER BY number LIMIT ?"
        at = 0
        while True:
            with told(self.path):  # in chunks: a reader that lasts would keep the log from being emptied
                chunk = list(self._rows(query, (at, _CHUNK)))
            if not chunk:
                return
            for row in chunk:
                fields = dict(zip(_FIELDS, row, strict=True))
                fields["source"] = os.fsdecode(fields["source"])
                for name, empty in (("facts", {}), ("shares", {}), ("warnings", [])):
                    fields[name] = json.loads(fields[name]) if fields[name] else empty
                yield fields
            at = chunk[-1][0]

    def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)
