"""Dask: workers of a cluster that runs already, or of one started here.

Needs the package distributed: the extra ``dask``.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import dask
import distributed

from earmark.batch.engines import Make, Results
from earmark.batch.engines.sandbox import LOST, MOST_ATTEMPTS, close_all, do
from earmark.batch.task import Outcome, Task
from earmark.cores import usable_cores
from earmark.errors import EarmarkError
from earmark.pool import Limits

# Tasks in flight for each thread of a worker: one is done, one is there already.
_IN_FLIGHT = 2
_TIMEOUT_S = 30
_LOOK_S = 1.0
_WORKERS_EVERY_S = 10.0
_WITHOUT_S = 60.0
_SILENT_S = 5.0


@dataclass(frozen=True)
class DaskEngine:
    """Workers of Dask.

    Parameters
    ----------
    jobs : int or None
        Workers of a cluster started here; of one that runs, threads to use at most.
    scheduler : str or None
        Address of one that runs.
    """

    jobs: int | None
    scheduler: str | None

    def run(self, make: Make, tasks: Iterator[Task], limits: Limits) -> Results:
        """See `Engine.run`."""
        settings = {
            "distributed.worker.daemon": False,  # workers have children
            "distributed.scheduler.allowed-failures": MOST_ATTEMPTS - 1,
            "distributed.comm.timeouts.connect": f"{_TIMEOUT_S}s",
        }
        # What it would tell is told here, or is of no matter: lost workers are replaced, tasks done again.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        with dask.config.set(settings), ExitStack() as resources:
            client = self._client(resources)
            ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
            flying: dict[Any, Task] = {}
            capacity, began, looked = 0, time.monotonic(), -_WORKERS_EVERY_S
            heard = began  # from the scheduler
            try:
                while True:
                    if client.status == "running":
                        heard = time.monotonic()
                    elif time.monotonic() - heard > _SILENT_S:
                        raise self._gone()
                    if client.status == "running" and time.monotonic() - looked >= _WORKERS_EVERY_S:
                        capacity, looked = self._capacity(client), time.monotonic()
                    while len(flying) < capacity and (task := next(tasks, None)) is not None:
                        future = client.submit(do, make, limits, task, pure=False)
                        flying[future] = task
                        future.add_done_callback(ended.put)
                    if not flying and capacity:
                        return
                    if not capacity and time.monotonic() - began > _WITHOUT_S:
                        raise EarmarkError(f"the Dask scheduler {self.scheduler} has no workers; start some")
                    try:
                        future = ended.get(timeout=_LOOK_S)
                    except queue.Empty:
                        continue
                    yield flying.pop(future), self._outcome(future, client)
            finally:
                if client.status == "running":
                    with suppress(Exception):  # it may go just now
                        client.cancel(list(flying))
                        client.run(close_all)

    def _client(self, resources: ExitStack) -> Any:
        try:
            if self.scheduler is not None:
                return resources.enter_context(distributed.Client(self.scheduler, timeout=_TIMEOUT_S))
            cluster = distributed.LocalCluster(
                n_workers=self.jobs or usable_cores(),
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                memory_limit=0,  # what a recording may take is limited where it is done
            )
            return resources.enter_context(distributed.Client(resources.enter_context(cluster)))
        except (OSError, TimeoutError, ValueError, RuntimeError) as err:
            where = (
                f"the Dask scheduler {self.scheduler}" if self.scheduler else "a Dask cluster of this machine"
            )
            raise EarmarkError(
                f"{where} cannot be reached ({str(err).splitlines()[0]}); start it, or check its address"
            ) from err

    def _capacity(self, client: Any) -> int:
        """Return how many tasks may be in flight; workers come and go."""
        try:
            threads = sum(client.nthreads().values())
        except (OSError, TimeoutError, RuntimeError) as err:
            raise self._gone() from err
        return _IN_FLIGHT * min(threads, self.jobs or threads)

    def _outcome(self, future: Any, client: Any) -> Outcome:
        if future.status == "finished":
            outcome: Outcome = future.result()
            return outcome
        if future.status in ("cancelled", "lost"):
            raise self._gone()
        error = future.exception()
        if isinstance(error, distributed.scheduler.KilledWorker):
            return Outcome(LOST)
        if isinstance(error, EarmarkError):
            raise error
        raise EarmarkError(
            f"a Dask worker failed ({type(error).__name__}: {error}); has it the same version of earmark?"
        ) from error

    def _gone(self) -> EarmarkError:
        where = f" {self.scheduler}" if self.scheduler else ""
        return EarmarkError(
            f"the Dask scheduler{where} is gone; start it, then this run again: it goes on where it was"
        )


def make(jobs: int | None, scheduler: str | None) -> DaskEngine:
    """Return the engine."""
    return DaskEngine(jobs, scheduler)
