"""`earmark.score`: which files are paired, what is compared, and what is told of the rest."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.errors import AnnotationError, ConfigError
from earmark.evaluation.pairs import find_pairs
from earmark.formats import write
from earmark.metrics import Counts, Rules, Score
from earmark.timeline import Segment, Timeline

CSV = "start,end,label\n"


def line(*rows: tuple[float, float, str], duration: float | None = None) -> Timeline:
    return Timeline([Segment(*row) for row in rows], duration)


# Cells: speech 10 s of which 9 found, music 12 s all found and 1 s invented.
REFERENCE = line((0, 10, "speech"), (8, 20, "music"), duration=25)
ESTIMATE = line((0, 9, "speech"), (7, 20, "music"), duration=25)


def fill(folder: Path, files: dict[str, str]) -> Path:
    """Write files of these contents; those of CSV files lack the header."""
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CSV + rows if path.suffix == ".csv" else rows, encoding="utf-8")
    return folder


def test_two_timelines_are_scored() -> None:
    pooled = earmark.score(REFERENCE, ESTIMATE).pooled
    assert pooled.rules == Rules(("music", "speech"))
    assert pooled.labels["speech"].segments == Counts(tp=900, fn=100, tn=1500)
    assert pooled.labels["music"].segments == Counts(tp=1200, fp=100, tn=1200)
    assert pooled.overall.segments == Counts(tp=2100, fp=100, fn=100, tn=2700)
    assert pooled.overlap == Counts(tp=100, fp=100, fn=100, tn=2200)
    assert pooled.states is not None
    assert pooled.states.accuracy == pytest.approx(23 / 25)
    half, whole = (pooled.labels["music"].collars[collar] for collar in (0.5, 1.0))
    assert (half.onset, half.onset_offset, half.boundaries) == (
        Counts(fp=1, fn=1),
        Counts(fp=1, fn=1),
        Counts(tp=1, fp=1, fn=1),
    )
    assert whole.onset == whole.onset_offset == Counts(tp=1)
    assert pooled.seconds == pytest.approx(25)


def test_one_of_speech_and_music_alone_has_no_states() -> None:
    pooled = earmark.score(REFERENCE, ESTIMATE, labels=["speech"]).pooled
    assert (pooled.states, pooled.overlap) == (None, None)
    assert pooled.overall == pooled.labels["speech"]
    assert pooled.to_dict()["states"] is None


def test_files_are_paired_by_place_and_stem_whatever_their_format(tmp_path: Path) -> None:
    for name, suffix in (("news/a", ".TextGrid"), ("b", ".json"), ("news/b", ".csv")):
        write(REFERENCE, tmp_path / "refs" / f"{name}{suffix}")
        write(ESTIMATE, tmp_path / "marks" / f"{name}.rttm")
    fill(tmp_path / "refs", {"news/notes.md": "no annotation", ".hidden.csv": "x"})
    report = earmark.score(tmp_path / "refs", tmp_path / "marks")
    assert [file.name for file in report.files] == ["b", "news/a", "news/b"]
    assert report.warnings == ()
    assert report.pooled.n_files == 3
    assert report.pooled.labels["speech"].segments == Counts(tp=2700, fn=300, tn=4000)
    assert report.files[1].score.labels["speech"].segments.tn == 1500  # the TextGrid knows its 25 s
    assert report.files[2].score.labels["speech"].segments.tn == 1000  # CSV and RTTM end at 20 s


def test_pooled_ratios_are_those_of_the_sums(tmp_path: Path) -> None:
    fill(tmp_path / "refs", {"a.csv": "0,1,speech\n", "b.csv": "0,9,speech\n"})
    fill(tmp_path / "marks", {"a.csv": "", "b.csv": "0,9,speech\n"})
    report = earmark.score(tmp_path / "refs", tmp_path / "marks")
    recalls = [file.score.labels["speech"].segments.recall for file in report.files]
    assert (recalls, report.pooled.labels["speech"].segments.recall) == ([0.0, 1.0], 0.9)


def test_a_missing_estimate_is_refused_unless_allowed(tmp_path: Path) -> None:
    refs = fill(
        tmp_path / "refs", {"a.csv": "0,1,speech\n", "b.csv": "0,3,speech\n", "c/d.csv": "0,4,speech\n"}
    )
    marks = fill(tmp_path / "marks", {"a.csv": "0,1,speech\n"})
    with pytest.raises(AnnotationError, match="no estimate for 2 of 3 references: 'b', 'c/d'; add what"):
        earmark.score(refs, marks)
    report = earmark.score(refs, marks, allow_missing=True)
    assert [file.name for file in report.files if file.missing] == ["b", "c/d"]
    assert report.pooled.labels["speech"].segments == Counts(tp=100, fn=700)
    assert report.warnings == (
        "no estimate for 2 of 3 references: 'b', 'c/d'; scored as if nothing had been reported",
    )


def test_estimates_without_a_reference_are_told(tmp_path: Path) -> None:
    fill(tmp_path / "refs", {"a.csv": "0,1,speech\n"})
    fill(tmp_path / "marks", {"a.csv": "0,1,speech\n", **{f"x{i:02}.csv": "" for i in range(12)}})
    (warning,) = earmark.score(tmp_path / "refs", tmp_path / "marks").warnings
    assert warning.startswith("no reference for 12 of the estimates, not scored: 'x00', 'x01'")
    assert warning.endswith("'x09' and 2 more")


def test_two_annotations_of_one_recording_are_refused(tmp_path: Path) -> None:
    refs = fill(tmp_path / "refs", {"a.csv": "0,1,speech\n", "a.txt": "0\t1\tspeech\n"})
    marks = fill(tmp_path / "marks", {"a.csv": "0,1,speech\n"})
    with pytest.raises(AnnotationError, match=r"a\.csv' and .*a\.txt' are both annotations of 'a'; keep one"):
        earmark.score(refs, marks)
    with pytest.raises(AnnotationError, match=r"say which format counts with --reference-format$"):
        earmark.score(refs, marks, reference_format="json")


def test_a_named_format_chooses_among_the_annotations_of_a_recording(tmp_path: Path) -> None:
    refs = fill(tmp_path / "refs", {"a.csv": "0,1,speech\n", "b.csv": "0,1,speech\n"})
    marks = {"a.csv": "0,1,speech\n", "a.txt": "0\t2\tspeech\n", "b.csv": "0,1,speech\n", "b.vtt": "x"}
    report = earmark.score(refs, fill(tmp_path / "marks", marks), estimate_format="csv")
    assert report.pooled.labels["speech"].segments == Counts(tp=200)


def test_pairs_that_are_none_are_refused(tmp_path: Path) -> None:
    refs = fill(tmp_path / "refs", {"a.csv": "0,1,speech\n"})
    empty = fill(tmp_path / "empty", {"readme.md": ""})
    with pytest.raises(ConfigError, match=r"refs' is a folder and '.*a\.csv' is not; give two folders"):
        earmark.score(refs / "a.csv", refs)
    with pytest.raises(AnnotationError, match="nosuch' does not exist; check the path"):
        earmark.score(refs, tmp_path / "nosuch")
    with pytest.raises(AnnotationError, match="holds no annotation files; known suffixes are"):
        earmark.score(empty, refs)
    with pytest.raises(AnnotationError, match=r"cannot read .*nosuch\.csv"):
        earmark.score(refs / "a.csv", tmp_path / "nosuch.csv")
    with pytest.raises(ConfigError, match="standard input holds one"):
        earmark.score("-", "-")
    with pytest.raises(ConfigError, match="a timeline is scored against a timeline"):
        earmark.score(REFERENCE, refs)


def test_names_that_differ_in_unicode_form_alone_are_one(tmp_path: Path) -> None:
    fill(tmp_path / "refs", {"caf\u00e9.csv": ""})
    fill(tmp_path / "marks", {"cafe\u0301.csv": ""})
    assert find_pairs(tmp_path / "refs", tmp_path / "marks").missing == ()


def test_files_that_cannot_be_read_are_refused_together(tmp_path: Path) -> None:
    refs = fill(
        tmp_path / "refs", {"a.csv": "0,x,speech\n", "b.csv": "-1,2,speech\n", "c.csv": "nan,2,speech\n"}
    )
    marks = fill(tmp_path / "marks", {"a.csv": "", "b.csv": "", "c.csv": ""})
    with pytest.raises(
        AnnotationError, match=r"a\.csv' line 2: end 'x' is not a number.* \(3 of 3 pairs cannot be read\)"
    ):
        earmark.score(refs, marks)


def test_labels_are_those_of_the_references_unless_named() -> None:
    truth, guess = line((0, 1, "music")), line((0, 1, "music"), (1, 2, "speech"))
    report = earmark.score(truth, guess)
    assert report.rules.labels == ("music",)
    assert report.warnings == ("label 'speech' is in no reference and not scored",)
    report = earmark.score(truth, guess, labels=["speech", "music"])
    assert report.rules.labels == ("speech", "music")
    assert report.warnings == ()
    assert report.pooled.labels["speech"].segments.fp == 100


def test_an_empty_reference_is_scored_by_the_labels_of_the_estimate() -> None:
    report = earmark.score(line(), line((0, 1, "talk")))
    assert report.pooled.labels["talk"].segments == Counts(fp=100)
    nothing = earmark.score(line(), line()).pooled
    assert nothing.rules.labels == ("speech", "music")
    assert nothing.overall.segments == Counts()
    assert nothing.to_dict()["states"]["undefined"] == ["accuracy"]


def test_labels_that_were_looked_for_in_vain_are_scored() -> None:
    truth = Timeline([Segment(0, 1, "music")], 4, ["speech", "music"])
    report = earmark.score(truth, line((0, 1, "speech")))
    assert report.pooled.labels["speech"].segments == Counts(fp=100, tn=300)


def test_a_label_that_is_nowhere_is_told_or_refused() -> None:
    report = earmark.score(REFERENCE, ESTIMATE, labels=["speech", "noise"])
    assert report.warnings == ("label 'noise' is in no file; its ratios have no value",)
    assert set(report.pooled.labels["noise"].segments.undefined) >= {"precision", "recall", "f1"}
    with pytest.raises(ConfigError, match="no file has a label 'speach'; there are 'music', 'speech'"):
        earmark.score(REFERENCE, ESTIMATE, labels=["speach"])
    assert earmark.score(line(duration=1), line(), labels=["speech"]).pooled.n_cells == 100


def test_labels_are_renamed_on_both_sides() -> None:
    truth, guess = line((0, 2, "Speech"), (2, 3, "talk")), line((0, 3, "speech"))
    assert "rename it if it is 'Speech'" in earmark.score(truth, guess).warnings[0]
    report = earmark.score(truth, guess, rename={"Speech": "speech", "talk": "speech", "chat": "x"})
    assert report.rules.labels == ("speech",)
    assert report.pooled.labels["speech"].segments == Counts(tp=300)
    assert report.pooled.labels["speech"].collars[0.5].onset == Counts(tp=1, fn=1)  # touching: two events
    assert report.warnings == ("label 'chat' is to be renamed but in no file",)


def test_touching_segments_are_joined_if_wanted() -> None:
    rows = line(*((0.2 * i, 0.2 * (i + 1), "music") for i in range(10)))
    whole = line((0, 2, "music"))
    assert earmark.score(whole, rows).pooled.overall.collars[0.5].onset == Counts(tp=1, fp=9)
    assert earmark.score(whole, rows, join=True).pooled.overall.collars[0.5].onset_offset == Counts(tp=1)


def test_warnings_of_the_files_are_passed_on(tmp_path: Path) -> None:
    refs = fill(tmp_path, {"a.csv": "0,1,speech\n2,2,speech\n"})
    (warning,) = earmark.score(refs / "a.csv", refs / "a.csv").warnings[:1]
    assert "line 3: an entry without length was left out" in warning


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"collars": [-1]}, "collar -1: give 0 or more, usually a collar of 0.5 s"),
        ({"collars": [float("nan")]}, "collar nan: give 0 or more"),
        ({"collars": [0.5, 0.5]}, "collars 0.5, 0.5: give at least one collar, and each once"),
        ({"collars": []}, "collars none: give at least one"),
        ({"labels": ["speech", "speech"]}, "labels speech, speech: give at least one label, and each once"),
        ({"labels": []}, "labels none: give at least one label"),
        ({"hop_s": 0}, "cells of 0 s: give a length above 0, usually 0.01"),
        ({"hop_s": float("inf")}, "cells of inf s"),
        ({"offset_share": -0.1}, "offset share -0.1: give 0 or more, usually 0 or 0.2"),
    ],
)
def test_unusable_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        earmark.score(REFERENCE, ESTIMATE, **options)  # type: ignore[arg-type]


def test_scores_of_different_rules_do_not_add_up() -> None:
    a, b = (Score.of(REFERENCE, ESTIMATE, Rules(collars=(collar,))) for collar in (0.5, 1.0))
    with pytest.raises(ConfigError, match="scores of different rules"):
        a + b


def test_a_report_is_fit_for_json() -> None:
    report = earmark.score(REFERENCE, line(), collars=[0.25])
    found = json.loads(json.dumps(report.to_dict(per_file=True), allow_nan=False))
    assert found["rules"] == {
        "labels": ["music", "speech"],
        "collars": [0.25],
        "cell": 0.01,
        "offset_share": 0.0,
    }
    pooled = found["pooled"]
    assert list(pooled) == ["files", "seconds", "labels", "overall", "states"]
    assert pooled["labels"]["speech"]["segments"] == {
        "tp": 0,
        "fp": 0,
        "fn": 1000,
        "tn": 1500,
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "accuracy": 0.6,
        "undefined": ["precision"],
    }
    assert pooled["overall"]["collars"]["0.25"]["onset"] == {
        "tp": 0,
        "fp": 0,
        "fn": 2,
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "deletion_rate": 1.0,
        "insertion_rate": 0.0,
        "error_rate": 1.0,
        "undefined": ["precision"],
    }
    assert pooled["states"]["names"] == ["neither", "speech", "music", "both"]
    assert np.sum(pooled["states"]["cells"]) == 2500
    (file,) = found["files"]
    assert file == {"name": "reference", **pooled}


def test_a_day_with_many_segments_takes_seconds() -> None:
    rng = np.random.default_rng(0)

    def drawn() -> Timeline:
        pairs = [
            (label, np.sort(rng.uniform(0, 86_400, 40_000)).reshape(-1, 2)) for label in ("speech", "music")
        ]
        return Timeline([Segment(a, b, label) for label, p in pairs for a, b in p.tolist()], 86_400)

    truth, guess = drawn(), drawn()
    start = time.process_time()
    assert earmark.score(truth, guess).pooled.n_cells == 8_640_000
    assert time.process_time() - start < 5
