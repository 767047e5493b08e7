"""Harmonic-percussive separation: medians against their definition, masks against librosa, blocks, memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import AudioError, ConfigError
from earmark.features.hpss import HpssStream, harmonic_percussive
from earmark.features.median import sliding_median
from earmark.features.network import median_program

ORACLE = np.load(Path(__file__).parent / "data" / "hpss_oracle.npz")
CASES = sorted({name.partition(":")[0] for name in ORACLE.files})


def spectrogram(n_bins: int, n_frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.5, 1, (n_bins, n_frames)).astype(np.float32)


def by_definition(values: np.ndarray, length: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)
    return np.sort(windows, axis=-1)[..., length // 2]


@pytest.mark.parametrize("length", [3, 5, 7, 9, 11, 13, 15, 17, 21, 31, 41, 51])
def test_sliding_medians_are_those_of_the_definition(length: int) -> None:
    rng = np.random.default_rng(length)
    for n, m in ((length, 2), (length + 1, 1), (length + 40, 9), (length + 300, 130)):
        values = rng.standard_normal((n, m)).astype(np.float32)
        assert np.array_equal(sliding_median(values, length), by_definition(values, length))
        few = rng.integers(0, 3, (n, m)).astype(np.float32)
        assert np.array_equal(sliding_median(few, length), by_definition(few, length))


def test_wide_and_strided_arrays_are_no_different() -> None:
    values = spectrogram(60, 2500)
    assert np.array_equal(sliding_median(values, 11), by_definition(values, 11))
    assert np.array_equal(sliding_median(values.T, 11), by_definition(values.T, 11))


@pytest.mark.parametrize(("length", "at_most"), [(11, 12), (21, 24), (31, 30), (51, 50)])
def test_neighbouring_windows_share_their_work(length: int, at_most: int) -> None:
    program = median_program(length)
    assert len(program.steps) / program.width <= at_most


@pytest.mark.parametrize("case", CASES)
def test_parts_are_librosas(case: str) -> None:
    given_ = ORACLE[f"{case}: spectrogram"]
    l_harm, l_perc, power, *margin = ORACLE[f"{case}: options"].tolist()
    parts = harmonic_percussive(
        given_, l_harm=int(l_harm), l_perc=int(l_perc), power=power, margin=(margin[0], margin[1])
    )
    for part, name in zip(parts, ("harmonic", "percussive"), strict=True):
        assert part.dtype == np.float32
        np.testing.assert_allclose(part, ORACLE[f"{case}: {name}"], rtol=1e-5, atol=1e-6)


def test_parts_are_those_of_the_librosa_that_is_installed() -> None:
    librosa = pytest.importorskip("librosa")
    for n_bins, n_frames, l_harm, l_perc in ((201, 700, 21, 11), (257, 300, 31, 51), (3, 5, 51, 51)):
        given_ = spectrogram(n_bins, n_frames)
        expected = librosa.decompose.hpss(given_, kernel_size=(l_harm, l_perc))
        found = harmonic_percussive(given_, l_harm=l_harm, l_perc=l_perc)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_lines_go_where_they_belong_and_nothing_is_lost() -> None:
    given_ = np.full((100, 200), 0.01, np.float32)
    given_[40] += 1
    given_[:, 90] += 1
    harmonic, percussive = harmonic_percussive(given_)
    np.testing.assert_allclose(harmonic + percussive, given_, rtol=1e-6)
    others = np.arange(200) != 90
    assert (harmonic[40, others] > 0.99).all()
    assert (percussive[np.arange(100) != 40, 90] > 0.99).all()


def test_a_margin_leaves_out_what_is_neither() -> None:
    given_ = spectrogram(50, 80)
    plain, wide = harmonic_percussive(given_), harmonic_percussive(given_, margin=(2, 2))
    assert (wide[0] <= plain[0] + 1e-6).all()
    assert (sum(wide) < given_ - 1e-3).mean() > 0.5


def test_silence_stays_silent_and_nothing_gives_nothing() -> None:
    for part in harmonic_percussive(np.zeros((30, 40))):
        assert not part.any()
    assert [part.shape for part in harmonic_percussive(np.zeros((30, 0)))] == [(30, 0), (30, 0)]
    assert [part.shape for part in harmonic_percussive(np.zeros((0, 7)))] == [(0, 7), (0, 7)]


def test_tiny_and_huge_magnitudes_are_separated_alike() -> None:
    given_ = spectrogram(30, 60)
    expected = harmonic_percussive(given_)
    for gain in (2.0**-90, 2.0**100):
        found = harmonic_percussive(given_ * np.float32(gain))
        np.testing.assert_allclose(np.array(found) / gain, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), n=st.integers(0, 1500), l_harm=st.sampled_from([3, 21, 51]))
def test_blocks_of_any_size_give_the_very_same_parts(data: st.DataObject, n: int, l_harm: int) -> None:
    given_ = spectrogram(201, n, n)
    stream = HpssStream(l_harm, 11)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=5)))
    parts = [stream.push(block.T) for block in np.split(given_, cuts, axis=1)]
    parts.append(stream.flush())
    found = [np.concatenate(list(of), axis=0).T for of in zip(*parts, strict=True)]
    assert np.array_equal(found, harmonic_percussive(given_, l_harm=l_harm))


def test_memory_does_not_grow_with_the_length() -> None:
    block = spectrogram(201, 500).T

    def peak(n_blocks: int) -> int:
        stream = HpssStream()
        tracemalloc.start()
        for _ in range(n_blocks):
            stream.push(block)
        stream.flush()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(20) < 1.1 * peak(4) < 30e6


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"l_harm": 20}, "l_harm 20: it must be odd"),
        ({"l_perc": 1}, "l_perc 1: it must be odd and at least 3"),
        ({"power": 0.0}, "power 0.0: it must be above 0"),
        ({"power": np.inf}, "power inf"),
        ({"margin": (1.0, 0.5)}, r"margin \(1.0, 0.5\): it must be two numbers of at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        harmonic_percussive(np.zeros((30, 40)), **options)  # type: ignore[arg-type]


def test_shapes_that_are_none_are_refused() -> None:
    with pytest.raises(AudioError, match=r"spectrogram of shape \(40,\)"):
        harmonic_percussive(np.zeros(40))
    with pytest.raises(ConfigError, match="window 5: it must not be longer than the 4 elements"):
        sliding_median(np.zeros((4, 2), np.float32), 5)
