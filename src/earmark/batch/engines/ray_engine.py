"""Ray: actors of a cluster that runs already, or of one started here.

Needs the package ray: the extra ``ray``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray

from earmark.batch.engines import Make, Results
from earmark.batch.engines.sandbox import LOST, MOST_ATTEMPTS, Sandbox
from earmark.batch.task import Outcome, Task
from earmark.cores import usable_cores
from earmark.errors import EarmarkError
from earmark.pool import Limits

# Tasks in flight for each actor: one is done, one is there already.
_IN_FLIGHT = 2
_LOOK_S = 1.0


@dataclass(frozen=True)
class RayEngine:
    """Actors of Ray.

    Parameters
    ----------
    jobs : int or None
        How many; by default one per processor of the cluster.
    scheduler : str or None
        Address of a cluster that runs.
    """

    jobs: int | None
    scheduler: str | None

    def run(self, make: Make, tasks: Iterator[Task], limits: Limits) -> Results:
        """See `Engine.run`."""
        self._connect()
        # An actor that is lost begins anew elsewhere, and so do its tasks.
        options = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": MOST_ATTEMPTS - 1}
        # More than there are processors for would wait, and what they were given with them.
        n_processors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        n_actors = min(self.jobs or n_processors, n_processors)
        actor = ray.remote(**options)(Sandbox)
        actors = [actor.remote(make, limits) for _ in range(n_actors)]
        flying: dict[Any, tuple[Task, int]] = {}
        loads = [0] * n_actors
        try:
            while True:
                while min(loads) < _IN_FLIGHT and (task := next(tasks, None)) is not None:
                    least = loads.index(min(loads))
                    flying[actors[least].do.remote(task)] = task, least
                    loads[least] += 1
                if not flying:
                    return
                ended, _ = ray.wait(list(flying), num_returns=1, timeout=_LOOK_S)
                for reference in ended:
                    task, place = flying.pop(reference)
                    loads[place] -= 1
                    yield task, self._outcome(reference)
        except ray.exceptions.RaySystemError as err:
            raise self._gone() from err
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        settings = {"include_dashboard": False, "num_cpus": self.jobs or usable_cores()}
        try:
            ray.init(
                address=self.scheduler or "local",
                log_to_driver=False,
                logging_level="ERROR",
                **({} if self.scheduler else settings),
            )
        except (OSError, ConnectionError, ValueError, RuntimeError) as err:
            raise EarmarkError(
                f"Ray cannot be reached at {self.scheduler or 'this machine'} ({str(err).splitlines()[0]}); "
                "start it, or check its address"
            ) from err

    def _outcome(self, reference: Any) -> Outcome:
        try:
            outcome: Outcome = ray.get(reference)
            return outcome
        except ray.exceptions.RayTaskError as err:
            if isinstance(err.cause, EarmarkError):
                raise err.cause from err
            raise EarmarkError(
                f"a Ray worker failed ({err.cause}); has it the same version of earmark?"
            ) from err
        except (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError):
            return Outcome(LOST)

    def _gone(self) -> EarmarkError:
        return EarmarkError("Ray is gone; start it, then this run again: it goes on where it was")


def make(jobs: int | None, scheduler: str | None) -> RayEngine:
    """Return the engine."""
    return RayEngine(jobs, scheduler)
