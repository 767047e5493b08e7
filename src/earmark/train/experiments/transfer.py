"""Networks that begin with what they learnt on other data (KC, section 4.4).

A network is trained to tell speech from music on the sources together.  Its output layer is taken off, and a
dense layer of 128 units and a new output are put on.  Of what was learnt, parts are frozen::

    frozen = ["all"]            the classifier alone is trained
    frozen = ["conv"]           the layers of these names are as they were, the others are tuned
    frozen = []                 everything is tuned

Frozen layers answer as in use: their batch norm keeps its statistics, their dropout drops nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.features.patches import Patches
from earmark.features.scaling import Scaling
from earmark.train.checkpoint import best_weights
from earmark.train.experiments.batches import PatchSet, measured_scaling
from earmark.train.experiments.example import Split
from earmark.train.experiments.fit import fit
from earmark.train.experiments.fitconfig import FitConfig
from earmark.train.experiments.nets import load_scaling, row_network, save_scaling
from earmark.train.experiments.results import Workplace, checkpoint_folder
from earmark.train.experiments.rows import TransferRow
from earmark.train.experiments.store import FeatureStore
from earmark.train.models import PatchNet, create_model

Tell = Callable[[str], None]

SOURCE_CLASSES = ("speech", "music")
ALL = "all"
_SEED = 0
_BATCH = 256


@dataclass(frozen=True)
class Pretraining:
    """What networks learn first.

    Parameters
    ----------
    sources : tuple of str
        Datasets, or tasks, with speech and music; those that are there are taken together, but for the one
        that a table runs on.
    shares : tuple of float
        Of training and validation.
    fit : FitConfig
    """

    sources: tuple[str, ...] = ()
    shares: tuple[float, ...] = (0.9, 0.1)
    fit: FitConfig = field(default_factory=FitConfig)

    def setup(self) -> dict[str, Any]:
        """Return what a result depends on, but for the sources that were there."""
        return {"shares": list(self.shares), "fit": self.fit.setup()}


class Learnt(NamedTuple):
    """A network that was trained on the sources, and the scaling measured on them."""

    net: PatchNet
    scaling: Scaling | None


class Transferred(nn.Module):
    """A trunk that has learnt before, parts of it frozen, and a new classifier: patches to logits.

    Parameters
    ----------
    net : PatchNet
        The trained network; its trunk is taken.
    frozen : sequence of str
        Names of layers of the trunk, or "all".
    n_classes : int

    Raises
    ------
    ConfigError
        If the trunk has no such layer.
    """

    def __init__(self, net: PatchNet, frozen: Sequence[str], n_classes: int) -> None:
        super().__init__()
        self.trunk = net.trunk
        self.classifier = create_model("dnn", input_shape=[net.trunk.n_features, 1], n_classes=n_classes)
        self._frozen = [self.trunk] if ALL in frozen else [_layer(self.trunk, name) for name in frozen]
        for layer in self._frozen:
            layer.requires_grad_(False)

    def train(self, mode: bool = True) -> Transferred:
        """Set the mode of all that is not frozen."""
        super().train(mode)
        for layer in self._frozen:
            layer.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.trunk(x)[:, :, None])
        return logits


def _layer(trunk: nn.Module, name: str) -> nn.Module:
    known = dict(trunk.named_modules())
    if name not in known or not name:
        first = ", ".join(child for child, _ in trunk.named_children())
        raise ConfigError(f"the network has no layer '{name}' to freeze; it has {first}, or name '{ALL}'")
    return known[name]


def check_frozen(row: TransferRow) -> None:
    """Refuse a network that cannot be transferred, and names of layers it has not; it takes no memory.

    Raises
    ------
    ConfigError
    """
    if row.model.get("head", "classes") != "classes" or row.model.get("fusion", "none") != "none":
        raise ConfigError("a network that is to be transferred has one head, 'classes', and no fusion")
    with torch.device("meta"):
        Transferred(_network(row), row.frozen, len(SOURCE_CLASSES))


def _network(row: TransferRow) -> PatchNet:
    """Return the network that learns on the sources, with random weights."""
    net = row_network(row.model, row.extractor, len(SOURCE_CLASSES))
    assert isinstance(net, PatchNet)  # as `check_frozen` sees to
    return net


def pretrained(
    row: TransferRow, config: FitConfig, split: Split, place: Workplace, title: str, tell: Tell
) -> Learnt:
    """Return a row's network as it is after the sources.

    Rows that differ in what is frozen share it: it is trained once and kept.

    Parameters
    ----------
    row : TransferRow
    config : FitConfig
        Of this training.
    split : Split
        Of the sources; there is no test part.
    place : Workplace
    title : str
        Of what is told.
    tell : callable

    Raises
    ------
    ConfigError
        As `fit` and `FeatureStore.add`.
    """
    folder = _folder(row, config, split, place)
    done = folder / "done"
    if not done.exists():
        store = FeatureStore(place.cache, row.extractor, row.signal)
        store.add(
            split.all, place.jobs, lambda n, total: tell(f"{title}: features of sources {n} of {total}")
        )
        train = PatchSet(split.train, store.patches)
        train.scaling = measured_scaling(train, row.extractor)
        save_scaling(train.scaling, folder)
        torch.manual_seed(_SEED)
        fit(
            _network(row),
            train,
            PatchSet(split.validation, store.patches, train.scaling),
            config,
            seed=_SEED,
            checkpoint=folder / "net.pt",
            device=place.device,
            bfloat16=place.bfloat16,
            report=lambda epoch, what, value: tell(
                f"{title}: on the sources, epoch {epoch}, validation {what} {value:.3f}"
            ),
        )
        done.touch()
    return _learnt(row, folder)


def restored(
    row: TransferRow, config: FitConfig, split: Split, place: Workplace, checkpoint: Path, n_classes: int
) -> Transferred:
    """Return a row's network as its best epoch left it.

    Parameters
    ----------
    row, config, split, place
        As `pretrained` had them.
    checkpoint : Path
        Of the row's own training, of what is not frozen.
    n_classes : int

    Raises
    ------
    ConfigError
        If a checkpoint is gone or damaged.
    """
    weights = best_weights(checkpoint)
    if ALL in row.frozen:
        net = Transferred(_learnt(row, _folder(row, config, split, place)).net, row.frozen, n_classes)
        net.classifier.load_state_dict(weights)
    else:
        net = Transferred(_network(row), row.frozen, n_classes)
        net.load_state_dict(weights)
    return net


def _folder(row: TransferRow, config: FitConfig, split: Split, place: Workplace) -> Path:
    """Return where what a row learns on the sources is kept."""
    setup = {key: value for key, value in row.setup().items() if key in ("features", "model", "signal")}
    text = json.dumps([setup, config.setup(), asdict(split), "pretraining"], sort_keys=True)
    sizes = json.dumps([Path(example.path).stat().st_size for example in split.all])
    files = f"{len(split.all)} files, sha256 {_checksum(sizes)}"
    return checkpoint_folder(place.runs, _checksum(text), files)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _learnt(row: TransferRow, folder: Path) -> Learnt:
    """Read what is kept there."""
    net = _network(row)
    net.load_state_dict(best_weights(folder / "net.pt"))
    return Learnt(net, load_scaling(folder))


@torch.no_grad()
def embedded(net: nn.Module, patches: PatchSet, device: str) -> PatchSet:
    """Return the same examples with what a network makes of each patch, (n_features, 1), in its place."""
    net = net.to(device).eval()
    vectors = [net(batch.patches.to(device)).cpu().numpy() for batch in patches.in_order(_BATCH)]
    counts = np.bincount(patches.owner, minlength=len(patches.examples))
    parts = iter(np.split(np.concatenate(vectors), np.cumsum(counts)[:-1]))
    return PatchSet(patches.examples, lambda example: _columns(next(parts)))


def _columns(vectors: npt.NDArray[np.float32]) -> Patches:
    """Return each vector as a patch of one frame; there may be none."""
    features = vectors.T if len(vectors) else np.zeros((vectors.shape[1], 1), np.float32)
    return Patches(features, np.arange(len(vectors)), 1)
