"""What all networks for patches share: a trunk that turns a patch into a vector, and its measure."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from earmark.errors import ConfigError


class Trunk(nn.Module):
    """All of a network but its output layer: (B, F, T) float32 in, (B, `n_features`) out.

    Cut here, a network can be given other heads, fused with another, or used as an embedding.
    """

    n_features: int
    # Whether patches must be as long as those it was made for.
    keeps_length: ClassVar[bool] = False

    def output_norm(self, n_classes: int) -> nn.Module:
        """Return what the logits go through, by default nothing."""
        return nn.Identity()

    def init_output(self, layer: nn.Linear) -> None:
        """Set the starting values of the output layer where the paper's are not the layer's own."""


def flat_size(net: nn.Module, shape: tuple[int, ...]) -> int:
    """Return how many values `net` makes of one input of this shape.

    Raises
    ------
    ConfigError
        If the input is too small for the network's kernels and pools.
    """
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            size = net(torch.zeros(1, *shape)).numel()
    except RuntimeError as err:
        raise _too_small(shape) from err
    finally:
        net.train(training)
    if not size:
        raise _too_small(shape)
    return int(size)


def _too_small(shape: tuple[int, ...]) -> ConfigError:
    bands, frames = shape[-2:]
    return ConfigError(
        f"patches of {bands} bands x {frames} frames are too small for this network; give it larger ones"
    )


def initialise_normal(net: nn.Module, std: float, bias: float = 0.0) -> None:
    """Draw all kernels of convolutions and dense layers from N(0, `std`) and set their biases to `bias`."""
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, bias)
