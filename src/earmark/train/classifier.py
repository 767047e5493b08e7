"""One model file of a network for embeddings and a classifier of those, made by the onnx package alone.

The graph::

    patches -> network -> embedding -+-> scale, layers, softmax -> scores     every window's
                                     |
    peak ------------------> maximum +-> peak_out -> the same    -> clip      the recording's, fused early

`peak` begins as `LOWEST` and is then what the run before gave as `peak_out`, so that a recording of any
length is decided in runs of few windows.  A network with context also takes `first` and `end`: those of its
windows that count; what lies around them is only seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import compose as onnx_compose
from onnx import helper, numpy_helper

from earmark.card import METADATA_KEY
from earmark.classifiercard import ClassifierCard
from earmark.classifiernet import LOWEST
from earmark.embeddingcard import EmbeddingCard
from earmark.errors import ModelError
from earmark.files import atomic_write
from earmark.head import FloatArray, Head
from earmark.modelfile import open_model, read_model
from earmark.train.graph import prune

# Largest difference of a score between the graph and the head.
_TOLERANCE = 1e-4
# Since then, ReduceMax takes its axes as an input.
_AXES_AS_INPUT = 18


def compose(backbone: str | Path, embedding: str, head: Head, card: ClassifierCard) -> bytes:
    """Join a network for embeddings and a classifier into one ONNX file.

    Parameters
    ----------
    backbone : str or Path
        Name or path of a model for embeddings.
    embedding : str
        Which of its embeddings is classified; the others are left out.
    head : Head
        Fitted on that embedding.
    card : ClassifierCard
        Of the model to be made.

    Raises
    ------
    ModelError
        If the three do not fit together, or the backbone cannot be read.
    """
    model = onnx.load_from_string(read_model(backbone))
    _check_parts(backbone, embedding, head, card)
    graph = model.graph
    kept = [given for given in graph.input if given.name == "patches"]
    del graph.input[:]
    graph.input.extend(kept)
    # Nothing of the backbone's can then have a name of ours.
    model = onnx_compose.add_prefix(model, "backbone.", rename_inputs=False)
    graph = model.graph
    found = f"backbone.{embedding}"
    prune(graph, found)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    nodes, weights = _classifier(head, found, card, opset)
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    one = (1, card.dimension)
    graph.input.append(helper.make_tensor_value_info("peak", onnx.TensorProto.FLOAT, one))
    if card.context:
        graph.input.extend(
            helper.make_tensor_value_info(name, onnx.TensorProto.INT64, (1,)) for name in ("first", "end")
        )
    del graph.output[:]
    shapes: dict[str, tuple[str | int, int]] = {
        "scores": ("n", head.n_classes),
        "peak_out": one,
        "clip": (1, head.n_classes),
    }
    for name, shape in shapes.items():
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, card.to_json()
    model.producer_name, model.doc_string = "earmark", card.description
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_classifier(
    path: Path, backbone: str | Path, embedding: str, head: Head, card: ClassifierCard
) -> None:
    """Write what `compose` makes, after checking on random patches that it answers as the parts do.

    Raises
    ------
    ModelError
        If the parts do not fit together, or the graph disagrees with them; nothing is written then.
    EarmarkError
        If the file cannot be written.
    """
    data = compose(backbone, embedding, head, card)
    _check(data, backbone, embedding, head, card)
    with atomic_write(path, binary=True) as file:
        file.write(data)


def _check_parts(backbone: str | Path, embedding: str, head: Head, card: ClassifierCard) -> None:
    file = open_model(backbone)
    if not EmbeddingCard.describes(file.card):
        raise ModelError(
            f"model '{backbone}' gives no embeddings; choose one that does (see: earmark models)"
        )
    behind = EmbeddingCard.from_json(file.card, file.origin)
    if embedding not in behind.embeddings:
        names = " or ".join(behind.embeddings)
        raise ModelError(f"model '{backbone}' has no embedding '{embedding}'; choose {names}")
    given = (
        behind.embeddings[embedding],
        head.n_features,
        head.n_classes,
        behind.context,
        dict(behind.features),
    )
    wanted = (card.dimension, card.dimension, len(card.classes), card.context, dict(card.features))
    if given != wanted:
        raise ModelError(
            f"the card of '{card.name}' does not fit its parts: dimension of the embedding and of the head, "
            f"classes, context and features are {given}, by the card {wanted}"
        )


def _classifier(
    head: Head, embedding: str, card: ClassifierCard, opset: int
) -> tuple[list[onnx.NodeProto], dict[str, npt.NDArray[np.generic]]]:
    """Return the nodes behind an embedding, and their weights."""
    node = helper.make_node
    nodes: list[onnx.NodeProto] = []
    weights: dict[str, npt.NDArray[np.generic]] = {
        "low": head.low.astype(np.float32),
        "span": head.span.astype(np.float32),
    }
    as_input = opset >= _AXES_AS_INPUT
    if as_input or card.context:
        weights["windows"] = np.zeros(1, np.int64)
    for i, (weight, bias) in enumerate(head.layers):
        weights[f"weight{i}"], weights[f"bias{i}"] = weight.astype(np.float32), bias.astype(np.float32)
    if card.context:
        nodes.append(node("Slice", [embedding, "first", "end", "windows"], ["counted"]))
        embedding = "counted"
    if as_input:
        nodes.append(node("ReduceMax", [embedding, "windows"], ["highest"], keepdims=1))
    else:
        nodes.append(node("ReduceMax", [embedding], ["highest"], axes=[0], keepdims=1))
    nodes.append(node("Max", ["highest", "peak"], ["peak_out"]))
    for values, scores in ((embedding, "scores"), ("peak_out", "clip")):
        nodes += [
            node("Sub", [values, "low"], [f"{scores}.above"]),
            node("Div", [f"{scores}.above", "span"], [f"{scores}.scaled"]),
        ]
        at = f"{scores}.scaled"
        for i in range(len(head.layers)):
            if i:
                nodes.append(node("Relu", [at], [f"{scores}.relu{i}"]))
                at = f"{scores}.relu{i}"
            nodes.append(node("Gemm", [at, f"weight{i}", f"bias{i}"], [f"{scores}.dense{i}"], transB=1))
            at = f"{scores}.dense{i}"
        nodes.append(node("Softmax", [at], [scores], axis=1))
    return nodes, weights


def _check(data: bytes, backbone: str | Path, embedding: str, head: Head, card: ClassifierCard) -> None:
    """Compare a composed graph with the backbone and the head by themselves."""
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    embed = open_model(backbone).session
    extractor, rng = card.extractor(), np.random.default_rng(0)
    peak = np.full((1, card.dimension), LOWEST, np.float32)
    for patches, counted in _examples(card, extractor.n_bands, extractor.patch_length, extractor.step, rng):
        (embeddings,) = embed.run([embedding], {"patches": patches})
        counts = {} if counted is None else {"first": np.array([counted[0]]), "end": np.array([counted[1]])}
        found = session.run(["scores", "peak_out", "clip"], {"patches": patches, "peak": peak, **counts})
        embeddings = embeddings if counted is None else embeddings[slice(*counted)]
        peak = np.maximum(peak, embeddings.max(axis=0))
        _compare(found, (head.scores(embeddings), peak, head.scores(peak)), patches.shape)


def _examples(
    card: ClassifierCard, bands: int, length: int, step: int, rng: np.random.Generator
) -> Iterator[tuple[FloatArray, tuple[int, int] | None]]:
    """Yield patches, and which of the windows in them count, if that is to be told."""
    for n, counted in ((3, (1, 3)), (1, (0, 1)), (5, (0, 4))):
        if card.context:
            shape = (1, bands, length + (n - 1) * step)
            yield rng.normal(size=shape).astype(np.float32), counted
        else:
            yield rng.normal(size=(n, bands, length)).astype(np.float32), None


def _compare(found: Sequence[FloatArray], wanted: Sequence[FloatArray], shape: tuple[int, ...]) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        largest = _TOLERANCE * max(1.0, float(np.abs(theirs).max()))
        if ours.shape != theirs.shape or not float(np.abs(ours - theirs).max()) <= largest:
            raise ModelError(
                f"the joined graph disagrees with its parts on patches of shape {shape}; nothing written"
            )
