"""Segment-based scores: hand-computed answers, laws, and the plain definition."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import AnnotationError, ConfigError
from earmark.metrics import STATES, Confusion, Counts, label_counts
from earmark.timeline import Segment, Timeline


def line(*rows, duration=None):
    return Timeline(tuple(Segment(*row) for row in rows), duration)


@st.composite
def timelines(draw, most=6):
    rows = []
    for label in ("speech", "music"):
        points = draw(st.lists(st.integers(0, 3000), max_size=2 * most, unique=True))
        pairs = zip(*[iter(sorted(points))] * 2, strict=False)
        rows += [Segment(a / 100, b / 100, label) for a, b in pairs]
    return Timeline(tuple(rows), 30.0)


# reference  speech 0-2, 4-6     music 1-5
# estimate   speech 0-3          music 2-5, 8-9      of 10 s
REFERENCE = line((0, 2, "speech"), (4, 6, "speech"), (1, 5, "music"), duration=10)
ESTIMATE = line((0, 3, "speech"), (2, 5, "music"), (8, 9, "music"), duration=10)


def test_label_counts_match_hand_computed_seconds():
    assert label_counts(REFERENCE, ESTIMATE, "speech") == Counts(tp=200, fp=100, fn=200, tn=500)
    music = label_counts(REFERENCE, ESTIMATE, "music")
    assert music == Counts(tp=300, fp=100, fn=100, tn=500)
    assert (music.precision, music.recall, music.f1, music.accuracy) == (0.75, 0.75, 0.75, 0.8)


def test_confusion_matches_hand_computed_states():
    # second: 0 S/S, 1 B/S, 2 M/B, 3 M/M, 4 B/M, 5 S/-, 6 -/-, 7 -/-, 8 -/M, 9 -/-
    expected = np.array([[3, 0, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]]) * 100
    table = Confusion.of(REFERENCE, ESTIMATE)
    np.testing.assert_array_equal(table.cells, expected)
    assert table.accuracy == 0.5
    assert table.counts("both") == Counts(tp=0, fp=100, fn=200, tn=700)


def test_reported_shares_look_only_where_the_truth_is_as_asked():
    table = Confusion.of(REFERENCE, ESTIMATE)
    assert table.reported("neither") == {"neither": 0.75, "speech": 0.0, "music": 0.25, "both": 0.0}
    assert table.reported("music", "both") == {"neither": 0.0, "speech": 0.25, "music": 0.5, "both": 0.25}
    assert table.reported()["speech"] == pytest.approx(0.2)


def test_false_share_is_the_time_wrongly_reported_where_the_label_is_absent():
    assert label_counts(REFERENCE, ESTIMATE, "speech").false_share == pytest.approx(1 / 6)


def test_one_label_can_be_looked_for_where_another_is():
    counts = label_counts(REFERENCE, ESTIMATE, "music", estimate_label="speech")
    assert counts.recall == 0.5  # speech is reported in two of four seconds of music


def test_a_segment_fills_every_cell_it_touches():
    touched = line((0.014, 0.031, "speech"), duration=0.1)
    assert label_counts(touched, touched, "speech") == Counts(tp=3, tn=7)


def test_times_on_the_grid_lie_where_floats_put_them():
    # 0.29 / 0.01 is 28.999... and 0.07 / 0.01 is 7.000...1 in floats; sed_eval counts like this.
    assert label_counts(line((0.29, 0.5, "speech")), line((0.3, 0.5, "speech")), "speech").fn == 2
    assert label_counts(line((0, 0.07, "speech")), line((0, 0.06, "speech")), "speech").fn == 2


def test_by_default_the_longer_timeline_sets_the_length():
    short, long = line((0, 1, "music")), line((0, 3, "music"))
    assert label_counts(short, long, "music") == Counts(tp=100, fp=200)
    assert label_counts(short, long, "music", duration=2) == Counts(tp=100, fp=100)


def test_nothing_on_either_side_scores_zero_and_says_so():
    empty = label_counts(line(duration=5), line(duration=5), "speech")
    assert empty == Counts(tn=500)
    assert (empty.f1, empty.accuracy) == (0.0, 1.0)
    assert {"precision", "recall", "f1"} <= set(empty.undefined)
    assert "accuracy" not in empty.undefined


def test_silent_system_has_no_precision_but_an_f_of_zero():
    silent = label_counts(line((0, 1, "speech"), duration=5), line(duration=5), "speech")
    assert (silent.precision, silent.recall, silent.f1) == (0.0, 0.0, 0.0)
    assert silent.undefined == ("precision",)


def test_no_time_at_all_is_counted_as_nothing():
    assert Confusion.of(line(), line()).accuracy == 0.0
    assert label_counts(line(), line(), "speech") == Counts()


def test_unusable_arguments_are_refused():
    with pytest.raises(ConfigError, match="above 0"):
        label_counts(REFERENCE, ESTIMATE, "speech", hop_s=0)
    with pytest.raises(ConfigError, match="speech, music or both"):
        Confusion().counts("noise")


@given(timelines(), timelines())
def test_swapping_the_sides_swaps_precision_and_recall(a, b):
    there, back = label_counts(a, b, "speech"), label_counts(b, a, "speech")
    assert (there.precision, there.recall, there.f1) == (back.recall, back.precision, back.f1)
    np.testing.assert_array_equal(Confusion.of(a, b).cells, Confusion.of(b, a).cells.T)


@given(timelines())
def test_a_timeline_agrees_with_itself(a):
    table = Confusion.of(a, a)
    assert table.accuracy == 1.0
    for label in ("speech", "music", "both"):
        counts = table.counts(label)
        assert counts.fp == counts.fn == 0
        assert counts.f1 == (1.0 if counts.tp else 0.0)


@given(timelines(), timelines(), timelines(), timelines())
def test_pooling_two_files_equals_scoring_them_one_after_the_other(a, b, c, d):
    # No cell of a quarter second hangs on the bits of a float.
    apart = label_counts(a, b, "music", hop_s=0.25) + label_counts(c, d, "music", hop_s=0.25)
    joined = label_counts(a.union(c.shift(30)), b.union(d.shift(30)), "music", hop_s=0.25)
    assert apart == joined


@given(timelines(), timelines())
def test_confusion_and_label_counts_agree(a, b):
    table = Confusion.of(a, b)
    assert table.counts("speech") == label_counts(a, b, "speech")
    assert sum(table.reported().values()) == pytest.approx(1.0)
    assert tuple(table.reported("speech")) == STATES


def filled(timeline, label, n_cells, hop_s):
    """The plain definition that counting in runs must agree with."""
    cells = np.zeros(n_cells, dtype=bool)
    for s in timeline[label]:
        cells[math.floor(s.start / hop_s) : math.ceil(s.end / hop_s)] = True
    return cells


@settings(deadline=None)  # the plain definition is slow
@given(timelines(), timelines(), st.sampled_from([0.01, 0.07, 1.0]), st.sampled_from([None, 11.0, 40.0]))
def test_runs_count_like_single_cells(a, b, hop_s, duration):
    n_cells = math.ceil((duration or 30.0) / hop_s)
    x, y = (filled(t, "speech", n_cells, hop_s) for t in (a, b))
    expected = Counts(*(int(np.count_nonzero(z)) for z in (x & y, y & ~x, x & ~y, ~x & ~y)))
    assert label_counts(a, b, "speech", duration=duration, hop_s=hop_s) == expected
    states = np.zeros((4, 4), np.int64)
    u, v = (filled(t, "music", n_cells, hop_s) for t in (a, b))
    np.add.at(states, (x + 2 * u, y + 2 * v), 1)
    np.testing.assert_array_equal(Confusion.of(a, b, duration=duration, hop_s=hop_s).cells, states)


def test_times_that_are_no_seconds_are_refused():
    with pytest.raises(AnnotationError, match="too long to be compared; times are in seconds"):
        label_counts(line((0, 1e15, "speech")), line(), "speech")


def test_a_year_costs_no_more_than_its_segments():
    a = line((1e6, 2e6, "speech"), duration=365 * 86_400)
    assert label_counts(a, a, "speech") == Counts(tp=10**8, tn=365 * 8_640_000 - 10**8)


def test_ten_hours_take_less_than_a_second():
    rng = np.random.default_rng(0)

    def drawn():
        pairs = [
            (label, np.sort(rng.uniform(0, 36_000, 8000)).reshape(-1, 2)) for label in ("speech", "music")
        ]
        return Timeline(tuple(Segment(a, b, label) for label, p in pairs for a, b in p.tolist()), 36_000.0)

    a, b = drawn(), drawn()
    start = time.process_time()
    table = Confusion.of(a, b)
    assert time.process_time() - start < 1.0
    assert table.cells.sum() == 3_600_000
