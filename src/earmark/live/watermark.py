"""Up to when a source was listened to, kept in a file, so that what follows a kill is known to be a gap."""

from __future__ import annotations

import json
from pathlib import Path

from earmark.errors import EarmarkError
from earmark.files import atomic_write

_EVERY_S = 5.0


class Watermark:
    """The last moment heard, some seconds exact.

    Parameters
    ----------
    path : Path
        A JSON file with one entry, ``heard_until``, seconds since 1970.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0.0

    def read(self) -> float | None:
        """Return the moment an earlier run came to; None if there was none, or nobody knows."""
        try:
            return float(json.loads(self._path.read_text(encoding="utf-8"))["heard_until"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, time: float, *, now: bool = False) -> None:
        """Note a moment, every few seconds or `now`; a disk that is full is told by others."""
        if time <= self._written or (not now and time - self._written < _EVERY_S):
            return
        self._written = time
        try:
            with atomic_write(self._path) as file:
                file.write(json.dumps({"heard_until": round(time, 3)}) + "\n")
        except EarmarkError:
            pass
