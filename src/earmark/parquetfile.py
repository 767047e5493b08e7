"""Embeddings of recordings as a Parquet table, written in row groups in memory that does not grow.

Columns: ``file``, a string; ``time``, float64, what the window is centred on, seconds; ``embedding``, a list
of D float32.  The metadata ``earmark`` of the schema holds JSON: ``model``, ``embedding``, ``window_s``,
``hop_s``.

Needs the package pyarrow: the extra ``batch``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from earmark.embedding import Embeddings
from earmark.errors import AnnotationError, EarmarkError
from earmark.files import atomic_write

_KEY = b"earmark"
# Of embeddings in a row group.
_GROUP_BYTES = 8_000_000


class VectorTable:
    """A table that appears under its name, whole, when it is closed; after an error it does not appear.

    Parameters
    ----------
    path : Path
    dimension : int
        Numbers of an embedding, D.
    facts : mapping
        For the metadata.

    Raises
    ------
    EarmarkError
        If it cannot be written.
    """

    def __init__(self, path: Path, dimension: int, facts: Mapping[str, Any]) -> None:
        self._schema = _schema(dimension, facts)
        self._most = max(1, _GROUP_BYTES // (4 * dimension))
        self._waiting: list[pa.Table] = []
        self._resources = ExitStack()
        file = self._resources.enter_context(atomic_write(path, binary=True))
        self._writer = self._resources.enter_context(
            pq.ParquetWriter(file, self._schema, compression="zstd", use_dictionary=["file"])
        )

    def __enter__(self) -> VectorTable:
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._flush(1)
        self._resources.__exit__(*error)

    def append(self, name: str, embeddings: Embeddings) -> None:
        """Add windows of a recording."""
        values, times = embeddings
        columns = [
            pa.array([name] * len(times), pa.string()),
            pa.array(times, pa.float64()),
            pa.FixedSizeListArray.from_arrays(
                pa.array(values.ravel(), pa.float32()), type=self._schema.field("embedding").type
            ),
        ]
        self._add(pa.Table.from_arrays(columns, schema=self._schema))

    def take(self, path: Path) -> None:
        """Add all rows of another table of the same columns."""
        with pq.ParquetFile(path) as other:
            for group in range(other.num_row_groups):
                self._add(other.read_row_group(group))

    def _add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        if sum(map(len, self._waiting)) >= self._most:
            self._flush(self._most)

    def _flush(self, least: int) -> None:
        """Write row groups as long as there are so many rows."""
        table = pa.concat_tables(self._waiting) if self._waiting else self._schema.empty_table()
        at = 0
        while len(table) - at >= least:
            self._writer.write_table(table.slice(at, self._most))
            at += self._most
        self._waiting = [table.slice(at)] if at < len(table) else []


class Collection:
    """One table of many recordings, put together of parts that are made apart, in other processes.

    An interruption leaves the table of the recordings that are done; any other error leaves what was there,
    and the parts in a hidden folder beside it, as a kill does: `resume` goes on with both.

    Parameters
    ----------
    path : Path
        The table.
    names : sequence of str
        The recordings, in order.
    dimension : int
    facts : mapping
        As for `VectorTable`.
    resume : bool
        Keep the recordings that are in the table or done in parts.

    Attributes
    ----------
    done : set of str
        Recordings that are kept.

    Raises
    ------
    AnnotationError
        If there is a table or a part to be kept that is of other embeddings.
    EarmarkError
        If nothing can be written there.
    """

    def __init__(
        self, path: Path, names: Sequence[str], dimension: int, facts: Mapping[str, Any], *, resume: bool
    ) -> None:
        self._path, self._names, self._resume = path, names, resume and path.exists()
        self.done = recordings_in(path, dimension, facts) if self._resume else set()
        self._table: VectorTable | None = None
        self._make = partial(VectorTable, path, dimension, facts)
        # Names of files may be as long as names can be.
        self._folder = path.parent / f".earmark-{_short(path.name)}.parts"
        if not resume:
            shutil.rmtree(self._folder, ignore_errors=True)
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as err:
            raise EarmarkError(
                f"'{path.parent}' cannot be written: {err.strerror}; choose another folder"
            ) from err
        # Parts that were left, of recordings that are not in the table.
        self._left = {
            name
            for part in sorted(self._folder.glob("*.parquet"))
            for name in recordings_in(part, dimension, facts) - self.done
        }
        self.done |= self._left
        self._taken: set[str] = set()
        self._rest = iter(names)

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        kept = kind is None or issubclass(kind, KeyboardInterrupt)
        if kept:  # also what is done and was to wait for others before it
            for name in (*sorted(self._left.difference(self._names)), *self._names):
                if self.part(name).exists():
                    self._take(name)
        if self._table is not None:
            self._table.__exit__(*((None, None, None) if kept else (kind, *error)))
        if kept:
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            with suppress(OSError):
                self._folder.rmdir()  # if it is empty

    def part(self, name: str) -> Path:
        """Return where the part of a recording is to be written."""
        return self._folder / f"{_short(name)}.parquet"

    def add(self, name: str) -> None:
        """Add the part of a recording to the table, behind those before it; to be called in their order."""
        for earlier in self._rest:
            if earlier in self._left or earlier == name:
                self._take(earlier)
            if earlier == name:
                break

    def _take(self, name: str) -> None:
        if name in self._taken:
            return
        if self._table is None:
            self._table = self._make()
            if self._resume:
                self._table.take(self._path)
        self._table.take(self.part(name))
        self._taken.add(name)


def _short(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def recordings_in(path: Path, dimension: int, facts: Mapping[str, Any]) -> set[str]:
    """Return the recordings of a table; it must be of the same embeddings.

    Raises
    ------
    AnnotationError
        If it is no such table, or one of other embeddings.
    """
    try:
        with pq.ParquetFile(path) as table:
            if not table.schema_arrow.equals(_schema(dimension, facts), check_metadata=True):
                raise ValueError("it is of other embeddings")
            return {name for names in _names(table) for name in names}
    except (OSError, ValueError) as err:
        why = str(err).splitlines()[0]
        raise AnnotationError(
            f"'{path}' is no table to go on with ({why}); leave out --skip-existing, or write elsewhere"
        ) from err


def _names(table: Any) -> Iterator[Sequence[str]]:
    for batch in table.iter_batches(columns=["file"]):
        yield batch.column(0).unique().to_pylist()


def _schema(dimension: int, facts: Mapping[str, Any]) -> pa.Schema:
    columns = [
        ("file", pa.string()),
        ("time", pa.float64()),
        # Named as in files, so that what was read equals what was written.
        ("embedding", pa.list_(pa.field("element", pa.float32()), dimension)),
    ]
    return pa.schema(columns, metadata={_KEY: json.dumps(dict(facts), ensure_ascii=False).encode()})
