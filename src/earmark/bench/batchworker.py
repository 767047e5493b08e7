"""A batch, or its bare work, in a process: ``-m earmark.bench.batchworker IN OUT MODEL JOBS KIND``.

With 0 jobs, the recordings are detected in a loop, without workers, ledger or results: the work a batch adds
to.  Writes one line of JSON: recordings done, seconds of audio, seconds from the first that was done to the
last, processor seconds in that time (of a batch, of all its processes), and the greatest memory of a worker.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from earmark.batch.engines.local_engine import LocalEngine
from earmark.batch.items import find_items
from earmark.batch.plan import Plan
from earmark.batch.process import make_work
from earmark.batch.session import Running, begin_batch
from earmark.batch.task import Outcome, Task
from earmark.bench.worker import peak_memory_mb
from earmark.detector import Detector
from earmark.pool import Progress, Work


class _Watch:
    """Notes when recordings are done; the first ones, one a worker, are the start and do not count."""

    def __init__(self, folder: Path, n_first: int) -> None:
        self._folder, self._n_first = folder, n_first
        self.n_done = 0
        self.audio_s = 0.0
        self._began = self._ended = self._cpu = 0.0

    def listing(self, n_items: int) -> None:
        """See `Teller`."""

    def left_out(self, problem: str) -> None:
        """See `Teller`."""

    def changed(self, n_items: int) -> None:
        """See `Teller`."""

    def begin(self, counts: Mapping[str, int]) -> None:
        """See `Teller`."""

    def done(self, task: Task | None, outcome: Outcome) -> None:
        """See `Teller`."""
        if outcome.error is not None:
            raise SystemExit(outcome.error)
        self.n_done += 1
        if self.n_done == self._n_first:
            self._began, self._cpu = time.perf_counter(), self._cpu_s()
        elif self.n_done > self._n_first:
            self.audio_s += outcome.duration
        self._ended = time.perf_counter()

    def result(self) -> dict[str, float]:
        """Return what was measured."""
        return {
            "n": self.n_done - self._n_first,
            "audio_s": self.audio_s,
            "wall_s": self._ended - self._began,
            "cpu_s": self._cpu_s() - self._cpu,
            "peak_mb": max(float(path.read_text()) for path in self._folder.glob("peak-*")),
        }

    def _cpu_s(self) -> float:
        """Return the processor seconds of this process and, by their own account, of the workers."""
        return time.process_time() + sum(float(path.read_text()) for path in self._folder.glob("cpu-*"))


def _measured(plan: Plan) -> Work[Task, Outcome]:
    return partial(_measure, make_work(plan), Path(plan.folder).parent)


def _measure(work: Work[Task, Outcome], folder: Path, task: Task, progress: Progress) -> Outcome:
    outcome = work(task, progress)
    _note(folder, time.process_time())
    return outcome


def _note(folder: Path, cpu_s: float) -> None:
    for name, value in (("peak", peak_memory_mb()), ("cpu", cpu_s)):
        path = folder / f".{name}-{os.getpid()}"
        path.write_text(str(value))
        os.replace(path, folder / f"{name}-{os.getpid()}")


def main(source: str, out: str, model: str, jobs: int, results: str) -> None:
    """Do the recordings of a folder; `results` is the kind of the batch's."""
    folder = Path(out).parent
    for path in (*folder.glob("peak-*"), *folder.glob("cpu-*")):
        path.unlink()
    watch = _Watch(folder, max(1, jobs))
    if jobs:
        running = Running(LocalEngine(jobs), make=_measured)
        begin_batch(source, Path(out), model, {}, results, None, running, watch)
    else:
        detector = Detector(model)
        for item in find_items(source):
            watch.done(None, Outcome(duration=detector.detect(item.source, threaded=False).duration))
        _note(folder, 0.0)
    sys.stdout.write(json.dumps(watch.result()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
