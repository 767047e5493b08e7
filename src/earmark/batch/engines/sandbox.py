"""The process in which a worker of a cluster does its tasks, so that a bad recording costs that process only.

A worker of Dask, Ray or Spark may be a thread or a process, and lives on from task to task; beside each
stands one process with the model, under the same limits as local workers are.
"""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from earmark.batch.engines import Make, outcome_of
from earmark.batch.task import Outcome, Task
from earmark.pool import Limits, run_pool

# What is lost with a machine is tried so often.
MOST_ATTEMPTS = 3
LOST = f"the worker doing it was lost {MOST_ATTEMPTS} times; see the engine's own log, then retry"

# By thread: what they were made for, and themselves.
_sandboxes: dict[int, tuple[bytes, Sandbox]] = {}


class Sandbox:
    """A process that does one task at a time.

    Parameters
    ----------
    make : callable
        See `run_pool`.
    limits : Limits
        Of a task.
    """

    def __init__(self, make: Make, limits: Limits) -> None:
        self._given = _Given()
        self._results = run_pool(make, self._given, 1, lambda *_: None, limits)

    def do(self, task: Task) -> Outcome:
        """Do a task.

        Raises
        ------
        EarmarkError
            What `make` raises.
        """
        began = time.monotonic()
        self._given.tasks.append(task)
        return outcome_of(next(self._results), round(time.monotonic() - began, 3))

    def close(self) -> None:
        """End the process."""
        self._results.close()


class _Given(Iterator[Task]):
    """Tasks that come from outside, one before each is asked for."""

    def __init__(self) -> None:
        self.tasks: deque[Task] = deque()

    def __next__(self) -> Task:
        if not self.tasks:
            raise StopIteration
        return self.tasks.popleft()


def do(make: Make, limits: Limits, task: Task) -> Outcome:
    """Do a task in the sandbox of this thread, which is kept for the next of the same run.

    Raises
    ------
    EarmarkError
        What `make` raises.
    """
    key, thread = pickle.dumps((make, limits)), threading.get_ident()
    known, sandbox = _sandboxes.get(thread, (None, None))
    if sandbox is None or known != key:
        _close(thread)
        _allow_children()
        sandbox = Sandbox(make, limits)
        _sandboxes[thread] = key, sandbox
    try:
        return sandbox.do(task)
    except BaseException:  # its generator has ended
        _close(thread)
        raise


def close_all() -> None:
    """End the sandboxes of this process, but for those at work."""
    for thread in list(_sandboxes):
        _close(thread)


def _close(thread: int) -> None:
    _, sandbox = _sandboxes.pop(thread, (None, None))
    if sandbox is not None:
        with suppress(ValueError):  # at work
            sandbox.close()


def _allow_children() -> None:
    """Let this process have children: Dask's nannies make its workers daemons, which may not."""
    process: Any = multiprocessing.current_process()
    if process.daemon:
        process.daemon = False
