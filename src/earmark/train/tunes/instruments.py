"""Pitched instruments of made tunes: plucked, struck, bowed, blown and electronic, some through amplifiers.

An `Instrument` plays notes: it gets a pitch (constant, or gliding: one value a sample), a length in
samples and a strength from 0 to 1, and returns float64 samples that may ring on past the length.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from earmark.train.synth.parts import (
    Array,
    Rng,
    band,
    between,
    chance,
    coloured,
    decay,
    envelope,
    harmonics,
    normal,
    tone,
    wander,
)

Note = Callable[[Array | float, int, float], Array]
Instrument = Callable[[Rng, int], Note]  # (rng, sample rate): one player, who keeps a sound

_MOST_PARTIALS = 24


def plucked(rng: Rng, sr: int) -> Note:
    """Return a string plucked or struck: guitar, lute, harp, harpsichord, piano."""
    fall, ring = rng.uniform(2, 9), between(rng, 0.4, 4.0)
    damping, stiff = rng.uniform(0.3, 1.2), between(rng, 1e-6, 4e-4)
    position, knock = rng.uniform(0.08, 0.5), between(rng, 0.002, 0.08)

    def note(hz: Array | float, n: int, strength: float) -> Array:
        f0 = float(np.mean(hz))
        count = max(1, min(_MOST_PARTIALS, int(0.45 * sr / f0)))
        k = np.arange(1, count + 1)
        pitch = k * f0 * np.sqrt(1 + stiff * k**2)
        gains = np.abs(np.sin(np.pi * k * position)) * k ** (-(fall + 4 * (1 - strength)) / 6.02)
        seconds = ring * (220 / f0) ** 0.4
        size = min(n + int(0.15 * sr), int(3 * seconds * sr) + 1)
        t = np.arange(size) / sr
        body = np.zeros(size)
        for partial, gain, order in zip(pitch, gains, k, strict=True):
            if partial < 0.48 * sr:
                body += gain * np.exp(-6.9 * t * order**damping / seconds) * np.sin(2 * np.pi * partial * t)
        body[: int(0.02 * sr)] += knock * rng.standard_normal(min(size, int(0.02 * sr)))
        return strength * body * envelope(size, sr, 0.001, 0.1)

    return note


def sustained(rng: Rng, sr: int) -> Note:
    """Return a bowed or blown player, or an organ: harmonics, vibrato, breath."""
    levels = harmonics(rng, _MOST_PARTIALS, rng.uniform(3, 12), 5)
    if chance(rng, 0.2):
        levels[1::2] *= 0.1  # a clarinet's odd harmonics
    attack, release = between(rng, 0.01, 0.25), between(rng, 0.03, 0.4)
    vibrato, speed = between(rng, 0.0005, 0.012), rng.uniform(4, 7)
    breath = between(rng, 0.003, 0.1)

    def note(hz: Array | float, n: int, strength: float) -> Array:
        size = n + int(0.5 * release * sr)
        t = np.arange(size) / sr
        f0 = np.broadcast_to(hz, n) if np.ndim(hz) else np.full(n, float(np.mean(hz)))
        f0 = np.pad(f0, (0, size - n), mode="edge")
        depth = vibrato * np.minimum(t / 0.4, 1)
        f0 = f0 * (1 + depth * np.sin(2 * np.pi * speed * t + rng.uniform(0, 6)))
        body = tone(rng, sr, f0, size, levels)
        air = band(rng.standard_normal(size), sr, 500, 5000, 1)
        body = body / (np.std(body) + 1e-9) + breath * air
        return strength * body * envelope(size, sr, attack, release) * (1 + 0.1 * wander(rng, size, sr, 3))

    return note


def analogue(rng: Rng, sr: int) -> Note:
    """Return a synthesiser: saw, square or pulse waves side by side, through a filter that closes."""
    k = np.arange(1, 41)
    width = rng.uniform(0.1, 0.5)
    wave = 1 / k if chance(rng, 0.5) else np.abs(np.sin(np.pi * k * width)) / k
    detune = between(rng, 0.0005, 0.012)
    voices = int(rng.integers(1, 4))
    cutoff, closing = between(rng, 400, 6000), between(rng, 0.05, 1.5)
    attack, release = between(rng, 0.002, 0.2), between(rng, 0.02, 0.5)

    def note(hz: Array | float, n: int, strength: float) -> Array:
        size = n + int(0.3 * release * sr)
        f0 = np.pad(np.broadcast_to(hz, n), (0, size - n), mode="edge")
        body = np.zeros(size)
        for _ in range(voices):
            body += tone(rng, sr, f0 * (1 + rng.normal(0, detune)), size, wave)
        dark = band(body, sr, high=0.3 * cutoff)
        bright = band(body, sr, high=min(cutoff * (0.5 + strength), 0.45 * sr))
        opening = np.exp(-np.arange(size) / sr / closing)
        return strength * (bright * opening + dark * (1 - opening)) * envelope(size, sr, attack, release)

    return note


def bell(rng: Rng, sr: int) -> Note:
    """Return frequency modulation: bells, electric pianos, marimbas, gamelan."""
    ratio = float(rng.choice([1.0, 2.0, 3.0, 3.5, 1.41, 2.76, 5.4, 7.0]))
    index, ring = between(rng, 0.3, 5.0), between(rng, 0.3, 4.0)

    def note(hz: Array | float, n: int, strength: float) -> Array:
        f0 = float(np.mean(hz))
        size = int(min(ring * 1.2, 4.0) * sr)
        t = np.arange(size) / sr
        falling = np.exp(-6.9 * t / ring)
        swing = index * strength * falling**2 * np.sin(2 * np.pi * min(f0 * ratio, 0.3 * sr) * t)
        return strength * np.sin(2 * np.pi * f0 * t + swing) * decay(size, sr, ring, 0.002)

    return note


def drone(rng: Rng, sr: int) -> Note:
    """Return a buzzing long string, whose upper partials wander: tanpura, hurdy-gurdy, bagpipe."""
    levels = harmonics(rng, _MOST_PARTIALS, rng.uniform(1, 5), 6)
    speed = between(rng, 0.3, 2.0)

    def note(hz: Array | float, n: int, strength: float) -> Array:
        f0 = float(np.mean(hz))
        parts = (levels[:6], np.where(np.arange(len(levels)) < 6, 0.0, levels))
        low, high = (tone(rng, sr, f0, n, part) for part in parts)
        buzz = np.exp(-np.arange(n) / sr * rng.uniform(0.3, 2)) * (1 + 0.5 * wander(rng, n, sr, speed))
        return strength * (low + buzz * high) * envelope(n, sr, 0.02, 0.3)

    return note


PITCHED: tuple[Instrument, ...] = (plucked, sustained, analogue, bell)


def amplified(rng: Rng, x: Array, sr: int, gain: float) -> Array:
    """Send a whole part through an amplifier that clips, and its loudspeaker."""
    tight = band(normal(x), sr, between(rng, 60, 250), order=1)
    clipped = np.tanh(gain * tight + rng.uniform(0, 0.2)) + 0.003 * coloured(rng, len(x), sr, -1)
    return band(clipped, sr, between(rng, 60, 120), between(rng, 3000, 6500), 2)
