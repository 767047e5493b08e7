"""Tables of tasks: embeddings with small classifiers beside networks and the trivial baseline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test_embedding import CARD, write_means  # noqa: E402

from earmark.audio_writer import write_audio  # noqa: E402
from earmark.datasets.tasks import TASKS  # noqa: E402
from earmark.errors import ConfigError  # noqa: E402
from earmark.train.experiments import (  # noqa: E402
    Workplace,
    experiment_table,
    export_row,
    read_experiment,
    run_experiment,
    shallow,
)
from earmark.train.experiments.batches import Batch  # noqa: E402
from earmark.train.experiments.fitconfig import FitConfig  # noqa: E402
from earmark.train.experiments.losses import TaskWeights, loss_of  # noqa: E402
from earmark.train.experiments.prepared import prepare  # noqa: E402
from earmark.train.experiments.protocol import Protocol  # noqa: E402
from earmark.train.vectors import VectorStore  # noqa: E402

RATE = 16_000
TASK = "field-recordings"
TABLE = """
title = "A test"
source = "Nobody, Table 0"
data = ["ensemble-size", "field-recordings"]
measures = ["file accuracy", "pooled accuracy"]
protocol = {kind = "task", repetitions = 1}
fit = {batch = 4, epochs = 2, class_weights = true}
[[row]]
name = "Baseline"
only = ["field-recordings"]
features = {name = "kc-mel", patch_length = 16}
model = {model = "swishnet-slim"}
paper = {field-recordings = 88.6}
[[row]]
name = "Baseline"
only = ["ensemble-size"]
features = {name = "gro-t1"}
model = {model = "gro-t1-dnn"}
[[row]]
name = "Trivial"
trivial = true
[[row]]
name = "SVM"
embedding = {model = "means"}
head = {kind = "svm"}
paper = {ensemble-size = 84.5, field-recordings = [91.5, 1.0]}
[[row]]
name = "D128, early"
embedding = {model = "means", embedding = "max", hop = 0.1}
head = {kind = "d128", fusion = "early", epochs = 30}
[[row]]
name = "O-SVM"
embedding = {model = "openl3-mel256-music", embedding = "512"}
head = {kind = "svm"}
[[row]]
name = "O-D128"
embedding = {model = "openl3-mel256-music", embedding = "512"}
head = {kind = "d128"}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return twelve blocks of each class of field recordings, which differ in pitch, one clip a block."""
    root = tmp_path_factory.mktemp("data")
    samples = root / "sefire" / "samples"
    samples.mkdir(parents=True)
    rng, lines = np.random.default_rng(0), ["file name\tlabel"]
    t = np.arange(round(0.8 * RATE)) / RATE
    for i in range(48):
        tone = np.sin(2 * np.pi * 400 * 2 ** (i % 4) * rng.uniform(0.9, 1.1) * t)
        name = f"{25 * i:05d}.wav"
        write_audio(samples / name, 0.3 * tone + 1e-2 * rng.standard_normal(len(t)), RATE)
        lines.append(f"{name}\t{'s21i'[i % 4]}")
    (samples / "sample labels.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a user's folder with one model for embeddings."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("EARMARK_MODELS", str(folder))
    write_means(folder / "means.onnx")
    return folder


def table(tmp_path: Path, text: str = TABLE) -> Path:
    path = tmp_path / "test.toml"
    path.write_text(text)
    return path


def test_a_table_of_a_task_runs_on_its_dataset_and_keeps_what_it_fitted(data, models, tmp_path):
    experiment = read_experiment(table(tmp_path))
    place, out, warned = Workplace(tmp_path / "cache", tmp_path / "runs"), tmp_path / "out.json", []
    rows = ["Trivial", "SVM", "D128, early", "O-SVM", "O-D128"]
    report = run_experiment(experiment, data, out, place, rows=rows, on="sefire", warn=warned.append)
    assert len([line for line in warned if "stay open" in line]) == 1
    assert warned[-1].startswith("'O-SVM', 'O-D128' stay open: model 'openl3-mel256-music' is not imported")
    by_row = {name: [r for r in report["results"] if r["row"] == name] for name in rows}
    assert {name: len(found) for name, found in by_row.items()} == dict(
        zip(rows, (10, 10, 10, 0, 0), strict=True)
    )
    for name in rows[:3]:
        assert np.mean([r["figures"]["file accuracy"] for r in by_row[name]]) > 75
    (first, *_), (early, *_) = by_row["SVM"], by_row["D128, early"]
    assert first["setup"]["protocol"]["classes"] == list(TASKS[TASK].classes)
    assert "task" not in first["setup"]["protocol"]
    assert first["examples"] == {"train": 32, "validation": 8, "test": 8}
    # Two windows a file, or one maximum of several.
    assert np.sum(first["patches"]) == 2 * np.sum(first["files"]) == 2 * np.sum(early["patches"]) == 16
    told = []
    assert run_experiment(experiment, data, out, place, rows=rows, on=TASK, tell=told.append) == report
    assert told == []
    # Another table takes what was fitted.
    again = run_experiment(
        experiment, data, tmp_path / "other.json", place, rows=["SVM"], on=TASK, tell=told.append
    )
    assert again["results"] == by_row["SVM"]
    assert not any("fitting" in line for line in told)
    shown = experiment_table(experiment, report)
    assert "on field-recordings of sefire, not on the paper's ensemble-size" in str(shown.title)
    cells = [list(column.cells) for column in shown.columns]
    assert cells[0][::2] == rows[:3]
    assert cells[2][2] == "91.50 ± 1.00"
    assert cells[-1][::2] == ["10", "10", "10"]
    assert f"not run yet: {'; '.join(['Baseline', *rows[3:]])}" in str(shown.caption)


def test_what_is_learned_is_bounded_and_all_windows_are_tested(data, models, tmp_path, monkeypatch):
    monkeypatch.setattr(shallow, "_MOST_BYTES", 4 * 64 * 40)  # forty windows of 64 numbers
    learned, fit = [], shallow.fit_head
    monkeypatch.setattr(shallow, "fit_head", lambda *a, **b: (learned.append(len(a[1])), fit(*a, **b))[1])
    stores = []
    monkeypatch.setattr(shallow, "VectorStore", lambda *a: (stores.append(1), VectorStore(*a))[1])
    shallow._store.cache_clear()
    experiment = read_experiment(table(tmp_path))
    place = Workplace(tmp_path / "cache", tmp_path / "runs")
    report = run_experiment(experiment, data, tmp_path / "out.json", place, rows=["SVM"], on=TASK)
    assert learned == [r["examples"]["train"] for r in report["results"]]  # one window of each file
    assert len(stores) == 1
    assert all(np.sum(r["patches"]) == 2 * r["examples"]["test"] for r in report["results"])


@pytest.mark.parametrize(
    ("n_rows", "most"), [(1, 1), (5, 1), (10, 2), (16, 3), (17, 4), (21, 8), (22, 9), (23, 10), (99, 10)]
)
def test_long_files_are_thinned_to_what_fits(n_rows, most, monkeypatch):
    monkeypatch.setattr(shallow, "_MOST_BYTES", 4 * 7 * n_rows)
    sizes = [3, 10, 2, 4, 4]
    assert shallow._most_of_file(sizes, 7) == most
    assert sum(min(size, most) for size in sizes) <= max(n_rows, 5)


def test_another_model_file_is_another_row(data, models, tmp_path):
    experiment = read_experiment(table(tmp_path))
    place, out = Workplace(tmp_path / "cache", tmp_path / "runs"), tmp_path / "out.json"
    run = {"rows": ["SVM"], "quick": True}
    before = run_experiment(experiment, data, out, place, **run)
    assert len(before["results"]) == 1
    write_means(models / "means.onnx", replace(CARD, version="2"))
    after = run_experiment(experiment, data, out, place, **run)
    checksums = [r["results"][0]["setup"]["embedding"]["sha256"] for r in (before, after)]
    assert checksums[0] != checksums[1]
    assert len(json.loads(out.read_text())["results"]) == 2


def test_a_network_of_a_task_has_its_classes_and_a_share_of_the_data(data, models, tmp_path):
    text = TABLE.replace("fit = {", "share = 0.5\nfit = {")
    experiment = read_experiment(table(tmp_path, text))
    place = Workplace(tmp_path / "cache", tmp_path / "runs")
    report = run_experiment(
        experiment, data, tmp_path / "out.json", place, rows=["Baseline"], on=TASK, quick=True
    )
    (result,) = report["results"]
    assert np.shape(result["patches"]) == (4, 4)
    assert (result["setup"]["share"], result["setup"]["fit"]["class_weights"]) == (0.5, True)
    assert result["examples"]["train"] < 24
    with pytest.raises(ConfigError, match="'SVM' is no network of patches; make a model of embeddings with"):
        export_row(experiment, "SVM", data, tmp_path / "out.json", place, tmp_path / "m.onnx", on=TASK)


def test_a_share_is_drawn_by_groups_of_each_class_and_leaves_validation_and_test(data):
    clips = TASKS[TASK].read(data)
    protocol = Protocol("task", (), 2, ()).of(TASK)
    assert protocol.repetitions == 20
    whole, part = protocol.split(clips, 3), protocol.split(clips, 3, share=0.25)
    assert (part.validation, part.test) == (whole.validation, whole.test)
    assert set(part.train) < set(whole.train)
    for label in range(4):
        n, of = (len([e for e in split.train if e.label == label]) for split in (part, whole))
        assert 0 < n < of / 2
    assert protocol.split(clips, 3, share=0.25) == part != protocol.split(clips, 13, share=0.25)


def test_unreadable_recordings_are_named(data, models, tmp_path):
    for folder in (tmp_path / "sefire" / "samples",):
        folder.mkdir(parents=True)
        for path in (data / "sefire" / "samples").iterdir():
            (folder / path.name).symlink_to(path)
    broken = folder / "00000.wav"
    broken.unlink()
    broken.write_bytes(b"no sound" * 100)
    experiment = read_experiment(table(tmp_path))
    place, out = Workplace(tmp_path / "cache", tmp_path / "runs"), tmp_path / "out.json"
    for row, what in (("SVM", "has no embeddings"), ("Trivial", "cannot be described")):
        with pytest.raises(ConfigError, match=rf"00000.wav' {what}: .*; mend or remove it"):
            run_experiment(experiment, tmp_path, out, place, rows=[row], on=TASK)


def test_statistics_are_computed_once_and_again_if_a_recording_changes(data, tmp_path, monkeypatch):
    paths = sorted(str(path) for path in (data / "sefire" / "samples").glob("000*.wav"))
    described, whole = [], shallow.trivial.describe
    monkeypatch.setattr(
        shallow.trivial, "describe", lambda files, *rest: (described.extend(files), whole(files, *rest))[1]
    )
    monkeypatch.setattr(shallow, "_CHUNK", 2)
    first = shallow.describe_kept(paths[:3], tmp_path / "kept", 1)
    second = shallow.describe_kept(paths, tmp_path / "kept", 1)
    assert described == paths
    assert all(np.array_equal(first[path], second[path]) for path in paths[:3])
    copy = tmp_path / "copy.wav"
    copy.write_bytes(Path(paths[0]).read_bytes())
    before = shallow.describe_kept([str(copy)], tmp_path / "kept", 1)[str(copy)]
    copy.write_bytes(Path(paths[1]).read_bytes()[:-2])
    assert not np.array_equal(shallow.describe_kept([str(copy)], tmp_path / "kept", 1)[str(copy)], before)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ensemble-size", ', '"musan", ', "'test' is of tasks; 'musan' is none: ensemble-size, "),
        ('kind = "task"', 'kind = "task", classes = ["a", "b"]', "has 'classes'; tasks have their own"),
        ('["ensemble-size", "field-recordings"]', '["musan"]', "is of tasks, and its data are datasets"),
        ('only = ["ensemble-size"]\n', "", "two rows of .* are called 'Baseline'"),
        ('only = ["ensemble-size"]', 'only = ["genre"]', "names 'genre', which is no task of 'test'"),
        ('kind = "svm"', 'kind = "svc"', "unknown kind 'svc'; choose one of svm, lda, d128, d512"),
        ('fusion = "early"', 'fusion = "both"', "head of row 'D128, early' of .*: unknown fusion 'both'"),
        ("epochs = 30", "epochs = 0", "epochs 0: it must be above 0"),
        ('{model = "means"}', "{hop = 1.0}", "row 'SVM' of .*: the embedding has no 'model'"),
        ("trivial = true", "trivial = true\nshare = 0.0", "row 'Trivial' of .*: share 0: it must be above 0"),
        ("trivial = true", "trivial = 1", "'trivial' can be true, or left out"),
        ("trivial = true", 'trivial = true\nhead = {kind = "svm"}', "unknown key 'head' in row 'Trivial'"),
        ('["file accuracy", ', '["F1 dog", ', "unknown measure 'F1 dog' of 'test'"),
    ],
)
def test_a_table_of_tasks_that_makes_no_sense_is_refused(tmp_path, old, new, message):
    assert old in TABLE
    with pytest.raises(ConfigError, match=message):
        read_experiment(table(tmp_path, TABLE.replace(old, new, 1)))


def test_a_task_is_found_by_its_name_or_its_dataset(data, tmp_path):
    experiment = read_experiment(table(tmp_path))
    assert prepare(experiment, data).data == "field-recordings of sefire"
    assert not prepare(experiment, data).is_published
    whole = read_experiment(table(tmp_path, 'published_on = ["sefire"]\n' + TABLE))
    assert prepare(whole, data).is_published
    with pytest.raises(ConfigError, match="does not run on 'genre'; choose ensemble-size, field-recordings"):
        prepare(experiment, data, "genre")
    with pytest.raises(ConfigError, match=r"has no acmusif; get it\. acmusif: "):
        prepare(experiment, data, "acmusif")


def test_classes_weigh_as_much_as_they_are_told(tmp_path):
    outputs, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 0, 0])
    batch = Batch(torch.zeros(6, 1, 1), labels, torch.full((6,), torch.nan))
    weights = torch.tensor([0.5, 2.0, 3.0])
    each = -outputs.log_softmax(1)[torch.arange(6), labels]
    expected = float((weights[labels] * each).sum() / 6)
    assert float(loss_of(outputs, batch, TaskWeights(), weights)) == pytest.approx(expected, rel=1e-5)
    # Results that were kept before there were weights are still found.
    assert "class_weights" not in FitConfig().setup()
    assert FitConfig(class_weights=True).setup()["class_weights"] is True
