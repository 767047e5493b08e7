"""Rows that are read at any zoom: a file for each level, each row of which sums up several of the one below.

Levels are written in one go from rows that come part by part, in memory that does not grow, and can be read
while they do.  Reading needs neither numpy nor a map of the file: only the bytes asked for are touched::

    level 0   | a | b | c | d | e | f | g | h | i |
    level 1   |  abcd         |  efgh         | i
    level 2   |  abcdefghi
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.generic]
    # Sums up groups of rows, shape=(n_groups, n_rows, width), as (n_groups, width).
    Fold = Callable[[Rows], Rows]

_FACTS = "levels.json"


class LevelWriter:
    """Writes levels into a folder of their own; use it in a ``with``, and `close` when all rows are there.

    Parameters
    ----------
    folder : Path
        New.
    row_s : float
        Seconds that a row of level 0 lasts.
    factor : int
        Rows that one of the next level sums up.
    n_levels : int
    fold : callable
        How it does.
    facts : mapping, optional
        Kept with the levels, fit for JSON.
    """

    def __init__(
        self,
        folder: Path,
        row_s: float,
        factor: int,
        n_levels: int,
        fold: Fold,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        folder.mkdir(parents=True)
        self._folder, self._factor, self._fold = folder, factor, fold
        self._resources = ExitStack()
        self._files = [
            self._resources.enter_context((folder / str(level)).open("xb")) for level in range(n_levels)
        ]
        self._pending: list[Rows | None] = [None] * n_levels
        self._facts = {"row_s": row_s, "factor": factor, **(facts or {})}

    def __enter__(self) -> LevelWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def add(self, rows: Rows) -> None:
        """Take the rows that follow, shape=(n, width)."""
        if self._pending[0] is None:
            self._begin(rows)
        for level, file in enumerate(self._files):
            file.write(rows.tobytes())
            file.flush()  # for those who look on
            if level + 1 < len(self._files):
                rows = self._folded(level, rows)
            if not len(rows):
                return

    def close(self, facts: Mapping[str, Any] | None = None) -> None:
        """Sum up what is left; `facts` are kept, too."""
        carried: Rows | None = None
        for level, file in enumerate(self._files[1:]):
            pending = self._pending[level]
            if pending is None:
                continue
            if carried is not None:
                import numpy as np

                pending = np.concatenate([pending, carried])
            carried = self._fold(pending[None]) if len(pending) else None
            if carried is not None:
                file.write(carried.tobytes())
                file.flush()
        self._note({**(facts or {}), "done": True})

    def _begin(self, rows: Rows) -> None:
        self._pending = [rows[:0]] * len(self._files)
        self._note({"row_bytes": rows[:1].nbytes or rows.dtype.itemsize * rows.shape[1]})

    def _folded(self, level: int, rows: Rows) -> Rows:
        import numpy as np

        pending = np.concatenate([self._pending[level], rows])
        whole = len(pending) // self._factor * self._factor
        self._pending[level] = pending[whole:]
        return self._fold(pending[:whole].reshape(-1, self._factor, *pending.shape[1:]))

    def _note(self, facts: Mapping[str, Any]) -> None:
        self._facts |= facts
        unfinished = self._folder / f"{_FACTS}.tmp"
        unfinished.write_text(json.dumps(self._facts), encoding="utf-8")
        os.replace(unfinished, self._folder / _FACTS)


@dataclass(frozen=True)
class Piece:
    """Rows of a level.

    Parameters
    ----------
    data : bytes
    start, end : float
        Seconds.
    n_rows : int
    """

    data: bytes
    start: float
    end: float
    n_rows: int


class Levels:
    """Levels that were written, or are being written.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If there are none yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        self._row_bytes = int(self.facts["row_bytes"])

    @property
    def done(self) -> bool:
        """Whether all rows are there."""
        return bool(self.facts.get("done"))

    @property
    def seconds(self) -> float:
        """How far the rows reach."""
        return self.count(0) * self.row_s(0)

    def row_s(self, level: int) -> float:
        """Return the seconds that a row lasts."""
        return float(self.facts["row_s"]) * int(self.facts["factor"]) ** level

    def count(self, level: int) -> int:
        """Return how many rows a level has; 0 if there is no such level."""
        try:
            return (self.folder / str(level)).stat().st_size // self._row_bytes
        except FileNotFoundError:
            return 0

    def read(self, level: int, first: int, last: int) -> bytes:
        """Return the rows from `first` on, and before `last`, as far as there are any."""
        first, last = max(0, first), min(last, self.count(level))
        if first >= last:
            return b""
        with (self.folder / str(level)).open("rb", buffering=0) as file:
            file.seek(first * self._row_bytes)
            return file.read((last - first) * self._row_bytes)

    def span(self, start: float, end: float, n_rows: int) -> Piece:
        """Return the rows that touch ``[start, end)`` seconds, of the coarsest level that has `n_rows` there.

        Where no level is fine enough, those of the finest.
        """
        wanted = (end - start) / max(1, n_rows)
        level = 0
        while self.row_s(level + 1) <= wanted and self.count(level + 1):
            level += 1
        row_s = self.row_s(level)
        first = max(0, int(start / row_s + 1e-6))
        data = self.read(level, first, math.ceil(end / row_s - 1e-6))
        n_found = len(data) // self._row_bytes
        return Piece(data, first * row_s, (first + n_found) * row_s, n_found)
