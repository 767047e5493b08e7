"""Up to when a source was listened to, kept in a file, so that what follows a kill is known to be a gap."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import EarmarkError
from earmark.files import atomic_write

_EVERY_S = 5.0


@dataclass(frozen=True)
class Mark:
    """What a listener leaves that ends without warning; times are seconds since 1970.

    Parameters
    ----------
    certain_until : float
        All that sounded before is in the rows, or held.
    held : tuple of (str, float, float)
        Label, start and end of what sounds and is in no row yet, as it goes on; known up to `certain_until`.
    """

    certain_until: float
    held: tuple[tuple[str, float, float], ...] = ()


class Watermark:
    """The last moment that is certain, some seconds exact.

    Parameters
    ----------
    path : Path
        A JSON file with two entries: ``certain_until``, and ``held``, a list of label, start and end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = Mark(0.0)

    def read(self) -> Mark | None:
        """Return what an earlier run left; None if there was none, or nobody knows."""
        try:
            fields = json.loads(self._path.read_text(encoding="utf-8"))
            held = tuple((str(label), float(start), float(end)) for label, start, end in fields["held"])
            return Mark(float(fields["certain_until"]), held)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, mark: Mark, *, now: bool = False) -> None:
        """Note it, every few seconds or `now`; a disk that is full is told by others."""
        if mark == self._last or (not now and mark.certain_until - self._last.certain_until < _EVERY_S):
            return
        self._last = mark
        held = [[label, round(start, 3), round(end, 3)] for label, start, end in mark.held]
        try:
            with atomic_write(self._path) as file:
                file.write(json.dumps({"certain_until": round(mark.certain_until, 3), "held": held}) + "\n")
        except EarmarkError:
            pass
