"""The training on crops: rates by epoch, the best and the last weights kept, a checkpoint to go on from."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.train.checkpoint import State
from earmark.train.crops.config import CropConfig
from earmark.train.crops.songs import Crops, part_of_batch
from earmark.train.crops.team import Team
from earmark.train.device import has_bfloat16


@dataclass(frozen=True)
class Told:
    """What a caller is told after every epoch: its number, mean loss, and accuracy where it was validated."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class Trained:
    """A trained network, and how it came about.

    Attributes
    ----------
    net : nn.Module
        With the weights of the last epoch.
    best : mapping of str to Tensor
        The weights of the epoch that validated best; of the last one if none was.
    epochs, best_epoch : int
    cpu_s, seconds : float
        CPU and wall-clock seconds, of this process.
    bfloat16 : bool
        Whether products were in bfloat16.
    """

    net: nn.Module
    best: dict[str, Tensor]
    epochs: int
    best_epoch: int
    cpu_s: float
    seconds: float
    bfloat16: bool


def train_on_crops(
    net: nn.Module,
    crops: Crops,
    config: CropConfig,
    team: Team,
    *,
    seed: int,
    validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None,
    bfloat16: bool = False,
    compiled: bool = False,
    report: Callable[[Told], None] = lambda told: None,
) -> Trained:
    """Train a network with a softmax over its logits; an interrupted training ends as if it had not been.

    Parameters
    ----------
    net : nn.Module
        (B, F, L) to logits (B, K).
    crops : Crops
    config : CropConfig
    team : Team
        Each process gives the same network and has its part of the batches.
    seed : int
        Of what a network draws; `crops` has its own.
    validate : callable, optional
        Returns an accuracy in percent, the same in all processes; the first best epoch is kept.
    checkpoint : Path, optional
        Written after every epoch by the first process; read by all of them to go on.
    bfloat16 : bool
        Multiply in bfloat16 where the device can; sums, losses and weights stay in float32.
    compiled : bool
        Let PyTorch compile the network first.
    report : callable
        Called after every epoch in the first process.

    Raises
    ------
    ConfigError
        If the batch cannot be parted, the loss is not finite, or the checkpoint is of another training.
    """
    part_of_batch(config.batch, team.world)
    torch.manual_seed(seed)
    net = net.to(team.device)
    optimiser = torch.optim.Adam(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    learner = team.joined(net)
    if compiled:
        learner = cast(nn.Module, torch.compile(learner))
    # The number of processes matters to what is streamed, and to the order of sums.
    training = json.dumps([asdict(config), seed, team.world])
    state = State(best=copy.deepcopy(net.state_dict()))
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint, net, optimiser, training)
    in_bfloat16 = bfloat16 and has_bfloat16(team.device)
    while state.epoch < config.epochs:
        began, cpu = time.monotonic(), time.process_time()
        for group in optimiser.param_groups:
            group["lr"] = config.rate(state.epoch)
        net.train()
        total = torch.zeros((), device=team.device)
        for x, y in crops.epoch(state.epoch, team.rank, team.world):
            x, y = x.to(team.device, non_blocking=True), y.to(team.device, non_blocking=True)
            with torch.autocast(team.device.type, torch.bfloat16, enabled=in_bfloat16):
                logits = learner(x)
            loss = nn.functional.cross_entropy(logits.float(), y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += loss.detach()
        (loss_sum,) = team.sum([float(total) / (crops.steps * team.world)])
        if not math.isfinite(loss_sum):
            raise ConfigError(
                f"training broke down in epoch {state.epoch + 1} (loss {loss_sum}); lower learning_rate"
            )
        state.epoch += 1
        value = None
        last = state.epoch == config.epochs
        if validate is not None and (state.epoch % config.validate_every == 0 or last):
            value = validate(net)
        if validate is None or (value is not None and value > state.best_merit):
            state.best_merit = state.best_merit if value is None else value
            state.best_epoch = state.epoch
            state.best = copy.deepcopy(net.state_dict())
        state.seconds += time.monotonic() - began
        state.cpu_s += time.process_time() - cpu
        if team.is_first:
            report(Told(state.epoch, config.epochs, loss_sum, value))
            if checkpoint is not None:
                state.save(checkpoint, net, optimiser, training)
        team.wait()  # nobody goes on, or ends, before it is written
    return Trained(
        net.eval(), state.best, state.epoch, state.best_epoch, state.cpu_s, state.seconds, in_bfloat16
    )
