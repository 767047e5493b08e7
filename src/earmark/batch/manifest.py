"""The manifest: a line for each recording of a batch, of how it went, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from earmark.batch.items import result_path
from earmark.batch.plan import Plan
from earmark.batch.reader import LedgerReader
from earmark.files import atomic_write

FILE_NAME = "manifest.csv"
_FIRST = ("id", "source", "status", "duration")
_LAST = ("model", "version", "result", "warnings", "error", "seconds", "attempts", "ended")


def write_manifest(ledger: LedgerReader, plan: Plan, folder: Path) -> Path:
    """Write how all recordings of a batch stand; return the file.

    Columns of seconds have the names of what was heard (``speech``, ``music``, ``both``, ``neither``, other
    labels), those of shares (0 to 1) end in ``_share``; the table the batch came from adds its own, with
    ``table_`` before a name that is taken.

    Raises
    ------
    EarmarkError
        If it cannot be written.
    """
    labels, own = ledger.names("shares"), ledger.names("facts")
    shares = [f"{label}_share" for label in labels]
    names = [*_FIRST, *labels, *shares, *_LAST]
    columns = _free_names(own, names)
    path = folder / FILE_NAME
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, [*names, *columns.values()], lineterminator="\n")
        writer.writeheader()
        for row in ledger.rows():
            facts = {columns[name]: value for name, value in row["facts"].items()}
            writer.writerow({**_line(row, plan), **facts})
    return path


def _free_names(own: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """Return what the columns of a table are called beside those that are taken."""
    found: dict[str, str] = {}
    for name in own:
        free = name
        while free in taken or (free != name and free in own):
            free = f"table_{free}"
        found[name] = free
    return found


def _line(row: dict[str, Any], plan: Plan) -> dict[str, Any]:
    done = row["state"] == "done"
    duration = row["duration"]
    result: Any = None
    if done and plan.results == "json":
        result = (Path("results") / result_path(row["id"])).as_posix()
    elif row["shard"] is not None:
        result = f"results/part-{row['shard']:06d}.parquet"
    return {
        "id": row["id"],
        # Names need not be valid text.
        "source": row["source"].encode("utf-8", "backslashreplace").decode(),
        # Written when no run is at work: what is in parts goes on in the next.
        "status": "pending" if row["state"] == "running" else row["state"],
        "duration": duration,
        **row["shares"],
        **{
            f"{label}_share": round(seconds / duration, 4)
            for label, seconds in row["shares"].items()
            if duration
        },
        "model": plan.name if done else None,
        "version": plan.version if done else None,
        "result": result,
        "warnings": "; ".join(row["warnings"]),
        "error": row["error"],
        "seconds": row["seconds"],
        "attempts": row["attempts"],
        "ended": _time(row["ended"]),
    }


def _time(stamp: float | None) -> str | None:
    if stamp is None:
        return None
    return datetime.fromtimestamp(stamp, timezone.utc).isoformat(timespec="seconds")
