"""What is to be done and what was done: a batch's items and how each went, in an SQLite file.

An item is ``pending``, ``running``, ``done`` or ``failed``.  What a run had in its hands when it was killed
is pending again for the next; a result is on disk before its item is done here.  Every change is written at
once, so that a kill costs nothing; it is forced to the disk once a second, so that a power cut costs a second
of bookkeeping, and the recordings of that second are done again.

A long recording that is split has a row for each part, and is done when they are joined.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from earmark.batch import database
from earmark.batch.database import told, transaction
from earmark.batch.items import Item
from earmark.batch.reader import LedgerReader
from earmark.batch.task import Outcome, Task
from earmark.errors import ConfigError

_CHUNK = 5000  # items added at a time
_SYNC_S = 1.0


class Ledger(LedgerReader):
    """The ledger of a folder; make or open one with `Ledger.create` and `Ledger.open`.  Close it after use.

    Parameters
    ----------
    connection : sqlite3.Connection
    path : Path
        The file.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._synced = time.monotonic()

    @classmethod
    def create(cls, folder: Path, facts: Mapping[str, Any]) -> Ledger:
        """Open the ledger of a folder, or make it with some facts about the batch; for errors see `open`."""
        return cls(database.create(folder, facts), folder / database.FILE_NAME)

    # -- facts and items ---------------------------------------------------------------------------

    def note(self, name: str, value: Any) -> None:
        """Keep a fact."""
        self._change("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def add(self, items: Iterable[Item], redo: bool = True) -> int:
        """Add items; one that is there already stays as it is, unless its source has changed.

        Parameters
        ----------
        items : iterable of Item
        redo : bool
            Whether one that is done is to be done again when its source has changed; one that failed always
            is.

        Returns
        -------
        int
            Items that were done, or had failed, and have changed since; without `redo`, those that were done.

        Raises
        ------
        ConfigError
            If an id stands for two recordings.
        """
        waiting, n_changed = iter(items), 0
        while chunk := list(islice(waiting, _CHUNK)):
            rows = [
                (
                    item.id,
                    os.fsencode(item.source),
                    item.stamp,
                    json.dumps(item.facts, ensure_ascii=False) if item.facts else None,
                )
                for item in chunk
            ]
            with told(self.path), transaction(self._connection):
                before = self._connection.total_changes
                self._connection.executemany(
                    "INSERT INTO items (id, source, stamp, facts) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (id) DO NOTHING",
                    rows,
                )
                if self._connection.total_changes - before < len(rows):
                    n_changed += sum(self._has_changed(*row[:3], redo) for row in rows)
        return n_changed

    def _has_changed(self, name: str, source: bytes, stamp: str | None, redo: bool) -> bool:
        """Tell whether an item that was finished has changed; then it is pending again, if it is to be."""
        number, known, before, state = self._connection.execute(
            "SELECT number, source, stamp, state FROM items WHERE id = ?", (name,)
        ).fetchone()
        if known != source:
            raise ConfigError(
                f"the id '{name}' stands for '{os.fsdecode(known)}' and for '{os.fsdecode(source)}'; "
                "give each recording an id of its own, or write to another folder"
            )
        if stamp is None or stamp == before:
            return False
        if before is not None and state == "done" and not redo:
            return True
        self._connection.execute("UPDATE items SET stamp = ? WHERE number = ?", (stamp, number))
        if before is None:
            return False
        self._connection.execute(
            "UPDATE items SET state = 'pending', attempts = 0, duration = NULL, shares = NULL, "
            "warnings = NULL, error = NULL, seconds = NULL, ended = NULL WHERE number = ?",
            (number,),
        )
        self._connection.execute("DELETE FROM parts WHERE item = ?", (number,))
        return redo and state in ("done", "failed")

    def settle(self, task: Task, outcome: Outcome) -> None:
        """Write down how a task went; what it wrote must be on disk."""
        if outcome.error is not None:
            self._settle_item(task, outcome, "failed")
        elif outcome.n_parts:
            with told(self.path), transaction(self._connection):
                self._connection.executemany(
                    "INSERT OR IGNORE INTO parts VALUES (?, ?, 'pending', NULL)",
                    [(task.number, part) for part in range(outcome.n_parts + 1)],
                )
        elif task.part is not None and not task.joins:
            self._change(
                "UPDATE parts SET state = 'done', seconds = ? WHERE item = ? AND part = ?",
                (outcome.seconds, task.number, task.part),
            )
        else:
            self._settle_item(task, outcome, "done")

    def _settle_item(self, task: Task, outcome: Outcome, state: str) -> None:
        with told(self.path), self._durable(), transaction(self._connection):
            (spent,) = self._connection.execute(
                "SELECT COALESCE(SUM(seconds), 0) FROM parts WHERE item = ?", (task.number,)
            ).fetchone()
            self._connection.execute(
                "UPDATE items SET state = ?, duration = ?, shares = ?, warnings = ?, error = ?, seconds = ?, "
                "ended = ? WHERE number = ?",
                (
                    state,
                    None if outcome.error else outcome.duration,
                    json.dumps(dict(outcome.shares)) if outcome.shares else None,
                    json.dumps(outcome.warnings, ensure_ascii=False) if outcome.warnings else None,
                    outcome.error,
                    outcome.seconds + spent,
                    time.time(),
                    task.number,
                ),
            )
            self._connection.execute("DELETE FROM parts WHERE item = ?", (task.number,))
            if outcome.text is not None:
                self._connection.execute(
                    "INSERT OR REPLACE INTO texts VALUES (?, ?)", (task.number, outcome.text)
                )

    def expects(self, task: Task) -> bool:
        """Tell whether a task is still wanted; parts of a recording that has failed are not."""
        with told(self.path):
            query = "SELECT COUNT(*) FROM parts WHERE item = ? AND part = ?"
            return task.part is None or bool(self._rows(query, (task.number, task.part)).fetchone()[0])

    def put_back(self, task: Task) -> None:
        """Make a task pending again."""
        if task.part is None:
            self._change("UPDATE items SET state = 'pending' WHERE number = ?", (task.number,))
        else:
            self._change(
                "UPDATE parts SET state = 'pending' WHERE item = ? AND part = ?", (task.number, task.part)
            )

    def recover(self) -> None:
        """Make pending what a run had in its hands when it ended; no other may be at work."""
        with told(self.path), transaction(self._connection):
            self._connection.execute("UPDATE parts SET state = 'pending' WHERE state = 'running'")
            # An item that is split goes on with its parts.
            self._connection.execute(
                "UPDATE items SET state = 'pending' WHERE state = 'running' "
                "AND number NOT IN (SELECT item FROM parts)"
            )

    def retry(self) -> int:
        """Make failed items pending; return how many."""
        with told(self.path):
            return self._connection.execute(
                "UPDATE items SET state = 'pending', error = NULL, attempts = 0 WHERE state = 'failed'"
            ).rowcount

    # -- results that wait for a shard -------------------------------------------------------------

    def texts(self, after: int, most: int) -> list[tuple[int, str, str]]:
        """Return results that are in no shard yet, of items with a number above `after`: number, id, text."""
        with told(self.path):
            return list(
                self._rows(
                    "SELECT item, id, text FROM texts JOIN items ON number = item WHERE item > ? "
                    "ORDER BY item LIMIT ?",
                    (after, most),
                )
            )

    def n_texts(self) -> int:
        """Return how many results are in no shard yet."""
        with told(self.path):
            ((count,),) = self._rows("SELECT COUNT(*) FROM texts")
        return int(count)

    def next_shard(self) -> int:
        """Return the number of the shard to be written."""
        return int(self.facts().get("shards", 0))

    def shelve(self, shard: int, numbers: Iterable[int]) -> None:
        """Note that results are in a shard, which is whole and on disk; they are not kept here any more."""
        with told(self.path), self._durable(force=True), transaction(self._connection):
            for number in numbers:
                self._connection.execute("UPDATE items SET shard = ? WHERE number = ?", (shard, number))
                self._connection.execute("DELETE FROM texts WHERE item = ?", (number,))
            self._connection.execute(
                "INSERT OR REPLACE INTO facts VALUES ('shards', ?)", (json.dumps(shard + 1),)
            )

    # -- inside ------------------------------------------------------------------------------------

    def split_items(self) -> set[str]:
        """Return the numbers of recordings that are in parts."""
        with told(self.path):
            return {str(number) for (number,) in self._rows("SELECT DISTINCT item FROM parts")}

    def take_pending(self, after: int, most: int) -> list[tuple[int, str, bytes]]:
        """Return pending items with a number above `after`."""
        with told(self.path):
            return list(
                self._rows(
                    "SELECT number, id, source FROM items WHERE state = 'pending' AND number > ? "
                    "ORDER BY number LIMIT ?",
                    (after, most),
                )
            )

    def take_part(self) -> Task | None:
        """Take a pending part of a split recording; the joining only when all others are done."""
        with told(self.path):
            rows = list(
                self._rows(
                    "SELECT p.item, p.part, (SELECT MAX(part) FROM parts WHERE item = p.item) AS n, id, "
                    "source FROM parts p JOIN items ON number = p.item WHERE p.state = 'pending' AND "
                    "(p.part < n OR NOT EXISTS (SELECT 1 FROM parts o WHERE o.item = p.item AND o.part < n "
                    "AND o.state != 'done')) ORDER BY p.item, p.part LIMIT 1"
                )
            )
            if not rows:
                return None
            number, part, n_parts, name, source = rows[0]
        self._change("UPDATE parts SET state = 'running' WHERE item = ? AND part = ?", (number, part))
        return Task(number, name, os.fsdecode(source), part, n_parts)

    def begin(self, number: int) -> None:
        """Mark an item as running."""
        self._change(
            "UPDATE items SET state = 'running', attempts = attempts + 1 WHERE number = ?", (number,)
        )

    def _change(self, statement: str, values: tuple[Any, ...]) -> None:
        with told(self.path):
            self._connection.execute(statement, values)

    @contextmanager
    def _durable(self, force: bool = False) -> Iterator[None]:
        """Force what is written here, and all before it, to the disk, if that is a second ago."""
        due = force or time.monotonic() - self._synced >= _SYNC_S
        if due:
            self._connection.execute("PRAGMA synchronous=FULL")
        yield
        if due:
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._synced = time.monotonic()
