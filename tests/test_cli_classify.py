"""`earmark classify`: rows and timelines, what fails, what is kept, what is refused, what is loaded."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_classifier import RATE, TONES, tone_head, write_backbone

from earmark import Classifier, Detector
from earmark.audio_writer import write_audio
from earmark.cli.app import run
from earmark.formats import dumps, read
from earmark.train.classifier import write_classifier

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
Tone = Callable[..., np.ndarray]
Classify = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a classifier of low and high tones; beside it lies 'early.onnx'."""
    folder = tmp_path_factory.mktemp("models")
    backbone = write_backbone(folder / "means.onnx")
    write_classifier(folder / "tones.onnx", backbone, "mean", tone_head(), TONES)
    write_classifier(folder / "early.onnx", backbone, "mean", tone_head(), replace(TONES, fusion="early"))
    return folder / "tones.onnx"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let nothing be kept in the user's own folder."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("EARMARK_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path, tone: Tone) -> Path:
    """Return a folder with a low, a high and a low tone, and a file without sound."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, hz, level in (("a", 300, 0.3), ("b", 5000, 0.3), ("c", 400, 0.3), ("d", 400, 0.0)):
        write_audio(folder / f"{name}.wav", tone(2, hz, level), RATE)
    return folder


@pytest.fixture
def classify(model: Path, capsys: pytest.CaptureFixture[str]) -> Classify:
    """Run `earmark classify` here; return exit code, standard output and standard error."""

    def call(*arguments: object, model: Path = model) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["classify", str(model), *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


# Rows


def test_recordings_are_printed_in_their_order_and_what_fails_is_told(
    classify: Classify, folder: Path
) -> None:
    code, out, err = classify(folder, folder / "none.wav", "-j", "2")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["low", "high", "low"]
    assert [line.split()[-1] for line in lines] == [str(folder / f"{name}.wav") for name in "abc"]
    assert err.splitlines() == [
        f"earmark: '{folder / 'none.wav'}' does not exist; check the path",
        f"earmark: {folder / 'd.wav'}: holds nothing but digital silence; there is nothing to classify",
        "earmark: 2 of 5 files failed",
    ]
    assert code == 1


def test_csv_has_a_column_for_each_class(classify: Classify, model: Path, folder: Path) -> None:
    code, out, err = classify(folder / "b.wav", folder / "a.wav", "-f", "csv", "-j", "1")
    assert (code, err) == (0, "")
    header, *found = rows(out)
    assert header == ["path", "label", "confidence", "low", "high"]
    assert [row[:2] for row in found] == [[str(folder / "b.wav"), "high"], [str(folder / "a.wav"), "low"]]
    for row in found:
        result = Classifier(model).classify(row[0])
        assert row[2:] == [f"{x:.4f}" for x in (result.confidence, *result.scores.values())]
    assert classify(folder / "b.wav", folder / "a.wav", "-o", "-", "-j", "1")[1] == out


def test_json_is_a_list_of_objects(classify: Classify, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.json"
    code, out, _ = classify(folder, "-o", target, "-j", "1")
    assert code == 1
    assert out.startswith("3 files, 0:00:06 of audio in ")
    assert out.endswith(": low 2, high 1\n")
    found = json.loads(target.read_text())
    assert [Path(fields["path"]).stem for fields in found] == ["a", "b", "c"]
    assert found[1]["label"] == "high"
    assert found[1]["confidence"] == found[1]["scores"]["high"] > 0.9
    assert (found[1]["duration"], found[1]["windows"], found[1]["warnings"]) == (2.0, 6, [])
    printed = json.loads(classify(folder, "-f", "json", "-j", "1")[1])
    assert printed == found
    assert json.loads(classify(folder / "d.wav", "-f", "json")[1]) == []


def test_standard_input_is_read(classify: Classify, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = io.TextIOWrapper(io.BytesIO((folder / "b.wav").read_bytes()))
    monkeypatch.setattr("sys.stdin", sound)
    assert rows(classify("-", "-f", "csv")[1])[1][:2] == ["standard input", "high"]


def test_recordings_that_break_off_have_a_class_and_a_warning(classify: Classify, folder: Path) -> None:
    whole = (folder / "b.wav").read_bytes()
    (folder / "b.wav").write_bytes(whole[: len(whole) // 2])
    code, out, err = classify(folder / "b.wav", "-f", "json")
    assert code == 0
    (found,) = json.loads(out)
    assert (found["label"], len(found["warnings"])) == ("high", 1)
    assert err == f"earmark: {folder / 'b.wav'}: {found['warnings'][0]}\n"


# What is there already


@pytest.mark.parametrize("name", ["out.csv", "out.json"])
def test_what_is_done_is_not_done_again(classify: Classify, folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "d.wav").unlink()
    target = tmp_path / name
    assert classify(folder, "-o", target, "-q", "-j", "1") == (0, "", "")
    whole = target.read_text()
    # One row, of a recording that is no longer there, a whole one and what is left of a third.
    classify(folder / "c.wav", "-o", target)
    (folder / "e.wav").write_bytes((folder / "a.wav").read_bytes())
    lines = whole.replace("a.wav", "e.wav").splitlines(keepends=True)
    cut = "".join(lines[:3]) + lines[3][:20]
    target.write_text(cut)
    (folder / "b.wav").write_bytes(b"no sound")  # what is done is not read again
    (folder / "e.wav").unlink()
    code, out, err = classify(folder, "-o", target, "--skip-existing", "-j", "1")
    assert (code, err) == (0, "")
    assert out.endswith(": low 2; 1 file skipped\n")
    names = ["e", "a", "b", "c"]
    if name == "out.csv":
        assert [Path(row[0]).stem for row in rows(target.read_text())[1:]] == names
        assert target.read_text().splitlines()[2:] == whole.splitlines()[1:]
    else:
        found = json.loads(target.read_text())
        assert [Path(fields["path"]).stem for fields in found] == names
        assert found[1:] == json.loads(whole)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [name]


def test_tables_of_other_classes_are_not_gone_on_with(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    for name, text in (
        ("a.csv", "path,label,confidence,low,middle\n"),
        ("b.csv", "path,label,confidence,low,high\nx,low\ny,low,1,1,0\n"),
        ("c.json", '[{"path": "x", "scores": {"low": 1}}]'),
        ("d.json", '{"path": 3}'),
    ):
        target = tmp_path / name
        target.write_text(text)
        code, out, err = classify(folder, "-o", target, "--skip-existing")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"{name}' is no {name[2:]} table of the classes low, high to go on with; leave out" in err
        assert target.read_text() == text


@pytest.mark.parametrize("name", ["out.csv", "out.json"])
def test_rows_of_another_model_are_not_gone_on_with(
    classify: Classify, model: Path, folder: Path, tmp_path: Path, cache: Path, name: str
) -> None:
    target, early = tmp_path / name, model.with_name("early.onnx")
    classify(folder / "a.wav", "-o", target, "-q", model=early)
    before = target.read_text()
    code, out, err = classify(folder, "-o", target, "--skip-existing")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"the rows in '{target}' are of another model; leave out --skip-existing" in err
    assert target.read_text() == before
    assert classify(folder / "b.wav", "-o", target, "--skip-existing", "-q", model=early)[0] == 0
    assert classify(folder / "b.wav", "-o", target, "-q")[0] == 0  # made anew
    assert classify(folder / "c.wav", "-o", target, "--skip-existing", "-q")[0] == 0
    for note in (cache / "rows").iterdir():
        note.unlink()  # what nothing is known of is kept
    assert classify(folder / "c.wav", "-o", target, "--skip-existing", "-q", model=early)[0] == 0


def command(*arguments: object) -> list[str]:
    return [
        sys.executable,
        "-c",
        "from earmark.cli.app import main; main()",
        "classify",
        *map(str, arguments),
    ]


def listen() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@posix
@pytest.mark.parametrize(("name", "suffix"), [("SIGINT", "csv"), ("SIGTERM", "json"), ("SIGKILL", "csv")])
def test_an_interruption_keeps_what_is_done(
    model: Path, folder: Path, tmp_path: Path, name: str, suffix: str
) -> None:
    pipe, target = tmp_path / "pipe", tmp_path / f"out.{suffix}"
    os.mkfifo(pipe)
    # The pipe comes first and holds up the row behind it, which is done.
    process = subprocess.Popen(
        command(model, pipe, folder / "a.wav", "-o", target, "--jobs", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=listen,
    )
    with open(pipe, "wb"):
        while "a.wav" not in (target.read_text() if target.exists() else ""):
            assert process.poll() is None
        if name == "SIGTERM":
            process.terminate()
        else:
            os.killpg(process.pid, getattr(signal, name))
        out, err = process.communicate(timeout=30)
    if name != "SIGKILL":
        assert (process.returncode, out, err) == (130, b"", b"earmark: interrupted: 1 of 2 files are done\n")
        assert not list(tmp_path.glob(".*"))
    text = target.read_text()
    found = rows(text)[1][:2] if suffix == "csv" else [*json.loads(text)[0].values()][:2]
    assert found == [str(folder / "a.wav"), "low"]


# Timelines


def test_timelines_are_those_that_a_detector_finds(
    classify: Classify, model: Path, tmp_path: Path, tone: Tone
) -> None:
    path = tmp_path / "a.wav"
    write_audio(path, tone(8, 300, end=5) + tone(8, 5000, start=5), RATE)
    wanted = Detector(model).detect(path)
    assert [s.label for s in wanted] == ["low", "high"]
    code, out, err = classify(path, "--timeline", "-o", "-")
    assert (code, out, err) == (0, dumps(wanted, "csv"), "")
    code, out, _ = classify(path, "--timeline", "-o", tmp_path / "out", "-f", "textgrid", "-f", "json")
    assert code == 0
    assert sorted(found.name for found in (tmp_path / "out").iterdir()) == ["a.TextGrid", "a.json"]
    assert [s.label for s in read(tmp_path / "out" / "a.json")] == ["low", "high"]
    options = ["--min-duration", "high=7", "--smooth", "0", "--min-gap", "0", "--threshold", "0.6"]
    code, out, _ = classify(path, "--timeline", "-o", "-", *options)
    assert {row[2] for row in rows(out)[1:]} == {"low"}
    drawn = classify(path, "--timeline")[1]
    assert drawn.startswith(f"{path}  0:08.00\nlow")
    # As `detect` does.
    assert run(["detect", "--model", str(model), str(path), "-o", str(tmp_path), "-q"]) == 0
    assert (tmp_path / "a.csv").read_text() == dumps(wanted, "csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "0.5"], "--threshold belongs to timelines; add --timeline, or leave it out"),
        (["--min-gap", "1"], "--min-gap belongs to timelines"),
        (["--columns", "start"], "--columns belongs to timelines"),
        (["--posteriors", "x.npz"], "--posteriors belongs to timelines"),
        (["-f", "textgrid"], "--format textgrid: choose csv or json, or add --timeline for the others"),
        (["-f", "csv", "-f", "json"], "--format csv and json: give one; the rows are written to one file"),
        (["-o", "x.txt"], "--output x.txt: give a file that ends in .csv or .json, or add --format"),
        (["-o", "."], "--output .: give a file, or - for standard output; a folder takes timelines"),
        (["-o", ""], "--output '': give a file, or - for standard output"),
        (["--skip-existing"], "--skip-existing: results are not kept; say where to, with --output FILE"),
        (["-q"], "--quiet leaves nothing to do; say where results go, with --output FILE"),
        (["-j", "0"], "--jobs 0: give 1 or more"),
        (["-", "-f", "csv"], "standard input (-) can be read only alone"),
        (["--timeline", "-f", "csv"], "--format csv: say where to, with --output DIR, or - for"),
        (["--timeline", "--threshold", "middle=1"], "the model has no label 'middle'; it has low, high"),
        (["--timeline", "--threshold", "1"], "threshold 1.0: it must be 0 or more and below 1"),
        (["--timeline", "--min-gap", "low=2"], "min_gap 0.515 and 2: a gap belongs to no class"),
    ],
)
def test_contradictions_are_one_line_and_nothing_is_done(
    classify: Classify, folder: Path, options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(os.listdir())
    code, out, err = classify("a.wav", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert sorted(os.listdir()) == before


def test_models_that_cannot_do_it_are_refused(
    classify: Classify, model: Path, folder: Path, tiny_model_path: Path
) -> None:
    early = model.with_name("early.onnx")
    for arguments, used, message in (
        (
            ["--timeline"],
            early,
            "decides recordings as a whole (fusion early) and marks nothing in them; fit",
        ),
        ([], tiny_model_path, "marks recordings and tells no classes; use it with: earmark detect --model"),
        (["--timeline"], tiny_model_path, "marks recordings and tells no classes; use it with: earmark det"),
        ([], model.with_name("means.onnx"), "gives embeddings and tells no classes; use it with: earmark e"),
        ([], model.with_name("none.onnx"), "no model "),
    ):
        code, out, err = classify(folder / "a.wav", *arguments, model=used)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    assert classify(folder / "b.wav", model=early)[1].startswith("high")


def test_cards_of_classifiers_are_shown(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARMARK_MODELS", str(model.parent))
    monkeypatch.setenv("COLUMNS", "150")
    assert run(["models", "show", "tones"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for expected in (
        "classes low, high",
        "input 16000 Hz, features 'vggish', 64 bands, windows of 0.515 s every 250 ms",
        "embedding 'mean' of means, 64 numbers",
        "classifier d128, fusion late",
    ):
        assert expected in lines
    assert run(["models"]) == 0
    assert any(
        line.startswith("tones") and "low, high" in line for line in capsys.readouterr().out.splitlines()
    )


# What is loaded


def test_classifying_loads_nothing_of_training(model: Path, folder: Path) -> None:
    code = (
        "import sys; from earmark.cli.app import run; code = run(sys.argv[1:]);"
        "heavy = {'torch', 'scipy', 'sklearn', 'onnx', 'pandas', 'librosa', 'matplotlib', 'pyarrow'};"
        "print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    for options in ([], ["--timeline"]):
        arguments = ["classify", str(model), str(folder / "a.wav"), *options]
        ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert ended.stderr == "0 []\n"
        assert "low" in ended.stdout
