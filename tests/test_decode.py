"""Decoding: answers worked out by hand, a slow twin, and blocks of any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.card import DecodeOptions
from earmark.decode import StreamDecoder, decode
from earmark.errors import AnnotationError, ConfigError
from earmark.posteriors import Posteriors
from earmark.timeline import Segment

HOP = 0.1
RAW = DecodeOptions(threshold=0.5, release=0.5, min_duration=0, min_gap=0, smooth=0)


def posteriors(
    ratio: Sequence[float] | None = None, duration: float | None = None, **columns: Sequence[float]
) -> Posteriors:
    values = np.array(list(columns.values()), dtype=np.float32).T
    ratios = None if ratio is None else np.array(ratio, np.float32)
    return Posteriors(values, ratios, tuple(columns), HOP, duration)


def spans(
    column: Sequence[float], options: DecodeOptions = RAW, duration: float | None = None
) -> list[tuple[float, float]]:
    found = decode(posteriors(duration=duration, speech=column), {"speech": options})
    return [(s.start, s.end) for s in found]


# -- one rule at a time --------------------------------------------------------------------------


def test_a_run_above_the_threshold_is_a_segment_with_its_mean() -> None:
    p = posteriors(speech=[0, 0.25, 0.5, 1, 0.75, 0.25])
    found = decode(p, {"speech": RAW})
    assert found.segments == (Segment(0.2, 0.5, "speech", 0.75),)
    assert found.duration == pytest.approx(0.6)
    assert found.labels == ("speech",)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6, 0.7, 0.9])
def test_the_threshold_is_inclusive_although_posteriors_are_float32(threshold: float) -> None:
    assert spans([0, threshold, 0], replace(RAW, threshold=threshold, release=threshold)) == [(0.1, 0.2)]
    assert spans([0, threshold - 1e-6, 0], replace(RAW, threshold=threshold, release=threshold)) == []


def test_a_segment_goes_on_until_the_release_is_undercut() -> None:
    column = [0.4, 0.5, 0.4, 0.3, 0.5, 0.29, 0.4, 0.6]
    assert spans(column, replace(RAW, release=0.3)) == [(0.1, 0.5), (0.7, 0.8)]
    assert spans(column) == [(0.1, 0.2), (0.4, 0.5), (0.7, 0.8)]


def test_without_a_release_it_is_four_fifths_of_the_threshold() -> None:
    assert spans([0.5, 0.4, 0.39, 0.45], replace(RAW, release=None)) == [(0.0, 0.2)]


def test_gaps_shorter_than_min_gap_are_filled_and_count_in_the_confidence() -> None:
    p = posteriors(speech=[1, 0, 0, 1, 0, 0, 0, 1])
    found = decode(p, {"speech": replace(RAW, min_gap=0.3)})
    assert found.segments == (Segment(0.0, 0.4, "speech", 0.5), Segment(0.7, 0.8, "speech", 1.0))


def test_a_gap_of_just_min_gap_stays() -> None:
    assert spans([1, 0, 0, 0, 1], replace(RAW, min_gap=0.3)) == [(0.0, 0.1), (0.4, 0.5)]
    assert spans([1, 0, 0, 0, 1], replace(RAW, min_gap=0.31)) == [(0.0, 0.5)]


def test_segments_shorter_than_min_duration_are_dropped() -> None:
    assert spans([1, 1, 0, 1, 1, 1, 0], replace(RAW, min_duration=0.3)) == [(0.3, 0.6)]


def test_gaps_are_filled_before_short_segments_are_dropped() -> None:
    assert spans([1, 0, 1, 0, 1, 0], replace(RAW, min_duration=0.5, min_gap=0.2)) == [(0.0, 0.5)]


def test_the_average_narrows_at_the_ends_and_stays_centred() -> None:
    smooth = replace(RAW, smooth=0.3)
    # Averages over 1, 3, 3, 3 and 1 frames: 0, 1/3, 2/3, 2/3, 1.
    assert spans([0, 0, 1, 1, 0, 1], replace(smooth, threshold=0.6, release=0.6)) == [(0.2, 0.6)]
    assert spans([0, 1, 0, 0, 1, 0], smooth) == []


@pytest.mark.parametrize("smooth", [0, 0.1, 0.3, 0.5, 0.9, 1.3])
def test_smoothing_shifts_no_boundary_of_a_long_segment(smooth: float) -> None:
    column = [0.0] * 13 + [1.0] * 15 + [0.0] * 2
    assert spans(column, replace(RAW, smooth=smooth)) == [(1.3, 2.8)]


def test_smoothing_works_on_the_decision_and_not_on_the_confidence() -> None:
    found = decode(posteriors(speech=[0, 1, 1, 0.25, 1, 1, 0]), {"speech": replace(RAW, smooth=0.3)})
    assert found.segments == (Segment(0.1, 0.6, "speech", 0.85),)


def test_the_last_segment_ends_with_the_signal_and_is_measured_there() -> None:
    assert spans([0, 1, 1], duration=0.26) == [(0.1, 0.26)]
    assert spans([0, 1, 1], replace(RAW, min_duration=0.2), duration=0.26) == []


def test_nothing_gives_an_empty_timeline() -> None:
    empty = Posteriors(np.empty((0, 2), np.float32), None, ("speech", "music"), HOP)
    found = decode(empty, {"speech": RAW, "music": RAW})
    assert (found.segments, found.duration, found.labels) == ((), 0.0, ("speech", "music"))


def test_labels_are_decoded_each_by_its_options() -> None:
    p = posteriors(speech=[0.4, 0.4, 0.4], music=[0.4, 0.4, 0.4])
    found = decode(p, {"speech": RAW, "music": replace(RAW, threshold=0.3, release=0.3)})
    assert [s.label for s in found] == ["music"]


def test_a_label_without_options_is_refused() -> None:
    with pytest.raises(ConfigError, match="no decoding options for music"):
        decode(posteriors(speech=[1], music=[1]), {"speech": RAW})


def test_blocks_that_are_no_posteriors_are_refused() -> None:
    decoder = StreamDecoder(("speech",), HOP, {"speech": RAW})
    with pytest.raises(AnnotationError, match="do not fit 1 labels"):
        decoder.push(np.zeros((3, 2), np.float32))
    with pytest.raises(AnnotationError, match="from 0 to 1"):
        decoder.push(np.full((3, 1), 2, np.float32))


# -- speech to music -----------------------------------------------------------------------------


def test_the_ratio_is_the_mean_over_the_frames_both_share() -> None:
    p = posteriors(
        speech=[1, 1, 1, 1, 0, 0, 1, 1],
        music=[0, 0, 1, 1, 1, 1, 1, 0],
        noise=[0, 0, 1, 0, 0, 0, 0, 0],
        ratio=[90, 90, 6, 2, 90, 90, -5, 90],
    )
    found = decode(p, dict.fromkeys(p.labels, RAW))
    values = [(s.label, s.start, s.speech_to_music_db) for s in found]
    assert values == [("speech", 0.0, 4.0), ("noise", 0.2, None), ("music", 0.2, 1.0), ("speech", 0.6, -5.0)]


def test_the_ratio_goes_by_the_final_segments_of_the_other_label() -> None:
    p = posteriors(
        speech=[1, 1, 1, 1, 1, 1, 1, 1],
        music=[0, 1, 0, 0, 0, 1, 0, 1],
        ratio=[0, 50, 0, 0, 0, 3, 6, 9],
    )
    # The first music is too short; the gap between the others is filled and counts.
    options = {"speech": RAW, "music": replace(RAW, min_gap=0.2, min_duration=0.3)}
    found = decode(p, options)
    assert [(s.label, s.speech_to_music_db) for s in found] == [("speech", 6.0), ("music", 6.0)]


def test_speech_alone_has_no_ratio() -> None:
    p = posteriors(speech=[1, 1, 0], music=[0, 0, 1], ratio=[5, 5, 5])
    assert [s.speech_to_music_db for s in decode(p, {"speech": RAW, "music": RAW})] == [None, None]


def test_without_a_model_ratio_none_is_told() -> None:
    p = posteriors(speech=[1, 1], music=[1, 1])
    assert [s.speech_to_music_db for s in decode(p, {"speech": RAW, "music": RAW})] == [None, None]


def test_a_model_of_speech_alone_is_decoded() -> None:
    p = posteriors(speech=[1, 1], ratio=[1, 1])
    assert decode(p, {"speech": RAW}).segments == (Segment(0.0, 0.2, "speech", 1.0),)


# -- a slow twin ---------------------------------------------------------------------------------


def slow_frames(column: np.ndarray, options: DecodeOptions) -> np.ndarray:
    """Decide every frame of one label by the book, one frame at a time."""
    n, half = len(column), round((options.smooth / HOP - 1) / 2) if options.smooth else 0
    on, active = np.zeros(n, bool), False
    for t in range(n):
        h = min(half, t, n - 1 - t)
        level = column[t - h : t + h + 1].mean()
        active = level >= options.release_at if active else level >= options.threshold
        on[t] = active
    for value, shorter_than in ((False, options.min_gap), (True, options.min_duration)):
        t = 0
        while t < n:
            end = t
            while end < n and on[end] == on[t]:
                end += 1
            inner = value or (t > 0 and end < n)
            if on[t] == value and inner and (end - t) * HOP < shorter_than - 1e-9:
                on[t:end] = not value
            t = end
    return on


def slow_decode(p: Posteriors, options: Mapping[str, DecodeOptions]) -> list[Segment]:
    values = p.values.astype(np.float64)
    on = {label: slow_frames(values[:, k], options[label]) for k, label in enumerate(p.labels)}
    found = []
    for k, label in enumerate(p.labels):
        other = {"speech": "music", "music": "speech"}.get(label, "")
        edges = np.flatnonzero(np.diff(on[label].astype(int), prepend=0, append=0)).reshape(-1, 2)
        for a, b in edges.tolist():
            shared = np.flatnonzero(on[other][a:b]) + a if other in on else np.empty(0, int)
            ratio = None
            if len(shared) and p.speech_to_music_db is not None:
                ratio = float(p.speech_to_music_db[shared].astype(np.float64).mean())
            found.append(Segment(round(a * HOP, 9), round(b * HOP, 9), label, values[a:b, k].mean(), ratio))
    return sorted(found, key=lambda s: (s.start, s.end, s.label))


# Multiples of 1/8 and odd windows of 1, 3 and 5 frames keep the twin's own sums free of near ties.
LEVELS = st.sampled_from([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1])
OPTIONS = st.builds(
    lambda threshold, release, duration, gap, smooth: DecodeOptions(
        threshold, min(release, threshold), duration, gap, smooth
    ),
    st.sampled_from([0.25, 0.501, 0.75]),
    st.sampled_from([0.126, 0.374, 0.75]),
    st.sampled_from([0, 0.2, 0.3, 0.7]),
    st.sampled_from([0, 0.2, 0.3, 1.0]),
    st.sampled_from([0, 0.1, 0.3, 0.5]),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Posteriors, dict[str, DecodeOptions], list[int]]:
    n = draw(st.integers(0, 60))
    labels = ("speech", "music", "noise")
    columns = [draw(st.lists(LEVELS, min_size=n, max_size=n)) for _ in labels]
    ratio = np.array(draw(st.lists(st.integers(-30, 30), min_size=n, max_size=n)), np.float32)
    values = np.array(columns, np.float32).reshape(3, n).T
    options = {label: draw(OPTIONS) for label in labels}
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=20)))
    return Posteriors(values, ratio, labels, HOP), options, cuts


@settings(max_examples=200, deadline=None)
@given(case=cases())
def test_decoding_agrees_with_the_slow_twin_however_it_is_cut(
    case: tuple[Posteriors, dict[str, DecodeOptions], list[int]],
) -> None:
    p, options, cuts = case
    found = decode(p, options).segments
    wanted = slow_decode(p, options)
    assert [(s.start, s.end, s.label) for s in found] == [(s.start, s.end, s.label) for s in wanted]
    for a, b in zip(found, wanted, strict=True):
        assert a.confidence == pytest.approx(b.confidence)
        assert a.speech_to_music_db == pytest.approx(b.speech_to_music_db)
    for prompt in (False, True):
        decoder = StreamDecoder(p.labels, HOP, options, prompt=prompt)
        blocks = zip(np.split(p.values, cuts), np.split(p.speech_to_music_db, cuts), strict=True)  # type: ignore[arg-type]
        emitted = [segment for values, ratio in blocks for segment in decoder.push(values, ratio)]
        emitted += decoder.flush(p.duration)
        assert tuple(sorted(emitted) if prompt else emitted) == found


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), data=st.data())
def test_real_numbers_too_give_the_very_same_segments_however_they_are_cut(
    seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 0.4, (1500, 3)), axis=0)
    values = (1 / (1 + np.exp(-walk))).astype(np.float32)
    ratio = rng.normal(0, 10, 1500).astype(np.float32)
    labels = ("speech", "music", "noise")
    options = {label: DecodeOptions(smooth=data.draw(st.floats(0, 0.5))) for label in labels}
    cuts = sorted(data.draw(st.lists(st.integers(0, 1500), max_size=30)))
    decoder = StreamDecoder(labels, 0.02, options)
    found: list[Segment] = []
    for block, block_ratio in zip(np.split(values, cuts), np.split(ratio, cuts), strict=True):
        found += decoder.push(block, block_ratio)
    assert (*found, *decoder.flush()) == decode(Posteriors(values, ratio, labels, 0.02), options).segments


# -- streaming -----------------------------------------------------------------------------------


def test_a_segment_comes_as_soon_as_no_gap_can_reopen_it() -> None:
    decoder = StreamDecoder(("speech",), HOP, {"speech": replace(RAW, min_gap=0.3)})
    frames = np.array([0, 1, 1, 0, 0, 0, 0], np.float32)[:, None]
    counts = [len(decoder.push(frame[None])) for frame in frames]
    assert counts == [0, 0, 0, 0, 0, 1, 0]


def test_segments_come_sorted_so_a_long_one_holds_back_later_ones() -> None:
    decoder = StreamDecoder(("speech", "music"), HOP, {"speech": RAW, "music": RAW})
    assert decoder.push(np.array([[1, 0], [0, 1], [1, 1], [0, 1]], np.float32)) == [
        Segment(0.0, 0.1, "speech", 1.0)
    ]
    assert [(s.label, s.start) for s in decoder.flush()] == [("music", 0.1), ("speech", 0.2)]


def test_a_segment_waits_for_the_music_it_shares_frames_with() -> None:
    options = {"speech": RAW, "music": replace(RAW, min_duration=0.3)}
    decoder = StreamDecoder(("speech", "music"), HOP, options)
    ratio = np.array([8, 8, 4, 4], np.float32)
    assert decoder.push(np.array([[1, 0], [1, 1], [0, 1], [0, 1]], np.float32), ratio) == []
    assert [s.speech_to_music_db for s in decoder.push(np.zeros((1, 2), np.float32), ratio[:1])] == [8.0, 8.0]


def test_a_long_segment_keeps_no_frames() -> None:
    labels = ("speech", "music", "noise")
    decoder = StreamDecoder(labels, 0.02, dict.fromkeys(labels, DecodeOptions(smooth=1.0)))
    for _ in range(100):
        decoder.push(np.ones((1000, 3), np.float32), np.zeros(1000, np.float32))
    assert decoder._sums.shape[1] <= 2 * 25 + 1
    assert [(s.start, s.end, s.confidence) for s in decoder.flush()] == [(0.0, 2000.0, 1.0)] * 3


def test_segments_given_out_are_not_kept() -> None:
    decoder = StreamDecoder(("speech", "music"), HOP, {"speech": RAW, "music": RAW})
    given_out = 0
    for _ in range(200):
        block = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        given_out += len(decoder.push(block, np.zeros(4, np.float32)))
    held = sum(len(list(track.spans())) for track in decoder._tracks.values())
    assert given_out >= 396
    assert held <= 6


def test_a_prompt_decoder_does_not_wait_for_what_goes_on() -> None:
    options = {"speech": RAW, "music": replace(RAW, min_duration=0.2, min_gap=0.2)}
    decoder = StreamDecoder(("speech", "music"), HOP, options, prompt=True)
    ratio = np.array([2, 4, 6, 8], np.float32)
    assert decoder.push(np.array([[0, 1], [0, 1], [0, 1], [1, 1]], np.float32), ratio) == []
    # What the music and the speech share counts for the music, too, long after the speech is out.
    assert decoder.push(np.array([[1, 1], [0, 1]], np.float32), ratio[:2]) == [
        Segment(0.3, 0.5, "speech", 1.0, 5.0)
    ]
    assert decoder.push(np.tile(np.array([0, 1], np.float32), (500, 1)), np.zeros(500, np.float32)) == []
    assert decoder.flush() == [Segment(0.0, 50.6, "music", 1.0, 5.0)]


def test_a_prompt_decoder_keeps_nothing_of_what_is_out() -> None:
    decoder = StreamDecoder(("speech", "music"), HOP, {"speech": RAW, "music": RAW}, prompt=True)
    given_out = 0
    for _ in range(200):
        block = np.array([[0, 1], [1, 1], [1, 1], [0, 1]], np.float32)
        given_out += len(decoder.push(block, np.zeros(4, np.float32)))
        assert sum(len(list(track.spans())) for track in decoder._tracks.values()) == 1
    assert given_out == 200


@pytest.mark.parametrize(("goes_on", "n_found"), [(0.0, 0), (0.1, 0), (0.2, 1)])
def test_what_sounds_when_a_signal_is_cut_may_go_on(goes_on: float, n_found: int) -> None:
    options = replace(RAW, min_duration=0.5, min_gap=0.3)
    decoder = StreamDecoder(("speech",), HOP, {"speech": options})
    decoder.push(np.array([[0], [1], [1], [1]], np.float32))
    found = decoder.fork().flush(goes_on=goes_on)
    assert found == [Segment(0.1, 0.4, "speech", 1.0)] * n_found
    # It sounds no more, although it may yet be joined to what follows.
    decoder.push(np.array([[0]], np.float32))
    assert decoder.flush(goes_on=goes_on) == []


def test_a_fork_leaves_the_decoder_as_it_was() -> None:
    decoder = StreamDecoder(("speech",), HOP, {"speech": RAW})
    decoder.push(np.array([[0], [1]], np.float32))
    assert decoder.fork().flush() == [Segment(0.1, 0.2, "speech", 1.0)]
    assert decoder.push(np.array([[1], [0]], np.float32)) == [Segment(0.1, 0.3, "speech", 1.0)]
