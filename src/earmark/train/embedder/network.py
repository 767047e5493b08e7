"""The embedder's network: a small residual network over windows of log-mel frames."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from earmark.train.embedder.config import EmbedderNetworkConfig
from earmark.train.networks import scaled

# Cosines are multiplied by this before a softmax.
_SHARPNESS = 16.0


class Answers(NamedTuple):
    """What is learned from a batch of B windows.

    places : (B, P), on the unit sphere; recordings : (B, R), kinds : (B, N), contents : (B, C), logits.
    """

    places: Tensor
    recordings: Tensor
    kinds: Tensor
    contents: Tensor


class Embedder(nn.Module):
    """(B, F, L) in dB to embeddings (B, D), none below 0.

    Mean and deviation along time of every map and row are kept, so that a sound's place on the frequency axis
    counts.
    """

    def __init__(self, config: EmbedderNetworkConfig, n_mels: int) -> None:
        super().__init__()
        first, *_ = self.widths = widths = config.widths
        self.size = config.size
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(_Block(i, o) for i, o in pairwise(widths)))
        rows = n_mels
        for _ in widths:
            rows = -(-rows // 2)
        self.embedding = nn.Sequential(
            nn.Linear(2 * rows * widths[-1], config.size), nn.BatchNorm1d(config.size), nn.ReLU()
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an overload forgotten

    def layers(self, log_mel: Tensor) -> list[Tensor]:
        """Return the maps of the stem and of each block, (B, C, R, T), of log-mel windows, (B, F, L)."""
        maps = [self.stem(scaled(log_mel)[:, None])]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps

    def forward(self, log_mel: Tensor) -> Tensor:
        """Take log-mel windows in dB, shape (B, F, L)."""
        return self.embed(self.layers(log_mel)[-1])

    def embed(self, maps: Tensor) -> Tensor:
        """Turn the maps of the last block into embeddings."""
        embedding: Tensor = self.embedding(_moments(maps).flatten(1))
        return embedding


class Embeddings(nn.Module):
    """An embedder as it is exported: (B, F, L) in dB to two embeddings.

    The first is the embedder's own, (B, D).  The second, (B, E), also has what the layers before the last
    block hold: mean and deviation along time of each map, averaged over its rows.  The last layers know what
    they were trained to tell, the first ones what any sound is made of: K. Choi, G. Fazekas, M. Sandler,
    K. Cho, "Transfer learning for music classification and regression tasks", ISMIR 2017.
    """

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.embedder = embedder

    @property
    def sizes(self) -> tuple[int, int]:
        """D and E."""
        *before, _ = self.embedder.widths
        return self.embedder.size, self.embedder.size + 2 * sum(before)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Take log-mel windows in dB, shape (B, F, L)."""
        *before, last = self.embedder.layers(log_mel)
        embedding = self.embedder.embed(last)
        return embedding, torch.cat([embedding, *(_moments(maps).mean(2) for maps in before)], 1)


class EmbedderTasks(nn.Module):
    """An embedder and what it is trained to tell, see `Answers`."""

    def __init__(
        self, config: EmbedderNetworkConfig, n_mels: int, n_recordings: int, n_kinds: int, n_contents: int
    ) -> None:
        super().__init__()
        self.embedder = Embedder(config, n_mels)
        self.project = nn.Linear(config.size, config.projected)
        self.recordings = nn.Parameter(0.05 * torch.randn(n_recordings, config.projected))
        self.kinds = nn.Linear(config.size, n_kinds)
        self.contents = nn.Linear(config.size, n_contents)

    def forward(self, log_mel: Tensor) -> Answers:
        """Take log-mel windows in dB, shape (B, F, L)."""
        embedding = self.embedder(log_mel)
        places = nn.functional.normalize(self.project(embedding), dim=1)
        recordings = _SHARPNESS * places @ nn.functional.normalize(self.recordings, dim=1).T
        return Answers(places, recordings, self.kinds(embedding), self.contents(embedding))


def _moments(maps: Tensor) -> Tensor:
    """Return mean and deviation along time, (B, 2 C, R), of maps (B, C, R, T)."""
    mean = maps.mean(3)
    deviation = ((maps - mean[..., None]).square().mean(3) + 1e-5).sqrt()
    return torch.cat([mean, deviation], 1)


class _Block(nn.Module):
    """Two convolutions and a way around them, at half the resolution."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.around = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
            nn.Conv2d(n_in, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + self.around(x))
