"""Noises of things struck: steps, tools, keys, clocks, dishes, bells, doors, working machines, rails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earmark.train.synth.parts import (
    Array,
    Recipe,
    Rng,
    arrivals,
    band,
    between,
    chance,
    coloured,
    crackle,
    curve,
    decay,
    decibels,
    envelope,
    harmonics,
    hiss,
    modes,
    normal,
    place,
    pulses,
    repeat,
    resonate,
    sway,
    tone,
    unit,
    wander,
)
from earmark.train.synth.space import echo


@dataclass(frozen=True)
class Material:
    """What rings when a thing is struck: lowest mode (Hz), number of modes, time to -60 dB, click share."""

    lowest: tuple[float, float]
    count: int
    ringing: tuple[float, float]
    click: float


MATERIALS = {
    "wood": Material((110, 800), 6, (0.05, 0.3), 0.5),
    "metal": Material((300, 2500), 12, (0.15, 1.6), 0.3),
    "glass": Material((1200, 4000), 6, (0.1, 0.6), 0.2),
    "stone": Material((600, 3000), 5, (0.02, 0.1), 1.0),
    "soft": Material((40, 160), 3, (0.08, 0.3), 0.3),
    "plastic": Material((350, 2200), 5, (0.02, 0.1), 0.8),
}


def strike(rng: Rng, sr: int, material: str) -> Array:
    """Return one stroke on a body of random, inharmonic modes; peak 1."""
    body = MATERIALS[material]
    ringing = between(rng, *body.ringing)
    ratios = np.cumsum(np.concatenate([[1.0], rng.exponential(0.8, body.count - 1) + 0.15]))
    hz = between(rng, *body.lowest) * ratios
    fall = rng.uniform(0.3, 1.2)
    gains = rng.uniform(0.2, 1, body.count) * ratios**-fall
    out = modes(sr, hz, ringing * ratios ** -rng.uniform(0.2, 0.8), gains, 1.1 * ringing)
    n = len(out)
    click = rng.standard_normal(n) * decay(n, sr, between(rng, 0.008, 0.05))
    low = between(rng, 200, 2500)
    return normal(out) + body.click * rng.uniform(0.3, 1.3) * normal(band(click, sr, low, low * 6, 1))


def any_material(rng: Rng) -> str:
    """Draw a material."""
    return str(rng.choice(list(MATERIALS)))


def _scuff(rng: Rng, sr: int, seconds: float, low: float, high: float) -> Array:
    n = max(32, int(seconds * sr))
    swell = curve(n, np.concatenate([[0], rng.uniform(0.2, 1, 3), [0]]))
    return normal(band(rng.standard_normal(n), sr, low, high) * swell)


def _steps(rng: Rng, n: int, sr: int) -> Array:
    hard, loose = bool(chance(rng, 0.5)), between(rng, 0.1, 1)
    low, seconds = between(rng, 150, 1500), rng.uniform(0.08, 0.3)
    shoe = str(rng.choice(["stone", "soft", "wood"]))

    def step() -> Array:
        size = int((seconds + 0.2) * sr)
        drag = 0.5 * _scuff(rng, sr, seconds, low, 5 * low)
        if hard:
            return place(size, sr, [(0.0, strike(rng, sr, shoe)), (rng.uniform(0.03, 0.1), loose * drag)])
        crunch = crackle(rng, int(seconds * sr), sr, between(rng, 150, 900), (800, 6500), (0.004, 0.014), 1.0)
        return place(
            size, sr, [(0.0, normal(crunch) * decay(len(crunch), sr, 2 * seconds, 0.02)), (0.0, loose * drag)]
        )

    return repeat(rng, n, sr, step, (0.28, 0.9), 0.06)


def _blows(materials: tuple[str, ...], gap: tuple[float, float], irregular: float, group: int) -> Recipe:
    """Return a recipe for single or grouped blows on one body."""

    def recipe(rng: Rng, n: int, sr: int) -> Array:
        material = str(rng.choice(materials))
        pattern = strike(rng, sr, material)

        def blow() -> Array:
            count = int(rng.integers(1, group + 1))
            every = rng.uniform(0.11, 0.35)
            fresh = 0.3 * strike(rng, sr, material)
            sounds = [
                (i * every * rng.uniform(0.9, 1.1), pattern * rng.uniform(0.6, 1)) for i in range(count)
            ]
            length = int((count * every + 0.1) * sr) + max(len(pattern), len(fresh))
            return place(length, sr, [*sounds, (0.0, fresh)])

        return repeat(rng, n, sr, blow, gap, irregular, distinct=8)

    return recipe


def _typing(rng: Rng, n: int, sr: int) -> Array:
    material = str(rng.choice(["plastic", "stone", "wood", "metal"]))
    keys = [strike(rng, sr, material)[: int(0.09 * sr)] for _ in range(6)]
    rate, seconds = between(rng, 3, 11), n / sr
    events: list[tuple[float, Array]] = []
    t = rng.uniform(0, 0.2)
    while t < seconds:
        key = keys[int(rng.integers(6))] * decibels(rng.normal(0, 3))
        events += [(t, key), (t + rng.uniform(0.05, 0.1), 0.35 * keys[int(rng.integers(6))])]
        t += (0.3 + 0.7 * rng.exponential()) / rate + (rng.exponential(0.8) if chance(rng, 0.05) else 0)
    return place(n, sr, events)


def _clock(rng: Rng, n: int, sr: int) -> Array:
    ticks = [
        strike(rng, sr, str(rng.choice(["plastic", "metal", "wood"])))[: int(0.08 * sr)] for _ in range(2)
    ]
    every = float(rng.choice([1.0, 0.5, between(rng, 0.16, 1.2)]))
    lag = rng.uniform(0, 0.08) * every
    starts = np.arange(rng.uniform(0, min(every, 0.3)), n / sr, every).tolist()
    return place(n, sr, [(t + i % 2 * lag, ticks[i % 2] * rng.uniform(0.8, 1)) for i, t in enumerate(starts)])


def _clatter(material: str, rate: tuple[float, float]) -> Recipe:
    """Return a recipe for flurries of small strokes: dishes, coins, keys, tools."""

    def recipe(rng: Rng, n: int, sr: int) -> Array:
        bank = [strike(rng, sr, material) for _ in range(7)]

        def flurry() -> Array:
            seconds = between(rng, 0.1, 2.0)
            times = arrivals(rng, seconds, between(rng, *rate))
            hits = [(float(t), bank[int(rng.integers(7))] * rng.exponential()) for t in times]
            return place(int((seconds + 1) * sr), sr, hits)

        return repeat(rng, n, sr, flurry, (0.2, 2.0), 0.8, rest=True)

    return recipe


def _bounce(rng: Rng, n: int, sr: int) -> Array:
    hit, loss = strike(rng, sr, any_material(rng)), rng.uniform(0.7, 0.93)

    def fall() -> Array:
        times = np.concatenate([[0], np.cumsum(rng.uniform(0.2, 0.7) * loss ** np.arange(30))]).tolist()
        return place(int((times[-1] + 0.3) * sr), sr, [(t, hit * loss**i) for i, t in enumerate(times)])

    return repeat(rng, n, sr, fall, (0.2, 2.0), 0.5, rest=True)


def _bell(rng: Rng, n: int, sr: int) -> Array:
    """Bells and bowls struck one by one: partials at random, beating in pairs."""
    ringing = between(rng, 1.0, 7.0)
    ratios = np.concatenate([[0.5, 1.0], 1.0 + np.cumsum(rng.uniform(0.12, 0.75, 9))])
    ratios = np.concatenate([ratios, ratios * 1.003])
    hz = between(rng, 90, 1400) * ratios
    bell = modes(sr, hz, ringing / ratios**0.7, rng.uniform(0.1, 1, 22), ringing)
    gap = (2.0, 6.0) if chance(rng, 0.6) else (0.15, 0.7)
    return repeat(rng, n, sr, lambda: bell, gap, rng.uniform(0.02, 0.5), distinct=1)


def _door(rng: Rng, n: int, sr: int) -> Array:
    def slam() -> Array:
        sounds = [(0.0, 0.2 * _scuff(rng, sr, 0.3, 200, 2000))]
        sounds += [(0.3, strike(rng, sr, material)) for material in ("soft", "wood")]
        if chance(rng, 0.6):
            sounds.append((0.3 + rng.uniform(0.02, 0.2), 0.4 * strike(rng, sr, "metal")[: int(0.15 * sr)]))
        return place(sr, sr, sounds)

    return echo(rng, repeat(rng, n, sr, slam, (0.8, 4.0), 0.8, rest=True), sr, between(rng, 0.2, 1.5), 0.4)


def _switches(rng: Rng, n: int, sr: int) -> Array:
    """Mouse clicks, camera shutters, switches, staplers, card decks."""
    kinds = [strike(rng, sr, str(rng.choice(["plastic", "stone"]))) for _ in range(3)]

    def click() -> Array:
        first, second = (kinds[int(rng.integers(3))] for _ in range(2))
        return place(int(0.4 * sr), sr, [(0.0, first), (rng.uniform(0.02, 0.2), 0.7 * second)])

    return repeat(rng, n, sr, click, (0.15, 2.5), 0.9)


def _works(cycle: tuple[float, float], beats: tuple[int, int], motor_db: float) -> Recipe:
    """Return a recipe for machines that repeat a cycle of unlike strokes: presses, looms, printers."""

    def recipe(rng: Rng, n: int, sr: int) -> Array:
        every, count = between(rng, *cycle), int(rng.integers(*beats))
        hits = [
            strike(rng, sr, any_material(rng))[: int(0.4 * sr)] * rng.uniform(0.2, 1) for _ in range(count)
        ]
        offsets = (rng.uniform(0, 0.9, count) * every).tolist()
        puff = hiss(rng, int(0.6 * every * sr) + 9, sr, between(rng, 300, 3000), 7000)
        hits.append(puff * envelope(len(puff), sr, 0.02, 0.1) * rng.uniform(0, 0.3))
        offsets.append(0.0)
        gaps = every * sway(rng, max(8, int(n / sr / every) + 2), 1, 0.2, rng.uniform(0, 0.04))
        events: list[tuple[float, Array]] = []
        for start in (np.cumsum(gaps) - gaps[0] * rng.uniform(0.5, 1)).tolist():
            if chance(rng, 0.97):
                late = np.abs(rng.normal(0, 0.003, count + 1)).tolist()
                events += [
                    (start + a + b, rng.uniform(0.7, 1) * hit)
                    for a, b, hit in zip(offsets, late, hits, strict=True)
                ]
        f0 = between(rng, 24, 190) * sway(rng, n, sr, 2, 0.01)
        motor = rng.uniform(0, 1) * unit(tone(rng, sr, f0, n, harmonics(rng, 30, 5))) + coloured(
            rng, n, sr, -4
        )
        return normal(place(n, sr, events)) + decibels(motor_db + rng.normal(0, 6)) * motor

    return recipe


def _jackhammer(rng: Rng, n: int, sr: int) -> Array:
    blows = pulses(
        between(rng, 9, 35) * sway(rng, n, sr, 3, 0.02), n, sr, lambda count: rng.uniform(0.5, 1, count)
    )
    ring = resonate(blows, sr, rng.uniform(80, 4000, 8), rng.uniform(2, 12, 8), 1.0, dry=0.1)
    dust = hiss(rng, n, sr, 500) * np.maximum(band(blows, sr, high=60, order=1), 0)
    spans = np.clip(20 * wander(rng, n, sr, between(rng, 0.3, 2)) + 12, 0, 1) if chance(rng, 0.6) else 1.0
    return (unit(ring) + rng.uniform(0.3, 1.2) * unit(dust)) * spans + 0.15 * coloured(rng, n, sr, -4)


def _rails(rng: Rng, n: int, sr: int) -> Array:
    """A train on jointed rails: clatter in pairs over rolling noise, at times with a squeal of flanges."""
    pair = [strike(rng, sr, str(rng.choice(["metal", "soft", "wood"])))[: int(0.3 * sr)] for _ in range(2)]
    every, gap = between(rng, 0.5, 1.8), rng.uniform(0.05, 0.28)
    clatter = place(int(every * sr), sr, [(0.0, pair[0]), (gap * every, pair[1])])
    clatter = repeat(rng, n, sr, lambda: clatter, (every, 1.01 * every), 0.03, distinct=1)
    roll = unit(resonate(coloured(rng, n, sr, -4), sr, rng.uniform(60, 900, 4), 3.0, 1.0, dry=0.4))
    squeal = tone(rng, sr, between(rng, 900, 5000) * sway(rng, n, sr, 9, 0.01), n, (1, 0.4, 0.2))
    squeal *= rng.uniform(0, 0.15) * np.maximum(wander(rng, n, sr, 0.8), 0)
    return normal(band(clatter, sr, high=between(rng, 500, 5000))) + rng.uniform(0.05, 0.3) * roll + squeal


STRUCK: dict[str, Recipe] = {
    "footsteps": _steps,
    "knocks": _blows(("wood", "metal", "soft", "glass"), (0.6, 2.5), 0.6, 5),
    "hammering": _blows(("wood", "metal", "stone"), (0.3, 1.1), 0.05, 1),
    "gallop": _blows(("wood", "stone", "soft"), (0.4, 0.9), 0.05, 4),
    "metal clangs": _blows(("metal",), (0.5, 4.0), 0.8, 2),
    "thuds": _blows(("soft",), (0.3, 3.0), 0.7, 3),
    "typing": _typing,
    "clock": _clock,
    "dishes": _clatter("glass", (2, 10)),
    "cutlery and keys": _clatter("metal", (3, 30)),
    "rummaging": _clatter("plastic", (3, 40)),
    "bouncing": _bounce,
    "bell strikes": _bell,
    "door slam": _door,
    "clicks": _switches,
    "printing press": _works((0.25, 1.4), (3, 8), -32),
    "loom and conveyor": _works((0.12, 0.6), (2, 6), -30),
    "sewing machine": _works((0.05, 0.14), (1, 4), -26),
    "printer and scanner": _works((0.08, 0.9), (2, 5), -28),
    "jackhammer": _jackhammer,
    "rail clatter": _rails,
}
