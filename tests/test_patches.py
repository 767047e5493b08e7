"""Models of patches of any front end: pieces of long signals, cells, classes that are two labels, chunks."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import write_model
from onnx import helper

from earmark import Detector, PatchCard, catalogue, detect, load_model
from earmark.audio_writer import write_audio
from earmark.card import DecodeOptions
from earmark.cells import PieceCells
from earmark.chunkmodel import ChunkModel
from earmark.cli.app import run
from earmark.decodings import FrameThresholds, GatedViterbi, LikeliestClasses
from earmark.errors import ConfigError, ModelError
from earmark.features.patches import Patches
from earmark.features.registry import FEATURES, create_features
from earmark.likeliest import likeliest_segments
from earmark.patchmodel import PatchModel
from earmark.pieces import cut_pieces
from earmark.posteriors import Posteriors
from earmark.samples import Signal

RATE = 16_000
CLASSES = ("music", "speech", "speech+music", "noise")


def node(kind: str, inputs: Sequence[str], output: str, **attributes: object) -> object:
    return helper.make_node(kind, list(inputs), [output], **attributes)


def card(**changes: object) -> PatchCard:
    whole = PatchCard(
        name="levels",
        version="1",
        description="Low tones are speech, high ones music.",
        classes=CLASSES,
        features={"name": "kc-mel", "patch_hop": 4},
        decode=LikeliestClasses(5.0),
        licence="CC0-1.0",
    )
    return replace(whole, **changes)


def write_classifier(path: Path, own: PatchCard | None = None) -> Path:
    """Write a model of kc-mel: below 1 kHz is speech, above 3 kHz music, neither is noise."""
    nodes = [
        node("Slice", ["patches", "0", "30", "1"], "low bands"),
        node("Slice", ["patches", "80", "128", "1"], "high bands"),
    ]
    for name in ("low", "high"):
        nodes += [
            node("ReduceMax", [f"{name} bands"], f"{name} peak", axes=[1], keepdims=0),
            node("ReduceMean", [f"{name} peak"], f"{name} level", axes=[1], keepdims=1),
            node("Add", [f"{name} level", "shift"], f"{name} over"),
            node("Sigmoid", [f"{name} over"], name),
            node("Sub", ["one", name], f"no {name}"),
        ]
    pairs = [("no low", "high"), ("low", "no high"), ("low", "high"), ("no low", "no high")]
    nodes += [node("Mul", pair, f"class {i}") for i, pair in enumerate(pairs)]
    nodes.append(node("Concat", [f"class {i}" for i in range(4)], "posteriors", axis=1))
    weights = {str(n): np.array([n], np.int64) for n in (0, 1, 30, 80, 128)}
    # dB below the loudest, as bands of the power have it.
    weights |= {"shift": np.array([20], np.float32), "one": np.ones(1, np.float32)}
    return write_model(
        path,
        nodes,
        weights,
        own or card(),
        inputs=[("patches", ("B", 128, 10))],
        outputs=[("posteriors", ("B", 4))],
    )


def tones(seconds: float, *stretches: tuple[float, float, float], rate: int = RATE) -> np.ndarray:
    """Return tones (Hz, start, end) in digital silence."""
    t = np.arange(round(seconds * rate)) / rate
    parts = [0.2 * np.sin(2 * np.pi * hz * t) * ((t >= a) & (t < b)) for hz, a, b in stretches]
    return np.sum(parts, axis=0).astype(np.float32)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("models") / "levels.onnx")


@pytest.fixture(scope="module")
def programme() -> np.ndarray:
    """Return speech from 1 to 6 s, music from 4 to 9 s, digital silence from 9 to 11 s, speech to 12 s."""
    return tones(12.0, (300, 1, 6), (5000, 4, 9), (300, 11, 12))


# Pieces


@pytest.mark.parametrize("n_samples", [0, 1, 99, 120, 121, 250, 1000])
def test_pieces_decide_every_sample_once_and_see_their_margins(n_samples):
    signal = np.arange(n_samples, dtype=np.float32)
    for n_blocks in (1, 7):
        pieces = list(cut_pieces(np.array_split(signal, n_blocks), 100, 20))
        cores = [np.arange(piece.core.start, piece.core.stop) for piece in pieces]
        assert np.array_equal(np.concatenate(cores), signal)
        assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert pieces[-1].core.stop - pieces[-1].core.start <= 120
        for piece in pieces:
            assert np.array_equal(piece.samples, signal[piece.start :][: len(piece.samples)])
            assert piece.start == 0 or piece.core.start - piece.start >= 20
            assert piece.last or piece.start + len(piece.samples) == piece.core.stop + 20
        assert len(pieces) == 1 or len(pieces[-1].samples) >= 120


class Heard:
    """Stands in for a network: remembers patches, and answers with a function of each."""

    def __init__(self) -> None:
        self.patches: list[np.ndarray] = []

    def __call__(self, patches: Patches) -> np.ndarray:
        values = patches[:]
        self.patches.append(values)
        share = 1 / (1 + np.exp(-values.mean(axis=(1, 2))))
        return np.stack([share, 1 - share], axis=1).astype(np.float32)


def heard(name: str, signal: np.ndarray, **options: object) -> tuple[Posteriors, np.ndarray]:
    """Return cells and patches of a signal at the front end's rate."""
    extractor, net = create_features(name, **options), Heard()
    cells = PieceCells(extractor, ("a", "b"), net, LikeliestClasses(1.0))
    parts = list(cells.read(Signal([signal], extractor.sample_rate)))
    return Posteriors.concatenate(parts), np.concatenate(net.patches)


def noise(seconds: float, rate: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    t = np.arange(round(seconds * rate)) / rate
    return (rng.normal(0, 0.05, len(t)) + 0.1 * np.sin(2 * np.pi * (500 + 20 * t) * t)).astype(np.float32)


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_a_cell_is_decided_by_the_patch_around_it(name):
    extractor = create_features(name)
    cell = extractor.window_hop / extractor.sample_rate
    middle = extractor.middle - extractor.lead * cell
    assert abs(middle - cell / 2) <= cell / 2 + 1e-9


@pytest.mark.parametrize("name", [n for n in sorted(FEATURES) if n not in ("ina", "tvsm")])
def test_a_recording_shorter_than_a_piece_is_heard_as_a_whole(name):
    extractor = create_features(name)
    signal = noise(7.3, extractor.sample_rate)
    found, patches = heard(name, signal)
    hop_s = extractor.window_hop / extractor.sample_rate
    assert found.duration == pytest.approx(7.3, abs=1e-3)
    assert len(found) == int(np.ceil(round(len(signal) / extractor.sample_rate / hop_s, 6)))
    whole = extractor.cut(extractor(signal))
    # The program of some leaves out a last patch that fits.
    assert len(patches) - len(whole) in (0, 1)
    np.testing.assert_array_equal(patches[: len(whole)], whole[:])


@pytest.mark.parametrize(
    ("name", "options"),
    [("allconv-mel", {}), ("allconv-mel", {"sample_rate": 16_000}), ("tvsm", {"patch_length": 20})],
)
def test_features_without_measures_are_the_same_in_pieces(name, options, monkeypatch):
    signal = noise(23.7, create_features(name, **options).sample_rate)
    whole, _ = heard(name, signal, **options)
    monkeypatch.setattr("earmark.cells._PIECE_S", 3.0)
    found, _ = heard(name, signal, **options)
    assert found.duration == whole.duration
    np.testing.assert_allclose(found.values, whole.values, atol=1e-5)


def test_medians_reach_into_the_margins(monkeypatch):
    options = {"n_mels": 16, "l_harm": 61, "patch_hop": 10, "variant": "corrected"}
    signal = noise(20, RATE)
    _, whole = heard("mhps-ef", signal, **options)
    monkeypatch.setattr("earmark.cells._PIECE_S", 4.0)
    # Bands are standardised over a piece: what is left to compare is their course within a patch.  The lowest
    # has the mean in it, which is taken away from a piece, too.
    posteriors, found = heard("mhps-ef", signal, **options)
    assert len(posteriors) == 200

    def course(patches: np.ndarray) -> np.ndarray:
        patches = np.delete(patches, [0, 16], axis=1)
        centred = patches - patches.mean(axis=2, keepdims=True)
        return centred / centred.std(axis=2, keepdims=True)

    assert len(found) == len(whole)
    np.testing.assert_allclose(course(found), course(whole), atol=0.1)


@pytest.mark.parametrize("n_samples", [0, 1, 399, 400, 2000])
def test_recordings_without_a_patch_have_cells(n_samples):
    found, _ = (
        heard("lms", noise(1.0, RATE)[:n_samples], n_mels=8, patch_hop=10) if n_samples else (None, None)
    )
    if found is None:
        cells = PieceCells(create_features("lms"), ("a", "b"), Heard(), LikeliestClasses(1.0))
        (found,) = cells.read(Signal([np.zeros(0, np.float32)], RATE))
    assert len(found) == -(-n_samples // (1600 if n_samples else 1))
    assert found.duration == pytest.approx(n_samples / RATE)


# Classes


def test_a_class_can_mark_two_labels():
    states = [0] * 10 + [2] * 10 + [1] * 5 + [2] * 3 + [0] * 12
    values = np.full((40, 3), 0.05, np.float32)
    values[np.arange(40), states] = 0.9
    values[33] = [0.05, 0.9, 0.05]  # too short to change for
    posteriors = Posteriors(values, None, ("music", "speech", "speech+music"), 0.1, 3.95)
    found = likeliest_segments(posteriors, np.ones(40, bool), 1.5)
    assert [(s.start, s.end, s.label) for s in found] == [
        (0.0, 2.0, "music"),
        (1.0, 2.8, "speech"),
        (2.5, 3.95, "music"),
    ]
    assert found[0].confidence == pytest.approx(0.95)
    silent = np.arange(40) < 15
    found = likeliest_segments(posteriors, silent, 1.5)
    assert [(s.start, s.end, s.label) for s in found] == [(0.0, 1.5, "music"), (1.0, 1.5, "speech")]


def test_a_class_can_mark_nothing():
    values = np.full((30, 2), 0.1, np.float32)
    values[np.arange(30), [0] * 10 + [1] * 12 + [0] * 8] = 0.9
    posteriors = Posteriors(values, None, ("neither", "speech"), 0.1, 3.0)
    found = likeliest_segments(posteriors, np.ones(30, bool), 1.5)
    assert [(s.start, s.end, s.label) for s in found] == [(1.0, 2.2, "speech")]


def test_a_classifier_marks_a_programme(classifier, programme):
    model = load_model(classifier)
    assert isinstance(model, PatchModel)
    assert (model.labels, round(model.hop_s, 4)) == (("music", "speech", "noise"), 0.0929)
    parts: list[Posteriors] = []
    timeline = Detector(model).detect(programme, RATE, posterior_sink=parts.append)
    assert (timeline.duration, timeline.labels) == (12.0, ("music", "speech", "noise"))
    found = [(s.label, s.start, s.end) for s in timeline if s.label != "noise"]
    assert [label for label, _, _ in found] == ["speech", "music", "speech"]
    for (_, start, end), wanted in zip(found, [(1, 6), (4, 9), (11, 12)], strict=True):
        assert (start, end) == pytest.approx(wanted, abs=0.2)
    values = Posteriors.concatenate(parts)
    assert values.labels == CLASSES
    assert not values.crop(9.2, 10.8).values.any()
    assert values.crop(4.5, 5.5).values[:, 2].min() > 0.9


def test_the_answer_does_not_depend_on_how_the_signal_is_cut(classifier, monkeypatch):
    monkeypatch.setattr("earmark.cells._PIECE_S", 5.0)
    model = load_model(classifier)
    signal = np.tile(tones(13.0, (300, 1, 6), (5000, 4, 13)), 3) + noise(39, RATE) * 1e-3
    whole = model.segments([signal], RATE)
    assert len(whole) >= 6
    assert whole == model.segments(np.array_split(signal, 41), RATE)


def test_pauses_shorter_than_half_a_second_are_heard(classifier):
    signal = tones(6.0, (300, 0, 2), (300, 2.3, 4), (300, 5, 6))
    timeline = detect(signal, RATE, model=load_model(classifier))
    assert timeline["speech"].to_frames(0.1, ["speech"])[[10, 30, 55]].all()
    marked = timeline.relabel(dict.fromkeys(timeline.labels, "sound")).support()
    assert [(s.start, s.end) for s in marked] == [pytest.approx(x, abs=0.2) for x in ((0, 4), (5, 6))]


def test_what_a_classifier_cannot_do_is_refused(classifier, programme, tmp_path):
    detector = Detector(classifier)
    with pytest.raises(ConfigError, match="cannot stream: it looks for the likeliest course of a whole"):
        detector.stream([programme], RATE)
    with pytest.raises(ConfigError, match="no thresholds or durations to set"):
        Detector(classifier, {"speech": {"threshold": 0.4}})
    path = write_classifier(tmp_path / "narrow.onnx", card(classes=("speech", "music")))
    with pytest.raises(ModelError, match=r"returned shape \(2, 4\); by its card it must return \(2, 2\)"):
        load_model(path)
    path = write_classifier(tmp_path / "gated.onnx", card(decode=GatedViterbi()))
    with pytest.raises(ModelError, match="features 'kc-mel', which tell no energy"):
        load_model(path)


def test_a_classifier_runs_from_the_command_line(classifier, programme, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    write_audio(tmp_path / "a.wav", programme, RATE)
    assert run(["detect", str(tmp_path / "a.wav"), "--model", str(classifier), "-o", "-"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    labels = [row["label"] for row in rows]
    assert [label for label in labels if label != "noise"] == ["speech", "music", "speech"]
    assert run(["models", "show", str(classifier)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "labels music, speech, noise" in lines
    assert "classes music, speech, speech+music, noise" in lines
    assert "decoding: Viterbi" in lines


# Cards


def test_cards_are_read_as_written_and_the_first_ones_still(classifier):
    for own in (
        card(),
        card(features={"name": "ina"}, decode=GatedViterbi(class_change=7)),
        card(classes=("a", "b"), decode=thresholds("a", "b")),
    ):
        assert PatchCard.from_json(own.to_json(), "x") == own
    fields = json.loads(card(features={"name": "ina"}, decode=GatedViterbi()).to_json())
    fields["labels"] = fields.pop("classes")
    del fields["decode"]["kind"]
    assert PatchCard.from_json(json.dumps(fields), "x").decode == GatedViterbi()
    assert PatchCard.from_json(json.dumps(fields), "x").classes == CLASSES
    fields["decode"]["kind"] = "dice"
    with pytest.raises(ModelError, match="unknown decoding 'dice'; there are gated-viterbi, likeliest"):
        PatchCard.from_json(json.dumps(fields), "x")


def test_decodings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="class_change -1"):
        LikeliestClasses(-1)
    with pytest.raises(ConfigError, match="pool 0"):
        FrameThresholds(0, {})
    with pytest.raises(ModelError, match="its options must be for music, speech"):
        card(decode=thresholds("speech"))


# Chunks


def thresholds(*labels: str) -> FrameThresholds:
    plain = DecodeOptions(0.5, 0.5, 0.0, 0.0, 0.0)
    return FrameThresholds(6, dict.fromkeys(labels, plain))


def write_chunk_model(path: Path) -> Path:
    """Write a model of tvsm: the mean of the lower and of the upper bands, over that of the whole chunk."""
    nodes = []
    for name, ends in (("low", ("0", "64")), ("high", ("64", "128"))):
        nodes += [
            node("Slice", ["patches", *ends, "1"], f"{name} bands"),
            node("ReduceMean", [f"{name} bands"], f"{name} frames", axes=[1], keepdims=0),
            node("ReduceMean", [f"{name} frames"], f"{name} chunk", axes=[1], keepdims=1),
            node("Sub", [f"{name} frames", f"{name} chunk"], f"{name} course"),
            node("Mul", [f"{name} course", "gain"], f"{name} logits"),
            node("Unsqueeze", [f"{name} logits", "2"], f"{name} column"),
        ]
    nodes += [
        node("Concat", ["low column", "high column"], "both", axis=2),
        node("Sigmoid", ["both"], "posteriors"),
    ]
    weights = {str(n): np.array([n], np.int64) for n in (0, 1, 2, 64, 128)}
    weights["gain"] = np.array([20], np.float32)
    own = card(classes=("music", "speech"), features={"name": "tvsm"}, decode=thresholds("music", "speech"))
    return write_model(
        path,
        nodes,
        weights,
        own,
        inputs=[("patches", (1, 128, "T"))],
        outputs=[("posteriors", (1, "T", 2))],
    )


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory) -> ChunkModel:
    model = load_model(write_chunk_model(tmp_path_factory.mktemp("models") / "chunks.onnx"))
    assert isinstance(model, ChunkModel)
    return model


def test_chunk_model_has_the_threads_it_is_given(tmp_path, monkeypatch):
    asked = []
    real = catalogue.open_model

    def opened(name, threads=1, **options):
        asked.append(threads)
        return real(name, threads, **options)

    monkeypatch.setattr(catalogue, "open_model", opened)
    load_model(write_chunk_model(tmp_path / "chunks.onnx"), threads=2)
    assert set(asked) == {2}


@pytest.mark.parametrize("n_samples", [0, 500, 6 * 512, 20 * RATE, 20 * RATE + 511, 47 * RATE + 100])
def test_chunks_are_those_of_the_program(chunks, n_samples):
    signal = noise(48, RATE)[:n_samples]
    found = Posteriors.concatenate(list(chunks.stream(np.array_split(signal, 5), RATE)))
    features = chunks.extractor(signal)
    frames = [chunks.run(features[:, at : at + 625]) for at in range(0, features.shape[1], 625)]
    frames = np.concatenate([*frames, np.zeros((0, 2), np.float32)])
    n_cells = -(-n_samples // 3072)
    assert found.values.shape == (n_cells, 2)
    assert found.duration == pytest.approx(n_samples / RATE)
    for i, cell in enumerate(found.values):
        np.testing.assert_allclose(cell, frames[6 * i : 6 * i + 6].max(axis=0), atol=1e-5)


def test_labels_of_a_chunk_model_are_independent_and_can_be_streamed(chunks):
    t = np.arange(30 * RATE) / RATE
    signal = noise(30, RATE) * (1 + np.sin(t)).astype(np.float32)
    detector = Detector(chunks)
    timeline = detector.detect(signal, RATE)
    assert timeline.labels == ("music", "speech")
    assert {s.label for s in timeline} == {"music", "speech"}
    assert timeline.overlap()
    streamed = tuple(detector.stream(np.array_split(signal, 9), RATE))
    assert streamed == timeline.segments
    strict = detect(signal, RATE, model=chunks, threshold=0.9)
    assert sum(s.duration for s in strict) < sum(s.duration for s in timeline)


@pytest.mark.parametrize("n_samples", [0, 47 * RATE + 100])
def test_chunks_are_the_same_with_a_thread_for_the_features(chunks, n_samples):
    blocks = np.array_split(noise(48, RATE)[:n_samples], 5)
    alone, helped = (
        Posteriors.concatenate(list(chunks.stream(blocks, RATE, threaded=threaded)))
        for threaded in (False, True)
    )
    assert np.array_equal(alone.values, helped.values)
    assert alone.duration == helped.duration
