"""Boundary and event scores: hand-computed answers, laws, mir_eval's and sed_eval's figures."""

import importlib.util
import json
import time
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ConfigError
from earmark.metrics import Counts, boundary_counts, event_counts
from earmark.timeline import Segment, Timeline

needs_mir_eval = pytest.mark.skipif(
    not importlib.util.find_spec("mir_eval"), reason="mir_eval is not installed"
)

ORACLE = json.loads((Path(__file__).parent / "data" / "sed_eval_oracle.json").read_text(encoding="utf-8"))


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
            abs(x.start - y.start) <= collar + 1e-7
            and (offset_share is None or abs(x.end - y.end) <= max(collar, offset_share * x.duration) + 1e-7)
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


def test_the_collar_is_inclusive_also_in_floats():
    # 1.1 - 0.6 is 0.5000000000000001.
    assert boundary_counts(speech((0.6, 5)), speech((1.1, 9)), "speech")["onset"].tp == 1
    assert boundary_counts(speech((0.6, 5)), speech((1.11, 9)), "speech")["onset"].tp == 0


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


@given(timelines(most=5, seconds=5), timelines(most=5, seconds=5), st.sampled_from([0.1, 0.5, 1.0]))
def test_no_assignment_has_more_hits(a, b, collar):
    assert boundary_counts(a, b, "speech", collar=collar)["onset"].tp == largest_matching(a, b, collar)
    for share in (0.0, 0.3):
        found = event_counts(a, b, "speech", collar=collar, offset_share=share)
        assert found.tp == largest_matching(a, b, collar, share)


@given(timelines(), timelines())
def test_swapping_the_sides_swaps_precision_and_recall(a, b):
    for score in (boundary, lambda x, y: event_counts(x, y, "speech")):
        there, back = score(a, b), score(b, a)
        assert (there.tp, there.fp, there.fn) == (back.tp, back.fn, back.fp)


@given(timelines())
def test_a_timeline_agrees_with_itself(a):
    assert boundary(a, a, collar=0) == Counts(tp=2 * len(a))
    assert event_counts(a, a, "speech", collar=0) == Counts(tp=len(a))


@given(timelines(), timelines())
def test_a_wider_collar_loses_no_hit(a, b):
    assert boundary(a, b, 0.2).tp <= boundary(a, b, 0.5).tp <= boundary(a, b, 2.0).tp


@needs_mir_eval
@settings(deadline=None)  # the first example pays for the import
@given(timelines(), timelines())
def test_hits_equal_those_of_mir_eval(a, b):
    from mir_eval import util

    x, y = a.to_arrays()[0], b.to_arrays()[0]
    found = boundary_counts(a, b, "speech", collar=0.501)
    assert found["onset"].tp == len(util.match_events(x[:, 0], y[:, 0], 0.501))
    assert found["offset"].tp == len(util.match_events(x[:, 1], y[:, 1], 0.501))


@needs_mir_eval
@settings(deadline=None)  # the first example pays for the import
@given(timelines(), timelines())
def test_events_equal_mir_eval_notes_of_one_pitch(a, b):
    from mir_eval import transcription as notes

    (x, _), (y, _) = a.to_arrays(), b.to_arrays()
    for share in (0.0, 0.2):
        expected = notes.match_notes(
            x, np.full(len(x), 440.0), y, np.full(len(y), 440.0), 0.501, 50.0, share, 0.501
        )
        assert event_counts(a, b, "speech", collar=0.501, offset_share=share).tp == len(expected)


@pytest.mark.parametrize("name", ORACLE["event"])
def test_event_scores_equal_those_of_sed_eval_pooled_over_files(name):
    collar, kind, share = name.split()
    files = [
        [Timeline(tuple(Segment(*row) for row in f[side])) for side in ("reference", "estimate")]
        for f in ORACLE["files"]
    ]
    for label, expected in ORACLE["event"][name].items():
        options = {"collar": float(collar), "offsets": kind == "on+off", "offset_share": float(share)}
        counts = reduce(add, (event_counts(a, b, label, **options) for a, b in files))
        assert counts == Counts(*(expected[k] for k in ("Ntp", "Nfp", "Nfn")))
        assert counts.f1 == pytest.approx(expected["f_measure"], abs=1e-12)
        assert counts.missed_share == pytest.approx(expected["deletion_rate"], abs=1e-12)
        assert counts.insertion_rate == pytest.approx(expected["insertion_rate"], abs=1e-12)
        assert counts.error_rate == pytest.approx(expected["error_rate"], abs=1e-12)


def test_a_long_chain_of_rivals_is_matched_in_time():
    n = 20_000
    a = speech(*((0.04 * i, 0.04 * i + 0.02) for i in range(n)))
    b = speech(*((0.04 * i + 0.01, 0.04 * i + 0.03) for i in range(n)))
    start = time.process_time()
    assert event_counts(a, b, "speech").tp == n
    assert time.process_time() - start < 1.0
