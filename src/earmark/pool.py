"""One function over many items in worker processes; a worker that dies costs only its own item.

`concurrent.futures` cannot tell which item broke its pool, and a decoder may well crash on a broken
file.  Here each process has its own pipe and holds one item at a time, so the culprit is known::

    parent --item--> worker    one pipe a worker
    parent <--note-- worker    any number of times: how far it is
    parent <--done-- worker    or the pipe closes: the worker died
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Generic, TypeVar

from earmark.errors import ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Seconds of an item that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]
# What a worker runs on an item.
Work = Callable[[Item, Progress], Result]


@dataclass(frozen=True)
class _Note:
    index: int
    seconds: float
    duration: float | None


@dataclass(frozen=True)
class Done(Generic[Result]):
    """The result for item `index`, or how its worker died."""

    index: int
    result: Result | None = None
    death: str | None = None


@dataclass
class _Slot(Generic[Item]):
    process: SpawnProcess
    pipe: Connection
    index: int


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_pool(
    make: Callable[[], Work[Item, Result]],
    items: Sequence[Item],
    jobs: int,
    progress: Callable[[int, float, float | None], None],
) -> Generator[Done[Result]]:
    """Run the work on every item; yield results in the order in which they come.

    Parameters
    ----------
    make : callable
        Called once in each worker, returns the work; must be picklable (a function of a module, or a
        `functools.partial` of one).
    items : sequence
        Picklable.
    jobs : int
        Processes at a time, at least 1.
    progress : callable
        Called with an item's index, the seconds of it that are done, and of how many.

    Raises
    ------
    EarmarkError
        What `make` raises.  Closing the iterator, or an exception in its consumer, stops the workers.
    """
    if jobs < 1:
        raise ConfigError(f"jobs {jobs}: give 1 or more")
    context = get_context("spawn")  # fork would copy the threads' locks of onnxruntime
    slots: dict[Connection, _Slot[Item]] = {}
    waiting = iter(enumerate(items))

    def start(index: int, item: Item) -> None:
        pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, make), daemon=True)
        with _interrupts_ignored():
            process.start()
        theirs.close()
        slots[pipe] = _Slot(process, pipe, index)
        _send(pipe, (index, item))

    try:
        for _ in range(min(jobs, len(items))):
            start(*next(waiting))
        while slots:
            ready = wait(list(slots))
            for pipe in [pipe for pipe in slots if pipe in ready]:
                slot = slots[pipe]
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    del slots[pipe]
                    pipe.close()
                    yield Done(slot.index, death=_cause_of_death(slot.process))
                    if (following := next(waiting, None)) is not None:
                        start(*following)
                    continue
                if isinstance(message, Exception):
                    raise message
                if isinstance(message, _Note):
                    progress(message.index, message.seconds, message.duration)
                    continue
                yield message  # first of all, so that whoever interrupts the next item finds this one counted
                if (following := next(waiting, None)) is not None:
                    slot.index = following[0]
                    _send(pipe, following)
                else:
                    del slots[pipe]
                    pipe.close()  # the worker's end of work
                    slot.process.join()
    finally:
        for slot in slots.values():
            slot.process.terminate()
        for slot in slots.values():
            slot.process.join(5)
            slot.process.kill()
            slot.pipe.close()


def ignore_interrupts() -> None:
    """Let the parent of this process decide what Ctrl-C and a terminal that is closed mean."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _serve(pipe: Connection, make: Callable[[], Work[Item, Result]]) -> None:
    """Serve items until the parent closes its end."""
    ignore_interrupts()
    signal.signal(signal.SIGTERM, _leave)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            work = make()
        except Exception as err:
            pipe.send(err)
            return
        while True:
            index, item = pipe.recv()

            def note(seconds: float, duration: float | None, index: int = index) -> None:
                pipe.send(_Note(index, seconds, duration))

            pipe.send(Done(index, work(item, note)))


def _leave(signum: int, frame: FrameType | None) -> None:
    """Turn a signal into an exception, so that half-written files are removed on the way out."""
    sys.exit(128 + signum)


def _send(pipe: Connection, message: object) -> None:
    # A worker that is dead by now is found so when its pipe is read.
    with suppress(OSError):
        pipe.send(message)


def _cause_of_death(process: SpawnProcess) -> str:
    process.join()
    code = process.exitcode or 0
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let a process start with SIGINT ignored: it inherits that, and Ctrl-C finds it before it is ready."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
