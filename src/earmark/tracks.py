"""What one label does in a stream of frames: runs by hysteresis, joined over short gaps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.card import DecodeOptions

IntArray = npt.NDArray[np.int64]

# Posteriors and dB are counted in steps of 2**-24, the steps float32 has between 0.5 and 1.
SCALE = 2**24
# Frames are counted in seconds for min_gap and min_duration; a rounding error is no difference.
_EPSILON_S = 1e-6


class Edge(NamedTuple):
    """A place between frames: the sums are over all frames before it."""

    frame: int
    posterior: int
    ratio: int


@dataclass
class Span:
    """A segment without its values; open as long as its end may move."""

    start: Edge
    end: Edge | None = None  # of its last run; None while that goes on
    start_s: float = 0.0
    end_s: float = 0.0
    shared: int = 0  # frames shared with partners that are out, and the ratio's sum over them
    ratio: int = 0

    @property
    def order(self) -> tuple[int, int]:
        """First frame and the one behind the last, of a span that is closed."""
        assert self.end is not None
        return self.start.frame, self.end.frame


class Track:
    """What one label is doing: spans that are closed but not out, and at most one that is open."""

    def __init__(self, options: DecodeOptions, hop_s: float) -> None:
        # The odd number of frames closest to the wanted length.
        self.half = int(options.smooth / hop_s / 2 + 1e-6)
        self.closed: deque[Span] = deque()
        self._threshold = round(options.threshold * SCALE)
        self._release = round(options.release_at * SCALE)
        self._min_gap = options.min_gap
        self._min_duration = options.min_duration
        self._hop_s = hop_s
        self._active = False
        self._open: Span | None = None

    def edges(self, sums: IntArray, counts: IntArray, first: int) -> list[tuple[int, bool]]:
        """Apply hysteresis to sums over `counts` posteriors; return where runs start (True) or have ended."""
        above = sums >= self._threshold * counts
        told = above | (sums < self._release * counts)
        last_told = np.maximum.accumulate(np.where(told, np.arange(len(sums)), -1))
        active = np.where(last_told < 0, self._active, above[last_told])
        found = np.flatnonzero(np.diff(active, prepend=self._active))
        if len(active):
            self._active = bool(active[-1])
        return [(first + i, bool(active[i])) for i in found.tolist()]

    def turn(self, edge: Edge, starts: bool) -> None:
        """Let a run start or end at an edge."""
        if starts:
            self.wait(edge.frame)
            self._open = self._open or Span(edge)
        assert self._open is not None
        self._open.end = None if starts else edge

    def wait(self, frame: int) -> None:
        """Know that no run starts before a frame."""
        end = self._open.end if self._open is not None else None
        if end is not None and (frame - end.frame) * self._hop_s >= self._min_gap - _EPSILON_S:
            self._close(None)

    def finish(self, end: Edge, duration: float | None, goes_on: float = 0.0) -> None:
        """Know that the signal ends; a run that lasts until then counts as so many seconds longer."""
        if self._open is not None:
            more = goes_on if self._open.end is None else 0.0
            self._open.end = self._open.end or end
            self._close(duration, more)

    def frontier(self, decided: int) -> int:
        """Return the frame before which nothing can change."""
        return decided if self._open is None else self._open.start.frame

    def settled(self, decided: int) -> int:
        """Return the frame before which it is certain in which frames the label is heard."""
        if self._open is None:
            return decided
        end = decided if self._open.end is None else self._open.end.frame
        # One cell more, which the end of the signal may cut.
        n_frames = end - self._open.start.frame - 1
        return end if n_frames * self._hop_s >= self._min_duration else self._open.start.frame

    def spans(self) -> Iterator[Span]:
        """Yield the spans that are not out, in order."""
        yield from self.closed
        if self._open is not None:
            yield self._open

    def _close(self, duration: float | None, more: float = 0.0) -> None:
        span, self._open = self._open, None
        assert span is not None
        assert span.end is not None
        # Nine digits: frame numbers times 0.02 are not to show as 0.060000000000000005.
        span.start_s, end_s = (round(edge.frame * self._hop_s, 9) for edge in (span.start, span.end))
        span.end_s = end_s if duration is None else min(end_s, duration)
        seconds = span.end_s - span.start_s
        if seconds > 0 and seconds + more >= self._min_duration - _EPSILON_S:
            self.closed.append(span)
