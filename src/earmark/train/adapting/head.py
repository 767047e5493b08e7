"""The last layer of a detector's graph: found, cut off, and put back with other weights.

A graph that can be adapted ends so, whatever comes before; the middle three are not there where a step of the
network answers for one frame::

    hidden -> Conv, width 1 -> [Reshape -> Transpose -> Reshape] -> Slice -> Sigmoid -> posteriors
    (1, C, S)   (1, R * K, S)                                                           (1, T, K)

A step answers for R frames in turn, and row ``r * K + k`` of the layer is label k of the step's frame r.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from earmark.card import METADATA_KEY, ModelCard
from earmark.errors import ModelError
from earmark.modelfile import one_line, open_session
from earmark.train.graph import prune

FloatArray = npt.NDArray[np.float64]

_OUTPUT = "posteriors"
_PASSED = frozenset({"Sigmoid", "Slice", "Reshape", "Transpose"})
# Largest difference of a posterior between the graph and what is computed here.
_TOLERANCE = 1e-4
_LENGTHS = (1, 2, 7, 403)


@dataclass(frozen=True)
class Head:
    """The weights of a last layer.

    Parameters
    ----------
    weights : float, shape=(R, K, C + 1)
        The last column is the bias.
    """

    weights: FloatArray

    @property
    def n_turns(self) -> int:
        """R, the frames that a step answers for."""
        return self.weights.shape[0]

    def logits(self, hidden: npt.NDArray[np.float32], frames: npt.NDArray[np.intp]) -> FloatArray:
        """Return the logits of frames, shape=(n, K), of the activations of their steps, shape=(n, C)."""
        turn = frames % self.n_turns
        found = np.empty((len(frames), self.weights.shape[1]))
        for r, weights in enumerate(self.weights):
            found[turn == r] = hidden[turn == r].astype(np.float64) @ weights[:, :-1].T + weights[:, -1]
        return found

    def changed(self, changes: FloatArray) -> Head:
        """Return it with the changes, shape=(K', C + 1), added; labels behind the first K are new."""
        turns, n_labels, width = self.weights.shape
        weights = np.zeros((turns, len(changes), width))
        weights[:, :n_labels] = self.weights
        return Head(weights + changes)


class HeadedGraph:
    """A detector's graph that can be adapted.

    Parameters
    ----------
    data : bytes
        The model file.
    card : ModelCard
    origin : str
        Names the model in messages.

    Attributes
    ----------
    head : Head

    Raises
    ------
    ModelError
        If the graph ends in another way.
    """

    def __init__(self, data: bytes, card: ModelCard, origin: str) -> None:
        self.card, self.origin = card, origin
        self._data = data
        model = onnx.load_from_string(data)
        tail = _tail(model.graph)
        layer = tail[-1] if tail else None
        weights = None if layer is None else _weights(model.graph, layer)
        if layer is None or weights is None or len(weights) % len(card.labels):
            raise self._refusal()
        self.head = Head(weights.reshape(-1, len(card.labels), weights.shape[1]))
        self._hidden = layer.input[0]
        try:
            self._check(data, self.head)
        except ModelError as err:
            raise self._refusal() from err

    def cut(self) -> bytes:
        """Return the graph from log-mel frames to `hidden`, its only output."""
        model = onnx.load_from_string(self._data)
        graph = model.graph
        prune(graph, self._hidden)
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info(self._hidden, onnx.TensorProto.FLOAT, None))
        return model.SerializeToString()

    def with_head(self, head: Head, card: ModelCard) -> bytes:
        """Return the model file with another last layer and card.

        Raises
        ------
        ModelError
            If the new graph does not answer as it must.
        """
        model = onnx.load_from_string(self._data)
        graph = model.graph
        tail = _tail(graph)
        layer, n_labels = tail[-1], len(card.labels)
        weights = head.weights.reshape(-1, head.weights.shape[2]).astype(np.float32)
        _put(graph, layer, 1, weights[:, :-1, None])
        _put(graph, layer, 2, weights[:, -1])
        if n_labels != len(self.card.labels):
            for node in tail:
                if node.op_type == "Reshape":
                    shape = _constant(graph, node.input[1])
                    if shape is None or len(shape) < 3 or shape[2] != len(self.card.labels):
                        raise self._refusal()
                    _put(graph, node, 1, np.array([*shape[:2], n_labels, *shape[3:]], np.int64))
            output = next(one for one in graph.output if one.name == _OUTPUT)
            output.type.tensor_type.shape.dim[2].dim_value = n_labels
            del graph.value_info[:]
        _drop_unused(graph)
        del model.metadata_props[:]
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, card.to_json()
        model.producer_name, model.doc_string = "earmark", card.description
        onnx.checker.check_model(model)
        data = model.SerializeToString()
        self._check(data, head)
        return data

    def _check(self, data: bytes, head: Head) -> None:
        """Compare a graph's posteriors with those of a head over this graph's activations."""
        whole, cut = (open_session(one, self.origin, 1) for one in (data, self.cut()))
        rng = np.random.default_rng(0)
        for length in _LENGTHS:
            log_mel = rng.uniform(-90, 0, (1, self.card.front_end.n_mels, length)).astype(np.float32)
            frames = np.arange(length)
            steps = frames // head.n_turns
            try:
                found = whole.run([_OUTPUT], {"log_mel": log_mel})[0][0]
                hidden = activations(cut, log_mel[0])
            except Exception as err:  # onnxruntime's errors share no other base
                raise ModelError(f"model '{self.origin}' does not run ({one_line(err)})") from err
            if len(hidden) <= steps[-1]:
                raise ModelError(f"model '{self.origin}': {len(hidden)} steps for {length} frames")
            wanted = 1 / (1 + np.exp(-head.logits(hidden[steps], frames)))
            if found.shape != wanted.shape or np.abs(found - wanted).max() > _TOLERANCE:
                raise ModelError(f"model '{self.origin}' would not answer as its last layer does")

    def _refusal(self) -> ModelError:
        return ModelError(
            f"model '{self.origin}' cannot be adapted: its posteriors do not come from one layer over hidden "
            "channels; give 'detector', or a model that earmark train or earmark adapt has made"
        )


def activations(session: ort.InferenceSession, log_mel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Run a graph that `HeadedGraph.cut` made; return float32, shape=(S, C), of (n_mels, T) frames."""
    return session.run(None, {"log_mel": np.ascontiguousarray(log_mel[None])})[0][0].T


def _tail(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes from the posteriors back to the layer; none if there is something else between."""
    made_by = {name: node for node in graph.node for name in node.output}
    tail: list[onnx.NodeProto] = []
    node = made_by.get(_OUTPUT)
    while node is not None and node.op_type in _PASSED:
        tail.append(node)
        node = made_by.get(node.input[0])
    return [*tail, node] if node is not None and node.op_type == "Conv" else []


def _weights(graph: onnx.GraphProto, layer: onnx.NodeProto) -> FloatArray | None:
    """Return a layer's weights and, last, its biases, shape=(rows, C + 1); None if it looks around."""
    values = [_constant(graph, name) for name in layer.input[1:] if name]
    settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in layer.attribute}
    if any(value is None for value in values) or settings.get("group", 1) != 1:
        return None
    weights, biases = values[0], values[1] if len(values) > 1 else np.zeros(len(values[0]))
    if weights.ndim != 3 or weights.shape[2] != 1 or settings.get("strides", [1]) != [1]:
        return None
    return np.column_stack([weights[:, :, 0], biases]).astype(np.float64)


def _constant(graph: onnx.GraphProto, name: str) -> npt.NDArray[np.generic] | None:
    """Return a value that does not depend on the input: a stored one, maybe in another precision."""
    for tensor in graph.initializer:
        if tensor.name == name:
            return numpy_helper.to_array(tensor)
    for node in graph.node:
        if name in node.output and node.op_type == "Constant":
            return numpy_helper.to_array(helper.get_attribute_value(node.attribute[0]))
        if name in node.output and node.op_type == "Cast":
            return _constant(graph, node.input[0])
    return None


def _put(graph: onnx.GraphProto, node: onnx.NodeProto, place: int, value: npt.NDArray[np.generic]) -> None:
    """Let a node read a stored value of its own in a place."""
    node.input.extend([""] * (place + 1 - len(node.input)))
    taken = {name for other in graph.node for name in (*other.input, *other.output)}
    taken |= {tensor.name for tensor in graph.initializer}
    stem = (node.input[place] or f"{node.input[1]}_bias").partition("#")[0]
    name = next(new for i in range(len(taken) + 1) if (new := f"{stem}#{i}") not in taken)
    node.input[place] = name
    graph.initializer.append(numpy_helper.from_array(value, name))


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Drop stored values that nothing reads, and nodes that only pass such on."""
    while True:
        read = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
        nodes = [
            node
            for node in graph.node
            if node.op_type not in ("Cast", "Constant") or not read.isdisjoint(node.output)
        ]
        stored = [tensor for tensor in graph.initializer if tensor.name in read]
        if len(nodes) == len(graph.node) and len(stored) == len(graph.initializer):
            return
        _replace(graph.node, nodes)
        _replace(graph.initializer, stored)


def _replace(items: object, kept: Sequence[object]) -> None:
    del items[:]  # type: ignore[attr-defined]
    items.extend(kept)  # type: ignore[attr-defined]
