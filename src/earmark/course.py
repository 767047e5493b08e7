"""From scores of classes of which one holds at a time to segments: the likeliest course, in bounded memory.

Of the scores, 0 to 1, a centred moving average is taken over what sounds.  Among all courses in which a class
lasts at least `min_duration`, and a stretch without a class between two segments at least `min_gap`, the one
is found that gains most: a cell of a class gains the class's average; but an average below the class's
`threshold` speaks for no class, so that a cell without a class gains the greatest of those.  A cell without
sound has no class, unless it lies in a gap too short to be one.  With thresholds of 0, this is the course
with the greatest expected number of cells that are right.

The search goes from edge to edge between cells.  An edge knows the best course up to there by its last
stretch and the edge where that began, so that what is kept are edges of courses which may still win::

    cells     | 0 | 1 | 2 | 3 | 4 | 5 |
    course     [ speech  )[  music      )       the edge after 5 knows `music` and the edge after 2,
                                                which knows `speech` and the edge before 0

Sums are made cell by cell, so that blocks of any size give the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError
from earmark.posteriors import Posteriors
from earmark.timeline import Segment

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# Scores are counted in steps of 2**-24, the steps float32 has between 0.5 and 1.
_SCALE = 2**24
# What a class loses in a cell without sound: enough to lose against none, not to lengthen a gap into sound.
_SILENT = 1e-6
_EPSILON_S = 1e-6


@dataclass(frozen=True)
class CourseOptions:
    """How the scores of one class become segments.

    Parameters
    ----------
    threshold : float
        What the averaged score must have, 0 to below 1; 0 leaves no sound without a class.
    min_duration : float
        A segment lasts at least this long, seconds, but for one as long as the recording; what sounds for
        less goes to what is around it, or is lengthened, whichever gains more.
    min_gap : float
        So does a stretch without a class between two segments; the same for all classes.
    smooth : float
        Length of the moving average over the scores, seconds; 0 for none.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    threshold: float = 0.0
    min_duration: float = 1.0
    min_gap: float = 1.0
    smooth: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ConfigError(f"threshold {self.threshold}: it must be 0 or more and below 1; try 0.5")
        for name in ("min_duration", "min_gap", "smooth"):
            value = getattr(self, name)
            if not 0 <= value <= 600:
                raise ConfigError(f"{name} {value}: it must be 0 to 600 seconds; try 1")


class CourseDecoder:
    """Decode scores that arrive in blocks of any size.

    Parameters
    ----------
    classes : sequence of str
        Columns of the scores.
    hop_s : float
        Length of a cell, seconds.
    options : mapping of str to CourseOptions
        Of each class.

    Raises
    ------
    ConfigError
        If `min_gap` is not the same for all.
    """

    def __init__(self, classes: Sequence[str], hop_s: float, options: Mapping[str, CourseOptions]) -> None:
        ordered = [options[name] for name in classes]
        gaps = sorted({each.min_gap for each in ordered})
        if len(gaps) > 1:
            raise ConfigError(
                f"min_gap {' and '.join(f'{gap:g}' for gap in gaps)}: a gap belongs to no class; "
                "give one value for all"
            )
        self._classes, self._hop_s = tuple(classes), hop_s
        # Of all classes, then of none.
        self._shortest = [_cells(each.min_duration, hop_s) for each in ordered] + [_cells(gaps[0], hop_s)]
        self._thresholds = np.array([each.threshold for each in ordered])
        # The odd number of cells closest to the wanted length.
        self._halves = [int(each.smooth / hop_s / 2 + 1e-6) for each in ordered]
        # Column i: of all cells before cell `_first + i`, the sum of each class's scores, and how many sound.
        self._sums = np.zeros((len(classes) + 1, 1), np.int64)
        self._first = 0
        self._decided = 0
        none = len(classes)
        self._start = _Edge(0, [0.0] * (none + 1), [0] * none, 0.0, none, None)
        self._edges = deque([self._start], maxlen=max(self._shortest) + 1)
        # Of each state: where its latest stretch began, and the best course's gain there less the state's.
        # What comes before the first segment may be as short as it is.
        self._began: list[_Edge] = [self._start] * (none + 1)
        self._bases = [-np.inf] * none + [0.0]

    def push(self, values: FloatArray, speech_to_music_db: FloatArray | None = None) -> list[Segment]:
        """Take the scores of more cells, float32, shape=(n, K); return the segments that are now certain.

        In a cell without sound all are 0.  Classifiers tell no levels.

        Raises
        ------
        AnnotationError
            If the shape or the range is not that of scores.
        """
        scores = Posteriors(values, speech_to_music_db, self._classes, self._hop_s).values
        steps = np.zeros((len(self._sums), 1 + len(scores)), np.int64)
        steps[:, 0] = self._sums[:, -1]
        steps[:-1, 1:] = np.rint(scores.T * _SCALE)
        steps[-1, 1:] = scores.any(axis=1)
        self._sums = np.concatenate([self._sums[:, :-1], np.cumsum(steps, axis=1)], axis=1)
        self._decide(max(self._decided, self._n_cells - max(self._halves)), at_end=False)
        root = self._common()
        found, self._start = self._segments(root, None), root
        root.since = None  # what lies before is given out
        return found

    def flush(self, duration: float | None = None) -> list[Segment]:
        """Return the remaining segments; the signal ends at `duration` seconds, or with its last cell."""
        self._decide(self._n_cells, at_end=True)
        none = len(self._classes)
        end = self._edges[-1]
        options = [(end.gain, end.state, end.since)]
        # What comes after the last segment may be as short as it is, and so may a segment without others.
        last = list(self._edges)[-self._shortest[none] : -1]
        options += [(edge.gain + end.gains[none] - edge.gains[none], none, edge) for edge in last]
        if self._start.frame == 0:
            states = [k for k in range(none) if self._shortest[k] > end.frame]
            options += [(end.gains[k], k, self._start) for k in states]
        gain, state, since = max(options, key=lambda option: option[0])
        return self._segments(replace(end, gain=gain, state=state, since=since), duration)

    @property
    def _n_cells(self) -> int:
        return self._first + self._sums.shape[1] - 1

    def _decide(self, ready: int, at_end: bool) -> None:
        """Go on to the edge before cell `ready`."""
        cells = np.arange(self._decided, ready)
        at = cells - self._first
        gains = np.zeros((len(cells), len(self._classes) + 1))
        for k, longest in enumerate(self._halves):
            half = np.minimum(longest, cells)
            if at_end:
                half = np.minimum(half, self._n_cells - 1 - cells)
            total, n = (self._sums[row, at + half + 1] - self._sums[row, at - half] for row in (k, -1))
            gains[:, k] = total / (np.maximum(n, 1) * _SCALE)
        low = gains[:, :-1] < self._thresholds
        gains[:, -1] = np.where(low, gains[:, :-1], 0).max(axis=1, initial=0)
        gains[:, :-1][low] = 0
        sounds = np.diff(self._sums[-1, self._decided - self._first : ready - self._first + 1]) > 0
        gains[~sounds] = [-_SILENT] * len(self._classes) + [0]
        sums = self._sums[:-1, at + 1].T.tolist()
        for row, own in zip(gains.tolist(), sums, strict=True):
            self._step(row, own)
        self._decided = ready
        kept = max(0, ready - max(self._halves)) - self._first
        self._sums = self._sums[:, kept:].copy()
        self._first += kept

    def _step(self, gained: list[float], sums: list[int]) -> None:
        """Go one cell on: what each state gains there, and the sums of scores behind it."""
        edges, bases = self._edges, self._bases
        n_edges = len(edges)
        frame = edges[-1].frame + 1
        gains = [before + new for before, new in zip(edges[-1].gains, gained, strict=True)]
        for k, shortest in enumerate(self._shortest):
            if shortest > n_edges:
                continue
            edge = edges[n_edges - shortest]
            # Where its own stretch is the best there, going on gains as much, but for rounding.
            if edge.state != k and (base := edge.gain - edge.gains[k]) > bases[k]:
                bases[k], self._began[k] = base, edge
        totals = [base + gain for base, gain in zip(bases, gains, strict=True)]
        best = max(totals)
        state = totals.index(best)
        edges.append(_Edge(frame, gains, sums, best, state, self._began[state]))

    def _common(self) -> _Edge:
        """Return the last edge that all courses which may still win go through."""
        edges = [*self._began, *(edge.since or edge for edge in self._edges)]
        frontier = {edge.frame: edge for edge in edges}
        while len(frontier) > 1:
            last = frontier.pop(max(frontier))
            assert last.since is not None
            frontier[last.since.frame] = last.since
        return next(iter(frontier.values()))

    def _segments(self, end: _Edge, duration: float | None) -> list[Segment]:
        """Return the segments of the best course up to an edge, from where they were last returned."""
        found = []
        while end.frame > self._start.frame:
            start, k = end.since, end.state
            assert start is not None
            if k < len(self._classes):
                score = (end.sums[k] - start.sums[k]) / ((end.frame - start.frame) * _SCALE)
                start_s, end_s = (round(edge.frame * self._hop_s, 9) for edge in (start, end))
                end_s = end_s if duration is None else min(end_s, duration)
                if start_s < end_s:
                    found.append(Segment(start_s, end_s, self._classes[k], min(1.0, score)))
            end = start
        return found[::-1]


@dataclass(eq=False, slots=True)
class _Edge:
    """A place between cells, and the best course up to there.

    Parameters
    ----------
    frame : int
        Cells before it.
    gains : list of float
        What each state has gained in these.
    sums : list of int
        Sums of the scores of each class in these.
    gain : float
        What the best course has gained.
    state : int
        Its last stretch's class, or the number of classes for none.
    since : _Edge or None
        Where that stretch begins; None where segments were last returned up to.
    """

    frame: int
    gains: list[float]
    sums: list[int]
    gain: float
    state: int
    since: _Edge | None


def _cells(seconds: float, hop_s: float) -> int:
    """Return the cells that last so long, at least one."""
    return max(1, int(np.ceil((seconds - _EPSILON_S) / hop_s)))
