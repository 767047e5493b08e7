"""Who is trained on and who is tested: the splits of the papers, made of a dataset's clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from earmark.datasets import Clip
from earmark.datasets.folds import balance, deal, hold_out
from earmark.datasets.mixtures import Mixture, list_mixtures
from earmark.datasets.tasks import TASKS
from earmark.errors import ConfigError
from earmark.train.experiments.example import Example, Split

OVERLAP = "speech+music"
KINDS = ("folds", "hold-out", "task")
UNITS = ("group", "folder", "file")


@dataclass(frozen=True)
class Protocol:
    """A way to split clips.

    Parameters
    ----------
    kind : str
        "folds": each fold is tested once, the others are split into training and validation (BHA,
        section III-B).  "hold-out": random parts, drawn anew for each repetition (KC, section 3).
        "task": as `earmark.datasets.tasks.Task.split` (GRO, section III-C).
    classes : tuple of str
        In the order of the network's outputs.  ``"speech+music"`` are mixtures of the part's own speech
        and music, speech-to-music ratios -5 to 20 dB in turn.  None where the data are tasks, which have
        their own: see `of`.
    repetitions : int
        Folds, or random splits; with "task", how often everything is tested.
    shares : tuple of float
        "folds": of training and validation.  "hold-out": of training, validation and test.  "task": none.
    balanced : bool
        First drop clips at random until all classes have as many.
    unit : str
        What stays together: "group", as the dataset says; "folder": all clips of a folder, so that whole
        collections are unseen; "file": nothing, as where groups are not known.
    task : str
        The task that the classes are of, see `of`.

    Raises
    ------
    ConfigError
        For an unknown kind, shares that do not fit it, or classes or repetitions that cannot be.
    """

    kind: str = "folds"
    classes: tuple[str, ...] = ("music", "speech", OVERLAP)
    repetitions: int = 3
    shares: tuple[float, ...] = (0.7, 0.3)
    balanced: bool = False
    unit: str = "group"
    task: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"unknown kind of protocol '{self.kind}'; choose {' or '.join(KINDS)}")
        if self.unit not in UNITS:
            raise ConfigError(f"unknown unit of the protocol '{self.unit}'; choose one of {', '.join(UNITS)}")
        names = ", ".join(self.classes)
        if self.classes and len(set(self.classes)) < max(2, len(self.classes)):
            raise ConfigError(f"classes of the protocol are {names}; give two or more, each once")
        if OVERLAP in self.classes and not {"speech", "music"} <= set(self.classes):
            raise ConfigError(f"classes of the protocol are {names}; '{OVERLAP}' needs speech and music, too")
        fewest = 2 if self.kind == "folds" else 1
        if self.repetitions < fewest:
            raise ConfigError(
                f"repetitions {self.repetitions} of the protocol '{self.kind}': give at least {fewest}"
            )
        n_parts = {"folds": 2, "hold-out": 3, "task": 0}[self.kind]
        if len(self.shares) != n_parts:
            raise ConfigError(f"{len(self.shares)} shares for the protocol '{self.kind}'; give {n_parts}")

    def of(self, task: str) -> Protocol:
        """Return the protocol with a task's classes and, of the kind "task", as many splits as there are."""
        own = TASKS[task]
        n_splits = own.n_folds if self.kind == "task" else 1
        return replace(self, classes=own.classes, repetitions=n_splits * self.repetitions, task=task)

    def split(
        self,
        clips: Sequence[Clip],
        repetition: int,
        mixtures: Sequence[Mixture] | None = None,
        share: float = 1.0,
    ) -> Split:
        """Split clips; the same clips and repetition always give the same split.

        Parameters
        ----------
        clips : sequence of Clip
            Those of other classes are left out.  Their folds are kept where all have one.
        repetition : int
            From 0: the fold that is tested, or the number of the random split.
        mixtures : sequence of Mixture, optional
            Those of the test part, by paths; by default they are made of its files.
        share : float
            How much of each class of the training part is left, by groups.

        Raises
        ------
        ConfigError
            If a class has too few groups.
        """
        chosen = [clip for clip in clips if clip.label in self.classes]
        if self.unit == "folder":
            chosen = [replace(clip, group=str(clip.path.parent), fold=None) for clip in chosen]
        if self.unit == "file":
            chosen = [replace(clip, group=str(clip.path)) for clip in chosen]
        absent = [name for name in self.classes if name != OVERLAP and all(c.label != name for c in chosen)]
        if absent:
            raise ConfigError(f"the data has no {absent[0]}; the protocol needs {', '.join(self.classes)}")
        if self.balanced:
            chosen = balance(chosen, seed=repetition)
        if self.kind == "task":
            train, validation, test = TASKS[self.task].split(chosen, repetition)
        elif self.kind == "hold-out":
            train, validation, test = hold_out(chosen, self.shares, seed=repetition)
        else:
            if any(clip.fold is None for clip in chosen) or len({c.fold for c in chosen}) != self.repetitions:
                chosen = deal(chosen, self.repetitions)
            rest = [clip for clip in chosen if clip.fold != repetition]
            train, validation = hold_out(rest, self.shares, seed=repetition)
            test = [clip for clip in chosen if clip.fold == repetition]
        if share < 1:
            train, _ = hold_out(train, (share, 1 - share), seed=repetition)
            bare = sorted({clip.label for clip in chosen} - {clip.label for clip in train})
            if bare:
                raise ConfigError(f"a share of {share:g} leaves nothing of '{bare[0]}' to train on; raise it")
        return Split(
            self._examples(train, repetition),
            self._examples(validation, repetition),
            self._examples(test, repetition, mixtures),
        )

    def _examples(
        self, clips: Sequence[Clip], seed: int, mixtures: Sequence[Mixture] | None = None
    ) -> tuple[Example, ...]:
        place = {name: i for i, name in enumerate(self.classes)}
        examples = [Example(str(clip.path), place[clip.label], clip.group) for clip in clips]
        if OVERLAP in place:
            speech, music = (
                [str(c.path) for c in clips if c.label == label] for label in ("speech", "music")
            )
            pairs = list_mixtures(speech, music, seed=seed) if mixtures is None else mixtures
            examples += [
                Example(pair.speech, place[OVERLAP], music=pair.music, smr_db=pair.smr_db) for pair in pairs
            ]
        return tuple(examples)
