"""earmark fit --architecture: from folders to a model file, which classify runs as it was tested."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from earmark.audio import read_audio  # noqa: E402
from earmark.audio_writer import write_audio  # noqa: E402
from earmark.classifier import Classifier  # noqa: E402
from earmark.cli.app import run  # noqa: E402
from earmark.errors import ConfigError  # noqa: E402
from earmark.train.crops.config import CropConfig  # noqa: E402
from earmark.train.fitting.netfile import head_of  # noqa: E402
from earmark.train.fitting.netsettings import FEATURES, NetworkSettings  # noqa: E402
from earmark.train.fitting.network import fit_network, heard  # noqa: E402
from earmark.train.models import create_model  # noqa: E402
from earmark.train.models.width import narrowed  # noqa: E402

RATE = 22_050


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path):
    """Slow and fast tremolo in noise, four files each; one file is damaged."""
    rng = np.random.default_rng(0)
    for label, hertz in (("slow", 2), ("fast", 12)):
        for take in range(4):
            t = np.arange(int(RATE * (2.6 + 0.4 * take))) / RATE
            sound = 0.2 * rng.normal(size=len(t)) * (1.1 + np.sin(2 * np.pi * hertz * t))
            write_audio(tmp_path / "data" / label / f"{take}.wav", sound.astype(np.float32), RATE)
    (tmp_path / "data" / "slow" / "damaged.wav").write_bytes(b"RIFF" + bytes(100))
    return tmp_path / "data"


SETTINGS = NetworkSettings("ecapa-ccs-fsa", CropConfig(epochs=2, batch=4, cycle=2), width=0.03, folds=2)


def test_a_network_is_fitted_and_classifies_as_it_was_tested(data, tmp_path):
    warned, told = [], []
    fitted = fit_network(data, SETTINGS, tell=told.append, warn=warned.append)
    assert any("left out" in line and "damaged.wav" in line for line in warned)
    assert fitted.report.labels == ("fast", "slow")
    assert len(fitted.report.answers) == 8
    path = tmp_path / "own.onnx"
    fitted.write(path)
    classifier = Classifier(path)
    assert classifier.card.backbone == "ecapa-ccs-fsa"
    song = data / "slow" / "3.wav"
    extractor = SETTINGS.extractor
    samples, _ = read_audio(str(song), sample_rate=RATE)
    windows = np.asarray(extractor.cut(extractor(samples)))
    assert len(windows) == 1
    expected = heard(fitted.net, windows, torch.device("cpu"))
    found = classifier.classify(song)
    assert found.n_windows == 1
    assert classifier.card.trained["products"] == "float32"
    np.testing.assert_allclose(list(found.scores.values()), expected, atol=1e-3)
    again = []
    fit_network(data, SETTINGS, tell=again.append)  # everything was kept
    assert not any("epoch" in line for line in again)


def test_the_command_writes_a_model_that_classify_runs_with_few_windows(data, tmp_path, capsys):
    out = tmp_path / "own.onnx"
    options = ["--architecture", "resnet18", "--epochs", "1", "--width", "0.125", "--folds", "2", "-j", "1"]
    assert run(["fit", str(data), "-o", str(out), *options]) == 0
    capsys.readouterr()
    long = tmp_path / "long.wav"
    write_audio(long, 0.1 * np.random.default_rng(1).normal(size=RATE * 12).astype(np.float32), RATE)
    answers = []
    for more in ([], ["--crops", "4"], ["--crops", "99"]):
        assert run(["classify", str(out), str(long), "-f", "json", "-o", "-", "-j", "1", *more]) == 0
        answers.append(json.loads(capsys.readouterr().out)[0])
    assert [one["windows"] for one in answers] == [5, 4, 5]
    assert answers[0]["scores"] == answers[2]["scores"] != answers[1]["scores"]
    assert run(["classify", str(out), str(long), "--timeline", "--crops", "4"]) == 2


def test_crops_are_the_first_the_last_and_those_between(data):
    fitted = fit_network(data, SETTINGS)
    path = data.parent / "own.onnx"
    fitted.write(path)
    classifier = Classifier(path)
    hop = classifier.extractor.window_hop
    signal = 0.1 * np.random.default_rng(1).normal(size=RATE * 12).astype(np.float32)
    windows = np.asarray(classifier.extractor.cut(classifier.extractor(signal)))
    assert classifier.extractor.window_hop == hop
    expected = heard(fitted.net, windows[[0, 2, 4]], torch.device("cpu"))
    found = classifier.classify(signal, RATE, crops=3)
    np.testing.assert_allclose(list(found.scores.values()), expected, atol=1e-3)


def test_windows_follow_each_other_or_as_the_hop_says(data, tmp_path, capsys):
    out, windows = tmp_path / "own.onnx", []
    song = tmp_path / "long.wav"
    write_audio(song, 0.1 * np.random.default_rng(1).normal(size=RATE * 12).astype(np.float32), RATE)
    options = ["--architecture", "ecapa", "--epochs", "1", "--width", "0.01", "--folds", "2", "-j", "1", "-q"]
    for more in ([], ["--hop", "1.5"]):
        assert run(["fit", str(data), "-o", str(out), *options, *more]) == 0
        windows.append(Classifier(out).classify(song).n_windows)
    assert windows == [5, 7]  # (12 - 2.35) / 2.35 and / 1.5, and the first one


def test_a_network_in_whole_numbers_is_tested_as_it_is_written(data, tmp_path):
    warned = []
    settings = replace(SETTINGS, int8=True)
    fitted = fit_network(data, settings, warn=warned.append)
    assert any("int8 answers as float32 does for" in line for line in warned)
    path = tmp_path / "own.onnx"
    fitted.write(path)
    classifier = Classifier(path)
    assert classifier.card.trained["products"] == "int8"
    assert "whole numbers (int8)" in classifier.card.description
    assert set(classifier.card.metrics["float32"]) == {"accuracy", "same_answer"}
    plain = fit_network(data, SETTINGS)  # the same networks
    plain.write(tmp_path / "plain.onnx")
    ours, theirs = path.read_bytes(), (tmp_path / "plain.onnx").read_bytes()
    assert b"QuantizeLinear" in ours
    assert b"QuantizeLinear" not in theirs
    song = data / "fast" / "3.wav"
    found = [list(Classifier(one).classify(song).scores.values()) for one in (path, tmp_path / "plain.onnx")]
    assert found[0] != found[1]
    np.testing.assert_allclose(*found, atol=0.05)
    answers = [[answer.scores for answer in one.report.answers] for one in (fitted, plain)]
    assert answers[0] != answers[1]
    np.testing.assert_allclose(*answers, atol=0.05)


def test_features_are_those_of_the_file_that_has_the_name_now(data, tmp_path, monkeypatch):
    learned = []

    class Stop(Exception):
        pass

    def look(net, crops, *_, **__):
        learned.append(next(crops.epoch(0))[0])
        raise Stop

    monkeypatch.setattr("earmark.train.fitting.network.train_on_crops", look)
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(data, tmp_path / "elsewhere" / "data")
    for file in (tmp_path / "elsewhere" / "data").rglob("[0-9].wav"):
        samples, rate = read_audio(file)
        write_audio(file, 0.1 * samples[::-1], rate)
    for folder in (tmp_path, tmp_path / "elsewhere", tmp_path):
        monkeypatch.chdir(folder)
        with pytest.raises(Stop):
            fit_network("data", SETTINGS)
    first, other, again = learned
    assert not torch.allclose(first, other, atol=1.0)
    assert torch.equal(first, again)


def test_folds_that_cannot_be_are_refused_before_features_are_computed(data, tmp_path):
    told = []
    with pytest.raises(ConfigError, match="class 'fast' has 4 files, and each fold needs one"):
        fit_network(data, replace(SETTINGS, folds=6), tell=told.append)
    assert not any("features" in line for line in told)
    assert not list((tmp_path / "cache").rglob("frames.f16"))


def test_the_output_layer_takes_the_batch_norm_in():
    torch.manual_seed(0)
    net = create_model("ecapa", n_classes=3, input_shape=(48, 60), options={"channels": 32})
    for _ in range(3):
        net(torch.randn(8, 48, 60))
    net.eval()
    with torch.no_grad():
        vectors = net.trunk(torch.randn(5, 48, 60))
        expected = net.head(vectors).softmax(dim=1).numpy()
    np.testing.assert_allclose(head_of(net).scores(vectors.numpy()), expected, atol=1e-5)


def test_every_architecture_has_a_narrow_form():
    assert narrowed("ecapa-ccs-fsa", 0.25) == {"channels": 256, "stop": 128}
    assert narrowed("ecapa", 0.5) == {"channels": 512}
    assert narrowed("resnet34", 1.0) == {}
    for name in FEATURES:
        with torch.device("meta"):
            NetworkSettings(name, CropConfig(), width=0.1).network(2)


@pytest.mark.parametrize(("options", "message"), [
    (["--architecture", "vgg"], "architecture 'vgg': choose one of ecapa"),
    (["--architecture", "ecapa", "--head", "svm"], "--head does not go with --architecture"),
    (["--epochs", "3"], "--epochs needs --architecture"),
    (["--architecture", "ecapa", "--width", "2"], "width 2: give a share"),
    (["--architecture", "ecapa", "--hop", "3"], "hop 3: give 0.1 to 2.35 seconds"),
    (["--architecture", "resnet18", "--int8"], "int8 of 'resnet18': only ecapa, ecapa-ccs, ecapa-ccs-fsa"),
    (["--int8"], "--int8 needs --architecture"),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(data, tmp_path, capsys, options, message):
    assert run(["fit", str(data), "-o", str(tmp_path / "own.onnx"), *options]) == 2
    assert message in capsys.readouterr().err


def test_regions_are_refused(data, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("path,label,start,end\ndata/slow/0.wav,slow,0,1\ndata/fast/0.wav,fast,0,1\n")
    with pytest.raises(ConfigError, match="is a region; networks learn whole files"):
        fit_network(table, SETTINGS)
    assert Path(data).is_dir()
