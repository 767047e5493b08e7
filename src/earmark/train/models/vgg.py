"""The VGG-like net of KC, section 4.1 and Fig. 3: two pairs of convolutions, two dense layers."""

from __future__ import annotations

from torch import Tensor, nn

from earmark.train.models.layers import BatchNorm2d, Conv2d, Dense, MaxPool2d
from earmark.train.models.trunk import Trunk, flat_size

_MAPS = 32


def _pair(n_in: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (n_in, _MAPS):
        layers += [Conv2d(channels, _MAPS, (3, 3)), BatchNorm2d(_MAPS), nn.ReLU()]
    return nn.Sequential(*layers, MaxPool2d((3, 3), padding="valid"))


class VggLike(Trunk):
    """(B, 128, 10) log-mel patches to (B, n_units).

    Not published: the padding ('same' is the only one that leaves frames to the second pool), the pools'
    stride (3, their size) and the units of the dense layers (128, as in KC's other classifiers).

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch, at least 9 each.
    n_units : int
        Units of either dense layer.
    """

    def __init__(self, input_shape: tuple[int, int], *, n_units: int = 128) -> None:
        super().__init__()
        self.first = _pair(1)
        self.second = _pair(_MAPS)
        flat = flat_size(nn.Sequential(self.first, self.second), (1, *input_shape))
        self.dense = nn.Sequential(Dense(flat, n_units), nn.ReLU(), Dense(n_units, n_units), nn.ReLU())
        self.n_features = n_units

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.second(self.first(x[:, None])).flatten(1))
