"""Noises of many at once: birds, insects, babble, crowds, applause."""

from __future__ import annotations

import numpy as np

from earmark.train.noises.throats import call
from earmark.train.synth.parts import (
    Array,
    Recipe,
    Rng,
    between,
    chance,
    coloured,
    convolved,
    curve,
    decay,
    decibels,
    envelope,
    harmonics,
    hiss,
    moving,
    normal,
    place,
    repeat,
    resonate,
    sway,
    tone,
    unit,
    wander,
)
from earmark.train.synth.space import echo


def _syllable(rng: Rng, sr: int, low: float, high: float) -> Array:
    """One note of a bird: a fast random glide, sometimes trilled or split into buzzes."""
    size = int(between(rng, 0.02, 0.35) * sr)
    f0 = np.exp(curve(size, rng.uniform(np.log(low), np.log(high), int(rng.integers(2, 5)))))
    if chance(rng, 0.35):
        f0 *= 1 + rng.uniform(0.02, 0.25) * np.sin(2 * np.pi * between(rng, 15, 120) * np.arange(size) / sr)
    out = tone(rng, sr, f0, size, (1, rng.uniform(0, 0.3), rng.uniform(0, 0.1)))
    return out * envelope(size, sr, 0.3 * size / sr, 0.4 * size / sr)


def _birds(rng: Rng, n: int, sr: int) -> Array:
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 5))):
        low = min(between(rng, 1200, 4500), 0.35 * sr)
        high = min(low * rng.uniform(1.1, 2.2), 0.45 * sr)
        notes = [_syllable(rng, sr, low, high) for _ in range(int(rng.integers(1, 6)))]
        inner, trill = between(rng, 0.01, 0.25), chance(rng, 0.4)

        def song(notes: list[Array] = notes, inner: float = inner, trill: bool = trill) -> Array:
            events, t = [], 0.0
            one = notes[int(rng.integers(len(notes)))]
            for _ in range(int(rng.integers(1, 16))):
                one = one if trill else notes[int(rng.integers(len(notes)))]
                events.append((t, one * rng.uniform(0.6, 1)))
                t += len(one) / sr + inner * rng.uniform(0.8, 1.2)
            return place(int((t + 0.1) * sr), sr, events)

        out += rng.uniform(0.1, 1) * repeat(rng, n, sr, song, (0.2, 3.0), 0.8, rest=True)
    return echo(rng, out, sr, between(rng, 0.3, 1.5), rng.uniform(0.05, 0.5))


def _crickets(rng: Rng, n: int, sr: int) -> Array:
    t, out = np.arange(n) / sr, np.zeros(n)
    for _ in range(int(rng.integers(1, 6))):
        pulse = np.maximum(np.sin(2 * np.pi * between(rng, 18, 90) * t), 0) ** 1.5
        if chance(rng, 0.7):
            slow = np.sin(2 * np.pi * (between(rng, 0.6, 4) * t + rng.random()))
            pulse *= np.clip(6 * slow - rng.uniform(0, 4), 0, 1)
        f0 = min(between(rng, 2200, 6500), 0.45 * sr) * sway(rng, n, sr, 9, 0.004)
        out += rng.uniform(0.1, 1) * tone(rng, sr, f0, n) * pulse
    return out + between(rng, 0.003, 0.1) * coloured(rng, n, sr, -2)


def _cicadas(rng: Rng, n: int, sr: int) -> Array:
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 4))):
        centre = min(between(rng, 2500, 7000), 0.42 * sr)
        rate = between(rng, 30, 300) * sway(rng, n, sr, 4, 0.02)
        buzz = rng.standard_normal(n) * (1 + np.sin(2 * np.pi * np.cumsum(rate) / sr))
        swell = sway(rng, n, sr, between(rng, 0.2, 2), rng.uniform(0, 0.9)) + 0.02
        out += rng.uniform(0.3, 1) * normal(resonate(buzz, sr, [centre], between(rng, 4, 40))) * swell
    return out


def _flies(rng: Rng, n: int, sr: int) -> Array:
    """Mosquitoes, flies, bees, hives: wing beats that come near and go."""
    out = np.zeros(n)
    base = between(rng, 110, 650)
    for _ in range(int(rng.choice([1, 1, 2, 8]))):
        f0 = base * np.exp(
            rng.normal(0, 0.12) + rng.uniform(0.02, 0.12) * wander(rng, n, sr, between(rng, 1, 5))
        )
        near = np.exp(1.2 * wander(rng, n, sr, between(rng, 0.4, 2)))
        out += tone(rng, sr, f0, n, harmonics(rng, 20, rng.uniform(4, 10))) * near
    return normal(out) + between(rng, 0.003, 0.1) * coloured(rng, n, sr, -3)


def _babble(rng: Rng, n: int, sr: int) -> Array:
    """Many people at once, no word of any to be understood: noise and drones with syllables and formants."""
    out = np.zeros(n)
    knots = np.linspace(0, 1, 512)
    for _ in range(int(rng.integers(5, 10))):
        rate, size = rng.uniform(3, 6), rng.uniform(0.85, 1.25)
        # Two pitches at once, and noise: a murmur of several voices that no formant makes into one.
        f0 = between(rng, 85, 260) * np.exp(0.15 * wander(rng, n, sr, 1.5))
        source = sum(
            unit(tone(rng, sr, f0 * r, n, harmonics(rng, 40, 5))) for r in (1.0, rng.uniform(1.1, 1.7))
        )
        source += rng.uniform(0.3, 1.5) * coloured(rng, n, sr, -3)
        tracks = [c * size * np.exp(0.25 * wander(rng, 512, 512, rate * n / sr)) for c in (500, 1500, 2600)]

        def mouth(progress: Array, hz: Array, tracks: list[Array] = tracks) -> Array:
            gain = np.full((len(progress), hz.shape[1]), 0.02)
            for index, track in enumerate(tracks):
                at = np.interp(progress, knots, track)
                gain += 0.5**index / np.sqrt(1 + ((hz - at) / (0.12 * at + 40)) ** 2)
            return gain

        syllables = np.maximum(wander(rng, n, sr, rate * 2) + 0.5, 0) * sway(rng, n, sr, 0.7, 0.8)
        out += moving(np.asarray(source), sr, mouth) * syllables * decibels(rng.uniform(-6, 0))
    return echo(rng, out, sr, between(rng, 0.4, 1.8), rng.uniform(0.4, 1.2))


def _crowd(rng: Rng, n: int, sr: int) -> Array:
    """Roaring, cheering and laughing crowds: bands of noise that surge, with whoops far back."""
    surge = np.exp(rng.uniform(0.2, 0.9) * wander(rng, n, sr, between(rng, 0.15, 1)))
    noise, roar = coloured(rng, n, sr, -3), np.zeros(n)
    for _ in range(4):
        part = resonate(noise, sr, [between(rng, 300, 2600) for _ in range(3)], rng.uniform(2, 8, 3))
        roar += part * np.exp(0.5 * wander(rng, n, sr, between(rng, 2, 9)))
    f0, size, laughs = between(rng, 250, 700), rng.uniform(0.8, 1.2), chance(rng, 0.3)

    def whoop() -> Array:
        seconds = between(rng, 0.08, 0.2) if laughs else between(rng, 0.3, 1.8)
        pitch = f0 * np.exp(rng.normal(0, 0.35) + rng.normal(0, 0.2, 3))
        return call(
            rng, sr, seconds, pitch, np.array([800, 1300, 2700]) * size, rough=rng.uniform(0, 0.6), breath=0.4
        )

    voices = repeat(rng, n, sr, whoop, (0.03, 0.3), 1.0, distinct=10, spread_db=5)
    out = normal(roar) * surge + between(rng, 0.15, 2.0) * normal(voices)
    return echo(rng, out, sr, between(rng, 0.5, 3), rng.uniform(0.2, 1))


def _applause(rng: Rng, n: int, sr: int) -> Array:
    """Applause from one pair of hands to a hall; seldom in step."""
    hands, in_step = int(between(rng, 1, 70)), chance(rng, 0.12)
    rate, out = rng.uniform(2, 5), np.zeros(n)
    for _ in range(hands):
        air, centre = rng.standard_normal(int(0.05 * sr)), between(rng, 500, 2600)
        air *= decay(len(air), sr, between(rng, 0.01, 0.04))
        clap = normal(resonate(air, sr, [centre, 2.3 * centre], 1.5), rng.uniform(0.2, 1))
        every = 1 / (rate if in_step else rng.uniform(2.5, 6))
        times = np.arange(rng.uniform(0, 0.05 if in_step else every), n / sr, every)
        times += rng.normal(0, 0.02 if in_step else 0.1 * every, len(times))
        train = np.zeros(n)
        train[np.clip(times * sr, 0, n - 1).astype(np.intp)] = rng.uniform(0.6, 1, len(times))
        out += convolved(train, clap)
    if hands > 15:
        out = normal(out) + rng.uniform(0.05, 0.5) * normal(hiss(rng, n, sr, 600, 4000))
    return echo(rng, out * sway(rng, n, sr, 0.3, 0.5), sr, between(rng, 0.3, 2), rng.uniform(0.1, 0.7))


SWARMS: dict[str, Recipe] = {
    "birds": _birds,
    "crickets": _crickets,
    "cicadas": _cicadas,
    "flies and bees": _flies,
    "babble": _babble,
    "crowd": _crowd,
    "applause": _applause,
}
