"""Spark: `mapPartitions` over small partitions, several of them at a time.

A Spark job gives its results when it is done; so that they stream, each partition is a job of its own, and a
thread here waits for it.

Needs the package pyspark, the extra ``spark``, and Java.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyspark

from earmark.batch.engines import Make, Results
from earmark.batch.engines.sandbox import LOST, MOST_ATTEMPTS, do
from earmark.batch.task import Outcome, Task
from earmark.cores import usable_cores
from earmark.errors import EarmarkError
from earmark.pool import Limits

# Recordings of a partition: a job costs some tens of milliseconds.
_PARTITION = 4
_ERROR = re.compile(r"\w+(Error|Exception): ")


@dataclass(frozen=True)
class SparkEngine:
    """Executors of Spark.

    Parameters
    ----------
    jobs : int or None
        Partitions at a time; by default one per processor of the cluster.
    scheduler : str or None
        Address of a master, e.g. ``spark://host:7077`` or ``yarn``.
    """

    jobs: int | None
    scheduler: str | None

    def run(self, make: Make, tasks: Iterator[Task], limits: Limits) -> Results:
        """See `Engine.run`."""
        context = self._context()
        work = partial(_do_all, make, limits)

        def job(partition: list[Task]) -> list[tuple[Task, Outcome]]:
            return context.parallelize(partition, 1).mapPartitions(work).collect()

        jobs = self.jobs or max(1, context.defaultParallelism)
        pool = ThreadPoolExecutor(jobs)
        flying: dict[Future[list[tuple[Task, Outcome]]], list[Task]] = {}
        try:
            while True:
                while len(flying) < jobs and (partition := _partition(tasks)):
                    flying[pool.submit(job, partition)] = partition
                if not flying:
                    return
                ended, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in ended:
                    partition = flying.pop(future)
                    error = future.exception()
                    if error is None:
                        yield from future.result()
                        continue
                    self._raise_ours(error, context)
                    if len(partition) == 1:
                        yield partition[0], Outcome(LOST)
                        continue
                    # One of them may be at fault.
                    flying |= {pool.submit(job, [task]): [task] for task in partition}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            with suppress(Exception):  # it may be gone
                context.cancelAllJobs()
                context.stop()

    def _context(self) -> Any:
        if self.scheduler is None:  # else the cluster knows which Python has earmark
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings = pyspark.SparkConf().setAppName("earmark batch")
        settings.setMaster(self.scheduler or f"local[{self.jobs or usable_cores()},{MOST_ATTEMPTS}]")
        settings.set("spark.task.maxFailures", str(MOST_ATTEMPTS))
        settings.set("spark.ui.enabled", "false").set("spark.ui.showConsoleProgress", "false")
        try:
            context = pyspark.SparkContext.getOrCreate(settings)
        except Exception as err:  # of Java, or of the bridge to it
            why = (str(err).strip().splitlines() or [type(err).__name__])[0]
            raise EarmarkError(
                f"Spark cannot be reached at {self.scheduler or 'this machine'} ({why}); start it, check its "
                "address, and whether Java is installed"
            ) from err
        context.setLogLevel("OFF")
        return context

    def _raise_ours(self, error: BaseException, context: Any) -> None:
        """Raise what is no lost worker: that Spark is gone, or an error in Python."""
        if _stopped(context):
            raise EarmarkError(
                "Spark is gone; start it, then this run again: it goes on where it was"
            ) from error
        text = str(error)
        if "Traceback (most recent call last)" not in text:
            return
        lines = [line.strip() for line in text.splitlines()]
        for line in lines:
            if line.startswith("earmark.errors."):
                raise EarmarkError(line.partition(": ")[2]) from error
        last = next((line for line in reversed(lines) if _ERROR.match(line)), "no reason given")
        raise EarmarkError(f"a Spark worker failed ({last}); has it the same Python and earmark?") from error


def _partition(tasks: Iterator[Task]) -> list[Task]:
    """Take some tasks; parts of a long recording are one each."""
    partition: list[Task] = []
    for task in tasks:
        partition.append(task)
        if task.part is not None or len(partition) == _PARTITION:
            break
    return partition


def _do_all(make: Make, limits: Limits, partition: Iterator[Task]) -> Iterator[tuple[Task, Outcome]]:
    for task in partition:
        yield task, do(make, limits, task)


def _stopped(context: Any) -> bool:
    try:
        return context._jsc is None or bool(context._jsc.sc().isStopped())
    except Exception:  # the bridge to Java is broken
        return True


def make(jobs: int | None, scheduler: str | None) -> SparkEngine:
    """Return the engine."""
    return SparkEngine(jobs, scheduler)
