"""The front end: log-mel energies against their definition, cells and blocks, one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import AudioError, ConfigError
from earmark.features import FrontEnd, MelStream, hz_to_mel, log_mel, mel_filters, mel_to_hz
from earmark.frames import FrameGrid

Tone = Callable[..., np.ndarray]


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def by_definition(samples: np.ndarray, f: FrontEnd) -> np.ndarray:
    """Log-mel energies frame by frame in double precision, zeros around the signal."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(f.win_length) / f.win_length)
    lead = (f.win_length - f.hop_length) // 2
    n_frames = -(-len(samples) // f.hop_length)
    padded = np.zeros(lead + n_frames * f.hop_length + f.win_length)
    padded[lead : lead + len(samples)] = samples
    filters = mel_filters(f.sample_rate, f.n_fft, f.n_mels, f.fmin, f.fmax).astype(np.float64)
    frames = [padded[i * f.hop_length :][: f.win_length] * hann for i in range(n_frames)]
    # A transform longer than the window adds zeros, which leave the energies as they are.
    energies = [filters @ np.abs(np.fft.rfft(frame, f.n_fft)) ** 2 / np.sum(hann**2) for frame in frames]
    return 10 * np.log10(np.maximum(np.array(energies).T, 10 ** (f.floor_db / 10)))


@pytest.mark.parametrize(
    "front_end",
    [FrontEnd(), FrontEnd(win_length=400, hop_length=160, n_fft=512, n_mels=40, fmin=0, floor_db=-80)],
)
@pytest.mark.parametrize("n_samples", [1, 319, 3200, 90_001])
def test_energies_are_those_of_the_definition(front_end: FrontEnd, n_samples: int) -> None:
    x = noise(n_samples)
    found = log_mel(x, 16_000, front_end)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_definition(x, front_end), atol=2e-3)


def test_a_frame_is_loudest_where_its_cell_holds_the_sound() -> None:
    for cell in (0, 1, 7, 9):
        x = np.zeros(3200, np.float32)
        x[cell * 320 + 160] = 1
        assert log_mel(x, 16_000).max(axis=0).argmax() == cell


def test_a_tone_shows_in_the_band_around_its_pitch(tone: Tone) -> None:
    centres = mel_to_hz(np.linspace(hz_to_mel(40), hz_to_mel(8000), 82))[1:-1]
    for hz in (200, 1000, 3700):
        band = log_mel(tone(1, hz), 16_000)[:, 20].argmax()
        assert abs(np.log2(centres[band] / hz)) < 0.25


def test_silence_is_the_floor_and_nothing_gives_no_frames() -> None:
    assert np.allclose(log_mel(np.zeros(1000), 16_000), -100, atol=1e-3)
    assert log_mel(np.zeros(0), 16_000).shape == (80, 0)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), n=st.integers(0, 200_000))
def test_blocks_of_any_size_give_the_very_same_frames(data: st.DataObject, n: int) -> None:
    x = noise(n, n)
    stream = MelStream()
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=8)))
    parts = [stream.push(block) for block in np.split(x, cuts)]
    assert np.array_equal(np.concatenate([*parts, stream.flush()], axis=1), log_mel(x, 16_000))


def test_all_is_computed_in_the_calling_thread() -> None:
    x = noise(120 * 16_000)
    log_mel(x[:16_000], 16_000)
    all_threads, this_thread = time.process_time(), time.thread_time()
    log_mel(x, 16_000)
    assert time.process_time() - all_threads < 1.3 * (time.thread_time() - this_thread) + 0.05


def test_the_mel_scale_is_slaneys() -> None:
    np.testing.assert_allclose(hz_to_mel([0, 200, 1000, 6400]), [0, 3, 15, 42], atol=1e-9)
    hz = np.array([40.0, 999, 1001, 7999])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz)


def test_filters_are_triangles_of_unit_area() -> None:
    filters = mel_filters(16_000, 4096, 40, 100, 8000)
    np.testing.assert_allclose(filters.sum(axis=1) * 16_000 / 4096, 1, atol=0.02)
    assert not filters.flags.writeable


def test_cells_follow_each_other_without_gaps() -> None:
    grid = FrameGrid(16_000, 320, 512)
    assert [grid.n_frames(n) for n in (0, 1, 320, 321)] == [0, 1, 1, 2]
    assert [grid.frame(grid.start(i)) for i in (0, 1, 57, 180_000)] == [0, 1, 57, 180_000]
    assert (grid.hop_s, grid.lead) == (0.02, 96)


def test_signals_of_another_rate_or_shape_are_refused() -> None:
    with pytest.raises(AudioError, match="8000 Hz, its front end works at 16000 Hz"):
        log_mel(np.zeros(100), 8000)
    with pytest.raises(AudioError, match=r"shape \(2, 100\); give one mono channel"):
        log_mel(np.zeros((2, 100)), 16_000)


@pytest.mark.parametrize(
    ("constants", "says"),
    [
        ({"hop_length": 1100}, "hop 1100, window 1024"),
        ({"win_length": 2048}, "window 2048, n_fft 1024"),
        ({"hop_length": 0}, "hop 0"),
        ({"fmax": 9000.0}, r"40.0-9000.0 Hz: it must lie between 0 and half the sample rate \(8000 Hz\)"),
        ({"fmin": 8000.0}, "8000.0-8000.0 Hz"),
    ],
)
def test_constants_that_contradict_are_refused(constants: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        FrontEnd(**constants)  # type: ignore[arg-type]
