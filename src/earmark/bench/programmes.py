"""Programmes to score a detector on: radio-like ones, and such as hold one class only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from earmark.activity import Activity, activity
from earmark.audio import read_audio
from earmark.programme import Event, Programme
from earmark.render import labels, render
from earmark.sources import Source
from earmark.timeline import Timeline

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000

_PROGRAMME_S = 600.0
# Level of the recordings of one class, dBFS; lengths of the pieces taken of them, and of the pauses between.
_LEVEL_DB, _LEVEL_SPREAD_DB = -23.0, 4.0
_PIECE_S, _PAUSE_S = (5.0, 20.0), (0.3, 2.0)
# Level of the voice over its accompaniment, dB, and length of a piece of it, seconds; drawn evenly.
_VOICE_OVER_DB = (-3.0, 9.0)
_ACCOMPANIMENT_S = (20.0, 60.0)
# Decoded sources kept; a long one is some 10 MB.
_CACHED = 48


class Studio:
    """Makes programmes: keeps the sources' samples at hand, and where they sound.

    Parameters
    ----------
    sources : sequence of Source
        What programmes are made from.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self._activities: dict[int, Activity] = {}
        self._load = lru_cache(_CACHED)(lambda path: read_audio(path, sample_rate=SAMPLE_RATE)[0])

    def make(self, programme: Programme) -> tuple[FloatArray, Timeline]:
        """Return the signal of a plan, float32, shape=(n_samples,), and its reference."""
        for i in {event.source for event in programme.events} - self._activities.keys():
            self._activities[i] = activity(self._load(self.sources[i].path), self.sources[i].content)
        samples = render(
            programme,
            self.sources,
            lambda source: self._load(source.path),
            sample_rate=SAMPLE_RATE,
            activities=self._activities,
        )
        return samples, labels(programme, self.sources, self._activities)


@dataclass(frozen=True)
class Part:
    """Programmes of one class, and what is asked of their time.

    Parameters
    ----------
    content : str
        Content of its sources.
    sung : bool
        Whether they are sung.
    label : str
        What it is by the reference.
    asked : tuple of str
        Labels whose report is measured while that sounds; "either" is speech or music.
    accompanied : bool
        Whether music without singing sounds under all of it.
    """

    content: str
    sung: bool
    label: str
    asked: tuple[str, ...]
    accompanied: bool = False

    def wanted(self, source: Source) -> bool:
        """Return whether a source belongs to the part."""
        return source.content == self.content and source.sung == self.sung

    def possible(self, sources: Sequence[Source]) -> bool:
        """Return whether it can be made from these sources."""
        backing = not self.accompanied or any(map(_is_accompaniment, sources))
        return backing and any(map(self.wanted, sources))


PARTS: Mapping[str, Part] = {
    "singing": Part("music", True, "music", ("speech", "music")),
    "singing, accompanied": Part("music", True, "music", ("speech", "music"), accompanied=True),
    "noise": Part("noise", False, "noise", ("speech", "music", "either")),
    "plain speech": Part("speech", False, "speech", ("speech", "music")),
}


def plan_part(
    sources: Sequence[Source], part: Part, lengths: Sequence[float], rng: np.random.Generator
) -> Iterator[Programme]:
    """Draw programmes of one part: its recordings in turn, each once before any comes again.

    Parameters
    ----------
    sources : sequence of Source
        What may sound; events refer to it by index.
    part : Part
        Which of them are wanted.
    lengths : sequence of float
        Of the programmes, seconds.
    rng : numpy.random.Generator
        Source of every random choice.
    """
    turns = _turns([i for i, source in enumerate(sources) if part.wanted(source)], rng)
    for length in lengths:
        events, at = [], float(rng.uniform(*_PAUSE_S))
        while at < length:
            i = next(turns)
            piece = min(float(rng.uniform(*_PIECE_S)), sources[i].seconds)
            offset = float(rng.uniform(0, sources[i].seconds - piece))
            level = _LEVEL_DB + float(rng.normal(0, _LEVEL_SPREAD_DB))
            events.append(Event(i, at, min(piece, length - at), offset, (0.0,), (level,)))
            at += piece + float(rng.uniform(*_PAUSE_S))
        if part.accompanied:
            events += _accompaniment(sources, length, rng)
        yield Programme(length, tuple(sorted(events, key=lambda e: (e.start, e.source))))


def _turns(chosen: Sequence[int], rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from map(int, rng.permutation(chosen))


def _accompaniment(sources: Sequence[Source], duration: float, rng: np.random.Generator) -> Iterator[Event]:
    """Draw one piece of music after the other, each some dB under the voice."""
    chosen = [i for i, source in enumerate(sources) if _is_accompaniment(source)]
    at = 0.0
    while at < duration:
        i = int(rng.choice(chosen))
        length = min(float(rng.uniform(*_ACCOMPANIMENT_S)), sources[i].seconds, duration - at)
        offset = float(rng.uniform(0, sources[i].seconds - length))
        level = _LEVEL_DB - float(rng.uniform(*_VOICE_OVER_DB))
        yield Event(i, at, length, offset, (0.0,), (level,))
        at += length


def _is_accompaniment(source: Source) -> bool:
    return source.content == "music" and not source.sung


def programme_lengths(seconds: float) -> list[float]:
    """Cut a length into programmes of one length, at most ten minutes each."""
    n = int(np.ceil(seconds / _PROGRAMME_S))
    return [seconds / n] * n
