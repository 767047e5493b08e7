"""Building blocks of made sounds: noise, pulses, tones, resonances, events.

Signals are float64, shape=(n_samples,); frequencies are in Hz, times in seconds.  Filters work on whole
signals in the frequency domain, with causal responses so that attacks stay sharp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Rng = np.random.Generator
Recipe = Callable[[Rng, int, int], Array]  # (rng, number of samples, sample rate)

_LOWEST_HZ = 25.0


def between(rng: Rng, low: float, high: float) -> float:
    """Draw a positive number, uniform in the logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def chance(rng: Rng, probability: float) -> bool:
    """Decide at random."""
    return bool(rng.random() < probability)


def decibels(level: float) -> float:
    """Turn dB into an amplitude factor."""
    return float(10 ** (level / 20))


def normal(x: Array, level: float = 1.0) -> Array:
    """Scale to a peak of `level`; silence stays silent."""
    peak = float(np.max(np.abs(x), initial=0.0))
    return x * (level / peak) if peak > 0 else x


def curve(n: int, values: npt.ArrayLike, knots: npt.ArrayLike | None = None) -> Array:
    """Lead smoothly through `values`, with level tangents, over `n` points.

    `knots` are the values' places, rising within 0..1; evenly spaced by default.
    """
    v = np.asarray(values, dtype=np.float64)
    at = np.linspace(0, 1, len(v)) if knots is None else np.asarray(knots, dtype=np.float64)
    place = np.interp(np.linspace(0, 1, n), at, np.arange(len(v)))
    left = np.minimum(place.astype(np.intp), len(v) - 2)
    rest = place - left
    rest = rest * rest * (3 - 2 * rest)
    return np.asarray(v[left] * (1 - rest) + v[left + 1] * rest)


def wander(rng: Rng, n: int, sr: int, rate: float) -> Array:
    """Return a smooth random curve of unit spread with about `rate` turns per second."""
    count = max(3, int(np.ceil(n / sr * rate)) + 2)
    length = max(n, int((count - 1) * sr / rate))
    start = int(rng.integers(length - n + 1))
    knots = rng.standard_normal(count)
    place = (start + np.arange(n)) * ((count - 1) / max(length, 1))
    left = np.minimum(place.astype(np.intp), count - 2)
    rest = place - left
    rest = rest * rest * (3 - 2 * rest)
    return np.asarray(knots[left] * (1 - rest) + knots[left + 1] * rest)


def sway(rng: Rng, n: int, sr: int, rate: float, depth: float) -> Array:
    """Return a factor that wanders round 1, by about `depth`, and never falls below 0."""
    return np.maximum(1 + depth * wander(rng, n, sr, rate), 0)


def filtered(x: Array, sr: int, response: Callable[[Array], npt.ArrayLike], tail: float = 0.3) -> Array:
    """Multiply the spectrum by `response(hz)`; ringing longer than `tail` seconds wraps round."""
    size = 1 << int(np.ceil(np.log2(len(x) + tail * sr + 1)))
    hz = np.fft.rfftfreq(size, 1 / sr).astype(np.float64)
    gain = np.asarray(response(hz), np.complex128)
    return np.asarray(np.fft.irfft(np.fft.rfft(x, size) * gain, size)[: len(x)], np.float64)


def unit(x: Array) -> Array:
    """Scale to an RMS of 1; silence stays silent."""
    return np.asarray(x / (np.sqrt(np.mean(x**2)) + 1e-12))


def coloured(rng: Rng, n: int, sr: int, slope: float = 0.0) -> Array:
    """Return noise of unit RMS whose power changes by `slope` dB per octave (pink: -3, brown: -6)."""

    def response(hz: Array) -> Array:
        return np.where(hz < _LOWEST_HZ, 0.0, np.maximum(hz, 1.0) ** (slope / 6.02))

    return unit(filtered(rng.standard_normal(n), sr, response))


def band(x: Array, sr: int, low: float | None = None, high: float | None = None, order: int = 2) -> Array:
    """Pass what lies between `low` and `high`, with edges of 6 dB per octave and order."""

    def response(hz: Array) -> npt.NDArray[np.complex128]:
        gain = np.ones(len(hz), np.complex128)
        if low is not None:
            gain *= (1j * hz / (low + 1j * hz)) ** order
        if high is not None:
            gain *= (1 / (1 + 1j * hz / high)) ** order
        return gain

    return filtered(x, sr, response)


def hiss(rng: Rng, n: int, sr: int, low: float | None = None, high: float | None = None) -> Array:
    """Return white noise between `low` and `high`."""
    return band(rng.standard_normal(n), sr, low, high)


def resonate(
    x: Array, sr: int, centres: npt.ArrayLike, q: npt.ArrayLike, gains: npt.ArrayLike = 1.0, dry: float = 0.0
) -> Array:
    """Send `x` through parallel resonators of peak gains `gains`; add `dry` times itself."""
    numbers = (np.atleast_1d(np.asarray(value, np.float64)) for value in (centres, q, gains))
    c, quality, g = np.broadcast_arrays(*numbers)

    def response(hz: Array) -> npt.NDArray[np.complex128]:
        gain = np.full(len(hz), dry, np.complex128)
        for centre, sharpness, level in zip(c, quality, g, strict=True):
            loss = 1j * hz / (centre * sharpness)
            gain += level * loss / (1 - (hz / centre) ** 2 + loss)
        return gain

    return filtered(x, sr, response, tail=1.0)


def moving(x: Array, sr: int, gains: Callable[[Array, Array], Array]) -> Array:
    """Filter with a response that changes in time.

    `gains(progress, hz)` gets progress from 0 to 1, shape=(T, 1), and Hz, shape=(1, F), and gives the
    magnitude, shape=(T, F).
    """
    size = 1 << round(np.log2(0.032 * sr))
    hop = size // 4
    window = np.hanning(size + 1)[:-1]
    padded = np.pad(x, (size, size + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * np.sqrt(window)
    progress = np.clip((np.arange(len(frames)) * hop - size / 2) / max(len(x), 1), 0, 1)[:, None]
    hz = np.fft.rfftfreq(size, 1 / sr).astype(np.float64)[None, :]
    spectrum = np.fft.rfft(frames, axis=1) * gains(progress, hz)
    frames = np.fft.irfft(spectrum, size, axis=1) * (np.sqrt(window) / 2)
    out = np.zeros(len(padded))
    for index, frame in enumerate(frames):
        out[index * hop : index * hop + size] += frame
    return out[size : size + len(x)]


def tone(rng: Rng, sr: int, hz: npt.ArrayLike, n: int, amplitudes: npt.ArrayLike = (1.0,)) -> Array:
    """Return a tone of a fixed or gliding pitch with the given harmonics, less those above Nyquist."""
    f0 = np.broadcast_to(np.minimum(hz, 0.49 * sr), n)
    level = np.asarray(amplitudes, np.float64)
    level = level[: max(1, int(0.48 * sr / max(float(np.max(f0, initial=1.0)), 1.0)))]
    size = 4096
    spectrum = np.zeros(size // 2 + 1, np.complex128)
    spectrum[1 : len(level) + 1] = level * np.exp(2j * np.pi * rng.random(len(level))) * size / 2
    table = np.fft.irfft(spectrum)
    place = (np.cumsum(f0 / sr) + rng.random()) % 1.0 * size
    left = place.astype(np.intp) % size
    rest = place - np.floor(place)
    return np.asarray(table[left] * (1 - rest) + table[(left + 1) % size] * rest)


def harmonics(rng: Rng, count: int, fall: float, spread_db: float = 6.0) -> Array:
    """Draw amplitudes of harmonics falling by `fall` dB per octave, each off by about `spread_db`."""
    k = np.arange(1, count + 1)
    return np.asarray(k ** (-fall / 6.02) * 10 ** (rng.normal(0, spread_db, count) / 20))


def pulses(
    hz: npt.ArrayLike, n: int, sr: int, heights: Callable[[int], Array] = lambda count: np.ones(count)
) -> Array:
    """Return impulses, one per cycle of `hz`; `heights(count)` gives how high."""
    phase = np.cumsum(np.broadcast_to(np.asarray(hz, np.float64), n) / sr)
    whole = np.floor(phase).astype(np.intp)
    at = np.flatnonzero(np.diff(whole, prepend=0))
    late = np.minimum((phase[at] - whole[at]) / np.maximum(np.diff(phase, prepend=0.0)[at], 1e-9), 1.0)
    height = heights(len(at))
    out = np.zeros(n)
    np.add.at(out, at, height * (1 - late))
    np.add.at(out, np.maximum(at - 1, 0), height * late)
    return out


def modes(sr: int, hz: npt.ArrayLike, decay: npt.ArrayLike, gains: npt.ArrayLike, seconds: float) -> Array:
    """Return a struck body: decaying sines; `decay` is the time to -60 dB."""
    t = np.arange(max(1, int(seconds * sr))) / sr
    columns = (np.atleast_1d(np.asarray(v, np.float64))[:, None] for v in (hz, decay, gains))
    f, d, g = np.broadcast_arrays(*columns)
    g = np.where(f < 0.48 * sr, g, 0.0)
    return np.asarray(np.sum(g * np.exp(-6.9 * t / d) * np.sin(2 * np.pi * f * t), axis=0))


def grains(n: int, sr: int, at: Array, hz: Array, decay: Array, gains: Array, rise: float = 0.0) -> Array:
    """Return many short decaying sines at the times `at`, each with its own pitch, decay and height.

    `rise` is how far each pitch climbs during its decay, as a part of itself (bubbles).
    """
    t = np.arange(max(1, int(float(np.max(decay, initial=1e-3)) * sr))) / sr
    f, d = np.minimum(hz, 0.45 * sr)[:, None], decay[:, None]
    body = gains[:, None] * np.exp(-6.9 * t / d) * np.sin(2 * np.pi * f * t * (1 + rise * t / d / 2))
    index = (at * sr).astype(np.intp)[:, None] + np.arange(len(t))
    keep = index < n
    return np.bincount(index[keep], weights=body[keep], minlength=n)[:n].astype(np.float64)


def crackle(
    rng: Rng,
    n: int,
    sr: int,
    rate: float,
    hz: tuple[float, float],
    decay: tuple[float, float],
    peaky: float,
    swell: Array | None = None,
) -> Array:
    """Return independent snaps, `rate` per second, of random pitch and decay, scaled by `swell` where given.

    Heights are exponential to the power of `peaky`: the larger, the rarer the loud ones.
    """
    at = arrivals(rng, n / sr, rate)
    heights = rng.exponential(size=len(at)) ** peaky
    if swell is not None:
        heights *= swell[np.minimum((at * sr).astype(np.intp), n - 1)]
    return grains(n, sr, at, rng.uniform(*hz, len(at)), rng.uniform(*decay, len(at)), heights)


def arrivals(rng: Rng, seconds: float, rate: float) -> Array:
    """Draw the times of independent events, at least one, `rate` per second on average."""
    return np.asarray(rng.uniform(0, seconds, max(1, rng.poisson(rate * seconds))))


def place(n: int, sr: int, events: Sequence[tuple[float, Array]]) -> Array:
    """Add events at their start times; what lies past the end is cut."""
    out = np.zeros(n)
    for start, event in events:
        first = int(start * sr)
        part = event[: max(0, n - first)]
        out[first : first + len(part)] += part
    return out


def repeat(
    rng: Rng,
    n: int,
    sr: int,
    make: Callable[[], Array],
    gap: tuple[float, float],
    irregular: float = 0.3,
    *,
    rest: bool = False,
    distinct: int = 6,
    spread_db: float = 3.0,
) -> Array:
    """Repeat an event at a gap drawn once from the range `gap`.

    `irregular` 0 gives equal gaps, 1 exponential ones.  Gaps run from start to start, or with `rest` from
    end to start.  At most `distinct` events are made; they return at levels spread by `spread_db`.
    """
    mean = between(rng, *gap)
    made: list[Array] = []
    events: list[tuple[float, Array]] = []
    start = rng.uniform(0, min(mean, 0.25 * n / sr))
    while start < n / sr:
        if len(made) < distinct:
            made.append(make())
        event = made[-1] if len(events) < len(made) else made[int(rng.integers(len(made)))]
        events.append((start, event * decibels(rng.normal(0, spread_db))))
        start += mean * (1 - irregular + irregular * rng.exponential()) + (len(event) / sr if rest else 0.0)
    return place(n, sr, events)


def envelope(n: int, sr: int, attack: float, release: float) -> Array:
    """Return a flat envelope with raised-cosine ends; both shrink to fit."""
    t = np.arange(n) / sr
    half = max(n / sr / 2, 1e-6)
    ends = np.minimum(t / min(attack, half), (n / sr - t) / min(release, half))
    return np.asarray(np.sin(np.pi / 2 * np.clip(ends, 0, 1)) ** 2)


def decay(n: int, sr: int, seconds: float, attack: float = 0.001) -> Array:
    """Return an envelope that falls by 60 dB in `seconds` after a linear attack."""
    t = np.arange(n) / sr
    return np.asarray(np.minimum(t / attack, 1.0) * np.exp(-6.9 * t / seconds))


def convolved(x: Array, kernel: Array) -> Array:
    """Convolve by FFT; what rings past the end of `x` is cut."""
    size = 1 << int(np.ceil(np.log2(len(x) + len(kernel))))
    return np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(kernel, size), size)[: len(x)]
