"""Noises of beepers, telephones, data, radio whistles, feedback and test tones."""

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
    convolved,
    curve,
    envelope,
    hiss,
    modes,
    pulses,
    repeat,
    sway,
    tone,
    wander,
)
from earmark.train.synth.space import echo

Spans = list[tuple[float, float]]


def _spans(rng: Rng, seconds: float, on: float, off: float, count: int = 1, pause: float = 0.0) -> Spans:
    """Return when a sounder is on: groups of `count` beeps; the first begins soon."""
    spans: Spans = []
    t = rng.uniform(0, min(off, 0.1 * seconds))
    while t < seconds:
        for _ in range(count):
            spans.append((t, t + on))
            t += on + off
        t += pause
    return spans


def keyed(n: int, sr: int, spans: Spans, ramp: float = 0.004) -> Array:
    """Return a gate, 0 to 1, open in the given (start, end) spans."""
    out = np.zeros(n)
    for start, end in spans:
        first, last = int(max(start, 0) * sr), min(n, int(end * sr))
        if last > first:
            out[first:last] = np.maximum(out[first:last], envelope(last - first, sr, ramp, ramp))
    return out


def timbre(rng: Rng) -> Array:
    """Draw the harmonics of an electronic sounder: sine, square, buzzer or piezo."""
    k = np.arange(1, 25)
    shapes = (1.0 * (k == 1), (k % 2) / k, 1 / k, np.exp(-0.5 * ((k - rng.integers(1, 6)) / 0.8) ** 2) + 0.02)
    return np.asarray(shapes[int(rng.integers(4))] * np.exp(0.3 * rng.standard_normal(24)))


def _beeps(rng: Rng, n: int, sr: int) -> Array:
    """Reversing lorries, microwave ovens, smoke detectors, alarm clocks, monitors, tills."""
    seconds, f0 = n / sr, between(rng, 350, 4200)
    style = int(rng.integers(5))
    if style == 4:  # a till: whenever the next thing comes
        starts = np.cumsum(rng.exponential(between(rng, 0.4, 2), 200)) - 0.1
        spans = [(float(t), float(t) + 0.12) for t in starts if t < seconds] or [(0.0, 0.12)]
    else:
        on = between(rng, *((0.2, 0.8), (0.04, 0.14), (0.3, 1.0), (0.05, 0.2))[style])
        off = between(rng, 0.4, 1.6) if style == 3 else on * rng.uniform(0.7, 1.4)
        count = 1 if style in (0, 3) else int(rng.integers(2, 6))
        spans = _spans(rng, seconds, on, off, count, between(rng, 0.3, 3) if count > 1 else 0.0)
    out = tone(rng, sr, f0, n, timbre(rng))
    if chance(rng, 0.25):
        out += rng.uniform(0.3, 1) * tone(rng, sr, f0 * rng.uniform(1.003, 1.3), n, timbre(rng))
    return out * keyed(n, sr, spans, between(rng, 0.002, 0.02))


def _two_tone(rng: Rng, n: int, sr: int) -> Array:
    """Sounders that flip between pitches: fire panels, electronic ringers, pelican crossings."""
    rate, low = between(rng, 0.8, 25), between(rng, 400, 2500)
    steps = low * np.concatenate([[1.0], rng.uniform(1.06, 1.9, int(rng.integers(1, 3)))])
    f0 = steps[(np.arange(n) / sr * rate).astype(np.intp) % len(steps)]
    gate = keyed(n, sr, _spans(rng, n / sr, between(rng, 0.6, 4), between(rng, 0.2, 3)), 0.01)
    return tone(rng, sr, f0, n, timbre(rng)) * (gate if chance(rng, 0.7) else 1.0)


def _bell_ringer(rng: Rng, n: int, sr: int) -> Array:
    """Telephone, school, fire and alarm clock bells: a fast hammer on gongs."""
    rate = between(rng, 9, 30) * sway(rng, n, sr, 3, 0.02)
    hammer = pulses(rate, n, sr, lambda count: rng.uniform(0.5, 1, count))
    hammer *= keyed(n, sr, _spans(rng, n / sr, between(rng, 0.5, 4), between(rng, 0.5, 3)))
    gong = np.zeros(sr)
    for base in between(rng, 600, 2500) * np.array([1.0, rng.uniform(1.02, 1.35)]):
        ratios = np.concatenate([[1.0], 1 + np.cumsum(rng.uniform(0.4, 1.2, 5))])
        gong += modes(sr, base * ratios, between(rng, 0.15, 0.9), rng.uniform(0.2, 1, 6), 1.0)
    return convolved(hammer, gong)


def _line_tones(rng: Rng, n: int, sr: int) -> Array:
    """Dialling, ringing, busy and error tones of a telephone line."""
    f0 = between(rng, 300, 700)
    out = tone(rng, sr, f0, n) + rng.uniform(0, 1) * tone(rng, sr, f0 * rng.uniform(1.05, 1.5), n)
    style = int(rng.integers(4))
    if style:
        on, off = ((0.5, 0.5), (0.25, 0.25), (1.2, 2.5))[style - 1]
        out *= keyed(n, sr, _spans(rng, n / sr, on * rng.uniform(0.7, 1.4), off * rng.uniform(0.7, 1.4)))
    return band(out + between(rng, 0.002, 0.05) * rng.standard_normal(n), sr, 250, 3500)


def _dialling(rng: Rng, n: int, sr: int) -> Array:
    """Keys pressed on a telephone: pairs from two groups of tones, at no musical pitch."""
    rows, columns = np.array([[697, 770, 852, 941], [1209, 1336, 1477, 1633]]) * rng.uniform(
        0.85, 1.2, (2, 1)
    )
    size = int(between(rng, 0.05, 0.3) * sr)

    def key() -> Array:
        low, high = float(rng.choice(rows)), float(rng.choice(columns))
        out = tone(rng, sr, low, size) + rng.uniform(0.5, 1) * tone(rng, sr, high, size)
        return out * envelope(size, sr, 0.003, 0.003)

    line = between(rng, 0.002, 0.05) * hiss(rng, n, sr, 250, 3500)
    return repeat(rng, n, sr, key, (0.05, 0.5), 0.5, rest=True, distinct=12, spread_db=0.5) + line


def _modem(rng: Rng, n: int, sr: int) -> Array:
    """Modems, fax, teletype: carriers, keyed pairs of tones, scrambled bands, in stages."""
    out, first = np.zeros(n), 0
    while first < n:
        size = min(n - first, int(between(rng, 0.15, 4) * sr))
        style, f0, t = int(rng.integers(4)), between(rng, 500, 2600), np.arange(size) / sr
        if style == 0:
            x = tone(rng, sr, f0, size, (1, 0.1)) * (1 + rng.uniform(0, 0.5) * np.sin(2 * np.pi * 15 * t))
        elif style == 1:
            bits = rng.integers(0, 2, n)[(t * between(rng, 40, 320)).astype(np.intp)]
            x = tone(rng, sr, f0 + bits * between(rng, 80, 900), size)
        elif style == 2:
            x = 1.5 * hiss(rng, size, sr, 500, 3000)
        else:
            symbols = rng.integers(0, 4, n)[(t * between(rng, 300, 1200)).astype(np.intp)]
            x = np.sin(2 * np.pi * f0 * t + symbols * np.pi / 2)
        out[first : first + size] = x * envelope(size, sr, 0.004, 0.004) * rng.uniform(0.4, 1)
        first += size
    return band(out, sr, 200, 3600) + between(rng, 0.002, 0.05) * rng.standard_normal(n)


def _morse(rng: Rng, n: int, sr: int) -> Array:
    dot, t = between(rng, 0.035, 0.13), rng.uniform(0, 0.1)
    spans: Spans = []
    while t < n / sr:
        length = dot * (3 if chance(rng, 0.45) else 1) * rng.uniform(0.93, 1.07)
        spans.append((t, t + length))
        t += length + dot * float(rng.choice([1, 1, 1, 3, 7]))
    f0 = between(rng, 350, 1400) * (1 + between(rng, 0.0005, 0.01) * wander(rng, n, sr, 1))
    out = tone(rng, sr, f0, n, timbre(rng) if chance(rng, 0.4) else (1.0,)) * keyed(n, sr, spans, 0.005)
    fading = 1 + rng.uniform(0, 0.5) * wander(rng, n, sr, 0.5)
    return out * fading + between(rng, 0.01, 1.0) * band(rng.standard_normal(n), sr, 200, 3000)


def _zaps(rng: Rng, n: int, sr: int) -> Array:
    """Electronic effects of games and robots: fast random sweeps and warbles."""

    def zap() -> Array:
        size = int(between(rng, 0.04, 0.7) * sr)
        f0 = np.exp(curve(size, rng.uniform(np.log(150), np.log(5000), int(rng.integers(2, 6)))))
        f0 *= 1 + rng.uniform(0, 0.4) * np.sin(2 * np.pi * between(rng, 5, 90) * np.arange(size) / sr)
        return tone(rng, sr, f0, size, timbre(rng)) * envelope(size, sr, 0.004, 0.05)

    return repeat(rng, n, sr, zap, (0.03, 1.2), 0.8, rest=True, distinct=30)


def _tuning(rng: Rng, n: int, sr: int) -> Array:
    """A receiver tuned across the band: whistles sweeping through zero beat over static."""
    static = hiss(rng, n, sr, 150, between(rng, 2000, 5000)) * sway(rng, n, sr, 3, 0.4)
    out = rng.uniform(0.1, 0.8) * static
    dial = 2500 * np.cumsum(wander(rng, n, sr, between(rng, 0.3, 2))) / sr
    for _ in range(int(rng.integers(2, 7))):
        f0 = np.abs(dial + rng.uniform(-4000, 4000)) + 5
        near = np.exp(-((f0 / between(rng, 700, 3500)) ** 2))
        out += rng.uniform(0.2, 1) * near * tone(rng, sr, f0, n)
    return out


def _sweep(rng: Rng, n: int, sr: int) -> Array:
    """Test sweeps, up or down, once or again and again."""
    low, high = between(rng, 30, 500), between(rng, 1500, 0.45 * sr)
    turn = np.arange(n) / sr / between(rng, 0.5, 15) % 1
    turn = 1 - turn if chance(rng, 0.4) else turn
    f0 = low * (high / low) ** turn if chance(rng, 0.6) else low + (high - low) * turn
    return tone(rng, sr, f0, n) + between(rng, 0.001, 0.03) * rng.standard_normal(n)


def _tones(rng: Rng, n: int, sr: int) -> Array:
    """Line-up tones, steady, drifting or pulsed, and beating pairs, at random pitches."""
    out, t = np.zeros(n), np.arange(n) / sr
    for _ in range(int(rng.integers(1, 4))):
        f0 = between(rng, 60, 6500) * np.exp(chance(rng, 0.3) * 0.05 * wander(rng, n, sr, 0.5))
        x = tone(rng, sr, f0, n, timbre(rng) if chance(rng, 0.3) else (1.0,))
        out += (
            rng.uniform(0.2, 1) * x * (1 + rng.uniform(0, 1) * np.sin(2 * np.pi * between(rng, 0.2, 30) * t))
        )
    return out + between(rng, 0.0005, 0.1) * coloured(rng, n, sr, -rng.uniform(0, 4))


def _feedback(rng: Rng, n: int, sr: int) -> Array:
    """Howling loudspeakers: tones that grow and break off."""

    def howl() -> Array:
        size = int(between(rng, 0.4, 4) * sr)
        f0 = between(rng, 250, 4500) * (1 + 0.01 * curve(size, rng.normal(size=4)))
        grow = np.minimum(np.exp(np.linspace(-rng.uniform(3, 8), 0.5, size)), 1)
        ring = np.tanh(rng.uniform(0.7, 3) * tone(rng, sr, f0, size, (1, 0.1, 0.05)))
        return ring * grow * envelope(size, sr, 0.01, 0.1)

    out = repeat(rng, n, sr, howl, (0.1, 2), 0.8, rest=True)
    return echo(rng, out, sr, between(rng, 0.3, 1.5), 0.4) + 0.03 * coloured(rng, n, sr, -3)


SIGNALS: dict[str, Recipe] = {
    "beeps": _beeps,
    "two-tone alarm": _two_tone,
    "bell ringer": _bell_ringer,
    "line tones": _line_tones,
    "dialling": _dialling,
    "modem": _modem,
    "morse": _morse,
    "zaps": _zaps,
    "radio tuning": _tuning,
    "test sweep": _sweep,
    "test tones": _tones,
    "feedback": _feedback,
}
