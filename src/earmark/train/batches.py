"""Batches of mixtures, made ahead of the training in processes of their own."""

from __future__ import annotations

import queue
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from earmark.errors import ConfigError
from earmark.planner import PlanOptions, plan
from earmark.pool import ignore_interrupts
from earmark.train.config import TrainConfig
from earmark.train.mixture import Example, Mixer

_Batch = TypeVar("_Batch")

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
            chunks.append(Example(*(value[part] for value in vars(whole).values())))
    return Batch(
        torch.from_numpy(np.stack([c.log_mel.T for c in chunks])),
        torch.from_numpy(np.stack([c.labels for c in chunks])),
        torch.from_numpy(np.stack([c.ratio_db for c in chunks])),
        torch.from_numpy(np.stack([c.sung for c in chunks])),
    )


def _produce(make: Callable[[int], _Batch], steps: Any, out: Any) -> None:
    """Worker process: make the batches of the steps it is told."""
    ignore_interrupts()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it has inherited the parent's way of ending
    torch.set_num_threads(1)
    while (step := steps.get()) is not None:
        out.put((step, make(step)))


class BatchSource(Generic[_Batch]):
    """Batches in the order of their steps, made ahead by worker processes.

    Parameters
    ----------
    make : callable
        Makes the batch of a step.
    first : int
        The first step that is wanted.
    workers : int
        Processes.
    """

    def __init__(self, make: Callable[[int], _Batch], first: int, workers: int) -> None:
        context = torch.multiprocessing.get_context("fork")
        self._steps, self._out = context.Queue(), context.Queue(maxsize=4 * workers)
        self._next, self._asked = first, first
        self._ready: dict[int, _Batch] = {}
        self._workers = [
            context.Process(target=_produce, args=(make, self._steps, self._out), daemon=True)
            for _ in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def __next__(self) -> _Batch:
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

    def __iter__(self) -> Iterator[_Batch]:
        return self

    def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            worker.terminate()
