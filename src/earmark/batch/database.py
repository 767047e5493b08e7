"""The SQLite file of a batch: its tables, its version, its transactions, its errors in plain words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from earmark.errors import ConfigError, EarmarkError

FILE_NAME = "batch.sqlite"
# Held by the run at work in the folder.
LOCK_NAME = "batch.lock"
_VERSION = 2
_BUSY_S = 60.0
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source BLOB NOT NULL, stamp TEXT,
    facts TEXT, state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,
    duration REAL, shares TEXT, warnings TEXT, error TEXT, seconds REAL, ended REAL, shard INTEGER);
CREATE INDEX by_state ON items (state);
CREATE TABLE parts (
    item INTEGER NOT NULL, part INTEGER NOT NULL, state TEXT NOT NULL, seconds REAL,
    PRIMARY KEY (item, part)) WITHOUT ROWID;
CREATE TABLE texts (item INTEGER PRIMARY KEY, text TEXT NOT NULL);
"""


def create(folder: Path, facts: Mapping[str, Any]) -> sqlite3.Connection:
    """Open the file of a folder, or make it with some facts; for errors see `open_existing`."""
    path = folder / FILE_NAME
    if path.exists() and path.stat().st_size:
        return open_existing(folder)
    with told(path):
        folder.mkdir(parents=True, exist_ok=True)
        connection = _connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        lines = [(name, json.dumps(value)) for name, value in facts.items()]
        # All or nothing: a kill in between must not leave half a file.
        with transaction(connection):
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.executemany("INSERT INTO facts VALUES (?, ?)", lines)
            connection.execute(f"PRAGMA user_version={_VERSION}")
    return connection


def open_existing(folder: Path) -> sqlite3.Connection:
    """Open the file of a folder.

    Raises
    ------
    ConfigError
        If there is none, or one of another version.
    EarmarkError
        If it cannot be read.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise ConfigError(f"'{folder}' holds no batch; give the folder that was --out of earmark batch")
    with told(path):
        connection = _connect(path)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != _VERSION:
        connection.close()
        raise ConfigError(
            f"the batch in '{folder}' was written by another version of earmark (its format is {version}, "
            f"this one reads {_VERSION}); go on with that version, or choose another folder"
        )
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into one line."""
    try:
        yield
    except sqlite3.DatabaseError as err:
        if not isinstance(err, sqlite3.OperationalError):
            raise ConfigError(f"'{path}' is no batch, or damaged ({err}); choose another folder") from err
        raise EarmarkError(
            f"'{path}' cannot be used ({err}); make room there, or check its permissions, then start again"
        ) from err
    except OSError as err:
        raise EarmarkError(f"'{path}' cannot be written: {err.strerror}; choose another folder") from err
