"""A decomposition learned from data before the embedded detector's network: our own row beside BHA's.

BHA (section IV) leaves to later work what may replace harmonic-percussive separation by median filters.
Here convolutions as long as those medians, along time and along the bands, are trained with the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.train.models.trunk import Trunk
from earmark.train.networks import ConvFront, ResidualBlock

_MAPS = 4


class LearnedDecomposition(nn.Module):
    """Convolutions along time and along the bands, (B, 1, F, T) to (B, 1 + 2 * maps, F, T).

    The first map is the input itself.
    """

    def __init__(self, maps: int, along_time: int, along_bands: int) -> None:
        super().__init__()
        self.harmonic = nn.Conv2d(1, maps, (1, along_time), padding="same", bias=False)
        self.percussive = nn.Conv2d(1, maps, (along_bands, 1), padding="same", bias=False)
        self.norm = nn.BatchNorm2d(2 * maps)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.cat([self.harmonic(x), self.percussive(x)], dim=1)
        return torch.cat([x, torch.relu(self.norm(parts))], dim=1)


class LearnedHp(Trunk):
    """Log-mel patches, (B, F, T), to a vector: decomposition, convolutions, dilated residual blocks, pooling.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch.
    width, maps, dilations, dropout
        As in `earmark.train.config.NetworkConfig`.
    decompose : bool
        Whether there is a decomposition, of four maps of each kind.
    along_time, along_bands : int
        Length of their kernels, frames and bands; by default about that of BHA's medians (220 ms).
    """

    def __init__(
        self,
        input_shape: tuple[int, int],
        *,
        width: int = 128,
        maps: int = 16,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2),
        dropout: float = 0.1,
        decompose: bool = True,
        along_time: int = 11,
        along_bands: int = 11,
    ) -> None:
        super().__init__()
        bands, _ = input_shape
        self.norm = nn.BatchNorm1d(bands)
        self.decomposition = (
            LearnedDecomposition(_MAPS, along_time, along_bands) if decompose else nn.Identity()
        )
        self.front = ConvFront(bands, width, maps, 1 + 2 * _MAPS * decompose)
        self.blocks = nn.Sequential(*(ResidualBlock(width, d, dropout) for d in dilations))
        self.drop = nn.Dropout(0.3)
        self.n_features = 2 * width

    def forward(self, x: Tensor) -> Tensor:
        planes = self.decomposition(self.norm(x)[:, None])
        y = torch.relu(self.blocks(self.front(planes)))
        return self.drop(torch.cat([y.mean(dim=2), y.amax(dim=2)], dim=1))
