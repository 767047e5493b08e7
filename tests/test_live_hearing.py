"""Hearing: what is told within moments, and that what is certain is what `detect` finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earmark.card import DecodeOptions
from earmark.detector import Detector
from earmark.live.hearing import DELAY_S, GOES_ON_S, STEP_S, Hearing, Told, _Lane
from earmark.model import Model, PosteriorStream
from earmark.timeline import Segment

Tone = Callable[..., np.ndarray]
RATE = 16_000


def hear(hearing: Hearing, samples: np.ndarray, block: int = 800) -> list[tuple[float, Told]]:
    """Return what is told, each with the seconds heard by then."""
    told = []
    for at in range(0, len(samples), block):
        told += [(hearing.heard, each) for each in hearing.push(samples[at : at + block])]
    return told


def events(told: Sequence[tuple[float, Told]], *names: str) -> list[tuple[str, str, float, float | None]]:
    return [(t.event, t.label, t.start, t.end) for _, t in told if t.event in names]


def segments(told: Sequence[Told]) -> list[Segment]:
    found = [t for t in told if t.event == "segment"]
    return sorted(
        Segment(t.start, t.end, t.label, t.confidence, t.speech_to_music_db) for t in found if t.end
    )


@pytest.fixture
def show(tone: Tone) -> np.ndarray:
    """A minute: low tones ("speech") over a high one ("music") that goes on and on."""
    sound = tone(60, 5000, start=5)
    for start in range(8, 56, 6):
        sound = sound + tone(60, 400, start=start, end=start + 2.5)
    return np.asarray(sound, np.float32)


@pytest.fixture
def model(tiny_model_path: Path) -> Model:
    return Model.load(tiny_model_path)


@pytest.mark.parametrize("block", [160, 800, 4321, 200_000])
def test_what_is_certain_is_what_detect_finds(model: Model, show: np.ndarray, block: int) -> None:
    hearing = Hearing(model, model.decode)
    told = [t for _, t in hear(hearing, show, block)] + hearing.close()
    assert segments(told) == list(Detector(model).detect(show, RATE).segments)


def test_so_it_is_with_a_network_that_sees_far_and_real_posteriors(strided_model_path: Path) -> None:
    model = Model.load(strided_model_path)
    rng = np.random.default_rng(1)
    level = np.repeat(10 ** rng.uniform(-4, 0, 120), RATE // 4)
    sound = (rng.normal(0, 0.1, 30 * RATE) * level).astype(np.float32)
    middle = np.median(model.posteriors(sound, RATE).values, axis=0)
    options = {
        label: DecodeOptions(threshold=float(m), release=float(m), min_duration=0.1, min_gap=0.1)
        for label, m in zip(model.labels, middle, strict=True)
    }
    hearing = Hearing(model, options)
    told = [t for _, t in hear(hearing, sound)] + hearing.close()
    found = segments(told)
    offline = list(Detector(model, options).detect(sound, RATE).segments)
    assert len(offline) > 10
    assert [(s.start, s.end, s.label) for s in found] == [(s.start, s.end, s.label) for s in offline]
    assert [s.confidence for s in found] == pytest.approx([s.confidence for s in offline], abs=1e-5)


def test_every_start_and_end_is_told_in_time(model: Model, show: np.ndarray) -> None:
    told = hear(Hearing(model, model.decode), show)
    moments = [(heard, t.start if t.event == "start" else t.end) for heard, t in told if t.event != "segment"]
    assert len(moments) == 17
    late = [heard - moment for heard, moment in moments if moment is not None]
    assert max(late) <= DELAY_S + STEP_S + 0.15
    assert events(told, "start", "end")[:4] == [
        ("start", "music", pytest.approx(5.0, abs=0.05), None),
        ("start", "speech", pytest.approx(8.0, abs=0.05), None),
        ("end", "speech", pytest.approx(8.0, abs=0.05), pytest.approx(10.5, abs=0.05)),
        ("start", "speech", pytest.approx(14.0, abs=0.05), None),
    ]


def test_segments_do_not_wait_for_music_that_goes_on(model: Model, show: np.ndarray) -> None:
    told = [(heard, t) for heard, t in hear(Hearing(model, model.decode), show) if t.event == "segment"]
    assert [t.label for _, t in told] == ["speech"] * 8
    assert all(heard - t.end < 2.5 for heard, t in told if t.end)
    assert all(t.speech_to_music_db is not None for _, t in told)


def test_a_gap_ends_everything_and_what_follows_is_counted_on(model: Model, tone: Tone) -> None:
    hearing = Hearing(model, model.decode)
    told = hear(hearing, tone(10, 400, start=4))
    assert hearing.sounding == ("speech",)
    told += [(hearing.heard, t) for t in hearing.close()]
    assert hearing.sounding == ()
    assert hearing.heard == 10.0
    told += hear(hearing, tone(10, 400, start=3, end=8))
    told += [(hearing.heard, t) for t in hearing.close()]
    assert events(told, "segment") == [
        ("segment", "speech", pytest.approx(4.0, abs=0.05), 10.0),
        ("segment", "speech", pytest.approx(13.0, abs=0.05), pytest.approx(18.0, abs=0.05)),
    ]
    assert [each[:2] for each in events(told, "start", "end")] == [("start", "speech"), ("end", "speech")] * 2


def test_closing_without_any_sound_tells_nothing(model: Model) -> None:
    hearing = Hearing(model, model.decode)
    assert hearing.close() == []
    assert hearing.close() == []


def test_long_durations_are_waited_for(model: Model, tone: Tone) -> None:
    options = {label: replace(o, min_duration=4.0) for label, o in model.decode.items()}
    options["music"] = model.decode["music"]
    hearing = Hearing(model, options)
    assert hearing.delays["speech"] == pytest.approx(4.15 - GOES_ON_S)
    assert hearing.delays["music"] == DELAY_S
    told = hear(hearing, tone(20, 400, start=2, end=5) + tone(20, 400, start=8, end=14))
    assert events(told, "start") == [("start", "speech", pytest.approx(8.0, abs=0.05), None)]
    assert set(Hearing(model, model.decode).delays.values()) == {DELAY_S}


def test_a_label_that_needs_long_does_not_hold_back_the_others(model: Model, tone: Tone) -> None:
    options = {**model.decode, "speech": replace(model.decode["speech"], min_duration=4.0)}
    sound = tone(20, 400, start=2, end=8) + tone(20, 5000, start=3, end=6)
    told = [(heard, t) for heard, t in hear(Hearing(model, options), sound) if t.event in ("start", "end")]
    lates = {(t.event, t.label): heard - (t.start if t.end is None else t.end) for heard, t in told}
    assert max(late for (_, label), late in lates.items() if label == "music") <= DELAY_S + STEP_S + 0.15
    assert lates["start", "speech"] == pytest.approx(4.2 - GOES_ON_S, abs=0.15)
    assert list(lates) == [("start", "music"), ("start", "speech"), ("end", "music"), ("end", "speech")]


def test_what_still_sounds_is_told_before_it_is_long_enough(model: Model, tone: Tone) -> None:
    options = replace(model.decode["speech"], min_duration=1.0, smooth=0.0)
    hearing = Hearing(model, {**model.decode, "speech": options})
    assert hearing.delays["speech"] == pytest.approx(1.1 - GOES_ON_S)
    told = hear(hearing, tone(20, 400, start=2, end=2.93) + tone(20, 400, start=8, end=14))
    first, second = (pytest.approx(at, abs=0.05) for at in (2, 8))
    assert [each[:3] for each in events(told, "start", "end", "withdrawn", "segment")] == [
        ("start", "speech", first),
        ("withdrawn", "speech", first),
        ("start", "speech", second),
        ("end", "speech", second),
        ("segment", "speech", second),
    ]
    lates = [heard - t.start for heard, t in told if t.event == "start"]
    assert max(lates) <= hearing.delays["speech"] + STEP_S + 0.1 < 1.0 + STEP_S


def test_an_end_that_is_told_inside_a_gap_is_taken_back(model: Model, tone: Tone) -> None:
    options = replace(model.decode["speech"], min_gap=1.0, smooth=0.0)
    hearing = Hearing(model, {**model.decode, "speech": options})
    told = hear(hearing, tone(20, 400, start=2, end=5) + tone(20, 400, start=5.97, end=8))
    start, end, again, last = events(told, "start", "end")
    assert (start[0], end[0], again[0], last[0]) == ("start", "end", "start", "end")
    assert end[3] == again[2] == pytest.approx(5.0, abs=0.05)
    ((_, _, *segment),) = events(told, "segment")
    assert segment == pytest.approx([2.0, 8.0], abs=0.05)


def test_an_end_that_was_none_is_taken_back_by_a_start_at_the_same_moment() -> None:
    lane = _Lane("music")
    assert [t.event for t in lane.turn([Segment(1.0, 9.0, "music")], 2.0, False)] == ["start"]
    assert [t.event for t in lane.turn([Segment(1.0, 3.0, "music")], 4.0, False)] == ["end"]
    (again,) = lane.turn([Segment(1.0, 9.0, "music")], 5.0, False)
    assert (again.event, again.start) == ("start", 3.0)


class Fickle:
    """A stream of posteriors whose guesses say that speech has begun, and then that it has not."""

    def __init__(self, model: Model) -> None:
        self._stream = PosteriorStream(model)
        self._n_looks = 0

    def look(self, frames: np.ndarray) -> object:
        decided, guessed = self._stream.look(frames)
        self._n_looks += 1
        if self._n_looks <= 40:
            guessed.values[:, 0] = 1.0
        return decided, guessed

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def test_a_start_that_was_none_is_withdrawn(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earmark.live.hearing.PosteriorStream", Fickle)
    hearing = Hearing(replace_context(model, 400), model.decode)
    told = hear(hearing, np.zeros(20 * RATE, np.float32)) + [(0.0, t) for t in hearing.close()]
    assert events(told, "start", "end", "withdrawn", "segment") == [
        ("start", "speech", 0.0, None),
        ("withdrawn", "speech", 0.0, pytest.approx(4.0 - DELAY_S)),
    ]


def replace_context(model: Model, context: int) -> Model:
    """Let a network pass for one that sees further than it does."""
    model.card = replace(model.card, context=context)
    return model


def test_what_is_certain_so_far_is_known_with_what_goes_on(model: Model, show: np.ndarray) -> None:
    hearing = Hearing(model, model.decode)
    assert hearing.known == (0.0, [])
    told = hear(hearing, show[: 30 * RATE])
    until, held = hearing.known
    assert 28.0 < until <= 30.0
    assert [s.label for s in held] == ["music"]
    assert (held[0].start, held[0].end) == (pytest.approx(5.0, abs=0.05), until)
    # Together with the segments that are told, it is what `detect` finds up to there.
    offline = Detector(model).detect(show, RATE).segments
    known = sorted((s.start, s.label) for s in (*segments([t for _, t in told]), *held))
    assert known == sorted((s.start, s.label) for s in offline if s.start < until)
    hearing.close()
    assert hearing.known == (30.0, [])


def test_what_is_kept_does_not_grow(model: Model, tone: Tone) -> None:
    hearing = Hearing(model, model.decode)
    minute = tone(60, 5000) + sum(tone(60, 400, start=s, end=s + 2) for s in range(1, 59, 5))
    sizes = []
    for _ in range(4):
        hearing.push(minute.astype(np.float32))
        decoder = hearing._decoder
        sizes.append(
            (
                decoder._sums.size,
                sum(len(list(track.spans())) for track in decoder._tracks.values()),
                hearing._posteriors._mel.size,
                hearing._frames.size,
            )
        )
    assert sizes[1] == sizes[2] == sizes[3]
