"""Noises of things rubbed, torn, broken and shot: squeals, saws, zips, paper, glass, guns, fireworks."""

from __future__ import annotations

import numpy as np

from earmark.train.synth.parts import (
    Array,
    Recipe,
    Rng,
    band,
    between,
    chance,
    coloured,
    crackle,
    curve,
    decay,
    envelope,
    harmonics,
    normal,
    place,
    pulses,
    repeat,
    resonate,
    sway,
    tone,
    wander,
)
from earmark.train.synth.space import echo


def _rub(pitch: tuple[float, float], fall: float, rough: float, seconds: tuple[float, float]) -> Recipe:
    """Return a recipe for stick-slip squeals: a wandering, harmonic-rich pitch through fixed resonances."""

    def recipe(rng: Rng, n: int, sr: int) -> Array:
        base, depth = between(rng, *pitch), between(rng, 0.03, 0.6)
        centres, q = rng.uniform(400, 0.42 * sr, 6), rng.uniform(5, 25, 6)

        def squeal() -> Array:
            size = int(between(rng, *seconds) * sr)
            f0 = base * np.exp(depth * curve(size, rng.normal(size=int(rng.integers(2, 7)))))
            f0 = np.clip(f0 * np.exp(0.04 * rough * wander(rng, size, sr, 60)), 8, 0.4 * sr)
            if base < 250:
                x = pulses(f0, size, sr, lambda count: rng.uniform(0.3, 1, count))
            else:
                x = tone(rng, sr, f0, size, harmonics(rng, 12, fall))
            x = resonate(x + 0.05 * rough * rng.standard_normal(size), sr, centres, q, 1.0, dry=0.4)
            swell = np.abs(curve(size, rng.normal(0.6, 0.4, 5))) * envelope(size, sr, 0.03, 0.08)
            return normal(x * sway(rng, size, sr, 40, 0.4 * rough) * swell)

        return repeat(rng, n, sr, squeal, (0.1, 2.5), 0.7, rest=True)

    return recipe


def _strokes(rng: Rng, n: int, sr: int) -> Array:
    """Saw, sand, sweep, brush, scrape: noise to and fro."""
    low, ratio = between(rng, 300, 3000), between(rng, 1.3, 6)
    every = between(rng, 0.2, 1.3)
    teeth = between(rng, 20, 250)

    def stroke() -> Array:
        size = int(every * rng.uniform(0.6, 0.95) * sr)
        push = np.sin(np.pi * np.linspace(0, 1, size)) ** rng.uniform(0.5, 1.5)
        x = rng.standard_normal(size) * (1 + np.sin(2 * np.pi * np.cumsum(teeth * (0.2 + push) / sr)))
        return normal(band(x, sr, low, low * ratio) * push) * rng.uniform(0.5, 1)

    return repeat(rng, n, sr, stroke, (every, every * 1.01), 0.08)


def _zipper(rng: Rng, n: int, sr: int) -> Array:
    centres = rng.uniform(1500, 7000, 5)

    def pull() -> Array:
        size = int(between(rng, 0.15, 1.2) * sr)
        speed = between(rng, 60, 350) * np.exp(curve(size, rng.normal(0, 0.5, 4)))
        clicks = pulses(speed, size, sr, lambda count: rng.uniform(0.2, 1, count))
        air = 0.02 * rng.standard_normal(size) * speed / np.max(speed)
        return normal(resonate(clicks, sr, centres, 8.0) + air)

    return repeat(rng, n, sr, pull, (0.2, 2.0), 0.7, rest=True)


def _crumple(rng: Rng, n: int, sr: int) -> Array:
    """Paper, foil, plastic bags, tape."""
    low = between(rng, 500, 2500)
    swell = np.maximum(wander(rng, n, sr, between(rng, 1, 6)), 0) ** 1.5 + 0.02
    return crackle(rng, n, sr, between(rng, 30, 600), (low, min(7500, 4 * low)), (0.002, 0.02), 2.0, swell)


def _breaking(rng: Rng, n: int, sr: int) -> Array:
    def crash() -> Array:
        size = int(between(rng, 0.5, 2.0) * sr)
        fall = decay(size, sr, size / sr)
        shards = crackle(rng, size, sr, between(rng, 30, 400), (1500, 7500), (0.02, 0.25), 1.0, fall)
        burst = rng.standard_normal(size) * decay(size, sr, rng.uniform(0.1, 0.4))
        return normal(shards) + normal(burst) * rng.uniform(0.2, 0.8)

    return repeat(rng, n, sr, crash, (0.8, 5.0), 0.7, rest=True)


def _shots(rng: Rng, n: int, sr: int) -> Array:
    """Gunshots and explosions with their roll, single or in bursts."""

    def shot() -> Array:
        size = int(between(rng, 0.4, 2.5) * sr)
        crack = rng.standard_normal(size) * decay(size, sr, between(rng, 0.03, 0.25))
        roll = coloured(rng, size, sr, -6) * decay(size, sr, size / sr, 0.01)
        one = normal(crack) + rng.uniform(0.2, 1.2) * normal(roll)
        count = int(rng.choice([1, 1, 3, 8]))
        return place(size + int(count * 0.12 * sr), sr, [(i * 0.11, one) for i in range(count)])

    return echo(rng, repeat(rng, n, sr, shot, (0.3, 4.0), 0.9), sr, between(rng, 0.6, 3), 0.4)


def _fireworks(rng: Rng, n: int, sr: int) -> Array:
    def rocket() -> Array:
        rise, size = int(between(rng, 0.4, 1.5) * sr), int(between(rng, 0.8, 2.2) * sr)
        f0 = curve(rise, [between(rng, 700, 2000), between(rng, 1500, 4500), between(rng, 900, 3000)])
        whistle = tone(rng, sr, f0, rise, (1, 0.2)) * envelope(rise, sr, 0.1, 0.1)
        boom = normal(coloured(rng, size, sr, -5) * decay(size, sr, between(rng, 0.3, 1.2)))
        late = curve(size, [0, 1, 0])
        stars = crackle(rng, size, sr, between(rng, 20, 200), (1500, 7000), (0.004, 0.02), 1.0, late)
        return np.concatenate([chance(rng, 0.6) * 0.2 * whistle, boom + rng.uniform(0, 0.6) * normal(stars)])

    return echo(rng, repeat(rng, n, sr, rocket, (0.3, 2.5), 0.9), sr, between(rng, 0.6, 2.5), 0.3)


HANDLED: dict[str, Recipe] = {
    "door squeak": _rub((12, 160), 6, 1.0, (0.3, 2.5)),
    "squeak": _rub((300, 1800), 6, 0.5, (0.08, 0.7)),
    "brake squeal": _rub((900, 4000), 9, 0.2, (0.6, 3.0)),
    "tyre squeal": _rub((450, 1300), 6, 1.0, (0.4, 2.5)),
    "sawing and sweeping": _strokes,
    "zipper": _zipper,
    "crumpling": _crumple,
    "breaking glass": _breaking,
    "gunshots": _shots,
    "fireworks": _fireworks,
}
