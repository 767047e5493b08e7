"""Networks of the detector: log-mel in, frame posteriors and speech-to-music ratio out.

All share one form: a front that turns mel bands into channels and halves the frame rate, a trunk of
dilated residual blocks, and heads that return to the frame rate of the input.  None looks further
than its receptive field, so a long signal can be cut with margins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.train.config import NetworkConfig

# dB that one unit of the ratio head stands for; keeps its targets near -1..1.
RATIO_DB = 20.0
_OFFSET_DB, _SCALE_DB = -45.0, 20.0


class Outputs(NamedTuple):
    """What a network says of a batch of ``(B, F, T)`` log-mel frames.

    logits : (B, T, K) of the labels; ratio : (B, T), speech-to-music ratio in units of `RATIO_DB`;
    sung : (B, T), logit of a singing voice in the music (an auxiliary task, not exported).
    """

    logits: Tensor
    ratio: Tensor
    sung: Tensor


class ConvFront(nn.Module):
    """Two strided 2-D convolutions over the mel plane, then a projection to channels."""

    def __init__(self, n_mels: int, width: int, maps: int, planes: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(planes, maps, (5, 3), stride=(2, 1), padding=(2, 1), bias=False),
            nn.BatchNorm2d(maps),
            nn.ReLU(),
            nn.Conv2d(maps, 2 * maps, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * maps),
            nn.ReLU(),
        )
        self.conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an overload forgotten
        rows = -(-n_mels // 4)
        self.project = nn.Sequential(
            nn.Conv1d(2 * maps * rows, width, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        # Few maps over many positions: the other order of axes trains a sixth faster.
        maps = self.conv(x.contiguous(memory_format=torch.channels_last))
        return self.project(maps.flatten(1, 2))


class AllConvFront(nn.Module):
    """Learned pooling over bands by strided convolutions, after the all-convolutional net (ALL, Table 1)."""

    def __init__(self, n_mels: int, width: int, maps: int, planes: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, rows = planes, n_mels
        for i, pool in enumerate((4, 2, 2)):
            layers += [
                nn.Conv2d(channels, maps, (5, 3), stride=(1, 2 if i == 0 else 1), padding=(2, 1), bias=False),
                nn.BatchNorm2d(maps),
                nn.ReLU(),
                nn.Conv2d(maps, maps, (pool, 1), stride=(pool, 1)),
                nn.ReLU(),
            ]
            channels, rows = maps, rows // pool
        self.conv = nn.Sequential(*layers)
        self.project = nn.Sequential(
            nn.Conv1d(maps * rows, width, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.conv(x).flatten(1, 2))


class ResidualBlock(nn.Module):
    """Dilated convolution over time, then a pointwise one, added to the input."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout1d(dropout),
            nn.Conv1d(width, width, 1, bias=False),
            nn.BatchNorm1d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class NormReluBlock(nn.Module):
    """Residual block of the speech-music TCN (BHA, B3): convolution, ReLU, division by the top channel."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilated = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.drop = nn.Dropout1d(dropout)
        self.pointwise = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.dilated(x))
        y = y / (y.amax(dim=1, keepdim=True) + 1e-5)
        return x + self.pointwise(self.drop(y))


class GatedBlock(nn.Module):
    """SwishNet's gated pair (KC): plain and separable branch, each tanh times sigmoid, added to the input."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.plain = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.separable = nn.Sequential(
            nn.Conv1d(width, width, 7, padding=3 * dilation, dilation=dilation, groups=width, bias=False),
            nn.Conv1d(width, width, 1),
        )
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.plain(x).chunk(2, dim=1)
        c, d = self.separable(x).chunk(2, dim=1)
        gated = torch.cat([torch.tanh(a) * torch.sigmoid(b), torch.tanh(c) * torch.sigmoid(d)], dim=1)
        return x + self.drop(self.norm(gated))


FRONTS: dict[str, Callable[..., nn.Module]] = {"conv": ConvFront, "allconv": AllConvFront}
BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "residual": ResidualBlock,
    "norm_relu": NormReluBlock,
    "gated": GatedBlock,
}


class DetectorNet(nn.Module):
    """Front, trunk and heads as a `NetworkConfig` says.

    The heads see the trunk at half the frame rate and answer for two frames each.  With
    ``config.cascade`` the label head also sees the ratio head's answer (BHA's cascaded multi-task
    learning, section 4.5).
    """

    def __init__(self, config: NetworkConfig, n_mels: int, n_labels: int) -> None:
        super().__init__()
        for kind, table in ((config.front, FRONTS), (config.block, BLOCKS)):
            if kind not in table:
                raise ConfigError(f"network part '{kind}' is unknown; choose from {', '.join(table)}")
        self.config = config
        self.n_labels = n_labels
        self.front = FRONTS[config.front](n_mels, config.width, config.maps, 2 if config.hpss else 1)
        self.trunk = nn.Sequential(
            *(BLOCKS[config.block](config.width, d, config.dropout) for d in config.dilations)
        )
        self.ratio = nn.Conv1d(config.width, 2, 1)
        self.sung = nn.Conv1d(config.width, 2, 1)
        self.labels = nn.Conv1d(config.width + (2 if config.cascade else 0), 2 * n_labels, 1)

    @property
    def context(self) -> int:
        """Frames seen on each side of a frame, rounded up to whole trunk steps."""
        reach = 7 // 2 if self.config.block == "gated" else 1
        medians = self.config.hpss[0] // 2 if self.config.hpss else 0
        return 2 * reach * sum(self.config.dilations) + 8 + medians

    def forward(self, log_mel: Tensor) -> Outputs:
        """Take log-mel frames in dB, shape (B, F, T)."""
        n_frames = log_mel.shape[-1]
        x = scaled(log_mel)
        x = torch.stack(harmonic_percussive(x, *self.config.hpss), 1) if self.config.hpss else x[:, None]
        h = torch.relu(self.trunk(self.front(x)))
        ratio = self.ratio(h)
        seen = torch.cat([h, ratio], dim=1) if self.config.cascade else h
        return Outputs(
            _to_frames(self.labels(seen), n_frames),
            _to_frames(ratio, n_frames)[..., 0],
            _to_frames(self.sung(h), n_frames)[..., 0],
        )


def scaled(log_mel: Tensor) -> Tensor:
    """Bring log-mel frames in dB near zero mean and unit variance."""
    return (log_mel - _OFFSET_DB) / _SCALE_DB


def harmonic_percussive(x: Tensor, l_harm: int, l_perc: int) -> tuple[Tensor, Tensor]:
    """Median-filter a (scaled) log-mel plane along time and along frequency, shape (B, F, T) each.

    The mel-plane form of BHA's harmonic-percussive input: the medians themselves stand for the
    enhanced spectrograms, since a soft mask is a function of both.
    """
    padded = nn.functional.pad(x, (l_harm // 2, l_harm // 2), mode="replicate")
    harmonic = padded.unfold(2, l_harm, 1).median(dim=-1).values
    padded = nn.functional.pad(x.transpose(1, 2), (l_perc // 2, l_perc // 2), mode="replicate")
    percussive = padded.unfold(2, l_perc, 1).median(dim=-1).values.transpose(1, 2)
    return harmonic, percussive


def _to_frames(x: Tensor, n_frames: int) -> Tensor:
    """Turn (B, 2 * K, T / 2) into (B, T, K): each trunk step answers for two frames."""
    batch, channels, steps = x.shape
    return (
        x.reshape(batch, 2, channels // 2, steps)
        .permute(0, 3, 1, 2)
        .reshape(batch, 2 * steps, -1)[:, :n_frames]
    )
