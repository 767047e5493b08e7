"""Classifiers of recordings: their files, recordings and timelines, models of other kinds."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from conftest import write_model
from onnx import helper

import earmark
from earmark import Classifier, Detector, Embedder
from earmark.audio_writer import write_audio
from earmark.card import METADATA_KEY, DecodeOptions
from earmark.catalogue import load_card, load_model
from earmark.classifiercard import ClassifierCard
from earmark.classifiernet import LOWEST
from earmark.embeddingcard import EmbeddingCard
from earmark.errors import AudioError, ConfigError, ModelError
from earmark.head import Head, file_scores
from earmark.posteriors import Posteriors
from earmark.train.classifier import compose, write_classifier

RATE = 16_000
BACKBONE = EmbeddingCard(
    name="means",
    version="1",
    description="Means and mixtures of log-mel bands.",
    features={"name": "vggish", "patch_length": 50, "patch_hop": 25},
    embeddings={"mean": 64, "mixed": 8},
    licence="CC0-1.0",
)
CARD = ClassifierCard(
    name="mine",
    version="1",
    description="Low tones and high ones.",
    classes=("low", "high", "neither of both"),
    features=BACKBONE.features,
    backbone="means",
    embedding="mixed",
    dimension=8,
    fusion="late",
    head="d128",
    licence="CC0-1.0",
)
# Sees three frames on each side of a patch of two steps.
SEEING = replace(
    BACKBONE,
    name="seeing",
    features={"name": "kumar", "patch_length": 8, "patch_hop": 4},
    embeddings={"mean": 128},
    context=3,
)
SEEING_CARD = replace(
    CARD, features=SEEING.features, backbone="seeing", embedding="mean", dimension=128, context=3
)


def write_backbone(path: Path, opset: int = 17) -> Path:
    """Write a model with two embeddings, one of half-precision weights, whose values have a head's names."""
    node = helper.make_node
    axes = ["axes"] if opset >= 18 else []
    means = node("ReduceMean", ["patches", *axes], ["mean"], keepdims=0, **({} if axes else {"axes": [2]}))
    nodes = [
        means,
        node("Cast", ["scores"], ["clip"], to=onnx.TensorProto.FLOAT),
        node("MatMul", ["mean", "clip"], ["peak"]),
        node("Tanh", ["peak"], ["mixed"]),
    ]
    weights = {"scores": np.random.default_rng(1).normal(0, 0.1, (64, 8)).astype(np.float16)}
    if axes:
        weights["axes"] = np.array([2], np.int64)
    shapes: Any = [("mean", ("B", 64)), ("mixed", ("B", 8))]
    write_model(path, nodes, weights, BACKBONE, inputs=[("patches", ("B", 64, 50))], outputs=shapes)  # type: ignore[arg-type]
    if opset != 17:
        model = onnx.load(path)
        model.opset_import[0].version = opset
        path.write_bytes(model.SerializeToString())
    return path


def write_seeing(path: Path) -> Path:
    """Write a model with context: a smoothed course of the bands, then its means over patches."""
    nodes = [
        helper.make_node("Conv", ["patches", "kernel"], ["smooth"], group=128, pads=[3, 3]),
        helper.make_node("AveragePool", ["smooth"], ["means"], kernel_shape=[8], strides=[4]),
        helper.make_node("Transpose", ["means"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Squeeze", ["turned", "axis"], ["mean"]),
    ]
    weights = {"kernel": np.full((128, 1, 7), 1 / 7, np.float32), "axis": np.array([0], np.int64)}
    shapes: Any = {"inputs": [("patches", (1, 128, "T"))], "outputs": [("mean", ("n", 128))]}
    return write_model(path, nodes, weights, SEEING, **shapes)  # type: ignore[arg-type]


def a_head(d: int, k: int = 3, hidden: int | None = 5, seed: int = 3) -> Head:
    rng = np.random.default_rng(seed)
    sizes = [d, k] if hidden is None else [d, hidden, k]
    layers = tuple(
        (rng.normal(0, 0.4, (b, a)).astype(np.float32), rng.normal(0, 0.4, b).astype(np.float32))
        for a, b in itertools.pairwise(sizes)
    )
    low, span = rng.normal(0, 1, d).astype(np.float32), rng.uniform(0.5, 2, d).astype(np.float32)
    return Head("svm" if hidden is None else "d128", low, span, layers)


# Files


@pytest.mark.parametrize("hidden", [None, 5])
@pytest.mark.parametrize("opset", [17, 18])
def test_the_graph_answers_as_the_backbone_and_the_head_do(tmp_path: Path, hidden: Any, opset: int) -> None:
    backbone, head = write_backbone(tmp_path / "b.onnx", opset), a_head(8, hidden=hidden)
    path = tmp_path / "new" / "mine.onnx"
    write_classifier(path, backbone, "mixed", head, CARD)
    session = ort.InferenceSession(str(path))
    patches = np.random.default_rng(0).normal(0, 3, (7, 64, 50)).astype(np.float32)
    (embeddings,) = ort.InferenceSession(str(backbone)).run(["mixed"], {"patches": patches})
    # In two runs, as a long recording is heard.
    peak, scores = np.full((1, 8), LOWEST, np.float32), []
    for part in (patches[:3], patches[3:]):
        found, peak, clip = session.run(["scores", "peak_out", "clip"], {"patches": part, "peak": peak})
        scores.append(found)
    np.testing.assert_allclose(np.concatenate(scores), head.scores(embeddings), atol=1e-5)
    late, early = (file_scores(head, [embeddings], fusion)[0] for fusion in ("late", "early"))
    np.testing.assert_allclose(np.concatenate(scores).mean(axis=0), late, atol=1e-5)
    np.testing.assert_allclose(clip[0], early, atol=1e-5)
    assert np.abs(late - early).max() > 0.01
    # Nothing is left of the other embedding, nor of the backbone's card.
    assert {entry.name for entry in session.get_outputs()} == {"scores", "peak_out", "clip"}
    metadata = session.get_modelmeta().custom_metadata_map
    assert ClassifierCard.from_json(metadata.pop(METADATA_KEY), "x") == CARD
    assert metadata == {}


def test_what_only_other_embeddings_need_is_left_out(tmp_path: Path) -> None:
    card = replace(CARD, embedding="mean", dimension=64)
    model = onnx.load_from_string(compose(write_backbone(tmp_path / "b.onnx"), "mean", a_head(64), card))
    assert not {"Cast", "MatMul", "Tanh"} & {node.op_type for node in model.graph.node}
    assert not any("scores" in tensor.name for tensor in model.graph.initializer)


def test_windows_around_those_that_count_are_only_seen(tmp_path: Path) -> None:
    backbone, head = write_seeing(tmp_path / "b.onnx"), a_head(128)
    write_classifier(tmp_path / "mine.onnx", backbone, "mean", head, SEEING_CARD)
    features = np.random.default_rng(0).normal(0, 3, (1, 128, 28)).astype(np.float32)
    (embeddings,) = ort.InferenceSession(str(backbone)).run(["mean"], {"patches": features})
    assert len(embeddings) == 6
    given = {"patches": features, "peak": np.full((1, 128), LOWEST, np.float32)}
    session = ort.InferenceSession(str(tmp_path / "mine.onnx"))
    scores, peak, clip = session.run(
        ["scores", "peak_out", "clip"], {**given, "first": np.array([2]), "end": np.array([5])}
    )
    np.testing.assert_allclose(scores, head.scores(embeddings[2:5]), atol=1e-5)
    np.testing.assert_allclose(peak, embeddings[2:5].max(axis=0)[None])
    np.testing.assert_allclose(clip, file_scores(head, [embeddings[2:5]], "early"), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "embedding", "d", "k", "match"),
    [
        ({}, "median", 8, 3, "has no embedding 'median'; choose mean or mixed"),
        ({}, "mean", 8, 3, r"does not fit its parts: .* are \(64, 8, 3, 0"),
        ({}, "mixed", 9, 3, r"are \(8, 9, 3, 0"),
        ({}, "mixed", 8, 4, r"are \(8, 8, 4, 0"),
        ({"context": 3}, "mixed", 8, 3, "does not fit its parts"),
        ({"features": {"name": "vggish"}}, "mixed", 8, 3, "does not fit its parts"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    tmp_path: Path, changes: Any, embedding: str, d: int, k: int, match: str
) -> None:
    backbone = write_backbone(tmp_path / "b.onnx")
    with pytest.raises(ModelError, match=match):
        write_classifier(tmp_path / "mine.onnx", backbone, embedding, a_head(d, k), replace(CARD, **changes))
    assert not (tmp_path / "mine.onnx").exists()


def test_a_graph_that_disagrees_is_not_written(tmp_path: Path, monkeypatch: Any) -> None:
    backbone, head = write_backbone(tmp_path / "b.onnx"), a_head(8)
    other = compose(backbone, "mixed", a_head(8, seed=4), CARD)
    monkeypatch.setattr("earmark.train.classifier.compose", lambda *_: other)
    with pytest.raises(ModelError, match="disagrees with its parts on patches of shape"):
        write_classifier(tmp_path / "mine.onnx", backbone, "mixed", head, CARD)
    assert not (tmp_path / "mine.onnx").exists()


def test_a_card_survives_and_tells_what_follows_from_the_front_end() -> None:
    card = replace(CARD, hop=0.5)
    text = card.to_json()
    assert ClassifierCard.describes(text)
    assert not EmbeddingCard.describes(text)
    assert ClassifierCard.from_json(text, "x") == card
    fields = json.loads(text)
    assert (fields["kind"], fields["sample_rate"], fields["hop_s"]) == ("classifier", RATE, 0.5)
    for changes in ({"classes": ["a"]}, {"classes": ["a", "a"]}, {"fusion": "middle"}, {"dimension": 0},
                    {"hop": 0}, {"kind": "embedding"}, {"features": {"name": "none"}}):  # fmt: skip
        with pytest.raises(ModelError, match="the card in 'x' cannot be read"):
            ClassifierCard.from_json(json.dumps({**fields, **changes}), "x")


# Recordings

# Classes by the height of a tone: bands of VGGish's front end below and above about 1.5 kHz.
TONES = replace(CARD, classes=("low", "high"), embedding="mean", dimension=64)


def tone_head() -> Head:
    """Return a head for the means of bands: how much the lower exceed the upper ones, and the reverse."""
    weight = np.concatenate([np.full(32, 1 / 32), np.full(32, -1 / 32)]).astype(np.float32)
    layers = ((3 * np.stack([weight, -weight]), np.zeros(2, np.float32)),)
    return Head("svm", np.zeros(64, np.float32), np.ones(64, np.float32), layers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """Return a folder with classifiers of tones, fused late and early, one with context, and a backbone."""
    folder = tmp_path_factory.mktemp("models")
    backbone, seeing = write_backbone(folder / "means.onnx"), write_seeing(folder / "seeing.onnx")
    write_classifier(folder / "late.onnx", backbone, "mean", tone_head(), TONES)
    early = replace(TONES, name="early", fusion="early")
    write_classifier(folder / "early.onnx", backbone, "mean", tone_head(), early)
    for fusion in ("late", "early"):
        card = replace(SEEING_CARD, fusion=fusion)
        write_classifier(folder / f"seeing-{fusion}.onnx", seeing, "mean", a_head(128), card)
    return folder


@pytest.fixture
def sound(tone: Any) -> np.ndarray:
    """Eleven seconds: low from 0 to 5, high from 5 to 8, two of silence, high again."""
    return tone(11, 500, end=5) + tone(11, 4000, start=5, end=8) + tone(11, 4000, start=10)


def noise(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


@pytest.mark.parametrize("fusion", ["late", "early"])
@pytest.mark.parametrize(("kind", "rate"), [("", RATE), ("seeing-", 44_100)])
def test_a_recording_has_the_scores_that_fitting_sees(
    folder: Path, monkeypatch: Any, fusion: str, kind: str, rate: int
) -> None:
    samples = 0.3 * noise(9.3, rate) + 0.1 * np.sin(np.arange(round(9.3 * rate)) / 9).astype(np.float32)
    # In one piece, and as a long recording is heard, in several.
    for piece in (60.0, 2.0):
        monkeypatch.setattr("earmark.windows._PIECE_S", piece)
        classifier = Classifier(folder / f"{kind}{fusion}.onnx")
        found = classifier.classify(samples, rate)
        embeddings = Embedder(folder / ("seeing.onnx" if kind else "means.onnx"), "mean").embed(samples, rate)
        wanted = file_scores(a_head(128) if kind else tone_head(), [embeddings.values], fusion)[0]
        np.testing.assert_allclose(list(found.scores.values()), wanted, atol=1e-5)
        assert list(found.scores) == list(classifier.labels)
        assert (found.label, found.n_windows) == (classifier.labels[wanted.argmax()], len(embeddings.times))
        assert found.confidence == max(found.scores.values())
        assert found.duration == pytest.approx(9.3)


def test_recordings_are_classified_from_files(folder: Path, tmp_path: Path, tone: Any) -> None:
    for name, hz in (("low", 300), ("high", 5000)):
        write_audio(tmp_path / f"{name}.wav", tone(2, hz, rate=44_100), 44_100)
        found = earmark.classify(tmp_path / f"{name}.wav", folder / "late.onnx")
        assert found.label == name
        assert found.confidence > 0.9
        seen: list[Any] = []
        loaded = Classifier(folder / "early.onnx")
        again = earmark.classify(
            tmp_path / f"{name}.wav", loaded, progress=lambda *p, seen=seen: seen.append(p)
        )
        assert again.label == name
        assert seen == [(pytest.approx(2), pytest.approx(2))]


def test_a_lower_rate_than_any_that_was_learned_is_told(tmp_path: Path, tone: Any) -> None:
    backbone, model = write_backbone(tmp_path / "means.onnx"), tmp_path / "late.onnx"
    write_classifier(model, backbone, "mean", tone_head(), replace(TONES, trained={"lowest_rate": RATE}))
    said = []
    for rate in (RATE // 2, RATE, 44_100):
        write_audio(tmp_path / f"{rate}.wav", tone(2, 300, rate=rate), rate)
        said.append(earmark.classify(tmp_path / f"{rate}.wav", model).warnings)
    assert said[0] == (
        "has 8000 Hz, and what was learned 16000 Hz at least: above 4000 Hz nothing is left to tell classes "
        "by",
    )
    assert said[1:] == [(), ()]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), "the signal holds no samples; there is nothing to classify"),
        (np.zeros(20_000, np.float32), "holds nothing but digital silence; there is nothing to classify"),
        (np.full(9, np.nan, np.float32), "NaN"),
    ],
)
def test_what_has_no_sound_has_no_class(folder: Path, samples: np.ndarray, message: str) -> None:
    for fusion in ("late", "early"):
        with pytest.raises(AudioError, match=message):
            Classifier(folder / f"{fusion}.onnx").classify(samples, RATE)
    assert list(Detector(folder / "late.onnx").detect(np.zeros(20_000, np.float32), RATE)) == []


def test_a_signal_shorter_than_a_window_has_a_class(folder: Path, tone: Any) -> None:
    found = Classifier(folder / "late.onnx").classify(tone(0.2, 300), RATE)
    assert (found.label, found.n_windows, found.duration) == ("low", 1, 0.2)


# Timelines


def test_classes_are_marked_where_they_are_heard(folder: Path, sound: np.ndarray) -> None:
    found = Detector(folder / "late.onnx").detect(sound, RATE)
    assert found.labels == ("low", "high")
    assert [s.label for s in found] == ["low", "high", "high"]
    edges = [edge for s in found for edge in (s.start, s.end)]
    np.testing.assert_allclose(edges, [0, 5, 5, 8, 10, 11], atol=0.26)
    assert found[-1].end == found.duration == 11
    assert all(s.confidence is not None and s.confidence > 0.7 for s in found)
    # One at a time.
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    filled = earmark.detect(sound, RATE, model=folder / "late.onnx", min_gap=3.0)
    assert [s.label for s in filled] == ["low", "high"]
    none = Detector(folder / "late.onnx", {"high": {"min_duration": 20}}).detect(sound, RATE)
    assert {s.label for s in none} == {"low"}


@pytest.mark.parametrize("rate", [RATE, 22_050])
def test_the_timeline_does_not_depend_on_how_a_signal_is_cut(
    folder: Path, monkeypatch: Any, sound: np.ndarray, rate: int
) -> None:
    for name in ("late", "seeing-late"):
        labels = Classifier(folder / f"{name}.onnx").labels
        detector = Detector(folder / f"{name}.onnx", {label: {"smooth": 0.5} for label in labels})
        posteriors: list[Posteriors] = []
        whole = list(detector.stream([sound], rate, posterior_sink=posteriors.append))
        assert whole
        for n_blocks in (2, 31):
            parts: list[Posteriors] = []
            blocks = np.array_split(sound, n_blocks)
            assert list(detector.stream(blocks, rate, posterior_sink=parts.append)) == whole
            assert np.array_equal(
                Posteriors.concatenate(parts).values, Posteriors.concatenate(posteriors).values
            )
        helped = list(detector.model.stream([sound], rate, threaded=True))
        assert np.array_equal(
            Posteriors.concatenate(helped).values, Posteriors.concatenate(posteriors).values
        )
    # Nor, where a front end measures nothing over the whole, on the pieces it is heard in.
    detector = Detector(folder / "late.onnx")
    whole = list(detector.stream([sound], rate))
    monkeypatch.setattr("earmark.windows._PIECE_S", 1.0)
    assert len(list(Classifier(folder / "late.onnx").stream([sound], rate))) > 5
    assert list(detector.stream([sound], rate)) == whole


def test_cells_have_the_scores_of_the_window_around_their_middle(folder: Path) -> None:
    classifier, samples = Classifier(folder / "late.onnx"), noise(3.1)
    samples[RATE:] *= np.linspace(0, 1, len(samples) - RATE, dtype=np.float32)
    embeddings = Embedder(folder / "means.onnx", "mean").embed(samples, RATE)
    scores = tone_head().scores(embeddings.values)
    found = Posteriors.concatenate(list(classifier.stream([samples], RATE)))
    assert (len(found), found.hop_s, found.duration) == (13, 0.25, pytest.approx(3.1))
    middles = (np.arange(len(found)) + 0.5) * found.hop_s
    nearest = np.abs(embeddings.times[:, None] - middles).argmin(axis=0)
    np.testing.assert_allclose(found.values, scores[nearest], atol=1e-5)


def test_what_decides_recordings_as_a_whole_marks_nothing(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"early.onnx' decides recordings as a whole \(fusion early\)"):
        Detector(folder / "early.onnx")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"release": 0.3}, "unknown option 'release'; there are threshold, min_duration, min_gap, smooth"),
        ({"threshold": 1.0}, "threshold 1.0: it must be 0 or more and below 1"),
    ],
)
def test_options_of_other_models_are_refused(folder: Path, options: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Detector(folder / "late.onnx", {"low": options})
    with pytest.raises(ConfigError, match="got DecodeOptions; this model takes CourseOptions"):
        Detector(folder / "late.onnx", {"low": DecodeOptions()})


# Models of other kinds


def test_models_of_other_kinds_say_what_they_are_for(folder: Path, tiny_model_path: Path) -> None:
    late, means = folder / "late.onnx", folder / "means.onnx"
    for make, path, message in (
        (Classifier, tiny_model_path, "marks recordings and tells no classes; use it with: earmark detect"),
        (Classifier, means, "gives embeddings and tells no classes; use it with: earmark embed --model"),
        (Embedder, late, f"of recordings and gives no embeddings; use it with: earmark classify {late}"),
        (Detector, means, "gives embeddings and marks nothing; use it with: earmark embed --model"),
    ):
        with pytest.raises(ModelError, match=message):
            make(path)
    card = load_card(late)
    assert isinstance(card, ClassifierCard)
    assert isinstance(load_model(late), Classifier)


def test_damaged_classifiers_are_refused(folder: Path, tmp_path: Path) -> None:
    def changed(card: ClassifierCard) -> Path:
        model = onnx.load(folder / "late.onnx")
        model.metadata_props[0].value = card.to_json()
        (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
        return tmp_path / "x.onnx"

    for card, match in (
        (replace(TONES, classes=("a", "b", "c")), "returned shapes"),
        (
            replace(TONES, context=3),
            "it must take patches, peak, first, end and return scores, peak_out, clip",
        ),
        (replace(TONES, dimension=9), "does not run on its card's input"),
    ):
        with pytest.raises(ModelError, match=match):
            Classifier(changed(card))
    model = onnx.load(folder / "late.onnx")
    for tensor in model.graph.initializer:
        if tensor.name == "bias0":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.full(2, np.nan, np.float32), "bias0"))
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="scores that do not sum to 1; its weights are damaged"):
        Classifier(tmp_path / "x.onnx")
