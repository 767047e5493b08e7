"""Engines: who does the tasks.  Each is a thin layer over `process.make_work`, and all promise the same.

* A task is taken when a worker is free for it, or soon will be: only so many are ever in flight.
* What comes back is told at once, in the order in which it comes.
* A worker has its model loaded once, in a process of its own, which a bad recording may crash, hang or blow
  up: it is killed at its limits, and another goes on.
* A worker machine that is lost costs its tasks a second attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from typing import Protocol, cast

from earmark.batch.task import Outcome, Task
from earmark.errors import ConfigError
from earmark.pool import Done, Limits, Work

Make = Callable[[], Work[Task, Outcome]]
Results = Generator[tuple[Task, Outcome]]
ENGINES = ("local", "dask", "ray", "spark")


class Engine(Protocol):
    """Does tasks."""

    def run(self, make: Make, tasks: Iterator[Task], limits: Limits) -> Results:
        """Do tasks as long as there are any; closing the generator stops the workers."""
        ...


def find_engine(name: str, jobs: int | None, scheduler: str | None) -> Engine:
    """Return an engine.

    Parameters
    ----------
    name : str
        One of `ENGINES`.
    jobs : int or None
        Workers; by default one per core, or as many as the scheduler has.
    scheduler : str or None
        Address of one that runs already.

    Raises
    ------
    ConfigError
        If there is no such engine, or it has no scheduler.
    """
    if name not in ENGINES:
        raise ConfigError(f"--engine {name}: there are {', '.join(ENGINES)}")
    if name == "local" and scheduler is not None:
        raise ConfigError(
            f"--scheduler {scheduler}: the engine local has none; add --engine dask, ray or spark"
        )
    # Imported late: Dask, Ray and Spark take seconds.
    make = import_module(f"earmark.batch.engines.{name}_engine").make
    return cast(Engine, make(jobs, scheduler))


def outcome_of(done: Done[Outcome], seconds: float = 0.0) -> Outcome:
    """Return what came of a task, also where its worker died over it."""
    if done.result is not None:
        return done.result
    if done.exceeded:
        return Outcome(f"{done.death}; raise it, or check the recording", seconds=seconds)
    return Outcome(
        f"the process working on it died ({done.death}); it may be damaged: convert it first", seconds=seconds
    )
