"""How a network of patches is trained: optimiser, schedule, stopping, what is done to training patches."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from earmark.errors import ConfigError
from earmark.train.experiments.augment import Augment
from earmark.train.experiments.losses import TaskWeights

_OPTIMISERS = ("adam", "sgd", "nadam")
_MONITORS = ("loss", "accuracy")


@dataclass(frozen=True)
class FitConfig:
    """How a network is trained.

    Parameters
    ----------
    optimiser : str
        "adam", "sgd" or "nadam".
    learning_rate, momentum : float
        Of the optimiser; momentum is SGD's.
    clip_norm : float
        Each gradient tensor is scaled down to this norm; 0 leaves them.
    decay_steps : int
        The rate falls by a factor of 10 in as many steps, smoothly; 0: never.
    epochs, patience : int
        At most; and how many without an improvement end the training.
    monitor : str
        What must improve on the validation part: "loss" or "accuracy" (of patches).
    min_delta : float
        An improvement is more than this.
    batch : int
        Patches of a step, or of each class if `per_class`.
    per_class : bool
        Draw the same number of patches from every class.
    passes : float
        With `per_class`, how often an epoch goes through all patches, as many as there are.
    noise : tuple of float
        Standard deviations of white noise that is added to training patches; one is drawn a step.
    tasks : TaskWeights
        Weights of the losses of a multi-task network.
    augment : Augment
        What else is done to training patches; by default nothing.
    class_weights : bool
        A training patch counts by the inverse frequency of its class.
    epoch_patches : int
        Without `per_class`, an epoch takes no more patches than these, drawn anew each time; 0: all.
    """

    optimiser: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    clip_norm: float = 0.0
    decay_steps: int = 0
    epochs: int = 50
    patience: int = 5
    monitor: str = "loss"
    min_delta: float = 0.0
    batch: int = 64
    per_class: bool = False
    passes: float = 1.0
    noise: tuple[float, ...] = ()
    tasks: TaskWeights = field(default_factory=TaskWeights)
    augment: Augment = field(default_factory=Augment)
    class_weights: bool = False
    epoch_patches: int = 0

    def __post_init__(self) -> None:
        for value, known, what in (
            (self.optimiser, _OPTIMISERS, "optimiser"),
            (self.monitor, _MONITORS, "monitor"),
        ):
            if value not in known:
                raise ConfigError(f"unknown {what} '{value}'; choose one of {', '.join(known)}")
        for name in ("learning_rate", "epochs", "patience", "batch", "passes"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} {getattr(self, name)}: it must be above 0")
        if self.epoch_patches < 0:
            raise ConfigError(f"epoch_patches {self.epoch_patches}: it must be 0 or more")
        if self.epoch_patches and self.per_class:
            raise ConfigError("epoch_patches is of epochs without per_class; with it, set passes")
        if any(not spread >= 0 for spread in self.noise):
            raise ConfigError(f"noise {list(self.noise)}: standard deviations are 0 or more")

    def setup(self) -> dict[str, Any]:
        """Return what a training depends on; what came later is left out where it changes nothing."""
        setup = asdict(self)
        for name in ("class_weights", "epoch_patches"):
            if not setup[name]:
                del setup[name]
        return setup
