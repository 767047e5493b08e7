"""A progress bar for work that lasts: how far, how fast, how long still."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from earmark.terminal import clock, make_console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# Work done within this many seconds shows no bar.
_PATIENCE = 1.0


class AudioProgress:
    """A bar on standard error, over files of known sizes and (until they are open) unknown lengths.

    Nothing is shown if standard error is no terminal, or the work is done within a second.

    Parameters
    ----------
    sizes : sequence of float
        What each file counts, e.g. bytes.
    show : bool
        False keeps it silent.
    color : bool
        False draws without colours.

    Attributes
    ----------
    finished : int
        Files that are done.
    audio : float
        Seconds of audio done.
    """

    def __init__(self, sizes: Sequence[float], *, show: bool = True, color: bool = True) -> None:
        total = sum(sizes)
        self._weights = [size / total if total else 1 / len(sizes) for size in sizes]
        self._fractions = [0.0] * len(sizes)
        self._seconds = [0.0] * len(sizes)
        self._done = 0.0  # share of all sizes
        self.audio = 0.0
        self.finished = 0
        self._color = color
        self._show = show and sys.stderr.isatty()
        self._started = time.perf_counter()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> AudioProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started

    def advance(self, index: int, seconds: float, duration: float | None) -> None:
        """Note that `seconds` of file `index`, `duration` seconds long (None: not known), are done."""
        self._note(index, seconds, min(1.0, seconds / duration) if duration else self._fractions[index])

    def finish(self, index: int, seconds: float) -> None:
        """Note that file `index` is done, with so many seconds of audio."""
        self.finished += 1
        self._note(index, seconds, 1.0)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar away while something else is printed."""
        if self._bar is None:
            yield
            return
        self._bar.stop()
        yield
        self._bar.start()

    def _note(self, index: int, seconds: float, fraction: float) -> None:
        # Sums are kept, not made anew: there may be very many files.
        self.audio += seconds - self._seconds[index]
        self._done += self._weights[index] * (fraction - self._fractions[index])
        self._seconds[index], self._fractions[index] = seconds, fraction
        self._refresh()

    def _refresh(self) -> None:
        if not self._show or self.elapsed < _PATIENCE:
            return
        if self._bar is None:
            self._bar = self._make_bar()
            self._task = self._bar.add_task("", total=1.0, left="")
            self._bar.start()
        assert self._task is not None
        done = min(1.0, self._done)
        n_files = len(self._weights)
        files = f"{self.finished} of {n_files} files  " if n_files > 1 else ""
        speed = f"{self.audio / self.elapsed:.0f}x real time"
        # Rich would take what was done before the bar appeared for done at once.
        left = f"{clock(self.elapsed * (1 - done) / done)} left" if done else ""
        description = f"{files}{clock(self.audio, hours=True)} of audio  {speed}"
        self._bar.update(self._task, completed=done, description=description, left=left)

    def _make_bar(self) -> Progress:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        return Progress(
            TextColumn("{task.description}"),
            BarColumn(complete_style="cyan"),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
            console=make_console(sys.stderr, color=self._color),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
