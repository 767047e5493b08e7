"""Products in whole numbers: what a network's large matrices multiply, in 8 bits, several times as fast.

A matrix has a step for each of its columns, what it is multiplied with one step for all, from the range that
calibration saw; the sums are exact, and what comes out is float again.  Everything else stays as it was.

Weights have 7 of the 8 bits: on processors without instructions of their own for it, pairs of products are
added in 16 bits, and could overflow.  So a model answers the same everywhere.

References
----------
B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from earmark.train.graph import prune
from earmark.train.models.framewise import Dense

Ranges = Mapping[str, tuple[float, float]]

_LARGEST_WEIGHT, _LARGEST_SUM = 64, 2**31 - 1
# Operations that move values and change none; of their inputs, how many are values.
_MOVES = {"Reshape": 1, "Gather": 1, "Pad": 1, "Concat": None}


@torch.no_grad()
def calibrate(net: nn.Module, patches: Iterable[Tensor]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the greatest value that every `Dense` of a network is given, by its name.

    Parameters
    ----------
    net : nn.Module
    patches : iterable of float32, shape=(B, F, T)
        Like those it will be given.
    """
    ranges: dict[str, tuple[float, float]] = {}

    def seen(name: str, x: Tensor) -> None:
        low, high = ranges.get(name, (0.0, 0.0))  # zeros are put around
        ranges[name] = min(low, float(x.min())), max(high, float(x.max()))

    hooks = [
        module.register_forward_pre_hook(lambda _, given, name=name: seen(name, given[0]))
        for name, module in net.named_modules()
        if isinstance(module, Dense)
    ]
    try:
        for some in patches:
            net(some)
    finally:
        for hook in hooks:
            hook.remove()
    return ranges


def quantise(model: onnx.ModelProto, ranges: Ranges) -> None:
    """Let a graph multiply in whole numbers.

    Parameters
    ----------
    model : onnx.ModelProto
        Of a network with `Dense` layers and one output; it is changed.
    ranges : mapping
        What `calibrate` found.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    # Of equal ones the exporter keeps one.
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    made = _Made(graph)
    for node in graph.node:
        name = node.input[1].removesuffix(".weight") if node.op_type == "Gemm" else ""
        if name in ranges:
            matrix, bias = (numpy_helper.to_array(weights[which]) for which in node.input[1:3])
            made.product(node, name, matrix, bias, *ranges[name])
        else:
            made.nodes.append(node)
    nodes = list(made.nodes)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    prune(graph, graph.output[0].name)
    onnx.checker.check_model(model)


class _Made:
    """The nodes of the graph to be."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._graph = graph
        self._producers = {output: node for node in graph.node for output in node.output}
        self._whole: dict[tuple[str, str], str] = {}
        self._steps: dict[tuple[float, int], str] = {}

    def product(
        self,
        node: onnx.NodeProto,
        name: str,
        matrix: npt.NDArray[np.floating],
        bias: npt.NDArray[np.floating],
        low: float,
        high: float,
    ) -> None:
        """Add a product of rows with a matrix, (n_out, n_in), in whole numbers."""
        step = max(high - low, 1e-9) / 255
        zero = round(-low / step)
        steps = np.maximum(np.abs(matrix).max(axis=1) / _LARGEST_WEIGHT, 1e-9)
        whole = np.round(matrix / steps[:, None]).astype(np.int8)
        sums = np.clip(np.round(bias / (step * steps)), -_LARGEST_SUM, _LARGEST_SUM).astype(np.int32)
        key = self._step(np.float32(step), zero)
        given = self._value(node.input[0], key)
        self._constant(f"{name}.matrix", whole)
        self._constant(f"{name}.sums", sums)
        self._constant(f"{name}.steps", steps.astype(np.float32))
        self._constant(f"{name}.bias_steps", (np.float32(step) * steps).astype(np.float32))
        self._constant(f"{name}.zeros", np.zeros(len(steps), np.int8))
        self._constant(f"{name}.bias_zeros", np.zeros(len(steps), np.int32))
        parts = (
            [given, f"{key}.step", f"{key}.zero"],
            [f"{name}.matrix", f"{name}.steps", f"{name}.zeros"],
            [f"{name}.sums", f"{name}.bias_steps", f"{name}.bias_zeros"],
        )
        outputs = [f"{name}.given", f"{name}.float_matrix", f"{name}.float_bias"]
        for part, output in zip(parts, outputs, strict=True):
            self.nodes.append(helper.make_node("DequantizeLinear", part, [output], axis=0))
        self.nodes.append(helper.make_node("Gemm", outputs, node.output, transB=1))

    def _step(self, step: np.float32, zero: int) -> str:
        """Return the name of a step and what 0 is in it."""
        at = (float(step), zero)
        if at not in self._steps:
            self._steps[at] = f"scale{len(self._steps)}"
            self._constant(f"{self._steps[at]}.step", np.asarray(step, np.float32))
            self._constant(f"{self._steps[at]}.zero", np.asarray(zero, np.uint8))
        return self._steps[at]

    def _value(self, name: str, key: str) -> str:
        """Return the name of a value in whole numbers: made before it is moved about, as they are smaller."""
        if (name, key) in self._whole:
            return self._whole[name, key]
        node, whole = self._producers.get(name), f"{name}.{key}"
        if node is None or node.op_type not in _MOVES:
            wanted = [name, f"{key}.step", f"{key}.zero"]
            self.nodes.append(helper.make_node("QuantizeLinear", wanted, [whole]))
        else:
            moved, n_values = onnx.NodeProto(), _MOVES[node.op_type]
            moved.CopyFrom(node)
            inputs: Sequence[str] = list(node.input)
            if node.op_type == "Pad":
                inputs = [*inputs[:2], f"{key}.zero"]
            n_values = n_values or len(inputs)
            moved.input[:] = [*(self._value(v, key) for v in inputs[:n_values]), *inputs[n_values:]]
            moved.output[:], moved.name = [whole], ""
            self.nodes.append(moved)
        self._whole[name, key] = whole
        return whole

    def _constant(self, name: str, value: npt.NDArray[np.generic]) -> None:
        self._graph.initializer.append(numpy_helper.from_array(value, name))
