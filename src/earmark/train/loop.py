"""The training loop: one cycle of rates, averaged weights, a checkpoint to go on from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.train.bank import Bank
from earmark.train.batches import Batch, BatchSource, make_batch
from earmark.train.checkpoint import write_tensors
from earmark.train.config import DetectorConfig, ScheduleConfig
from earmark.train.device import find_device, has_bfloat16
from earmark.train.mixture import Mixer
from earmark.train.networks import DetectorNet
from earmark.train.objective import frame_scores, loss_of
from earmark.train.optimiser import Optimiser

LABELS = ("speech", "music", "noise")


@dataclass
class Progress:
    """What a caller is told after every step: `share` of the training is done, by steps or by time."""

    step: int
    steps: int
    loss: float
    seconds: float
    scores: dict[str, float] | None = None
    share: float = 0.0


class AnyBatch(Protocol):
    """Examples of a step: `log_mel` goes into the network, the rest into the loss."""

    @property
    def log_mel(self) -> Tensor: ...

    def to(self: _Batch, device: torch.device) -> _Batch: ...


_Batch = TypeVar("_Batch", bound="AnyBatch")


def train(
    config: DetectorConfig,
    bank: Bank,
    out: Path,
    *,
    validation: Sequence[Batch] = (),
    device: str = "cpu",
    workers: int = 1,
    report: Callable[[Progress], None] = lambda progress: None,
) -> DetectorNet:
    """Train a detector's network and return it with its averaged weights.

    Parameters
    ----------
    config : DetectorConfig
        Network, schedule and seed.
    bank : Bank
        Training recordings as log-mel frames.
    out : Path
        Folder of the run, see `train_steps`.
    validation : sequence of Batch
        Fixed batches scored every ``validate_every`` steps.
    device : str
        ``"cpu"`` or ``"cuda"``.
    workers : int
        Processes that make mixtures.
    report : callable
        Called after every step.
    """
    t = config.train
    torch.manual_seed(t.seed)
    where = find_device(device)
    net = DetectorNet(config.network, bank.front_end.n_mels, len(LABELS)).to(where)
    train_steps(
        net,
        Optimiser(net, t, ("labels", "ratio", "sung")),
        partial(make_batch, Mixer(bank), config.plan, t),
        lambda outputs, batch: loss_of(outputs, batch, t),
        t,
        out,
        described=json.dumps(asdict(config)),
        evaluate=(lambda averaged: evaluate(averaged, validation)) if validation else None,
        workers=workers,
        report=report,
    )
    return net.cpu().eval()


def train_steps(
    net: nn.Module,
    optimiser: Optimiser,
    make: Callable[[int], _Batch],
    losses: Callable[[Any, _Batch], dict[str, Tensor]],
    schedule: ScheduleConfig,
    out: Path,
    *,
    described: str,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    workers: int = 1,
    report: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Train a network in place; it ends with its averaged weights.

    Parameters
    ----------
    net : nn.Module
        On the device it is to be trained on; gives a named tuple of tensors.
    optimiser : Optimiser
    make : callable
        Makes the batch of a step, in processes of its own.
    losses : callable
        The parts of the loss, from what the network gives (in float32) and the batch.
    schedule : ScheduleConfig
    out : Path
        Folder for ``checkpoint.pt`` (resumed from if it is there) and ``metrics.jsonl``.
    described : str
        The whole configuration; a checkpoint of another one is refused.
    evaluate : callable, optional
        Scores the averaged network every ``validate_every`` steps.
    workers : int
        Processes that make batches.
    report : callable
        Called after every step.

    Raises
    ------
    ConfigError
        If the checkpoint belongs to another configuration.
    """
    t = schedule
    out.mkdir(parents=True, exist_ok=True)
    where = next(net.parameters()).device
    averaged = torch.optim.swa_utils.AveragedModel(net, avg_fn=_average(t.average), use_buffers=True)
    step, spent = 0, 0.0
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=where, weights_only=True)
        if state["config"] != described:
            raise ConfigError(
                f"'{checkpoint}' belongs to another configuration; choose another --out or remove it"
            )
        net.load_state_dict(state["net"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
        torch.set_rng_state(state["rng"].cpu())

    def save() -> None:
        whole = {
            "config": described,
            "net": net.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
            "spent": spent,
            "rng": torch.get_rng_state(),
        }
        write_tensors(checkpoint, whole)

    batches = BatchSource(make, step, workers)
    budget = 60 * t.max_minutes
    with (out / "metrics.jsonl").open("a", encoding="utf-8") as log:
        try:
            while step < t.steps and spent < budget:
                began = time.monotonic()
                done = max(step / t.steps, spent / budget)
                net.train()
                batch = next(batches).to(where)
                with torch.autocast(where.type, torch.bfloat16, enabled=t.bfloat16 and has_bfloat16(where)):
                    outputs = net(batch.log_mel)
                parts = losses(type(outputs)(*(output.float() for output in outputs)), batch)
                loss = torch.stack(list(parts.values())).sum()
                net.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimiser.step(_one_cycle(done, step))
                averaged.update_parameters(net)
                step += 1
                spent += time.monotonic() - began
                progress = Progress(step, t.steps, float(loss.detach()), spent)
                progress.share = max(step / t.steps, spent / budget)
                last = step >= t.steps or spent >= budget
                if step % t.validate_every == 0 or last:
                    progress.scores = evaluate(averaged.module) if evaluate else None
                    row = {"step": step, "seconds": round(spent, 1), "done": round(done, 4)}
                    row |= {name: float(value.detach()) for name, value in parts.items()}
                    log.write(json.dumps(row | (progress.scores or {})) + "\n")
                    log.flush()
                    save()
                report(progress)
        finally:
            batches.close()
    net.load_state_dict(averaged.module.state_dict())


def _average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average that starts as a plain mean, so that short runs are not held back."""

    def update(average: Tensor, value: Tensor, seen: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return value
        return average + (1 - min(decay, (1 + int(seen)) / (10 + int(seen)))) * (value - average)

    return update


def _one_cycle(done: float, step: int) -> float:
    """Return the share of the peak rate: a short warm-up, then half a cosine to nearly zero."""
    return min(1.0, (step + 1) / 200) * (0.005 + 0.995 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, done)))))


@torch.no_grad()
def evaluate(net: nn.Module, batches: Sequence[Batch]) -> dict[str, float]:
    """Score a network on fixed batches."""
    net.eval()
    device = next(net.parameters()).device
    logits = torch.cat([net(b.log_mel.to(device)).logits.cpu() for b in batches])
    return frame_scores(logits, torch.cat([b.labels for b in batches]))
