"""One function over many items in worker processes; a worker that dies costs only its own item.

`concurrent.futures` cannot tell which item broke its pool, and a decoder may well crash on a broken
file.  Here each process has its own pipe and holds one item at a time, so the culprit is known::

    parent --item--> worker    one pipe a worker
    parent <--note-- worker    any number of times: how far it is
    parent <--done-- worker    or the pipe closes: the worker died

A worker that takes too long or too much memory is killed, which costs its item and nothing else.  One that
dies before it is ready costs nothing: its item waits for the next.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

from earmark.errors import ConfigError, EarmarkError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Seconds of an item that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]
# What a worker runs on an item.
Work = Callable[[Item, Progress], Result]
# How often the memory of workers is looked at, seconds.
_LOOK_S = 0.05
# How long a worker may take to end, seconds.
_END_S = 5.0
# Workers that die one after the other before they are ready; after so many, none would do better.
_MOST_DEAD_STARTS = 3


@dataclass(frozen=True)
class Limits:
    """What one item may take before its worker is killed.

    Parameters
    ----------
    seconds : float or None
        Wall time.
    memory_mb : float or None
        Resident memory of the worker, MB (1e6 bytes).

    Raises
    ------
    ConfigError
        If a limit is not above 0, or the system does not tell the memory of a process.
    """

    seconds: float | None = None
    memory_mb: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("time", self.seconds), ("memory", self.memory_mb)):
            if value is not None and not value > 0:
                raise ConfigError(f"a limit of {name} of {value:g}: it must be above 0")
        if self.memory_mb is not None and resident_mb(os.getpid()) is None:
            raise ConfigError("a limit of memory needs /proc, which only Linux has; leave it out here")


@dataclass(frozen=True)
class _Note:
    index: int
    seconds: float
    duration: float | None


@dataclass(frozen=True)
class _Ready:
    """The worker has made its work; what it takes from now on is the item's."""


@dataclass(frozen=True)
class Done(Generic[Result]):
    """The result for item `index`, or how its worker died, and whether that was for a limit."""

    index: int
    result: Result | None = None
    death: str | None = None
    exceeded: bool = False


@dataclass
class _Slot(Generic[Item]):
    process: SpawnProcess
    pipe: Connection
    index: int
    item: Item
    is_ready: bool = False
    since: float | None = None  # when it began with its item
    exceeded: str | None = None


def run_pool(
    make: Callable[[], Work[Item, Result]],
    items: Iterable[Item],
    jobs: int,
    progress: Callable[[int, float, float | None], None],
    limits: Limits | None = None,
    check: Callable[[], None] | None = None,
) -> Generator[Done[Result]]:
    """Run the work on every item; yield results in the order in which they come.

    Parameters
    ----------
    make : callable
        Called once in each worker, returns the work; must be picklable (a function of a module, or a
        `functools.partial` of one).
    items : iterable
        Picklable.  One is taken when a worker is free for it.  An iterator that has ended is asked again
        after each result, which may have brought more to do.
    jobs : int
        Processes at a time, at least 1.
    progress : callable
        Called with an item's index, the seconds of it that are done, and of how many.
    limits : Limits, optional
        Of each item.
    check : callable, optional
        Called often while workers are at work; what it raises stops them.

    Raises
    ------
    EarmarkError
        What `make` raises; or that workers die before they are ready, whatever they are given.  Closing the
        iterator, or an exception in its consumer, stops the workers.
    """
    if jobs < 1:
        raise ConfigError(f"jobs {jobs}: give 1 or more")
    limits = limits or Limits()
    context = get_context("spawn")  # fork would copy the threads' locks of onnxruntime
    slots: dict[Connection, _Slot[Item]] = {}
    waiting = iter(items)
    n_taken = n_dead_starts = 0

    def take() -> tuple[int, Item] | None:
        nonlocal n_taken
        for item in waiting:
            n_taken += 1
            return n_taken - 1, item
        return None

    def start(index: int, item: Item) -> None:
        pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, make), daemon=True)
        with _interrupts_ignored():
            process.start()
        theirs.close()
        slots[pipe] = _Slot(process, pipe, index, item)
        _send(pipe, (index, item))

    def fill() -> None:
        while len(slots) < jobs and (following := take()) is not None:
            start(*following)

    try:
        fill()
        while slots:
            ready = wait(list(slots), _LOOK_S if check is not None else _patience(slots.values(), limits))
            if check is not None:
                check()
            _kill_exceeding([slot for pipe, slot in slots.items() if pipe not in ready], limits)
            for pipe in [pipe for pipe in slots if pipe in ready]:
                slot = slots[pipe]
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    del slots[pipe]
                    pipe.close()
                    death = slot.exceeded or _cause_of_death(slot.process)
                    if not slot.is_ready:
                        n_dead_starts += 1
                        if n_dead_starts >= _MOST_DEAD_STARTS:
                            raise EarmarkError(_never_ready(death)) from None
                        start(slot.index, slot.item)
                        continue
                    yield Done(slot.index, death=death, exceeded=slot.exceeded is not None)
                    fill()
                    continue
                if isinstance(message, Exception):
                    raise message
                if isinstance(message, _Ready):
                    slot.is_ready, slot.since, n_dead_starts = True, time.monotonic(), 0
                    continue
                if isinstance(message, _Note):
                    progress(message.index, message.seconds, message.duration)
                    _kill_exceeding([slot], limits)  # one that always has something to say, too
                    continue
                slot.since = None
                yield message  # first of all, so that whoever interrupts the next item finds this one counted
                # One that was killed just when it was done does nothing more.
                if slot.exceeded is None and (following := take()) is not None:
                    (slot.index, slot.item), slot.since = following, time.monotonic()
                    _send(pipe, following)
                else:
                    del slots[pipe]
                    pipe.close()  # the worker's end of work
                    _end(slot.process)
                fill()
    finally:
        for slot in slots.values():
            slot.process.terminate()
            # One that does not hear the signal, since PyAV drops it, ends when it next has to tell something.
            slot.pipe.close()
        for slot in slots.values():
            _end(slot.process)


def _patience(slots: Iterable[_Slot[Item]], limits: Limits) -> float | None:
    """Return how long nobody can exceed a limit, seconds; None if there are no limits."""
    if limits.memory_mb is not None:
        return _LOOK_S
    if limits.seconds is None:
        return None
    now = time.monotonic()
    left = [slot.since + limits.seconds - now for slot in slots if slot.since is not None]
    return max(0.0, min(left)) if left else None


def _kill_exceeding(slots: Iterable[_Slot[Item]], limits: Limits) -> None:
    """Kill workers beyond a limit; their pipes close, by which they are found."""
    for slot in slots:
        if slot.since is None or slot.exceeded is not None:
            continue
        if limits.seconds is not None and time.monotonic() - slot.since >= limits.seconds:
            slot.exceeded = f"it took longer than {limits.seconds:g} s, the limit of time"
        elif limits.memory_mb is not None and (resident_mb(slot.process.pid) or 0.0) > limits.memory_mb:
            slot.exceeded = f"it took more than {limits.memory_mb:g} MB, the limit of memory"
        if slot.exceeded is not None:
            slot.process.kill()


def resident_mb(pid: int | None) -> float | None:
    """Return what a process holds in memory, MB; None if the system does not tell, or it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def ignore_interrupts() -> None:
    """Let the parent of this process decide what Ctrl-C and a terminal that is closed mean."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _serve(pipe: Connection, make: Callable[[], Work[Item, Result]]) -> None:
    """Serve items until the parent closes its end."""
    ignore_interrupts()
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            work = make()
        except Exception as err:
            pipe.send(err)
            return
        pipe.send(_Ready())
        while True:
            index, item = pipe.recv()

            def note(seconds: float, duration: float | None, index: int = index) -> None:
                pipe.send(_Note(index, seconds, duration))

            pipe.send(Done(index, work(item, note)))


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone, however that went: nobody waits for its results."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _leave(signum: int, frame: FrameType | None) -> None:
    """Turn a signal into an exception, so that half-written files are removed on the way out."""
    sys.exit(128 + signum)


def _send(pipe: Connection, message: object) -> None:
    # A worker that is dead by now is found so when its pipe is read.
    with suppress(OSError):
        pipe.send(message)


def _end(process: SpawnProcess) -> None:
    """Wait for a process to end, but not for ever."""
    process.join(_END_S)
    process.kill()
    process.join()


def _never_ready(death: str) -> str:
    return (
        f"{_MOST_DEAD_STARTS} worker processes in a row died ({death}) before they had loaded the model; the "
        "recordings are not at fault: see whether there is enough memory for so many workers (--jobs), or, "
        "in a script of your own, whether it works under if __name__ == '__main__'"
    )


def _cause_of_death(process: SpawnProcess) -> str:
    _end(process)
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
