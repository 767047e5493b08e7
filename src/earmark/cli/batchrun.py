"""What `earmark batch` shows while it works, and how it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from earmark.batch.manifest import FILE_NAME
from earmark.batch.task import Outcome, Task
from earmark.terminal import clock, make_console, print_error, print_warning

# So many failures, warnings and things left out are told one by one; the first two are all in the manifest.
_MOST_TOLD = 20
_REFRESH_S = 0.5


class Display:
    """Tells how a batch goes: a line that is kept up to date on a terminal, failures, and a last line.

    Used with ``with``: leaving it prints the last line, and ends the command with 1 if anything failed.

    Parameters
    ----------
    folder : Path
        Of the batch.
    quiet : bool
        Print nothing but warnings and errors.
    color : bool
        Use colours where the terminal has them.
    """

    def __init__(self, folder: Path, *, quiet: bool, color: bool) -> None:
        self._folder, self._quiet, self._color = folder, quiet, color
        self._console = make_console(color=color)
        self._status = make_console(sys.stderr, color=color).status("")
        self._counts: dict[str, int] = {}
        self._done = self._failed = self._left = self._changed = 0
        self._warned = self._left_out = 0
        self._audio = 0.0
        self._began = self._shown = time.monotonic()

    def __enter__(self) -> Display:
        if not self._quiet and sys.stderr.isatty():
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        self._status.stop()
        if kind is KeyboardInterrupt and self._counts:
            done = self._counts["done"] + self._done
            raise KeyboardInterrupt(f"{done} recordings are done; start it again to go on") from error[0]
        if kind is not None:
            return
        failed = self._counts.get("failed", 0) + self._failed
        if not self._quiet:
            self._console.print(self._last_line(failed), soft_wrap=True)
        if self._warned > _MOST_TOLD:
            print_warning(
                f"there are warnings about {self._warned} recordings; see '{self._folder}/{FILE_NAME}'",
                color=self._color,
            )
        if self._left_out > _MOST_TOLD:
            print_error(f"{self._left_out} folders are left out in all", color=self._color)
        if failed:
            print_error(
                f"{failed} of {sum(self._counts.values())} recordings failed; see "
                f"'{self._folder}/{FILE_NAME}', then: earmark batch retry {self._folder}",
                color=self._color,
            )
        if failed or self._left_out:
            raise typer.Exit(1)

    def listing(self, n_items: int) -> None:
        """See `Teller`."""
        self._show(f"{n_items:,} recordings found")

    def left_out(self, problem: str) -> None:
        """See `Teller`."""
        self._left_out += 1
        if self._left_out <= _MOST_TOLD:
            print_error(problem, color=self._color)

    def changed(self, n_items: int) -> None:
        """See `Teller`."""
        self._changed = n_items

    def begin(self, counts: Mapping[str, int]) -> None:
        """See `Teller`."""
        self._counts = dict(counts)
        self._left = counts["pending"] + counts["running"]
        self._began = time.monotonic()

    def done(self, task: Task, outcome: Outcome) -> None:
        """See `Teller`."""
        self._warned += bool(outcome.warnings)
        for warning in outcome.warnings if self._warned <= _MOST_TOLD else ():
            print_warning(f"{task.id}: {warning}", color=self._color)
        if outcome.error is None:
            self._done += 1
            self._audio += outcome.duration
        else:
            self._failed += 1
            if self._failed <= _MOST_TOLD:
                print_error(f"{task.id}: {outcome.error}", color=self._color)
            if self._failed == _MOST_TOLD:
                print_warning("further failures are told in the manifest only", color=self._color)
        self._show(self._line())

    def _show(self, line: str) -> None:
        if time.monotonic() - self._shown >= _REFRESH_S:
            self._shown = time.monotonic()
            self._status.update(line)

    def _line(self) -> str:
        elapsed = time.monotonic() - self._began
        finished = self._done + self._failed
        left = (self._left - finished) * elapsed / max(1, finished)
        return (
            f"{finished:,} of {self._left:,} recordings, {self._failed:,} failed  "
            f"{clock(self._audio, hours=True)} of audio  {self._audio / max(elapsed, 1e-3):.0f}x real time  "
            f"{clock(left)} left"
        )

    def _last_line(self, failed: int) -> str:
        elapsed = time.monotonic() - self._began
        before = self._counts.get("done", 0)
        text = f"{self._done:,} recordings, {clock(self._audio, hours=True)} of audio in {clock(elapsed)}"
        if self._audio:
            text += f" ({self._audio / max(elapsed, 1e-3):.0f}x real time)"
        text += f"; {before:,} were done before" if before else ""
        return text + (f"; {self._changed:,} have changed and were done again" if self._changed else "")
