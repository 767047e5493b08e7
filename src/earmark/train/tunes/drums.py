"""Percussion of made tunes: kits, hand drums, shakers and metal, and the patterns they play."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from earmark.train.synth.parts import Array, Rng, band, between, chance, decay, modes, place

Hit = Callable[[float], Array]  # strength, 0..1, to samples
Drum = Callable[[Rng, int], Hit]


def _skin(low: float, high: float, ring: tuple[float, float], slap: tuple[float, float]) -> Drum:
    """Return a drum head: a falling tone with overtones, and the noise of the stroke."""

    def drum(rng: Rng, sr: int) -> Hit:
        hz, seconds, snap = between(rng, low, high), between(rng, *ring), between(rng, *slap)
        drop, edge = rng.uniform(0.0, 1.5), between(rng, 0.005, 0.06)
        n = int(1.2 * seconds * sr)
        t = np.arange(n) / sr
        phase = 2 * np.pi * np.cumsum(hz * (1 + drop * np.exp(-t / 0.02))) / sr
        over = rng.uniform(0, 0.5, 3)

        def hit(strength: float) -> Array:
            body = np.sin(phase) * decay(n, sr, seconds)
            for i, ratio in enumerate((1.59, 2.14, 2.65)):
                body += over[i] * np.sin(ratio * phase) * decay(n, sr, seconds / (2 + i))
            noise = band(rng.standard_normal(n), sr, hz, 6000, 1) * decay(n, sr, edge)
            return strength * (body + snap * (0.5 + strength) * noise)

        return hit

    return drum


def _snare(rng: Rng, sr: int) -> Hit:
    hz, ring, wires = between(rng, 140, 300), between(rng, 0.05, 0.25), between(rng, 0.08, 0.45)
    low, loud = between(rng, 600, 3000), between(rng, 0.4, 2)
    n = int(1.2 * max(ring, wires) * sr)
    t = np.arange(n) / sr

    def hit(strength: float) -> Array:
        body = (np.sin(2 * np.pi * hz * t) + 0.5 * np.sin(2 * np.pi * 1.7 * hz * t)) * decay(n, sr, ring)
        noise = band(rng.standard_normal(n), sr, low, order=1) * decay(n, sr, wires)
        return strength * (body + loud * noise)

    return hit


def _metal(low: float, high: float, ring: tuple[float, float], noisy: tuple[float, float]) -> Drum:
    """Return hi-hats, cymbals, gongs, bells: crowded modes over noise."""

    def drum(rng: Rng, sr: int) -> Hit:
        seconds, part = between(rng, *ring), between(rng, *noisy)
        base = between(rng, low, high)
        hz = base * np.sort(rng.uniform(1, 12, 24))
        body = modes(sr, hz, seconds * rng.uniform(0.3, 1, 24), rng.uniform(0.05, 0.3, 24), 1.1 * seconds)
        n = len(body)

        def hit(strength: float) -> Array:
            noise = band(rng.standard_normal(n), sr, 2 * base, order=2) * decay(n, sr, seconds)
            return strength * (body + part * noise)

        return hit

    return drum


def _shaken(rng: Rng, sr: int) -> Hit:
    low, seconds = between(rng, 2500, 6000), between(rng, 0.03, 0.15)
    n = int(2 * seconds * sr)
    rising = np.minimum(np.arange(n) / (between(rng, 0.005, 0.04) * sr), 1)

    def hit(strength: float) -> Array:
        return strength * band(rng.standard_normal(n), sr, low) * rising * decay(n, sr, seconds)

    return hit


def _clapped(rng: Rng, sr: int) -> Hit:
    low, seconds = between(rng, 600, 1500), between(rng, 0.08, 0.3)
    n = int(1.3 * seconds * sr)
    gaps = np.concatenate([[0.0], np.cumsum(rng.uniform(0.004, 0.014, 3))])

    def hit(strength: float) -> Array:
        strokes = [(float(gap), decay(n, sr, seconds if gap == gaps[-1] else 0.012)) for gap in gaps]
        shape = place(n, sr, strokes)
        return strength * band(rng.standard_normal(n), sr, low, 3 * low, 1) * shape

    return hit


def _block(rng: Rng, sr: int) -> Hit:
    hz = between(rng, 400, 2500)
    body = modes(sr, hz * np.array([1, 2.57, 4.1]), between(rng, 0.04, 0.3), (1, 0.4, 0.2), 0.3)
    return lambda strength: strength * body


KICK = _skin(38, 75, (0.12, 0.6), (0.02, 0.5))
TOM = _skin(70, 220, (0.2, 0.8), (0.03, 0.3))
HAND = _skin(90, 420, (0.08, 0.5), (0.05, 1.0))
SNARE: Drum = _snare
HAT = _metal(1800, 4500, (0.03, 0.12), (0.4, 2))
RIDE = _metal(400, 2500, (0.4, 1.6), (0.1, 0.6))
CRASH = _metal(300, 1500, (1.0, 3.0), (0.4, 1.5))
GONG = _metal(90, 500, (1.0, 4.0), (0.01, 0.1))
ANY: tuple[Drum, ...] = (KICK, TOM, HAND, HAND, SNARE, HAT, RIDE, GONG, _shaken, _clapped, _block)


def euclid(hits: int, steps: int, turn: int) -> list[int]:
    """Spread `hits` as evenly as they go over `steps`, begun `turn` steps later."""
    return sorted(((step * steps) // hits + turn) % steps for step in range(hits))


def kit_pattern(rng: Rng, kind: str, steps: int) -> list[tuple[Drum, list[int]]]:
    """Write a bar of a drum kit, on `steps` sixteenths.

    `kind` is ``"rock"``, ``"metal"``, ``"floor"`` (four on the floor) or ``"broken"``.
    """
    beat = 4
    beats = list(range(0, steps, beat))
    off = [s for s in range(steps) if s % beat == beat // 2]
    if kind == "metal":
        blast = list(range(0, steps, 2))
        kick = list(range(steps)) if chance(rng, 0.4) else blast
        snare = [s + 1 for s in blast if s + 1 < steps] if chance(rng, 0.4) else beats[1::2]
        ride = blast if chance(rng, 0.6) else beats
        return [(KICK, kick), (SNARE, snare), (CRASH if chance(rng, 0.4) else RIDE, ride)]
    if kind == "floor":
        return [(KICK, beats), (_clapped if chance(rng, 0.5) else SNARE, beats[1::2]), (HAT, off)]
    extra = rng.choice(steps, size=int(rng.integers(1, 5)), replace=False).tolist()
    kick = sorted({0, *(int(s) for s in extra if s not in beats[1::2])})
    snare = beats[1::2] if kind == "rock" else sorted({*beats[1::2], int(rng.integers(steps))})
    hats = list(range(0, steps, int(rng.choice([1, 2, 2, 4]))))
    return [(KICK, kick), (SNARE, snare), (RIDE if chance(rng, 0.2) else HAT, hats)]


def hand_pattern(rng: Rng, steps: int) -> list[tuple[Drum, list[int]]]:
    """Write a bar for two to six hand drums, blocks and shakers, each evenly spread."""
    return [
        (
            ANY[int(rng.integers(len(ANY)))],
            euclid(int(rng.integers(1, max(2, steps // 2 + 1))), steps, int(rng.integers(steps))),
        )
        for _ in range(int(rng.integers(2, 7)))
    ]
