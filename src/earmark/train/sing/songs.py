"""Songs: one singer, a choir, or whatever chance makes of some speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError
from earmark.train.sing.curves import FloatArray
from earmark.train.sing.flow import rap
from earmark.train.sing.melody import compose, transpose
from earmark.train.sing.singer import perform
from earmark.train.sing.styles import STYLES, WEIGHTS, Style
from earmark.train.sing.voice import Voice, analyse, finish, text_of, warp


def sing(voice: Voice, rng: np.random.Generator, style: str = "pop") -> FloatArray:
    """Sing the words of a voice to a melody of its own, in one of `STYLES`.

    Returns
    -------
    float32, shape=(n,)
        16 kHz, usually one and a half to four times as long as the speech.

    Raises
    ------
    ConfigError
        If there is no such style.
    AudioError
        If the voice has no syllable.
    """
    if style not in STYLES:
        raise ConfigError(f"singing style {style!r}: there is no such style; choose {', '.join(STYLES)}")
    manner = STYLES[style]
    n_syllables = len(text_of(voice))
    singer = warp(voice, float(rng.uniform(0.92, 1.08)))
    melody = compose(n_syllables, middle_for(voice, manner, rng), manner, rng)
    return perform(singer, melody, manner, rng)


def choir(voices: Sequence[Voice], rng: np.random.Generator) -> FloatArray:
    """Let 3 to 8 singers sing one melody in unison, octaves or thirds.

    Each has formants, tuning (5-20 cents off) and timing (20-60 ms off) of its own.  Singers beyond
    `voices` are copies of them; voices with different texts sing them at the same time.

    Returns
    -------
    float32, shape=(n,)
        16 kHz.
    """
    style = STYLES[str(rng.choice(["pop", "hymn", "chant", "folk", "opera"]))]
    melody = compose(len(text_of(voices[0])), middle_for(voices[0], style, rng), style, rng)
    # In scales of seven steps a third is two steps; others sing octaves only.
    parts = [0, 0, 2, -len(melody.scale)] if len(melody.scale) == 7 else [0, 0, -len(melody.scale)]
    if rng.random() < 0.4:
        parts = [0]
    layers = []
    for k in range(int(rng.choice([3, 4, 5, 6, 8], p=[0.3, 0.3, 0.2, 0.1, 0.1]))):
        voice = voices[k % len(voices)]
        steps = int(rng.choice(parts))
        own = transpose(melody, steps)
        # A lower part is a lower voice: its formants go down with it.
        formants = float(rng.uniform(0.9, 1.1)) * (0.88 if steps < 0 else 1.0)
        tuning = float(rng.choice([-1, 1]) * rng.uniform(0.05, 0.2))
        lag = float(rng.uniform(0.02, 0.06))
        layers.append(perform(warp(voice, formants), own, style, rng, shift=tuning, lag_s=lag))
    length = max(len(layer) for layer in layers)
    gains = 10 ** (rng.uniform(-6, 0, len(layers)) / 20)
    total = sum(g * np.pad(layer, (0, length - len(layer))) for g, layer in zip(gains, layers, strict=True))
    return finish(np.asarray(total), 0.0)


def make_singing(samples: npt.ArrayLike, sample_rate: int, rng: np.random.Generator) -> FloatArray:
    """Turn speech into singing or rap of a random style.

    Parameters
    ----------
    samples : float, shape=(n,)
        Speech of one speaker; a few seconds at least.
    sample_rate : int
        Its rate in Hz.
    rng : numpy.random.Generator
        Source of every choice: the same state gives the same samples.

    Returns
    -------
    float32, shape=(m,)
        16 kHz, peak 0.95.

    Raises
    ------
    AudioError
        If no syllable is found.
    """
    voice = analyse(samples, sample_rate)
    shares = np.array(list(WEIGHTS.values()))
    kind = str(rng.choice(list(WEIGHTS), p=shares / shares.sum()))
    if kind == "choir":
        return choir([voice], rng)
    if kind == "rap":
        return rap(voice, rng)
    return sing(voice, rng, kind)


def middle_for(voice: Voice, style: Style, rng: np.random.Generator) -> float:
    """Middle of a melody for a voice; nobody sings around more than 660 Hz for long."""
    return min(voice.register + float(rng.uniform(*style.register)), 76.0)
