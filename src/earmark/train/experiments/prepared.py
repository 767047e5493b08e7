"""An experiment on its data: the dataset, who is in which part, and what a result depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from earmark.datasets import DATASETS, Clip
from earmark.datasets.dataset import Copy, Dataset
from earmark.datasets.digest import digest
from earmark.datasets.folds import balance, hold_out
from earmark.datasets.mixtures import Mixture
from earmark.datasets.published import FOLDER, assign, folds_of, located
from earmark.datasets.tasks import TASKS, dataset_of
from earmark.errors import ConfigError
from earmark.train.experiments.example import Example, Split
from earmark.train.experiments.protocol import Protocol
from earmark.train.experiments.rows import Row, TransferRow
from earmark.train.experiments.table import Experiment
from earmark.train.experiments.transfer import SOURCE_CLASSES

# What a quick run leaves of each class in each part, and of the epochs: enough to see that a table runs.
_QUICK_EXAMPLES, _QUICK_EPOCHS = 6, 2


@dataclass(frozen=True)
class Prepared:
    """An experiment, and what it is run on.

    Parameters
    ----------
    experiment : Experiment
        As it is on these data, see `Experiment.on`; of a quick run, with fewer epochs.
    dataset : str
    clips : tuple of Clip
        Of that dataset, or of the experiment's task in it.
    quick : bool
        Whether only a few recordings of each part are taken.
    problems : tuple of str
        What is wrong with the copies: of the dataset, of the noise, of the sources; what is missing in them
        is left out.
    mixtures : tuple of tuples of Mixture
        Of the copy's published folds, if it has them: those each fold is tested with.
    noise : str
        Dataset that the clips of the class noise are of; empty: of the same one.
    sources : mapping of str to tuple of Clip
        What networks learn first, by dataset or task; of a table that transfers any.
    roots : tuple of Path
        Folders of the copies of all these.
    """

    experiment: Experiment
    dataset: str
    clips: tuple[Clip, ...]
    quick: bool = False
    problems: tuple[str, ...] = ()
    mixtures: tuple[tuple[Mixture, ...], ...] = ()
    noise: str = ""
    sources: Mapping[str, tuple[Clip, ...]] = field(default_factory=dict)
    roots: tuple[Path, ...] = ()

    @property
    def data(self) -> str:
        """What it is run on, in words."""
        if self.experiment.protocol.task:
            after = f", networks trained before on {', '.join(self.sources)}" if self.sources else ""
            return f"{self.experiment.protocol.task} of {self.dataset}{after}"
        return f"{self.dataset} with noise of {self.noise}" if self.noise else self.dataset

    @property
    def is_published(self) -> bool:
        """Whether that is the paper's."""
        where = self.dataset if self.experiment.protocol.task else self.data
        return where in self.experiment.published_on

    def origin(self, label: str) -> Dataset[Clip]:
        """Return the dataset that the clips of a class are of."""
        return DATASETS[self.noise if self.noise and label == "noise" else self.dataset]

    @cached_property
    def digest(self) -> str:
        """Which clips of its classes, and of the sources, there are; see `earmark.datasets.digest`."""
        own = (clip for clip in self.clips if clip.label in self.experiment.protocol.classes)
        sources = (clip for clips in self.sources.values() for clip in clips)
        return digest((*own, *sources), self.roots)

    @property
    def repetitions(self) -> range:
        """The times a row is trained, counted from 0."""
        return range(1 if self.quick else self.experiment.protocol.repetitions)

    def check_repetition(self, repetition: int) -> None:
        """Refuse one, counted from 0, that there is not."""
        if repetition not in self.repetitions:
            there = f"there are 1 to {len(self.repetitions)}"
            raise ConfigError(f"repetition {repetition + 1} of '{self.experiment.name}': {there}")

    def rows(self, names: list[str]) -> list[Row]:
        """Return the rows of these names, or all for none; raises `ConfigError` for an unknown name."""
        known = [row.name for row in self.experiment.rows]
        unknown = [name for name in names if name not in known]
        if unknown:
            rows = ", ".join(f"'{name}'" for name in known)  # some have a comma
            raise ConfigError(f"'{self.experiment.name}' has no row '{unknown[0]}'; its rows are {rows}")
        return [row for row in self.experiment.rows if not names or row.name in names]

    def split(self, repetition: int, share: float = 1.0) -> Split:
        """Return the parts of a repetition, counted from 0, with a share of the training part."""
        listed = self.mixtures[repetition] if self.mixtures else None
        split = self.experiment.protocol.split(self.clips, repetition, listed, share)
        return Split(*map(_few, (split.train, split.validation, split.test))) if self.quick else split

    def lacks(self, row: Row) -> str:
        """Return what a row needs and is not there, see `Row.lacks`."""
        if isinstance(row, TransferRow) and not self.sources:
            return f"none of the sources is there: {', '.join(self.experiment.pretrain.sources)}"
        return row.lacks()

    def split_sources(self) -> Split:
        """Return what networks learn first: training and validation, each with as much speech as music."""
        clips = [
            replace(clip, group=f"{name}/{clip.group}") for name, own in self.sources.items() for clip in own
        ]
        train, validation = (
            tuple(Example(str(c.path), SOURCE_CLASSES.index(c.label), c.group) for c in part)
            for part in hold_out(clips, self.experiment.pretrain.shares)
        )
        return Split(_few(train), _few(validation), ()) if self.quick else Split(train, validation, ())

    def setup(self, row: Row) -> dict[str, Any]:
        """Return everything a row's result depends on, as JSON has it."""
        protocol = asdict(self.experiment.protocol)
        task = protocol.pop("task")
        setup: dict[str, Any] = {
            "data": task or self.dataset,
            "protocol": protocol,
            **row.setup(),
            "quick": self.quick,
        }
        if isinstance(row, TransferRow):
            setup["pretrain"] = self.experiment.pretrain.setup()
            setup["sources"] = list(self.sources)
        if self.mixtures:
            setup["folds"] = "published"
        if self.experiment.smr_db:
            setup["smr_db"] = self.experiment.smr_db
        if self.noise:
            setup["noise"] = self.noise
        plain: dict[str, Any] = json.loads(json.dumps(setup))
        return plain


def prepare(experiment: Experiment, folder: Path, on: str | None = None, quick: bool = False) -> Prepared:
    """Find the data of an experiment, see `find_data`; of a quick run, cut its trainings short."""
    found, noise = find_data(experiment, folder, on), ""
    roots = [found.root]
    experiment = experiment.on(found.name)
    if experiment.noise and found.dataset not in experiment.noise:
        other = _first(experiment.noise, folder, experiment)
        noise = other.dataset
        problems = (*found.problems, *(f"the noise of {noise}: {problem}" for problem in other.problems))
        clips = [c for c in found.clips if c.label != "noise"] + [
            c for c in other.clips if c.label == "noise"
        ]
        found = found._replace(clips=tuple(clips), problems=problems)
        roots.append(other.root)
    if quick:
        rows = tuple(row.shortened(_QUICK_EPOCHS) for row in experiment.rows)
        first = replace(experiment.pretrain, fit=replace(experiment.pretrain.fit, epochs=_QUICK_EPOCHS))
        experiment = replace(experiment, rows=rows, pretrain=first)
    sources = _sources(experiment, folder, found.dataset)
    wrong = [f"the source {name}: {line}" for name, (_, copy) in sources.items() for line in copy.check()]
    return Prepared(
        experiment,
        found.dataset,
        found.clips,
        quick,
        (*found.problems, *wrong),
        found.mixtures,
        noise,
        {name: clips for name, (clips, _) in sources.items()},
        (*roots, *(copy.root for _, copy in sources.values())),
    )


def _sources(
    experiment: Experiment, folder: Path, dataset: str
) -> dict[str, tuple[tuple[Clip, ...], Copy[Clip]]]:
    """Return the sources in a folder but for a dataset, and their copies; speech and music are balanced."""
    if not any(isinstance(row, TransferRow) for row in experiment.rows):
        return {}
    sources = {}
    for name in experiment.pretrain.sources:
        copy = DATASETS[dataset_of(name)].find(folder) if dataset_of(name) != dataset else None
        if copy is not None:
            clips = TASKS[name].of(copy.read()) if name in TASKS else copy.read()
            spoken_or_played = [clip for clip in clips if clip.label in SOURCE_CLASSES]
            sources[name] = tuple(balance(spoken_or_played)), copy
    return sources


class Found(NamedTuple):
    """What an experiment runs on.

    name, dataset : what the experiment calls it, and the dataset that it is, or is a task of.
    root : folder of the copy.
    clips : of that.
    problems : what is wrong with the copy.
    mixtures : by fold, where they are published.
    """

    name: str
    dataset: str
    root: Path
    clips: tuple[Clip, ...]
    problems: tuple[str, ...]
    mixtures: tuple[tuple[Mixture, ...], ...] = ()


def find_data(experiment: Experiment, folder: Path, on: str | None = None) -> Found:
    """Return the experiment's first dataset that is in a folder, or the one that is named.

    An experiment in folds takes those that are published, with their files alone, if the copy has them: see
    `earmark.datasets.published`.

    Raises
    ------
    ConfigError
        If none of them is, the experiment has no such dataset, or published folds do not fit it.
    """
    used = (*experiment.data, *experiment.noise, *experiment.pretrain.sources)
    names = {name: dataset_of(name) for name in used}
    unknown = [name for name, dataset in names.items() if dataset not in DATASETS]
    if unknown:
        raise ConfigError(
            f"data of '{experiment.name}' names '{unknown[0]}', which is no dataset; see 'earmark datasets'"
        )
    wanted = tuple(name for name in experiment.data if on in (None, name)) or tuple(
        name for name in experiment.data if names[name] == on
    )
    if not wanted:
        raise ConfigError(f"'{experiment.name}' does not run on '{on}'; choose {', '.join(experiment.data)}")
    return _first(wanted, folder, experiment)


def _first(names: tuple[str, ...], folder: Path, experiment: Experiment) -> Found:
    """Return the first dataset, or task, that is in a folder."""
    for name in names:
        dataset = dataset_of(name)
        copy = DATASETS[dataset].find(folder)
        if copy is not None:
            clips = tuple(clip for clip in copy.read() if isinstance(clip, Clip))
            if not clips:
                raise ConfigError(
                    f"'{copy.root}' holds no clips of one class each; they are what tables take"
                )
            if name in TASKS:
                clips = tuple(TASKS[name].of(clips))
            return _in_folds(Found(name, dataset, copy.root, clips, tuple(copy.check())), experiment.protocol)
    datasets = list(dict.fromkeys(map(dataset_of, names)))
    sources = " ".join(f"{name}: {DATASETS[name].source}" for name in datasets)
    get = "get one of them" if len(datasets) > 1 else "get it"
    raise ConfigError(f"'{folder}' has no {' or '.join(datasets)}; {get}. {sources}")


def _in_folds(found: Found, protocol: Protocol) -> Found:
    """Give clips their published folds, where there are any and the experiment is in folds of files."""
    lists = folds_of(found.root) if protocol.kind == "folds" and protocol.unit == "group" else []
    if not lists:
        return found
    if len(lists) != protocol.repetitions:
        raise ConfigError(
            f"'{found.root / FOLDER}' lists {len(lists)} folds, the experiment has {protocol.repetitions}; "
            "take the lists out to have folds made"
        )
    clips = tuple(assign(found.clips, lists))
    return found._replace(clips=clips, mixtures=tuple(tuple(located(f.mixtures, clips)) for f in lists))


def _few(part: tuple[Example, ...]) -> tuple[Example, ...]:
    """Keep the first examples of each class."""
    labels = sorted({example.label for example in part})
    return tuple(e for label in labels for e in [x for x in part if x.label == label][:_QUICK_EXAMPLES])
