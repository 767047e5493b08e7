"""Detection as jobs: one recording in, its files out, a record of how it went; many at once."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from earmark.detector import Detector
from earmark.errors import AudioError, EarmarkError
from earmark.files import atomic_write
from earmark.formats import dumps
from earmark.pool import Progress, Work, run_pool
from earmark.posteriors import PosteriorWriter
from earmark.timeline import Timeline

if TYPE_CHECKING:
    from earmark.detector import AnyOptions

# Faults of a disk, not of one file: the next output would meet them too.
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_Job = TypeVar("_Job")
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class Job:
    """One recording and what is to be written of it.

    Parameters
    ----------
    source : str
        What `open_audio` takes.
    name : str
        What messages call it.
    outputs : tuple of (str, Path)
        Formats and files.
    posteriors : Path or None
        Where the posteriors go.
    """

    source: str
    name: str
    outputs: tuple[tuple[str, Path], ...] = ()
    posteriors: Path | None = None


@dataclass(frozen=True)
class Settings:
    """What all jobs of a run share; small enough to be sent to every worker.

    Parameters
    ----------
    model : str
        Name or path.
    decode : mapping of str to DecodeOptions or CourseOptions
        By label.
    write : mapping of str to mapping
        Options of the formats, by format.
    """

    model: str
    decode: Mapping[str, AnyOptions]
    write: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """How a job went.

    Parameters
    ----------
    timeline : Timeline or None
        None if it failed.
    error : str or None
        Why it failed, one line.
    hopeless : bool
        The fault lies with the disk written to, so that the other jobs would fail as well.
    """

    timeline: Timeline | None
    error: str | None = None
    hopeless: bool = False

    @property
    def seconds(self) -> float:
        """Of audio done."""
        return self.timeline.duration if self.timeline is not None else 0.0


def run_job(detector: Detector, settings: Settings, threaded: bool, job: Job, progress: Progress) -> Record:
    """Detect one recording and write its files; failures are returned, not raised."""
    try:
        timeline = _detect(detector, job, progress, threaded)
        for name, path in job.outputs:
            text = dumps(timeline, name, **settings.write.get(name, {}))
            with atomic_write(path) as file:
                file.write(text)
        return Record(timeline)
    except Exception as err:  # a fault of ours on one file must not end the others
        return Record(None, *fault_of(err, job.source, job.name))


def fault_of(err: Exception, source: str, name: str) -> tuple[str, bool]:
    """Return why a recording failed, in one line, and whether the others would fail as well."""
    if not isinstance(err, EarmarkError):
        return f"unexpected {type(err).__name__} ({err}); please report it with the file", False
    fault = err.__cause__.errno if isinstance(err.__cause__, OSError) else None
    return _without_name(str(err), source, name), fault in _DISK_FAULTS and not isinstance(err, AudioError)


def run_jobs(
    jobs: Sequence[Job],
    settings: Settings,
    *,
    processes: int,
    progress: Callable[[int, float, float | None], None],
    detector: Detector,
) -> Generator[tuple[int, Record]]:
    """Run jobs; yield their places and records, in the order in which they end.

    A single job runs here, in threads if there may be several workers.  Several run in worker processes,
    even if it is one worker, so that a decoder that crashes on one recording leaves the others alone.

    Parameters
    ----------
    jobs : sequence of Job
        What to do.
    settings : Settings
        For all of them.
    processes : int
        Workers at a time, at least 1.
    progress : callable
        Called with a job's place, the seconds of audio it has done, and of how many (None: not known).
    detector : Detector
        Made of the same settings; used for a single job.
    """
    here, make_work = partial(run_job, detector, settings, processes > 1), partial(_make_work, settings)
    yield from run_each(jobs, here, make_work, partial(Record, None), processes, progress)


def run_each(
    jobs: Sequence[_Job],
    here: Work[_Job, _Record],
    make_work: Callable[[], Work[_Job, _Record]],
    failed: Callable[[str], _Record],
    processes: int,
    progress: Callable[[int, float, float | None], None],
) -> Generator[tuple[int, _Record]]:
    """Run jobs of any kind as `run_jobs` does: a single one `here`, several by what `make_work` makes.

    A job whose process dies has the record that `failed` makes of the reason.
    """
    if len(jobs) == 1:
        yield 0, here(jobs[0], partial(progress, 0))
        return
    with closing(run_pool(make_work, jobs, processes, progress)) as results:
        for done in results:
            death = f"the process working on it died ({done.death}); it may be damaged: convert it first"
            yield done.index, done.result or failed(death)


def _make_work(settings: Settings) -> Work[Job, Record]:
    # One core a worker costs the least.
    return partial(run_job, Detector(settings.model, settings.decode), settings, False)


def _detect(detector: Detector, job: Job, progress: Progress, threaded: bool) -> Timeline:
    if job.posteriors is None:
        return detector.detect(job.source, progress=progress, threaded=threaded)
    with PosteriorWriter() as writer:
        timeline = detector.detect(
            job.source, progress=progress, posterior_sink=writer.add, threaded=threaded
        )
        writer.save(job.posteriors)
    return timeline


def _without_name(message: str, source: str, name: str) -> str:
    """Drop the recording's name from the start of a message: whoever shows it puts it there already."""
    for said in (source, name, str(Path(source))):
        for start in (f"'{said}': ", f"'{said}' "):
            message = message.removeprefix(start)
    return message
