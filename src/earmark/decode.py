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

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from earmark.card import DecodeOptions
from earmark.errors import ConfigError
from earmark.posteriors import Posteriors
from earmark.timeline import Segment, Timeline
from earmark.tracks import SCALE, Edge, Span, Track

# Frames decoded at a time when all are given at once.
_BLOCK = 16_384
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
    prompt : bool
        Let a segment out as soon as it is certain itself, even if an earlier one goes on: nothing is held
        back for longer than the longest of `min_duration` and `min_gap`.

    Raises
    ------
    ConfigError
        If a label has no options.
    """

    def __init__(
        self,
        labels: Sequence[str],
        hop_s: float,
        options: Mapping[str, DecodeOptions],
        *,
        prompt: bool = False,
    ) -> None:
        missing = [label for label in labels if label not in options]
        if missing:
            raise ConfigError(
                f"no decoding options for {', '.join(missing)}; give them for {', '.join(labels)}"
            )
        self._hop_s = hop_s
        self._prompt = prompt
        self._tracks = {label: Track(options[label], hop_s) for label in labels}
        self._delay = max((track.half for track in self._tracks.values()), default=0)
        # Column i: the sums over all frames before frame `_first + i`, of each label's posterior and,
        # in the last row, of the ratio.
        self._sums = np.zeros((len(labels) + 1, 1), np.int64)
        self._first = 0
        self._decided = 0
        self._has_ratio = True

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
        steps[:-1, 1:] = np.rint(part.values.T * SCALE)
        if part.speech_to_music_db is None:
            self._has_ratio = False
        else:
            steps[-1, 1:] = np.rint(part.speech_to_music_db * SCALE)
        self._sums = np.concatenate([self._sums[:, :-1], np.cumsum(steps, axis=1)], axis=1)
        self._decide(max(self._decided, self._n_frames - self._delay), at_end=False)
        return self._certain()

    def flush(self, duration: float | None = None, *, goes_on: float = 0.0) -> list[Segment]:
        """Return the remaining segments.

        Parameters
        ----------
        duration : float, optional
            The signal ends there, seconds; by default with its last cell.
        goes_on : float
            It was cut there and goes on: what sounds at its end is dropped only if it would be shorter than
            `min_duration` with so many seconds more.
        """
        self._decide(self._n_frames, at_end=True)
        for row, track in enumerate(self._tracks.values()):
            track.finish(self._edge(row, self._n_frames), duration, goes_on)
        return self._certain()

    def fork(self) -> StreamDecoder:
        """Return a decoder that has taken the same frames, to see what guesses at the next ones give."""
        return copy.deepcopy(self)

    def known(self) -> tuple[float, list[Segment]]:
        """Return up to when it is certain what sounds, seconds, and the segments that sound and are not out.

        These are cut there, and have no values.
        """
        until = min((track.settled(self._decided) for track in self._tracks.values()), default=0)
        held = [
            Segment(
                round(span.start.frame * self._hop_s, 9),
                round(min(until, span.end.frame if span.end else until) * self._hop_s, 9),
                label,
            )
            for label, track in self._tracks.items()
            for span in track.spans()
            if span.start.frame < until
        ]
        return round(until * self._hop_s, 9), held

    @property
    def _n_frames(self) -> int:
        return self._first + self._sums.shape[1] - 1

    def _edge(self, row: int, frame: int) -> Edge:
        sums = self._sums[:, frame - self._first]
        return Edge(frame, int(sums[row]), int(sums[-1]))

    def _decide(self, ready: int, at_end: bool) -> None:
        """Decide all frames before `ready`, and let the tracks have the edges found there."""
        frames = np.arange(self._decided, ready)
        for row, track in enumerate(self._tracks.values()):
            half = np.minimum(track.half, frames)
            if at_end:
                half = np.minimum(half, self._n_frames - 1 - frames)
            at = frames - self._first
            sums = self._sums[row]
            for frame, starts in track.edges(
                sums[at + half + 1] - sums[at - half], 2 * half + 1, self._decided
            ):
                track.turn(self._edge(row, frame), starts)
            track.wait(ready)
        self._decided = ready
        kept = max(0, ready - self._delay) - self._first
        self._sums = self._sums[:, kept:].copy()
        self._first += kept

    def _certain(self) -> list[Segment]:
        """Return the closed spans that nothing still to be found can precede (unless prompt) or change."""
        found: list[tuple[Span, str]] = []
        frontier = min((track.frontier(self._decided) for track in self._tracks.values()), default=0)
        while True:
            ready = [
                (track.closed[0].order, label)
                for label, track in self._tracks.items()
                if track.closed and self._is_certain(label, track.closed[0], frontier)
            ]
            if not ready:
                break
            _, label = min(ready)
            span = self._tracks[label].closed.popleft()
            self._share(label, span)
            found.append((span, label))
        found.sort(key=lambda each: (each[0].order, each[1]))
        return [self._segment(label, span) for span, label in found]

    def _is_certain(self, label: str, span: Span, frontier: int) -> bool:
        assert span.end is not None
        partner = self._tracks.get(_PARTNER.get(label, ""))
        shared = partner is None or partner.settled(self._decided) >= span.end.frame
        return shared and (self._prompt or self._is_next(label, span, frontier))

    def _is_next(self, label: str, span: Span, frontier: int) -> bool:
        firsts = [(track.closed[0].order, name) for name, track in self._tracks.items() if track.closed]
        return span.start.frame < frontier and (span.order, label) == min(firsts)

    def _share(self, label: str, span: Span) -> None:
        """Count the frames a span shares with its partner's that are not out yet, for both."""
        partner = self._tracks.get(_PARTNER.get(label, ""))
        for other in partner.spans() if partner is not None else ():
            # Edges compare by frame, and at one frame all have the same sum of the ratio.
            start, end = max(span.start, other.start), span.end
            assert end is not None
            if other.end is not None:
                end = min(end, other.end)
            if other.start.frame >= end.frame:
                break
            for each in (span, other) if start.frame < end.frame else ():
                each.shared += end.frame - start.frame
                each.ratio += end.ratio - start.ratio

    def _segment(self, label: str, span: Span) -> Segment:
        assert span.end is not None
        n_frames = span.end.frame - span.start.frame
        confidence = (span.end.posterior - span.start.posterior) / (n_frames * SCALE)
        ratio = span.ratio / (span.shared * SCALE) if span.shared and self._has_ratio else None
        return Segment(span.start_s, span.end_s, label, confidence, ratio)
