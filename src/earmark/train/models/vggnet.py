"""A network of images on mel bands (VGGNet), which HEO measures against on Melon.

K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015.
HEO's program puts a ReLU behind the logits, too, which takes away all that speaks against a class; here is
none.
"""

from __future__ import annotations

from torch import Tensor, nn

from earmark.train.models.trunk import Trunk, flat_size

# Channels of each block's convolutions, times the width; the third kernel of a block is 1 x 1.
_BLOCKS = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
_UNITS = 64


class VggNet(Trunk):
    """(B, F, T) log-mel bands to (B, 64 * width): thirteen convolutions, two dense layers.

    Each band is brought to mean 0 and deviation 1 over time first.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch, at least 32 each; T is kept to.
    width : int
        Channels of the first block.
    """

    keeps_length = True

    def __init__(self, input_shape: tuple[int, int], *, width: int = 64) -> None:
        super().__init__()
        self.normalise = nn.InstanceNorm1d(input_shape[0])
        layers: list[nn.Module] = []
        n_in = 1
        for widths in _BLOCKS:
            for i, times in enumerate(widths):
                n_out = times * width
                kernel = 1 if i == 2 else 3
                layers += [nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2), nn.ReLU()]
                n_in = n_out
            layers.append(nn.MaxPool2d(2))
        self.conv = nn.Sequential(*layers)
        flat = flat_size(self.conv, (1, *input_shape))
        units = _UNITS * width
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(flat, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU()
        )
        self.n_features = units

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.conv(self.normalise(x)[:, None]))
