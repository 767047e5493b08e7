"""Timelines of the server: versions, edits, conflicts; and what becomes of corrections."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from earmark.errors import ConfigError
from earmark.server.corrections import regions_of
from earmark.server.database import FILE_NAME, Database
from earmark.server.problems import Refusal
from earmark.server.timelines import MODEL, PERSON, Timelines
from earmark.timeline import Segment, Timeline

A, B, C = Segment(1, 2, "speech", 0.9, 3.0), Segment(3, 4, "speech"), Segment(3.5, 6, "music")
FOUND = Timeline((A, B, C), 10.0, ("speech", "music", "noise"), warnings=("breaks off",))


@pytest.fixture
def timelines(tmp_path: Path) -> Timelines:
    found = Timelines(Database(tmp_path))
    found.put("r", "detected", FOUND, origin=MODEL, model="m")
    return found


def moved(segment: Segment, by: float) -> Segment:
    return Segment(segment.start + by, segment.end + by, segment.label)


def test_a_timeline_is_kept_as_it_is(timelines: Timelines) -> None:
    kept = timelines.get("r", "detected")
    assert kept.timeline == FOUND
    assert (kept.version, kept.origin, kept.model) == (1, MODEL, "m")


def test_what_a_model_found_is_copied_first(timelines: Timelines) -> None:
    assert timelines.edit("r", "detected", [A], [moved(A, 0.5)]) == ("edited", 1, True)
    assert timelines.get("r", "detected").timeline == FOUND
    edited = timelines.get("r", "edited")
    assert (edited.origin, edited.model) == (PERSON, "m")
    assert edited.timeline.segments == (moved(A, 0.5), B, C)
    # Whoever still looks at what was detected edits the copy, too.
    assert timelines.edit("r", "detected", [B], []) == ("edited", 2, True)
    assert timelines.get("r", "edited").timeline.segments == (moved(A, 0.5), C)


def test_edits_of_different_segments_go_together_in_any_order(tmp_path: Path) -> None:
    edits = [([A], [moved(A, 0.25)]), ([B], []), ([C], [Segment(3.5, 5, "music"), Segment(5, 6, "noise")])]
    found = set()
    for number, order in enumerate(permutations(edits)):
        database = tmp_path / str(number)
        database.mkdir()
        timelines = Timelines(Database(database))
        timelines.put("r", "mine", FOUND, origin=PERSON)
        for remove, add in order:
            timelines.edit("r", "mine", remove, add)
        kept = timelines.get("r", "mine")
        assert kept.version == 4
        found.add(kept.timeline.segments)
    assert len(found) == 1


def test_of_two_edits_of_a_segment_the_second_changes_nothing(timelines: Timelines) -> None:
    timelines.edit("r", "detected", [A], [moved(A, 0.5)])
    before = timelines.get("r", "edited")
    with pytest.raises(Refusal, match="1 of 2 segments are not there") as caught:
        timelines.edit("r", "edited", [B, A], [moved(B, 5)])
    assert caught.value.status == 409
    assert caught.value.more["missing"] == [
        {"start": 1.0, "end": 2.0, "label": "speech", "confidence": 0.9, "speech_to_music_db": 3.0}
    ]
    assert timelines.get("r", "edited") == before


def test_an_edit_and_its_inverse_leave_what_was(timelines: Timelines) -> None:
    timelines.edit("r", "detected", [A, C], [Segment(0, 9, "noise")])
    timelines.edit("r", "edited", [Segment(0, 9, "noise")], [A, C])
    kept = timelines.get("r", "edited")
    assert (kept.version, kept.timeline) == (2, FOUND)


@pytest.mark.parametrize(
    ("segment", "status", "words"),
    [
        (Segment(3.9, 4.5, "speech"), 409, "overlaps the one from 3 to 4 s"),
        (Segment(9, 10.5, "noise"), 422, "after the recording's 10 s"),
        (Segment(9, 10, " noise"), 422, "printable characters"),
        (Segment(9, 10, "no\nise"), 422, "printable characters"),
        (Segment(9, 10, "n" * 65), 422, "1 to 64"),
    ],
)
def test_what_does_not_fit_is_refused(
    timelines: Timelines, segment: Segment, status: int, words: str
) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        timelines.edit("r", "detected", [A], [segment])
    assert caught.value.status == status
    assert [each["name"] for each in timelines.all_of("r")] == ["detected"]


def test_edits_tell_how_a_version_came_to_be(timelines: Timelines) -> None:
    for i, client in enumerate(("anna", None, "bert")):
        timelines.edit("r", "detected", [], [Segment(7 + i, 8 + i, "bell")], client)
    found = timelines.edits("r", "edited", 1)
    assert [(edit["version"], edit["by"], edit["remove"]) for edit in found] == [
        (2, None, []),
        (3, "bert", []),
    ]
    assert [edit["add"][0]["start"] for edit in found] == [8, 9]
    with pytest.raises(Refusal, match="no timeline 'mine'"):
        timelines.edits("r", "mine", 0)


def test_segments_that_touch_do_not_overlap(timelines: Timelines) -> None:
    timelines.edit("r", "detected", [], [Segment(2, 3, "speech")])
    assert len(timelines.get("r", "edited").timeline) == 4


def test_a_new_label_is_known_from_then_on(timelines: Timelines) -> None:
    timelines.edit("r", "detected", [], [Segment(7, 8, "bell")])
    assert timelines.get("r", "edited").timeline.labels == ("speech", "music", "noise", "bell")


def test_a_timeline_is_removed_with_its_edits(timelines: Timelines) -> None:
    timelines.edit("r", "detected", [A], [])
    timelines.remove("r", "edited")
    assert timelines.edits("r", "detected", 0) == []
    assert timelines.edit("r", "detected", [B], [])[0] == "edited"
    assert timelines.get("r", "edited").timeline.segments == (A, C)
    assert len(timelines.edits("r", "edited", 0)) == 1


def test_a_version_never_stands_for_two_contents(timelines: Timelines) -> None:
    seen = {
        timelines.edit("r", "detected", [A], []).version,
        timelines.edit("r", "detected", [B], []).version,
    }
    timelines.remove("r", "edited")
    seen.add(timelines.edit("r", "detected", [C], []).version)
    timelines.remove("r", "edited")
    seen.add(timelines.put("r", "edited", FOUND, origin=PERSON))
    timelines.remove("r", "detected")
    again = timelines.put("r", "detected", FOUND, origin=MODEL, model="m")
    assert (len(seen), again) == (4, 2)
    timelines.remove("r")
    assert timelines.put("r", "edited", FOUND, origin=PERSON) == 1  # no recording has this id again


def test_an_edit_that_comes_again_is_answered_as_the_first_time(timelines: Timelines) -> None:
    edit = ("r", "detected", [A], [moved(A, 0.5)], "anna", "7")
    first = timelines.edit(*edit)
    timelines.edit("r", "edited", [B], [], "bert", "7")  # another's
    assert timelines.edit(*edit) == ("edited", first.version, False)
    kept = timelines.get("r", "edited")
    assert (kept.version, kept.timeline.segments) == (2, (moved(A, 0.5), C))
    assert [(each["by"], each["id"]) for each in timelines.edits("r", "edited", 0)] == [
        ("anna", "7"),
        ("bert", "7"),
    ]
    with pytest.raises(Refusal, match="'7' was the id of another edit"):
        timelines.edit("r", "edited", [C], [], "anna", "7")


def test_what_a_model_is_to_find_is_no_persons(timelines: Timelines) -> None:
    with pytest.raises(Refusal, match="what a model finds"):
        timelines.put("s", "detected", FOUND, origin=PERSON)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("this is no database" * 100)
    with pytest.raises(ConfigError, match="damaged, or no store"):
        Database(tmp_path)
    other = Database(tmp_path.parent)
    other.run("PRAGMA user_version=99")
    other.close()
    with pytest.raises(ConfigError, match="another version of earmark"):
        Database(tmp_path.parent)


def test_regions_say_all_that_sounds() -> None:
    timeline = Timeline(
        (
            Segment(2, 6, "speech"),
            Segment(6, 8, "speech"),
            Segment(5, 9, "music"),
            Segment(9.5, 10, "music"),
            Segment(0, 2, "noise"),
        ),
        14,
        ("speech", "music", "noise"),
    )
    assert [(r.label, r.start, r.end) for r in regions_of(timeline)] == [
        ("noise", 0, 2),
        ("speech", 2, 5),
        ("speech+music", 5, 8),
        ("music", 8, 9),
        ("neither", 10, 14),
    ]
    assert [(r.label, r.start, r.end) for r in regions_of(Timeline((), 3.0))] == [("neither", 0, 3)]
