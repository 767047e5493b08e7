"""How a network is trained on crops."""

from __future__ import annotations

import math
from dataclasses import dataclass

from earmark.errors import ConfigError

SCHEDULES = ("cosine", "step")


@dataclass(frozen=True)
class CropConfig:
    """How a network is trained on crops; as HEO trains on GTZAN, by default.

    Parameters
    ----------
    epochs : int
    batch : int
        Crops of a step, of all processes together.
    cycle : int
        Crops of each song in an epoch.
    steps : int
        Steps of an epoch, whatever the number of songs; 0 for those that `cycle` makes.
    learning_rate, weight_decay : float
        Of Adam; the decay is the program's, the paper has none.
    schedule : str
        "cosine": the rate falls to `final_rate` along half a cosine, epoch by epoch.  "step": it is
        multiplied by `decay` after each epoch.
    final_rate, decay : float
    validate_every : int
        Epochs from one validation to the next; the last one is always validated.

    Raises
    ------
    ConfigError
        For an unknown schedule, or a value out of range.
    """

    epochs: int = 80
    batch: int = 64
    cycle: int = 8
    steps: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    schedule: str = "cosine"
    final_rate: float = 1e-6
    decay: float = 0.95
    validate_every: int = 1

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"unknown schedule '{self.schedule}'; choose {' or '.join(SCHEDULES)}")
        for name in ("epochs", "cycle", "learning_rate", "decay", "validate_every"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} {getattr(self, name)}: it must be above 0")
        if self.steps < 0:
            raise ConfigError(f"steps {self.steps}: give 0, for those that cycle makes, or more")
        if self.batch < 2:
            raise ConfigError(f"batch {self.batch}: give 2 crops or more, as batch norm measures them")
        if self.weight_decay < 0 or not 0 <= self.final_rate <= self.learning_rate:
            raise ConfigError(
                f"weight_decay {self.weight_decay:g} must be 0 or more, final_rate {self.final_rate:g} "
                f"from 0 to the learning_rate, {self.learning_rate:g}"
            )

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        if self.schedule == "step":
            return self.learning_rate * self.decay**epoch
        share = (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return self.final_rate + (self.learning_rate - self.final_rate) * share
