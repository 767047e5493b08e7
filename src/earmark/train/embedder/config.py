"""Configuration of the embedder's training."""

from __future__ import annotations

from dataclasses import dataclass, field

from earmark.errors import ConfigError
from earmark.train.config import DataConfig, ScheduleConfig


@dataclass(frozen=True)
class EmbedderNetworkConfig:
    """Which network.

    Parameters
    ----------
    widths : tuple of int
        Maps of the stem and of every residual block; each halves both axes of the plane.
    size : int
        Numbers of an embedding.
    projected : int
        Dimensions of the sphere that recordings are told apart on.
    """

    widths: tuple[int, ...] = (24, 48, 96, 160)
    size: int = 512
    projected: int = 128


@dataclass(frozen=True)
class EmbedderTrainConfig(ScheduleConfig):
    """How it is trained.

    Parameters
    ----------
    window, hop : int
        Frames of a window, and from one to the next when recordings are embedded.
    mixed : float
        Share of the windows with another sound behind them.
    choirs : float
        Share of the windows with singing that get more voices.
    recordings_weight, pairs_weight, kinds_weight, contents_weight : float
        Of the losses: which recording or voice a window is of; which other window of the batch is of the
        same one (no labels needed); which kind of sound by its collection's words; speech, instruments,
        noise, singing, many voices.  0 leaves a task out.
    """

    window: int = 96
    hop: int = 48
    mixed: float = 0.35
    choirs: float = 0.2
    recordings_weight: float = 1.0
    pairs_weight: float = 0.5
    kinds_weight: float = 0.5
    contents_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.batch < 2 or self.batch % 2:
            raise ConfigError(f"train.batch {self.batch}: windows come in pairs; give an even number")
        if self.window < 1 or self.hop < 1:
            raise ConfigError(f"train.window {self.window}, train.hop {self.hop}: both must be at least 1")


@dataclass(frozen=True)
class EmbedderConfig:
    """A whole training run."""

    name: str = "embedder"
    version: str = "1"
    data: DataConfig = field(default_factory=DataConfig)
    network: EmbedderNetworkConfig = field(default_factory=EmbedderNetworkConfig)
    train: EmbedderTrainConfig = field(default_factory=EmbedderTrainConfig)
