"""The bottom-up broadcast network (BBNN), which HEO measures against: branches of convolutions, all kept.

C. Liu, L. Feng, G. Liu, H. Wang, S. Liu, "Bottom-up broadcast neural network for music genre classification",
Multimedia Tools and Applications 80, 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.train.models.layers import BatchNorm2d, Conv2d
from earmark.train.models.trunk import Trunk, flat_size

_N_BLOCKS = 3


class Bbnn(Trunk):
    """(B, F, T) mel bands in dB to (B, filters): three blocks whose inputs are handed on, the mean.

    T need not be kept to.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch, at least 2 and 8.
    filters : int
        Of each convolution: 32 as published; HEO's program has 13 on Melon.
    """

    def __init__(self, input_shape: tuple[int, int], *, filters: int = 32) -> None:
        super().__init__()
        self.first = nn.Sequential(
            Conv2d(1, filters, (3, 3)), BatchNorm2d(filters), nn.ReLU(), nn.MaxPool2d((1, 4))
        )
        self.blocks = nn.ModuleList(_Broadcast(filters * (1 + 4 * i), filters) for i in range(_N_BLOCKS))
        self.last = nn.Sequential(
            *_activated(filters * (1 + 4 * _N_BLOCKS), filters, 1),
            nn.AvgPool2d(2),
            BatchNorm2d(filters),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.n_features = filters
        flat_size(nn.Sequential(self.first, nn.AvgPool2d(2)), (1, *input_shape))

    def forward(self, x: Tensor) -> Tensor:
        kept = self.first(x[:, None])
        for block in self.blocks:
            kept = torch.cat([kept, block(kept)], dim=1)
        return self.last(kept)


class _Broadcast(nn.Module):
    """Four branches side by side: kernels of 1, 3 and 5, and maxima."""

    def __init__(self, n_in: int, filters: int) -> None:
        super().__init__()

        self.branches = nn.ModuleList(
            nn.Sequential(*layers)
            for layers in (
                _activated(n_in, filters, 1),
                [*_activated(n_in, filters, 1), *_activated(filters, filters, 3)],
                [*_activated(n_in, filters, 1), *_activated(filters, filters, 5)],
                [nn.MaxPool2d(3, 1, padding=1), *_activated(n_in, filters, 1)],
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _activated(n_in: int, n_out: int, kernel: int) -> list[nn.Module]:
    return [BatchNorm2d(n_in), nn.ReLU(), Conv2d(n_in, n_out, (kernel, kernel))]
