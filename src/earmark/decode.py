"""From posteriors to segments: smoothing, hysteresis, filled gaps, minimum durations.

Every label is a track of its own.  Of a posterior, in this order,

1. a centred moving average is taken; at the ends it narrows, so that it stays centred;
2. a run starts where that reaches `threshold` and lasts until it falls below `release`;
3. runs closer together than `min_gap` are joined;
4. what is then shorter than `min_duration` is dropped.

Nothing but sums is kept of the frames once a run is found: a segment's confidence is a difference of two
running sums, and so is the speech-to-music ratio over the frames that two segments share::

    speech   ......[==========)........      sum of the ratio at each edge
    music    ............[==========)..
    shared   ............|====|........  =   sum at its end - sum at its start

The sums are of integers, hence exact, so that the segments do not depend on how the posteriors are cut.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.card import DecodeOptions
from earmark.errors import ConfigError
from earmark.posteriors import Posteriors
from earmark.timeline import Segment, Timeline

IntArray = npt.NDArray[np.int64]

# Posteriors and dB are counted in steps of 2**-24, the steps float32 has between 0.5 and 1.
_SCALE = 2**24
# Frames decoded at a time when all are given at once.
_BLOCK = 16_384
# Frames are counted in seconds for min_gap and min_duration; a rounding error is no difference.
_EPSILON_S = 1e-6
# The ratio is told for these two, over the frames both share.
_PARTNER = {"speech": "music", "music": "speech"}


def decode(posteriors: Posteriors, options: Mapping[str, DecodeOptions]) -> Timeline:
    """Turn posteriors into a timeline.

    Parameters
    ----------
    posteriors : Posteriors
        Of a whole recording.
    options : mapping of str to DecodeOptions
        How to decode each label, e.g. `ModelCard.decode`.

    Returns
    -------
    Timeline
        Its segments have a confidence, the mean posterior over the segment, and, for speech and music,
        the mean of `speech_to_music_db` over the part in which the other sounds too.

    Raises
    ------
    ConfigError
        If a label has no options.
    """
    decoder = StreamDecoder(posteriors.labels, posteriors.hop_s, options)
    ratio = posteriors.speech_to_music_db
    segments: list[Segment] = []
    for start in range(0, len(posteriors), _BLOCK):
        block = slice(start, start + _BLOCK)
        segments += decoder.push(posteriors.values[block], None if ratio is None else ratio[block])
    segments += decoder.flush(posteriors.duration)
    return Timeline(segments, posteriors.duration, posteriors.labels)


class StreamDecoder:
    """Decode posteriors that arrive in blocks of any size into the segments `decode` finds.

    Segments come out sorted by start, end and label.  One is held back until no earlier one can follow
    and the part it shares with its partner is known, so that music that goes on for an hour holds back
    the speech over it for that hour; what is held are segments, never frames.

    Parameters
    ----------
    labels : sequence of str
        Columns of the posteriors.
    hop_s : float
        Length of a frame's cell, seconds.
    options : mapping of str to DecodeOptions
        How to decode each label.

    Raises
    ------
    ConfigError
        If a label has no options.
    """

    def __init__(self, labels: Sequence[str], hop_s: float, options: Mapping[str, DecodeOptions]) -> None:
        missing = [label for label in labels if label not in options]
        if missing:
            raise ConfigError(
                f"no decoding options for {', '.join(missing)}; give them for {', '.join(labels)}"
            )
        self._hop_s = hop_s
        self._tracks = {label: _Track(options[label], hop_s) for label in labels}
        self._delay = max((track.half for track in self._tracks.values()), default=0)
        # Column i: the sums over all frames before frame `_first + i`, of each label's posterior and,
        # in the last row, of the ratio.
        self._sums = np.zeros((len(labels) + 1, 1), np.int64)
        self._first = 0
        self._decided = 0
        self._has_ratio = True
        self._waiting: list[tuple[int, int, str, _Span]] = []

    def push(
        self, values: npt.NDArray[np.float32], speech_to_music_db: npt.NDArray[np.float32] | None = None
    ) -> list[Segment]:
        """Take more frames; return the segments that are now certain.

        Parameters
        ----------
        values : float32, shape=(n_frames, n_labels)
            Posteriors, 0 to 1.
        speech_to_music_db : float32, shape=(n_frames,), or None
            dB; a block without it leaves all segments from then on without.

        Raises
        ------
        AnnotationError
            If the shapes or the range are not those of posteriors.
        """
        part = Posteriors(values, speech_to_music_db, tuple(self._tracks), self._hop_s)
        steps = np.zeros((len(self._sums), 1 + len(part)), np.int64)
        steps[:, 0] = self._sums[:, -1]
        steps[:-1, 1:] = np.rint(part.values.T * _SCALE)
        if part.speech_to_music_db is None:
            self._has_ratio = False
        else:
            steps[-1, 1:] = np.rint(part.speech_to_music_db * _SCALE)
        self._sums = np.concatenate([self._sums[:, :-1], np.cumsum(steps, axis=1)], axis=1)
        self._decide(max(self._decided, self._n_frames - self._delay), at_end=False)
        return self._certain()

    def flush(self, duration: float | None = None) -> list[Segment]:
        """Return the remaining segments; the signal ends at `duration` seconds, or with its last cell."""
        self._decide(self._n_frames, at_end=True)
        for row, (label, track) in enumerate(self._tracks.items()):
            self._collect(label, track.finish(self._edge(row, self._n_frames), duration))
        return self._certain()

    @property
    def _n_frames(self) -> int:
        return self._first + self._sums.shape[1] - 1

    def _edge(self, row: int, frame: int) -> _Edge:
        sums = self._sums[:, frame - self._first]
        return _Edge(frame, int(sums[row]), int(sums[-1]))

    def _decide(self, ready: int, at_end: bool) -> None:
        """Decide all frames before `ready`, and let the tracks have the edges found there."""
        frames = np.arange(self._decided, ready)
        for row, (label, track) in enumerate(self._tracks.items()):
            half = np.minimum(track.half, frames)
            if at_end:
                half = np.minimum(half, self._n_frames - 1 - frames)
            at = frames - self._first
            sums = self._sums[row]
            for frame, starts in track.edges(
                sums[at + half + 1] - sums[at - half], 2 * half + 1, self._decided
            ):
                self._collect(label, track.turn(self._edge(row, frame), starts))
            self._collect(label, track.wait(ready))
        self._decided = ready
        kept = max(0, ready - self._delay) - self._first
        self._sums = self._sums[:, kept:].copy()
        self._first += kept

    def _collect(self, label: str, span: _Span | None) -> None:
        if span is not None:
            self._tracks[label].recent.append(span)
            heapq.heappush(self._waiting, (span.start.frame, span.end.frame, label, span))

    def _certain(self) -> list[Segment]:
        """Return the waiting segments that nothing still to be found can precede or change."""
        frontier = min((track.frontier(self._decided) for track in self._tracks.values()), default=0)
        segments = []
        while self._waiting and self._waiting[0][0] < frontier:
            start, end, label, span = self._waiting[0]
            partner = self._tracks.get(_PARTNER.get(label, ""))
            if partner is not None and partner.frontier(self._decided) < end:
                break
            heapq.heappop(self._waiting)
            segments.append(self._segment(label, span, partner))
            for track in self._tracks.values():
                while track.recent and track.recent[0].end.frame <= start:
                    track.recent.popleft()
        return segments

    def _segment(self, label: str, span: _Span, partner: _Track | None) -> Segment:
        n_frames = span.end.frame - span.start.frame
        confidence = (span.end.posterior - span.start.posterior) / (n_frames * _SCALE)
        shared, total = 0, 0
        for other in partner.recent if partner is not None and self._has_ratio else ():
            # Edges compare by frame, and at one frame all have the same sum of the ratio.
            start, end = max(span.start, other.start), min(span.end, other.end)
            if start.frame < end.frame:
                shared += end.frame - start.frame
                total += end.ratio - start.ratio
        return Segment(
            span.start_s, span.end_s, label, confidence, total / (shared * _SCALE) if shared else None
        )


class _Edge(NamedTuple):
    """A place between frames: the sums are over all frames before it."""

    frame: int
    posterior: int
    ratio: int


@dataclass(frozen=True)
class _Span:
    """A segment without its values."""

    start: _Edge
    end: _Edge
    start_s: float
    end_s: float


class _Track:
    """What one label is doing: at most one span whose end is not certain yet."""

    def __init__(self, options: DecodeOptions, hop_s: float) -> None:
        # The odd number of frames closest to the wanted length.
        self.half = int(options.smooth / hop_s / 2 + 1e-6)
        self.recent: deque[_Span] = deque()  # certain spans that a partner's may still share frames with
        self._threshold = round(options.threshold * _SCALE)
        self._release = round(options.release_at * _SCALE)
        self._min_gap = options.min_gap
        self._min_duration = options.min_duration
        self._hop_s = hop_s
        self._active = False
        self._start: _Edge | None = None
        self._end: _Edge | None = None  # of the open span's last run; None while that goes on

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

    def turn(self, edge: _Edge, starts: bool) -> _Span | None:
        """Let a run start or end at an edge; return the span this closes."""
        if not starts:
            self._end = edge
            return None
        closed = self.wait(edge.frame)
        self._start, self._end = self._start or edge, None
        return closed

    def wait(self, frame: int) -> _Span | None:
        """Know that no run starts before a frame; return the span this closes."""
        if self._end is None or (frame - self._end.frame) * self._hop_s < self._min_gap - _EPSILON_S:
            return None
        return self._close(None)

    def finish(self, end: _Edge, duration: float | None) -> _Span | None:
        """Know that the signal ends; return the last span."""
        self._end = self._end or end
        return self._close(duration)

    def frontier(self, decided: int) -> int:
        """Return the frame before which nothing can change."""
        return decided if self._start is None else self._start.frame

    def _close(self, duration: float | None) -> _Span | None:
        start, end = self._start, self._end
        self._start = self._end = None
        if start is None or end is None:
            return None
        # Nine digits: frame numbers times 0.02 are not to show as 0.060000000000000005.
        start_s, end_s = round(start.frame * self._hop_s, 9), round(end.frame * self._hop_s, 9)
        end_s = end_s if duration is None else min(end_s, duration)
        long_enough = end_s - start_s >= self._min_duration - _EPSILON_S and end_s > start_s
        return _Span(start, end, start_s, end_s) if long_enough else None
