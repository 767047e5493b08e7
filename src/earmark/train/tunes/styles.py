"""Styles of made tunes, as training data for music that open recordings have too little of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from earmark.train.synth.parts import Array, Rng, between, chance, coloured, normal, wander
from earmark.train.synth.space import echo
from earmark.train.tunes.drums import HAND, TOM, hand_pattern, kit_pattern
from earmark.train.tunes.instruments import (
    PITCHED,
    Note,
    amplified,
    analogue,
    bell,
    drone,
    plucked,
    sustained,
)
from earmark.train.tunes.piece import Piece, bass_line, beaten, chorded, draw_piece, layered, melody

FloatArray = npt.NDArray[np.float32]
Style = Callable[[Piece], list[Array]]


def _player(piece: Piece) -> Note:
    return PITCHED[int(piece.rng.integers(len(PITCHED)))](piece.rng, piece.sr)


def _rock(piece: Piece) -> list[Array]:
    rng, sr = piece.rng, piece.sr
    figure = "strummed" if chance(rng, 0.6) else "held"
    guitar = chorded(piece, plucked(rng, sr), 1, figure, power=chance(rng, 0.6))
    parts = [
        beaten(piece, kit_pattern(rng, "rock", piece.steps), 0.3),
        amplified(rng, guitar, sr, between(rng, 1, 20)),
        bass_line(piece, plucked(rng, sr)),
    ]
    if chance(rng, 0.4):
        lead = melody(piece, plucked(rng, sr) if chance(rng, 0.5) else sustained(rng, sr), 2)
        parts.append(amplified(rng, lead, sr, between(rng, 2, 30)))
    return parts


def _metal(piece: Piece) -> list[Array]:
    rng, sr = piece.rng, piece.sr
    riffs = [chorded(piece, plucked(rng, sr), 0, "chugged", power=True)]
    riffs.append(chorded(piece, analogue(rng, sr), 1, "held" if chance(rng, 0.5) else "chugged", power=True))
    gain = between(rng, 10, 100)
    parts = [
        beaten(piece, kit_pattern(rng, "metal" if chance(rng, 0.7) else "rock", piece.steps), 0.5),
        *(amplified(rng, riff, sr, gain) for riff in riffs),
        amplified(rng, bass_line(piece, plucked(rng, sr)), sr, between(rng, 1, 10)),
    ]
    if chance(rng, 0.5):
        parts.append(amplified(rng, melody(piece, analogue(rng, sr), 2), sr, gain))
    return parts


def _percussion(piece: Piece) -> list[Array]:
    rng = piece.rng
    parts = [beaten(piece, hand_pattern(rng, piece.steps), 0.3)]
    if chance(rng, 0.4):
        kind = str(rng.choice(["rock", "floor", "broken"]))
        parts.append(beaten(piece, kit_pattern(rng, kind, piece.steps), 0.3))
    return parts


def _electronic(piece: Piece) -> list[Array]:
    rng, sr = piece.rng, piece.sr
    kind = "floor" if chance(rng, 0.5) else "broken"
    parts = [
        beaten(piece, kit_pattern(rng, kind, piece.steps), 0.2),
        bass_line(piece, analogue(rng, sr)),
        chorded(piece, _player(piece), 2, "broken"),
    ]
    if chance(rng, 0.6):
        parts.append(chorded(piece, analogue(rng, sr), 1, "held"))
    if chance(rng, 0.3):
        parts.append(melody(piece, analogue(rng, sr), 3, slides=chance(rng, 0.3)))
    return parts


def _ambient(piece: Piece) -> list[Array]:
    rng, sr = piece.rng, piece.sr
    swell = np.exp(0.7 * wander(rng, piece.n, sr, between(rng, 0.1, 0.6)))
    pad = chorded(piece, sustained(rng, sr) if chance(rng, 0.5) else analogue(rng, sr), 1, "held") * swell
    parts = [pad]
    if chance(rng, 0.6):
        parts.append(melody(piece, bell(rng, sr) if chance(rng, 0.5) else plucked(rng, sr), 2))
    if chance(rng, 0.5):
        air = coloured(rng, piece.n, sr, rng.uniform(-6, 0)) * np.exp(wander(rng, piece.n, sr, 0.2))
        parts.append(0.3 * air)
    return [echo(rng, part, sr, between(rng, 1, 4), rng.uniform(0.5, 2)) for part in parts]


def _raga(piece: Piece) -> list[Array]:
    rng, sr = piece.rng, piece.sr
    string, size = drone(rng, sr), round(between(rng, 0.6, 1.5) * sr)
    ground = np.zeros(piece.n)
    for start in range(0, piece.n, size):
        fifth = 1.4983 if (start // size) % 4 == 0 else float(rng.choice([1.0, 2.0]))
        note = string(2 * piece.tonic * fifth, min(2 * size, piece.n - start), 1.0)
        ground[start : start + len(note)] += note
    parts = [normal(ground), melody(piece, sustained(rng, sr), int(rng.integers(1, 4)), slides=True)]
    if chance(rng, 0.75):
        pattern = [(HAND, steps) for _, steps in hand_pattern(rng, piece.steps)]
        parts.append(beaten(piece, pattern, 0.5))
    return parts


def _folk(piece: Piece) -> list[Array]:
    rng, sr = piece.rng, piece.sr
    parts = [chorded(piece, plucked(rng, sr), int(rng.integers(1, 3)), "broken")]
    if chance(rng, 0.6):
        parts.append(melody(piece, _player(piece), 2, slides=chance(rng, 0.2)))
    if chance(rng, 0.5):
        parts.append(chorded(piece, plucked(rng, sr), 1, "strummed"))
    if chance(rng, 0.4):
        parts.append(beaten(piece, hand_pattern(rng, piece.steps), 0.2))
    return parts


def _ensemble(piece: Piece) -> list[Array]:
    rng, sr = piece.rng, piece.sr
    parts = [
        np.sum(
            [chorded(piece, sustained(rng, sr), octave, "held") for _ in range(rng.integers(1, 4))], axis=0
        )
        for octave in (1, 2)
    ]
    parts.append(melody(piece, sustained(rng, sr), int(rng.integers(2, 4))))
    if chance(rng, 0.5):
        parts.append(bass_line(piece, sustained(rng, sr)))
    if chance(rng, 0.4):
        pattern = [(TOM, steps[:3]) for _, steps in hand_pattern(rng, piece.steps)[:2]]
        parts.append(beaten(piece, pattern, 0.1))
    wet = rng.uniform(0.3, 1.2)
    seconds = between(rng, 0.8, 3)
    return [echo(rng, part, sr, seconds, wet) for part in parts]


STYLES: dict[str, tuple[Style, tuple[float, float]]] = {
    "rock": (_rock, (80, 180)),
    "metal": (_metal, (90, 220)),
    "percussion": (_percussion, (60, 190)),
    "electronic": (_electronic, (85, 175)),
    "ambient": (_ambient, (40, 90)),
    "raga": (_raga, (45, 140)),
    "folk": (_folk, (60, 150)),
    "ensemble": (_ensemble, (50, 130)),
}


def make_tune(rng: np.random.Generator, seconds: float, sample_rate: int = 16_000) -> tuple[FloatArray, str]:
    """Compose and play an instrumental tune.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every choice; equal states give equal samples.
    seconds : float
        Length; more than 0.
    sample_rate : int
        Hz.

    Returns
    -------
    samples : float32, shape=(round(seconds * sample_rate),)
        Peak 0.9.
    style : str
        A name in `STYLES`.
    """
    name = str(rng.choice(list(STYLES)))
    style, bpm = STYLES[name]
    piece = draw_piece(rng, round(seconds * sample_rate), sample_rate, bpm)
    parts = style(piece)
    samples = layered(piece, parts, lambda mix: _bus(rng, mix, sample_rate))
    return (0.9 * samples).astype(np.float32), name


def _bus(rng: Rng, mix: Array, sr: int) -> Array:
    """Finish a mix: a room, and the loudness that a limiter makes."""
    if chance(rng, 0.5):
        mix = echo(rng, mix, sr, between(rng, 0.2, 1.5), rng.uniform(0.1, 0.6))
    return np.tanh(normal(mix) * between(rng, 1, 5)) if chance(rng, 0.6) else mix
