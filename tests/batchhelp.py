"""Batches of tests: a folder of recordings, and workers that some of them harm."""

from __future__ import annotations

import csv
import os
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from earmark.audio_writer import write_audio
from earmark.batch.engines.local_engine import LocalEngine
from earmark.batch.items import find_items
from earmark.batch.plan import Plan
from earmark.batch.process import make_work
from earmark.batch.session import Running, begin_batch
from earmark.batch.task import Outcome, Task
from earmark.pool import Limits, Progress, Work

posix = pytest.mark.skipif(sys.platform == "win32", reason="no signals or named pipes there")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def fill(folder: Path, *names: str, seconds: float = 1.0) -> Path:
    """Write a recording of each name, different from one another."""
    rng = np.random.default_rng(0)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, rng.normal(0, 0.1, round(16_000 * seconds)).astype(np.float32), 16_000)
    return folder


def harmful(plan: Plan) -> Work[Task, Outcome]:
    """Return the work of a batch, on which recordings with certain names have certain effects."""
    return partial(_harm, make_work(plan), plan)


def _harm(work: Work[Task, Outcome], plan: Plan, task: Task, progress: Progress) -> Outcome:
    name = os.path.basename(task.id)
    if name == "hangs.wav":
        time.sleep(3600)
    if name == "kills.wav":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "grows.wav":
        kept = []
        while True:
            kept.append(np.ones(1_000_000))
            time.sleep(0.005)
    if name == "loses.wav" and not Path(plan.folder, "lost").exists():
        Path(plan.folder, "lost").touch()
        os.kill(os.getppid(), signal.SIGKILL)  # the worker of the engine, as when its machine fails
        time.sleep(3600)
    return work(task, progress)


class Notes:
    """Keeps what it is told of a run."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.problems: list[str] = []
        self.n_changed = 0

    def listing(self, n_items: int) -> None:
        """Take no notice."""

    def left_out(self, problem: str) -> None:
        """Keep the problem."""
        self.problems.append(problem)

    def changed(self, n_items: int) -> None:
        """Keep the number."""
        self.n_changed = n_items

    def begin(self, counts: Mapping[str, int]) -> None:
        """Take no notice."""

    def done(self, task: Task, outcome: Outcome) -> None:
        """Keep the outcome; there is one for each recording."""
        assert task.id not in self.outcomes
        self.outcomes[task.id] = outcome


def begin(
    folder: Path, model: Path, limits: Limits | None = None, jobs: int = 1, split_s: float | None = None
) -> Notes:
    """Run a batch of the recordings in a folder's folder ``in``, with harm; return what was told."""
    notes = Notes()
    running = Running(LocalEngine(jobs), limits or Limits(), harmful)
    begin_batch(str(folder / "in"), folder / "out", str(model), {}, "json", split_s, running, notes)
    return notes


def manifest(folder: Path) -> dict[str, dict[str, str]]:
    """Return the lines of a batch's manifest by id; there is one for each."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def ids(source: str | Path) -> list[str]:
    """Return the ids that a source names, sorted."""
    return sorted(item.id for item in find_items(str(source)))
