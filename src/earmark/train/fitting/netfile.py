"""A trained network as a model file, in float32 or with its products in whole numbers."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from earmark.classifiercard import ClassifierCard
from earmark.embeddingcard import EmbeddingCard
from earmark.head import FloatArray, Head
from earmark.modelfile import open_model
from earmark.train.classifier import write_classifier
from earmark.train.export import export_embeddings, export_framewise
from earmark.train.fitting.netsettings import NetworkSettings
from earmark.train.fitting.report import Report
from earmark.train.models import PatchNet
from earmark.train.models.ecapa import Ecapa
from earmark.train.models.framewise import Framewise

EMBEDDING = "trunk"
# Windows in a run, as in use.
_RUN = 8


def write_trunk(net: PatchNet, settings: NetworkSettings, path: Path, crops: Sequence[Tensor] = ()) -> None:
    """Write all of a trained network but its output layer as a model for embeddings.

    Parameters
    ----------
    net : PatchNet
        Made as `settings` say.
    settings : NetworkSettings
    path : Path
    crops : sequence of float32, shape=(B, F, T)
        What it is calibrated by if it is to multiply in whole numbers.

    Raises
    ------
    ModelError
        If the graph disagrees with the network.
    """
    trunk, extractor = copy.deepcopy(net.trunk).cpu(), settings.extractor
    card = EmbeddingCard(
        name=settings.architecture,
        version="1",
        description=f"The network {settings.architecture}{_products(settings)}.",
        features=_features(settings),
        embeddings={EMBEDDING: trunk.n_features},
        licence="its maker's",
    )
    if isinstance(trunk, Ecapa):
        export_framewise(Framewise(trunk, extractor.patch_length), card, path, crops if settings.int8 else ())
    else:
        export_embeddings(trunk, card, path)


class QuantisedNet:
    """A trained network whose products are in whole numbers, as it is in a model file.

    Parameters
    ----------
    net, settings, crops
        As `write_trunk` takes them.
    """

    def __init__(self, net: PatchNet, settings: NetworkSettings, crops: Sequence[Tensor]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trunk.onnx"
            write_trunk(net, settings, path, crops)
            self._session = open_model(path).session
        self._head = head_of(net)

    def heard(self, windows: FloatArray) -> FloatArray:
        """Return each class's mean score over windows, (n, F, L), float32, shape=(K,)."""
        vectors = [
            self._session.run([EMBEDDING], {"patches": windows[at : at + _RUN]})[0]
            for at in range(0, len(windows), _RUN)
        ]
        return np.asarray(self._head.scores(np.concatenate(vectors)).mean(axis=0), np.float32)


class FittedNetwork:
    """A report, and the network trained on everything.

    Parameters
    ----------
    report : Report
    net : PatchNet
    settings : NetworkSettings
    crops : sequence of float32, shape=(B, F, T)
        As `write_trunk` takes them.
    beside : mapping
        What is known of the network in float32, where it multiplies in whole numbers.
    """

    def __init__(
        self,
        report: Report,
        net: PatchNet,
        settings: NetworkSettings,
        crops: Sequence[Tensor] = (),
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        self.report, self.net = report, net
        self._settings, self._crops, self._beside = settings, crops, beside

    def write(self, path: Path) -> None:
        """Write the model file, named after the file; see `write_classifier` for errors."""
        settings, report = self._settings, self.report
        names = ", ".join(report.labels)
        card = ClassifierCard(
            name=path.stem,
            version="1",
            description=f"Tells {names} apart by the network {settings.architecture}{_products(settings)}.",
            classes=report.labels,
            features=_features(settings),
            backbone=settings.architecture,
            embedding=EMBEDDING,
            dimension=self.net.trunk.n_features,
            fusion="late",
            head="linear",
            licence="its maker's",
            metrics={
                **report.metrics(),
                **({} if self._beside is None else {"float32": dict(self._beside)}),
            },
            trained={
                **report.learned(),
                "training": asdict(settings.training),
                "width": settings.width,
                "products": "int8" if settings.int8 else "float32",
                "seed": settings.seed,
            },
        )
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "trunk.onnx"
            write_trunk(self.net, settings, place, self._crops)
            write_classifier(path, place, EMBEDDING, head_of(self.net), card)


def head_of(net: PatchNet) -> Head:
    """Return the output layer of a trained network, with the batch norm behind it, as plain weights."""
    layer, norm = net.head.classes, net.head.norm
    assert isinstance(layer, nn.Linear)
    weight, bias = layer.weight.detach().double().cpu(), layer.bias.detach().double().cpu()
    if isinstance(norm, nn.modules.batchnorm._BatchNorm):
        assert norm.running_mean is not None  # as batch norm has by default
        assert norm.running_var is not None
        own = [
            t.detach().double().cpu() for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        ]
        scale = own[0] / (own[3] + norm.eps).sqrt()
        weight, bias = weight * scale[:, None], (bias - own[2]) * scale + own[1]
    n = weight.shape[1]
    return Head(
        "linear",
        np.zeros(n, np.float32),
        np.ones(n, np.float32),
        ((weight.float().numpy(), bias.float().numpy()),),
    )


def _features(settings: NetworkSettings) -> dict[str, Any]:
    extractor = settings.extractor
    return {"name": extractor.name, "patch_hop": extractor.step}


def _products(settings: NetworkSettings) -> str:
    return ", whose products are in whole numbers (int8)" if settings.int8 else ""
