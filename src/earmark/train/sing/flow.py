"""Rap: words on a grid of sixteenths, doubled lines and shouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from earmark.train.sing.curves import FRAME_S, FloatArray
from earmark.train.sing.melody import SCALES, Line, Melody, Note
from earmark.train.sing.singer import perform
from earmark.train.sing.styles import RAP
from earmark.train.sing.voice import Syllable, Voice, finish, text_of, warp


def rap(voice: Voice, rng: np.random.Generator, bpm: float | None = None) -> FloatArray:
    """Rap the words of a voice: vowels begin on a grid of sixteenths, lines last one or two bars.

    The pitch stays close to the speaker's, narrowed, with accents on the beats; some lines are doubled
    and some rests filled by a short shout.

    Parameters
    ----------
    voice : Voice
        Whose syllables are rapped.
    rng : numpy.random.Generator
        Source of every choice.
    bpm : float, optional
        Beats per minute; drawn from 70-110 if not given.

    Returns
    -------
    float32, shape=(n,)
        16 kHz.
    """
    text = text_of(voice)
    melody, doubled, shouts = _flow(voice, text, 60 / (bpm or rng.uniform(70, 110)) / 4, rng)
    style = replace(RAP, talk=float(rng.uniform(0.35, 0.7)), drive=float(rng.choice([0.0, 0.0, 2.0])))
    voice = warp(voice, float(rng.uniform(0.92, 1.08)))
    total = perform(voice, melody, style, rng, lag_s=0.006)
    for lines, formants, shift, lag, gain in (
        (doubled, 0.97, -0.15, 0.015, 0.5),
        (shouts, 1.05, 5.0, 0.0, 0.6),
    ):
        if lines:
            extra = replace(melody, lines=lines)
            layer = perform(warp(voice, formants), extra, style, rng, shift=shift, lag_s=lag)[: len(total)]
            total[: len(layer)] += np.float32(gain) * layer
    return finish(total.astype(np.float64), 0.0)


def _flow(
    voice: Voice, text: tuple[Syllable, ...], sixteenth: float, rng: np.random.Generator
) -> tuple[Melody, tuple[Line, ...], tuple[Line, ...]]:
    """Lines of a rap on the grid, which of them are doubled, and shouts in the rests."""
    lines: list[Line] = []
    doubled: list[Line] = []
    shouts: list[Line] = []
    slot, spoken = 0, 0
    while spoken < len(text):
        bars = int(rng.choice([1, 2]))
        pickup = int(rng.choice([0, 0, 0, 1, 2]))
        stop = slot + 16 * bars - int(rng.integers(1, 5))
        at, first = slot + 2 + pickup, spoken
        base = int(rng.integers(-1, 4))
        notes: list[Note] = []
        while at < stop and spoken < len(text):
            natural = FRAME_S * 40
            if spoken + 1 < len(text):
                natural = FRAME_S * (text[spoken + 1].vowel_start - text[spoken].vowel_start)
            slots = int(np.clip(round(min(natural, 0.4) / sixteenth * rng.uniform(0.8, 1.2)), 1, 4))
            accent = int(rng.integers(1, 4)) if (at - slot - 2) % 4 == 0 else int(rng.integers(-1, 2))
            notes.append(Note(at * sixteenth, slots * sixteenth, base + accent))
            at += slots
            spoken += 1
        lines.append(Line(first, tuple(notes)))
        if rng.random() < 0.3:
            doubled.append(lines[-1])
        slot += 16 * bars
        if slot + 2 - at > 2 and rng.random() < 0.3:
            shout = Note((at + 1) * sixteenth, (slot + 1 - at) * sixteenth, base)
            shouts.append(Line(int(rng.integers(len(text))), (shout,)))
    middle = voice.register + float(rng.uniform(-1, 4))
    return Melody(middle, SCALES["chromatic"], tuple(lines)), tuple(doubled), tuple(shouts)
