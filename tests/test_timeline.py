"""Timelines: what they are made of, and what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from earmark.errors import AnnotationError
from earmark.timeline import Segment, Timeline

A, B, C = Segment(0.0, 2.0, "speech"), Segment(1.0, 3.0, "music"), Segment(2.5, 4.0, "speech")


def test_any_iterables_make_a_timeline_of_sorted_tuples() -> None:
    made = Timeline(iter([C, B, A]), 5, iter(["noise", "music"]), "show.wav", ["cut"])
    assert made.segments == (A, B, C)
    assert (made.duration, made.labels) == (5.0, ("noise", "music", "speech"))
    assert (made.source, made.warnings) == ("show.wav", ("cut",))
    assert made == Timeline((A, B, C), 5.0, ("noise", "music", "speech"), "show.wav", ("cut",))


def test_duration_and_labels_are_told_by_the_segments_where_they_are_not_given() -> None:
    assert (Timeline([A, B]).duration, Timeline([A, B]).labels) == (3.0, ("music", "speech"))
    assert (Timeline().duration, Timeline().labels) == (0.0, ())


def test_a_timeline_cannot_be_changed_but_replaced() -> None:
    made = Timeline([A, B], 5, source="show.wav")
    with pytest.raises(FrozenInstanceError):
        made.duration = 6.0  # type: ignore[misc]
    longer = replace(made, duration=6)
    assert (longer.duration, longer.source, longer.segments) == (6.0, "show.wav", (A, B))
    assert hash(replace(longer, duration=5)) == hash(made)


def test_segments_of_a_label_that_overlap_are_refused_or_merged() -> None:
    over = Segment(1.5, 3.0, "speech")
    with pytest.raises(AnnotationError, match="two 'speech' segments overlap"):
        Timeline([A, over])
    merged = Timeline.merged([over, A, B], 5, labels=["noise"], source="show.wav", warnings=["cut"])
    assert merged == Timeline([Segment(0, 3, "speech"), B], 5, ["noise"], "show.wav", ["cut"])


@pytest.mark.parametrize("duration", [-1, float("nan"), float("inf"), 2.9])
def test_a_duration_that_does_not_fit_is_refused_in_one_line(duration: float) -> None:
    with pytest.raises(AnnotationError, match=r"a timeline of|after the recording's") as refused:
        Timeline([A, B], duration)
    assert "\n" not in str(refused.value)


def test_arrays_and_frames_give_back_the_timeline() -> None:
    made = Timeline([A, B, C], 5, ["speech", "music"])
    intervals, labels = made.to_arrays()
    assert Timeline.from_arrays(intervals, labels, 5) == replace(made, labels=())
    assert Timeline.from_frames(made.to_frames(0.5), 0.5, ["speech", "music"]) == made
    assert Timeline.from_arrays([], []) == Timeline()
    with pytest.raises(AnnotationError, match=r"intervals of shape \(3,\) and 1 labels"):
        Timeline.from_arrays([0, 1, 2], ["a"])
    with pytest.raises(AnnotationError, match="cells of 0 s: give a length above 0"):
        made.to_frames(0)


# -- algebra ---------------------------------------------------------------------------------------


def test_a_union_joins_what_both_hold_of_a_label() -> None:
    other = Timeline([Segment(1.5, 2.7, "speech"), Segment(6, 7, "ads")], 8, ["noise"], "b.wav", ["short"])
    joined = Timeline([A, B, C], 5, source="a.wav", warnings=["cut"]).union(other)
    assert joined.segments == (Segment(0, 4, "speech"), B, Segment(6, 7, "ads"))
    assert (joined.duration, joined.source, joined.warnings) == (8, "a.wav", ("cut", "short"))
    assert set(joined.labels) == {"speech", "music", "noise", "ads"}


def test_joined_segments_carry_means_weighted_by_their_lengths() -> None:
    long, short = Segment(0, 3, "speech", 0.9, 10.0), Segment(3, 4, "speech", 0.5, None)
    assert Timeline.merged([short, long]).segments == (Segment(0, 4, "speech", pytest.approx(0.8), 10.0),)


def test_segments_that_touch_stay_apart_if_wanted() -> None:
    rows = [Segment(0, 1, "speech"), Segment(1, 2, "speech"), Segment(1.5, 3, "speech"), Segment(3, 4, "ads")]
    assert Timeline.merged(rows, touching=False).segments == (
        Segment(0, 1, "speech"),
        Segment(1, 3, "speech"),
        Segment(3, 4, "ads"),
    )
    assert len(Timeline(rows[:2]).relabel({"speech": "talk"})) == 2


def test_a_crop_keeps_the_times_of_the_recording() -> None:
    cropped = Timeline([A, B, C], 5, ["noise"]).crop(1.5, 3.5)
    assert cropped.segments == (
        Segment(1.5, 2, "speech"),
        Segment(1.5, 3, "music"),
        Segment(2.5, 3.5, "speech"),
    )
    assert (cropped.duration, cropped.labels) == (3.5, ("noise", "music", "speech"))
    assert Timeline([A, C], 5).crop(2, 2.5).segments == ()
    for start, end in ((3, 2), (-2, -1), (0, float("nan"))):
        with pytest.raises(AnnotationError, match="give start <= end"):
            Timeline([A], 5).crop(start, end)


def test_support_fills_gaps_within_a_label_up_to_the_given_length() -> None:
    made = Timeline([A, B, C], 5)
    assert made.support() == made
    assert made.support(0.5).segments == (Segment(0, 4, "speech"), B)
    assert made.support(0.49) == made


def test_gaps_are_told_for_a_label_or_for_all() -> None:
    made = Timeline([A, B, C, Segment(4.5, 4.6, "noise")], 5)
    assert made.gaps("speech") == [(2, 2.5), (4, 5)]
    assert made.gaps() == [(4, 4.5), (4.6, 5)]
    assert made.gaps("ads") == Timeline((), 5).gaps() == [(0.0, 5.0)]


def test_overlap_durations_and_shares_are_told() -> None:
    made = Timeline([A, B, C], 5, ["noise"])
    assert made.overlap() == made.overlap("music", "speech") == [(1, 2), (2.5, 3)]
    assert made.overlap("speech", "noise") == []
    assert made.durations() == {"noise": 0, "speech": 3.5, "music": 2}
    assert made.shares() == pytest.approx({"speech": 0.7, "music": 0.4, "both": 0.3, "neither": 0.2})
    assert set(Timeline().shares().values()) == {0.0}


def test_a_timeline_is_moved_and_relabelled() -> None:
    made = Timeline([A, B, C], 5, source="show.wav", warnings=["cut"])
    assert made.shift(2).shift(-2) == made
    assert made.shift(2)[0] == Segment(2, 4, "speech")
    with pytest.raises(AnnotationError, match="0 <= start < end"):
        made.shift(-1)
    sound = made.relabel({"speech": "sound", "music": "sound"})
    assert sound == Timeline([Segment(0, 4, "sound")], 5, source="show.wav", warnings=["cut"])


def test_a_timeline_is_counted_and_indexed_by_place_or_label() -> None:
    made = Timeline([A, B, C], 5)
    assert (len(made), list(made), made[1]) == (3, [A, B, C], B)
    assert made["speech"] == Timeline([A, C], 5)
    assert (made["ads"].segments, made["ads"].labels) == ((), ("ads",))


def test_edges_go_to_the_nearest_edge_of_a_cell() -> None:
    made = Timeline([Segment(0.24, 0.76, "a"), Segment(0.77, 1.26, "a")], 1.3)
    assert made.to_frames(0.5, ["a"]).tolist() == [[True], [True], [True]]
    assert made.to_frames(0.1, ["a"])[:, 0].tolist() == [0, 0] + [1] * 11
    assert made.to_frames(0.5, ["b"]).tolist() == [[False]] * 3
    with pytest.raises(AnnotationError, match="do not fit 2 labels"):
        Timeline.from_frames(made.to_frames(0.5), 0.5, ["a", "b"])
    with pytest.raises(AnnotationError, match=r"intervals of shape \(1, 2\) and 2 labels; give "):
        Timeline.from_arrays([(0, 1)], ["a", "b"])
