"""Activity: where a recording of a known class sounds, on 20-ms cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from earmark.activity import activity
from earmark.errors import AudioError, ConfigError

RATE = 16_000
HOP = 320
Float = npt.NDArray[np.float32]


def tone(seconds: float, db: float) -> Float:
    """A sine of this RMS level, dBFS; its period divides a cell."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (np.sqrt(2) * 10 ** (db / 20) * np.sin(2 * np.pi * 500 * t)).astype(np.float32)


def hiss(seconds: float, db: float, seed: int = 0) -> Float:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (10 ** (db / 20) * noise).astype(np.float32)


def runs(active: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(active.astype(int), prepend=0, append=0)).reshape(-1, 2)
    return [(int(a), int(b)) for a, b in edges]


def test_pauses_up_to_half_a_second_are_speech_and_longer_ones_are_not() -> None:
    parts = [
        hiss(1, -70),
        tone(1, -20),
        hiss(0.5, -70, 1),
        tone(1, -20),
        hiss(0.6, -70, 2),
        tone(1, -20),
        hiss(1, -70, 3),
    ]
    active, rms_db, _ = activity(np.concatenate(parts), "speech")
    assert runs(active) == [(50, 175), (205, 255)]
    assert rms_db == pytest.approx(-20, abs=0.01)


def test_soft_syllables_count_and_the_floor_does_not_where_it_is_high() -> None:
    syllables = np.concatenate([tone(0.1, level) for level in (-20, -26, -35, -20, -32, -24)] * 5)
    signal = np.concatenate([np.zeros(2 * RATE, np.float32), syllables, np.zeros(2 * RATE, np.float32)])
    signal += hiss(len(signal) / RATE, -45)
    assert runs(activity(signal, "speech").active) == [(100, 250)]


def test_lone_clicks_are_no_speech_but_a_plosive_by_a_word_is() -> None:
    click = tone(0.04, -15)
    parts = [
        hiss(1, -70),
        click,
        hiss(0.5, -70, 1),
        tone(1, -20),
        hiss(0.1, -70, 2),
        click,
        hiss(1, -70, 3),
        click,
        hiss(1, -70, 4),
    ]
    assert runs(activity(np.concatenate(parts), "speech").active) == [(77, 134)]


def test_pieces_joined_by_digital_silence_have_floors_of_their_own() -> None:
    loud = np.concatenate([hiss(0.8, -35), tone(0.6, -10), hiss(0.8, -35, 1)])
    soft = np.concatenate([hiss(0.8, -75), tone(0.6, -35), hiss(0.8, -75, 1)])
    signal = np.concatenate([loud, np.zeros(RATE // 5, np.float32), soft])
    assert runs(activity(signal, "speech").active) == [(40, 70), (160, 190)]


def test_a_speech_recording_of_one_breath_is_one_run() -> None:
    assert runs(activity(tone(3, -30), "speech").active) == [(0, 150)]


@pytest.mark.parametrize("content", ["music", "noise"])
def test_music_and_noise_are_active_but_for_long_silences(content: str) -> None:
    parts = [tone(1, -20), tone(0.7, -80), tone(1, -40), tone(1, -66), tone(1, -30), tone(1, -75)]
    active, rms_db, _ = activity(np.concatenate(parts), content)
    assert runs(active) == [(0, 135), (185, 235)]
    assert rms_db == pytest.approx(10 * np.log10((1e-2 + 1e-4 + 1e-3) / 3), abs=0.01)


def test_a_quiet_recording_is_not_taken_for_silence() -> None:
    active, rms_db, _ = activity(np.concatenate([hiss(3, -68), np.zeros(RATE, np.float32)]), "noise")
    assert runs(active) == [(0, 150)]
    assert rms_db == pytest.approx(-68, abs=0.2)


@pytest.mark.parametrize("content", ["speech", "music", "noise"])
def test_silence_and_nothing_have_no_activity(content: str) -> None:
    for n_samples in (0, 1, 5 * HOP):
        active, rms_db, _ = activity(np.zeros(n_samples), content)
        assert len(active) == -(-n_samples // HOP)
        assert not active.any()
        assert rms_db == -np.inf


def test_a_partial_last_cell_counts_what_it_has() -> None:
    active, rms_db, _ = activity(tone(1.01, -20), "music")
    assert len(active) == 51
    assert active.all()
    assert rms_db == pytest.approx(-20, abs=0.05)


def test_activity_does_not_depend_on_gain() -> None:
    signal = np.concatenate([hiss(1, -60), tone(1, -20), hiss(0.8, -60, 1), tone(0.5, -30), hiss(1, -60, 2)])
    one, other = activity(signal, "speech"), activity(0.1 * signal, "speech")
    assert np.array_equal(one.active, other.active)
    assert one.rms_db - other.rms_db == pytest.approx(20, abs=1e-3)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ConfigError, match="speech, music or noise"):
        activity(np.zeros(10), "talk")
    with pytest.raises(AudioError, match="one mono channel"):
        activity(np.zeros((2, 10)), "speech")
