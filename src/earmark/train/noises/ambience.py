"""Noises without a single source: water, weather, fire, static, hiss, rooms and halls of machines."""

from __future__ import annotations

import numpy as np

from earmark.train.noises.struck import any_material, strike
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
    grains,
    harmonics,
    hiss,
    moving,
    normal,
    pulses,
    repeat,
    resonate,
    sway,
    tone,
    wander,
)
from earmark.train.synth.space import echo, passing


def _drops(rate: tuple[float, float], hz: tuple[float, float], ground_db: float) -> Recipe:
    """Return a recipe for bubbles, each a short rising sine: drops, streams, pouring, boiling."""

    def recipe(rng: Rng, n: int, sr: int) -> Array:
        low = between(rng, *hz)
        at = arrivals(rng, n / sr, between(rng, *rate))
        flow = sway(rng, n, sr, between(rng, 0.3, 4), rng.uniform(0, 0.8))[(at * sr).astype(np.intp) % n]
        pitch = low * np.exp(rng.gamma(1.5, 0.5, len(at)))
        length = np.clip(60 / pitch * rng.uniform(0.5, 2, len(at)), 0.005, 0.06)
        heights = flow * rng.exponential(size=len(at)) * (low / pitch) ** 0.5
        out = normal(grains(n, sr, at, pitch, length, heights, rng.uniform(0, 1.2)))
        ground = band(coloured(rng, n, sr, -rng.uniform(0, 4)), sr, low, 6 * low, 1) * sway(
            rng, n, sr, 3, 0.3
        )
        return out + decibels(ground_db + rng.normal(0, 6)) * ground

    return recipe


def _rain(rng: Rng, n: int, sr: int) -> Array:
    low = between(rng, 300, 3000)
    drops = crackle(rng, n, sr, between(rng, 40, 2500), (low, min(4 * low, 7500)), (0.003, 0.012), 2.0)
    shower = hiss(rng, n, sr, between(rng, 300, 2500)) * sway(rng, n, sr, 0.7, 0.15)
    out = normal(drops) + between(rng, 0.01, 1) * normal(shower)
    if chance(rng, 0.4):
        out = resonate(out, sr, rng.uniform(200, 2500, 3), rng.uniform(2, 8, 3), 1.0, dry=0.4)
    return out


def _surf(rng: Rng, n: int, sr: int) -> Array:
    noise, out = coloured(rng, n, sr, -3), np.zeros(n)
    for _ in range(2):
        wave = np.exp(1.2 * wander(rng, n, sr, between(rng, 0.12, 0.5)))
        shape = wave[:: max(1, n // 512)]

        def wash(progress: Array, hz: Array, shape: Array = shape) -> Array:
            edge = 300 + 1500 * np.interp(progress, np.linspace(0, 1, len(shape)), shape)
            return np.asarray(1 / (1 + (hz / edge) ** 2))

        out += moving(noise, sr, wash) * wave
    return out


def _wind(rng: Rng, n: int, sr: int) -> Array:
    """Gusts, with up to four whistles whose pitch follows the wind."""
    force = wander(rng, n, sr, between(rng, 0.15, 0.9)) + 0.3 * wander(rng, n, sr, 3)
    shape = force[:: max(1, n // 512)]
    count = int(rng.integers(0, 5))
    whistles = [(between(rng, 250, 2500), between(rng, 15, 90), rng.uniform(0.5, 4)) for _ in range(count)]
    edge, bend = between(rng, 100, 700), rng.uniform(0.1, 0.35)

    def howl(progress: Array, hz: Array) -> Array:
        now = np.interp(progress, np.linspace(0, 1, len(shape)), shape)
        gain = 1 / (1 + (hz / (edge * np.exp(0.5 * now))) ** 2)
        for centre, sharp, level in whistles:
            away = sharp * (hz / centre / np.exp(bend * now) - 1)
            gain = gain + level * np.exp(now - 1) / (1 + away**2)
        return np.asarray(gain)

    out = moving(coloured(rng, n, sr, -2), sr, howl) * np.exp(0.7 * force)
    flaps = hiss(rng, n, sr, 20, 90) * np.maximum(wander(rng, n, sr, 4), 0) ** 2
    return np.asarray(out + rng.uniform(0, 2) * flaps)


def _thunder(rng: Rng, n: int, sr: int) -> Array:
    def clap() -> Array:
        size = int(between(rng, 2, 8) * sr)
        roll = np.exp(wander(rng, size, sr, 3)) * curve(size, [0, rng.uniform(0.3, 1), 0.5, 0.2, 0])
        out = band(coloured(rng, size, sr, -5), sr, 25, between(rng, 150, 1500)) * roll
        crack = rng.standard_normal(size) * decay(size, sr, between(rng, 0.1, 0.8))
        return normal(out) + chance(rng, 0.5) * rng.uniform(0.2, 0.9) * normal(crack)

    out = repeat(rng, n, sr, clap, (0.5, 5.0), 0.7, rest=True)
    return echo(rng, out, sr, 3.0, 0.3) + between(rng, 0.003, 0.1) * coloured(rng, n, sr, -1)


def _fire(rng: Rng, n: int, sr: int) -> Array:
    snaps = crackle(rng, n, sr, between(rng, 3, 120), (600, 7000), (0.002, 0.03), 2.5)
    roar = band(coloured(rng, n, sr, -4), sr, 40, between(rng, 200, 900)) * sway(rng, n, sr, 6, 0.3)
    return normal(snaps) + between(rng, 0.02, 0.5) * normal(roar) + 0.01 * rng.standard_normal(n)


def _static(rng: Rng, n: int, sr: int) -> Array:
    """Radio static, fading and cut by crackles and bursts."""
    out = hiss(rng, n, sr, between(rng, 60, 400), between(rng, 1500, 7000))
    out *= sway(rng, n, sr, between(rng, 0.3, 12), 0.5)
    spikes = crackle(rng, n, sr, between(rng, 1, 200), (300, 6000), (0.002, 0.004), 2.0)
    return normal(out) * rng.uniform(0.05, 1) + normal(spikes) * rng.uniform(0, 1)


def _vinyl(rng: Rng, n: int, sr: int) -> Array:
    """The run-out of a record: hiss, crackle, rumble, a click each turn."""
    snaps = normal(crackle(rng, n, sr, between(rng, 5, 150), (800, 6000), (0.001, 0.006), 2.0))
    clicks = pulses(float(rng.choice([33.3, 45, 78])) / 60, n, sr, lambda count: rng.uniform(0.5, 2, count))
    rumble = band(coloured(rng, n, sr, -6), sr, high=80)
    out = snaps + band(clicks, sr, 500, 5000) + between(rng, 0.003, 0.1) * rumble
    return out + between(rng, 0.003, 0.1) * coloured(rng, n, sr, -1.5)


def _steady(low: float, high: float) -> Recipe:
    """Return a recipe for noise of a fixed colour, its slope drawn from a range in dB per octave."""

    def recipe(rng: Rng, n: int, sr: int) -> Array:
        out = coloured(rng, n, sr, rng.uniform(low, high))
        if chance(rng, 0.5):
            hump = rng.uniform(0.5, 3)
            out = resonate(out, sr, [between(rng, 100, 6000)], between(rng, 0.5, 4), hump, dry=1.0)
        return out * sway(rng, n, sr, between(rng, 0.2, 2), rng.uniform(0, 0.1))

    return recipe


def _drone(rng: Rng, n: int, sr: int) -> Array:
    """Factory halls, pipes, tunnels, ships: noise through sharp resonances that come and go."""
    source, out = coloured(rng, n, sr, -rng.uniform(2, 6)), np.zeros(n)
    base = between(rng, 60, 600)
    for _ in range(int(rng.integers(3, 9))):
        centre = between(rng, base, 12 * base)
        swell = np.exp(rng.uniform(0.1, 0.8) * wander(rng, n, sr, between(rng, 0.1, 3)))
        out += normal(resonate(source, sr, [centre], between(rng, 8, 200))) * swell * (base / centre) ** 0.5
    hum = tone(rng, sr, between(rng, 25, 180) * sway(rng, n, sr, 1, 0.004), n, harmonics(rng, 20, 6))
    out = normal(out) + rng.uniform(0, 0.6) * normal(hum) + rng.uniform(0.02, 0.3) * normal(source)
    clanks = repeat(rng, n, sr, lambda: strike(rng, sr, any_material(rng)), (0.5, 4), 0.9)
    return echo(
        rng, out + chance(rng, 0.5) * rng.uniform(0.2, 1) * clanks, sr, between(rng, 0.5, 4), rng.random()
    )


def _room(rng: Rng, n: int, sr: int) -> Array:
    """Room tone: dull noise, a trace of hum, a ventilator's resonance."""
    out = coloured(rng, n, sr, -rng.uniform(3, 8)) + decibels(-rng.uniform(10, 40)) * rng.standard_normal(n)
    hum = tone(rng, sr, float(rng.choice([50, 60, between(rng, 40, 300)])), n, harmonics(rng, 8, 8))
    out = resonate(out, sr, [between(rng, 80, 1200)], between(rng, 1, 15), rng.uniform(0, 2), dry=1.0)
    return out + rng.uniform(0, 0.5) * hum


def _traffic(rng: Rng, n: int, sr: int) -> Array:
    """A road: tyres of many cars passing, with their motors far below."""
    out = 0.1 * band(coloured(rng, n, sr, -4), sr, 40, 1000)
    for _ in range(max(1, rng.poisson(n / sr / between(rng, 2, 12)))):
        pitch, level = passing(rng, n, sr, 1.0)
        tyres = band(coloured(rng, n, sr, -2), sr, between(rng, 200, 700), between(rng, 1200, 4000))
        motor = tone(rng, sr, between(rng, 35, 140) * pitch, n, harmonics(rng, 25, 6))
        out += rng.uniform(0.2, 1) * level**2 * (tyres + rng.uniform(0, 1.5) * normal(motor))
    return out


def _bursts(rng: Rng, n: int, sr: int) -> Array:
    """Air brakes, sprays, steam, flushes, valves: hisses that open and close."""
    low, slope = between(rng, 300, 4000), rng.uniform(-4, 1)

    def burst() -> Array:
        size = int(between(rng, 0.08, 3) * sr)
        x = band(coloured(rng, size, sr, slope), sr, low * rng.uniform(0.7, 1.4), 7500)
        x += rng.uniform(0, 1.5) * resonate(x, sr, [between(rng, 500, 5000)], between(rng, 5, 40))
        opening = curve(size, [0, 1, rng.uniform(0.3, 1), rng.uniform(0, 0.5), 0], [0, 0.1, 0.5, 0.8, 1])
        return normal(x * opening)

    out = repeat(rng, n, sr, burst, (0.15, 3), 0.8, rest=True)
    return out + between(rng, 0.002, 0.1) * coloured(rng, n, sr, -3)


AMBIENCE: dict[str, Recipe] = {
    "drips": _drops((0.7, 8), (350, 1600), -30),
    "stream": _drops((80, 900), (250, 1200), -22),
    "pouring and boiling": _drops((40, 600), (90, 700), -20),
    "rain": _rain,
    "surf": _surf,
    "wind": _wind,
    "thunder": _thunder,
    "fire": _fire,
    "radio static": _static,
    "vinyl crackle": _vinyl,
    "white noise": _steady(-1, 2),
    "pink noise": _steady(-4, -2),
    "brown noise": _steady(-8, -5),
    "industrial drone": _drone,
    "room tone": _room,
    "traffic": _traffic,
    "hisses": _bursts,
}
