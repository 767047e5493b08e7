"""Segment-based scores: reference and estimate compared in cells of 10 ms.

A segment fills the cells from ``floor(start / hop)`` to ``ceil(end / hop)``, as in the MIREX 2018 task
"Music and/or Speech Detection" (computed there with sed_eval [1]_).  Unlike sed_eval, a time that lies
on the grid but for the last bits of its float does not fill one cell more.

References
----------
.. [1] Mesaros, Heittola, Virtanen, "Metrics for polyphonic sound event detection",
       Applied Sciences 6(6), 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError
from earmark.metrics.counts import Counts
from earmark.timeline import Timeline

STATES = ("neither", "speech", "music", "both")

_HOP_S = 0.01
# In cells: far above the error of a float, far below any time that is meant.
_SLACK = 1e-5


def label_counts(
    reference: Timeline,
    estimate: Timeline,
    label: str,
    *,
    estimate_label: str | None = None,
    duration: float | None = None,
    hop_s: float = _HOP_S,
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
        Seconds to compare; by default the longer of both timelines.
    hop_s : float
        Length of a cell, seconds.

    Raises
    ------
    ConfigError
        If `hop_s` is not positive.
    """
    n_cells = _n_cells(reference, estimate, duration, hop_s)
    a = rasterise(reference, label, n_cells, hop_s)
    b = rasterise(estimate, estimate_label or label, n_cells, hop_s)
    tp, in_reference, in_estimate = (int(np.count_nonzero(x)) for x in (a & b, a, b))
    fp, fn = in_estimate - tp, in_reference - tp
    return Counts(tp, fp, fn, n_cells - tp - fp - fn)


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
        hop_s: float = _HOP_S,
    ) -> Confusion:
        """Compare the labels "speech" and "music" of two timelines; parameters as of `label_counts`."""
        n_cells = _n_cells(reference, estimate, duration, hop_s)
        a, b = (
            rasterise(t, "speech", n_cells, hop_s).astype(np.uint8)
            + 2 * rasterise(t, "music", n_cells, hop_s).astype(np.uint8)
            for t in (reference, estimate)
        )
        return cls(np.bincount(4 * a + b, minlength=16).reshape(4, 4).astype(np.int64))

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


def rasterise(timeline: Timeline, label: str, n_cells: int, hop_s: float = _HOP_S) -> npt.NDArray[np.bool_]:
    """Fill the cells a label touches, bool, shape=(n_cells,)."""
    cells = np.zeros(n_cells, dtype=bool)
    for segment in timeline:
        if segment.label == label:
            first = int(np.floor(segment.start / hop_s + _SLACK))
            cells[first : int(np.ceil(segment.end / hop_s - _SLACK))] = True
    return cells


def _n_cells(reference: Timeline, estimate: Timeline, duration: float | None, hop_s: float) -> int:
    if not hop_s > 0:
        raise ConfigError(f"cells of {hop_s} s: give a length above 0, usually 0.01")
    seconds = max(reference.duration, estimate.duration) if duration is None else duration
    return int(np.ceil(seconds / hop_s - _SLACK))
