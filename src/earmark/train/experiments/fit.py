"""Training a network of patches as the papers do: schedules, early stopping, the best epoch kept."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.train.checkpoint import State
from earmark.train.device import find_device, has_bfloat16
from earmark.train.experiments.batches import Batch, PatchSet, by_class, shuffled
from earmark.train.experiments.fitconfig import FitConfig
from earmark.train.experiments.losses import loss_of, probabilities
from earmark.train.head import inverse_frequencies
from earmark.train.models import penalty

# Keras's, which the papers use.
_EPSILON = 1e-7
_TEST_BATCH = 256


@dataclass(frozen=True)
class Fitted:
    """A trained network, and how it came about.

    Attributes
    ----------
    epochs, best_epoch : int
    cpu_s, seconds : float
        CPU and wall-clock seconds.
    bfloat16 : bool
        Whether products were in bfloat16.
    """

    net: nn.Module
    epochs: int
    best_epoch: int
    cpu_s: float
    seconds: float
    bfloat16: bool


def fit(
    net: nn.Module,
    train: PatchSet,
    validation: PatchSet,
    config: FitConfig,
    *,
    seed: int,
    checkpoint: Path | None = None,
    device: str = "cpu",
    bfloat16: bool = False,
    report: Callable[[int, str, float], None] = lambda epoch, what, value: None,
) -> Fitted:
    """Train until the validation part does no longer improve, and return the network of the best epoch.

    Parameters
    ----------
    net : nn.Module
        Takes (B, F, L), gives logits or `earmark.train.models.MultiTaskOutputs`.
    train, validation : PatchSet
    config : FitConfig
    seed : int
        Of batches, noise and dropout.
    checkpoint : Path, optional
        Written after every epoch; a training that was interrupted goes on from it.
    device : str
    bfloat16 : bool
        Multiply in bfloat16 where the processor can; sums, losses and weights stay in float32.
    report : callable
        Told epoch, "loss" or "accuracy", and its value on the validation part.

    Raises
    ------
    ConfigError
        If the device is not here, a part is empty, the loss is not finite, or the checkpoint is of another
        training.
    """
    for part, name in ((train, "training"), (validation, "validation")):
        if not len(part):
            raise ConfigError(f"the {name} part has no patches; give longer recordings or more of them")
    torch.manual_seed(seed)
    # Convolutions over planes are faster where channels are last in memory.
    where = find_device(device)
    net = net.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    answer = _Answer(net, where, bfloat16)
    steps = _steps(train, config)
    optimiser = _optimiser(net, config)
    training = json.dumps([config.setup(), seed])
    class_weights = None
    if config.class_weights:
        class_weights = torch.from_numpy(inverse_frequencies(train.labels)).to(where)
    state = State(best=copy.deepcopy(net.state_dict()))
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint, net, optimiser, training)
    while state.epoch < config.epochs and state.epoch - state.best_epoch < config.patience:
        began, cpu = time.monotonic(), time.process_time()
        rng = np.random.default_rng((seed, state.epoch))
        net.train()
        for at, indices in enumerate(_epoch(train, config, steps, rng)):
            if config.decay_steps:
                for group in optimiser.param_groups:
                    group["lr"] = config.learning_rate * 0.1 ** (
                        (state.epoch * steps + at) / config.decay_steps
                    )
            batch = _noisy(config.augment(_on(train.batch(indices), device), rng), config.noise, rng)
            loss = loss_of(answer(batch.patches), batch, config.tasks, class_weights)
            loss = loss + penalty(net).to(device)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if config.clip_norm:
                clip_gradients(net, config.clip_norm)
            optimiser.step()
        value = _validate(net, answer, validation, config, seed, device)
        if not math.isfinite(value):
            raise ConfigError(
                f"training broke down in epoch {state.epoch + 1} (loss {value}); lower learning_rate"
            )
        state.epoch += 1
        merit = -value if config.monitor == "loss" else value
        if merit > state.best_merit + config.min_delta:
            state.best_merit, state.best_epoch = merit, state.epoch
            state.best = copy.deepcopy(net.state_dict())
        state.seconds += time.monotonic() - began
        state.cpu_s += time.process_time() - cpu
        report(state.epoch, config.monitor, value)
        if checkpoint is not None:
            state.save(checkpoint, net, optimiser, training)
    net.load_state_dict(state.best)
    return Fitted(
        net.cpu().eval(), state.epoch, state.best_epoch, state.cpu_s, state.seconds, answer.bfloat16
    )


@torch.no_grad()
def predict(net: nn.Module, patches: PatchSet, device: str = "cpu") -> npt.NDArray[np.float32]:
    """Return class probabilities of all patches, shape=(n, K)."""
    net = net.to(device).eval()
    parts = [
        probabilities(net(batch.patches.to(device))).cpu().numpy() for batch in patches.in_order(_TEST_BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


class _Answer:
    """What a network answers, in float32 whatever it multiplies in."""

    def __init__(self, net: nn.Module, where: torch.device, bfloat16: bool) -> None:
        self._net, self._where = net, where
        self.bfloat16 = bfloat16 and has_bfloat16(where)

    def __call__(self, patches: Tensor) -> Any:
        with torch.autocast(self._where.type, torch.bfloat16, enabled=self.bfloat16):
            outputs = self._net(patches)
        return (
            outputs.float() if isinstance(outputs, Tensor) else type(outputs)(*(o.float() for o in outputs))
        )


def _steps(train: PatchSet, config: FitConfig) -> int:
    """Return the steps of an epoch."""
    if not config.per_class:
        return math.ceil(min(len(train), config.epoch_patches or len(train)) / config.batch)
    n_classes = len(np.unique(train.labels))
    return max(1, int(config.passes * len(train) / (config.batch * n_classes)))


def _epoch(
    train: PatchSet, config: FitConfig, steps: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.intp]]:
    if config.per_class:
        return by_class(train, config.batch, steps, rng)
    return shuffled(train, config.batch, rng, config.epoch_patches or None)


@torch.no_grad()
def _validate(
    net: nn.Module, answer: _Answer, validation: PatchSet, config: FitConfig, seed: int, device: str
) -> float:
    """Return the mean loss, with the regularisers, or the accuracy in percent."""
    net.eval()
    if config.per_class:
        # The same batches every time, as many as the part has patches for.
        draws = by_class(validation, config.batch, _steps(validation, config), np.random.default_rng(seed))
        batches: Iterator[Batch] = (validation.batch(indices) for indices in draws)
    else:
        batches = validation.in_order(_TEST_BATCH)
    total, n = 0.0, 0
    for batch in batches:
        batch = _on(batch, device)
        outputs = answer(batch.patches)
        if config.monitor == "loss":
            value = float(loss_of(outputs, batch, config.tasks))
        else:
            value = 100 * float((probabilities(outputs).argmax(1) == batch.labels).float().mean())
        total, n = total + value * len(batch.labels), n + len(batch.labels)
    return total / n + (float(penalty(net)) if config.monitor == "loss" else 0.0)


@torch.no_grad()
def clip_gradients(net: nn.Module, norm: float) -> None:
    """Scale each gradient tensor down to a norm, as Keras's `clipnorm` does."""
    for parameter in net.parameters():
        if parameter.grad is not None:
            parameter.grad *= (norm / (parameter.grad.norm() + _EPSILON)).clamp(max=1)


def _optimiser(net: nn.Module, config: FitConfig) -> torch.optim.Optimizer:
    parameters = [p for p in net.parameters() if p.requires_grad]
    if config.optimiser == "sgd":
        return torch.optim.SGD(parameters, config.learning_rate, momentum=config.momentum)
    kind = torch.optim.Adam if config.optimiser == "adam" else torch.optim.NAdam
    return kind(parameters, config.learning_rate, eps=_EPSILON)


def _on(batch: Batch, device: str) -> Batch:
    return Batch(*(part.to(device) for part in batch))


def _noisy(batch: Batch, spreads: tuple[float, ...], rng: np.random.Generator) -> Batch:
    if not spreads:
        return batch
    spread = spreads[int(rng.integers(len(spreads)))]
    own = torch.Generator().manual_seed(int(rng.integers(2**63)))  # twice as fast as numpy's
    noise = spread * torch.randn(batch.patches.shape, generator=own)
    return batch._replace(patches=batch.patches + noise.to(batch.patches.device))
