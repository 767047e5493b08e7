"""A speaker as WORLD parameters: analysis, syllables, another speaker, synthesis."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import soxr

from earmark.errors import AudioError
from earmark.train.sing.curves import FRAME_S, SAMPLE_RATE, Array, FloatArray, hann, hertz, midi

with warnings.catch_warnings():
    # pyworld 0.3 asks pkg_resources for its own version, which warns.
    warnings.simplefilter("ignore")
    import pyworld

_PEAK = 0.95


@dataclass(frozen=True)
class Voice:
    """WORLD parameters of a recording at 16 kHz, one row per 5 ms.

    Parameters
    ----------
    f0 : float64, shape=(T,)
        Fundamental frequency in Hz, 0 where unvoiced.
    envelope : float64, shape=(T, F)
        Power spectral envelope.
    aperiodicity : float64, shape=(T, F)
        Share of noise in the amplitude, 0..1.
    """

    f0: Array
    envelope: Array
    aperiodicity: Array

    @property
    def register(self) -> float:
        """Median pitch of the voice as a MIDI note number; 0 for a voice without pitch."""
        voiced = self.f0[self.f0 > 0]
        return float(np.median(midi(voiced))) if voiced.size else 0.0


@dataclass(frozen=True)
class Syllable:
    """Frames of a syllable: consonants from `start`, a vowel in between, consonants up to `end`."""

    start: int
    vowel_start: int
    vowel_end: int
    end: int


def analyse(samples: npt.ArrayLike, sample_rate: int) -> Voice:
    """Analyse speech with WORLD (DIO, StoneMask, CheapTrick, D4C).

    Parameters
    ----------
    samples : float, shape=(n,)
        One channel.
    sample_rate : int
        Its rate in Hz; other rates than 16 kHz are resampled.
    """
    signal = np.asarray(samples, dtype=np.float64)
    if sample_rate != SAMPLE_RATE:
        signal = soxr.resample(signal, sample_rate, SAMPLE_RATE)
    period = FRAME_S * 1000
    f0, times = pyworld.dio(signal, SAMPLE_RATE, f0_floor=60.0, f0_ceil=500.0, frame_period=period)
    f0 = _mend(pyworld.stonemask(signal, f0, times, SAMPLE_RATE))
    envelope = pyworld.cheaptrick(signal, f0, times, SAMPLE_RATE)
    return Voice(f0, envelope, pyworld.d4c(signal, f0, times, SAMPLE_RATE))


def syllables(voice: Voice) -> tuple[Syllable, ...]:
    """Find syllables: peaks of the smoothed voiced energy that stand at least 2.5 dB out of the valleys.

    The vowel is the voiced stretch around a peak within 5 dB of it.
    """
    voiced = voice.f0 > 0
    hz = np.linspace(0, SAMPLE_RATE / 2, voice.envelope.shape[1])
    band = (hz > 250) & (hz < 3500)
    power = voice.envelope[:, band].sum(axis=1)
    floor = 1e-5 * float(power.max(initial=0.0)) + 1e-30
    level = 10 * np.log10(np.convolve(np.where(voiced, power, 0.0), hann(11), mode="same") + floor)
    loud = float(np.percentile(level[voiced], 90)) - 25 if voiced.any() else 0.0
    peaks = 1 + np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:]) & (level[1:-1] > loud))
    peak_list, valleys = _prominent(level, peaks.tolist(), 2.5)
    found: list[Syllable] = []
    for peak, left, right in zip(peak_list, valleys[:-1], valleys[1:], strict=True):
        steady = voiced[left:right] & (level[left:right] > level[peak] - 5)
        breaks = np.flatnonzero(~steady)
        before, after = breaks[breaks < peak - left], breaks[breaks > peak - left]
        first = left + (int(before[-1]) + 1 if before.size else 0)
        last = left + int(after[0]) if after.size else right
        body = voice.envelope[first:last].sum(axis=0)
        # A voiced fricative or a stray vowel under a hiss must not be held.
        if last - first >= 6 and body[hz > 3500].sum() < 0.25 * body[hz < 3500].sum():
            found.append(Syllable(left, first, last, right))
    return tuple(found)


def change_voice(
    voice: Voice,
    rng: np.random.Generator,
    *,
    pitch: float | None = None,
    formants: float | None = None,
    speed: float | None = None,
    liveliness: float | None = None,
) -> FloatArray:
    """Let another speaker say the same: speech that stays speech.

    Parameters
    ----------
    voice : Voice
        The speaker.
    rng : numpy.random.Generator
        Draws what is not given.
    pitch : float, optional
        Factor on the fundamental frequency; drawn from 0.7-1.4.
    formants : float, optional
        Factor on the formant frequencies; drawn from 0.85-1.2, leaning the way of `pitch`.
    speed : float, optional
        Factor on the speaking rate; drawn from 0.8-1.25.
    liveliness : float, optional
        Factor on the pitch range in octaves; drawn from 0.5 (monotone) to 1.6 (announcer).

    Returns
    -------
    float32, shape=(n,)
        16 kHz; n is the length of the speech divided by `speed`.
    """
    pitch = float(np.exp(rng.uniform(np.log(0.7), np.log(1.4)))) if pitch is None else pitch
    if formants is None:
        formants = float(np.clip(pitch**0.3 * rng.uniform(0.9, 1.1), 0.85, 1.2))
    speed = float(rng.uniform(0.8, 1.25)) if speed is None else speed
    liveliness = float(np.exp(rng.uniform(np.log(0.5), np.log(1.6)))) if liveliness is None else liveliness
    where = np.arange(int(len(voice.f0) / speed), dtype=np.float64) * speed
    f0, envelope, aperiodicity = parameters_at(warp(voice, formants), where)
    voiced = f0 > 0
    middle = hertz(np.array(voice.register))
    f0[voiced] = np.clip(pitch * middle * (f0[voiced] / middle) ** liveliness, 50, 800)
    return finish(synthesise(f0, envelope, aperiodicity), 0.0)


def text_of(voice: Voice) -> tuple[Syllable, ...]:
    """Syllables of a voice; one without any is an `AudioError`."""
    found = syllables(voice)
    if not found:
        raise AudioError(
            f"{len(voice.f0) * FRAME_S:.1f} s of audio without a voiced syllable cannot be sung; "
            "give some seconds of clear speech"
        )
    return found


def warp(voice: Voice, ratio: float) -> Voice:
    """Move the formants by a factor."""
    bins = voice.envelope.shape[1]
    place = np.minimum(np.arange(bins) / ratio, bins - 1.0)
    low = np.minimum(place.astype(int), bins - 2)
    share = place - low
    moved = [
        (1 - share) * part[:, low] + share * part[:, low + 1] for part in (voice.envelope, voice.aperiodicity)
    ]
    return Voice(voice.f0, moved[0], moved[1])


def parameters_at(voice: Voice, where: Array) -> tuple[Array, Array, Array]:
    """Parameters at fractional frames: nearest for pitch, linear for the rest."""
    place = np.clip(where, 0, len(voice.f0) - 1)
    low = np.minimum(place.astype(int), len(voice.f0) - 2)
    share = (place - low)[:, None]
    f0 = voice.f0[np.rint(place).astype(int)]
    envelope = (1 - share) * voice.envelope[low] + share * voice.envelope[low + 1]
    return f0, envelope, (1 - share) * voice.aperiodicity[low] + share * voice.aperiodicity[low + 1]


def synthesise(f0: Array, envelope: Array, aperiodicity: Array) -> Array:
    """Waveform of WORLD parameters."""
    rows = (
        np.ascontiguousarray(part, dtype=np.float64) for part in (f0, envelope, np.clip(aperiodicity, 0, 1))
    )
    return np.asarray(pyworld.synthesize(*rows, SAMPLE_RATE, FRAME_S * 1000))


def finish(samples: Array, drive: float) -> FloatArray:
    """Scale to the peak, through a soft clipper where there is drive."""
    peak = float(np.abs(samples).max(initial=0.0)) or 1.0
    if drive:
        samples = np.tanh(drive * samples / peak)
        peak = float(np.abs(samples).max()) or 1.0
    return (samples * (_PEAK / peak)).astype(np.float32)


def _prominent(level: Array, peaks: list[int], depth: float) -> tuple[list[int], list[int]]:
    """Keep the peaks that stand `depth` dB out of their valleys, and the bounds around each."""
    bounds = [a + int(np.argmin(level[a:b])) for a, b in pairwise(peaks)]
    while bounds:
        dips = [min(level[a], level[b]) - level[v] for (a, b), v in zip(pairwise(peaks), bounds, strict=True)]
        k = int(np.argmin(dips))
        if dips[k] >= depth:
            break
        del peaks[k if level[peaks[k]] < level[peaks[k + 1]] else k + 1], bounds[k]
    return peaks, [0, *bounds, len(level)] if peaks else []


def _mend(f0: Array) -> Array:
    """Bridge unvoiced gaps of at most 3 frames and drop voiced runs of fewer than 5."""
    f0 = f0.copy()
    for voiced, longest in ((False, 3), (True, 4)):
        edges = np.flatnonzero(np.diff(np.concatenate([[not voiced], f0 > 0, [not voiced]])))
        for first, last in edges.reshape(-1, 2):
            if last - first > longest:
                continue
            if voiced:
                f0[first:last] = 0
            elif first > 0 and last < len(f0):
                f0[first:last] = np.sqrt(f0[first - 1] * f0[last])
    return f0
