"""Instruments, drums, noises and a room in numpy: each a function that returns mono samples at `RATE`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

RATE = 48_000
Signal = npt.NDArray[np.float64]


# -- parts -----------------------------------------------------------------------------------------


def seconds_of(duration: float) -> Signal:
    """Return the times of the samples of a sound, seconds."""
    return np.arange(round(duration * RATE)) / RATE


def shape(signal: Signal, curve: Mapping[float, float]) -> Signal:
    """Filter with zero phase: `curve` maps Hz to dB, straight lines between them over log frequency."""
    spectrum = np.fft.rfft(signal, 1 << (len(signal) + RATE // 10).bit_length())
    hz = np.maximum(np.fft.rfftfreq(2 * (len(spectrum) - 1), 1 / RATE), 1.0)
    gain = np.interp(np.log(hz), np.log(list(curve)), list(curve.values()))
    return np.fft.irfft(spectrum * 10 ** (gain / 20))[: len(signal)]


def hiss(rng: np.random.Generator, duration: float, curve: Mapping[float, float]) -> Signal:
    """Return Gaussian noise of a spectrum, RMS 1."""
    noise = shape(rng.standard_normal(round(duration * RATE)), curve)
    return noise / np.sqrt(np.mean(noise**2))


def wander(rng: np.random.Generator, duration: float, step: float) -> Signal:
    """Return a slow random movement: normal values every `step` seconds, smoothly joined."""
    knots = rng.standard_normal(int(duration / step) + 3)
    at = seconds_of(duration) / step
    weight = 0.5 - 0.5 * np.cos(np.pi * (at % 1))
    first = at.astype(int)
    return knots[first] * (1 - weight) + knots[first + 1] * weight


def room(signal: Signal, rng: np.random.Generator, seconds: float, wet: float) -> Signal:
    """Add a room: `seconds` to fall by 60 dB, the reverberation `wet` times the direct sound."""
    t = seconds_of(1.2 * seconds)
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds) * np.minimum(t / 0.012, 1)
    tail = shape(tail, {60: -9, 200: 0, 2500: 0, 9000: -14})
    size = 1 << (len(signal) + len(tail)).bit_length()
    echoes = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(tail / np.sqrt(np.sum(tail**2)), size))
    return signal + wet * echoes[: len(signal)]


# -- struck and plucked ----------------------------------------------------------------------------


def _modes(hz: Signal, levels: Signal, decays: Signal, duration: float, rng: np.random.Generator) -> Signal:
    """Add up decaying sines; those above 16 kHz are left out."""
    t = seconds_of(duration)
    sound = np.zeros_like(t)
    for f, level, decay in zip(hz, levels, decays, strict=True):
        if f < 16_000:
            sound += level * np.exp(-decay * t) * np.sin(2 * np.pi * f * t + rng.uniform(0, 2 * np.pi))
    return sound * np.minimum(t / 0.002, 1) * np.clip((duration - t) / 0.06, 0, 1)


def guitar(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """A steel string, plucked near the bridge, on a wooden body."""
    k = np.arange(1, 36)
    place = rng.uniform(0.12, 0.18)
    levels = np.sin(np.pi * k * place) / k ** (1.35 - 0.35 * force)
    sound = _modes(hz * k * np.sqrt(1 + 8e-5 * k**2), levels, 0.9 + hz / 400 + 0.22 * k, duration, rng)
    sound[: RATE // 60] += 0.06 * rng.standard_normal(RATE // 60) * np.linspace(1, 0, RATE // 60)
    return force * shape(sound, {50: -9, 105: 4, 150: 0, 210: 4, 320: -1, 420: 2, 900: 0, 3000: 2, 9000: -12})


def bass(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """A plucked double bass."""
    k = np.arange(1, 22)
    levels = np.sin(np.pi * k * 0.22) / k**1.5
    sound = _modes(hz * k, levels, 1.5 + 0.55 * k, duration, rng)
    sound[: RATE // 50] += 0.05 * hiss(rng, 0.02, {100: 0, 900: 0, 3000: -20}) * np.linspace(1, 0, RATE // 50)
    return 1.6 * force * shape(sound, {35: -6, 70: 2, 130: 3, 300: 0, 900: -3, 2500: -14})


def piano(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """A grand piano: two strings a key, stiff, with a fast and a slow decay."""
    k = np.arange(1, max(6, min(40, int(9000 / hz))))
    stiff = 2e-4 * (hz / 220) ** 0.8
    levels = np.exp(-k * hz / (1500 + 4500 * force)) / k**0.8
    sound = np.zeros(round(duration * RATE))
    for detune, slow in ((-0.4, 1.0), (0.5, 0.28)):
        f = hz * 2 ** (detune / 1200) * k * np.sqrt(1 + stiff * k**2)
        sound += _modes(f, levels, slow * (1.1 + hz / 350 + 0.25 * k), duration, rng)
    knock = hiss(rng, 0.05, {60: 0, 400: 0, 2500: -25}) * np.exp(-seconds_of(0.05) / 0.008)
    sound[: len(knock)] += 0.12 * knock
    return 0.8 * force * sound


def electric_piano(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """Tines and pickups by frequency modulation, with a slow tremolo."""
    t = seconds_of(duration)
    body = (0.35 + 1.1 * force) * np.exp(-2.2 * t) * np.sin(2 * np.pi * hz * t)
    tine = 0.35 * force * np.exp(-9 * t) * np.sin(2 * np.pi * 14 * hz * t) * (14 * hz < 16_000)
    sound = np.sin(2 * np.pi * hz * 1.0006 * t + body + tine) * np.exp(-(0.7 + hz / 900) * t)
    tremolo = 1 + 0.18 * np.sin(2 * np.pi * 4.6 * t + rng.uniform(0, 6))
    return 0.7 * force * sound * tremolo * np.minimum(t / 0.003, 1) * np.clip((duration - t) / 0.08, 0, 1)


def bell(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """A glockenspiel bar."""
    ratios, levels, decays = (np.array(x) for x in ((1, 2.756, 5.404), (1, 0.4, 0.15), (2.2, 5.0, 11.0)))
    return 0.5 * force * _modes(hz * ratios, levels, decays, duration, rng)


# -- bowed and blown -------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _wave(levels: tuple[float, ...]) -> Signal:
    """One period with these partials, of scattered phases; the first sample is repeated at the end."""
    k = np.arange(1, len(levels) + 1)
    angle = 2 * np.pi * np.arange(2049)[:, None] / 2048 * k + 2.4 * k**2
    wave = np.sin(angle) @ np.array(levels)
    return wave / np.sqrt(np.mean(wave**2))


def _sing(levels: npt.ArrayLike, hz: float, phase: Signal) -> Signal:
    partials = np.asarray(levels, dtype=float)[: max(1, int(15_000 / hz))]
    return np.interp(phase % 1, np.linspace(0, 1, 2049), _wave(tuple(partials.tolist())))


def _phase(hz: float, duration: float, rng: np.random.Generator, vibrato: float, drift: float) -> Signal:
    """Return the periods passed, with a vibrato that sets in late and a drifting pitch (both in cents)."""
    t = seconds_of(duration)
    depth = vibrato * np.clip((t - 0.15) / 0.35, 0, 1)
    cents = depth * np.sin(2 * np.pi * rng.uniform(5.0, 5.8) * t + rng.uniform(0, 6))
    cents += drift * wander(rng, duration, 0.25)
    return np.cumsum(hz * 2 ** (cents / 1200)) / RATE + rng.random()


def _swell(duration: float, attack: float, release: float) -> Signal:
    t = seconds_of(duration)
    return np.minimum(1 - np.exp(-t / (attack / 3)), 1) * np.clip((duration - t) / release, 0, 1)


def strings(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """Five bowed violins, violas or celli in unison."""
    k = np.arange(1, 40)
    corpus = 1 + 0.9 * np.exp(-(((k * hz - 500) / 220) ** 2)) + 0.7 * np.exp(-(((k * hz - 2800) / 900) ** 2))
    levels = corpus / k / (1 + (k * hz / 5000) ** 2)
    sound = np.zeros(round(duration * RATE))
    for cents in rng.normal(0, 7, 5):
        sound += _sing(levels, hz, _phase(hz * 2 ** (cents / 1200), duration, rng, 13, 4))
    bow = 0.035 * hiss(rng, duration, {300: -20, 1500: 0, 6000: 0, 12000: -20})
    return 0.16 * force * (sound / 2.2 + bow) * _swell(duration, 0.16, 0.12)


def brass(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """Two trumpets, horns or trombones: the louder, the brighter."""
    k = np.arange(1, 30)
    dark, bright = np.exp(-k * hz / 900), np.exp(-k * hz / (1200 + 2600 * force))
    swell = _swell(duration, 0.05, 0.07)
    blare = np.clip(swell * (0.55 + 0.45 * np.exp(-seconds_of(duration) / 0.18)), 0, 1)
    sound = np.zeros_like(swell)
    for cents in rng.normal(0, 5, 2):
        phase = _phase(hz * 2 ** (cents / 1200), duration, rng, 6, 4)
        sound += _sing(dark, hz, phase) * (1 - blare) + _sing(bright, hz, phase) * blare
    return 0.22 * force * sound * swell


def flute(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """A flute with breath."""
    tone = _sing((1, 0.45, 0.22, 0.08, 0.05, 0.02), hz, _phase(hz, duration, rng, 16, 5))
    breath = hiss(rng, duration, {hz: -12, 2 * hz: 0, 7000: -6, 14000: -25})
    beat = 1 + 0.12 * wander(rng, duration, 0.2)
    return 0.3 * force * (tone * beat + 0.07 * breath) * _swell(duration, 0.07, 0.06)


def clarinet(hz: float, duration: float, force: float, rng: np.random.Generator) -> Signal:
    """A clarinet: odd partials lead."""
    k = np.arange(1, 24)
    levels = np.where(k % 2 == 1, 1.0, 0.12 + 0.03 * k) * np.exp(-k * hz / (1100 + 1800 * force))
    tone = _sing(levels, hz, _phase(hz, duration, rng, 4, 4))
    return 0.26 * force * tone * _swell(duration, 0.035, 0.04)


# -- drums -----------------------------------------------------------------------------------------


def kick(force: float, rng: np.random.Generator) -> Signal:
    """A bass drum."""
    t = seconds_of(0.35)
    fall = 2 * np.pi * (48 * t + 110 * 0.03 * (1 - np.exp(-t / 0.03)))
    beater = 0.25 * rng.standard_normal(len(t)) * np.exp(-t / 0.004)
    return force * (
        np.sin(fall) * np.exp(-t / 0.11) * np.minimum(t / 0.001, 1) + shape(beater, {80: 0, 4000: -12})
    )


def snare(force: float, rng: np.random.Generator) -> Signal:
    """A snare drum."""
    t = seconds_of(0.3)
    skin = sum(a * np.sin(2 * np.pi * f * t) for f, a in ((186, 0.6), (331, 0.35))) * np.exp(-t / 0.06)
    wires = hiss(rng, 0.3, {200: -20, 1200: -3, 4000: 0, 9000: -2, 16000: -12}) * np.exp(-t / 0.085)
    return 0.55 * force * (skin + 0.45 * wires)


def cymbal(force: float, rng: np.random.Generator, ring: float = 0.05) -> Signal:
    """A hi-hat (`ring` 0.03 s closed, 0.2 s open) or, with longer ring, a ride or crash."""
    t = seconds_of(min(4.5 * ring + 0.05, 2.5))
    partials = rng.uniform(3000, 13000, 24)
    metal = np.sin(2 * np.pi * partials[:, None] * t + rng.uniform(0, 6, (24, 1))).sum(0) / 5
    air = hiss(rng, len(t) / RATE, {1500: -30, 5000: -6, 9000: 0, 16000: -4})
    return 0.22 * force * (0.5 * metal + air) * np.exp(-t / ring) * np.minimum(t / 0.001, 1)


def brush(force: float, rng: np.random.Generator) -> Signal:
    """A brush stroke on a snare drum."""
    t = seconds_of(0.16)
    sweep = np.minimum(t / 0.03, 1) * np.exp(-t / 0.05)
    return 0.3 * force * hiss(rng, 0.16, {300: -18, 1500: -4, 5000: 0, 14000: -10}) * sweep


# -- noises ----------------------------------------------------------------------------------------


def applause(rng: np.random.Generator, duration: float, people: int = 60) -> Signal:
    """Many people clapping, each at a pace of their own."""
    sound = np.zeros(round((duration + 0.2) * RATE))
    for _ in range(people):
        t = seconds_of(0.05)
        low = rng.uniform(500, 1300)
        hands = {low / 3: -25, low: 0, 2.2 * low: -5, 9000: -18}
        near = rng.uniform(0.15, 1.0)
        at = rng.exponential(0.35)
        while at < duration:
            clap = hiss(rng, 0.05, hands) * np.exp(-t / rng.uniform(0.004, 0.012))
            start = round(at * RATE)
            sound[start : start + len(clap)] += near * rng.uniform(0.6, 1.0) * clap
            at += rng.normal(0.24, 0.03)
    return room(sound, rng, 1.1, 0.35)[: round(duration * RATE)]


def street(rng: np.random.Generator, duration: float) -> Signal:
    """A road in town: a far rumble, tyres of passing cars, steps."""
    far = hiss(rng, duration, {25: -8, 60: 0, 200: -8, 1000: -22, 8000: -50})
    sound = far * (1 + 0.2 * wander(rng, duration, 0.8))
    at = 0.8
    t = seconds_of(duration)
    while at < duration:
        width = rng.uniform(0.8, 1.6)
        tyres = hiss(rng, duration, {60: -6, 150: -4, 700: 0, 1300: -1, 4000: -16, 12000: -36})
        sound += rng.uniform(0.8, 1.8) * tyres / (1 + ((t - at) / width) ** 2)
        at += rng.uniform(2.5, 4.5)
    step = 0.4
    while step < duration - 0.2:
        start = round(step * RATE)
        heel = hiss(rng, 0.06, {120: -6, 400: 0, 1800: -4, 6000: -20}) * np.exp(-seconds_of(0.06) / 0.012)
        sound[start : start + len(heel)] += rng.uniform(0.5, 0.9) * heel
        step += rng.normal(0.56, 0.03)
    return sound


def rain(rng: np.random.Generator, duration: float) -> Signal:
    """Steady rain with drops on a window sill."""
    sound = hiss(rng, duration, {60: -14, 300: -8, 1500: -2, 5000: 0, 12000: -6})
    sound *= 1 + 0.06 * wander(rng, duration, 0.6)
    for at in np.sort(rng.uniform(0, duration - 0.1, int(35 * duration))):
        drop = hiss(rng, 0.03, {400: -15, rng.uniform(1200, 5000): 0, 12000: -18})
        start = round(at * RATE)
        sound[start : start + len(drop)] += rng.exponential(1.6) * drop * np.exp(-seconds_of(0.03) / 0.004)
    return sound


def studio(rng: np.random.Generator, duration: float) -> Signal:
    """The quiet of a studio: ventilation and the hiss of a microphone."""
    return hiss(rng, duration, {30: 4, 100: 0, 500: -14, 4000: -20, 16000: -18})
