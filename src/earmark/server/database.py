"""The SQLite file of a server: its tables, its transactions, its errors in plain words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from earmark.errors import ConfigError, EarmarkError

FILE_NAME = "serve.sqlite"
_VERSION = 2
_BUSY_S = 30.0
_SCHEMA = """
CREATE TABLE recordings (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, kind TEXT NOT NULL,
    place TEXT NOT NULL, model TEXT NOT NULL, created REAL NOT NULL, size INTEGER, duration REAL,
    drawn INTEGER NOT NULL DEFAULT 0, warnings TEXT NOT NULL DEFAULT '[]');
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, recording TEXT,
    model TEXT, state TEXT NOT NULL DEFAULT 'queued', attempts INTEGER NOT NULL DEFAULT 0, error TEXT,
    result TEXT, created REAL NOT NULL, ended REAL);
CREATE INDEX job_state ON jobs (state);
CREATE INDEX job_recording ON jobs (recording);
CREATE TABLE timelines (
    recording TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, origin TEXT NOT NULL, model TEXT,
    duration REAL NOT NULL, labels TEXT NOT NULL, warnings TEXT NOT NULL,
    PRIMARY KEY (recording, name)) WITHOUT ROWID;
CREATE TABLE segments (
    number INTEGER PRIMARY KEY, recording TEXT NOT NULL, name TEXT NOT NULL, start REAL NOT NULL,
    end REAL NOT NULL, label TEXT NOT NULL, confidence REAL, ratio REAL);
CREATE INDEX segment_place ON segments (recording, name, start);
CREATE TABLE edits (
    number INTEGER PRIMARY KEY, recording TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    at REAL NOT NULL, client TEXT, given TEXT, removed TEXT NOT NULL, added TEXT NOT NULL);
CREATE INDEX edit_place ON edits (recording, name, version);
CREATE INDEX edit_given ON edits (recording, given);
CREATE TABLE versions (
    recording TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (recording, name)) WITHOUT ROWID;
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, size INTEGER NOT NULL, created REAL NOT NULL) WITHOUT ROWID;
"""


class Database:
    """One connection that all threads take turns with; close it after use.

    Parameters
    ----------
    folder : Path
        Where the file lies, or is made.

    Raises
    ------
    ConfigError
        If the file is another's, or of another version.
    EarmarkError
        If it cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = threading.RLock()
        with self._told():
            self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            with self.transaction():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self.run(statement)
                self.run(f"PRAGMA user_version={_VERSION}")
        elif version != _VERSION:
            self._connection.close()
            raise ConfigError(
                f"'{folder}' was written by another version of earmark (its format is {version}, this one "
                f"reads {_VERSION}); use that version, or choose another store"
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def run(self, query: str, values: Sequence[Any] = ()) -> int:
        """Change something; return how many rows were."""
        with self._lock, self._told():
            return self._connection.execute(query, values).rowcount

    def run_many(self, query: str, values: Sequence[Sequence[Any]]) -> None:
        """Change something for each row of values."""
        with self._lock, self._told():
            self._connection.executemany(query, values)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return what a query finds."""
        with self._lock, self._told():
            return self._connection.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first thing that a query finds."""
        with self._lock, self._told():
            found: sqlite3.Row | None = self._connection.execute(query, values).fetchone()
            return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing, and nobody else anything meanwhile; within another one, as part of that."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            with self._told():
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled it back already
                    self._connection.execute("ROLLBACK")
                raise
            with self._told():
                self._connection.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as err:
            raise EarmarkError(
                f"'{self.path.name}' in the store cannot be used ({err}); make room there, or check its "
                "permissions"
            ) from err
        except sqlite3.DatabaseError as err:
            raise ConfigError(f"'{self.path}' is damaged, or no store ({err}); choose another") from err
