"""Classification as jobs: one recording in, a record of its class out; many at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial

from earmark.classifier import Classified, Classifier
from earmark.jobs import fault_of, run_each
from earmark.pool import Progress, Work


@dataclass(frozen=True)
class ClassifyJob:
    """One recording.

    Parameters
    ----------
    source : str
        What `open_audio` takes.
    name : str
        What messages and results call it.
    crops : int or None
        Windows that are heard; None for all.
    """

    source: str
    name: str
    crops: int | None = None


@dataclass(frozen=True)
class ClassifyRecord:
    """How a job went.

    Parameters
    ----------
    result : Classified or None
        None if it failed.
    error : str or None
        Why it failed, one line.
    hopeless : bool
        The other jobs would fail as well.
    """

    result: Classified | None
    error: str | None = None
    hopeless: bool = False

    @property
    def seconds(self) -> float:
        """Of audio done."""
        return self.result.duration if self.result is not None else 0.0


def run_classify_job(classifier: Classifier, job: ClassifyJob, progress: Progress) -> ClassifyRecord:
    """Classify one recording; failures are returned, not raised."""
    try:
        return ClassifyRecord(classifier.classify(job.source, crops=job.crops, progress=progress))
    except Exception as err:  # a fault on one file must not end the others
        return ClassifyRecord(None, *fault_of(err, job.source, job.name))


def run_classify_jobs(
    jobs: Sequence[ClassifyJob],
    model: str,
    *,
    processes: int,
    progress: Callable[[int, float, float | None], None],
    classifier: Classifier,
) -> Generator[tuple[int, ClassifyRecord]]:
    """Run jobs; yield their places and records, in the order in which they end.

    A single job runs here, with `classifier`, which is `model` loaded; several run in worker processes, as in
    `run_jobs`.
    """
    here, make_work = partial(run_classify_job, classifier), partial(_make_work, model)
    yield from run_each(jobs, here, make_work, partial(ClassifyRecord, None), processes, progress)


def _make_work(model: str) -> Work[ClassifyJob, ClassifyRecord]:
    return partial(run_classify_job, Classifier(model))
