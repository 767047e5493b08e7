"""How far a batch is, in numbers and in lines; read while it runs, or at any time after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from earmark.batch.database import LOCK_NAME
from earmark.batch.reader import LedgerReader
from earmark.lock import is_locked
from earmark.terminal import clock

_MOST_ERRORS = 5


def status_of(folder: Path) -> dict[str, Any]:
    """Return the state of a batch, fit for JSON.

    Raises
    ------
    ConfigError
        If the folder holds no batch, or one of another version.
    EarmarkError
        If it cannot be read.
    """
    with LedgerReader.open(folder) as ledger:
        counts = ledger.counts()
        audio_s, spent_s = ledger.sums()
        plan = ledger.facts()["plan"]
        errors = [
            {"error": error, "count": count, "example": example}
            for error, count, example in ledger.errors(_MOST_ERRORS)
        ]
    active = is_locked(folder, LOCK_NAME)
    if not active:  # what a run had in its hands when it was killed
        counts["pending"] += counts["running"]
        counts["running"] = 0
    return {
        "folder": str(folder),
        "active": active,
        "items": sum(counts.values()),
        **counts,
        "audio_s": round(audio_s, 3),
        "seconds": round(spent_s, 3),
        "model": {"name": plan["name"], "version": plan["version"], "sha256": plan["sha256"]},
        "errors": errors,
    }


def status_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield the state of a batch in lines to be read."""
    active = "a run is at work" if status["active"] else "no run is at work"
    yield f"{status['folder']}: {status['items']:,} recordings; {active}"
    for state in ("done", "failed", "running", "pending"):
        yield f"{state:8}{status[state]:14,}"
    if status["audio_s"]:
        cost = 3600 * status["seconds"] / status["audio_s"]
        done, spent = (clock(status[name], hours=True) for name in ("audio_s", "seconds"))
        yield f"{done} of audio done, in {spent} of work ({cost:.1f} s per hour of audio)"
    for row in status["errors"]:
        yield f"{row['count']:,} x {row['error']} (e.g. {row['example']})"
