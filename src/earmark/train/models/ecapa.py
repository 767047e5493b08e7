"""ECAPA-TDNN for musical genres, with channels that stop early and with sub-bands (HEO).

======================  ==================================================================================
``ecapa``               three SE-Res2 blocks, each fed with the sum of all before it
``ecapa-ccs``           convolution channel separation: of the channels a block puts out, `stop` go straight
                        to the pooling, the others on to the next block
``ecapa-ccs-fsa``       the same for each of four overlapping bands of frequency by itself
======================  ==================================================================================

The blocks are those of the authors' program, which differ from other ECAPAs: of a block's eight splits the
last one is passed through, pooling attends through 256 units, and deviations over time are unbiased.

References
----------
J. Heo, H. Shin, J. Kim, C. Lim, H.-J. Yu, "Convolution channel separation and frequency sub-bands aggregation
for music genre classification", 2022.  B. Desplanques, J. Thienpondt, K. Demuynck, "ECAPA-TDNN: emphasized
channel attention, propagation and aggregation in TDNN based speaker verification", Interspeech 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.train.models.trunk import Trunk

PRESETS = ("code", "paper")

_SCALE, _SQUEEZED, _ATTENTION = 8, 128, 256
_DILATIONS = (2, 3, 4)
LEAST_VARIANCE = 1e-4
# Rows of a sub-band, and from one to the next.
_BAND, _BAND_HOP = 18, 10


class Ecapa(Trunk):
    """(B, F, T) log-mel bands to (B, D): blocks of convolutions, attentive statistics of all frames.

    The mean of each band over time is taken off first, so that T matters: it need not be kept to, but two
    frames are the least.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames; sub-bands need 18 bands and 10 for each further one.
    channels : int
        Channels that go on from block to block, C (with `stop`, c).
    stop : int, optional
        Channels of each block that go straight to the pooling, s; none by default.
    last : int, optional
        Channels of the last convolution; by default three halves of all channels of a block, and with
        sub-bands of those that go on.
    sub_bands : bool
        Split the bands; each gets its share of the channels.
    preset : str
        "code": the last convolution has no batch norm and is, with sub-bands, a whole block, as the authors'
        program has it.  "paper": it is a convolution with batch norm, as their Table 1 has it.

    Raises
    ------
    ConfigError
        For an unknown preset, channels that cannot be split, or too few bands.
    """

    def __init__(
        self,
        input_shape: tuple[int, int],
        *,
        channels: int = 1024,
        stop: int = 0,
        last: int = 0,
        sub_bands: bool = False,
        preset: str = "code",
    ) -> None:
        super().__init__()
        if preset not in PRESETS:
            raise ConfigError(f"preset '{preset}' of an ECAPA-TDNN: choose {' or '.join(PRESETS)}")
        n_bands = 1 + (input_shape[0] - _BAND) // _BAND_HOP if sub_bands else 1
        if n_bands < 1:
            raise ConfigError(f"{input_shape[0]} bands have no sub-band of {_BAND}; give 48")
        if channels % n_bands or stop % n_bands or channels // n_bands < _SCALE:
            raise ConfigError(
                f"{channels} channels and {stop} that stop: {n_bands} sub-bands need equal shares, of "
                f"{_SCALE} channels at least"
            )
        self.rows = [
            slice(i * _BAND_HOP, i * _BAND_HOP + _BAND) if sub_bands else slice(None) for i in range(n_bands)
        ]
        rows = _BAND if sub_bands else input_shape[0]
        self.bands = nn.ModuleList(Blocks(rows, channels // n_bands, stop // n_bands) for _ in range(n_bands))
        width = last or 3 * (channels + (0 if sub_bands else stop)) // 2
        self.last: nn.Module
        if sub_bands and preset == "code":
            self.last = SeRes2Block(3 * channels, width, 1, 1)
        else:
            self.last = nn.Sequential(nn.Conv1d(3 * channels, width, 1), nn.ReLU())
            if preset == "paper":
                self.last.append(nn.BatchNorm1d(width))
        pooled = width + 3 * stop
        self.pool = AttentiveStatistics(pooled)
        self.norm = nn.BatchNorm1d(2 * pooled)
        self.n_features = 2 * pooled

    def output_norm(self, n_classes: int) -> nn.Module:
        """Return the batch norm that the logits go through."""
        return nn.BatchNorm1d(n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(dim=2, keepdim=True)
        going, stopped = zip(
            *(blocks(x[:, rows]) for blocks, rows in zip(self.bands, self.rows, strict=True)), strict=True
        )
        last = self.last(torch.cat(going, dim=1))
        return self.norm(self.pool(torch.cat([*stopped, last], dim=1)))


class Blocks(nn.Module):
    """The first convolution and three blocks: bands (B, F, T) to what goes on, (B, 3c, T), and what stops."""

    def __init__(self, rows: int, channels: int, stop: int) -> None:
        super().__init__()
        self.channels = channels
        self.first = nn.Sequential(
            nn.Conv1d(rows, channels, 5, padding=2), nn.ReLU(), nn.BatchNorm1d(channels)
        )
        self.blocks = nn.ModuleList(SeRes2Block(channels, channels + stop, 3, d) for d in _DILATIONS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = self.first(x)
        going, stopped = [], []
        for block in self.blocks:
            out = block(total)
            going.append(out[:, : self.channels])
            stopped.append(out[:, self.channels :])
            total = total + going[-1]
        return torch.cat(going, dim=1), torch.cat(stopped, dim=1)


class SeRes2Block(nn.Module):
    """(B, n_in, T) to (B, n_out, T): splits that see further one by one, channels weighed, input added."""

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        width = n_out // _SCALE
        self.split = _conv(n_in, _SCALE * width)
        self.convs = nn.ModuleList(_conv(width, width, kernel, dilation) for _ in range(_SCALE - 1))
        self.join = _conv(_SCALE * width, n_out)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool1d(1),
            nn.Conv1d(n_out, _SQUEEZED, 1),
            nn.ReLU(),
            nn.Conv1d(_SQUEEZED, n_out, 1),
            nn.Sigmoid(),
        )
        self.identity = nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        *splits, passed = self.split(x).chunk(_SCALE, dim=1)
        outputs: list[Tensor] = []
        for conv, split in zip(self.convs, splits, strict=True):
            outputs.append(conv(split + outputs[-1] if outputs else split))
        joined = self.join(torch.cat([*outputs, passed], dim=1))
        return joined * self.weigh(joined) + self.identity(x)


class AttentiveStatistics(nn.Module):
    """(B, C, T) to (B, 2C): mean and deviation over time, frames weighed for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(
            nn.Conv1d(3 * channels, _ATTENTION, 1),
            nn.ReLU(),
            nn.BatchNorm1d(_ATTENTION),
            nn.Tanh(),
            nn.Conv1d(_ATTENTION, channels, 1),
            nn.Softmax(dim=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=2, keepdim=True)
        n_steps = x.shape[2]
        variance = ((x - mean) ** 2).sum(dim=2, keepdim=True) / (n_steps - 1)
        spread = variance.clamp(min=LEAST_VARIANCE).sqrt()
        weights = self.attend(torch.cat([x, mean.expand_as(x), spread.expand_as(x)], dim=1))
        centre = (weights * x).sum(dim=2)
        about = (weights * x**2).sum(dim=2) - centre**2
        return torch.cat([centre, about.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


def _conv(n_in: int, n_out: int, kernel: int = 1, dilation: int = 1) -> nn.Sequential:
    """Return convolution, ReLU and batch norm; T stays."""
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, kernel, padding=padding, dilation=dilation), nn.ReLU(), nn.BatchNorm1d(n_out)
    )
