"""Running jobs and telling how they go: what `earmark detect` prints while and after it works."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from typing import Protocol, TypeVar

import typer

from earmark.cli.wayout import way_out
from earmark.detector import Detector
from earmark.errors import EarmarkError
from earmark.files import write_standard_output
from earmark.formats import dumps
from earmark.jobs import Job, Record, Settings, run_jobs
from earmark.progress import AudioProgress
from earmark.terminal import Tally, make_console, print_error, print_warning, render
from earmark.timeline import Timeline

# Rows of the list of segments on a terminal; more are counted.
_MAX_ROWS = 20


class Batch:
    """Runs jobs and prints how they go, in the order of the jobs.

    Parameters
    ----------
    settings : Settings
        For all jobs.
    output : str or None
        A folder, ``"-"`` for standard output, or None: timelines are drawn to be read.
    names : sequence of str
        Formats of the results.
    quiet : bool
        Print nothing but warnings and errors.
    color : bool
        Use colours where the terminal has them.

    Attributes
    ----------
    tally : Tally
        What was done.
    n_failed : int
        Recordings that could not be done.
    """

    def __init__(
        self, settings: Settings, output: str | None, names: Sequence[str], *, quiet: bool, color: bool
    ) -> None:
        self.tally = Tally()
        self.n_failed = 0
        self._output = output
        self._names = names
        self._settings = settings
        self._quiet = quiet
        self._color = color
        self._console = make_console(color=color)

    def run(self, todo: Sequence[Job], detector: Detector, processes: int) -> None:
        """Do the jobs; a recording that fails is told and counted."""
        with working(todo, show=not self._quiet, color=self._color) as progress:
            records = run_jobs(
                todo, self._settings, processes=processes, progress=progress.advance, detector=detector
            )
            with closing(records):
                for job, record in in_order(todo, records, progress):
                    with progress.hidden() if self._says(record) else nullcontext():
                        self._tell(job, record)
        if not self._quiet and self._output not in (None, "-") and (self.tally.files or self.tally.skipped):
            self._console.print(self.tally.line(progress.elapsed), soft_wrap=True)

    def _says(self, record: Record) -> bool:
        """Tell whether there is anything to print about a record."""
        return record.timeline is None or bool(record.timeline.warnings) or self._output in (None, "-")

    def _tell(self, job: Job, record: Record) -> None:
        if record.timeline is None:
            self.n_failed += 1
            print_error(f"{job.name}: {record.error}", color=self._color)
            return
        for warning in record.timeline.warnings:
            print_warning(f"{job.name}: {warning}", color=self._color)
        if self._output == "-":
            self._write(record.timeline)
        elif self._output is None and not self._quiet:
            self._draw(job.name, record.timeline)
        self.tally.add(record.timeline)

    def _write(self, timeline: Timeline) -> None:
        (name,) = self._names
        text = dumps(timeline, name, **self._settings.write.get(name, {}))
        write_standard_output(text.encode("utf-8"), "give a folder: --output DIR")

    def _draw(self, name: str, timeline: Timeline) -> None:
        console = self._console
        drawn = render(
            timeline,
            name,
            width=console.width,
            ascii_only=console.options.ascii_only,
            max_rows=_MAX_ROWS if console.is_terminal else None,
        )
        if self.tally.files:
            console.print()
        console.print(drawn, soft_wrap=True, end="")


class AnyJob(Protocol):
    """What is done with one recording."""

    @property
    def source(self) -> str: ...

    @property
    def name(self) -> str: ...


class AnyRecord(Protocol):
    """How that went."""

    @property
    def seconds(self) -> float: ...

    @property
    def error(self) -> str | None: ...

    @property
    def hopeless(self) -> bool: ...


_Job = TypeVar("_Job", bound=AnyJob)
_Record = TypeVar("_Record", bound=AnyRecord)


@contextmanager
def working(todo: Sequence[AnyJob], *, show: bool, color: bool) -> Iterator[AudioProgress]:
    """Show how jobs go; one that is interrupted tells how many are done, and is so wherever it waits."""
    sizes = [size_of(job.source) for job in todo]
    with way_out(color=color), AudioProgress(sizes, show=show, color=color) as progress:
        try:
            yield progress
        except KeyboardInterrupt as err:
            if len(todo) == 1:
                raise
            raise KeyboardInterrupt(f"{progress.finished} of {len(todo)} files are done") from err


def end(n_failed: int, n_all: int, *, color: bool) -> None:
    """End a command with its exit code; failures among several files are counted."""
    if not n_failed:
        return
    if n_all > 1:
        print_error(f"{n_failed} of {n_all} files failed", color=color)
    raise typer.Exit(1)


def in_order(
    todo: Sequence[_Job], records: Iterator[tuple[int, _Record]], progress: AudioProgress
) -> Iterator[tuple[_Job, _Record]]:
    """Hold records back until those of earlier jobs are there."""
    held: dict[int, _Record] = {}
    n_out = 0
    for index, record in records:
        progress.finish(index, record.seconds)
        if record.hopeless:
            for earlier in sorted(held):
                yield todo[earlier], held[earlier]
            raise EarmarkError(f"{todo[index].name}: {record.error}")
        held[index] = record
        while n_out in held:
            yield todo[n_out], held.pop(n_out)
            n_out += 1


def size_of(source: str) -> float:
    """Return the bytes of a file; 0 for what is none."""
    try:
        return float(os.path.getsize(source))
    except OSError:
        return 0.0
