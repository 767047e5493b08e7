"""Segment-based scores: reference and estimate compared in cells of 10 ms.

A segment fills the cells from ``floor(start / hop)`` to ``ceil(end / hop)``, as in the MIREX 2018 task
"Music and/or Speech Detection" (computed there with sed_eval [1]_).  The quotients are taken as floats
give them, as in sed_eval, so that every count is the same: 0.29 / 0.01 is a little less than 29, and a
segment from 0.29 s on begins in cell 28.

Cells are counted in runs, never one by one, so memory and time do not grow with the recording.

References
----------
.. [1] Mesaros, Heittola, Virtanen, "Metrics for polyphonic sound event detection",
       Applied Sciences 6(6), 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from earmark.errors import AnnotationError, ConfigError
from earmark.metrics.counts import Counts
from earmark.timeline import Timeline

STATES = ("neither", "speech", "music", "both")
HOP_S = 0.01

# Beyond, floats no longer tell one cell from the next.
_MOST_CELLS = 2**53


def label_counts(
    reference: Timeline,
    estimate: Timeline,
    label: str,
    *,
    estimate_label: str | None = None,
    duration: float | None = None,
    hop_s: float = HOP_S,
) -> Counts:
    """Count the cells of one label.

    Parameters
    ----------
    reference, estimate : Timeline
        The truth, and what is to be scored.
    label : str
        Label to compare.
    estimate_label : str, optional
        Label to look for in the estimate, by default the same; with "noise" and "speech", recall is the
        share of the noise during which speech is reported.
    duration : float, optional
        Seconds to compare; by default those of the longer timeline.
    hop_s : float
        Length of a cell, seconds.

    Raises
    ------
    ConfigError
        If `hop_s` is not positive.
    AnnotationError
        If the times are too large to be seconds.
    """
    n_cells = _n_cells(reference, estimate, duration, hop_s)
    tracks = (_cells(reference, label, hop_s), _cells(estimate, estimate_label or label, hop_s))
    tn, fn, fp, tp = _tally(tracks, n_cells)
    return Counts(tp, fp, fn, tn)


@dataclass(frozen=True, eq=False)
class Confusion:
    """Cells by what is there (rows) and what is reported (columns); tables of several files add up.

    Parameters
    ----------
    cells : int64, shape=(4, 4)
        In the order of `STATES`: neither, speech, music, both.
    """

    cells: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((4, 4), np.int64))

    @classmethod
    def of(
        cls,
        reference: Timeline,
        estimate: Timeline,
        *,
        duration: float | None = None,
        hop_s: float = HOP_S,
    ) -> Confusion:
        """Compare the labels "speech" and "music" of two timelines; parameters as of `label_counts`."""
        n_cells = _n_cells(reference, estimate, duration, hop_s)
        tracks = [_cells(t, label, hop_s) for t in (estimate, reference) for label in ("speech", "music")]
        return cls(np.array(_tally(tracks, n_cells), np.int64).reshape(4, 4))

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.cells + other.cells)

    @property
    def accuracy(self) -> float:
        """Share of cells whose state of the four is right; 0.0 if there is no cell."""
        return float(np.trace(self.cells) / max(1, self.cells.sum()))

    def counts(self, label: str) -> Counts:
        """Counts of "speech", "music" (each alone or with the other), or "both" at once.

        Raises
        ------
        ConfigError
            If the label is none of these.
        """
        on = {"speech": [1, 3], "music": [2, 3], "both": [3]}.get(label)
        if on is None:
            raise ConfigError(f"no counts of '{label}' in this table; ask for speech, music or both")
        off = [i for i in range(4) if i not in on]
        parts = ((on, on), (off, on), (on, off), (off, off))
        return Counts(*(int(self.cells[np.ix_(rows, columns)].sum()) for rows, columns in parts))

    def reported(self, *states: str) -> dict[str, float]:
        """Shares of time each state is reported, where the truth is one of `states` (by default anything).

        All are 0.0 if there is no such time.
        """
        rows = [STATES.index(s) for s in states] or list(range(4))
        columns = self.cells[rows].sum(axis=0)
        return dict(zip(STATES, (columns / max(1, columns.sum())).tolist(), strict=True))


def _n_cells(reference: Timeline, estimate: Timeline, duration: float | None, hop_s: float) -> int:
    if not 0 < hop_s < np.inf:
        raise ConfigError(f"cells of {hop_s} s: give a length above 0, usually 0.01")
    seconds = max(reference.duration, estimate.duration) if duration is None else duration
    if seconds / hop_s >= _MOST_CELLS:
        raise AnnotationError(f"a timeline of {seconds:g} s is too long to be compared; times are in seconds")
    return int(np.ceil(seconds / hop_s))


def _cells(timeline: Timeline, label: str, hop_s: float) -> npt.NDArray[np.float64]:
    """Return the ranges of cells the segments of a label touch: whole numbers, shape=(n, 2)."""
    times = np.array([(s.start, s.end) for s in timeline if s.label == label], np.float64).reshape(-1, 2)
    return np.stack([np.floor(times[:, 0] / hop_s), np.ceil(times[:, 1] / hop_s)], axis=1)


def _tally(tracks: Sequence[npt.NDArray[np.float64]], n_cells: int) -> list[int]:
    """Count the first `n_cells` by which tracks fill them; track k adds 2**k to the place in the list."""
    clipped = [np.minimum(track, n_cells) for track in tracks]
    edges = np.unique(np.concatenate([[0, n_cells], *(track.ravel() for track in clipped)]))
    codes = np.zeros(len(edges), np.intp)
    for k, track in enumerate(clipped):
        starts, ends = (np.bincount(np.searchsorted(edges, t), minlength=len(edges)) for t in track.T)
        codes += (np.cumsum(starts - ends) > 0).astype(np.intp) << k
    runs = np.bincount(codes[:-1], weights=np.diff(edges), minlength=2 ** len(tracks))
    return [int(cells) for cells in runs]
