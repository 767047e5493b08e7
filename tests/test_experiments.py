"""The harness of the papers' tables: splits, batches, losses, training, scores; a table from end to end."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from earmark import Detector, load_model  # noqa: E402
from earmark.audio_writer import write_audio  # noqa: E402
from earmark.bench.tables import find_table, table_names  # noqa: E402
from earmark.cli.app import run  # noqa: E402
from earmark.datasets import DATASETS, Clip  # noqa: E402
from earmark.datasets.tasks import dataset_of  # noqa: E402
from earmark.decodings import LikeliestClasses  # noqa: E402
from earmark.errors import ConfigError  # noqa: E402
from earmark.features.registry import create_features  # noqa: E402
from earmark.features.scaling import fit_scaling  # noqa: E402
from earmark.train.checkpoint import best_weights  # noqa: E402
from earmark.train.device import has_bfloat16  # noqa: E402
from earmark.train.experiments import (  # noqa: E402
    Workplace,
    experiment_table,
    export_row,
    read_experiment,
    run_experiment,
)
from earmark.train.experiments.batches import Batch, PatchSet, by_class, shuffled  # noqa: E402
from earmark.train.experiments.example import Example  # noqa: E402
from earmark.train.experiments.fit import (  # noqa: E402
    FitConfig,
    clip_gradients,
    fit,
    predict,
)
from earmark.train.experiments.losses import TaskWeights, loss_of, probabilities, ratio_targets  # noqa: E402
from earmark.train.experiments.nets import row_network  # noqa: E402
from earmark.train.experiments.prepared import Prepared, prepare  # noqa: E402
from earmark.train.experiments.protocol import OVERLAP, Protocol  # noqa: E402
from earmark.train.experiments.rows import CropRow, NetworkRow  # noqa: E402
from earmark.train.experiments.scores import LAST, PatchScores, figure_names, right_by  # noqa: E402
from earmark.train.experiments.signals import Signal  # noqa: E402
from earmark.train.experiments.store import FeatureStore  # noqa: E402
from earmark.train.models import MultiTaskOutputs  # noqa: E402

RATE = 16_000


def clips(n: int = 12, labels: tuple[str, ...] = ("music", "speech"), fold: bool = False) -> list[Clip]:
    return [
        Clip(Path(f"{label}{i}.wav"), label, f"{label}{i // 2}", fold=i // 2 % 3 if fold else None)
        for label in labels
        for i in range(n)
    ]


# -- splits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", [True, False])
def test_folds_test_every_clip_once_and_part_groups_never(fold):
    protocol = Protocol()
    tested = []
    for repetition in range(3):
        split = protocol.split(clips(fold=fold), repetition)
        parts = [
            {(e.path[:-4].rstrip("0123456789"), e.group) for e in part if e.music is None}
            for part in (split.train, split.validation, split.test)
        ]
        assert not parts[0] & parts[1]
        assert not (parts[0] | parts[1]) & parts[2]
        tested += [e.path for e in split.test if e.music is None]
    assert sorted(tested) == sorted(str(c.path) for c in clips())


def test_mixtures_are_made_of_the_files_of_their_own_part():
    split = Protocol().split(clips(), 0)
    for part in (split.train, split.validation, split.test):
        plain = {e.path for e in part if e.music is None}
        mixed = [e for e in part if e.label == 2]
        assert mixed
        assert all({e.path, e.music} <= plain for e in mixed)
        assert [e.smr_db for e in mixed] == [float(-5 + i % 26) for i in range(len(mixed))]


def test_hold_out_draws_anew_and_balances():
    protocol = Protocol("hold-out", ("speech", "music"), 5, (0.8, 0.1, 0.1), balanced=True)
    uneven = clips(40, ("music",)) + clips(20, ("speech",))
    first, second = (protocol.split(uneven, r) for r in (0, 1))
    assert sum(e.label == 0 for e in first.all) == sum(e.label == 1 for e in first.all) == 20
    assert {e.path for e in first.test} != {e.path for e in second.test}
    assert first == protocol.split(uneven, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "random"}, "unknown kind of protocol 'random'; choose folds or hold-out"),
        ({"shares": (0.8, 0.1, 0.1)}, "3 shares for the protocol 'folds'; give 2"),
        ({"classes": ("music", "music")}, "are music, music; give two or more, each once"),
        ({"classes": ("music", "speech+music")}, "'speech.music' needs speech and music, too"),
        ({"repetitions": 1}, "repetitions 1 of the protocol 'folds': give at least 2"),
    ],
)
def test_a_protocol_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        Protocol(**changes)


def test_whole_folders_are_kept_together_where_that_is_asked_for():
    given = [
        Clip(Path(f"{label}-{folder}/{i}.wav"), label, f"{label}{folder}{i}", fold=i % 3)
        for label in ("music", "speech")
        for folder in range(5)
        for i in range(4)
    ]
    split = Protocol(classes=("music", "speech"), unit="folder").split(given, 1)
    parts = [{Path(e.path).parent for e in part} for part in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 10
    with pytest.raises(ConfigError, match="unknown unit of the protocol 'artist'"):
        Protocol(unit="artist")


def test_a_class_that_is_missing_is_named():
    with pytest.raises(ConfigError, match="no noise; the protocol needs speech, noise"):
        Protocol(classes=("speech", "noise")).split(clips(), 0)


# -- patches and batches -------------------------------------------------------------------------


class Numbers:
    """Patches of 2 x 3 that hold their own number."""

    def __init__(self, first: int, n: int) -> None:
        self.values = np.full((n, 2, 3), np.arange(first, first + n)[:, None, None], np.float32)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which):
        return self.values[which]


def patch_set(sizes: dict[str, tuple[int, int]], scaling=None) -> PatchSet:
    """Examples by name, with label and number of patches; the patches count on."""
    first, parts = 0, {}
    for name, (_, n) in sizes.items():
        parts[name] = Numbers(first, n)
        first += n
    examples = [Example(name, label) for name, (label, _) in sizes.items()]
    return PatchSet(examples, lambda e: parts[e.path], scaling)


def test_patches_are_found_by_their_place_among_all():
    patches = patch_set({"a": (0, 4), "b": (1, 0), "c": (1, 3)})
    assert len(patches) == 7
    assert patches.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert patches.owner.tolist() == [0, 0, 0, 0, 2, 2, 2]
    batch = patches.batch(np.array([6, 0, 4]))
    assert batch.patches[:, 0, 0].tolist() == [6, 0, 4]
    assert batch.labels.tolist() == [1, 0, 1]
    assert torch.isnan(batch.smr_db).all()
    assert [len(b.labels) for b in patches.in_order(3)] == [3, 3, 1]


def test_scaling_is_measured_on_one_part_and_applied_to_another():
    train = patch_set({"a": (0, 3)})
    train.scaling = fit_scaling([train.raw(np.arange(3))], "band")
    other = patch_set({"b": (0, 1), "c": (0, 9)}, train.scaling)
    assert np.allclose(train.batch(np.arange(3)).patches.mean(), 0, atol=1e-6)
    assert np.isclose(float(other.batch(np.array([9])).patches[0, 0, 0]), (9 - 1) / np.sqrt(2 / 3))


def test_shuffled_epochs_take_every_patch_once_and_leave_no_single_one():
    patches = patch_set({"a": (0, 10), "b": (1, 7)})
    drawn = list(shuffled(patches, 5, np.random.default_rng(0)))
    assert sorted(np.concatenate(drawn).tolist()) == list(range(17))
    assert np.concatenate(drawn).tolist() != list(range(17))
    assert [len(part) for part in shuffled(patches, 4, np.random.default_rng(0))] == [4, 4, 4, 4]
    fewer = [np.concatenate(list(shuffled(patches, 4, np.random.default_rng(i), 8))) for i in range(2)]
    assert all(len(set(part.tolist())) == 8 for part in fewer)
    assert set(fewer[0].tolist()) != set(fewer[1].tolist())


def test_batches_by_class_go_through_each_class_in_turn():
    patches = patch_set({"a": (0, 6), "b": (1, 4), "c": (2, 3)})
    drawn = list(by_class(patches, 2, 6, np.random.default_rng(0)))
    assert all(np.bincount(patches.labels[part]).tolist() == [2, 2, 2] for part in drawn)
    counts = np.bincount(np.concatenate(drawn))
    assert counts[:6].tolist() == [2] * 6
    assert counts[6:10].tolist() == [3] * 4
    assert counts[10:].tolist() == [4] * 3
    with pytest.raises(ConfigError, match="class 1 has no patch"):
        list(by_class(patch_set({"a": (0, 6), "b": (1, 0)}), 2, 1, np.random.default_rng(0)))


# -- losses --------------------------------------------------------------------------------------


def test_shares_of_music_and_speech_follow_the_ratio():
    labels = torch.tensor([0, 1, 2, 2, 2])
    smr = torch.tensor([torch.nan, torch.nan, 0.0, 10.0, -5.0])
    expected = [[1, 0], [0, 1], [1, 1], [0.1, 1], [1, 10**-0.5]]
    assert torch.allclose(ratio_targets(labels, smr), torch.tensor(expected))


def test_targets_lie_where_the_batch_does():
    labels, smr = torch.tensor([0, 1, 2], device="meta"), torch.zeros(3, device="meta")
    assert ratio_targets(labels, smr).device == labels.device


def test_every_task_has_its_weight():
    outputs = MultiTaskOutputs(torch.randn(6, 3), torch.randn(6), torch.randn(6), torch.randn(6, 2))
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    batch = Batch(torch.zeros(6, 1, 1), labels, torch.tensor([torch.nan, torch.nan, 3.0] * 2))
    names = [f.name for f in dataclasses.fields(TaskWeights)]
    none = TaskWeights(**dict.fromkeys(names, 0.0))
    alone = {name: float(loss_of(outputs, batch, dataclasses.replace(none, **{name: 1.0}))) for name in names}
    assert len(set(alone.values())) == 4
    assert float(loss_of(outputs, batch, TaskWeights())) == pytest.approx(sum(alone.values()), rel=1e-5)
    cross_entropy = -outputs.logits.log_softmax(1)[torch.arange(6), labels].mean()
    assert alone["classes"] == pytest.approx(float(cross_entropy), rel=1e-5)
    # Overlap is in neither of the two against the rest.
    sure = outputs._replace(speech=torch.where(labels == 1, 50.0, -50.0))
    assert float(loss_of(sure, batch, dataclasses.replace(none, speech=1.0))) < 1e-6


def test_one_logit_is_two_classes():
    logits = torch.tensor([[2.0], [-1.0]])
    batch = Batch(torch.zeros(2, 1, 1), torch.tensor([1, 0]), torch.full((2,), torch.nan))
    two = torch.cat([torch.zeros(2, 1), logits], dim=1)
    assert torch.allclose(probabilities(logits), two.softmax(1))
    assert float(loss_of(logits, batch, TaskWeights())) == pytest.approx(
        float(loss_of(two, batch, TaskWeights())), rel=1e-5
    )


# -- scores --------------------------------------------------------------------------------------


def test_figures_of_a_worked_example():
    answers = np.array([0, 0, 1, 1, 1, 1, 2, 2, 0, 0])
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    owner = np.array([5, 5, 5, 7, 7, 7, 8, 8, 9, 9])
    scores = PatchScores.of(np.eye(3)[answers], labels, owner, np.full(10, np.nan))
    figures = scores.figures(("a", "b", "c"))
    assert scores.patches.tolist() == [[2, 1, 0], [0, 3, 0], [2, 0, 2]]
    assert figures["recall a"] == pytest.approx(200 / 3)
    assert figures["precision a"] == pytest.approx(50)
    assert figures["F1 a"] == pytest.approx(400 / 7)
    assert figures["accuracy"] == pytest.approx((200 / 3 + 100 + 50) / 3)
    assert figures["pooled accuracy"] == pytest.approx(70)
    assert figures["average F1"] == pytest.approx((400 / 7 + 600 / 7 + 400 / 6) / 3)
    # File 8 is right, file 9 is wrong; a file's answer is that of its summed probabilities.
    assert figures["file accuracy"] == pytest.approx(75)
    unsure = np.array([[0.4, 0.6], [0.4, 0.6], [0.99, 0.01]])
    none = np.zeros(3, int)
    assert PatchScores.of(unsure, none, none, np.full(3, np.nan)).files.tolist() == [[1, 0], [0, 0]]
    assert PatchScores.of(np.eye(2)[[0]], none[:1], none[:1], np.array([np.nan])).figures("xy")["F1 y"] == 0


def test_right_patches_are_counted_by_where_they_are_from():
    right = np.array([True, False, True, True])
    assert right_by(["b", "a", "b", "a"], right) == {"a": [1, 2], "b": [2, 2]}
    assert right_by([], right[:0]) == {}


def test_answers_to_mixtures_are_counted_by_their_ratio():
    answers = np.eye(3)[[0, 2, 2, 1, 2, 2]]
    labels = np.array([0, 2, 2, 2, 2, 2])
    smr = np.array([np.nan, -5, 20, 20, 20, 20])
    scores = PatchScores.of(answers, labels, np.arange(6), smr)
    assert {db: counts.tolist() for db, counts in scores.mixtures.items()} == {-5: [0, 0, 1], 20: [0, 1, 3]}
    figures = scores.figures(("music", "speech", OVERLAP))
    assert figures["recall at -5 dB"] == 100
    assert figures["recall at 20 dB"] == 75
    assert [*figures, LAST] == figure_names(("music", "speech", OVERLAP), (-5.0, 20.0))
    assert not any("dB" in name for name in figure_names(("music", "speech"), (-5.0,)))


# -- training ------------------------------------------------------------------------------------


def noisy_set(seed: int, n: int = 60) -> PatchSet:
    """Two classes that differ in which row is louder."""
    rng = np.random.default_rng(seed)
    parts = {}
    for label in range(2):
        values = rng.normal(0, 1, (n, 2, 3)).astype(np.float32)
        values[:, label] += 1.5
        parts[str(label)] = Numbers(0, n)
        parts[str(label)].values = values
    return PatchSet([Example(name, int(name)) for name in parts], lambda e: parts[e.path])


def linear() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.1), torch.nn.Linear(6, 2))


QUICK = FitConfig(learning_rate=3e-2, epochs=6, patience=3, batch=16)


@pytest.mark.parametrize(
    "config",
    [
        QUICK,
        dataclasses.replace(QUICK, optimiser="sgd", clip_norm=1.0, decay_steps=50, learning_rate=0.3),
        dataclasses.replace(QUICK, optimiser="nadam", monitor="accuracy"),
        dataclasses.replace(QUICK, per_class=True, batch=8, noise=(0.1, 0.01)),
        dataclasses.replace(QUICK, epoch_patches=80),
    ],
)
def test_training_learns_and_goes_on_from_where_it_was_cut(config, tmp_path):
    train, validation = noisy_set(1), noisy_set(2)
    told = []
    whole = fit(linear(), train, validation, config, seed=3, report=lambda *what: told.append(what))
    correct = (predict(whole.net, validation).argmax(1) == validation.labels).mean()
    assert correct > 0.85
    assert [epoch for epoch, _, _ in told] == list(range(1, whole.epochs + 1))
    assert told[0][1] == config.monitor

    def cut(epoch, what, value):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(linear(), train, validation, config, seed=3, checkpoint=tmp_path / "c.pt", report=cut)
    resumed = fit(linear(), train, validation, config, seed=3, checkpoint=tmp_path / "c.pt")
    for a, b in zip(whole.net.parameters(), resumed.net.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    with pytest.raises(ConfigError, match="belongs to another training"):
        fit(linear(), train, validation, config, seed=4, checkpoint=tmp_path / "c.pt")
    whole = (tmp_path / "c.pt").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no weights"):
        (tmp_path / "c.pt").write_bytes(damaged)
        with pytest.raises(ConfigError, match="is no checkpoint, or damaged; remove it"):
            fit(linear(), train, validation, config, seed=3, checkpoint=tmp_path / "c.pt")


def test_the_best_epoch_is_kept_and_patience_ends_the_training():
    # So large a rate that the first epochs are as good as it gets.
    config = dataclasses.replace(QUICK, optimiser="sgd", learning_rate=50.0, epochs=40, patience=2)
    losses = []
    done = fit(linear(), noisy_set(1), noisy_set(2), config, seed=0, report=lambda e, w, v: losses.append(v))
    assert done.epochs < 40
    assert done.best_epoch == 1 + int(np.argmin(losses))
    assert done.epochs == done.best_epoch + 2


def test_a_training_that_breaks_down_says_so():
    config = dataclasses.replace(QUICK, optimiser="sgd", learning_rate=1e38)
    with pytest.raises(ConfigError, match="training broke down in epoch 1"):
        fit(linear(), noisy_set(1), noisy_set(2), config, seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "lion"}, "unknown optimiser 'lion'; choose one of adam, sgd, nadam"),
        ({"monitor": "f1"}, "unknown monitor 'f1'"),
        ({"epochs": 0}, "epochs 0: it must be above 0"),
        ({"epoch_patches": -1}, "epoch_patches -1: it must be 0 or more"),
        ({"epoch_patches": 9, "per_class": True}, "epoch_patches is of epochs without per_class"),
    ],
)
def test_impossible_training_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        FitConfig(**changes)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tpu", "device 'tpu': choose cpu or cuda"),
        pytest.param(
            "cuda",
            "device 'cuda': PyTorch finds no such card here; take cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one"),
        ),
    ],
)
def test_a_device_that_is_not_there_is_refused_before_anything_is_computed(tmp_path, device, message):
    with pytest.raises(ConfigError, match=message):
        Workplace(tmp_path, tmp_path, device=device)


# -- signals, features and a whole table ----------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Music is chords, speech is pulses with pauses."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    t = np.arange(2 * RATE) / RATE
    lines = ["path,content,detail,vocals,seconds,fold,source,group,language,licence"]
    for i in range(9):
        chord = sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(200, 900, 3))
        pulses = np.sin(2 * np.pi * rng.uniform(90, 200) * t) ** 9 * (np.sin(2 * np.pi * 2 * t) > -0.5)
        for content, samples in (("music", 0.2 * chord), ("speech", 0.5 * pulses)):
            name = f"{content}{i}.wav"
            write_audio(root / name, samples + 1e-3 * rng.standard_normal(len(t)), RATE)
            lines.append(f"{name},{content},,,2.0,{i % 3},made,{content}{i},en,CC0")
    (root / "index.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Features of that corpus."""
    return tmp_path_factory.mktemp("features")


PAPER = "paper = {accuracy = [50.0, 2.5]}"
TABLE = """
title = "A test"
source = "Nobody, Table 0"
data = ["musan", "corpus"]
measures = ["accuracy", "average F1"]
signal = {kind = "bha"}
fit = {batch = 4, per_class = true, epochs = 3, learning_rate = 1e-3}
[[row]]
name = "plain"
features = {name = "lms", n_mels = 24}
model = {model = "lemaire-b3"}
paper = {accuracy = [50.0, 2.5]}
[[row]]
name = "late"
features = {name = "lmhps-ef", n_mels = 24}
model = {model = "lemaire-b3", head = "mtl", fusion = "late"}
fit = {epochs = 1}
[[row]]
name = "intermediate"
features = {name = "lmhps-ef", n_mels = 24}
model = {model = "lemaire-b3", head = "c-mtl", fusion = "intermediate"}
fit = {epochs = 1}
"""


def table(tmp_path: Path, text: str = TABLE) -> Path:
    path = tmp_path / "test.toml"
    path.write_text(text)
    return path


def test_a_table_runs_keeps_its_results_and_is_shown_beside_the_paper(corpus, cache, tmp_path):
    experiment = read_experiment(table(tmp_path))
    place = Workplace(cache, tmp_path / "runs")
    out = tmp_path / "out.json"
    report = run_experiment(experiment, corpus, out, place, quick=True)
    assert [r["row"] for r in report["results"]] == ["plain", "late", "intermediate"]
    assert all(0 <= r["figures"]["accuracy"] <= 100 for r in report["results"])
    assert report["results"][0]["figures"]["accuracy"] > 40
    assert [len(r["epochs"]) for r in report["results"]] == [1, 2, 1]
    assert json.loads(out.read_text())["results"] == report["results"]
    told = []
    again = run_experiment(experiment, corpus, out, place, quick=True, tell=told.append)
    assert again == report
    assert told == []
    shown = experiment_table(experiment, report)
    assert "not on the paper's musan" in str(shown.title)
    assert "QUICK" in str(shown.title)
    cells = [list(column.cells) for column in shown.columns]
    assert cells[2][0] == "50.00 ± 2.50"
    ours = report["results"][0]["figures"]["accuracy"]
    assert cells[3][0] == f"{ours:.2f}"
    assert cells[4][0] == f"{ours - 50:+.2f}"


def test_a_changed_row_is_run_again_and_the_others_are_not(corpus, cache, tmp_path):
    place = Workplace(cache, tmp_path / "runs")
    out = tmp_path / "out.json"
    experiment = read_experiment(table(tmp_path))
    run_experiment(experiment, corpus, out, place, rows=["plain"], quick=True)
    changed = read_experiment(table(tmp_path, TABLE.replace("learning_rate = 1e-3", "learning_rate = 2e-3")))
    report = run_experiment(changed, corpus, out, place, rows=["plain"], quick=True)
    assert [r["setup"]["fit"]["learning_rate"] for r in report["results"]] == [2e-3]
    kept = json.loads(out.read_text())["results"]
    assert [r["setup"]["fit"]["learning_rate"] for r in kept] == [1e-3, 2e-3]
    with pytest.raises(ConfigError, match="has no row 'fancy'; its rows are 'plain', 'late', 'intermediate'"):
        run_experiment(changed, corpus, out, place, rows=["fancy"])
    other = table(tmp_path, TABLE).rename(tmp_path / "other.toml")
    with pytest.raises(ConfigError, match="holds results of 'test'"):
        run_experiment(read_experiment(other), corpus, out, place)
    with pytest.raises(ConfigError, match="does not run on 'sefire'; choose musan, corpus"):
        run_experiment(changed, corpus, out, place, on="sefire")
    with pytest.raises(ConfigError, match="has no musan; get it"):
        run_experiment(changed, corpus, out, place, on="musan")
    with pytest.raises(ConfigError, match="has no musan or corpus; get one of them"):
        run_experiment(changed, tmp_path, tmp_path / "o.json", place)


def test_one_repetition_may_be_run_by_itself(corpus, cache, tmp_path):
    experiment = read_experiment(table(tmp_path, TABLE.replace("epochs = 3", "epochs = 1")))
    place, out = Workplace(cache, tmp_path / "runs"), tmp_path / "out.json"
    run = {"rows": ["plain"]}
    (second,) = run_experiment(experiment, corpus, out, place, repetition=1, **run)["results"]
    assert (second["repetition"], second["seed"]) == (1, 1)
    results = run_experiment(experiment, corpus, out, place, **run)["results"]
    assert results[0] == second
    assert [r["repetition"] for r in results] == [1, 0, 2]
    with pytest.raises(ConfigError, match="repetition 4 of 'test': there are 1 to 3"):
        run_experiment(experiment, corpus, out, place, repetition=3, **run)


def test_results_are_of_the_clips_they_tell(corpus, cache, tmp_path):
    """A copy elsewhere is the same, one with another clip is not; older results do not tell."""
    experiment, copy = read_experiment(table(tmp_path)), tmp_path / "elsewhere"
    shutil.copytree(corpus, copy)
    prepared = prepare(experiment, copy, quick=True)
    assert prepared.digest == prepare(experiment, corpus, quick=True).digest
    assert prepared.digest.startswith(f"{len(prepared.clips)} clips, sha256 ")
    place, out, told = Workplace(cache, tmp_path / "runs"), tmp_path / "out.json", []
    run = {"rows": ["plain"], "quick": True, "tell": told.append}
    (result,) = run_experiment(experiment, corpus, out, place, **run)["results"]
    assert result["clips"] == prepared.digest
    told.clear()
    assert run_experiment(experiment, copy, out, place, **run)["results"] == [result]
    assert told == []
    with prepared.clips[-1].path.open("ab") as file:
        file.write(b"x")
    (other,) = run_experiment(experiment, copy, out, place, **run)["results"]
    assert other["clips"] == prepare(experiment, copy, quick=True).digest != result["clips"]
    assert json.loads(out.read_text())["results"] == [result, other]
    # What was trained on the copy as it was is kept beside.
    assert other["checkpoint"] != result["checkpoint"]
    with prepared.clips[-1].path.open("ab") as file:
        file.write(b"x")
    told.clear()
    (third,) = run_experiment(experiment, copy, tmp_path / "third.json", place, **run)["results"]
    assert third["checkpoint"] == f"{other['checkpoint']}-{third['clips'].split()[-1]}"
    assert any("features 1 of" in text for text in told)
    assert any("epoch 1" in text for text in told)
    assert (place.runs / other["checkpoint"] / "net.pt").is_file()
    older = {key: value for key, value in result.items() if key != "clips"}
    out.write_text(json.dumps({"table": "test", "results": [older]}))
    told.clear()
    assert run_experiment(experiment, copy, out, place, **run)["results"] == [older]
    assert told == []


@pytest.mark.skipif(not has_bfloat16(torch.device("cpu")), reason="the processor has no bfloat16")
def test_products_in_bfloat16_are_said_and_change_little(corpus, cache, tmp_path):
    experiment = read_experiment(table(tmp_path))
    found = []
    for bfloat16 in (False, True):
        runs = tmp_path / str(bfloat16)
        place = Workplace(cache, runs, bfloat16=bfloat16)
        report = run_experiment(experiment, corpus, runs / "out.json", place, rows=["plain"], quick=True)
        (result,) = report["results"]
        weights = best_weights(runs / result["checkpoint"] / "net.pt")
        assert {w.dtype for w in weights.values() if w.is_floating_point()} == {torch.float32}
        found.append(
            (result["environment"]["products"], torch.cat([w.flatten().float() for w in weights.values()]))
        )
    assert [products for products, _ in found] == ["float32", "bfloat16"]
    apart = (found[0][1] - found[1][1]).norm() / found[0][1].norm()
    assert 0 < apart < 0.1


def test_each_gradient_is_clipped_by_itself():
    net = torch.nn.Linear(3, 2)
    net.weight.grad, net.bias.grad = torch.full((2, 3), 4.0), torch.full((2,), 0.1)
    clip_gradients(net, 1.0)
    assert float(net.weight.grad.norm()) == pytest.approx(1.0)
    assert torch.equal(net.bias.grad, torch.full((2,), 0.1))


def test_noise_may_come_from_another_dataset(tmp_path):
    """Speech, music and its own noise of one, noise alone of the other; the setup and the title say so."""
    samples, corpus = tmp_path / "samples", tmp_path / "corpus"
    for folder in (samples, corpus):
        folder.mkdir()
    codes = {f"{i:05d}": "sisix"[i % 5] for i in range(10)}
    lines = ["file name\tlabel", *(f"{stem}.wav\t{code}" for stem, code in codes.items())]
    (samples / "sample labels.txt").write_text("\n".join(lines) + "\n")
    names = [
        *(samples / f"{stem}.wav" for stem in codes),
        *(corpus / f"{c}.wav" for c in ("speech", "noise")),
    ]
    for name in names:
        write_audio(name, np.sin(np.arange(800)), RATE)
    rows = [f"{c}.wav,{c},,,0.05,0,made,{c},en,CC0" for c in ("speech", "noise")]
    head = "path,content,detail,vocals,seconds,fold,source,group,language,licence"
    (corpus / "index.csv").write_text("\n".join([head, *rows]) + "\n")
    text = TABLE.replace('"musan", "corpus"]', '"sefire", "corpus"]\nnoise = ["musan", "corpus"]')
    experiment = read_experiment(table(tmp_path, text))
    prepared = prepare(experiment, tmp_path, "sefire")
    assert prepared.data == "sefire with noise of corpus"
    assert prepared.setup(experiment.rows[0])["noise"] == "corpus"
    assert {c.path.parent.name for c in prepared.clips if c.label == "noise"} == {"corpus"}
    assert {c.path.parent.name for c in prepared.clips if c.label != "noise"} == {"samples"}
    assert prepared.origin("noise").name == "corpus"
    assert prepared.problems[-1] == "the noise of corpus: music: no recording in fold 0"
    own = prepare(experiment, tmp_path, "corpus")
    assert (own.data, own.noise, len(own.clips)) == ("corpus", "", 2)
    with pytest.raises(
        ConfigError, match="data of 'test' names 'gtzaan', which is no dataset; see 'earmark datasets'"
    ):
        prepare(read_experiment(table(tmp_path, text.replace('"musan", "corpus"]', '"gtzaan"]'))), tmp_path)


def test_results_of_two_runs_into_one_file_are_all_kept(corpus, cache, tmp_path):
    place, out = Workplace(cache, tmp_path / "runs"), tmp_path / "out.json"
    experiment = read_experiment(table(tmp_path))
    other_row = {"row": "another", "repetition": 0, "setup": {}}

    def other(text: str) -> None:
        if "scoring" in text and not out.exists():
            out.write_text(json.dumps({"table": "test", "results": [other_row | {"figures": {}}]}))

    run = {"rows": ["plain"], "quick": True}
    report = run_experiment(experiment, corpus, out, place, tell=other, **run)
    assert [r["row"] for r in json.loads(out.read_text())["results"]] == ["another", "plain"]
    assert [r["row"] for r in report["results"]] == ["plain"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"table": "te', "is no file of results"),
        ("[]", "is no file of results"),
        ('{"table": "test"}', "is no file of results .it lacks 'results'"),
        ('{"table": "test", "results": [{"row": "plain"}]}', "is no file of results .it lacks 'repetition'"),
        ('{"table": "test", "results": [1]}', "is no file of results"),
    ],
)
def test_a_file_that_holds_no_results_is_refused_and_kept(corpus, cache, tmp_path, text, message):
    place, out = Workplace(cache, tmp_path / "runs"), tmp_path / "out.json"
    out.write_text(text)
    with pytest.raises(ConfigError, match=message):
        run_experiment(read_experiment(table(tmp_path)), corpus, out, place, quick=True)
    assert out.read_text() == text


def test_an_interruption_says_what_is_kept(corpus, tmp_path, capsys, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    runs, out = tmp_path / "runs", tmp_path / "out.json"
    command = ["bench", str(table(tmp_path)), "--data", str(corpus), "--quick", "--row", "plain"]
    command += ["--runs", str(runs), "--out", str(out)]
    with monkeypatch.context() as interrupted:
        interrupted.setattr("earmark.train.experiments.run.predict", stop)
        assert run(command) == 130
    said = "interrupted: results, features and checkpoints are kept; the same command goes on from there"
    assert said in capsys.readouterr().err
    assert not out.exists()
    (checkpoint,) = runs.rglob("net.pt")
    trained = checkpoint.read_bytes()
    assert run(command) == 0
    assert checkpoint.read_bytes() == trained
    assert [r["epochs"] for r in json.loads(out.read_text())["results"]] == [[2]]


def test_a_file_in_the_place_of_a_folder_is_named(corpus, tmp_path, capsys):
    runs = tmp_path / "runs"
    runs.write_text("")
    command = ["bench", str(table(tmp_path)), "--data", str(corpus), "--quick", "--runs", str(runs)]
    assert run([*command, "--out", str(tmp_path / "out.json")]) == 1
    assert f"cannot write '{runs}" in capsys.readouterr().err


def test_a_copy_that_is_not_as_published_is_told_before_and_in_the_title(corpus, tmp_path):
    data = tmp_path / "data" / "gtzan-speech-music"
    for content in ("music", "speech"):
        folder = data / f"{content}_wav"
        folder.mkdir(parents=True)
        for i in range(4):
            (folder / f"{i}.wav").symlink_to(corpus / f"{content}{i}.wav")
    text = TABLE[: TABLE.index("[[row]]")].replace('["musan", "corpus"]', '["gtzan-speech-music"]')
    text = text.replace("signal =", 'protocol = {classes = ["music", "speech"], repetitions = 2}\nsignal =')
    text += """
[[row]]
name = "one logit"
features = {name = "lms", n_mels = 24}
model = {model = "swishnet-slim", head = "binary"}
"""
    experiment = read_experiment(table(tmp_path, text))
    place, warned = Workplace(tmp_path / "features", tmp_path / "runs"), []
    report = run_experiment(
        experiment, tmp_path / "data", tmp_path / "out.json", place, quick=True, warn=warned.append
    )
    wrong = [f"{content}: 4 files, the published dataset has 64" for content in ("music", "speech")]
    assert [line.partition("': ")[2] for line in warned] == wrong
    title = str(experiment_table(experiment, report).title)
    assert f"the copy is not as published: {wrong[0]}, and 1 more" in title
    assert "not on the paper's" not in title
    (result,) = report["results"]
    assert (result["seed"], result["examples"]) == (0, {"train": 2, "validation": 2, "test": 4})


def test_published_folds_beside_the_recordings_are_taken(tmp_path):
    lists = tmp_path / "musan" / "folds"
    lists.mkdir(parents=True)
    for content in ("music", "speech"):
        folder = tmp_path / "musan" / content / "made"
        folder.mkdir(parents=True)
        for i in range(10):
            (folder / f"{content}-made-{i}.wav").write_bytes(b"x")
    for fold in range(3):
        rows = [f"music-made-{3 * fold + i}.wav,speech-made-{3 * fold + i}.wav," for i in range(3)]
        rows[0] += f"speech-made-{3 * fold + 1}.wav+music-made-{3 * fold}.wav;SMR=7dB"
        (lists / f"fold{fold}.csv").write_text("\n".join(["music,speech,speech+music", *rows]) + "\n")
    experiment = read_experiment(table(tmp_path))
    prepared = prepare(experiment, tmp_path)
    for fold in range(3):
        split = prepared.split(fold)
        plain = [Path(e.path).stem for e in split.test if e.music is None]
        numbers = range(3 * fold, 3 * fold + 3)
        assert plain == [f"{content}-made-{i}" for content in ("music", "speech") for i in numbers]
        (mixed,) = (e for e in split.test if e.music is not None)
        assert (Path(mixed.path).stem, mixed.smr_db) == (f"speech-made-{3 * fold + 1}", 7)
        assert Path(mixed.music).stem == f"music-made-{3 * fold}"
        assert not {e.path for e in split.test} & {e.path for e in split.train + split.validation}
        assert len([e for e in split.all if e.music is None]) == 18
    row = experiment.rows[0]
    assert prepared.setup(row)["folds"] == "published"
    (lists / "fold2.csv").unlink()
    with pytest.raises(ConfigError, match="lists 2 folds, the experiment has 3; take the lists out"):
        prepare(experiment, tmp_path)
    for path in lists.iterdir():
        path.unlink()
    lists.rmdir()
    own = prepare(experiment, tmp_path)
    assert "folds" not in own.setup(row)
    assert len([e for e in own.split(0).all if e.music is None]) == 20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("gtzan", "data of 'test' names 'gtzan', which is no dataset; see 'earmark datasets'"),
        ("muspeak", "holds no clips of one class each"),
    ],
)
def test_a_table_needs_a_dataset_of_clips(corpus, tmp_path, data, message):
    (tmp_path / "UTMA-26.csv").write_text("0,1,s\n")
    (tmp_path / "UTMA-26.wav").symlink_to(corpus / "speech0.wav")
    experiment = read_experiment(table(tmp_path, TABLE.replace('["musan", "corpus"]', f'["{data}"]')))
    with pytest.raises(ConfigError, match=message):
        prepare(experiment, tmp_path)


EXPORTED = """
[[row]]
name = "scaled"
features = {name = "swishnet-mfcc", patch_length = 48, patch_hop = 24}
model = {model = "swishnet-slim"}
fit = {epochs = 1}
"""


def test_trained_rows_become_models(corpus, tmp_path, capsys, monkeypatch):
    """The model answers the test part's patches as the row did, and hears recordings."""
    path, runs, out = table(tmp_path, TABLE + EXPORTED), tmp_path / "runs", tmp_path / "out.json"
    experiment = read_experiment(path)
    place = Workplace(runs / "features", runs / "checkpoints")
    report = run_experiment(experiment, corpus, out, place, rows=["late", "scaled"], quick=True)
    prepared = prepare(experiment, corpus, quick=True)
    options = ["--data", str(corpus), "--runs", str(runs), "--out", str(out), "--quick"]
    for row, result in zip(prepared.rows(["late", "scaled"]), report["results"], strict=True):
        target = tmp_path / f"{row.name}.onnx"
        assert run(["bench", str(path), "--row", row.name, "--export", str(target), *options]) == 0
        assert capsys.readouterr().out == f"wrote {target}; use it with: earmark detect --model {target}\n"
        model = load_model(target)
        store = FeatureStore(place.cache, row.extractor, row.signal)
        store.add(prepared.split(0).test, 1)
        test = PatchSet(prepared.split(0).test, store.patches)
        values = model.run(test.raw(np.arange(len(test))))
        assert (
            PatchScores.of(values, test.labels, test.owner, test.smr_db).patches.tolist() == result["patches"]
        )
        assert model.card.classes == ("music", "speech", "speech+music")
        assert model.labels == ("music", "speech")
        assert model.extractor == dataclasses.replace(row.extractor, patch_hop=10)
        assert isinstance(model.card.decode, LikeliestClasses)
        change = 80 / 34 * row.extractor.patch_length / 10
        assert model.card.decode.class_change == pytest.approx(change, abs=0.01)
        assert {s["content"]: s["licences"] for s in model.card.sources} == {
            "music": ["CC0"],
            "speech": ["CC0"],
        }
        assert model.card.metrics["patches of the test part, corpus, percent"] == result["figures"]
        timeline = Detector(model).detect(str(corpus / "speech0.wav"))
        assert timeline.duration == 2.0
        assert timeline.support().durations()
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["models", "show", str(tmp_path / "late.onnx")]) == 0
    assert "classes" in capsys.readouterr().out


def test_what_was_not_trained_cannot_be_exported(corpus, tmp_path, capsys):
    path, runs, out = table(tmp_path), tmp_path / "runs", tmp_path / "out.json"
    experiment = read_experiment(path)
    place = Workplace(runs / "features", runs / "checkpoints")
    target = tmp_path / "x.onnx"

    def refused(match: str, name: str = "plain", **options: object) -> None:
        with pytest.raises(ConfigError, match=match):
            export_row(experiment, name, corpus, out, place, target, quick=True, **options)
        assert not target.exists()

    refused("has no row 'plane'; its rows are 'plain', 'late', 'intermediate'", "plane")
    refused("has no result of 'plain', repetition 1, on corpus; run the row first")
    refused("repetition 2 of 'test': there are 1 to 1", repetition=1)
    run_experiment(experiment, corpus, out, place, rows=["plain"], quick=True)
    (checkpoint,) = place.runs.glob("*/net.pt")
    checkpoint.write_text("no weights")
    refused("is no checkpoint, or damaged; remove it")
    checkpoint.unlink()
    refused("is gone; name the folder it is in with --runs")
    batchwise = "[[row]]".join(TABLE.split("[[row]]")[:2])
    for old, new in (
        ('"lms", n_mels = 24', '"allconv-mel"'),
        ('"lemaire-b3"', '"all-conv"'),
        ('{kind = "bha"}', '{kind = "plain"}\nprotocol = {classes = ["music", "speech"]}'),
    ):
        batchwise = batchwise.replace(old, new)
    experiment = read_experiment(table(tmp_path, batchwise))
    refused("export a row with the variant 'corrected'")

    def told(*arguments: str) -> str:
        assert run(["bench", str(path), "--data", str(corpus), *arguments]) == 2
        return capsys.readouterr().err

    assert "--export writes one row; name it with --row" in told("--export", str(target))
    assert "repetition 9 of 'test': there are 1 to 3" in told("--repetition", "9")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "titel =", "unknown key 'titel'"),
        ('data = ["musan", "corpus"]', "", "has no data"),
        ("batch = 4", "bach = 4", "did you mean 'batch'"),
        ("epochs = 1}", 'epochs = "1"}', "'epochs' in fit of row 'late'"),
        ("n_mels = 24", "n_mel = 24", "did you mean 'n_mels'"),
        ('"average F1"', '"avrage F1"', "unknown measure 'avrage F1' of 'test'; did you mean 'average F1'"),
        ("signal =", "note = 1\nsignal =", "'note' in .* must be str"),
        ("signal =", 'smr_db = ["0"]\nsignal =', "'smr_db' in .* must be a list of float"),
        ("paper =", "vary = {fit.batch = [1]}\npaper =", "row 'plain' .* has both vary and paper"),
        (
            PAPER,
            "vary = {fits.batch = [1]}",
            "unknown key 'fits' in vary of row",
        ),
        (PAPER, "vary = {fit.batch = 1}", "'fit.batch' in vary .* got 1"),
        (PAPER, "vary = {fit.batch = []}", r"list of values, got \[\]"),
        (PAPER, "vary = [1]", "vary of row 'plain' .* must be a table"),
        (
            PAPER,
            "vary = {fit.bach = [1]}",
            "'bach' in fit of row 'plain, bach 1'",
        ),
        ('name = "late"', 'name = "plain"', "two rows .* are called 'plain'"),
        (PAPER, "vary = {features.name.x = [1]}", "'features.name.x' in vary .* 'name' is no table there"),
        (
            PAPER,
            "paper = {acuracy = 50}",
            "'acuracy' of paper of row 'plain' is no measure of 'test'; these are",
        ),
        (PAPER, 'paper = {accuracy = "50"}', r"must be a value or \[value, deviation\]"),
        (PAPER, "paper = {accuracy = []}", r"must be a value or \[value, deviation\]"),
        ('data = ["musan", "corpus"]', 'data = "musan"', "'data' in .* must be a list of str, got 'musan'"),
        ('data = ["musan", "corpus"]', "data = []", "has no data"),
        ("batch = 4", "batch = 0", "fit of row 'plain' of .*: batch 0: it must be above 0"),
        ('"lemaire-b3"}', '"lemaire-b4"}', "row 'plain' of .*: unknown model 'lemaire-b4'; did you mean"),
        (
            '"lemaire-b3"}',
            '"lemaire-b3", haed = "mtl"}',
            "unknown key 'haed' in the model; did you mean 'head'",
        ),
        ('"lemaire-b3"}', '"lemaire-b3", options = {dropuot = 0.1}}', "did you mean 'dropout'"),
        ('"lemaire-b3"}', '"lemaire-ctcn"}', "'lemaire-ctcn' answers every frame; tables are of patches"),
        ('"lemaire-b3"}', '"lemaire-b3", head = "binary"}', "'binary' tells 2 classes apart, not 3"),
        ('{model = "lemaire-b3"}', '{head = "mtl"}', "the model has no 'model'"),
        ('{model = "lemaire-b3"}', '"lemaire-b3"', "'model' of row 'plain' .* must be a table"),
        ('{name = "lms", n_mels = 24}', "{n_mels = 24}", "features of row 'plain' .* have no name"),
        ('name = "lms"', 'name = "lms", variant = 1', "'variant' in features of .* must be str"),
        ('"lms", n_mels = 24}', '"kc-mel"}', "'bha' have 16000 Hz, the features 22050 Hz"),
        ('kind = "bha"', 'kind = "peak"', "row 'plain' .* mixtures need signals of kind 'bha', not 'peak'"),
        (
            "signal =",
            'protocol = {classes = ["speech", "music", "speech+music"]}\nsignal =',
            "row 'late' .* has the head 'mtl': the classes must be music, speech, speech[+]music, in this",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_the_place(tmp_path, old, new, message):
    assert old in TABLE
    with pytest.raises(ConfigError, match=message):
        read_experiment(table(tmp_path, TABLE.replace(old, new, 1)))


def test_ratios_need_mixtures(tmp_path):
    text = TABLE[: TABLE.index('[[row]]\nname = "late"')]
    text = text.replace("signal =", 'smr_db = [0]\nprotocol = {classes = ["speech", "music"]}\nsignal =')
    with pytest.raises(ConfigError, match=r"smr_db is of mixtures; 'test' has no class 'speech\+music'"):
        read_experiment(table(tmp_path, text))


SWEEP = (
    TABLE[: TABLE.index("[[row]]")]
    + """
[[row]]
name = "B3"
features = {name = "lmhps-ef", n_mels = 24}
model = {model = "lemaire-b3", head = "mtl"}
fit = {epochs = 1}
vary = {features.l_harm = [11, 21], fit.tasks.ratio = [0, 0.5, 2]}
"""
)


def test_a_row_that_varies_stands_for_every_combination(tmp_path):
    rows = read_experiment(table(tmp_path, SWEEP)).rows
    wanted = [(l_harm, ratio) for l_harm in (11, 21) for ratio in (0, 0.5, 2)]
    assert [row.name for row in rows] == [f"B3, l_harm {l_harm}, ratio {ratio}" for l_harm, ratio in wanted]
    assert [(row.extractor.l_harm, row.fit.tasks.ratio) for row in rows] == wanted
    assert {(row.extractor.l_perc, row.fit.tasks.music, row.fit.epochs) for row in rows} == {(11, 1.0, 1)}


def test_what_was_trained_for_one_table_is_only_scored_for_another(corpus, cache, tmp_path):
    place = Workplace(cache, tmp_path / "runs")
    experiment = read_experiment(table(tmp_path))
    first = run_experiment(experiment, corpus, tmp_path / "1.json", place, rows=["plain"], quick=True)
    text = TABLE.replace('"plain"', '"the same"').replace(
        '"average F1"', '"recall at 0 dB", "recall at 20 dB"'
    )
    text = text.replace("signal =", "smr_db = [20, 0]\nsignal =").replace(PAPER, "")
    other = read_experiment(table(tmp_path, text).rename(tmp_path / "other.toml"))
    told = []
    run = {"rows": ["the same"], "quick": True, "tell": told.append}
    second = run_experiment(other, corpus, tmp_path / "2.json", place, **run)
    assert [text for text in told if "epoch" in text] == []
    one, two = first["results"][0], second["results"][0]
    for key in ("patches", "files", "epochs", "seconds"):
        assert one[key] == two[key]
    # Each of the test's mixtures at both ratios, and none at its own; all are as long as they were.
    assert list(two["mixtures"]) == ["0", "20"]
    n_mixed = sum(map(sum, one["mixtures"].values()))
    assert [sum(counts) for counts in two["mixtures"].values()] == [n_mixed, n_mixed]
    hits = two["mixtures"]["20"]
    assert two["figures"]["recall at 20 dB"] == pytest.approx(100 * hits[2] / sum(hits), abs=1e-3)
    # Without figures of the paper, each measure is a column.
    shown = experiment_table(other, second)
    assert [str(c.header) for c in shown.columns] == ["system", *other.measures, "runs"]
    assert list(shown.columns[3].cells) == [f"{two['figures']['recall at 20 dB']:.2f}"]
    assert "not run yet: late; intermediate" in str(shown.caption)


def test_features_that_no_later_row_needs_are_removed(corpus, tmp_path):
    rows = "".join(
        f"""
[[row]]
name = "{name}"
features = {{name = "lms", n_mels = {n_mels}}}
model = {{model = "lemaire-b3"}}
fit = {{epochs = 1}}"""
        for name, n_mels in (("a", 24), ("b", 20), ("c", 24))
    )
    experiment = read_experiment(table(tmp_path, TABLE[: TABLE.index("[[row]]")] + rows))
    cache, out = tmp_path / "features", tmp_path / "out.json"
    place = Workplace(cache, tmp_path / "runs", drop_features=True)
    kept = []
    run = {"quick": True, "tell": lambda text: "scoring" in text and kept.append(len(list(cache.iterdir())))}
    first = run_experiment(experiment, corpus, out, place, **run)
    assert [r["row"] for r in first["results"]] == ["a", "b", "c"]
    # "c" needs what "a" left; nothing needs what "b" left.
    assert kept == [1, 2, 1]
    assert list(cache.iterdir()) == []


def test_what_was_trained_on_other_parts_of_the_data_is_trained_again(corpus, cache, tmp_path):
    place = Workplace(cache, tmp_path / "runs")
    experiment = read_experiment(table(tmp_path))
    told = []
    run = {"rows": ["plain"], "quick": True, "tell": told.append}
    run_experiment(experiment, corpus, tmp_path / "1.json", place, **run)
    other = tmp_path / "corpus"
    other.mkdir()
    header, *lines = (corpus / "index.csv").read_text().splitlines()
    moved = [
        re.sub(r",2\.0,(\d)", lambda m: f",2.0,{(int(m[1]) + 1) % 3}", f"{corpus}/{line}") for line in lines
    ]
    (other / "index.csv").write_text("\n".join([header, *moved]) + "\n")
    told.clear()
    run_experiment(experiment, other, tmp_path / "2.json", place, **run)
    assert any("epoch" in text for text in told)


def test_rows_of_the_same_name_are_the_same_in_all_tables_of_a_paper():
    seen = {}
    for name in [name for name in table_names() if name.startswith("bha-")]:
        experiment = read_experiment(find_table(name))
        for row in experiment.rows:
            setup = Prepared(experiment, "corpus", ()).setup(row)
            setup.pop("smr_db", None)
            assert seen.setdefault((row.name, experiment.protocol.classes), setup) == setup


@pytest.mark.parametrize("name", table_names())
def test_every_table_that_comes_along_makes_its_networks(name):
    whole = read_experiment(find_table(name))
    assert {dataset_of(data) for data in whole.data} <= set(DATASETS)
    for experiment in map(whole.on, whole.data):
        n_classes = len(experiment.protocol.classes)
        for row in experiment.rows:
            assert set(row.paper) <= set(experiment.measures)
            if not isinstance(row, NetworkRow | CropRow):
                continue
            with torch.device("meta"):
                net = row_network(row.model, row.extractor, n_classes).eval()
                shape = (2, row.extractor.n_bands, row.extractor.patch_length)
                assert probabilities(net(torch.zeros(shape))).shape == (2, n_classes)


def test_features_are_computed_once_and_again_after_an_interruption(corpus, tmp_path):
    extractor = create_features("lms", n_mels=24)
    examples = [Example(str(corpus / f"music{i}.wav"), 0) for i in range(3)]
    examples.append(Example(str(corpus / "speech0.wav"), 2, music=str(corpus / "music0.wav"), smr_db=3.0))

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    store = FeatureStore(tmp_path, extractor, Signal("bha"))
    with pytest.raises(KeyboardInterrupt):
        store.add(examples, 1, stop)
    with (store.folder / "frames.f16").open("ab") as file:
        file.write(b"xxx")
    seen = []
    store = FeatureStore(tmp_path, extractor, Signal("bha"))
    store.add(examples, 1, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    for example in examples:
        expected = extractor.cut(extractor(Signal("bha").samples(example, RATE)))
        assert np.allclose(store.patches(example)[:], expected[:], atol=1e-2)
    with (store.folder / "frames.f16").open("r+b") as file:  # as a machine that broke down may leave it
        file.truncate(2 * 24 * 300)
    seen.clear()
    store = FeatureStore(tmp_path, extractor, Signal("bha"))
    store.add(examples, 1, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for example in examples:
        expected = extractor.cut(extractor(Signal("bha").samples(example, RATE)))
        assert np.allclose(store.patches(example)[:], expected[:], atol=1e-2)
    missing = [Example(str(corpus / "none.wav"), 0), Example(str(corpus / "speech1.wav"), 0)]
    with pytest.raises(ConfigError, match=r"none\.wav' does not exist.*; mend or remove it"):
        store.add(missing, 1)
    assert len(store.patches(missing[1])) > 0


def test_features_of_a_recording_that_has_changed_are_computed_anew(corpus, tmp_path):
    extractor, folder = create_features("lms", n_mels=24), tmp_path / "features"
    examples = [Example(str(tmp_path / f"{name}.wav"), 0) for name in "ab"]
    for example, name in zip(examples, ("music0", "music1"), strict=True):
        shutil.copy(corpus / f"{name}.wav", example.path)

    def computed() -> int:
        store, seen = FeatureStore(folder, extractor, Signal()), []
        store.add(examples, 1, lambda done, total: seen.append(total))
        for example in examples:
            expected = extractor(Signal().samples(example, RATE))
            assert np.allclose(store.features(example), expected, atol=1e-2)
        return len(seen)

    assert [computed(), computed()] == [2, 0]
    shutil.copy(corpus / "speech0.wav", examples[0].path)
    os.utime(examples[0].path, ns=(0, 0))
    assert [computed(), computed()] == [1, 0]
    with (next(folder.iterdir()) / "stamps.jsonl").open("a") as file:  # as an interruption may leave it
        file.write('["cut sh')
    shutil.copy(corpus / "music2.wav", examples[1].path)
    os.utime(examples[1].path, ns=(0, 0))
    assert [computed(), computed()] == [1, 0]
    (next(folder.iterdir()) / "stamps.jsonl").unlink()  # as there was none at first
    os.utime(examples[1].path, ns=(1, 1))
    assert computed() == 0


def test_mixtures_keep_their_ratio_and_other_signals_are_left_alone(corpus):
    plain = Example(str(corpus / "music0.wav"), 0)
    raw = Signal().samples(plain, RATE)
    assert np.allclose(Signal("peak").samples(plain, RATE), raw / np.abs(raw).max(), atol=1e-6)
    assert Signal().samples(plain, 8000).shape == (RATE,)
    mixed = Example(str(corpus / "speech0.wav"), 2, music=str(corpus / "music0.wav"), smr_db=20.0)
    speech = Signal("bha").samples(dataclasses.replace(mixed, music=None), RATE)
    both = Signal("bha").samples(mixed, RATE)
    assert both.shape == speech.shape
    assert np.corrcoef(both, speech)[0, 1] > 0.98
    kept = Signal("bha", "kept").samples(dataclasses.replace(mixed, music=None), RATE)
    paper = Signal("bha", "paper").samples(dataclasses.replace(mixed, music=None), RATE)
    assert len(speech) < len(kept) == len(paper) == 2 * RATE
    with pytest.raises(ConfigError, match="mixtures need signals of kind 'bha'"):
        Signal("peak").samples(mixed, RATE)
    with pytest.raises(ConfigError, match="have 16000 Hz"):
        Signal("bha").samples(mixed, 22_050)
    with pytest.raises(ConfigError, match="kind 'loud' of the signal"):
        Signal("loud")
    assert OVERLAP == "speech+music"
