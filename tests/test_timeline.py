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
