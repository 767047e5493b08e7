"""The network of a row: fused ones get the halves of a patch, and late fusion is trained in two parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from earmark.features.scaling import Scaling
from earmark.train.experiments.table import Row
from earmark.train.models import LateFusion, create_model


class Halves(nn.Module):
    """Gives a fused network the lower and the upper half of the bands as its two streams."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x.chunk(2, dim=1))


class _Half(nn.Module):
    """One stream of a late fusion, trained on its half of the bands."""

    def __init__(self, net: nn.Module, which: int) -> None:
        super().__init__()
        self.net, self.which = net, which

    def forward(self, x: Tensor) -> Any:
        return self.net(x.chunk(2, dim=1)[self.which])


def row_network(row: Row, n_classes: int) -> nn.Module:
    """Return the network of a row with random weights, from patches (B, F, L)."""
    fused = row.model.get("fusion", "none") != "none"
    shape = [row.extractor.n_bands // (2 if fused else 1), row.extractor.patch_length]
    net = create_model(**{"n_classes": n_classes, "input_shape": shape, **row.model})
    return Halves(net) if fused else net


def trained_parts(net: nn.Module) -> dict[str, nn.Module]:
    """Return what of a row's network is trained by itself, by the name of its checkpoint."""
    if isinstance(net, Halves) and isinstance(net.net, LateFusion):
        return {"first": _Half(net.net.first, 0), "second": _Half(net.net.second, 1)}
    return {"net": net}


def save_scaling(scaling: Scaling | None, checkpoints: Path) -> None:
    """Keep what was measured on the training patches beside a network's checkpoint."""
    if scaling is not None:
        np.savez(checkpoints / "scaling.npz", shift=scaling.shift, divisor=scaling.divisor)


def load_scaling(checkpoints: Path) -> Scaling | None:
    """Return what `save_scaling` kept; None if there was nothing to measure."""
    path = checkpoints / "scaling.npz"
    if not path.is_file():
        return None
    measured = np.load(path)
    return Scaling(measured["shift"], measured["divisor"])
