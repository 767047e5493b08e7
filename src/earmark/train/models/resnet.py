"""Residual networks of images on mel bands, with and without weighed channels, as HEO measures against them.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016; J. Hu, L. Shen,
G. Sun, "Squeeze-and-excitation networks", CVPR 2018.  As in HEO's program: the first convolution and pool are
not padded, ReLU comes before batch norm there, and the first stage halves its input like the others.
"""

from __future__ import annotations

from torch import Tensor, nn

from earmark.train.models.trunk import Trunk, flat_size

_SQUEEZE = 8


class ResNet(Trunk):
    """(B, F, T) log-mel bands to (B, 8 * width): a convolution, four stages of blocks, the mean.

    Each band is brought to mean 0 and deviation 1 over time first; T need not be kept to.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch, at least 27 each.
    blocks : tuple of int
        Blocks of the four stages.
    width : int
        Channels of the first stage; each further one has twice as many.
    weighed : bool
        Weigh the channels of each block.
    """

    def __init__(
        self,
        input_shape: tuple[int, int],
        *,
        blocks: tuple[int, ...] = (2, 2, 2, 2),
        width: int = 64,
        weighed: bool = False,
    ) -> None:
        super().__init__()
        self.normalise = nn.InstanceNorm1d(input_shape[0])
        layers: list[nn.Module] = [
            nn.Conv2d(1, width, 7, 2),
            nn.ReLU(),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(3, 2),
        ]
        n_in = width
        for level, n_blocks in enumerate(blocks):
            for i in range(n_blocks):
                n_out = width * 2**level
                layers.append(_Block(n_in, n_out, 1 if i else 2, weighed))
                n_in = n_out
        self.stages = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.n_features = n_in
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        flat_size(self.stages[:4], (1, *input_shape))  # refuses patches that are too small

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.normalise(x)[:, None])


class _Block(nn.Module):
    """Two convolutions, and the input added."""

    def __init__(self, n_in: int, n_out: int, stride: int, weighed: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False),
            nn.ReLU(),
            nn.BatchNorm2d(n_out),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        ]
        if weighed:
            layers.append(_Weighed(n_out))
        self.layers = nn.Sequential(*layers)
        self.identity: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.identity = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        return (self.layers(x) + self.identity(x)).relu()


class _Weighed(nn.Module):
    """Weighs channels by what all of them are on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // _SQUEEZE)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, squeezed),
            nn.ELU(),
            nn.Linear(squeezed, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x)[:, :, None, None]
