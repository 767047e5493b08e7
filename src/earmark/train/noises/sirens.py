"""Noises of sirens, horns and vehicle alarms."""

from __future__ import annotations

import numpy as np

from earmark.train.noises.signals import timbre
from earmark.train.synth.parts import (
    Array,
    Recipe,
    Rng,
    between,
    chance,
    decay,
    envelope,
    harmonics,
    normal,
    repeat,
    resonate,
    sway,
    tone,
)
from earmark.train.synth.space import passing


def _siren(rng: Rng, n: int, sr: int) -> Array:
    """Police, ambulance, fire and air-raid sirens: wail, yelp, high-low, slow rise; they change over."""
    low, reach = between(rng, 250, 900), rng.uniform(1.6, 3.2)
    height, first = np.zeros(n), 0
    while first < n:
        last = min(n, first + int(between(rng, 3, 20) * sr))
        style = int(rng.integers(4))
        rate = between(rng, *((0.12, 0.5), (2.2, 5), (0.4, 1.2), (0.08, 0.2))[style])
        turn, rise = (np.arange(last - first) / sr * rate + rng.random()) % 1, rng.uniform(0.3, 0.7)
        if style == 2:
            height[first:last] = np.clip(20 * (0.5 - np.abs(turn - 0.5)) - 4.5, 0, 1) * rng.uniform(0.2, 0.5)
        else:
            slope = np.where(turn < rise, turn / rise, (1 - turn) / (1 - rise))
            height[first:last] = 1 - (1 - slope) ** rng.uniform(1, 2.5)
        first = last
    pitch, level = passing(rng, n, sr, 0.4)
    x = tone(rng, sr, low * reach**height * pitch, n, harmonics(rng, 30, rng.uniform(3, 12)))
    return resonate(x, sr, rng.uniform(500, 3500, 3), rng.uniform(1, 4, 3), 1.0, dry=0.3) * level


def _horn(
    low: tuple[float, float], count: tuple[int, int], seconds: tuple[float, float], rest: tuple[float, float]
) -> Recipe:
    """Return a recipe for blasts of a few trumpets that are not tuned to each other."""

    def recipe(rng: Rng, n: int, sr: int) -> Array:
        base = between(rng, *low)
        pitches = base * np.concatenate([[1.0], rng.uniform(1.05, 2.1, int(rng.integers(*count)) - 1)])
        levels = [harmonics(rng, 40, rng.uniform(2, 7)) for _ in pitches]
        centre = rng.uniform(3, 12) * base

        def blast() -> Array:
            size = int(between(rng, *seconds) * sr)
            bend = 1 + rng.uniform(-0.06, 0) * decay(size, sr, between(rng, 0.2, 1.5))
            out = 0.05 * rng.standard_normal(size)
            for f0, level in zip(pitches, levels, strict=True):
                out += tone(rng, sr, f0 * bend * sway(rng, size, sr, 8, 0.003), size, level) / len(pitches)
            return normal(resonate(out, sr, [centre], 1.5, 1.0, dry=0.4)) * envelope(size, sr, 0.03, 0.08)

        out = repeat(rng, n, sr, blast, rest, 0.6, rest=True, distinct=3)
        pitch, level = passing(rng, n, sr)
        return np.asarray(level * np.interp(np.cumsum(pitch / np.mean(pitch)), np.arange(n), out))

    return recipe


def _car_alarm(rng: Rng, n: int, sr: int) -> Array:
    """Alarms of cars and shops: sweeps, trills and hoots by turns."""
    out, first = np.zeros(n), 0
    base, sound = between(rng, 600, 2200), timbre(rng)
    while first < n:
        size = min(n - first, int(between(rng, 0.6, 3) * sr))
        turn = np.arange(size) / sr * between(rng, 0.8, 14) % 1
        shapes = (turn, 1 - turn, np.abs(2 * turn - 1), 1.0 * (turn > 0.5), np.zeros(size))
        x = tone(rng, sr, base * rng.uniform(1.2, 2.4) ** shapes[int(rng.integers(5))], size, sound)
        if chance(rng, 0.3):
            x *= turn < 0.6
        out[first : first + size] = x * envelope(size, sr, 0.01, 0.02)
        first += size + int(rng.choice([0.0, 0.05, 0.5]) * sr)
    return out


SIRENS: dict[str, Recipe] = {
    "siren": _siren,
    "car horn": _horn((280, 520), (1, 4), (0.1, 2.0), (0.15, 3.0)),
    "train horn": _horn((180, 420), (2, 6), (0.5, 3.5), (0.3, 3.0)),
    "ship's horn": _horn((50, 170), (1, 3), (1.0, 5.0), (0.5, 4.0)),
    "car alarm": _car_alarm,
}
