"""earmark fit: reading, folds, figures, the report, the model, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import tone
from test_embedding import RATE, write_means

from earmark.audio_writer import write_audio
from earmark.classifier import Classifier
from earmark.cli.app import run
from earmark.embedding import Embedder
from earmark.errors import AudioError, ConfigError
from earmark.train.excerpts import Excerpt
from earmark.train.fitting.candidates import Candidate, Material, candidates, compare, learning_curve
from earmark.train.fitting.examples import Example, Examples, check_classes, distinct, read_examples
from earmark.train.fitting.figures import accuracy, by_class, confusion, corrected, interval, worst
from earmark.train.fitting.folds import deal_groups, groups_of_classes, nested_parts

HERTZ = {"low": 300.0, "middle": 1200.0, "high": 4000.0}


def sound(label: str, take: int, seconds: float = 1.5) -> np.ndarray:
    """Return a tone near the class's pitch in noise, another one each take."""
    rng = np.random.default_rng([take, *label.encode()])
    hertz = HERTZ[label] * rng.uniform(0.9, 1.1)
    return tone(seconds, hertz, 0.2) + rng.normal(0, 0.02, round(seconds * RATE)).astype(np.float32)


@pytest.fixture
def backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of a small model, and let the cache be empty."""
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))
    return str(write_means(tmp_path / "means.onnx"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of two classes, with two sessions of three files each."""
    root = tmp_path / "data"
    for label in ("low", "high"):
        for take in range(6):
            write_audio(root / label / f"session{take % 2}" / f"{take}.wav", sound(label, take), RATE)
    return root


def table(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def examples(*rows: tuple[str, str, str]) -> Examples:
    """Return whole files: (path, label, group)."""
    items = tuple(Example(Excerpt(path), label, group) for path, label, group in rows)
    return Examples(items, any(item.group for item in items))


# Reading


def test_folders_give_classes_and_groups(data: Path) -> None:
    write_audio(data / "low" / "alone.wav", sound("low", 9), RATE)
    (data / "low" / "notes.txt").write_text("no sound")
    (data / "empty").mkdir()
    found = read_examples(data)
    assert (found.classes, found.grouped, len(found.items)) == (("high", "low"), True, 13)
    groups = {Path(item.excerpt.path).name: item.group for item in found.items if item.label == "low"}
    assert groups == {"alone.wav": "", **{f"{i}.wav": f"session{i % 2}" for i in range(6)}}
    assert len(found.skipped) == 1
    assert "empty" in found.skipped[0]


def test_a_table_gives_regions_and_groups(data: Path) -> None:
    path = table(
        data,
        "Label, path ,START,end,more,group\nx,low/session0/0.wav,0.5,,,g\n\ny,low/session0/0.wav,,0.5,,g\n",
    )
    found = read_examples(path)
    name = str(data / "low/session0/0.wav")
    assert found.items == (Example(Excerpt(name, 0.5), "x", "g"), Example(Excerpt(name, 0, 0.5), "y", "g"))
    assert found.grouped
    semicolons = read_examples(table(data, "\ufeffpath;label\nlow/session0/0.wav;x, y\n"))
    assert [item.label for item in semicolons.items] == ["x, y"]
    lost = read_examples(table(data, "path,label\nlow/session0/0.wav,x\nlow/none.wav,x\n"))
    assert (len(lost.items), lost.grouped) == (1, False)
    assert lost.skipped == (f"{data / 'low/none.wav'}: no such file (labels.csv, line 3)",)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("path,group\na.wav,1\n", r"has no column label; its first line, now 'path,group', must name them"),
        ("", r"has no column path and no label"),
        ("path,label,start\nlow/session0/0.wav,x,1:30\n", r"line 2: start is '1:30'; give seconds"),
        ("path,label,start,end\nlow/session0/0.wav,x,3,2\n", r"line 2: .*\[3-2 s\]': a region starts at 0"),
        ("path,label\nlow/session0/0.wav,\n", r"line 2: path or label is empty"),
        ("path,label\nlow/session0/0.wav\n", r"line 2: 1 cells for 2 columns"),
        ("path,label\nnone.wav,x\n", r"none of its files exists; paths are relative to"),
        ("path,label\n", r"it has no rows"),
    ],
)
def test_tables_that_cannot_be_understood_are_refused(data: Path, text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        read_examples(table(data, text))


def test_what_is_neither_folder_nor_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; give a folder of class folders, or a CSV"):
        read_examples(tmp_path / "none")
    with pytest.raises(ConfigError, match="holds no folders; give one folder for each class"):
        read_examples(tmp_path)


def test_copies_are_used_once_and_unreadable_files_left_out() -> None:
    def digest(path: str) -> str:
        if path == "bad":
            raise AudioError("'bad' cannot be read (gone); check the path")
        return path[0]

    found = distinct(examples(("a1", "x", ""), ("a2", "x", ""), ("bad", "x", ""), ("c", "y", "")), digest)
    assert [(item.excerpt.path, item.group) for item in found.items] == [("a1", "a1"), ("c", "c")]
    assert found.skipped == (
        "bad: cannot be read (gone); check the path",
        "a2: has the same content as 'a1', which is used once",
    )


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (
            [("a1", 0, None, "x", ""), ("a2", 0, None, "y", "")],
            r"'a1' \('x'\) and 'a2' \('y'\) have the same con",
        ),
        (
            [("a", 0, None, "x", ""), ("a", 0, None, "y", "")],
            r"'a' has two labels, 'x' and 'y'; keep the right",
        ),
        ([("a", 0, 9, "x", ""), ("a", 8, 10, "y", "")], r"'a \[0-9 s\]' \('x'\) and .* overlap, but diff"),
        ([("a", 0, 2, "x", "g"), ("a", 2, 4, "x", "h")], r"regions of 'a' lie in the groups 'g' and 'h'"),
        ([("a1", 0, 2, "x", "g"), ("a2", 2, 4, "y", "h")], r"regions of 'a1' lie in the groups 'g' and 'h'"),
    ],
)
def test_sounds_of_two_labels_or_groups_are_refused(rows: Any, match: str) -> None:
    items = tuple(Example(Excerpt(path, *span), label, group) for path, *span, label, group in rows)
    with pytest.raises(ConfigError, match=match):
        distinct(Examples(items, True), lambda path: path[0])


def test_regions_of_one_recording_stay_together_without_groups() -> None:
    items = tuple(Example(Excerpt(path, i, i + 1), "x", "") for i, path in enumerate("aaba"))
    found = distinct(Examples(items, False), str)
    assert [item.group for item in found.items] == ["a", "a", "b", "a"]


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([("a", "x", "a"), ("b", "x", "b")], "there is one class, 'x'; give files of two classes or more"),
        (
            [("a", "x", "a"), ("b", "x", "b"), ("c", "y", "c")],
            "class 'y' has one file, 'c'; give it two or more",
        ),
        (
            [("a", "x", "g"), ("b", "x", "h"), ("c", "y", "g"), ("d", "y", "g")],
            "class 'y' has one group, 'g', in which all its 2 files lie: it cannot be learned and tested",
        ),
    ],
)
def test_classes_that_cannot_be_learned_and_tested_are_refused(rows: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        check_classes(examples(*rows))


# Folds


@pytest.mark.parametrize("seed", range(5))
def test_folds_split_no_group_and_spread_each_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 240)
    groups = [f"{label}-{number}" for label, number in zip(labels, rng.integers(0, 20, 240), strict=True)]
    folds = deal_groups(labels, groups, 5, seed, "abc")
    assert len({(group, fold) for group, fold in zip(groups, folds, strict=True)}) == len(set(groups))
    for label in range(3):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert counts.min() >= 0.6 * counts.max()
    assert np.array_equal(folds, deal_groups(labels, groups, 5, seed, "abc"))


def test_folds_take_groups_that_hold_all_classes() -> None:
    labels, groups = np.tile(np.arange(4), 10), np.repeat([f"speaker {i}" for i in range(10)], 4).tolist()
    folds = deal_groups(labels, groups, 5, 0, "abcd")
    assert np.bincount(folds).tolist() == [8] * 5
    assert groups_of_classes(labels, groups).tolist() == [10] * 4
    # Two groups of a class that both must lie with others.
    with pytest.raises(ConfigError, match=r"class 'b' lies in one of 2 folds"):
        deal_groups(np.array([0, 1, 0, 0, 0]), ["g", "g", "h", "h", "i"], 2, 0, "ab")


def test_parts_lie_in_each_other_and_hold_every_class() -> None:
    labels = np.array([0] * 40 + [1] * 8)
    groups = [str(i // 2) for i in range(48)]
    learned = np.arange(4, 48)
    tenth, half, whole = nested_parts(labels, groups, learned, (0.1, 0.5, 1.0), 0)
    assert set(tenth) < set(half) < set(whole) == set(learned)
    assert [np.bincount(labels[part]).tolist() for part in (tenth, half)] == [[4, 1], [18, 4]]


# Figures


def test_the_interval_is_wilson_s_and_wider_for_groups_that_agree() -> None:
    assert (interval(0.9, 100).low, interval(0.9, 100).high) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert interval(1.0, 20).low == pytest.approx(0.8389, abs=1e-4)
    right = np.repeat([True, False, True, True, True], 20)
    alone = accuracy(right, [str(i) for i in range(100)])
    together = accuracy(right, [str(i // 20) for i in range(100)])
    assert (alone.value, alone) == (0.8, interval(0.8, 100))
    wanted = interval(0.8, 4.13)  # five groups tell as much as four files
    assert (together.low, together.high) == pytest.approx((wanted.low, wanted.high), abs=1e-3)


def test_the_interval_narrows_when_the_last_error_goes_and_keeps_its_width() -> None:
    groups = [str(i // 4) for i in range(40)]
    found = [accuracy(np.arange(40) >= n_wrong, groups) for n_wrong in (3, 2, 1, 0)]
    lows = [share.low for share in found]
    assert lows == sorted(lows)
    assert (found[-1].low, found[-1].high) == pytest.approx((interval(1.0, 10).low, 1.0))


def test_the_best_of_many_guesses_is_corrected_to_chance() -> None:
    rng = np.random.default_rng(1)
    right, groups = rng.random((20, 100)) < 0.5, [str(i) for i in range(100)]
    assert right.mean(axis=1).max() > 0.56
    choice = corrected(right, groups, 0)
    assert choice.accuracy < 0.53
    assert sum(choice.best_in) == pytest.approx(1)
    assert corrected(right[:1], groups, 0) == (right[0].mean(), (1.0,))
    sure = corrected(np.stack([np.arange(100) < 90, np.arange(100) < 50]), groups, 0)
    assert sure.best_in == (1.0, 0.0)
    assert sure.accuracy == pytest.approx(0.9, abs=0.005)


def test_classes_and_errors_are_counted() -> None:
    truth, scores = (
        np.array([0, 0, 0, 1, 1]),
        np.array([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8], [1, 0]]),
    )
    counts = confusion(truth, scores.argmax(axis=1), 2)
    assert counts.tolist() == [[1, 2], [1, 1]]
    first, second = by_class(counts, ("a", "b"), np.array([3, 2]))
    assert (first.precision, first.recall, first.f1) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert (second.n_files, second.n_groups, second.precision) == (2, 2, pytest.approx(1 / 3))
    assert worst(truth, scores.astype(np.float32), 2) == [4, 2]


# Candidates


@pytest.fixture
def few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks learn for a short time."""
    monkeypatch.setattr("earmark.train.fitting.candidates._LEAST_BATCHES", 40)


def material(n: int = 60) -> Material:
    """Return vectors of which one number tells the class, in files of three to five windows."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    vectors = []
    for label in labels:
        vector = rng.normal(0, 1, (int(rng.integers(3, 6)), 4)).astype(np.float32)
        vector[:, 1] += 3 * label
        vectors.append(vector)
    groups = [str(i // 6) for i in range(n)]
    return Material(vectors, labels, deal_groups(labels, groups, 5, 0, "abc"), groups)


@pytest.mark.usefixtures("few_batches")
def test_candidates_answer_what_they_have_not_learned() -> None:
    told: list[str] = []
    wanted = candidates(("svm", "d128"))
    assert [str(one) for one in wanted] == ["svm, late", "svm, early", "d128, late", "d128, early"]
    found = compare(wanted[:3], material(), 0, told.append)
    assert found.scores.shape == (3, 60, 3)
    np.testing.assert_allclose(found.scores.sum(axis=2), 1, atol=1e-5)
    right = (found.scores.argmax(axis=2) == material().labels).mean(axis=1)
    assert right.min() > 0.7
    assert right.argmax() == found.best
    assert told == [f"cross-validation: {one}" for one in wanted[:3]]
    again = compare(wanted[:3], material(), 0, told.append)
    assert np.array_equal(found.scores, again.scores)
    # Labels that nothing tells are not learned.
    known = material()
    mixed = np.random.default_rng(5).permutation(known.labels)
    guess = Material(known.vectors, mixed, known.folds, [str(i) for i in range(60)])
    found = compare(wanted[:2], guess, 0, told.append)
    assert (found.scores.argmax(axis=2) == mixed).mean() < 0.5


def test_the_learning_curve_learns_from_less() -> None:
    points = list(
        learning_curve(Candidate("svm", "early"), material(), (0.1, 0.12, 0.5), 0, lambda text: None)
    )
    assert [(share, n_files) for share, n_files, _ in points] == [(0.12, 6.0), (0.5, 24.0)]
    labels = material().labels
    few, half = ((scores.argmax(axis=1) == labels).mean() for _, _, scores in points)
    assert half > 0.7
    assert half >= few


# The command


def fit(data: Path, out: Path, backbone: str, *more: str) -> int:
    return run(["fit", str(data), "-o", str(out), "--backbone", backbone, "--jobs", "1", "--no-color", *more])


def test_all_layers_of_the_embedder_are_learned_by_default(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(path: Path, settings: Any, **_: object) -> None:
        seen.append((settings.embedding.model, settings.embedding.embedding))
        raise ConfigError("enough")

    monkeypatch.setattr("earmark.train.fitting.run.fit_classifier", look)
    for more in ((), ("--embedding", "512"), ("--backbone", "vggish")):
        assert run(["fit", str(data), "-o", str(tmp_path / "mine.onnx"), *more]) == 2
    assert seen == [("embedder", "960"), ("embedder", "512"), ("vggish", None)]
    assert Embedder("embedder", "960").dimension == 960


@pytest.mark.usefixtures("few_batches")
def test_fit_writes_a_model_that_classifies_and_a_report(
    data: Path, tmp_path: Path, backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "low" / "session0" / "bad.wav").write_bytes(b"no sound at all")
    arguments = ("--head", "svm", "--head", "d128", "--seed", "3", "--report", str(tmp_path / "report"))
    assert fit(data, tmp_path / "mine.onnx", backbone, *arguments) == 0
    shown = capsys.readouterr()
    assert "accuracy 100.0 %" in shown.out
    assert f"earmark classify {tmp_path / 'mine.onnx'} INPUT" in shown.out
    assert "bad.wav: " in shown.err
    assert "1 of 13 recordings were left out" in shown.err
    assert "has 2 groups: there are 2 folds" in shown.err
    model = Classifier(tmp_path / "mine.onnx")
    assert model.labels == ("high", "low")
    for label in ("low", "high"):
        assert model.classify(sound(label, 50), RATE).label == label
    assert model.card.trained["files"] == {"high": 6, "low": 6}
    assert model.card.metrics["accuracy"]["value"] == 1.0
    assert model.card.trained["lowest_rate"] == RATE
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["confusion"] == [[6, 0], [0, 6]]
    assert len(report["candidates"]) == 4
    assert report["settings"]["folds"] == 2
    rows = list(csv.DictReader((tmp_path / "report" / "files.csv").open()))
    assert len(rows) == 12
    assert all(row["label"] == row["answer"] and float(row[row["label"]]) > 0.5 for row in rows)
    assert {row["fold"] for row in rows if row["group"] == "session0"} < {"0", "1"}
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "bad.wav" in page
    assert "http" not in page
    for name in ("confusion.png", "learning-curve.png"):
        assert (tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG")


def test_the_same_data_and_seed_give_the_same_report(data: Path, tmp_path: Path, backbone: str) -> None:
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        assert fit(data, folder / "mine.onnx", backbone, "--quick", "--quiet", "--report", str(folder)) == 0
        found.append({f.name: f.read_bytes() for f in folder.iterdir()})
    assert found[0] == found[1]
    assert len(found[0]) == 6


def test_a_table_without_groups_is_warned_of(
    data: Path, tmp_path: Path, backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_audio(data / "long.wav", np.concatenate([sound("low", 20), sound("high", 20)]), RATE)
    rows = [f"{label}/session{i % 2}/{i}.wav,{label},," for label in ("low", "high") for i in range(4)]
    path = table(
        data, "\n".join(["path,label,start,end", *rows, "long.wav,low,0,1.5", "long.wav,high,1.5,3"])
    )
    assert fit(path, tmp_path / "mine.onnx", backbone, "--quick", "--fusion", "late", "--quiet") == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "no groups are given: each file counts as one of its own" in shown.err
    assert Classifier(tmp_path / "mine.onnx").card.fusion == "late"


def test_recordings_without_a_group_among_others_are_counted(
    data: Path, tmp_path: Path, backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_audio(data / "low" / "alone.wav", sound("low", 9), RATE)
    assert fit(data, tmp_path / "mine.onnx", backbone, "--quick", "--fusion", "late", "--quiet") == 0
    assert "1 of 13 recordings have no group: each of their files counts" in capsys.readouterr().err


def test_empty_files_are_left_out_and_are_no_copies_of_each_other(
    data: Path, tmp_path: Path, backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("low", "high"):
        (data / label / "session0" / "empty.wav").touch()
    assert fit(data, tmp_path / "mine.onnx", backbone, "--quick", "--fusion", "late", "--quiet") == 0
    shown = capsys.readouterr().err
    assert shown.count("empty.wav: is empty (0 bytes); copy or export it again") == 2
    assert "2 of 14 recordings were left out" in shown


def test_what_a_user_should_know_of_recordings_is_told_each_time(
    data: Path, tmp_path: Path, backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_audio(data / "low" / "session0" / "silent.wav", np.zeros(RATE, np.float32), RATE)
    write_audio(data / "high" / "session0" / "old.wav", sound("high", 9)[::2], RATE // 2)
    cut = data / "high" / "session1" / "1.wav"
    cut.write_bytes(cut.read_bytes()[:-20_000])
    for _ in range(2):  # the second time all of it is kept
        assert fit(data, tmp_path / "mine.onnx", backbone, "--quick", "--fusion", "late", "--quiet") == 0
        shown = capsys.readouterr().err.splitlines()
        assert len(shown) == 6  # the last: few groups
        assert shown[0].endswith("silent.wav: holds nothing but digital silence")
        assert shown[1].endswith("1 of 14 recordings were left out")
        assert "session1/1.wav: breaks off at" in shown[2].replace("\\", "/")
        assert shown[3].endswith("1 of 13 recordings were read with warnings")
        assert "1 of 13 recordings have a lower sample rate than the backbone" in shown[4]
        assert "16000 Hz (the lowest: 8000)" in shown[4]
    assert Classifier(tmp_path / "mine.onnx").card.trained["lowest_rate"] == 8000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--head", "forest"), "--head forest: choose one of svm, lda, d128, d512"),
        (("--fusion", "middle"), "--fusion middle: choose one of late, early"),
        (("--folds", "1"), "--folds 1: give 2 or more"),
        (("--folds", "3", "--head", "svm"), "3 folds: class 'high' has 2 groups, and each fold needs one"),
        (("--output", "model.h5"), "--output model.h5: give a file that ends in .onnx"),
        (("--backbone", "no-such"), "no model 'no-such'"),
        (("--backbone", "detector"), "marks recordings and gives no embeddings"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(
    data: Path,
    tmp_path: Path,
    backbone: str,
    capsys: pytest.CaptureFixture[str],
    make_count: Callable[[], int],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert fit(data, tmp_path / "mine.onnx", backbone, *arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "mine.onnx").exists()
    assert make_count() == 0  # before any work


def test_embeddings_are_kept_when_fit_is_interrupted(
    data: Path, tmp_path: Path, backbone: str, monkeypatch: pytest.MonkeyPatch, make_count: Callable[[], int]
) -> None:
    from earmark.train.fitting import run as module

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "compare", stop)
        assert fit(data, tmp_path / "mine.onnx", backbone, "--quick") == 130
    assert make_count() == 12
    monkeypatch.setattr("earmark.train.vectors.open_audio", stop)  # nothing is read again
    assert fit(data, tmp_path / "mine.onnx", backbone, "--quick", "--quiet") == 0


@pytest.fixture
def make_count(tmp_path: Path) -> Callable[[], int]:
    """Return what counts the kept vectors."""
    return lambda: len(list((tmp_path / "cache").rglob("*.npy")))
