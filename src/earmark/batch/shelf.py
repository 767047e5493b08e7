"""Results as Parquet shards: many recordings in a file, which appears only when it is whole.

A result waits in the ledger, where it is as safe as any, until there are enough for a shard.  A shard is
written first and noted afterwards; if a kill comes in between, the next run writes the same one again.

Columns: ``id``, ``source``, ``model``, ``version``, ``duration``, ``segments`` (a list of ``start``, ``end``,
``label``, ``confidence``, ``speech_to_music_db``) and ``warnings``.  Times are seconds.

Needs the package pyarrow: the extra ``batch``.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from earmark.batch.ledger import Ledger
from earmark.batch.plan import Plan
from earmark.batch.task import Outcome
from earmark.files import atomic_write

_SHARD_ROWS = 10_000
_GROUP_ROWS = 500
_SEGMENT = [
    *(("start", pa.float64()), ("end", pa.float64()), ("label", pa.string())),
    *(("confidence", pa.float32()), ("speech_to_music_db", pa.float32())),
]
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "source", "model", "version")),
        ("duration", pa.float64()),
        ("segments", pa.list_(pa.struct(_SEGMENT))),
        ("warnings", pa.list_(pa.string())),
    ]
)


class Shelf:
    """Puts results into shards as they come.

    Parameters
    ----------
    ledger : Ledger
    plan : Plan
    """

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan
        self._waiting = ledger.n_texts()

    def note(self, outcome: Outcome) -> None:
        """Know of one more result in the ledger."""
        self._waiting += outcome.text is not None
        if self._waiting >= _SHARD_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the results that wait into a shard.

        Raises
        ------
        EarmarkError
            If it cannot be written.
        """
        shard, numbers = self._ledger.next_shard(), list[int]()
        if not self._ledger.n_texts():
            return
        path = self._plan.results_folder / f"part-{shard:06d}.parquet"
        with (
            atomic_write(path, binary=True, workshop=self._plan.workshop) as file,
            pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer,
        ):
            after = 0
            while rows := self._ledger.texts(after, _GROUP_ROWS):
                writer.write_table(pa.Table.from_pylist([_row(*row[1:]) for row in rows], _SCHEMA))
                numbers += [number for number, _, _ in rows]
                after = numbers[-1]
        self._ledger.shelve(shard, numbers)
        self._waiting = 0


def _row(name: str, text: str) -> dict[str, Any]:
    result = json.loads(text)
    return {
        "id": name,
        "model": result["model"]["name"],
        "version": result["model"]["version"],
        **{key: result[key] for key in ("source", "duration", "segments", "warnings")},
    }
