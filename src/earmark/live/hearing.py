"""What is heard, told within moments, and told again for certain when the network has its whole context.

A network sees seconds on both sides of a moment; nobody who listens waits so long.  So the posteriors of the
newest seconds are guesses, made as if the sound ended now, and made anew with every step::

    sound        ...===================================|  now
    posteriors   ....... whole context ......|. guessed .|
    told                                             ^ now - delay

Everything is decoded, the guesses too, and what that says of a moment a little while ago is told: a label
starts, or ends.  Each label has its own delay.  Segments of the posteriors with whole context follow; they
are those of `Detector.detect`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from earmark.card import DecodeOptions
from earmark.decode import StreamDecoder
from earmark.features import MelStream
from earmark.model import Model
from earmark.posteriors import Posteriors
from earmark.posteriorstream import PosteriorStream
from earmark.timeline import Segment

FloatArray = npt.NDArray[np.float32]

# How long after a moment it is told, at least.  On programmes of the recordings the detector was trained on,
# 95 % of the rows of speech and of music come within 1.5 s with this; with more, fewer of music do, and with
# less, more rows are taken back.
DELAY_S = 0.7
# Of a step from one telling to the next, and of a frame group within it.
STEP_S = 0.1
_GROUP = 5
# Frames looked at in one step at most, when there is more to be heard than a step.
_MOST_FRAMES = 500
# The decoder needs a moment more than its durations to be sure.
_MORE_S = 0.1
# What sounds now is taken to go on for so long, and what is silent to stay so: that much less is waited for
# to see `min_duration` and `min_gap` kept.  On the same programmes, noise is told sooner by that; with more,
# many more of its starts are withdrawn.
GOES_ON_S = 0.25


@dataclass(frozen=True)
class Told:
    """One thing that is told; times are seconds of sound heard.

    Parameters
    ----------
    event : str
        ``"start"``; ``"end"``, of what had started; ``"withdrawn"``, of a start that turned out to be none;
        ``"segment"``, for certain.
    label : str
    start : float
    end : float or None
        None with a start.
    confidence, speech_to_music_db : float or None
        As of a `Segment`.
    """

    event: str
    label: str
    start: float
    end: float | None = None
    confidence: float | None = None
    speech_to_music_db: float | None = None


def delays_of(options: Mapping[str, DecodeOptions]) -> dict[str, float]:
    """Return how long after a moment each label can be told: `DELAY_S`, or longer if its options need it."""
    needed = {
        label: o.smooth / 2 + max(o.min_duration - GOES_ON_S, o.min_gap - GOES_ON_S, 0.0) + _MORE_S
        for label, o in options.items()
    }
    return {label: max(DELAY_S, round(seconds, 3)) for label, seconds in needed.items()}


class Hearing:
    """Listens with a model.

    Parameters
    ----------
    model : Model
        The network.
    options : mapping of str to DecodeOptions
        How each label is decoded.

    Attributes
    ----------
    delays : dict of str to float
        How long after a moment each label is told, seconds, by `delays_of`.
    """

    def __init__(self, model: Model, options: Mapping[str, DecodeOptions]) -> None:
        self._model = model
        self._options = options
        self.delays = delays_of(options)
        self._step = max(1, round(STEP_S / model.hop_s))
        self._n_samples = 0  # up to the last gap
        self._n_new = 0  # samples since then, and frames of them that were looked at
        self._n_seen = 0
        self._frames: FloatArray = np.empty((0, 0), np.float32)  # that wait for a step
        self._recent: list[Segment] = []  # certain, but their ends are not told yet
        self._begin()

    @property
    def heard(self) -> float:
        """Seconds of sound taken so far."""
        return (self._n_samples + self._n_new) / self._model.sample_rate

    @property
    def known(self) -> tuple[float, list[Segment]]:
        """Up to when it is certain what was heard, in seconds, and what sounds there and is not told yet."""
        before = self._n_samples / self._model.sample_rate
        until, held = self._decoder.known()
        return before + until, [replace(s, start=before + s.start, end=before + s.end) for s in held]

    @property
    def sounding(self) -> tuple[str, ...]:
        """Labels that have started, by what was told."""
        return tuple(label for label, lane in self._lanes.items() if lane.since is not None)

    def push(self, samples: FloatArray) -> list[Told]:
        """Take more sound at the model's rate, float32, shape=(n,); return what there is to tell."""
        self._n_new += len(samples)
        self._frames = np.concatenate([self._frames, self._mel.push(samples)], axis=1)
        told: list[Told] = []
        while self._frames.shape[1] >= self._step:
            n_frames = min(_MOST_FRAMES, self._frames.shape[1])
            frames, self._frames = self._frames[:, :n_frames], self._frames[:, n_frames:]
            decided, guessed = self._posteriors.look(frames)
            self._n_seen += n_frames
            certain = self._decoded(decided)
            view = self._decoder.fork()
            guesses = [*_pushed(view, guessed), *view.flush(goes_on=GOES_ON_S)]
            told += self._tell(certain, guesses, self._n_seen * self._model.hop_s)
        return told

    def close(self) -> list[Told]:
        """Take the sound heard so far for all there is; return what is left to tell.  What follows is new."""
        seconds = self._n_new / self._model.sample_rate
        frames = np.concatenate([self._frames, self._mel.flush()], axis=1)
        certain = self._decoded(self._posteriors.push(frames))
        certain += self._decoded(self._posteriors.flush(seconds))
        certain += self._decoder.flush(seconds)
        told = self._tell(certain, (), seconds, at_end=True)
        self._n_samples += self._n_new
        self._begin()
        return told

    def _begin(self) -> None:
        model = self._model
        self._mel = MelStream(model.card.front_end, group=_GROUP)
        self._posteriors = PosteriorStream(model)
        self._decoder = StreamDecoder(model.labels, model.hop_s, self._options, prompt=True)
        self._frames = np.empty((model.card.front_end.n_mels, 0), np.float32)
        self._n_new = self._n_seen = 0
        self._recent = []
        self._lanes = {label: _Lane(label) for label in model.labels}

    def _decoded(self, part: Posteriors) -> list[Segment]:
        return _pushed(self._decoder, part)

    def _tell(
        self, certain: Sequence[Segment], guesses: Sequence[Segment], seen: float, at_end: bool = False
    ) -> list[Told]:
        known = [*self._recent, *certain, *guesses]
        upto = {label: seen if at_end else max(0.0, seen - delay) for label, delay in self.delays.items()}
        self._recent = [s for s in (*self._recent, *certain) if s.end >= upto[s.label]]
        told = [
            each
            for label, lane in self._lanes.items()
            for each in lane.turn([s for s in known if s.label == label], upto[label], at_end)
        ]
        told.sort(key=lambda each: each.start if each.end is None else each.end)
        told += [
            Told("segment", s.label, s.start, s.end, s.confidence, s.speech_to_music_db) for s in certain
        ]
        before = self._n_samples / self._model.sample_rate
        if not before:
            return told
        return [
            replace(
                each,
                start=round(each.start + before, 9),
                end=None if each.end is None else round(each.end + before, 9),
            )
            for each in told
        ]


class _Lane:
    """What was told of one label; times are seconds since the last gap."""

    def __init__(self, label: str) -> None:
        self.since: float | None = None
        self._label = label
        self._upto = 0.0  # what was told
        self._free = 0.0  # where the last one ended

    def turn(self, segments: list[Segment], upto: float, at_end: bool) -> list[Told]:
        """Go on up to a moment, by the segments that are now thought to be there."""
        now, self._upto = self._upto, max(self._upto, upto)
        found: list[Told] = []
        rest = sorted(s for s in segments if s.start < upto)
        if self.since is not None:
            mine = [s for s in rest if s.start <= now and s.end > self.since]
            if not mine:
                found.append(Told("withdrawn", self._label, self.since, max(now, self.since)))
                self.since, self._free = None, now
            elif mine[-1].end < upto or at_end:
                found.append(self._end(mine[-1]))
            rest = [s for s in rest if not mine or s.start >= mine[-1].end]
        for segment in rest:
            if segment.end > max(now, self._free):
                self.since = max(segment.start, self._free)
                found.append(Told("start", self._label, self.since))
                if segment.end < upto or at_end:
                    found.append(self._end(segment))
        return found

    def _end(self, segment: Segment) -> Told:
        assert self.since is not None
        told = Told(
            "end", self._label, self.since, segment.end, segment.confidence, segment.speech_to_music_db
        )
        self.since, self._free = None, segment.end
        return told


def _pushed(decoder: StreamDecoder, part: Posteriors) -> list[Segment]:
    return decoder.push(part.values, part.speech_to_music_db)
