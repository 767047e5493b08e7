"""Procedural noises: what every generator promises, and known answers for a few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from earmark.train.noises import GENERATORS, make_noise

RATE = 16_000
Signal = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


def draw(kind: str, seed: int, seconds: float = 0.6, rate: int = RATE) -> Signal:
    return GENERATORS[kind](np.random.default_rng(seed), seconds, rate)


def frames(samples: Signal, size: int) -> Values:
    return samples.astype(np.float64)[: len(samples) // size * size].reshape(-1, size)


def peaks_hz(samples: Signal, size: int = 2048) -> Values:
    """Frequency of the largest bin of each frame."""
    spectrum = np.abs(np.fft.rfft(frames(samples, size) * np.hanning(size), axis=1))
    return np.asarray(np.argmax(spectrum, axis=1) * RATE / size, np.float64)


@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_generator_keeps_its_promises(kind: str) -> None:
    samples = draw(kind, 1)
    assert samples.dtype == np.float32
    assert samples.shape == (9_600,)
    assert np.isfinite(samples).all()
    assert 0.9 < np.max(np.abs(samples)) <= 0.99
    np.testing.assert_array_equal(samples, draw(kind, 1))
    assert abs(np.corrcoef(samples, draw(kind, 2))[0, 1]) < 0.9


@pytest.mark.parametrize(("seconds", "rate"), [(0.05, 16_000), (0.8, 8_000), (0.3, 44_100)])
def test_lengths_and_rates_are_free(seconds: float, rate: int) -> None:
    for kind in ("siren", "dog", "stream", "car", "bell strikes", "babble", "test sweep"):
        samples = draw(kind, 3, seconds, rate)
        assert len(samples) == round(seconds * rate)
        assert np.max(np.abs(samples)) > 0.9


@pytest.mark.parametrize("seed", range(6))
def test_hum_peaks_at_a_multiple_of_the_mains(seed: int) -> None:
    samples = draw("hum", seed, 4.0)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    hz = np.argmax(spectrum) * RATE / len(samples)
    assert min(abs(hz - mains * max(1, round(hz / mains))) for mains in (50, 60)) < 0.5


def test_line_tones_are_not_tuned_to_a_scale() -> None:
    hz = np.array([np.median(peaks_hz(draw("line tones", seed, 0.5), 8_000)) for seed in range(24)])
    semitones = 12 * np.log2(hz / 440)
    away = np.abs(semitones - np.round(semitones))
    # Places between two semitones are used evenly: a quarter is the mean for any untuned pitch.
    assert 0.15 < away.mean() < 0.35


@pytest.mark.parametrize("seed", range(4))
def test_siren_glides(seed: int) -> None:
    f0 = peaks_hz(draw("siren", seed, 8.0))
    assert np.percentile(f0, 95) > 1.2 * np.percentile(f0, 5)


@pytest.mark.parametrize("seed", range(4))
def test_beeps_are_cut_by_silence(seed: int) -> None:
    level = np.max(np.abs(frames(draw("beeps", seed, 6.0), 160)), axis=1)
    quiet = level < 1e-3
    assert 0.1 < quiet.mean() < 0.98
    assert np.count_nonzero(np.diff(quiet.astype(int)) == 1) >= 2


def test_clock_ticks_evenly() -> None:
    samples = draw("clock", 4, 10.0)
    envelope = np.max(np.abs(frames(samples, 80)), axis=1)
    loud = np.flatnonzero((envelope[1:] > 0.3) & (envelope[:-1] <= 0.3))
    onsets = loud[np.concatenate([[True], np.diff(loud) > 20])]
    gaps = np.diff(onsets)
    assert len(gaps) >= 5
    assert np.std(gaps[::2]) < 0.05 * np.mean(gaps)


def test_colours_of_noise_differ_in_slope() -> None:
    def slope(kind: str) -> float:
        power = np.mean(np.abs(np.fft.rfft(frames(draw(kind, 5, 4.0), 1024), axis=1)) ** 2, axis=0)[4:400]
        return float(np.polyfit(np.log2(np.arange(4, 400)), 10 * np.log10(power), 1)[0])

    assert slope("brown noise") < slope("pink noise") - 1 < slope("white noise") - 2


def test_scene_is_reproducible_and_within_full_scale() -> None:
    for seed in range(8):
        samples, kind = make_noise(np.random.default_rng(seed), 0.75)
        again, same = make_noise(np.random.default_rng(seed), 0.75)
        assert samples.dtype == np.float32
        assert samples.shape == (12_000,)
        assert np.isfinite(samples).all()
        assert 0.19 < np.max(np.abs(samples)) <= 0.99
        np.testing.assert_array_equal(samples, again)
        assert kind == same
        assert set(kind.split("+")) <= set(GENERATORS)


def test_scenes_differ_in_kind_and_colour() -> None:
    kinds, bands = [], []
    for seed in range(24):
        samples, kind = make_noise(np.random.default_rng(seed), 0.6)
        spectrum = np.abs(np.fft.rfft(frames(samples, 512), axis=1)).mean(axis=0)
        kinds.append(kind)
        bands.append(20 * np.log10(spectrum[1:].reshape(16, 16).mean(axis=1)))
    assert len(set(kinds)) >= 20
    assert np.std(bands, axis=0).mean() > 6


def test_scene_never_falls_silent_for_good() -> None:
    for seed in range(10):
        samples, _ = make_noise(np.random.default_rng(seed), 1.5)
        assert (np.mean(frames(samples, 1600) ** 2, axis=1) > 1e-12).all()
