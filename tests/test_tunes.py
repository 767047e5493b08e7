"""Procedural music: what every style promises, and known answers for its parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from earmark.train.tunes import STYLES, make_tune
from earmark.train.tunes.drums import HAT, KICK, euclid, kit_pattern
from earmark.train.tunes.instruments import PITCHED, drone, plucked
from earmark.train.tunes.piece import Piece, beaten, chorded, draw_piece, melody

RATE = 16_000
Values = npt.NDArray[np.float64]


def piece(seed: int = 0, seconds: float = 6.0, **changes: object) -> Piece:
    plain: dict[str, object] = {
        "rng": np.random.default_rng(seed),
        "sr": RATE,
        "n": round(seconds * RATE),
        "step": 0.125,
        "steps": 16,
        "swing": 0.0,
        "loose": 0.0,
        "tonic": 110.0,
        "scale": (0, 2, 4, 5, 7, 9, 11),
        "chords": (0, 3),
    }
    return Piece(**{**plain, **changes})  # type: ignore[arg-type]


def strongest_hz(samples: Values) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return float(np.argmax(spectrum) * RATE / (1 << 17))


def test_every_style_is_drawn_and_sounds_throughout() -> None:
    seen = set()
    for seed in range(40):
        samples, style = make_tune(np.random.default_rng(seed), 4.0, RATE)
        seen.add(style)
        assert samples.dtype == np.float32
        assert samples.shape == (64_000,)
        assert np.max(np.abs(samples)) == pytest.approx(0.9, abs=1e-6)
        seconds = np.sqrt(np.mean(samples.reshape(4, -1) ** 2, axis=1))
        assert (seconds > 1e-4).sum() >= 3, style
    assert seen == set(STYLES)


def test_equal_seeds_give_equal_tunes() -> None:
    first, second, other = (make_tune(np.random.default_rng(seed), 2.0, RATE)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.5


@pytest.mark.parametrize(("seconds", "rate"), [(0.3, 16_000), (2.0, 8_000), (1.0, 44_100)])
def test_lengths_and_rates_are_free(seconds: float, rate: int) -> None:
    for seed in range(4):
        assert len(make_tune(np.random.default_rng(seed), seconds, rate)[0]) == round(seconds * rate)


@pytest.mark.parametrize("instrument", [*PITCHED, drone])
def test_an_instrument_plays_the_pitch_it_is_given(instrument: object) -> None:
    for seed in range(4):
        note = instrument(np.random.default_rng(seed), RATE)  # type: ignore[operator]
        samples = np.append(note(220.0, RATE, 1.0), np.zeros(RATE))[:RATE]
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(RATE)))
        near = spectrum[210:231].max()
        assert near > 5 * np.median(spectrum[100:1000])


def test_strings_ring_longer_when_low() -> None:
    note = plucked(np.random.default_rng(0), RATE)
    low, high = (note(hz, 4 * RATE, 1.0) for hz in (80.0, 1200.0))
    tail = slice(RATE, RATE + RATE // 2)
    assert np.std(low[tail]) / np.std(low[: RATE // 10]) > np.std(high[tail]) / np.std(high[: RATE // 10])


def test_kicks_are_low_and_hats_high() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert strongest_hz(KICK(rng, RATE)(1.0)) < 220
        assert strongest_hz(HAT(rng, RATE)(1.0)) > 1500


def test_euclidean_rhythms_are_even() -> None:
    assert euclid(4, 16, 0) == [0, 4, 8, 12]
    assert euclid(3, 8, 0) == [0, 2, 5]
    assert euclid(3, 8, 1) == [1, 3, 6]
    for hits in range(1, 13):
        gaps = np.diff([*(at := euclid(hits, 12, 5)), at[0] + 12])
        assert len(at) == hits
        assert gaps.max() - gaps.min() <= 1


def test_four_on_the_floor_beats_every_quarter() -> None:
    pattern = kit_pattern(np.random.default_rng(0), "floor", 16)
    assert pattern[0] == (KICK, [0, 4, 8, 12])
    samples = beaten(piece(), pattern[:1], 0.0)
    power = np.mean(samples[: 6 * RATE].reshape(-1, RATE // 100) ** 2, axis=1)
    onsets = np.flatnonzero((power[1:] > 0.1 * power.max()) & (power[1:] > 4 * power[:-1])) + 1
    quarters = np.unique(np.round(onsets / 50))
    assert len(quarters) >= 10
    np.testing.assert_allclose(onsets / 50, np.round(onsets / 50), atol=0.06)


def test_chords_follow_the_progression() -> None:
    tune = piece(seconds=4.0, chords=(0, 4))
    samples = chorded(tune, plucked(np.random.default_rng(1), RATE), 1, "held", power=True)
    first, second = samples[: 2 * RATE], samples[2 * RATE :]
    for part, root in ((first, 220.0), (second, 220.0 * 2 ** (7 / 12))):
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        at = round(root * len(part) / RATE)
        assert spectrum[at - 4 : at + 5].max() > 0.2 * spectrum.max()


def test_melodies_keep_to_the_scale_unless_they_slide() -> None:
    heard: list[Values | float] = []

    def note(hz: Values | float, n: int, strength: float) -> Values:
        heard.append(hz)
        return np.ones(n)

    tune = piece(seconds=20.0)
    melody(tune, note, 1)
    degrees = 12 * np.log2(np.array(heard, dtype=np.float64) / 110.0)
    assert set(np.round(degrees % 12, 6) % 12) <= {0.0, 2.0, 4.0, 5.0, 7.0, 9.0, 11.0}
    heard.clear()
    melody(tune, note, 1, slides=True)
    spans = [np.ptp(np.asarray(hz)) for hz in heard]
    assert np.mean(np.array(spans) > 1.0) > 0.5


def test_pieces_differ_in_tempo_and_key_within_bounds() -> None:
    drawn = [draw_piece(np.random.default_rng(seed), RATE, RATE, (60, 120)) for seed in range(20)]
    assert all(15 / 120 <= p.step <= 15 / 60 for p in drawn)
    assert len({p.scale for p in drawn}) > 3
    assert len({p.steps for p in drawn}) > 1
