"""Two streams of one recording, such as its harmonic and its percussive part, in one network.

Early fusion needs nothing of this: stack the bands of both streams into one patch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from earmark.train.models.heads import PatchNet
from earmark.train.models.layers import BatchNorm1d
from earmark.train.models.trunk import Trunk


def _pair(streams: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    if isinstance(streams, Tensor) or len(streams) != 2:
        given = "one tensor" if isinstance(streams, Tensor) else f"{len(streams)} streams"
        raise ValueError(f"a fused network takes a pair of streams, got {given}; give (first, second)")
    return streams[0], streams[1]


class IntermediateFusion(Trunk):
    """Two trunks side by side; their vectors are joined and batch-normalised for one head.

    A pair of (B, F, T) in, (B, n_features) out.  BHA, section III-D, mentions it; the norm is that of the
    authors' experiments.

    Raises
    ------
    ValueError
        If it is given anything but two streams.
    """

    def __init__(self, first: Trunk, second: Trunk) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.n_features = first.n_features + second.n_features
        self.norm = BatchNorm1d(self.n_features)

    def init_output(self, layer: nn.Linear) -> None:
        """Start the output layer as the first trunk's paper does."""
        self.first.init_output(layer)

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        first, second = _pair(streams)
        return self.norm(torch.cat([self.first(first), self.second(second)], dim=1))


class LateFusion(nn.Module):
    """The mean of two networks' class probabilities, each network on its own stream.

    A pair of (B, F, T) in, (B, K) out: logarithms of the mean probabilities, so that a softmax over them
    is that mean.  Of multi-task networks, the classes count.  Train `first` and `second` one by one, each
    on its stream, as BHA does (section III-D).

    Raises
    ------
    ValueError
        If it is given anything but two streams.
    """

    def __init__(self, first: PatchNet, second: PatchNet) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        pairs = zip((self.first, self.second), _pair(streams), strict=True)
        outputs = [net(stream) for net, stream in pairs]
        logits = [out if isinstance(out, Tensor) else out.logits for out in outputs]
        both = torch.stack([each.log_softmax(dim=1) for each in logits])
        return both.logsumexp(dim=0) - math.log(2)
