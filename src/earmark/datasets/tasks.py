"""Tasks of the papers: what is to be told apart in which dataset, as clips whose label is the class.

Datasets call their clips speech, music or noise and leave the rest to the detail; a task takes from both the
class that an experiment is about, and drops the clips that have none.

>>> from earmark.datasets.tasks import TASKS
>>> TASKS["field-recordings"].classes
('speech', 'choir', 'solo singing', 'instrumental')
>>> clips = TASKS["field-recordings"].read("data")  # doctest: +SKIP
>>> train, validation, test = TASKS["field-recordings"].split(clips, 0)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from earmark.datasets import (
    DATASETS,
    acmusif,
    acmusvf,
    dbmtc,
    esc50,
    gtzan_genres,
    isa_engine,
    isa_metal_balls,
    isa_pucks,
)
from earmark.datasets.folds import balance, deal, hold_out
from earmark.datasets.recordings import Clip
from earmark.errors import ConfigError

# Without a test set of its own, a tenth of the data is tested at a time; with one, this is held out to
# validate.
_N_FOLDS, _VALIDATION = 10, 0.2
_ESC_FOLDS = 5


def _finest(clip: Clip) -> str:
    return clip.finest


def _label(clip: Clip) -> str:
    return clip.label


@dataclass(frozen=True)
class Task:
    """What is to be told apart.

    Parameters
    ----------
    name : str
        What configurations call it.
    dataset : str
        Its data, a name in `DATASETS`.
    classes : tuple of str
        In the order of a network's outputs.
    source : str
        The experiments that it is of.
    tested_apart : bool
        Whether a part of the data is published as the test set: clips have the part "train" or "test".
    published_folds : int
        How many folds the clips come with, if those are what all experiments take; 0 if there are none.
    class_of : callable
        The class of a clip; one that is not among `classes` for clips that are no part of the task.
    """

    name: str
    dataset: str
    classes: tuple[str, ...]
    source: str
    tested_apart: bool = False
    published_folds: int = 0
    class_of: Callable[[Clip], str] = _finest

    @property
    def n_folds(self) -> int:
        """How many splits there are until everything was tested once; see `split`."""
        return 1 if self.tested_apart else self.published_folds or _N_FOLDS

    def read(self, folder: str | Path) -> list[Clip]:
        """Return the clips of the task, each with its class as label and no detail.

        Raises
        ------
        ConfigError
            As `Dataset.read`.
        """
        return self.of(DATASETS[self.dataset].read(folder))

    def of(self, clips: Sequence[Clip]) -> list[Clip]:
        """Return which of its dataset's clips are of the task, each with its class as label and no detail."""
        classes = [(clip, self.class_of(clip)) for clip in clips]
        return [replace(clip, label=name, detail="") for clip, name in classes if name in self.classes]

    def split(
        self, clips: Sequence[Clip], repetition: int, *, n_folds: int = _N_FOLDS
    ) -> tuple[list[Clip], list[Clip], list[Clip]]:
        """Split the clips of the task as Grollmisch et al. do: training, validation and test.

        One fold is tested, and the next one validates.  Where the test set is published, a fifth of the
        other clips validates, another one each time.  Classes of the test are made equal in size by leaving
        clips out at random.

        Parameters
        ----------
        clips : sequence of Clip
            As `read` gives them.  Their folds are kept where all have one, and there are as many.
        repetition : int
            From 0; beyond the number of folds these are dealt anew.
        n_folds : int
            At least 3; not used where the test set or the folds are published.

        Raises
        ------
        ConfigError
            If there are fewer folds, or a class has too few groups.
        """
        if self.tested_apart:
            rest = [clip for clip in clips if clip.part != "test"]
            train, validation = hold_out(rest, (1 - _VALIDATION, _VALIDATION), seed=repetition)
            return train, validation, balance([c for c in clips if c.part == "test"], seed=repetition)
        if not self.published_folds:
            if n_folds < 3:
                raise ConfigError(f"{n_folds} folds of task '{self.name}': there must be at least 3")
            given = {clip.fold for clip in clips}
            if None in given or len(given) != n_folds or repetition >= n_folds:
                clips = deal(clips, n_folds, seed=repetition // n_folds)
        folds = sorted({clip.fold for clip in clips if clip.fold is not None})
        tested, validates = (folds[(repetition + i) % len(folds)] for i in range(2))
        test = balance([clip for clip in clips if clip.fold == tested], seed=repetition)
        validation = [clip for clip in clips if clip.fold == validates]
        return [clip for clip in clips if clip.fold not in (tested, validates)], validation, test


TASKS = {
    task.name: task
    for task in (
        Task("ensemble-size", "acmusif", acmusif.CLASSES, "Grollmisch et al. (T1); Kehling & Cano"),
        Task("instrument-family", "db-mtc", dbmtc.CLASSES, "Grollmisch et al. (T2)"),
        Task(
            "field-recordings",
            "sefire",
            ("speech", "choir", "solo singing", "instrumental"),
            "Grollmisch et al. (T3)",
        ),
        Task("engine-state", "isa-engine", isa_engine.CLASSES, "Grollmisch et al. (T4)", True),
        Task("metal-surface", "isa-metal-balls", isa_metal_balls.CLASSES, "Grollmisch et al. (T5)", True),
        Task("plastic", "isa-pucks", isa_pucks.CLASSES, "Grollmisch et al. (T6)", True),
        Task(
            "environment",
            "esc-50",
            esc50.CLASSES,
            "Grollmisch et al. (check of the embeddings)",
            published_folds=_ESC_FOLDS,
        ),
        Task(
            "accompaniment",
            "acmusvf",
            ("accompanied", "a cappella"),
            "Kehling & Cano",
            class_of=lambda clip: acmusvf.accompaniment(clip.detail),
        ),
        Task(
            "singer",
            "acmusvf",
            ("female", "male"),
            "Kehling & Cano",
            class_of=lambda clip: acmusvf.singer(clip.detail),
        ),
        Task(
            "radio-speech-music",
            "scheirer-slaney",
            ("speech", "music"),
            "Kehling & Cano",
            class_of=_label,
        ),
        Task(
            "speech-music",
            "gtzan-speech-music",
            ("speech", "music"),
            "Kehling & Cano (source task)",
            class_of=_label,
        ),
        # A cappella singing is no part of it.
        Task("video-speech-music", "acmusyt", ("speech", "music"), "Kehling & Cano (source task)"),
        Task("genre", "gtzan-genres", gtzan_genres.CLASSES, "Heo et al."),
    )
}


def dataset_of(name: str) -> str:
    """Return the dataset of a task; any other name is that of a dataset itself."""
    return TASKS[name].dataset if name in TASKS else name
