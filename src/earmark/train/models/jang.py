"""Jang's CNN with learned mel filters, as BHA built it (B4, sections III-B, III-D and III-F).

B.-Y. Jang, W.-H. Heo, J.-H. Kim, O.-W. Kwon, "Music detection from broadcast contents using convolutional
neural networks with a Mel-scale kernel", EURASIP J. Audio, Speech, Music Process. 2019:11.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.features import mel_filters
from earmark.train.models.layers import BatchNorm2d, Conv2d, MaxPool2d, Padding, Penalised, dense_block
from earmark.train.models.trunk import Trunk, flat_size

_MAPS, _FRAMES = 3, 5
_L2 = 0.01
_DROPOUT = 0.4


class MelKernels(Penalised):
    """One convolution a mel filter, over the bins it covers and 5 frames: (B, F, T) to (B, 3, n_mels, T).

    Every kernel starts as its filter, the same in all frames and maps.  There is no bias.

    Parameters
    ----------
    n_bins : int
        Bins of a spectrum, 0 Hz to half the sample rate.
    n_mels : int
        Filters.
    sample_rate : int
        Hz.
    l1, l2 : float
        Cost of the kernels.

    Raises
    ------
    ConfigError
        If some filter covers no bin.
    """

    def __init__(
        self, n_bins: int, n_mels: int, sample_rate: int, *, l1: float = 0.0, l2: float = 0.0
    ) -> None:
        super().__init__()
        filters = mel_filters(sample_rate, 2 * (n_bins - 1), n_mels, 0.0, sample_rate / 2)
        if not filters.any(axis=1).all():
            raise ConfigError(f"{n_mels} mel kernels on {n_bins} bins: some cover none; take fewer kernels")
        mels, bins = np.nonzero(filters)
        self.n_bins, self.n_mels = n_bins, n_mels
        self.l1, self.l2 = l1, l2
        start = torch.tensor(filters[mels, bins])
        self.weight = nn.Parameter(start[None, :, None].repeat(_MAPS, 1, _FRAMES))
        self.mels: Tensor
        self.bins: Tensor
        self.register_buffer("mels", torch.tensor(mels), persistent=False)
        self.register_buffer("bins", torch.tensor(bins), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.weight.new_zeros(_MAPS, self.n_mels, self.n_bins, _FRAMES)
        kernels[:, self.mels, self.bins] = self.weight
        bands = nn.functional.conv1d(x, kernels.flatten(0, 1), padding="same")
        return torch.unflatten(bands, 1, (_MAPS, self.n_mels))


class Jang(Trunk):
    """(B, 257, 68) log spectrograms to a vector: mel kernels, three convolutions, and dense layers or none.

    Parameters
    ----------
    input_shape : tuple of int
        Bins and frames of a patch.  With two streams, the rows of harmonic and percussive part: 514.
    n_mels : int
        Mel kernels a stream.
    streams : int
        Equal parts of the rows that have kernels of their own; their bands are stacked.
    dense : bool
        Dense layers of 2048 and 1024 units.  BHA drops them (NoFC), since with them B4 overfits.
    pool : str
        'same' or 'valid'.  'same' gives BHA's count with dense layers; its code without them has 'valid'.
    penalty : str
        'kernels': L1 and L2 0.01 on the mel kernels (B4).  'all': L2 0.01 on the mel kernels and on the
        convolutions (B4-MTL).
    sample_rate : int
        Hz, for the filters the mel kernels start as.

    Raises
    ------
    ConfigError
        If an option is none of the above, or the rows do not fit the kernels or the streams.
    """

    def __init__(
        self,
        input_shape: tuple[int, int],
        *,
        n_mels: int = 64,
        streams: int = 1,
        dense: bool = True,
        pool: str = "same",
        penalty: str = "kernels",
        sample_rate: int = 16_000,
    ) -> None:
        super().__init__()
        if penalty not in ("kernels", "all"):
            raise ConfigError(f"penalty '{penalty}' is unknown; choose 'kernels' or 'all'")
        rows, frames = input_shape
        if rows % streams:
            raise ConfigError(f"{rows} rows cannot be parted into {streams} streams of equal size")
        everywhere = penalty == "all"
        self.mel = nn.ModuleList(
            MelKernels(rows // streams, n_mels, sample_rate, l1=0.0 if everywhere else _L2, l2=_L2)
            for _ in range(streams)
        )
        layers: list[nn.Module] = []
        for n_in, n_out in ((_MAPS, 32), (32, 64), (64, 128)):
            layers += [
                Conv2d(n_in, n_out, (3, 3), l2=_L2 if everywhere else 0.0),
                BatchNorm2d(n_out),
                nn.ReLU(),
                nn.Dropout(_DROPOUT),
                MaxPool2d((2, 2), padding=_padding(pool)),
            ]
        self.conv = nn.Sequential(*layers)
        flat = flat_size(self.conv, (_MAPS, streams * n_mels, frames))
        blocks = [dense_block(flat, 2048, _DROPOUT), dense_block(2048, 1024, _DROPOUT)] if dense else []
        self.dense = nn.Sequential(*blocks)
        self.n_features = 1024 if dense else flat

    def forward(self, x: Tensor) -> Tensor:
        parts = x.chunk(len(self.mel), dim=1)
        bands = torch.cat([mel(part) for mel, part in zip(self.mel, parts, strict=True)], dim=2)
        return self.dense(self.conv(torch.tanh(bands)).flatten(1))


def _padding(name: str) -> Padding:
    if name == "same":
        return "same"
    if name == "valid":
        return "valid"
    raise ConfigError(f"pool '{name}' is unknown; choose 'same' or 'valid'")
