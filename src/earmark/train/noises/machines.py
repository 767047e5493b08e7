"""Noises of engines, aircraft, electric motors and mains hum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earmark.train.synth.parts import (
    Array,
    Recipe,
    Rng,
    band,
    between,
    chance,
    coloured,
    curve,
    decibels,
    harmonics,
    hiss,
    pulses,
    resonate,
    sway,
    tone,
    unit,
    wander,
)
from earmark.train.synth.space import passing


@dataclass(frozen=True)
class _Engine:
    """A piston engine: ignitions per second at idle, full speed as a multiple, cylinders, pipe (Hz)."""

    idle: tuple[float, float]
    reach: float
    cylinders: tuple[int, ...]
    pipe: tuple[float, float]
    uneven: float
    air_db: float
    manners: tuple[str, ...] = ("idle", "cruise", "revs", "gears")


_ENGINES = {
    "car": _Engine((18, 34), 5, (4, 6), (60, 170), 0.3, -10),
    "lorry": _Engine((16, 26), 2.6, (6, 8), (40, 110), 0.3, -8),
    "motorcycle": _Engine((11, 30), 6, (1, 2), (90, 240), 0.6, -16),
    "moped and chainsaw": _Engine((32, 55), 3.5, (1,), (180, 520), 0.6, -16, ("revs", "cruise", "revs")),
    "tractor": _Engine((9, 20), 2.2, (2, 3, 4), (45, 130), 0.5, -14),
    "boat": _Engine((12, 40), 2.5, (2, 4), (70, 260), 0.4, -4, ("idle", "cruise")),
    "lawn mower and generator": _Engine((22, 30), 1.6, (1, 2), (80, 300), 0.4, -8, ("idle", "cruise")),
    "propeller aircraft": _Engine((55, 80), 1.6, (3, 4, 6), (90, 300), 0.15, -4, ("cruise",)),
}


def _throttle(rng: Rng, n: int, sr: int, manner: str) -> Array:
    """Return how far up an engine revs, 0 to 1."""
    if manner == "idle":
        return np.clip(0.04 + 0.03 * wander(rng, n, sr, 1.0), 0, 1)
    if manner == "cruise":
        return np.clip(rng.uniform(0.2, 1) + between(rng, 0.005, 0.06) * wander(rng, n, sr, 0.7), 0, 1)
    times, levels, t = [0.0], [rng.uniform(0, 0.3)], 0.0
    while t < n / sr:
        low, high = rng.uniform(0, 0.35), rng.uniform(0.4, 1)
        rise = rng.uniform(0.15, 0.6) if manner == "revs" else rng.uniform(1.5, 5)
        hold = rng.exponential(0.5) if manner == "revs" else 0.0
        drop = rng.uniform(0.3, 1.2) if manner == "revs" else 0.3
        rest = rng.exponential(0.8) if manner == "revs" else 0.0
        for step, level in ((rise, high), (hold + 0.02, high), (drop, low), (rest + 0.02, low)):
            t += step
            times.append(t)
            levels.append(level)
    return np.asarray(np.interp(np.arange(n) / sr, times, levels))


def _engine(engine: _Engine) -> Recipe:
    def recipe(rng: Rng, n: int, sr: int) -> Array:
        throttle = _throttle(rng, n, sr, str(rng.choice(engine.manners)))
        pitch, level = passing(rng, n, sr)
        uneven = engine.uneven * rng.uniform(0.4, 1.3)
        f0 = between(rng, *engine.idle) * engine.reach**throttle * pitch
        f0 *= np.exp(0.012 * uneven * wander(rng, n, sr, 12) + 0.004 * wander(rng, n, sr, 2))
        cylinders = int(rng.choice(engine.cylinders))
        habit = np.exp(uneven * rng.standard_normal(cylinders))

        def heights(count: int) -> Array:
            return habit[np.arange(count) % cylinders] * np.exp(0.5 * uneven * rng.standard_normal(count))

        fire = pulses(f0, n, sr, heights)
        pipe = between(rng, *engine.pipe) * np.arange(1, 14, 2) * rng.uniform(0.9, 1.1, 7)
        gains = np.arange(1, 8) ** -rng.uniform(0.3, 1.3) * np.exp(0.4 * rng.standard_normal(7))
        exhaust = unit(resonate(fire, sr, pipe, rng.uniform(1.5, 7, 7), gains, dry=rng.uniform(0, 0.15)))
        exhaust = np.tanh(exhaust * (0.3 + rng.uniform(0.3, 1.5) * throttle)) * (0.5 + throttle)
        puff = np.maximum(band(fire, sr, high=between(rng, 25, 120), order=1), 0)
        rattle = unit(hiss(rng, n, sr, between(rng, 400, 2000), between(rng, 2500, 7000)) * puff)
        whine = tone(rng, sr, f0 * rng.uniform(2.3, 9.7), n, harmonics(rng, 3, 6)) * throttle
        air = coloured(rng, n, sr, -rng.uniform(3, 6)) * (0.3 + throttle)
        out = exhaust + between(rng, 0.03, 0.4) * rattle + between(rng, 0.01, 0.15) * whine
        return level * (out + decibels(engine.air_db - 4 + rng.normal(0, 5)) * air)

    return recipe


def _helicopter(rng: Rng, n: int, sr: int) -> Array:
    pitch, level = passing(rng, n, sr)
    rate = between(rng, 9, 26) * pitch * np.exp(0.004 * wander(rng, n, sr, 0.8))
    slap = pulses(rate, n, sr, lambda count: rng.uniform(0.7, 1, count))
    thump = unit(resonate(slap, sr, rng.uniform(35, 300, 5), rng.uniform(1, 3, 5)))
    gust = np.maximum(band(slap, sr, high=between(rng, 10, 30), order=1), 0)
    swish = unit(band(rng.standard_normal(n) * gust, sr, 150, between(rng, 800, 4000)))
    turbine = tone(rng, sr, between(rng, 1200, 5500) * pitch, n, (1, 0.3)) * (1 + 0.3 * wander(rng, n, sr, 6))
    out = thump * rng.uniform(0.4, 1.2) + swish * rng.uniform(0.3, 1) + between(rng, 0.02, 0.2) * turbine
    return (out + 0.3 * coloured(rng, n, sr, -4)) * level * (1 + 0.2 * wander(rng, n, sr, 0.5))


def _jet(rng: Rng, n: int, sr: int) -> Array:
    """Jet aircraft and turbines: roar with whistling fan tones."""
    pitch, level = passing(rng, n, sr, 0.6)
    roar = band(coloured(rng, n, sr, -3), sr, 60, between(rng, 500, 4000))
    out = roar * (1 + 0.2 * wander(rng, n, sr, 3))
    for _ in range(int(rng.integers(1, 4))):
        f0 = between(rng, 600, 5000) * pitch
        out += between(rng, 0.02, 0.4) * tone(rng, sr, f0, n) * (1 + 0.5 * wander(rng, n, sr, 8))
    return out * level


@dataclass(frozen=True)
class _Motor:
    """An electric appliance: shaft (Hz), how loud its tones are beside its air, whether it runs in bursts."""

    shaft: tuple[float, float]
    tone_db: float
    slope: float
    bursts: bool
    load: float


_MOTORS = {
    "fan": _Motor((15, 120), -10, -4, False, 0.002),
    "vacuum cleaner": _Motor((150, 650), -6, -1.5, False, 0.02),
    "hair dryer": _Motor((120, 400), -8, -2, True, 0.01),
    "drill": _Motor((100, 450), 4, -2, True, 0.08),
    "blender and grinder": _Motor((180, 600), 2, -1, True, 0.12),
    "shaver": _Motor((90, 180), 8, -3, False, 0.03),
    "electric toys and pumps": _Motor((30, 300), 6, -4, True, 0.05),
    "dentist's drill": _Motor((900, 3000), 6, -1, True, 0.08),
}


def _runs(rng: Rng, n: int, sr: int) -> Array:
    """Return the speed of a motor switched on and off, 0 to 1."""
    times, speeds, t = [0.0], [0.0], rng.uniform(0, 0.2)
    spin, coast = between(rng, 0.05, 1.0), between(rng, 0.1, 2.0)
    while t < n / sr:
        full = rng.uniform(0.6, 1)
        steps = (0.0, 0.5 * spin, 0.5 * spin, between(rng, 0.3, 5), 0.4 * coast, 0.6 * coast)
        times += (t + np.cumsum(steps)).tolist()
        speeds += [0.0, 0.8 * full, full, full, 0.35 * full, 0.0]
        t = times[-1] + between(rng, 0.1, 2)
    return np.asarray(np.interp(np.arange(n) / sr, times, speeds))


def _motor(motor: _Motor) -> Recipe:
    def recipe(rng: Rng, n: int, sr: int) -> Array:
        speed = _runs(rng, n, sr) if motor.bursts and chance(rng, 0.8) else np.ones(n)
        f0 = between(rng, *motor.shaft) * speed * sway(rng, n, sr, between(rng, 0.4, 4), motor.load)
        level = harmonics(rng, 40, rng.uniform(2, 9), 8)
        level[int(rng.integers(1, 24)) - 1 :: int(rng.integers(3, 24))] *= rng.uniform(2, 6)
        hum = unit(tone(rng, sr, f0, n, level) * sway(rng, n, sr, 12, 0.15))
        centres = [between(rng, 150, 6000) for _ in range(int(rng.integers(2, 7)))]
        air = coloured(rng, n, sr, motor.slope + rng.normal(0, 1.5))
        air = unit(resonate(air, sr, centres, rng.uniform(1.5, 9, len(centres)), 1.0, dry=0.4))
        out = decibels(motor.tone_db + rng.normal(0, 5)) * hum * speed + air * speed**2
        return out * sway(rng, n, sr, 5, 0.08)

    return recipe


def _inverter(rng: Rng, n: int, sr: int) -> Array:
    """Trams, electric trains, lifts: whines that climb in steps."""
    corners = np.concatenate([[0], np.sort(rng.uniform(0, 1, int(rng.integers(2, 6)))), [1]])
    speed = np.interp(np.linspace(0, 1, n), corners, rng.uniform(0.15, 1, len(corners)))
    gear = np.floor(speed * rng.integers(2, 5)) + 1
    out = 0.3 * coloured(rng, n, sr, -4) * (0.3 + speed)
    for _ in range(int(rng.integers(2, 5))):
        f0 = between(rng, 150, 2500) * speed * (4 / gear if chance(rng, 0.4) else 1)
        out += rng.uniform(0.1, 0.6) * tone(rng, sr, f0, n, harmonics(rng, 6, 9)) * sway(rng, n, sr, 4, 0.3)
    return out


def _washing(rng: Rng, n: int, sr: int) -> Array:
    """Washing machines and dryers: a turning drum with its load, motor and splashes."""
    ends = [between(rng, 0.6, 3), between(rng, 8, 22)] if chance(rng, 0.3) else [between(rng, 0.5, 18)] * 2
    turn = curve(n, ends)
    phase = 2 * np.pi * np.cumsum(turn) / sr
    slosh = np.maximum(np.sin(phase) + 0.3 * np.sin(2 * phase + 1) + 0.3 * wander(rng, n, sr, 4), 0.05)
    motor = tone(rng, sr, turn * rng.uniform(9, 31), n, harmonics(rng, 20, 4))
    load = hiss(rng, n, sr, between(rng, 60, 500), between(rng, 800, 4000)) * slosh
    blows = pulses(turn, n, sr, lambda count: rng.exponential(size=count))
    thump = resonate(blows, sr, rng.uniform(40, 200, 3), 3.0)
    return unit(load) + between(rng, 0.1, 0.8) * unit(motor) + rng.uniform(0, 0.8) * unit(thump)


def _hum(rng: Rng, n: int, sr: int) -> Array:
    """Mains hum, transformers and buzz: exact multiples of 50 or 60 Hz."""
    mains = float(rng.choice([50.0, 60.0])) * (2 if chance(rng, 0.3) else 1)
    level = harmonics(rng, int(rng.integers(3, 60)), rng.uniform(4, 14), 7)
    level[1::2] *= rng.uniform(0.1, 1)
    out = unit(tone(rng, sr, mains, n, level)) * sway(rng, n, sr, 1, rng.uniform(0, 0.15))
    buzz = np.abs(np.sin(np.pi * mains * np.arange(n) / sr)) ** rng.uniform(2, 30)
    out += rng.uniform(0, 0.3) * unit(hiss(rng, n, sr, between(rng, 300, 3000)) * buzz)
    return out + between(rng, 0.003, 0.2) * coloured(rng, n, sr, -3)


MACHINES: dict[str, Recipe] = {
    **{name: _engine(engine) for name, engine in _ENGINES.items()},
    **{name: _motor(motor) for name, motor in _MOTORS.items()},
    "helicopter": _helicopter,
    "jet": _jet,
    "tram and lift": _inverter,
    "washing machine": _washing,
    "hum": _hum,
}
