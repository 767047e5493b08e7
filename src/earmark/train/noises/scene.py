"""Scenes of procedural noises, as training data for what is neither speech nor music."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from earmark.train.noises.ambience import AMBIENCE
from earmark.train.noises.handled import HANDLED
from earmark.train.noises.machines import MACHINES
from earmark.train.noises.signals import SIGNALS
from earmark.train.noises.sirens import SIRENS
from earmark.train.noises.struck import STRUCK
from earmark.train.noises.swarms import SWARMS
from earmark.train.noises.throats import THROATS
from earmark.train.synth.parts import (
    Array,
    Recipe,
    Rng,
    between,
    chance,
    coloured,
    decibels,
    envelope,
    normal,
    wander,
)
from earmark.train.synth.space import distant, recorded

FloatArray = npt.NDArray[np.float32]
Generator = Callable[[np.random.Generator, float, int], FloatArray]

PEAK = 0.99

_GROUNDS = (
    "room tone",
    "pink noise",
    "brown noise",
    "white noise",
    "wind",
    "traffic",
    "hum",
    "industrial drone",
)

# What is heard together at one place; the first is the ground that lasts.
_PLACES = (
    ("babble", "dishes", "cutlery and keys", "beeps"),
    ("babble", "footsteps", "beeps", "fan"),
    ("traffic", "car horn", "siren", "footsteps", "motorcycle", "lorry"),
    ("traffic", "jackhammer", "hammering", "beeps", "lorry"),
    ("wind", "cow", "sheep", "rooster", "hen", "dog", "tractor"),
    ("birds", "stream", "crickets", "crow", "monkey", "frog"),
    ("rail clatter", "train horn", "brake squeal", "tram and lift"),
    ("surf", "seagull", "ship's horn", "boat"),
    ("industrial drone", "metal clangs", "printing press", "hisses", "drill"),
    ("crowd", "applause", "whistling", "ship's horn"),
    ("room tone", "typing", "clicks", "printer and scanner", "two-tone alarm"),
    ("room tone", "coughs", "footsteps", "door slam", "clock"),
    ("rain", "thunder", "car", "wind"),
)


def _finished(x: Array, peak: float = PEAK) -> FloatArray:
    return normal(np.nan_to_num(x), peak).astype(np.float32)


def _generate(recipe: Recipe, rng: Rng, seconds: float, sample_rate: int = 16_000) -> FloatArray:
    n = round(seconds * sample_rate)
    length = max(n, sample_rate // 2)
    whole = recipe(rng, length, sample_rate)
    while not np.any(np.abs(whole) > 1e-6):  # too short to hold an event
        length *= 2
        whole = recipe(rng, length, sample_rate)
    loudest = int(np.argmax(np.abs(whole)))
    start = min(max(0, loudest - n // 2), length - n)
    return _finished(whole[start : start + n])


GENERATORS: dict[str, Generator] = {
    name: partial(_generate, recipe)
    for name, recipe in {
        **MACHINES,
        **SIGNALS,
        **SIRENS,
        **THROATS,
        **SWARMS,
        **STRUCK,
        **HANDLED,
        **AMBIENCE,
    }.items()
}


def _loudness(x: Array, sr: int) -> float:
    """Return the RMS of the loud half-second blocks, so that gaps between events do not count."""
    size = max(1, min(len(x), sr // 2))
    power = np.mean(x[: len(x) // size * size].reshape(-1, size) ** 2, axis=1)
    return float(np.sqrt(np.percentile(power, 90)) + 1e-9)


def _cast(rng: Rng) -> tuple[list[str], str | None]:
    """Draw the noises of a scene and what lies below them."""
    if chance(rng, 0.25):
        ground, *others = _PLACES[int(rng.integers(len(_PLACES)))]
        return [ground, *rng.choice(others, size=int(rng.integers(1, 3)), replace=False).tolist()], None
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
    kinds = rng.choice(list(GENERATORS), size=count, replace=False).tolist()
    return kinds, str(rng.choice(_GROUNDS)) if chance(rng, 0.8) else None


def _span(rng: Rng, n: int, sr: int, *, main: bool) -> tuple[int, int]:
    """Draw from where to where a noise lasts: the main one mostly throughout, the others for a while."""
    start, end = np.sort(rng.integers(0, n + 1, 2)).tolist()
    if main:
        start, end = (start // 3, n - (n - end) // 3) if chance(rng, 0.25) else (0, n)
    return (start, end) if end - start >= min(n, sr // 2) else (0, n)


def make_noise(rng: np.random.Generator, seconds: float, sample_rate: int = 16_000) -> tuple[FloatArray, str]:
    """Compose a scene of one to three noises, near or far, passing or lasting, mostly over an ambience.

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
        Peak between 0.2 and 0.99.
    kind : str
        Names of the noises in `GENERATORS`, joined by ``+``; the ambience is not named.
    """
    n = round(seconds * sample_rate)
    kinds, ground = _cast(rng)
    scene = decibels(-rng.uniform(40, 75)) * coloured(rng, n, sample_rate, -3)
    for index, kind in enumerate(kinds):
        start, end = _span(rng, n, sample_rate, main=index == 0)
        part = GENERATORS[kind](rng, (end - start) / sample_rate, sample_rate).astype(np.float64)
        part = distant(rng, part, sample_rate)
        level = decibels(-rng.uniform(0, 18) if index else 0.0) / _loudness(part, sample_rate)
        fade = between(rng, 0.005, 1.0)
        scene[start:end] += level * part * envelope(end - start, sample_rate, fade, fade)
    if chance(rng, 0.5):
        scene *= np.exp(rng.uniform(0, 0.4) * wander(rng, n, sample_rate, 0.3))
    if ground:
        below = GENERATORS[ground](rng, seconds, sample_rate).astype(np.float64)
        scene += decibels(-rng.uniform(5, 40)) / _loudness(below, sample_rate) * below
    return _finished(recorded(rng, scene, sample_rate), between(rng, 0.2, PEAK)), "+".join(kinds)
