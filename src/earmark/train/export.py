"""From trained weights to a model file: an ONNX graph from log-mel to posteriors, with its card inside."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from earmark.card import METADATA_KEY, ModelCard
from earmark.errors import ModelError
from earmark.files import atomic_write
from earmark.train.networks import RATIO_DB, DetectorNet

# Largest difference of a posterior between the trained network and its exported graph, and between that
# and the graph with its weights stored in half precision.
_TOLERANCE, _HALF_TOLERANCE = 1e-4, 1e-2
# Smaller constants stay as they are.
_LARGE = 1000


class _Exported(nn.Module):
    """The network as `detect` runs it: probabilities and decibels, no training-only task."""

    def __init__(self, net: DetectorNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.net(log_mel)
        return outputs.logits.sigmoid(), RATIO_DB * outputs.ratio


def export(net: DetectorNet, card: ModelCard, path: Path) -> None:
    """Write `net` and its card to `path`, after checking that the graph gives the network's answers.

    Raises
    ------
    ModelError
        If the exported graph disagrees with the network.
    """
    module = _Exported(net).eval()
    example = torch.full((1, card.front_end.n_mels, 400), -60.0)
    # The exporter tells at length which packages it could also have registered.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    program = torch.onnx.export(
        module,
        (example,),
        input_names=["log_mel"],
        output_names=["posteriors", "speech_to_music_db"],
        dynamic_shapes=({2: torch.export.Dim("T", min=2)},),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise ModelError("the network could not be turned into a graph; nothing written")
    model = program.model_proto
    model.producer_name, model.doc_string = "earmark", card.description
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, card.to_json()
    onnx.checker.check_model(model)
    _check(module, model.SerializeToString(), card.front_end.n_mels, _TOLERANCE)
    _halve(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    _check(module, data, card.front_end.n_mels, _HALF_TOLERANCE)
    with atomic_write(path, binary=True) as file:
        file.write(data)


def _halve(model: onnx.ModelProto) -> None:
    """Store large weights in half precision; the runtime turns them back when it loads the model."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < _LARGE:
            continue
        name, stored = tensor.name, f"{tensor.name}.half"
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _check(module: nn.Module, data: bytes, n_mels: int, tolerance: float) -> None:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for n_frames in (1, 2, 7, 401):
        log_mel = rng.uniform(-90, 0, (1, n_mels, n_frames)).astype(np.float32)
        with torch.no_grad():
            wanted = module(torch.from_numpy(log_mel))[0].numpy()
        found = session.run(None, {"log_mel": log_mel})[0]
        if found.shape != wanted.shape or float(np.abs(found - wanted).max()) > tolerance:
            raise ModelError(
                f"the exported graph disagrees with the network on {n_frames} frames; nothing written"
            )
