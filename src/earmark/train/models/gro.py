"""The CNN that GRO compares embeddings with on field recordings (T3), also used on ensemble sizes (T1).

Its layers are those of the weights the authors publish with ACMus-Models.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.train.models.layers import Conv2d, Dense, MaxPool2d
from earmark.train.models.trunk import Trunk, flat_size

_L2 = 1e-3
_NOISE = 0.1
_UNITS = 64


class GaussianNoise(nn.Module):
    """Adds noise of deviation `std` to what passes in training; passes all on otherwise."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x


class GroCnn(Trunk):
    """(B, F, T) features, z-normalised by cell, to (B, 64): four convolutions and their maxima.

    Every kernel but the output layer's has L2 1e-3.

    Parameters
    ----------
    input_shape : tuple of int
        Rows and frames of a patch, at least 8 each: 80 mel bands and 140 frames (T3), or 257 bins and 34
        frames (T1).  T need not be kept to.
    """

    def __init__(self, input_shape: tuple[int, int]) -> None:
        super().__init__()
        self.noise = GaussianNoise(_NOISE)
        layers: list[nn.Module] = []
        for n_in, n_out in ((1, 16), (16, 32), (32, 64)):
            layers += [
                Conv2d(n_in, n_out, (3, 3), l2=_L2),
                nn.ReLU(),
                MaxPool2d((2, 2), padding="valid"),
                nn.Dropout(0.25),
            ]
        self.conv = nn.Sequential(*layers, Conv2d(64, 128, (3, 3), l2=_L2), nn.ReLU())
        flat_size(self.conv, (1, *input_shape))  # refuses patches that are too small
        self.drop = nn.Dropout(0.25)
        self.dense = nn.Sequential(Dense(128, _UNITS, l2=_L2), nn.ReLU(), nn.Dropout(0.5))
        self.n_features = _UNITS

    def forward(self, x: Tensor) -> Tensor:
        maxima = self.conv(self.noise(x)[:, None]).amax(dim=(2, 3))
        return self.dense(self.drop(maxima))
