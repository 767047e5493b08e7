"""What the players of a made tune agree on, tempo, bars, scale and chords, and the parts they play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.train.synth.parts import Array, Rng, between, chance, curve, normal, place
from earmark.train.tunes.drums import Drum
from earmark.train.tunes.instruments import Note

# Semitones above the tonic.
_SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 9, 10),
    (0, 1, 3, 5, 7, 8, 10),
    (0, 1, 4, 5, 7, 8, 11),
    (0, 2, 4, 6, 7, 9, 11),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 7, 10),
    (0, 3, 5, 6, 7, 10),
    (0, 1, 4, 5, 7, 8, 10),
)
_FORM = (0, 0, 1, 0, 0, 0, 2, 1)


@dataclass(frozen=True)
class Piece:
    """The common ground of a tune.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every choice.
    sr, n : int
        Hz; samples.
    step : float
        Length of a sixteenth, seconds.
    steps : int
        Sixteenths of a bar.
    swing : float
        Part of a step by which every second one comes late.
    loose : float
        Spread of the players' timing, seconds.
    tonic : float
        Hz.
    scale : tuple of int
        Semitones.
    chords : tuple of int
        Degree of the scale that each bar of the progression stands on.
    """

    rng: Rng
    sr: int
    n: int
    step: float
    steps: int
    swing: float
    loose: float
    tonic: float
    scale: tuple[int, ...]
    chords: tuple[int, ...]

    @property
    def bars(self) -> int:
        """Bars that have begun before the end."""
        return int(np.ceil(self.n / self.sr / (self.step * self.steps)))

    def hz(self, degree: int, octave: int = 0) -> float:
        """Return the pitch of a degree of the scale, counted from 0; the eighth is an octave up."""
        up, at = divmod(degree, len(self.scale))
        return self.tonic * 2.0 ** (octave + up + self.scale[at] / 12)

    def time(self, bar: int, step: float) -> float:
        """Return when a step of a bar is played, seconds; never before the start."""
        late = self.swing * self.step if round(step) % 2 else 0.0
        exact = (bar * self.steps + step) * self.step + late
        return max(0.0, exact + float(self.rng.normal(0, self.loose)))


def draw_piece(rng: Rng, n: int, sr: int, bpm: tuple[float, float]) -> Piece:
    """Draw tempo, metre, key and chords."""
    scale = _SCALES[int(rng.integers(len(_SCALES)))]
    return Piece(
        rng,
        sr,
        n,
        step=15 / between(rng, *bpm),
        steps=int(rng.choice([16, 12, 14, 20, 8], p=[0.7, 0.14, 0.06, 0.03, 0.07])),
        swing=float(rng.choice([0.0, rng.uniform(0.05, 0.35)], p=[0.7, 0.3])),
        loose=between(rng, 0.0005, 0.015),
        tonic=between(rng, 49, 98),
        scale=scale,
        chords=tuple(rng.integers(0, len(scale), int(rng.choice([1, 2, 4, 8]))).tolist()),
    )


def beaten(piece: Piece, pattern: Sequence[tuple[Drum, list[int]]], busy: float) -> Array:
    """Play a percussion pattern bar by bar, with accents, ghost strokes, fills and rests.

    `busy` from 0 to 1 says how often strokes are added; as often, others are left out.
    """
    rng, events = piece.rng, []
    hits = [
        (drum(rng, piece.sr), steps, 10 ** (rng.normal(0, 4) / 20), rng.uniform(0.4, 1, piece.steps))
        for drum, steps in pattern
    ]
    for bar in range(piece.bars):
        fill = bar % 4 == 3 and chance(rng, 0.5)
        for hit, steps, level, accents in hits:
            chosen = [s for s in steps if not chance(rng, 0.25 * busy)]
            if chance(rng, busy):
                chosen.append(int(rng.integers(piece.steps)))
            if fill and chance(rng, 0.5):
                chosen += range(piece.steps * 3 // 4, piece.steps)
            for step in chosen:
                strength = accents[step % piece.steps] * rng.uniform(0.8, 1)
                events.append((piece.time(bar, step), level * hit(strength)))
    return _balanced(place(piece.n, piece.sr, events))


def chorded(piece: Piece, note: Note, octave: int, figure: str, *, power: bool = False) -> Array:
    """Play the chords: ``"held"``, ``"strummed"``, ``"chugged"`` or ``"broken"``.

    With `power`, root, fifth and octave instead of thirds.
    """
    rng, events = piece.rng, []
    rhythm = np.flatnonzero(rng.random(piece.steps) < between(rng, 0.15, 0.9)).tolist() or [0]
    order = rng.permutation(6).tolist()
    for bar in range(piece.bars):
        root = piece.chords[bar % len(piece.chords)]
        if power:
            hz = piece.hz(root, octave)
            voices = [hz, hz * 1.4983, 2 * hz]
        else:
            degrees = (root, root + 2, root + 4, *((root + 6,) if len(piece.chords) > 4 else ()))
            voices = [piece.hz(d, octave + (i > 1 and bool(d % 2))) for i, d in enumerate(degrees)]
        if figure == "held":
            strokes = [(0.0, piece.steps)]
        elif figure == "broken":
            strokes = [(float(s), 3) for s in range(0, piece.steps, 2)]
        else:
            strokes = [(float(s), 4 if figure == "strummed" else 1) for s in rhythm]
        for i, (step, length) in enumerate(strokes):
            at, size = piece.time(bar, step), round(length * piece.step * piece.sr)
            sounding = [voices[order[i % 6] % len(voices)]] if figure == "broken" else voices
            spread = rng.uniform(0, 0.03) if figure == "strummed" else 0.0
            strength = rng.uniform(0.6, 1)
            events += [(at + k * spread, note(hz, size, strength)) for k, hz in enumerate(sounding)]
    return _balanced(place(piece.n, piece.sr, events))


def bass_line(piece: Piece, note: Note) -> Array:
    """Play roots, octaves and fifths below the chords, in a rhythm kept from bar to bar."""
    rng, events = piece.rng, []
    rhythm = sorted({0, *np.flatnonzero(rng.random(piece.steps) < between(rng, 0.1, 0.6)).tolist()})
    leaps = rng.choice([0, 0, 0, 4, len(piece.scale)], size=len(rhythm)).tolist()
    for bar in range(piece.bars):
        root = piece.chords[bar % len(piece.chords)]
        for step, end, leap in zip(rhythm, [*rhythm[1:], piece.steps], leaps, strict=True):
            size = round((end - step) * piece.step * piece.sr * 0.95)
            events.append((piece.time(bar, step), note(piece.hz(root + leap), size, rng.uniform(0.7, 1))))
    return _balanced(place(piece.n, piece.sr, events))


def melody(piece: Piece, note: Note, octave: int, *, slides: bool = False) -> Array:
    """Play a tune of a few phrases that come back; with `slides`, glides and shakes between the pitches."""
    rng, events = piece.rng, []
    phrases = [_phrase(piece) for _ in range(3)]
    for bar in range(piece.bars):
        if chance(rng, 0.12):
            continue
        before = piece.hz(phrases[0][0][2], octave)
        for step, length, degree in phrases[_FORM[bar % len(_FORM)]]:
            hz, size = piece.hz(degree, octave), max(2, round(length * piece.step * piece.sr * 0.97))
            pitch: Array | float = hz
            if slides:
                shake = 2 ** (rng.normal(0, 0.4, 4) / 12 * (rng.random(4) < 0.4))
                pitch = curve(size, np.array([before, hz, *(hz * shake), hz]))
            events.append((piece.time(bar, step), note(pitch, size, rng.uniform(0.6, 1))))
            before = hz
    return _balanced(place(piece.n, piece.sr, events))


def layered(piece: Piece, parts: Sequence[Array], bus: Callable[[Array], Array]) -> Array:
    """Mix the parts at levels of the moment, some coming in late or dropping out, and finish the whole."""
    rng = piece.rng
    mix = np.zeros(piece.n)
    bar = max(1, round(piece.steps * piece.step * piece.sr))
    for index, part in enumerate(parts):
        level = np.ones(piece.n)
        if index and chance(rng, 0.3) and piece.bars > 2:
            start = bar * int(rng.integers(1, piece.bars))
            level[:start] = 0.0
        mix += 10 ** (rng.normal(0, 4) / 20) * level * part
    return normal(bus(mix))


def _phrase(piece: Piece) -> list[tuple[float, int, int]]:
    """Draw a bar of (step, length, degree), stepwise with leaps."""
    rng, notes = piece.rng, []
    density = between(rng, 1, 6)
    step, degree = 0, int(rng.integers(0, len(piece.scale)))
    while step < piece.steps:
        length = max(1, min(piece.steps - step, round(rng.exponential(density))))
        notes.append((float(step), length, degree))
        degree = int(np.clip(degree + rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 4]), -3, 11))
        step += length
    return notes


def _balanced(x: Array) -> Array:
    """Scale to an RMS of 1 over what sounds."""
    loud = np.abs(x) > 0.01 * np.max(np.abs(x), initial=1e-9)
    return np.asarray(x / np.sqrt(np.mean(x[loud] ** 2))) if loud.any() else x
