"""Sound from a source that goes on: read by a thread of its own, opened again when it breaks off.

What was read waits, at most 30 s of it.  A source that can wait does so when those are full; a device cannot,
and what it gives meanwhile is counted as missing, never left out unsaid.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from earmark.errors import EarmarkError

FloatArray = npt.NDArray[np.float32]

_MOST_WAITING_S = 30.0
# Seconds until a source that was lost is opened again, doubled after each failure.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
# After so much sound it is thought to be well again.
_WELL_S = 30.0


@dataclass(frozen=True)
class Sound:
    """Mono samples, float32, shape=(n,), when they arrived, and the seconds that are missing before them."""

    samples: FloatArray
    arrived: float
    missing: float = 0.0


@dataclass(frozen=True)
class Lost:
    """The source broke off; it is being opened again."""

    reason: str


@dataclass(frozen=True)
class Over:
    """The source is at its end; `problem` says if that was not meant to be."""

    problem: str | None = None


Item = Sound | Lost | Over


class Audio(Protocol):
    """What is read: an `AudioStream` of live sound."""

    missing: float
    broken: str | None
    duration: float | None

    def __enter__(self) -> Audio: ...
    def __exit__(self, *_: object) -> None: ...
    def __iter__(self) -> Iterator[FloatArray]: ...


class Feed(AbstractContextManager["Feed"]):
    """Reads a source; use it in a ``with``, which opens it.

    Parameters
    ----------
    open_audio : callable
        Opens the source; raises `EarmarkError` if it cannot.
    sample_rate : int
        Of its blocks, Hz.
    may_reopen : bool
        It is opened again when it ends, unless it says how long it is.
    can_wait : bool
        It loses nothing when it is not read for a while.
    first_wait_s : float
        Before it is opened again.

    Raises
    ------
    EarmarkError
        From ``with``, if the source cannot be opened the first time.
    """

    def __init__(
        self,
        open_audio: Callable[[], Audio],
        sample_rate: int,
        *,
        may_reopen: bool = False,
        can_wait: bool = True,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self._open = open_audio
        self._rate = sample_rate
        self._may_reopen, self._can_wait = may_reopen, can_wait
        self._first_wait_s = first_wait_s
        self._items: deque[Item] = deque()
        self._n_waiting = 0  # samples
        self._n_dropped = 0
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.duration: float | None = None

    def __enter__(self) -> Feed:
        audio = self._open()
        self.duration = audio.duration
        self._thread = threading.Thread(target=self._run, args=(audio,), name="feed", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            # A read that hangs ends with the process.
            self._thread.join(0.5)

    def take(self, timeout_s: float) -> list[Item]:
        """Return what was read, as soon as there is anything; nothing after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._items, timeout_s)
            items = list(self._items)
            self._items.clear()
            self._n_waiting = 0
            self._changed.notify_all()
        return items

    def _run(self, audio: Audio) -> None:
        try:
            self._read_on(audio)
        except Exception as err:  # a thread that ends unsaid would leave its listener waiting for ever
            self._put(Over(f"reading failed ({type(err).__name__}: {err})"))
            raise

    def _read_on(self, audio: Audio) -> None:
        wait_s = self._first_wait_s
        while True:
            heard_s, problem = self._read(audio)
            if self._stopped.is_set():
                return
            if not self._may_reopen or self.duration is not None:
                self._put(Over(problem))
                return
            self._put(Lost(problem or "it ended"))
            wait_s = self._first_wait_s if heard_s >= _WELL_S else wait_s
            while True:
                if self._stopped.wait(wait_s):
                    return
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                try:
                    audio = self._open()
                    break
                except EarmarkError as err:
                    self._put(Lost(str(err)))

    def _read(self, audio: Audio) -> tuple[float, str | None]:
        """Read all there is; return how much, and what went wrong."""
        n_samples, missing = 0, 0.0
        try:
            with audio:
                for block in audio:
                    gap, missing = audio.missing - missing, audio.missing
                    self._put(Sound(block, time.time(), gap))
                    n_samples += len(block)
                    if self._stopped.is_set():
                        break
            problem = audio.broken
        except EarmarkError as err:
            problem = str(err)
        return n_samples / self._rate, problem

    def _put(self, item: Item) -> None:
        with self._changed:
            if isinstance(item, Sound):
                limit = _MOST_WAITING_S * self._rate
                if self._can_wait:
                    self._changed.wait_for(lambda: self._n_waiting < limit or self._stopped.is_set())
                elif self._n_waiting >= limit:
                    self._n_dropped += len(item.samples) + round(item.missing * self._rate)
                    return
                if self._n_dropped:
                    item = Sound(item.samples, item.arrived, item.missing + self._n_dropped / self._rate)
                    self._n_dropped = 0
                self._n_waiting += len(item.samples)
            self._items.append(item)
            self._changed.notify_all()
