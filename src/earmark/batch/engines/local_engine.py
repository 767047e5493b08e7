"""Local processes: the default engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from earmark.batch.engines import Make, Results, outcome_of
from earmark.batch.task import Task
from earmark.cores import usable_cores
from earmark.pool import Limits, run_pool


@dataclass(frozen=True)
class LocalEngine:
    """Worker processes of this machine.

    Parameters
    ----------
    jobs : int
        How many.
    """

    jobs: int

    def run(self, make: Make, tasks: Iterator[Task], limits: Limits) -> Results:
        """See `Engine.run`."""
        taken: dict[int, tuple[Task, float]] = {}
        n_taken = 0

        def note(task: Task) -> Task:
            nonlocal n_taken
            taken[n_taken] = task, time.monotonic()
            n_taken += 1
            return task

        # `map` goes on after its end, as the tasks do.
        with closing(run_pool(make, map(note, tasks), self.jobs, _ignore, limits)) as results:
            for done in results:
                task, began = taken.pop(done.index)
                yield task, outcome_of(done, round(time.monotonic() - began, 3))


def make(jobs: int | None, scheduler: str | None) -> LocalEngine:
    """Return the engine; it has no scheduler."""
    return LocalEngine(jobs or usable_cores())


def _ignore(index: int, seconds: float, duration: float | None) -> None:
    """Take no notice of how far a task is."""
