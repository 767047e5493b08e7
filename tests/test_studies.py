"""Studies of the papers: skewness, separability, transfer to broadcasts, learned features."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from earmark import load_model  # noqa: E402
from earmark.audio_writer import write_audio  # noqa: E402
from earmark.bench.broadcasts import find_broadcasts  # noqa: E402
from earmark.cli.app import run  # noqa: E402
from earmark.datasets import DATASETS  # noqa: E402
from earmark.errors import AudioError, ConfigError  # noqa: E402
from earmark.features.registry import create_features  # noqa: E402
from earmark.metrics import Counts, count_answers  # noqa: E402
from earmark.timeline import Segment, Timeline  # noqa: E402
from earmark.train.experiments import Workplace, read_experiment, run_experiment  # noqa: E402
from earmark.train.studies import transfer as transfer_module  # noqa: E402
from earmark.train.studies.joint import CLASSES, export_detectors  # noqa: E402
from earmark.train.studies.learned import learned_features, preferences, scaled  # noqa: E402
from earmark.train.studies.marked import Frames, Marked, MarkedStore, frame_marks  # noqa: E402
from earmark.train.studies.separability import measure_separability  # noqa: E402
from earmark.train.studies.skewness import skewness, skewness_vectors  # noqa: E402
from earmark.train.studies.trained import load_trained  # noqa: E402
from earmark.train.studies.transfer import (  # noqa: E402
    majority,
    median_filtered,
    percentages,
    transfer,
)

RATE = 16_000


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Return a folder with a corpus: music is chords, speech is pulses with pauses."""
    root = tmp_path_factory.mktemp("data") / "corpus"
    rng = np.random.default_rng(0)
    t = np.arange(3 * RATE) / RATE
    lines = ["path,content,detail,vocals,seconds,fold,source,group,gender,language,licence"]
    for i in range(9):
        chord = sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(200, 900, 3))
        pulses = np.sin(2 * np.pi * rng.uniform(90, 200) * t) ** 9 * (np.sin(2 * np.pi * 2 * t) > -0.5)
        for content, samples in (("music", 0.2 * chord), ("speech", 0.5 * pulses)):
            name = f"{content}{i}/a.wav"
            (root / name).parent.mkdir(parents=True)
            write_audio(root / name, samples + 1e-3 * rng.standard_normal(len(t)), RATE)
            lines.append(f"{name},{content},,,3.0,{i % 3},made,{content}{i},,en,CC0")
    (root / "index.csv").write_text("\n".join(lines) + "\n")
    return root.parent


TABLE = """
title = "A test"
source = "Nobody, Table 0"
data = ["corpus"]
measures = ["accuracy"]
signal = {kind = "bha"}
fit = {batch = 4, per_class = true, epochs = 4, learning_rate = 2e-3}
[[row]]
name = "multi-task"
features = {name = "lmhps-ef", n_mels = 16}
model = {model = "lemaire-b3", head = "mtl"}
"""
ALL_TABLE = """
title = "A test"
source = "Nobody, Table 0"
data = ["corpus"]
measures = ["accuracy"]
protocol = {classes = ["speech", "music"], shares = [0.7, 0.3], unit = "folder"}
fit = {batch = 16, per_class = true, epochs = 2}
[[row]]
name = "All-Conv"
features = {name = "allconv-mel", variant = "corrected"}
model = {model = "all-conv"}
[[row]]
name = "All-Conv, 16 kHz"
features = {name = "allconv-mel", variant = "corrected", sample_rate = 16_000}
model = {model = "all-conv"}
"""


def trained_table(text: str, name: str, data: Path, folder: Path) -> Path:
    """Run a table; return its results, with checkpoints beside."""
    (folder / f"{name}.toml").write_text(text)
    experiment = read_experiment(folder / f"{name}.toml")
    place = Workplace(folder / "features", folder / "checkpoints")
    run_experiment(experiment, data, folder / f"{name}.json", place, quick=True)
    return folder / f"{name}.json"


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    trained_table(TABLE, "bha", data, folder)
    trained_table(ALL_TABLE, "all", data, folder)
    return folder


# -- skewness ------------------------------------------------------------------------------------


def test_skewness_is_the_third_moment_of_what_varies():
    values = np.array([[0.0, 0, 0, 4], [1, 2, 3, 4], [5, 5, 5, 5], [0, 4, 4, 4]])
    # Of 0, 0, 0, 4: variance 3, third moment 6.
    assert skewness(values, 1) == pytest.approx([6 / 3**1.5, 0, 0, -6 / 3**1.5])
    assert skewness(1e3 + 0.1 * values.T, 0) == pytest.approx([6 / 3**1.5, 0, 0, -6 / 3**1.5], abs=1e-6)


def test_rows_are_of_the_harmonic_part_and_columns_of_the_percussive_one():
    patches = np.random.default_rng(0).gamma(1, size=(2, 6, 5)).astype(np.float32)
    whole = skewness_vectors(patches, separated=False)
    assert whole.shape == (2, 6 + 5)
    assert whole[1, 2] == pytest.approx(skewness(patches[1, 2], 0), rel=1e-5)
    assert whole[1, 6 + 3] == pytest.approx(skewness(patches[1, :, 3], 0), rel=1e-5)
    parts = skewness_vectors(patches, separated=True)
    assert parts.shape == (2, 3 + 5)
    assert np.array_equal(parts[:, :3], whole[:, :3])
    assert parts[0, 3] == pytest.approx(skewness(patches[0, 3:, 0], 0), rel=1e-5)


def test_chords_and_pulses_part_in_the_map_and_by_figures(data, tmp_path):
    clips = DATASETS["corpus"].read(data)
    found = measure_separability(clips, tmp_path, vectors=180, centroids=20, seed=1)
    assert [one.title for one in found] == ["Mel", "MelHarm+MelPerc"]
    for one in found:
        assert len(one.accuracy) == 3
        assert np.mean(one.accuracy) > 0.9
        assert one.silhouette > 0
        assert one.centroid_silhouette > 0
        assert one.n_vectors == 2 * 180
        assert one.map.shape == (40, 2)
        assert one.labels.tolist() == [0] * 20 + [1] * 20
    again = measure_separability(clips, tmp_path, vectors=180, centroids=20, seed=1)
    assert [one.accuracy for one in again] == [one.accuracy for one in found]
    with pytest.raises(ConfigError, match="180 vectors of a class for 1000 centroids"):
        measure_separability(clips, tmp_path, vectors=180)
    with pytest.raises(ConfigError, match="patches of a class for 1000 centroids"):
        measure_separability(clips, tmp_path, vectors=1000)


def test_what_is_the_same_in_both_classes_does_not_part(data, tmp_path):
    clips = [replace(clip, label=("music", "speech")[i % 2]) for i, clip in enumerate(sorted_music(data))]
    for one in measure_separability(clips, tmp_path, vectors=120, centroids=20):
        assert 0.2 < np.mean(one.accuracy) < 0.8
        assert one.silhouette < 0.1


def sorted_music(data: Path) -> list:
    return [clip for clip in DATASETS["corpus"].read(data) if clip.label == "music"]


# -- a trained row -------------------------------------------------------------------------------


def test_a_row_is_loaded_as_it_was_scored(runs, data):
    trained = load_trained(runs / "all.json", "All-Conv", runs / "checkpoints")
    assert trained.extractor == create_features("allconv-mel", "corrected")
    assert trained.scaling is not None
    assert trained.scaling.shift.shape == (40, 1)
    checkpoint = runs / "checkpoints" / trained.origin["checkpoint"] / "net.pt"
    best = torch.load(checkpoint, weights_only=True)["best"]
    assert all(torch.equal(value, best[name]) for name, value in trained.net.state_dict().items())
    assert not trained.net.training
    assert trained.origin["quick"]
    # How right each folder of the test part is.
    (result, _) = json.loads((runs / "all.json").read_text())["results"]
    assert {name[: name.index("/")] for name in result["folders"]} == {"corpus"}
    counts = np.array(list(result["folders"].values())).sum(axis=0)
    assert counts.tolist() == [np.trace(result["patches"]), np.sum(result["patches"])]


def test_rows_that_cannot_be_used_are_named(runs, tmp_path):
    bha, checkpoints = runs / "bha.json", runs / "checkpoints"
    with pytest.raises(ConfigError, match="no trained row 'plain'; it has multi-task"):
        load_trained(bha, "plain", checkpoints)
    fused = json.loads(bha.read_text())
    fused["results"][0]["setup"]["model"]["fusion"] = "late"
    (tmp_path / "fused.json").write_text(json.dumps(fused))
    with pytest.raises(ConfigError, match=r"'multi-task' .* is a fused network"):
        load_trained(tmp_path / "fused.json", "multi-task", checkpoints)
    with pytest.raises(ConfigError, match="is not there; name the folder it was trained in with --runs"):
        load_trained(bha, "multi-task", tmp_path)
    with pytest.raises(ConfigError, match=r"no results '.*none\.json'; train the row first"):
        load_trained(tmp_path / "none.json", "multi-task", checkpoints)
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(ConfigError, match="is no file of results"):
        load_trained(tmp_path / "bad.json", "multi-task", checkpoints)


# -- marked recordings ---------------------------------------------------------------------------


def test_frames_are_marked_by_what_is_at_their_centre():
    extractor = create_features("lms", n_mels=16)
    reference = Timeline([Segment(0.5, 1.0, "speech"), Segment(0.8, 2.0, "music")], 2.0)
    n_frames = extractor.n_frames(2 * RATE)
    marks = frame_marks(reference, extractor, n_frames)
    centres = np.array([extractor.centre(i) for i in range(n_frames)])
    assert marks.shape == (n_frames, 2)
    assert np.array_equal(marks[:, 0], centres >= 0.8)
    assert np.array_equal(marks[:, 1], (centres >= 0.5) & (centres < 1.0))


def test_frames_are_computed_once_and_again_where_marks_changed(tmp_path):
    extractor = create_features("lms", n_mels=16)
    calls = []

    def make(key: str) -> Marked:
        def frames(given) -> Frames:
            calls.append(key)
            rng = np.random.default_rng(len(key))
            return Frames(rng.standard_normal((given.n_bands, 90)), rng.random((90, 2)) > 0.5)

        return Marked(key, "train", frames)

    for keys in (["a", "bb"], ["a", "ccc"]):
        store = MarkedStore(tmp_path, extractor)
        store.add([make(key) for key in keys])
        expected = make(keys[1]).frames(extractor)
        calls.pop()
        found = store.frames(make(keys[1]))
        assert np.allclose(found.features, expected.features, atol=1e-2)
        assert np.array_equal(found.marks, expected.marks)
    assert calls == ["a", "bb", "ccc"]


def test_a_spectrogram_gives_the_features_of_its_signal():
    extractor = create_features("lmhps-ef", n_mels=16)
    samples = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    centred = samples - samples.mean()
    frames = np.lib.stride_tricks.sliding_window_view(centred / np.abs(centred).max(), 400)[::160]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(401)[:-1], axis=1)).T
    np.testing.assert_allclose(extractor.of_magnitudes(spectrum), extractor(samples), atol=2e-3)
    assert extractor.of_magnitudes(spectrum[:129]).shape == (32, spectrum.shape[1])
    with pytest.raises(AudioError, match="of 1 bins"):
        extractor.of_magnitudes(spectrum[:1])


def test_programmes_to_test_on_are_made_of_an_unseen_fold(data):
    name, recordings = find_broadcasts(data, None, hours=0.02, fold=1, seed=0)
    assert name == "corpus"
    assert [r.part for r in recordings] == ["train", "validation", "test"]
    assert len({r.key for r in recordings}) == 3
    again = find_broadcasts(data, "corpus", hours=0.02, fold=1, seed=0)[1]
    assert [r.key for r in again] == [r.key for r in recordings]
    assert find_broadcasts(data, "corpus", hours=0.02, fold=2, seed=0)[1][2].key != recordings[2].key
    extractor = create_features("lms", n_mels=16)
    features, marks = recordings[2].frames(extractor)
    assert features.shape == (16, extractor.n_frames(round(0.3 * 72 * RATE)))
    assert marks.shape == (features.shape[1], 2)
    assert marks.any(axis=0).all()
    with pytest.raises(ConfigError, match="does not run on 'musan'; choose dafx12, muspeak"):
        find_broadcasts(data, "musan", hours=1, fold=0, seed=0)
    with pytest.raises(ConfigError, match="has no muspeak; 'earmark datasets' says where"):
        find_broadcasts(data, "muspeak", hours=1, fold=0, seed=0)
    with pytest.raises(ConfigError, match="give a length above 0"):
        find_broadcasts(data, "corpus", hours=0, fold=0, seed=0)


def test_the_radio_spectrograms_keep_their_parts_and_marks(tmp_path):
    names = {"train": "31-RSI2-2012_01_25_07_30_02", "test-austrian": "LIF-h1"}
    rng = np.random.default_rng(0)
    for folder in ("features", "labels/music", "labels/speech"):
        (tmp_path / "dafx12" / folder).mkdir(parents=True)
    for name in names.values():
        np.save(tmp_path / f"dafx12/features/{name}.npy", rng.random((201, 200)).astype(np.float32))
        for label, rows in (("music", "0,1,1\n1,1,0\n"), ("speech", "0,0.5,0\n0.5,1.5,1\n")):
            (tmp_path / f"dafx12/labels/{label}/{name}.csv").write_text("start,duration,label\n" + rows)
    name, recordings = find_broadcasts(tmp_path, None, hours=1, fold=0, seed=0)
    assert name == "dafx12"
    assert {r.part for r in recordings} == set(names)
    features, marks = recordings[0].frames(create_features("lmhps-ef", n_mels=16))
    assert features.shape == (32, 200)
    assert marks[:, 0].tolist() == [True] * 100 + [False] * 100
    assert marks[:, 1].tolist() == [False] * 50 + [True] * 150
    with pytest.raises(ConfigError, match="'allconv-mel' cannot be made of spectrograms alone"):
        recordings[0].frames(create_features("allconv-mel"))


# -- transfer ------------------------------------------------------------------------------------


def test_a_patch_is_what_most_of_its_frames_are():
    marks = np.array([0, 0, 1, 1, 0, 1], bool)
    assert majority(marks, np.arange(3), 4).tolist() == [False, False, True]
    assert majority(marks, np.arange(4), 3).tolist() == [False, True, True, True]


def test_answers_are_filtered_as_by_a_median_of_probabilities():
    rng = np.random.default_rng(3)
    probabilities = rng.random((60, 2))
    padded = np.pad(probabilities, ((4, 4), (0, 0)))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 9, axis=0), axis=2)
    assert np.array_equal(median_filtered(probabilities > 0.5, 9), medians > 0.5)


def test_figures_of_counts():
    answers = np.array([1, 1, 1, 0, 0], bool)
    truth = np.array([1, 1, 0, 1, 0], bool)
    counts = count_answers(answers, truth)
    assert asdict(counts) == {"tp": 2, "fp": 1, "fn": 1, "tn": 1}
    assert counts + counts == Counts(4, 2, 2, 2)
    expected = {"accuracy": 60, "precision": 200 / 3, "recall": 200 / 3, "F1": 200 / 3}
    assert percentages(counts) == pytest.approx(expected)
    assert percentages(Counts(tn=3)) == {"accuracy": 100, "precision": 0, "recall": 0, "F1": 0}


def striped(part: str, seed: int, period: int, n_bands: int) -> Marked:
    """Return frames whose upper half of bands is loud under music, the lower half under speech."""

    def frames(extractor) -> Frames:
        rng = np.random.default_rng(seed)
        t = np.arange(6 * period)
        marks = np.stack([t // period % 2 == 0, t // period % 3 == 0], axis=1)
        loud = np.repeat(marks.T, n_bands // 2, axis=0)
        return Frames(rng.standard_normal((n_bands, len(t))) + 1.5 * loud, marks)

    return Marked(f"{part}{seed}", part, frames)


def test_a_multi_task_network_becomes_two_detectors(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer_module, "TUNING", replace(transfer_module.TUNING, epochs=6))
    monkeypatch.setattr(transfer_module, "_MEDIAN", 21)
    trained = load_trained(runs / "bha.json", "multi-task", runs / "checkpoints")
    recordings = [striped("train", i, 150 + 10 * i, 32) for i in range(4)]
    recordings += [striped("validation", 7, 160, 32), striped("test", 8, 170, 32)]
    store = MarkedStore(tmp_path / "features", trained.extractor)
    before = {name: value.clone() for name, value in trained.net.state_dict().items()}
    joint, report = transfer(trained, recordings, store, tmp_path, seed=1)
    assert set(report["figures"]) == {"test"}
    counts = report["counts"]["test"]["plain"]
    assert set(counts) == {"music", "speech", "speech+music"}
    # A patch at every frame.
    assert {sum(own.values()) for own in counts.values()} == {6 * 170 - 68 + 1}
    for figures in report["figures"]["test"].values():
        assert figures["music"]["accuracy"] > 85
        assert figures["speech"]["accuracy"] > 85
        assert figures["speech+music"]["F1"] > 50
    assert all(torch.equal(value, before[name]) for name, value in trained.net.state_dict().items())
    told = []
    again = transfer(trained, recordings, store, tmp_path, seed=1, tell=told.append).report
    assert again == report
    assert not any("epoch" in text for text in told)
    card = export_detectors(joint, trained, "corpus", report, tmp_path / "joint.onnx")
    model = load_model(tmp_path / "joint.onnx")
    assert model.card == card
    assert (model.card.classes, model.labels) == (CLASSES, ("music", "speech"))
    part = store.frames(recordings[-1])
    patches = trained.extractor.patches_at(part.features, np.arange(0, len(part.marks) - 68, 40))
    found = model.run(patches[:])
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    for columns, net in (([1, 3], joint.music), ([2, 3], joint.speech)):
        with torch.no_grad():
            expected = net.eval()(torch.from_numpy(patches[:])).sigmoid()[:, 0]
        assert found[:, columns].sum(axis=1) == pytest.approx(expected.numpy(), abs=1e-5)
    with pytest.raises(ConfigError, match="the part 'validation' has no patch without music"):
        transfer(trained, [r for r in recordings if r.part != "validation"], store, tmp_path)


def test_the_rarer_class_is_cut_three_times_as_densely(tmp_path):
    extractor = create_features("lms", n_mels=16)

    def frames(given) -> Frames:
        marks = np.zeros((3400, 2), bool)
        marks[:1700] = True
        return Frames(np.zeros((16, 3400)), marks)

    recording = Marked("long", "train", frames)
    store = MarkedStore(tmp_path, extractor)
    store.add([recording])
    # Patches start at every 34th frame, those of the rarer class at every 11th.
    for task, rarer in (("music", 0), ("speech", 1)):
        counts = np.bincount(transfer_module._training_set([recording], "train", task, store).labels)
        assert counts[1 - rarer] == pytest.approx(1666 / 34, abs=1.5)
        assert counts[rarer] == pytest.approx(1666 / 11, abs=1.5)


# -- learned features ----------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "rate"), [("All-Conv", 44_100), ("All-Conv, 16 kHz", 16_000)])
def test_learned_features_are_16_for_each_fifth_of_a_second(row, rate, runs, data):
    trained = load_trained(runs / "all.json", row, runs / "checkpoints")
    path = str(data / "corpus/music0/a.wav")
    values = learned_features(trained, path)
    assert values.shape == (15, 16)
    assert (values >= 0).all()
    # As the network itself has them, on the way to its answer.
    from earmark.audio import read_audio

    samples, _ = read_audio(path, sample_rate=rate)
    patches = torch.from_numpy(trained.scaling(trained.extractor.cut(trained.extractor(samples))[:]))
    with torch.no_grad():
        answers = trained.net.head(trained.net.trunk.dense(torch.from_numpy(values)))
        assert torch.allclose(answers, trained.net(patches), atol=1e-5)
    other = load_trained(runs / "bha.json", "multi-task", runs / "checkpoints")
    with pytest.raises(ConfigError, match="'multi-task' is no all-convolutional net"):
        learned_features(other, path)


def test_one_odd_piece_does_not_outshine_the_others():
    one, other = np.full((150, 3), (1.0, 4.0, 0.0)), np.full((150, 3), (2.0, 1.0, 0.0))
    other[0] = 1000
    first, second = scaled([one, other])
    assert np.allclose(first, (0.5, 1, 0))
    assert np.allclose(second[1:], (1, 0.25, 0))
    assert second[0].tolist() == [1, 1, 0]
    assert preferences([first, second]) == [1, 0, -1]


def test_a_feature_prefers_the_recording_with_its_highest_mean():
    one, other = np.array([[1.0, 0, 2], [1, 0, 0]]), np.array([[0.0, 3, 0]])
    assert preferences([one, other]) == [0, 1, 0]


# -- the commands --------------------------------------------------------------------------------


def test_the_commands_draw_and_document(data, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.chdir(tmp_path)
    common = ["--data", str(data), "--runs", str(runs)]
    call = ["bench", "transfer", str(runs / "bha.json"), "--row", "multi-task", "--hours", "0.05", "--quick"]
    assert run([*call, *common, "--out", "transfer.json", "--export", "joint.onnx"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "earmark detect --model joint.onnx" in shown
    assert run(["detect", str(data / "corpus/music0/a.wav"), "--model", "joint.onnx"]) == 0
    assert set(re.findall("(speech|music|neither)$", capsys.readouterr().out, re.M)) <= {"speech", "music"}
    assert "not on the paper's dafx12" in shown
    assert "programmes made of corpus" in shown
    assert "QUICK" in shown
    report = json.loads(Path("transfer.json").read_text())
    assert report["config"]["start"]["row"] == "multi-task"
    assert len(report["figures"]) == 2 * 3 * 4
    files = [str(data / f"corpus/{name}0/a.wav") for name in ("music", "speech")]
    call = ["bench", "learned-features", str(runs / "all.json"), *files]
    assert run([*call, "--runs", str(runs), "--picture", "all.png"]) == 0
    assert Path("all.png").read_bytes()[:4] == b"\x89PNG"
    assert capsys.readouterr().out.count("are the highest") == 2
    assert run([*call, "--runs", str(runs), "--picture", "all.xyz"]) == 2
    assert "cannot write 'all.xyz'" in capsys.readouterr().err
    assert run(["bench", "separability", *common, "--on", "corpus", "--vectors", "50"]) == 2
    assert "50 vectors of a class for 1000 centroids" in capsys.readouterr().err


def test_the_picture_of_the_maps_has_a_panel_each(tmp_path):
    from earmark.train.studies.pictures import draw_separability
    from earmark.train.studies.separability import Separability

    labels = np.repeat([0, 1], 30)
    place = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    found = [Separability(name, 0.1, 0.2, (0.7, 0.8, 0.9), 100, place, labels) for name in ("Mel", "Parts")]
    draw_separability(tmp_path / "map.svg", "A title", ("music", "speech"), found)
    drawn = (tmp_path / "map.svg").read_text()
    assert drawn.count("<!-- nearest neighbours 80.0 %, silhouette 0.100 -->") == 2
    assert "<!-- A title -->" in drawn
    assert "<!-- speech -->" in drawn


def test_a_misspelt_study_is_pointed_out(capsys):
    assert run(["bench", "seperability"]) == 2
    assert "no table 'seperability'; did you mean 'separability'?" in capsys.readouterr().err
