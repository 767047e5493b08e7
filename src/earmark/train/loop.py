"""The training loop: mixtures made on the fly in worker processes, AdamW on one cycle, averaged weights."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.features import FrontEnd
from earmark.planner import PlanOptions, plan
from earmark.train.bank import Bank
from earmark.train.config import DetectorConfig, TrainConfig
from earmark.train.mixture import Example, Mixer
from earmark.train.networks import RATIO_DB, DetectorNet, Outputs

LABELS = ("speech", "music", "noise")
# A programme is planned this many chunks long, so that scenes cross the edges of chunks.
_CHUNKS_PER_PROGRAMME = 4


@dataclass(frozen=True)
class Batch:
    """Tensors of a training step: log_mel (B, F, T), labels (B, T, 3), ratio (B, T) in dB, sung (B, T)."""

    log_mel: Tensor
    labels: Tensor
    ratio_db: Tensor
    sung: Tensor

    def to(self, device: torch.device) -> Batch:
        """Copy to a device."""
        return Batch(*(t.to(device) for t in (self.log_mel, self.labels, self.ratio_db, self.sung)))


def make_batch(mixer: Mixer, options: PlanOptions, config: TrainConfig, step: int) -> Batch:
    """Make the batch of a step; it depends on the seed and the step alone, so a run can be resumed."""
    rng = np.random.default_rng((config.seed, step))
    n_frames = round(config.chunk_s / mixer.front_end.grid.hop_s)
    chunks: list[Example] = []
    while len(chunks) < config.batch:
        n = min(_CHUNKS_PER_PROGRAMME, config.batch - len(chunks))
        whole = mixer.render(plan(mixer.bank.sources, n * config.chunk_s, rng, options), rng)
        for i in range(n):
            part = slice(i * n_frames, (i + 1) * n_frames)
            chunks.append(
                Example(whole.log_mel[part], whole.labels[part], whole.ratio_db[part], whole.sung[part])
            )
    return Batch(
        torch.from_numpy(np.stack([c.log_mel.T for c in chunks])),
        torch.from_numpy(np.stack([c.labels for c in chunks])),
        torch.from_numpy(np.stack([c.ratio_db for c in chunks])),
        torch.from_numpy(np.stack([c.sung for c in chunks])),
    )


def loss_of(outputs: Outputs, batch: Batch, config: TrainConfig) -> dict[str, Tensor]:
    """Return the parts of the loss; frames whose target is nan have no say.

    The labels are a multi-label cross-entropy; the ratio (an auxiliary task after BHA, section 4.5) a
    Huber loss in units of `RATIO_DB`; `sung` a cross-entropy.
    """
    parts = {"labels": _masked_bce(outputs.logits, batch.labels)}
    if config.ratio_weight:
        known = ~torch.isnan(batch.ratio_db)
        error = nn.functional.huber_loss(
            outputs.ratio[known], batch.ratio_db[known] / RATIO_DB, reduction="sum", delta=0.5
        )
        parts["ratio"] = config.ratio_weight * error / known.sum().clamp(min=1)
    if config.sung_weight:
        parts["sung"] = config.sung_weight * _masked_bce(outputs.sung, batch.sung)
    return parts


def _masked_bce(logits: Tensor, targets: Tensor) -> Tensor:
    known = ~torch.isnan(targets)
    total = nn.functional.binary_cross_entropy_with_logits(logits[known], targets[known], reduction="sum")
    return total / known.sum().clamp(min=1)


def frame_scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Return speech, music and overlap F and four-state accuracy (all 0-100) over the known frames."""
    known = ~torch.isnan(labels[..., :2]).any(dim=-1)
    found, truth = (logits[known][:, :2] > 0), (labels[known][:, :2] > 0.5)

    def f_score(a: Tensor, b: Tensor) -> float:
        return 200 * float((a & b).sum()) / max(1.0, float(a.sum() + b.sum()))

    return {
        "speech_f": f_score(found[:, 0], truth[:, 0]),
        "music_f": f_score(found[:, 1], truth[:, 1]),
        "overlap_f": f_score(found.all(1), truth.all(1)),
        "four_state": 100 * float((found == truth).all(1).float().mean()),
    }


def _produce(
    bank: Bank, front_end: FrontEnd, options: PlanOptions, config: TrainConfig, steps: Any, out: Any
) -> None:
    """Worker process: make the batches of the steps it is told."""
    torch.set_num_threads(1)
    mixer = Mixer(bank, front_end)
    while (step := steps.get()) is not None:
        out.put((step, make_batch(mixer, options, config, step)))


class BatchSource:
    """Batches in the order of their steps, made ahead by worker processes."""

    def __init__(
        self,
        bank: Bank,
        front_end: FrontEnd,
        options: PlanOptions,
        config: TrainConfig,
        first: int,
        workers: int,
    ) -> None:
        context = torch.multiprocessing.get_context("fork")
        self._steps, self._out = context.Queue(), context.Queue(maxsize=4 * workers)
        self._next, self._asked = first, first
        self._ready: dict[int, Batch] = {}
        self._workers = [
            context.Process(
                target=_produce, args=(bank, front_end, options, config, self._steps, self._out), daemon=True
            )
            for _ in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def __next__(self) -> Batch:
        while self._asked < self._next + 4 * len(self._workers):
            self._steps.put(self._asked)
            self._asked += 1
        while self._next not in self._ready:
            try:
                step, batch = self._out.get(timeout=120)
            except queue.Empty:
                if not all(worker.is_alive() for worker in self._workers):
                    raise ConfigError(
                        "a process that makes training mixtures died; is there memory enough?"
                    ) from None
                continue
            self._ready[step] = batch
        self._next += 1
        return self._ready.pop(self._next - 1)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            worker.terminate()


@dataclass
class Progress:
    """What a caller is told after every step."""

    step: int
    steps: int
    loss: float
    seconds: float
    scores: dict[str, float] | None = None


def train(
    config: DetectorConfig,
    bank: Bank,
    front_end: FrontEnd,
    out: Path,
    *,
    options: PlanOptions | None = None,
    validation: Sequence[Batch] = (),
    device: str = "cpu",
    workers: int = 1,
    report: Callable[[Progress], None] = lambda progress: None,
) -> DetectorNet:
    """Train a network and return it with its averaged weights.

    Parameters
    ----------
    config : DetectorConfig
        Network, schedule and seed.
    bank : Bank
        Training recordings as log-mel frames.
    front_end : FrontEnd
        Constants the bank was made with.
    out : Path
        Folder for ``checkpoint.pt`` (resumed from if it is there) and ``metrics.jsonl``.
    options : PlanOptions, optional
        What the mixtures are made of.
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
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(t.seed)
    where = torch.device(device)
    net = DetectorNet(config.network, front_end.n_mels, len(LABELS)).to(where)
    averaged = torch.optim.swa_utils.AveragedModel(net, avg_fn=_average(t.average), use_buffers=True)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": t.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=t.learning_rate,
    )
    step, spent = 0, 0.0
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=where, weights_only=True)
        if state["config"] != json.dumps(asdict(config)):
            raise ConfigError(
                f"'{checkpoint}' belongs to another configuration; choose another --out or remove it"
            )
        net.load_state_dict(state["net"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
        torch.set_rng_state(state["rng"].cpu())

    def save() -> None:
        temporary = checkpoint.with_suffix(".part")
        torch.save(
            {
                "config": json.dumps(asdict(config)),
                "net": net.state_dict(),
                "averaged": averaged.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "spent": spent,
                "rng": torch.get_rng_state(),
            },
            temporary,
        )
        temporary.replace(checkpoint)

    batches = BatchSource(bank, front_end, options or PlanOptions(), t, step, workers)
    budget = 60 * t.max_minutes
    with (out / "metrics.jsonl").open("a", encoding="utf-8") as log:
        try:
            while step < t.steps and spent < budget:
                began = time.monotonic()
                done = max(step / t.steps, spent / budget)
                for group in optimiser.param_groups:
                    group["lr"] = t.learning_rate * _one_cycle(done, step)
                net.train()
                batch = next(batches).to(where)
                with torch.autocast(where.type, torch.bfloat16, enabled=t.bfloat16 and _has_bfloat16(where)):
                    outputs = Outputs(*(output.float() for output in net(batch.log_mel)))
                parts = loss_of(outputs, batch, t)
                loss = torch.stack(list(parts.values())).sum()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimiser.step()
                averaged.update_parameters(net)
                step += 1
                spent += time.monotonic() - began
                progress = Progress(step, t.steps, float(loss.detach()), spent)
                last = step >= t.steps or spent >= budget
                if step % t.validate_every == 0 or last:
                    progress.scores = evaluate(averaged.module, validation) if validation else None
                    row = {"step": step, "seconds": round(spent, 1), "done": round(done, 4)}
                    row |= {name: float(value.detach()) for name, value in parts.items()}
                    log.write(json.dumps(row | (progress.scores or {})) + "\n")
                    log.flush()
                    save()
                report(progress)
        finally:
            batches.close()
    net.load_state_dict(averaged.module.state_dict())
    return net.cpu().eval()


def _average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average that starts as a plain mean, so that short runs are not held back."""

    def update(average: Tensor, value: Tensor, seen: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return value
        return average + (1 - min(decay, (1 + int(seen)) / (10 + int(seen)))) * (value - average)

    return update


def _has_bfloat16(device: torch.device) -> bool:
    """Tell whether the processor multiplies bfloat16 itself; emulated, it would only be slower."""
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()


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
