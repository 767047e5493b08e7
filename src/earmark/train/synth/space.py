"""Where noises sound and how they are taken up: rooms, distance, things driving past, recorders."""

from __future__ import annotations

import numpy as np

from earmark.train.synth.parts import Array, Rng, band, between, chance, convolved, filtered, normal


def echo(rng: Rng, x: Array, sr: int, seconds: float, wet: float) -> Array:
    """Add a room: exponentially falling noise of reverberation time `seconds`, treble falling faster."""
    n = max(1, int(min(seconds, 4.0) * sr))
    t = np.arange(n) / sr
    dull = band(rng.standard_normal(n), sr, high=1500.0, order=1) * 2 * np.exp(-6.9 * t / seconds)
    room = dull + rng.standard_normal(n) * np.exp(-13.8 * t / seconds)
    room[: int(0.004 * sr)] = 0
    room *= wet / (np.sqrt(np.sum(room**2)) + 1e-12)
    return x + convolved(x, room)


def passing(rng: Rng, n: int, sr: int, probability: float = 0.3) -> tuple[Array, Array]:
    """Return factors of pitch and level of something that drives past; ones if it does not."""
    if not chance(rng, probability):
        return np.ones(n), np.ones(n)
    seconds = n / sr
    t = (np.arange(n) / sr - rng.uniform(0.2, 0.8) * seconds) / between(rng, 0.05, 0.3) / seconds
    return 1 - rng.uniform(0.02, 0.12) * t / np.sqrt(1 + t**2), (1 + t**2) ** -rng.uniform(0.5, 1.0)


def distant(rng: Rng, x: Array, sr: int) -> Array:
    """Move a source away: less treble, more room."""
    far = rng.random()
    x = band(x, sr, high=between(rng, 1500, 8000) if far > 0.5 else 0.45 * sr, order=1)
    return echo(rng, x, sr, between(rng, 0.2, 2.5), far**2) if far > 0.3 else x


def recorded(rng: Rng, x: Array, sr: int) -> Array:
    """Colour a scene as microphones, lines and overloads do."""
    tilt, hump = rng.normal(0, 1.5), rng.normal(0, 5, 8)

    def response(hz: Array) -> Array:
        octaves = np.log2(np.maximum(hz, 30) / 1000)
        return np.asarray(10 ** ((tilt * octaves + np.interp(octaves, np.linspace(-5, 3, 8), hump)) / 20))

    x = filtered(x, sr, response)
    if chance(rng, 0.3):
        x = band(x, sr, between(rng, 40, 500), min(between(rng, 2500, 12_000), 0.47 * sr), 2)
    if chance(rng, 0.15):
        x = np.tanh(normal(x) * between(rng, 1.5, 8))
    return x
