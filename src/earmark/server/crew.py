"""Threads that have orders done in worker processes, one process each, ended when there is nothing to do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from earmark.errors import EarmarkError
from earmark.pool import Limits, run_pool
from earmark.server.tasks import Adapt, Outcome, Progress, Task, make_work

# A worker without work is kept so long, seconds.
_IDLE_S = 60.0
# After a fault of the machine or the store, which may pass.
_PAUSE_S = 1.0
_log = logging.getLogger("earmark.server")


class Cancelled(Exception):
    """An order was cancelled, or the server ends."""


@dataclass
class Order:
    """A task, and who waits for it.

    Attributes
    ----------
    result : Future of Outcome
        `Cancelled` if it was, or if the crew ends.
    cancelled : threading.Event
        Set it to have the worker killed.
    """

    task: Task | Adapt
    progress: Progress = field(default=lambda seconds, total: None)
    result: Future[Outcome] = field(default_factory=Future)
    cancelled: threading.Event = field(default_factory=threading.Event)


def orders_of(take: Callable[[float | None], Order | None], ends: threading.Event) -> Iterator[Order]:
    """Yield orders until there are none, or the end has come; a fault in taking one is no end."""
    while not ends.is_set():
        try:
            order = take(None)
        except Exception:
            _log.exception("no order can be taken; trying again")
            ends.wait(_PAUSE_S)
            continue
        if order is None:
            return
        yield order


class Crew:
    """Workers for orders; close it after use.

    Parameters
    ----------
    size : int
        Workers at a time.
    limits : Limits
        Of each order.
    take : callable
        Returns the next order, waiting so many seconds for it (None: for ever), or None if there is none.
    """

    def __init__(self, size: int, limits: Limits, take: Callable[[float | None], Order | None]) -> None:
        self._limits, self._take = limits, take
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Kill what is at work; `take` must return None by now."""
        self._ends.set()
        for thread in self._threads:
            thread.join(10)

    def _serve(self) -> None:
        for first in orders_of(self._take, self._ends):
            _Shift(first, self._take, self._limits, self._ends).run()


class _Shift:
    """The orders of one worker, from the first until there are none for a while, or it dies."""

    def __init__(
        self,
        first: Order,
        take: Callable[[float | None], Order | None],
        limits: Limits,
        ends: threading.Event,
    ) -> None:
        self._order, self._take, self._limits, self._ends = first, take, limits, ends

    def run(self) -> None:
        done = run_pool(make_work, self._tasks(), 1, self._progress, self._limits, self._check)
        try:
            with closing(done) as results:
                for result in results:
                    death = None
                    if result.death is not None:
                        why = (
                            result.death
                            if result.exceeded
                            else f"the process working on it died ({result.death})"
                        )
                        death = Outcome(error=f"{why}; it may be damaged: convert it first")
                    self._order.result.set_result(death or result.result or Outcome())
        except Cancelled as err:
            self._give_up(err)
        except Exception as err:  # the orders to come must not suffer from it
            _log.exception("a worker cannot go on")
            if isinstance(err, OSError):
                err = EarmarkError(f"no process can work on it ({err.strerror or err}); ask again later")
            self._give_up(err)
            self._ends.wait(_PAUSE_S)

    def _give_up(self, err: Exception) -> None:
        if not self._order.result.done():
            self._order.result.set_exception(err)

    def _tasks(self) -> Iterator[Task]:
        assert not isinstance(self._order.task, Adapt)
        yield self._order.task
        while (order := self._take(_IDLE_S)) is not None:
            self._order = order
            assert not isinstance(order.task, Adapt)
            yield order.task

    def _progress(self, index: int, seconds: float, total: float | None) -> None:
        self._order.progress(seconds, total)

    def _check(self) -> None:
        if self._ends.is_set() or self._order.cancelled.is_set():
            raise Cancelled


class Errands:
    """Short tasks on behalf of requests that wait for the answer.

    Parameters
    ----------
    size : int
        Workers at a time.
    limits : Limits
        Of each.
    """

    def __init__(self, size: int, limits: Limits) -> None:
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._size = size
        self._crew = Crew(size, limits, self._next)

    def run(self, task: Task) -> Outcome:
        """Have a task done; raises `Cancelled` if the server ends meanwhile."""
        order = Order(task)
        self._orders.put(order)
        return order.result.result()

    def close(self) -> None:
        """End the workers."""
        for _ in range(self._size):
            self._orders.put(None)
        self._crew.close()
        while not self._orders.empty():
            if (left := self._orders.get()) is not None:
                left.result.set_exception(Cancelled())

    def _next(self, seconds: float | None) -> Order | None:
        try:
            return self._orders.get(timeout=seconds)
        except Empty:
            return None
