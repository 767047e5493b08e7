"""Published weights: imported, listed, run; and the program's own answers where they are at hand."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
torch = pytest.importorskip("torch")

from conftest import write_tiny_model  # noqa: E402
from torch import nn  # noqa: E402

from earmark import Detector, Model, detect, load_model  # noqa: E402
from earmark.audio import read_audio  # noqa: E402
from earmark.audio_writer import write_audio  # noqa: E402
from earmark.chunkmodel import ChunkModel  # noqa: E402
from earmark.cli.app import run  # noqa: E402
from earmark.errors import ConfigError, ModelError  # noqa: E402
from earmark.features.registry import create_features  # noqa: E402
from earmark.features.sidekit import SidekitMel  # noqa: E402
from earmark.modelfile import user_folder, user_models  # noqa: E402
from earmark.patchcard import PatchCard  # noqa: E402
from earmark.patchmodel import PatchModel  # noqa: E402
from earmark.posteriors import Posteriors  # noqa: E402
from earmark.train.acmus import NETWORKS, load_acmus  # noqa: E402
from earmark.train.keras import load_keras, read_keras  # noqa: E402
from earmark.train.models import ARCHITECTURES, create_model, load_tvsm  # noqa: E402
from earmark.train.published import SYSTEMS, import_published  # noqa: E402

GOLDEN = Path(os.environ.get("EARMARK_GOLDEN") or Path(__file__).parents[2] / "shared" / "golden") / "ina"
WEIGHTS = "keras_speech_music_noise_cnn.hdf5"
RATE = 16_000


def write_keras(net: nn.Module, path: Path, *, drop: str = "", group: str = "model_weights") -> Path:
    """Write the weights of a network as Keras 2 does, without the array named `drop`."""
    norm = {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    with h5py.File(path, "w") as file:
        top = file.create_group(group) if group else file
        names = ["flatten_1"]
        top.create_group(names[0]).attrs["weight_names"] = np.array([], "S1")
        for i, module in enumerate(net.modules()):
            if not isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d):
                continue
            is_norm = isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
            arrays = norm if is_norm else {"kernel": "weight", "bias": "bias"}
            name = f"layer_{i}"
            layer = top.create_group(name)
            keys = []
            for key, own in arrays.items():
                if key != drop:
                    keys.append(f"{name}/{key}:0".encode())
                    layer[f"{name}/{key}:0"] = getattr(module, own).detach().numpy().T
            layer.attrs["weight_names"] = keys
            names.append(name)
        top.attrs["layer_names"] = [name.encode() for name in names]
    return path


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """Return INA's network with weights of its own, decided enough to change its mind."""
    torch.manual_seed(1)
    net = create_model("ina-smn").eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    tensor.uniform_(0.5, 1.5)
                for tensor in (module.bias, module.running_mean):
                    tensor.normal_(std=0.1)
    return net


@pytest.fixture(scope="module")
def folder(net: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a user's folder into which such weights were imported."""
    folder = tmp_path_factory.mktemp("models")
    weights = write_keras(net, folder / WEIGHTS)
    import_published("ina", weights, folder / "own" / "ina-smn.onnx")
    return folder / "own"


@pytest.fixture
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EARMARK_MODELS", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    return folder / "ina-smn.onnx"


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """Return 20 s of tones, noise and digital silence, an odd number of frames."""
    rng = np.random.default_rng(0)
    t = np.arange(20 * RATE + 200) / RATE
    found = rng.normal(0, 0.05, len(t)) * (1 + np.sin(0.7 * t)) + 0.2 * np.sin(2 * np.pi * (200 + 90 * t) * t)
    found[7 * RATE : 10 * RATE] = 0
    found[13 * RATE : 15 * RATE] *= 1e-4
    return found.astype(np.float32)


# Weights


@pytest.mark.parametrize("group", ["model_weights", ""])
def test_weights_of_keras_land_where_they_belong(net, tmp_path, group):
    loaded = create_model("ina-smn")
    load_keras(loaded, write_keras(net, tmp_path / "w.h5", group=group))
    own, found = net.state_dict(), loaded.state_dict()
    assert all(torch.equal(found[k], own[k]) for k in own if not k.endswith("num_batches_tracked"))


def test_files_that_do_not_fit_are_refused_in_one_line(net, tmp_path):
    def refused(path: Path, *words: str) -> None:
        with pytest.raises(ModelError) as caught:
            import_published("ina", path, tmp_path / "out.onnx")
        assert "\n" not in str(caught.value)
        for word in (str(path), WEIGHTS, *words):
            assert word in str(caught.value)

    refused(tmp_path / "none.hdf5", "cannot be read: No such file")
    (tmp_path / "text.hdf5").write_text("no weights")
    refused(tmp_path / "text.hdf5", "is not an HDF5 file of Keras weights")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["x"] = np.zeros(3)
    refused(tmp_path / "other.hdf5", "is not an HDF5 file of Keras weights", "layer_names")
    refused(write_keras(create_model("gro-t3"), tmp_path / "gro.hdf5"), "6 layers with weights", "has 17")
    refused(write_keras(net, tmp_path / "part.hdf5", drop="gamma"), "has no 'gamma'")
    wide = create_model("ina-smn", n_classes=4)
    refused(write_keras(wide, tmp_path / "wide.hdf5"), "shape (256, 4), not (256, 3)")
    with torch.no_grad():
        wide = create_model("ina-smn")
        next(wide.parameters())[0, 0, 0, 0] = float("nan")
    refused(write_keras(wide, tmp_path / "nan.hdf5"), "holds NaN")
    assert not (tmp_path / "out.onnx").exists()


def test_unknown_systems_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no published system 'inna'; did you mean 'ina'\?"):
        import_published("inna", tmp_path / "x")


# The model


def test_the_card_is_kept(installed):
    model = load_model("ina-smn")
    assert isinstance(model, PatchModel)
    assert model.card == SYSTEMS["ina"].card
    assert (model.card.name, model.labels, model.hop_s) == ("ina-smn", ("speech", "music", "noise"), 0.02)
    assert PatchCard.from_json(model.card.to_json(), "x") == model.card


@pytest.mark.parametrize("n_samples", [0, 100, 400, 5_000, 11_120, 11_280, 11_281, 11_441, 320_200])
def test_cells_are_those_of_all_patches_at_once(installed, net, signal, n_samples):
    samples = signal[:n_samples]
    extractor = SidekitMel(name="ina")
    patches = extractor.cut(extractor.analyse(samples).log_mel)
    wanted = np.full((len(patches), 3), 0.5, np.float32)
    if patches.finite.any():
        with torch.no_grad():
            wanted[patches.finite] = net(torch.from_numpy(patches[patches.finite])).softmax(1).numpy()
    parts: list[Posteriors] = []
    load_model("ina-smn").segments([samples], RATE, posterior_sink=parts.append)
    found = Posteriors.concatenate(parts)
    assert found.values.shape == wanted.shape
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)


def test_the_answer_does_not_depend_on_how_the_signal_is_cut(installed, signal):
    model = load_model("ina-smn")
    whole = model.segments([signal], RATE)
    assert whole == model.segments(np.array_split(signal, 37), RATE)
    assert whole
    assert all(a.end <= b.start for a, b in pairwise(whole))
    assert not any(s.start < 9.9 and s.end > 7.1 for s in whole)


def test_a_detector_runs_it_and_refuses_what_it_cannot_do(installed, signal):
    seen: list[float] = []
    detector = Detector("ina-smn")
    timeline = detector.detect(signal, RATE, progress=lambda seconds, total: seen.append(seconds))
    assert timeline.duration == seen[-1] == len(signal) / RATE
    assert timeline.labels == ("speech", "music", "noise")
    assert timeline.segments == detect(signal, RATE, model="ina-smn").segments
    with pytest.raises(ConfigError, match=r"model 'ina-smn' cannot stream: .* use detect"):
        detector.stream([signal], RATE)
    with pytest.raises(ConfigError, match="no thresholds or durations to set"):
        detect(signal, RATE, model="ina-smn", threshold=0.6)
    with pytest.raises(ModelError, match=r"use earmark\.Detector\('ina-smn'\)"):
        Model.load("ina-smn")


def test_cards_that_do_not_fit_are_refused(tmp_path):
    card = SYSTEMS["ina"].card

    def refused(changed: PatchCard, match: str) -> None:
        # A graph with other inputs than a card of this kind needs.
        path = write_tiny_model(tmp_path / "other.onnx", changed)
        with pytest.raises(ModelError, match=match):
            load_model(path)

    refused(card, "must take 'patches' and return 'posteriors'")
    refused(replace(card, features={"name": "inna"}), "unknown features 'inna'")
    with pytest.raises(ModelError, match="another version of earmark"):
        PatchCard.from_json('{"kind": "patches"}', "x")
    with pytest.raises(ModelError, match="another version of earmark"):
        PatchCard.from_json("{", "x")


# The commands


def test_it_is_imported_listed_shown_and_run_by_name(installed, signal, tmp_path, capsys, monkeypatch):
    weights = installed.parent.parent / WEIGHTS
    monkeypatch.setenv("EARMARK_MODELS", str(tmp_path / "new" / "folder"))
    assert run(["import-weights", "ina", str(weights)]) == 0
    path = tmp_path / "new" / "folder" / "ina-smn.onnx"
    assert capsys.readouterr().out == f"wrote {path}; use it with: earmark detect --model ina-smn\n"
    assert path.exists()
    assert user_models() == ["ina-smn"]

    assert run(["models"]) == 0
    assert "ina-smn" in capsys.readouterr().out
    assert run(["models", "show", "ina-smn"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for expected in (
        "ina-smn 2018",
        "licence MIT",
        "input 16000 Hz, features 'ina', 21 bands, patches of 0.68 s every 20 ms",
        "context the whole recording: it cannot stream",
        "class_change 80",
    ):
        assert expected in lines

    sound = tmp_path / "a.wav"
    write_audio(sound, signal, RATE)
    saved = tmp_path / "p.npz"
    assert run(["detect", str(sound), "--model", "ina-smn", "-o", "-", "--posteriors", str(saved)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    wanted = load_model("ina-smn").segments([signal], RATE)
    assert [r["label"] for r in rows] == [s.label for s in wanted]
    assert len(Posteriors.load(saved)) == 1000
    assert run(["detect", str(sound), "--model", "ina-smn", "--threshold", "0.6"]) == 2
    assert "no thresholds or durations to set" in capsys.readouterr().err


def test_without_the_import_the_way_there_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EARMARK_MODELS", str(tmp_path))
    assert run(["detect", "x.wav", "--model", "ina-smn"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(
        "earmark: model 'ina-smn' is not imported yet; get 'keras_speech_music_noise_cnn.hdf5'"
    )
    assert err.endswith("then run: earmark import-weights ina keras_speech_music_noise_cnn.hdf5\n")


def test_the_users_folder_is_where_programs_keep_their_data(monkeypatch):
    monkeypatch.setenv("EARMARK_MODELS", "there")
    assert user_folder() == Path("there")
    monkeypatch.delenv("EARMARK_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setattr("sys.platform", "linux")
    assert user_folder() == Path("data/earmark/models")
    monkeypatch.setattr("sys.platform", "darwin")
    assert user_folder() == Path.home() / "Library/Application Support/earmark/models"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "local")
    assert user_folder() == Path("local/earmark/models")


# The program's own answers


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    if not (GOLDEN / WEIGHTS).exists():
        pytest.skip(f"'{GOLDEN}' is not there; EARMARK_GOLDEN names the folder of published weights")
    path = tmp_path_factory.mktemp("released") / "ina.onnx"
    import_published("ina", GOLDEN / WEIGHTS, path)
    return Detector(path)


@pytest.mark.parametrize("name", ["musanmix", "silence2sec"])
def test_segments_are_those_of_the_program(released, name):
    with open(GOLDEN / f"{name}-smn-gender.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    speech = {"male": "speech", "female": "speech"}
    wanted = [
        (speech.get(row["labels"], row["labels"]), float(row["start"]), float(row["stop"]))
        for row in rows
        if row["labels"] != "noEnergy"
    ]
    found = released.detect(GOLDEN / f"{name}.wav").segments
    assert [segment.label for segment in found] == [label for label, _, _ in wanted]
    for segment, (_, start, end) in zip(found, wanted, strict=True):
        assert abs(segment.start - start) <= 0.04
        assert abs(segment.end - end) <= 0.04


# TVSM


def program_of_tvsm(net: nn.Module, samples: np.ndarray) -> np.ndarray:
    """Return what its program says of cells of 6 frames, (n, 2): chunks of 20 s, a maximum each."""
    features = torch.from_numpy(create_features("tvsm")(samples))[None]
    with torch.no_grad():
        logits = [net(chunk) for chunk in features.split(625, dim=2)]
        return torch.max_pool1d(torch.cat(logits, 1).sigmoid().transpose(1, 2), 6, 6)[0].T.numpy()


def check_tvsm(weights: Path, out: Path, samples: np.ndarray) -> Detector:
    assert import_published("tvsm", weights, out) == ("tvsm-crnn", out)
    model = load_model(out)
    assert isinstance(model, ChunkModel)
    assert model.card == SYSTEMS["tvsm"].card
    found = Posteriors.concatenate(list(model.stream(np.array_split(samples, 3), RATE)))
    wanted = program_of_tvsm(load_tvsm(weights), samples)
    assert found.labels == ("music", "speech")
    # The program has nothing on the last cell unless all its frames are there.
    assert len(found) - len(wanted) in (0, 1)
    np.testing.assert_allclose(found.values[: len(wanted)], wanted, atol=1e-4)
    return Detector(model)


def test_weights_of_tvsm_become_a_model(tmp_path, signal, capsys, monkeypatch):
    torch.manual_seed(0)
    weights = tmp_path / "w.pt"
    torch.save(create_model("tvsm-crnn").state_dict(), weights)
    samples = np.tile(signal, 2)[: 23 * RATE]
    detector = check_tvsm(weights, tmp_path / "tvsm-crnn.onnx", samples)
    assert detector.detect(samples, RATE).duration == 23
    assert detector.options["music"].threshold == 0.5
    monkeypatch.setenv("EARMARK_MODELS", str(tmp_path))
    assert run(["models", "show", "tvsm-crnn"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "context the patch" in lines
    assert "music 0.5 0.5 0 s 0 s 0 s" in lines
    torch.save({"x": torch.zeros(1)}, weights)
    with pytest.raises(ModelError, match=r"does not hold the weights .* 'tvsm' needs 'epoch=28"):
        import_published("tvsm", weights, tmp_path / "x.onnx")


def test_the_released_weights_of_tvsm_fit(tmp_path):
    weights = GOLDEN.parent / "tvsm" / "tvsm_pseudo_crnn.pt"
    if not weights.exists():
        pytest.skip(f"'{weights}' is not there; EARMARK_GOLDEN names the folder of published weights")
    samples, _ = read_audio(GOLDEN / "musanmix.wav", sample_rate=RATE)
    detector = check_tvsm(weights, tmp_path / "tvsm.onnx", samples[: 45 * RATE])
    assert set(detector.detect(samples, RATE).durations()) == {"music", "speech"}


# ACMus-Models


def test_networks_of_acmus_come_with_their_scaling(tmp_path):
    own = create_model("gro-t1").eval()
    weights = write_keras(own, tmp_path / "ensemble.h5")
    cells = np.random.default_rng(0).uniform(1, 2, (2, 34, 257, 1)).astype(np.float32)
    np.savez(tmp_path / "ensemble.npz", normMat=cells)
    net, scaling = load_acmus("gro-t1", weights, tmp_path / "ensemble.npz")
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), own.parameters(), strict=True))
    patch = np.ones((1, 257, 34), np.float32)
    assert scaling(patch)[0, 200, 3] == pytest.approx((1 - cells[0, 3, 200, 0]) / cells[1, 3, 200, 0])
    gro_t3 = write_keras(create_model("gro-t3"), tmp_path / "speech_music.h5")
    with pytest.raises(ModelError, match=r"'gro-t3' needs \(2, 140, 80, 1\)"):
        load_acmus("gro-t3", gro_t3, tmp_path / "ensemble.npz")
    with pytest.raises(ModelError, match="does not hold the scaling"):
        load_acmus("gro-t1", weights, weights)
    np.savez(tmp_path / "zero.npz", normMat=0 * cells)
    with pytest.raises(ModelError, match="not above 0"):
        load_acmus("gro-t1", weights, tmp_path / "zero.npz")
    with pytest.raises(ConfigError, match="there are: gro-t3, gro-t1"):
        load_acmus("gro-t2", weights, weights)


@pytest.mark.parametrize(("name", "network"), [("speech_music", "gro-t3"), ("ensemble", "gro-t1")])
def test_the_released_networks_of_acmus_fit(name, network):
    path = GOLDEN.parent / "acmus" / f"{name}.h5"
    if not path.exists():
        pytest.skip(f"'{path}' is not there; EARMARK_GOLDEN names the folder of published weights")
    net, scaling = load_acmus(network, path, path.with_suffix(".npz"))
    first = read_keras(path)[0].weights["kernel"]  # (time, bands, in, out)
    assert next(net.parameters())[5, 0, 1, 2].item() == first[2, 1, 0, 5]
    with torch.no_grad():
        logits = net(torch.from_numpy(scaling(np.zeros((1, *ARCHITECTURES[network].shape), np.float32))))
    assert logits.shape == (1, len(NETWORKS[network][1]))
    assert logits.isfinite().all()
