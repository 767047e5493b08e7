"""The cores of a machine: how many may be used, and work that is done ahead on another one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")

_END = object()


@dataclass(frozen=True)
class _Fault:
    error: BaseException


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stage(source: Iterable[T], depth: int, *, threaded: bool) -> AbstractContextManager[Iterable[T]]:
    """Return a source to be iterated in a ``with``: by `ahead`, or as it is."""
    return closing(ahead(source, depth)) if threaded else nullcontext(source)


def ahead(source: Iterable[T], depth: int) -> Generator[T]:
    """Yield what a source yields, while a thread takes the following items from it already.

    The thread begins with the first item.  It ends with the source, or when the generator is closed, which
    waits for the item at work; then the source is closed, too, in that thread.

    Parameters
    ----------
    source : iterable
        Used in the thread alone.  It gains where it works outside of Python: in a decoder, in numpy.
    depth : int
        Items that may lie ready, at least 1; one more is at work.

    Raises
    ------
    BaseException
        What the source raises, after the items before.
    """
    ready: Queue[Any] = Queue(depth)
    stopped = Event()

    def work() -> None:
        try:
            for item in source:
                ready.put(item)
                if stopped.is_set():
                    return
            ready.put(_END)
        except BaseException as err:
            ready.put(_Fault(err))
        finally:
            if isinstance(source, Generator):
                source.close()

    thread = Thread(target=work, name="earmark-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Fault):
                raise item.error
            yield item
    finally:
        stopped.set()
        # Make room: whatever the thread is about to put, it puts once, and then it ends.
        try:
            while True:
                ready.get_nowait()
        except Empty:
            thread.join()
