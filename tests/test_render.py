"""Rendering: levels measure back, labels lie where the sound is, both repeat a short source alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from earmark.activity import Activity, activity, cell_power
from earmark.errors import ConfigError
from earmark.programme import Event, Programme
from earmark.render import active_cells, label_cells, labels, limit_peak, render
from earmark.sources import Content, Source

RATE = 16_000
HOP = 320
Float = npt.NDArray[np.float32]


def source(content: Content, seconds: float = 10.0, path: str = "") -> Source:
    return Source(path or content, content, False, seconds, "group", "origin")


def event(index: int, start: float, duration: float, level: float = -20.0, offset: float = 0.0) -> Event:
    return Event(index, start, duration, offset, (0.0,), (level,))


def tone(seconds: float, hz: float = 500, amplitude: float = 0.1) -> Float:
    t = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def rms_db(signal: Float) -> float:
    return float(10 * np.log10(np.mean(np.asarray(signal, dtype=float) ** 2)))


def sounds_in(cells: npt.NDArray[np.bool_], rms_db: float = -20.0) -> Activity:
    return Activity(cells, rms_db, np.zeros(len(cells)))


def always(n_cells: int, rms_db: float = -20.0) -> Activity:
    return sounds_in(np.ones(n_cells, dtype=bool), rms_db)


SPEECH, MUSIC, NOISE = source("speech"), source("music"), source("noise")
SAMPLES = {"speech": tone(10, 500), "music": tone(10, 1500, 0.02), "noise": tone(10, 3000, 0.5)}
SOURCES = [SPEECH, MUSIC, NOISE]
ACTIVITIES = [always(500)] * 3


def load(wanted: Source) -> Float:
    return SAMPLES[wanted.path]


# -- waveform ------------------------------------------------------------------------------------


def test_the_level_of_a_source_measures_back() -> None:
    programme = Programme(6.0, (event(0, 1.0, 4.0, -27.5, offset=2.0),))
    mix = render(programme, SOURCES, load)
    assert mix.dtype == np.float32
    assert len(mix) == 6 * RATE
    assert rms_db(mix[RATE + 200 : 5 * RATE - 200]) == pytest.approx(-27.5, abs=0.05)
    assert not mix[:RATE].any()
    assert not mix[5 * RATE :].any()


def test_the_level_of_speech_counts_its_pauses_out() -> None:
    talk = np.concatenate([tone(2), np.zeros(2 * RATE, np.float32)] * 2)
    mix = render(Programme(8.0, (event(0, 0.0, 8.0, -30.0),)), SOURCES, lambda _: talk)
    assert rms_db(mix[:RATE]) == pytest.approx(-30, abs=0.1)


def test_speech_to_music_ratio_measures_back() -> None:
    programme = Programme(5.0, (event(0, 0.0, 5.0, -20.0), event(1, 0.0, 5.0, -26.5)))
    mix = render(programme, SOURCES, load)
    spectrum = np.abs(np.fft.rfft(mix[RATE : 2 * RATE]))
    assert 20 * np.log10(spectrum[500] / spectrum[1500]) == pytest.approx(6.5, abs=0.1)
    cells = label_cells(programme, ACTIVITIES, ["speech", "music", "noise"])
    assert np.allclose(cells.level_db[:, 0] - cells.level_db[:, 1], 6.5)
    (speech, music) = labels(programme, SOURCES, ACTIVITIES)
    assert speech.speech_to_music_db == pytest.approx(6.5)
    assert music.speech_to_music_db == pytest.approx(6.5)


def test_a_duck_follows_its_breakpoints_in_decibels() -> None:
    duck = Event(1, 1.0, 8.0, 0.0, (2.0, 3.0, 5.0, 6.0), (-20.0, -40.0, -40.0, -20.0))
    mix = render(Programme(10.0, (duck,)), SOURCES, load)
    level = 10 * np.log10(cell_power(mix, HOP)[50:450] + 1e-12)
    expected = np.interp((np.arange(400) + 0.5) * 0.02, duck.times, duck.levels)
    assert np.max(np.abs(level - expected)[2:-2]) < 0.2


def test_events_are_declicked_only_at_their_edges() -> None:
    flat = np.full(10 * RATE, 0.1, np.float32)
    mix = render(Programme(2.0, (event(1, 0.5, 1.0),)), SOURCES, lambda _: flat)
    ramp = mix[8000:8080]
    assert np.all(np.diff(ramp) > 0)
    assert ramp[0] < 0.002
    assert np.allclose(mix[8080:23_920], 0.1, atol=1e-4)
    assert np.allclose(mix[23_920:24_000], ramp[::-1], atol=1e-6)


def test_a_peak_too_high_scales_the_whole() -> None:
    programme = Programme(3.0, (event(0, 0.0, 3.0, -1.0), event(1, 0.0, 3.0, -1.0)))
    mix = render(programme, SOURCES, load)
    assert np.max(np.abs(mix)) == pytest.approx(0.99, abs=1e-3)
    quiet = np.full(10, 0.5, np.float32)
    assert limit_peak(quiet) is quiet


def test_silent_sources_stay_silent_and_empty_ones_are_refused() -> None:
    programme = Programme(1.0, (event(0, 0.0, 1.0),))
    assert not render(programme, SOURCES, lambda _: np.zeros(RATE, np.float32)).any()
    with pytest.raises(ConfigError, match="multiple of 50"):
        render(programme, SOURCES, load, sample_rate=11_025)
    with pytest.raises(ConfigError, match="no samples"):
        render(programme, SOURCES, lambda _: np.zeros(0, np.float32), activities=[always(0)])


def test_other_sample_rates_keep_levels_and_times() -> None:
    t = np.arange(48_000 * 2) / 48_000
    high = np.sin(2 * np.pi * 500 * t).astype(np.float32)
    mix = render(Programme(2.0, (event(1, 0.5, 1.0),)), SOURCES, lambda _: high, sample_rate=48_000)
    assert rms_db(mix[25_000:71_000]) == pytest.approx(-20, abs=0.05)
    assert not mix[:24_000].any()


# -- repetition ----------------------------------------------------------------------------------


def test_a_short_source_repeats_every_two_cells_less_than_it_has() -> None:
    ramp = np.linspace(0.1, 0.9, 10 * HOP - 100, dtype=np.float32)
    mix = render(Programme(1.0, (event(1, 0.0, 1.0),)), SOURCES, lambda _: ramp, activities=ACTIVITIES)
    period = 8 * HOP
    assert np.allclose(mix[HOP:period], ramp[HOP:period], atol=1e-5)
    for k in (1, 2, 3, 4):
        assert np.allclose(mix[k * period + HOP : (k + 1) * period], ramp[HOP:period], atol=1e-5)
    seam = mix[period - 1 : period + HOP + 1]
    assert np.max(np.abs(np.diff(seam))) < 0.02


def test_a_source_just_long_enough_is_not_repeated() -> None:
    ramp = np.linspace(0.1, 0.9, 10 * HOP, dtype=np.float32)
    whole = Event(1, 0.0, 0.2, 0.0, (0.0,), (rms_db(ramp),))
    mix = render(Programme(0.2, (whole,)), SOURCES, lambda _: ramp)
    assert np.allclose(mix[80:-80], ramp[80:-80], atol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 300, 321, 700, 1000, 1300])
def test_sources_of_a_few_cells_repeat_too(n_samples: int) -> None:
    short = np.full(n_samples, 0.1, np.float32)
    mix = render(Programme(0.5, (event(2, 0.0, 0.5, offset=0.13),)), SOURCES, lambda _: short)
    assert np.isfinite(mix).all()
    assert cell_power(mix, HOP).all()


def test_labels_and_sound_agree_cell_by_cell_for_any_plan() -> None:
    rng = np.random.default_rng(5)
    pattern = np.repeat(rng.random(12) < 0.5, 40)
    pattern[:3] = True
    signal = (np.repeat(pattern, HOP)[: 480 * HOP - 50] * 0.1).astype(np.float32)
    known = sounds_in(pattern)
    for _ in range(40):
        start, duration, offset = rng.integers(0, 300), rng.integers(20, 1500), rng.integers(0, 600)
        one = event(1, start * 0.02, duration * 0.02, -20.0, offset * 0.02)
        mix = render(Programme(30.0, (one,)), SOURCES, lambda _: signal, activities=[known] * 3)
        sounding = cell_power(mix, HOP) > 1e-4 / 4
        on = active_cells(one, known, 1500)
        wrong = np.flatnonzero(sounding != on)
        # Only where two passes cross may a cell sound that its own pass does not ask for.
        period = 478
        assert all((offset + cell - start) % period == 0 for cell in wrong)
        assert on.any() == sounding.any()


# -- labels --------------------------------------------------------------------------------------


def test_labels_follow_the_activity_of_the_source_from_its_offset() -> None:
    talk = sounds_in(np.repeat([True, False, True, False], 50))
    timeline = labels(Programme(6.0, (event(0, 1.0, 3.0, offset=0.5),)), SOURCES, [talk] * 3)
    assert [(s.start, s.end, s.label) for s in timeline] == [(1.0, 1.5, "speech"), (2.5, 3.5, "speech")]
    assert timeline.labels == ("speech", "music", "noise")
    assert timeline.duration == 6.0


def test_an_event_off_the_cells_counts_where_it_has_half_of_one() -> None:
    on = active_cells(event(0, 0.109, 0.3, offset=0.0), always(500), 50)
    assert np.flatnonzero(on).tolist() == list(range(5, 20))
    on = active_cells(event(0, 0.111, 0.3, offset=0.0), always(500), 50)
    assert np.flatnonzero(on).tolist() == list(range(6, 21))


def test_labels_end_with_the_programme() -> None:
    timeline = labels(Programme(3.01, (event(1, 1.0, 50.0),)), SOURCES, ACTIVITIES)
    assert [(s.start, s.end) for s in timeline] == [(1.0, 3.01)]


def test_events_of_one_class_merge_and_short_runs_go() -> None:
    events = (event(0, 0.0, 1.0), event(0, 0.9, 1.0), event(2, 3.0, 0.08), event(1, 4.0, 0.1))
    timeline = labels(Programme(5.0, events), SOURCES, ACTIVITIES)
    assert [(s.start, s.end, s.label) for s in timeline] == [
        (0.0, pytest.approx(1.9), "speech"),
        (4.0, pytest.approx(4.1), "music"),
    ]


def test_a_fade_is_labelled_down_to_minus_55() -> None:
    fade = Event(1, 0.0, 10.0, 0.0, (0.0, 10.0), (-20.0, -100.0))
    (music,) = labels(Programme(10.0, (fade,)), SOURCES, ACTIVITIES)
    assert music.end == pytest.approx(35 / 8, abs=0.021)


def test_what_is_25_db_below_another_event_is_masked_only_while_that_sounds() -> None:
    programme = Programme(6.0, (event(1, 0.0, 6.0, -40.5), event(0, 2.0, 2.0, -15.0)))
    timeline = labels(programme, SOURCES, ACTIVITIES)
    assert [(s.start, s.end) for s in timeline["music"]] == [(0.0, 2.0), (4.0, 6.0)]
    assert timeline["speech"][0].speech_to_music_db is None
    audible = Programme(6.0, (event(1, 0.0, 6.0, -39.5), event(0, 2.0, 2.0, -15.0)))
    assert len(labels(audible, SOURCES, ACTIVITIES)["music"]) == 1
    pausing = [sounds_in(np.zeros(500, dtype=bool), -np.inf), *ACTIVITIES[1:]]
    assert len(labels(programme, SOURCES, pausing)["music"]) == 1


def test_quiet_passages_are_masked_and_faint_ones_unheard() -> None:
    swell = Activity(np.ones(500, dtype=bool), -20.0, np.repeat([0.0, -20.0, -40.0, 0.0], 125))
    activities = [always(500), swell, always(500)]
    alone = labels(Programme(10.0, (event(1, 0.0, 10.0),)), SOURCES, activities)
    assert [(s.start, s.end) for s in alone] == [(0.0, 5.0), (7.5, 10.0)]
    under = Programme(10.0, (event(1, 0.0, 10.0, -30.0), event(0, 0.0, 10.0)))
    music = labels(under, SOURCES, activities)["music"]
    assert [(s.start, s.end) for s in music] == [(0.0, 2.5), (7.5, 10.0)]


def test_what_is_masked_for_a_moment_is_heard_on() -> None:
    events = (event(1, 0.0, 6.0, -41.0), event(0, 2.0, 0.6, -15.0), event(0, 4.0, 0.8, -15.0))
    music = labels(Programme(6.0, events), SOURCES, ACTIVITIES)["music"]
    assert [(s.start, s.end) for s in music] == [(0.0, 4.0), (pytest.approx(4.8), 6.0)]


def test_masking_looks_at_the_loudest_other_event_of_many() -> None:
    events = (
        event(0, 0.0, 2.0, -45.0),
        event(1, 0.0, 2.0, -19.0),
        event(2, 0.0, 2.0, -30.0),
        event(0, 0.0, 2.0, -48.0),
    )
    cells = label_cells(Programme(2.0, events), ACTIVITIES, ["speech", "music", "noise"])
    assert cells.active.all(axis=0).tolist() == [False, True, True]
    assert not cells.active[:, 0].any()
    assert np.all(np.isneginf(cells.level_db[:, 0]))


def test_levels_of_one_class_add_as_powers() -> None:
    events = (event(1, 0.0, 2.0, -20.0), event(1, 0.0, 2.0, -20.0))
    cells = label_cells(Programme(2.0, events), ACTIVITIES, ["speech", "music", "noise"])
    assert np.allclose(cells.level_db[:, 1], -20 + 10 * np.log10(2), atol=1e-4)


def test_labels_of_a_rendered_source_come_from_its_own_activity() -> None:
    talk = np.concatenate([np.zeros(RATE, np.float32), tone(1), np.zeros(RATE, np.float32), tone(1)])
    found = activity(talk, "speech")
    programme = Programme(8.0, (event(0, 0.5, 6.9, -25.0),))
    mix = render(programme, SOURCES, lambda _: talk)
    timeline = labels(programme, SOURCES, [found] * 3)
    sounding = cell_power(mix, HOP) > 1e-5
    wrong = np.flatnonzero(timeline["speech"].to_frames(0.02)[:, 0] != sounding)
    # The tone that ends the source fades out in the cell after the seam, which counts as the silent start.
    assert wrong.tolist() == [25 + 198]


def test_a_programme_without_events_is_silent_and_unlabelled() -> None:
    assert not render(Programme(1.0, ()), SOURCES, load).any()
    assert len(labels(Programme(1.0, ()), SOURCES, {})) == 0
