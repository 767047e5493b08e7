"""`earmark score`: tables, JSON, files to write, errors in one line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from earmark.cli.app import run

REFERENCE = "start,end,label\n0,10,speech\n8,20,music\n"
ESTIMATE = "start,end,label\n0,9,speech\n7,20,music\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with ref.csv, est.csv, and folders with one more of each."""
    monkeypatch.chdir(tmp_path)
    for folder in ("refs", "marks"):
        (tmp_path / folder).mkdir()
    for path in ("ref.csv", "refs/a.csv", "refs/b.csv"):
        (tmp_path / path).write_text(REFERENCE)
    for path in ("est.csv", "marks/a.csv", "marks/b.csv"):
        (tmp_path / path).write_text(ESTIMATE)
    return tmp_path


def rows(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.usefixtures("here")
def test_a_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "ref.csv", "est.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    table = rows(out)
    assert table[0] == "1 file, 0:20.00; figures in %"
    assert table[2:9] == [
        "cells of 0.01 s precision recall F accuracy",
        "music 92.3 100.0 96.0 95.0",
        "speech 100.0 90.0 94.7 95.0",
        "overall 95.5 95.5 95.5 95.0",
        "speech and music at once 50.0 50.0 50.0 90.0",
        "all four states 90.0",
        "",
    ]
    assert "music 0.5 s onset 0.0 0.0 0.0 100.0 100.0 200.0" in table
    assert "1 s onset, offset 100.0 100.0 100.0 0.0 0.0 0.0" in table
    assert "speech 0.5 s 50.0 50.0 50.0 100.0 0.0" in table
    assert "*" not in out


@pytest.mark.usefixtures("here")
def test_files_of_folders_are_pooled_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "refs/", "marks", "--per-file"]) == 0
    table = rows(capsys.readouterr().out)
    assert table[0] == "2 files, 0:40.00; figures in %"
    heads = "file length label precision recall F events F, 0.5 s boundaries F, 0.5 s overlap F four states"
    at = table.index(heads)
    assert table[at + 1 :] == [
        "a 0:20.00 music 92.3 100.0 96.0 0.0 50.0 50.0 90.0",
        "speech 100.0 90.0 94.7 0.0 50.0",
        "b 0:20.00 music 92.3 100.0 96.0 0.0 50.0 50.0 90.0",
        "speech 100.0 90.0 94.7 0.0 50.0",
    ]


@pytest.mark.usefixtures("here")
def test_figures_without_value_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("none.csv").write_text("start,end,label\n")
    assert run(["score", "ref.csv", "none.csv", "-l", "speech", "--collar", "0.2"]) == 0
    out = capsys.readouterr().out
    table = rows(out)
    assert "speech 0.0* 0.0 0.0 50.0" in table
    assert "speech 0.2 s onset 0.0* 0.0 0.0 100.0 0.0 100.0" in table
    assert table[-1] == "* without a value (nothing to divide by), given as 0"
    assert "overall" not in out


@pytest.mark.usefixtures("here")
def test_json_is_printed_or_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "refs", "marks", "--format", "json"]) == 0
    shown = capsys.readouterr().out
    assert "files" not in json.loads(shown)
    assert run(["score", "refs", "marks", "-o", "out/scores.json"]) == 0
    assert Path("out/scores.json").read_text(encoding="utf-8") == shown
    assert run(["score", "refs", "marks", "-o", "scores.txt", "--per-file"]) == 0
    assert run(["score", "refs", "marks", "-o", "all.txt", "-f", "json", "--per-file"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")
    assert Path("scores.txt").read_text().startswith("2 files, 0:40.00; figures in %\n")
    assert [file["name"] for file in json.loads(Path("all.txt").read_text())["files"]] == ["a", "b"]


@pytest.mark.usefixtures("here")
def test_standard_input_is_scored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(ESTIMATE.encode())))
    assert run(["score", "ref.csv", "-", "--estimate-format", "csv"]) == 0
    assert "speech 100.0 90.0 94.7 95.0" in rows(capsys.readouterr().out)
    assert run(["score", "ref.csv", "-"]) == 2
    assert (
        "standard input has no suffix to tell its format; add --reference-format" in capsys.readouterr().err
    )


@pytest.mark.usefixtures("here")
def test_formats_are_told_by_name_where_the_suffix_misleads(capsys: pytest.CaptureFixture[str]) -> None:
    Path("est.txt").write_text(ESTIMATE)
    assert run(["score", "ref.csv", "est.txt"]) == 1
    assert "'est.txt' line 1: 'start,end,label' has no tab" in capsys.readouterr().err
    assert run(["score", "ref.csv", "est.txt", "--estimate-format", "csv"]) == 0
    assert run(["score", "est.txt", "ref.csv", "--reference-format", "csv"]) == 0


@pytest.mark.usefixtures("here")
def test_options_reach_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.csv").write_text("start,end,label\n0,4,Talk\n4,9,Talk\n")
    options = ["--rename", "Talk=speech", "--join", "--label", "speech", "--cell", "1", "--collar", "0.2"]
    assert run(["score", "ref.csv", "other.csv", *options, "--offset-share", "0.1", "-f", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rules"] == {"labels": ["speech"], "collars": [0.2], "cell": 1.0, "offset_share": 0.1}
    speech = found["pooled"]["labels"]["speech"]
    assert (speech["segments"]["tp"], speech["collars"]["0.2"]["onset_offset"]["tp"]) == (9, 1)


@pytest.mark.usefixtures("here")
def test_what_is_allowed_to_be_missing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("marks/b.csv").rename("marks/c.csv")
    assert run(["score", "refs", "marks"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "earmark: no estimate for 1 of 2 references: 'b'; add what is missing, or score it as empty with "
        "--allow-missing\n"
    )
    assert run(["score", "refs", "marks", "--allow-missing", "--per-file"]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "earmark: no estimate for 1 of 2 references: 'b'; scored as if nothing had been reported",
        "earmark: no reference for 1 of the estimates, not scored: 'c'",
    ]
    assert "b (no estimate) 0:20.00 music 0.0* 0.0 0.0 0.0 0.0 0.0 0.0" in rows(out)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nosuch.csv", "est.csv"], 1, "cannot read 'nosuch.csv': no such file or directory"),
        (["ref.csv", "marks"], 2, "'marks' is a folder and 'ref.csv' is not"),
        (["ref.csv", "ref.wav"], 1, "cannot read 'ref.wav': no such file or directory; check the path"),
        (["ref.csv", "est.csv", "--estimate-format", "excel"], 2, "unknown format 'excel'; choose one of"),
        (["ref.csv", "est.csv", "--label", "speach"], 2, "no file has a label 'speach'; there are 'music'"),
        (["ref.csv", "est.csv", "--collar", "-1"], 2, "collar -1: give 0 or more"),
        (["ref.csv", "est.csv", "--cell", "nan"], 2, "cells of nan s: give a length above 0"),
        (["ref.csv", "est.csv", "--format", "xml"], 2, "--format xml: choose one of table, json"),
        (["ref.csv", "est.csv", "--rename", "speech"], 2, "--rename speech: give OLD=NEW, e.g. Music=music"),
        (["ref.csv", "est.csv", "-r", "a=b", "-r", "a=c"], 2, "'a' is renamed twice"),
        (["ref.csv", "est.csv", "-o", "est.csv"], 2, "that is a file to be scored; name another one"),
        (["refs", "marks", "-o", "marks/scores.json"], 2, "lies in 'marks', which is scored"),
        (["ref.csv", "est.csv", "-o", "marks"], 1, "'marks' cannot be written: a folder has this name"),
        (["ref.csv"], 2, "missing argument 'ESTIMATE'; see 'earmark score --help'"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("nan,2,speech", "line 2: start 'nan' is not a number"),
        ("-1,2,speech", "line 2: start -1 s is below 0"),
        ("3,2,speech", "line 2: the end, 2 s, is before the start, 3 s"),
        ("1,2,", "line 2: the label is empty"),
        (
            "0,1e300,speech",
            "'bad.csv': a timeline of 1e+300 s is too long to be compared; times are in seconds",
        ),
    ],
)
def test_unusable_times_are_refused(row: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text(f"start,end,label\n{row}\n")
    assert run(["score", "bad.csv", "est.csv"]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
