"""From trained weights to a model file: an ONNX graph from features to posteriors, with its card inside."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from earmark.card import METADATA_KEY, ModelCard
from earmark.decodings import FrameThresholds
from earmark.embeddingcard import EmbeddingCard
from earmark.errors import ModelError
from earmark.files import atomic_write
from earmark.modelfile import one_line
from earmark.patchcard import PatchCard
from earmark.train.models.framewise import Framewise
from earmark.train.networks import RATIO_DB, DetectorNet
from earmark.train.quantise import calibrate, quantise

AnyCard = ModelCard | PatchCard | EmbeddingCard

# Largest difference of a posterior between the trained network and its exported graph, and between that
# and the graph with its weights stored in half precision.
_TOLERANCE, _HALF_TOLERANCE = 1e-4, 1e-2
# Largest share of their power that embeddings by products in whole numbers may be off.
_WHOLE_ERROR = 0.1
# Of graphs with recurrent layers; frames of the input they are made with.
_OPSET, _EXAMPLE_FRAMES = 18, 30
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
    outputs = ["posteriors", "speech_to_music_db"]
    model = _graph(module, example, "log_mel", outputs, {2: torch.export.Dim("T", min=2)}, card)
    _write_checked(module, model, "log_mel", _log_mels(card.front_end.n_mels), path, half=True)


def export_patches(net: nn.Module, card: PatchCard, path: Path) -> None:
    """Write a network for patches and its card to `path`, in full precision.

    Parameters
    ----------
    net : nn.Module
        (B, F, L) to probabilities: (B, K), or (B, T, K) of a network that answers frames, which is written
        for a batch of 1 and any T.
    card : PatchCard
    path : Path

    Raises
    ------
    ModelError
        If the exported graph disagrees with the network.
    """
    net = net.eval()
    extractor = card.extractor()
    bands, length = extractor.n_bands, extractor.patch_length
    if isinstance(card.decode, FrameThresholds):
        shapes = [(1, bands, n) for n in (_EXAMPLE_FRAMES, 1, 7)]
        free = {"patches": {2: "T"}, "posteriors": {1: "T"}}
        model = _traced_graph(net, torch.zeros(*shapes[0]), ["posteriors"], free, card)
    else:
        shapes = [(n, bands, length) for n in (2, 1, 7)]
        batch = {0: torch.export.Dim("B", min=1)}
        model = _graph(net, torch.zeros(*shapes[0]), "patches", ["posteriors"], batch, card)
    _write_checked(net, model, "patches", _patches(shapes), path)


def export_embeddings(net: nn.Module, card: EmbeddingCard, path: Path, *, half: bool = False) -> None:
    """Write a network for embeddings and its card to `path`.

    Parameters
    ----------
    net : nn.Module
        Patches (B, F, L) to all embeddings of the card, (B, D) each; or, if the card has a context, features
        (1, F, T) to (n, D).
    card : EmbeddingCard
    path : Path
    half : bool
        Store large weights in half precision.

    Raises
    ------
    ModelError
        If the exported graph disagrees with the network.
    """
    net = net.eval()
    extractor = card.extractor()
    bands, length, names = extractor.n_bands, extractor.patch_length, list(card.embeddings)
    if card.context:
        shapes = [(1, bands, n) for n in (length + extractor.step, length, length + 1)]
        free = {"patches": {2: "T"}, **{name: {0: "n"} for name in names}}
        model = _traced_graph(net, torch.zeros(*shapes[0]), names, free, card)
    else:
        shapes = [(n, bands, length) for n in (2, 1)]
        batch = {0: torch.export.Dim("B", min=1)}
        model = _graph(net, torch.zeros(*shapes[0]), "patches", names, batch, card)
    _write_checked(net, model, "patches", _patches(shapes), path, half=half)


def export_framewise(net: Framewise, card: EmbeddingCard, path: Path, crops: Sequence[Tensor] = ()) -> None:
    """Write a network for embeddings whose frames are rows of products, and its card to `path`.

    Parameters
    ----------
    net : Framewise
        Patches (B, F, L) to the card's embedding, (B, D).
    card : EmbeddingCard
    path : Path
    crops : sequence of float32, shape=(B, F, L)
        Like those it will be given, to have the products in whole numbers: what these are calibrated by.

    Raises
    ------
    ModelError
        If the exported graph disagrees with the network.
    """
    net = net.eval()
    extractor, (name,) = card.extractor(), card.embeddings
    shapes = [(n, extractor.n_bands, extractor.patch_length) for n in (2, 1)]
    free = {"patches": {0: "B"}, name: {0: "B"}}
    model = _traced_graph(net, torch.zeros(shapes[0]), [name], free, card)
    _check(net, model.SerializeToString(), "patches", _patches(shapes), _TOLERANCE)
    if crops:
        quantise(model, calibrate(net, crops))
        _check_quantised(net, model.SerializeToString(), crops[0])
    with atomic_write(path, binary=True) as file:
        file.write(model.SerializeToString())


def _write_checked(
    net: nn.Module,
    model: onnx.ModelProto,
    name: str,
    inputs: Sequence[npt.NDArray[np.float32]],
    path: Path,
    *,
    half: bool = False,
) -> None:
    """Write a graph that answers these inputs as the network does, maybe in half precision."""
    data = model.SerializeToString()
    _check(net, data, name, inputs, _TOLERANCE)
    if half:
        _halve(model)
        onnx.checker.check_model(model)
        data = model.SerializeToString()
        _check(net, data, name, inputs, _HALF_TOLERANCE)
    with atomic_write(path, binary=True) as file:
        file.write(data)


def _patches(shapes: Sequence[tuple[int, ...]]) -> list[npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def _traced_graph(
    module: nn.Module, example: Tensor, outputs: list[str], free: dict[str, dict[int, str]], card: AnyCard
) -> onnx.ModelProto:
    """Return the graph of a module for any number of frames, with the card inside.

    The exporter that `_graph` uses takes recurrent layers apart, step by step; the older one keeps them.
    """
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Of torch, about torch, and that the batch is fixed.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            file,  # type: ignore[arg-type]  # the older exporter takes it
            input_names=["patches"],
            output_names=outputs,
            dynamic_axes=free,
            opset_version=_OPSET,
            dynamo=False,
        )
    return _described(onnx.load_from_string(file.getvalue()), card)


def _graph(
    module: nn.Module,
    example: Tensor,
    name: str,
    outputs: list[str],
    free: dict[int, Any],
    card: AnyCard,
) -> onnx.ModelProto:
    """Return the graph of a module whose input has the given free axes, with the card inside."""
    # The exporter tells at length which packages it could also have registered.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Of torch, about torch.
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[name],
            output_names=outputs,
            dynamic_shapes=(free,),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ModelError("the network could not be turned into a graph; nothing written")
    return _described(program.model_proto, card)


def _described(model: onnx.ModelProto, card: AnyCard) -> onnx.ModelProto:
    """Put the card into a graph."""
    # The exporter notes where in which file each node was made: of no use to others.
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    del model.graph.metadata_props[:]
    model.producer_name, model.doc_string = "earmark", card.description
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, card.to_json()
    onnx.checker.check_model(model)
    return model


def _log_mels(n_mels: int) -> list[npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [rng.uniform(-90, 0, (1, n_mels, n)).astype(np.float32) for n in (1, 2, 7, 401)]


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


def _check(
    module: nn.Module,
    data: bytes,
    name: str,
    inputs: Sequence[npt.NDArray[np.float32]],
    tolerance: float,
) -> None:
    """Compare the first output of a module and of its graph; values above 1 may differ by more."""
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    for array in inputs:
        with torch.no_grad():
            outputs = module(torch.from_numpy(array))
        wanted = (outputs if isinstance(outputs, Tensor) else outputs[0]).numpy()
        try:
            found = session.run(None, {name: array})[0]
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"the exported graph does not run on input {array.shape} ({one_line(err)}); nothing written"
            ) from err
        largest = tolerance * max(1.0, float(np.abs(wanted).max()))
        if found.shape != wanted.shape or float(np.abs(found - wanted).max()) > largest:
            raise ModelError(
                f"the exported graph disagrees with the network on input {array.shape}; nothing written"
            )


@torch.no_grad()
def _check_quantised(net: Framewise, data: bytes, crops: Tensor) -> None:
    """Compare a network and its graph in whole numbers, which differ a little everywhere."""
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"patches": crops.numpy()})
    wanted = net(crops).numpy()
    if not float(((found - wanted) ** 2).sum()) <= _WHOLE_ERROR * float((wanted**2).sum()):
        raise ModelError("the graph in whole numbers disagrees with the network; nothing written")
