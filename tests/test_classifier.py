"""Classifiers of recordings: their files."""

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

from earmark.card import METADATA_KEY
from earmark.classifiercard import ClassifierCard
from earmark.embeddingcard import EmbeddingCard
from earmark.errors import ModelError
from earmark.head import Head, file_scores
from earmark.train.classifier import LOWEST, compose, write_classifier

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
