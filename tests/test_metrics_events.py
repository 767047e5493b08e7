"""Boundary and event scores: hand-computed answers, laws, and mir_eval's figures."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mir_eval import onset
from mir_eval.transcription import match_notes
from mir_eval.util import match_events

from earmark.errors import ConfigError
from earmark.metrics import Counts, boundary_counts, event_counts
from earmark.timeline import Segment, Timeline


def speech(*pairs):
    return Timeline(tuple(Segment(a, b, "speech") for a, b in pairs), 1000.0)


@st.composite
def timelines(draw, most=14, seconds=12):
    points = draw(st.lists(st.integers(0, 20 * seconds), max_size=2 * most, unique=True))
    return speech(*((a / 20, b / 20) for a, b in zip(*[iter(sorted(points))] * 2, strict=False)))


def boundary(a, b, collar=0.5):
    return boundary_counts(a, b, "speech", collar=collar)["boundary"]


def largest_matching(a, b, collar, offset_share=None):
    """Exhaustive search: the plain definition the fast rule must agree with."""
    fits = [
        [
            abs(x.start - y.start) <= collar
            and (offset_share is None or abs(x.end - y.end) <= max(collar, offset_share * x.duration))
            for y in b
        ]
        for x in a
    ]

    def best(i, free):
        if i == len(fits):
            return 0
        taken = [1 + best(i + 1, free - {j}) for j in free if fits[i][j]]
        return max([best(i + 1, free), *taken])

    return best(0, frozenset(range(len(b))))


def test_starts_and_ends_are_matched_apart():
    found = boundary_counts(speech((1, 5), (8, 9)), speech((1.4, 6), (8.6, 9.2)), "speech")
    assert found["onset"] == Counts(tp=1, fp=1, fn=1)
    assert found["offset"] == Counts(tp=1, fp=1, fn=1)
    assert found["boundary"] == Counts(tp=2, fp=2, fn=2)


def test_a_start_is_no_match_for_an_end():
    assert boundary(speech((1, 2)), speech((2, 3))) == Counts(fp=2, fn=2)


def test_the_collar_is_inclusive():
    assert boundary(speech((1, 5)), speech((1.5, 5.5))).tp == 2
    assert event_counts(speech((1, 5)), speech((1.5, 5.5)), "speech").tp == 1
    assert boundary(speech((1, 5)), speech((1.501, 5.501))).tp == 0


def test_floats_at_the_collar_are_decided_as_by_the_other_tools():
    # 0.51 - 0.01 is 0.5, but 0.51 - 0.5 is more than 0.01; 1.1 - 0.6 is more than 0.5.
    assert event_counts(speech((0.01, 5)), speech((0.51, 5)), "speech").tp == 1
    assert boundary_counts(speech((0.01, 5)), speech((0.51, 5)), "speech")["onset"].tp == 0
    assert event_counts(speech((0.6, 5)), speech((1.1, 5)), "speech").tp == 0


def test_each_point_is_matched_once():
    counts = boundary_counts(speech((1, 1.1), (1.2, 1.3)), speech((1.1, 1.2)), "speech")["onset"]
    assert counts == Counts(tp=1, fn=1)


def test_matching_takes_no_partner_another_point_needs():
    # Nearest first would pair 1.4 with 1.5 and leave 1.9 alone.
    counts = boundary_counts(speech((1.4, 1.45), (1.9, 2)), speech((1.0, 1.1), (1.5, 1.6)), "speech")["onset"]
    assert counts.tp == 2


def test_an_event_needs_both_ends_unless_asked_otherwise():
    a, b = speech((1, 5), (8, 9)), speech((1.4, 6), (8.1, 9.2))
    assert event_counts(a, b, "speech") == Counts(tp=1, fp=1, fn=1)
    assert event_counts(a, b, "speech", offsets=False) == Counts(tp=2)
    assert event_counts(a, b, "speech", collar=1.0) == Counts(tp=2)
    assert event_counts(a, b, "speech", offset_share=0.25) == Counts(tp=2)


def test_rates_are_per_reference_event():
    counts = event_counts(speech((1, 2), (4, 5)), speech((1, 2), (7, 8), (9, 10), (12, 13)), "speech")
    assert (counts.missed_share, counts.insertion_rate, counts.error_rate) == (0.5, 1.5, 2.0)


def test_nothing_to_find_leaves_the_rates_undefined():
    counts = event_counts(speech(), speech((1, 2)), "speech")
    assert counts == Counts(fp=1)
    assert {"recall", "missed_share", "insertion_rate", "error_rate"} <= set(counts.undefined)
    assert set(event_counts(speech(), speech(), "speech").undefined) >= {"precision", "recall", "f1"}


def test_other_labels_do_not_count():
    mixed = Timeline((Segment(0, 2, "music"), Segment(1, 3, "speech")))
    assert boundary(mixed, speech((1, 3))) == Counts(tp=2)


def test_negative_collar_is_refused():
    with pytest.raises(ConfigError, match="0 or more"):
        event_counts(speech(), speech(), "speech", collar=-0.1)


@settings(deadline=None)  # the exhaustive search is slow
@given(timelines(most=5, seconds=5), timelines(most=5, seconds=5), st.sampled_from([0.1, 0.5, 1.0]))
def test_no_assignment_has_more_hits(a, b, collar):
    assert event_counts(a, b, "speech", collar=collar, offsets=False).tp == largest_matching(a, b, collar)
    for share in (0.0, 0.3):
        found = event_counts(a, b, "speech", collar=collar, offset_share=share)
        assert found.tp == largest_matching(a, b, collar, share)


@given(timelines(), timelines())
def test_swapping_the_sides_swaps_precision_and_recall(a, b):
    # No distance equals this collar; where one does, mir_eval's rule is not the same from both sides.
    for score in (lambda x, y: boundary(x, y, 0.52), lambda x, y: event_counts(x, y, "speech", collar=0.52)):
        there, back = score(a, b), score(b, a)
        assert (there.tp, there.fp, there.fn) == (back.tp, back.fn, back.fp)


@given(timelines())
def test_a_timeline_agrees_with_itself(a):
    assert boundary(a, a, collar=0) == Counts(tp=2 * len(a))
    assert event_counts(a, a, "speech", collar=0) == Counts(tp=len(a))


@given(timelines(), timelines())
def test_a_wider_collar_loses_no_hit(a, b):
    assert boundary(a, b, 0.2).tp <= boundary(a, b, 0.5).tp <= boundary(a, b, 2.0).tp


@pytest.mark.filterwarnings("ignore:.* onsets are empty")
@settings(deadline=None)  # mir_eval is slow
@given(timelines(), timelines(), st.sampled_from([0.05, 0.5, 1.0]))
def test_boundaries_equal_mir_eval_onsets(a, b, collar):
    x, y = a.to_arrays()[0], b.to_arrays()[0]
    found = boundary_counts(a, b, "speech", collar=collar)
    hits = []
    for kind, column in (("onset", 0), ("offset", 1)):
        counts = found[kind]
        f1, precision, recall = onset.f_measure(x[:, column], y[:, column], window=collar)
        assert (counts.f1, counts.precision, counts.recall) == pytest.approx((f1, precision, recall))
        hits.append(len(match_events(x[:, column], y[:, column], collar)))
    assert found["boundary"] == Counts(sum(hits), 2 * len(y) - sum(hits), 2 * len(x) - sum(hits))


@settings(deadline=None)  # mir_eval is slow
@given(timelines(), timelines())
def test_events_equal_mir_eval_notes_of_one_pitch(a, b):
    (x, _), (y, _) = a.to_arrays(), b.to_arrays()
    for share in (0.0, 0.2):
        # mir_eval rounds distances to 0.1 ms: no distance here is that near to the collar.
        expected = match_notes(
            x, np.full(len(x), 440.0), y, np.full(len(y), 440.0), 0.501, 50.0, share, 0.501
        )
        assert event_counts(a, b, "speech", collar=0.501, offset_share=share).tp == len(expected)


def test_a_long_chain_of_rivals_is_matched_in_time():
    n = 20_000
    a = speech(*((0.04 * i, 0.04 * i + 0.02) for i in range(n)))
    b = speech(*((0.04 * i + 0.01, 0.04 * i + 0.03) for i in range(n)))
    start = time.process_time()
    assert event_counts(a, b, "speech").tp == n
    assert time.process_time() - start < 1.0
