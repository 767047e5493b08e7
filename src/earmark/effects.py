"""What recording, rooms and broadcasting do to sound: effects that keep every sound in its place.

Each function takes a mono signal and its rate and returns a signal of the same length, float32; what
is random in it follows from its `seed`.  `earmark.chains` draws effects and their parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from earmark.activity import cell_power

FloatArray = npt.NDArray[np.float32]

_BLOCK = 1 << 20
# Taps of the filters at 16 kHz: they resolve some 25 Hz.
_TAPS = 2047


def equalise(
    samples: npt.ArrayLike, sample_rate: int, hz: Sequence[float], gains_db: Sequence[float]
) -> FloatArray:
    """Filter by a curve through points, linear in dB over log-frequency and constant outside.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Signal.
    sample_rate : int
        Hz.
    hz, gains_db : sequence of float
        Frequencies, increasing and above 0, and the gain at each.
    """
    octaves = np.log2(np.asarray(hz, dtype=np.float64))
    return _filter(samples, sample_rate, lambda f: np.interp(np.log2(f), octaves, gains_db))


def band_limit(samples: npt.ArrayLike, sample_rate: int, low_hz: float, high_hz: float) -> FloatArray:
    """Keep the band between two frequencies, with steep edges; 0 and the Nyquist frequency are no limits."""
    return _filter(samples, sample_rate, lambda f: np.where((f >= low_hz) & (f <= high_hz), 0.0, -120.0))


def reverberate(
    samples: npt.ArrayLike, sample_rate: int, rt60_s: float, direct_to_reverb_db: float, seed: int
) -> FloatArray:
    """Place the sound in a room; the direct sound stays where it is and the level about the same.

    The impulse response is synthetic: early reflections, then Gaussian noise that decays exponentially,
    twice as fast above 2 kHz.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Signal.
    sample_rate : int
        Hz.
    rt60_s : float
        Time in which the reverberation falls by 60 dB, seconds.
    direct_to_reverb_db : float
        Energy of the direct sound over that of the rest, dB.
    seed : int
        Room.
    """
    return convolve(samples, room_impulse(sample_rate, rt60_s, direct_to_reverb_db, seed), 0)


def room_impulse(sample_rate: int, rt60_s: float, direct_to_reverb_db: float, seed: int) -> FloatArray:
    """Return an impulse response as `reverberate` uses, of unit energy, the direct sound at index 0."""
    rng = np.random.default_rng(seed)
    n = max(2, int(sample_rate * max(rt60_s, 0.05)))
    t = np.arange(n) / sample_rate
    spectrum = np.fft.rfft(rng.standard_normal(n))
    # A crossover at 2 kHz, of first order as air and walls are.
    low = 1 / (1 + (np.fft.rfftfreq(n, 1 / sample_rate) / 2000) ** 2)
    decay = 10 ** (-3 * t / rt60_s)
    late = np.fft.irfft(spectrum * low, n) * decay + np.fft.irfft(spectrum * (1 - low), n) * decay**2
    # The tail builds up while the first echoes arrive.
    late *= np.minimum(t / 0.02, 1) ** 2
    delays = rng.uniform(0.002, 0.04, size=8)
    early = np.zeros(n)
    early[np.minimum((delays * sample_rate).astype(int), n - 1)] = rng.choice([-1, 1], size=8) * 10 ** (
        -3 * delays / min(rt60_s, 0.3)
    )
    rest = late / np.linalg.norm(late) + early / np.linalg.norm(early)
    rest[0] = 0.0
    rest *= 10 ** (-direct_to_reverb_db / 20) / np.linalg.norm(rest)
    rest[0] = 1.0
    return np.asarray(rest / np.linalg.norm(rest), dtype=np.float32)


def clip(samples: npt.ArrayLike, sample_rate: int, over_db: float, soft: bool = False) -> FloatArray:
    """Overdrive: what exceeds the limit is cut off, or bent (soft).

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Signal.
    sample_rate : int
        Hz.
    over_db : float
        How far the loudest 0.1 % of the samples exceed the limit, dB.
    soft : bool
        Bend by a hyperbolic tangent.
    """
    signal = np.asarray(samples, dtype=np.float32)
    if not signal.size:
        return signal
    # Some million samples tell the quantile well enough.
    limit = np.quantile(np.abs(signal[:: max(1, len(signal) >> 20)]), 0.999) * 10 ** (-over_db / 20)
    if limit == 0:
        return signal
    bound = np.float32(limit)
    return np.tanh(signal / bound) * bound if soft else np.clip(signal, -bound, bound)


def ride_level(
    samples: npt.ArrayLike, sample_rate: int, ratio: float, window_s: float, most_db: float
) -> FloatArray:
    """Bring loud and soft passages nearer to each other, slowly, as an engineer's hand or an AGC does.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Signal.
    sample_rate : int
        Hz.
    ratio : float
        Level differences are divided by it; above 1.
    window_s : float
        Length over which the level is measured, centred, seconds.
    most_db : float
        Largest change of gain either way, dB.
    """
    signal = np.asarray(samples, dtype=np.float32)
    hop = max(1, sample_rate // 50)
    power = cell_power(signal, hop)
    if not power.any():
        return signal
    width = max(1, round(window_s * sample_rate / hop))
    total = np.concatenate([[0.0], np.cumsum(power)])
    centre = np.arange(len(power))
    low, high = np.maximum(centre - width // 2, 0), np.minimum(centre + width // 2 + 1, len(power))
    mean = (total[high] - total[low]) / (high - low)
    reference = np.mean(power[power > 1e-3 * power.mean()])
    change = (1 / ratio - 1) * 10 * np.log10(np.maximum(mean, 1e-12) / reference)
    gain = 10 ** (np.clip(change, -most_db, most_db) / 20)
    return _blockwise(signal, lambda part, at: part * np.interp(at, (centre + 0.5) * hop, gain))


def wow(samples: npt.ArrayLike, sample_rate: int, depth: float, rate_hz: float) -> FloatArray:
    """Let the speed waver, as an off-centre disc does; sounds move by less than ``depth / (2 pi rate_hz)`` s.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Signal.
    sample_rate : int
        Hz.
    depth : float
        Largest change of speed, e.g. 0.003.
    rate_hz : float
        Turns per second, e.g. 1.3 for 78 turns a minute.
    """
    signal = np.asarray(samples, dtype=np.float32)
    swing = depth * sample_rate / (2 * np.pi * rate_hz)
    angle = 2 * np.pi * rate_hz / sample_rate
    n = len(signal)

    def bend(part: FloatArray, at: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        moved = np.clip(at + swing * np.sin(angle * at), 0, n - 1)
        left = moved.astype(np.intp)
        first = signal[left]
        return np.asarray(first + (moved - left) * (signal[np.minimum(left + 1, n - 1)] - first))

    return _blockwise(signal, bend)


def add_hiss(samples: npt.ArrayLike, sample_rate: int, below_db: float, seed: int) -> FloatArray:
    """Add white noise, `below_db` under the level of the sounding parts."""
    signal = np.asarray(samples, dtype=np.float32)
    rng = np.random.default_rng(seed)
    scale = np.float32(_level(signal, sample_rate) * 10 ** (-below_db / 20))
    return _blockwise(
        signal, lambda part, at: part + scale * rng.standard_normal(len(part), dtype=np.float32)
    )


def add_hum(samples: npt.ArrayLike, sample_rate: int, below_db: float, mains_hz: float) -> FloatArray:
    """Add mains hum (the mains' frequency and three harmonics), `below_db` under the sounding parts."""
    signal = np.asarray(samples, dtype=np.float32)
    shares = np.array([1.0, 0.5, 0.4, 0.2])
    scale = _level(signal, sample_rate) * 10 ** (-below_db / 20) * np.sqrt(2) / np.linalg.norm(shares)
    # Hz divides the rate after a whole number of seconds: one period of the sum, repeated.
    n = len(signal)
    period = sample_rate if float(mains_hz).is_integer() else n
    phase = 2 * np.pi * mains_hz / sample_rate * np.arange(min(period, n))
    hum = sum(share * np.sin((k + 1) * phase) for k, share in enumerate(shares))
    return signal + np.resize((scale * np.asarray(hum)).astype(np.float32), n)


def add_crackle(
    samples: npt.ArrayLike, sample_rate: int, per_second: float, below_db: float, seed: int
) -> FloatArray:
    """Add the clicks of a worn disc.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Signal.
    sample_rate : int
        Hz.
    per_second : float
        Clicks per second.
    below_db : float
        How far the peak of a middling click is under the level of the sounding parts, dB.
    seed : int
        Where and how loud the clicks are.
    """
    signal = np.asarray(samples, dtype=np.float32)
    if not signal.size:
        return signal
    rng = np.random.default_rng(seed)
    count = rng.poisson(per_second * len(signal) / sample_rate)
    impulses = np.zeros(len(signal), np.float32)
    heights = rng.lognormal(0, 0.8, size=count) * rng.choice([-1, 1], size=count)
    impulses[rng.integers(len(signal), size=count)] = (
        heights * _level(signal, sample_rate) * 10 ** (-below_db / 20)
    )
    t = np.arange(max(4, int(0.002 * sample_rate))) / sample_rate
    shape = np.exp(-t / 0.0003) * np.cos(2 * np.pi * 2500 * t)
    return signal + convolve(impulses, shape.astype(np.float32), 0)


# -- building blocks -----------------------------------------------------------------------------


def convolve(samples: npt.ArrayLike, kernel: FloatArray, origin: int) -> FloatArray:
    """Convolve by overlap-add; the kernel's tap `origin` is time zero, and the length is kept."""
    signal = np.asarray(samples, dtype=np.float32)
    n_fft = 1 << max(13, int(np.ceil(np.log2(4 * len(kernel)))))
    step = n_fft - len(kernel) + 1
    spectrum = np.fft.rfft(kernel, n_fft)
    out = np.zeros(len(signal) + len(kernel) - 1, np.float32)
    for start in range(0, len(signal), step):
        part = np.fft.irfft(np.fft.rfft(signal[start : start + step], n_fft) * spectrum, n_fft)
        end = min(start + n_fft, len(out))
        out[start:end] += part[: end - start]
    return out[origin : origin + len(signal)]


def _filter(
    samples: npt.ArrayLike, sample_rate: int, curve_db: Callable[[npt.NDArray[np.floating]], npt.ArrayLike]
) -> FloatArray:
    """Filter with linear phase, the delay taken out; the curve gives dB at frequencies above 0."""
    taps = int(_TAPS * max(1.0, sample_rate / 16_000)) | 1
    n_fft = 1 << (4 * taps - 1).bit_length()
    hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    hz[0] = hz[1] / 2
    impulse = np.fft.irfft(10 ** (np.asarray(curve_db(hz)) / 20), n_fft)
    kernel = np.roll(impulse, taps // 2)[:taps] * np.hanning(taps + 2)[1:-1]
    return convolve(samples, kernel.astype(np.float32), taps // 2)


def _level(signal: FloatArray, sample_rate: int) -> float:
    """RMS of the sounding parts: of the cells within 30 dB of the mean."""
    power = cell_power(signal, max(1, sample_rate // 50))
    return float(np.mean(power[power >= 1e-3 * power.mean()]) ** 0.5) if power.any() else 0.0


def _blockwise(
    signal: FloatArray,
    change: Callable[[FloatArray, npt.NDArray[np.floating]], npt.NDArray[np.floating]],
) -> FloatArray:
    """Apply ``change(part, indices of its samples)`` block by block, to bound the memory."""
    out = np.empty_like(signal)
    for start in range(0, len(signal), _BLOCK):
        part = signal[start : start + _BLOCK]
        out[start : start + len(part)] = change(part, np.arange(start, start + len(part), dtype=np.float64))
    return out
