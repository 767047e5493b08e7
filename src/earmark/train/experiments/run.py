"""Running a table: every row on every repetition, each result kept as it comes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from earmark.datasets import DATASETS, Clip
from earmark.environment import environment
from earmark.errors import ConfigError
from earmark.features.scaling import Scaling, fit_scaling
from earmark.train.experiments.batches import PatchSet
from earmark.train.experiments.example import Example, Split
from earmark.train.experiments.fit import Fitted, fit, predict
from earmark.train.experiments.ratios import score_ratios
from earmark.train.experiments.results import read_results, write_results
from earmark.train.experiments.scores import PatchScores
from earmark.train.experiments.store import FeatureStore
from earmark.train.experiments.table import Experiment, Row
from earmark.train.models import LateFusion, count_parameters, create_model

Tell = Callable[[str], None]

# What --quick leaves of each class in each part, and of the epochs: enough to see that a table runs.
_QUICK_EXAMPLES, _QUICK_EPOCHS = 6, 2
# Scalings that a network does not do itself.
_MEASURED = ("band", "band-range", "cell")


@dataclass(frozen=True)
class Workplace:
    """Where and with what an experiment runs.

    Parameters
    ----------
    cache : Path
        Folder of the features.
    runs : Path
        Folder of the checkpoints.  A row that was trained for one table is not trained again for another.
    jobs : int
        Processes that compute features.
    device : str
        ``"cpu"`` or ``"cuda"``.
    drop_features : bool
        Remove features that no later row needs.
    """

    cache: Path
    runs: Path
    jobs: int = 1
    device: str = "cpu"
    drop_features: bool = False


class Halves(nn.Module):
    """Gives a fused network the lower and the upper half of the bands as its two streams."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x.chunk(2, dim=1))


def find_data(experiment: Experiment, folder: Path, on: str | None = None) -> tuple[str, list[Clip]]:
    """Return the name and the clips of a dataset, by default of the experiment's first that is in a folder.

    Raises
    ------
    ConfigError
        If none of them is, or the experiment has no such dataset.
    """
    unknown = [name for name in experiment.data if name not in DATASETS]
    if unknown:
        raise ConfigError(f"'{experiment.name}' names the dataset '{unknown[0]}'; see 'earmark datasets'")
    if on is not None and on not in experiment.data:
        raise ConfigError(f"'{experiment.name}' does not run on '{on}'; choose {', '.join(experiment.data)}")
    for name in experiment.data if on is None else (on,):
        copy = DATASETS[name].find(folder)
        if copy is not None:
            return name, copy.read()
    wanted = " ".join(f"{name}: {DATASETS[name].source}" for name in experiment.data)
    raise ConfigError(f"'{folder}' has no {' or '.join(experiment.data)}; get one of them. {wanted}")


def run_experiment(
    experiment: Experiment,
    data: Path,
    out: Path,
    place: Workplace,
    *,
    rows: Iterable[str] = (),
    on: str | None = None,
    quick: bool = False,
    tell: Tell = lambda text: None,
) -> dict[str, Any]:
    """Train and score what `out` does not hold yet.

    Parameters
    ----------
    experiment : Experiment
    data : Path
        Folder of the datasets.
    out : Path
        JSON file; rewritten after every result.
    place : Workplace
    rows : iterable of str
        Names of the rows to run; by default all.
    on : str, optional
        Dataset; by default the first that is there.
    quick : bool
        A few recordings and epochs of the first repetition: whether it runs, not how well.
    tell : callable
        Told what is being done.

    Returns
    -------
    dict
        ``data``, ``quick`` and the ``results`` of the table as it is now; `out` keeps those of other data
        and of earlier versions, too.

    Raises
    ------
    ConfigError
        If there is no data, a row has no such name, or `out` is no file of results.
    """
    names = [row.name for row in experiment.rows]
    unknown = [name for name in rows if name not in names]
    if unknown:
        raise ConfigError(f"'{experiment.name}' has no row '{unknown[0]}'; its rows are {', '.join(names)}")
    dataset, clips = find_data(experiment, data, on)
    report = read_results(out, experiment.name)
    table = [_shortened(row, quick) for row in experiment.rows]
    setups = {row.name: _setup(experiment, row, dataset, quick) for row in table}
    splits = [
        experiment.protocol.split(clips, r) for r in range(1 if quick else experiment.protocol.repetitions)
    ]
    splits = [_cut(split) for split in splits] if quick else splits

    chosen = [row for row in table if not rows or row.name in set(rows)]
    turns = [(repetition, row) for repetition in range(len(splits)) for row in chosen]
    if place.drop_features:  # each row as a whole, so that its features are not there for long
        turns = [(repetition, row) for row in chosen for repetition in range(len(splits))]
    done = [(r["repetition"], r["row"], r["setup"]) for r in report["results"]]
    turns = [turn for turn in turns if (turn[0], turn[1].name, setups[turn[1].name]) not in done]
    for at, (repetition, row) in enumerate(turns, start=1):
        setup, title = setups[row.name], f"{row.name}, {repetition + 1} of {experiment.protocol.repetitions}"
        result = run_row(row, splits[repetition], experiment, repetition, place, setup, title, tell)
        report["results"].append({"row": row.name, "repetition": repetition, **result, "setup": setup})
        write_results(out, report)
        folder = _store(place, row).folder
        if place.drop_features and all(_store(place, later).folder != folder for _, later in turns[at:]):
            shutil.rmtree(folder)
    found = [r for r in report["results"] if setups.get(r["row"]) == r["setup"]]
    return {"data": dataset, "quick": quick, "results": found}


def run_row(
    row: Row,
    split: Split,
    experiment: Experiment,
    seed: int,
    place: Workplace,
    setup: dict[str, Any],
    title: str,
    tell: Tell,
) -> dict[str, Any]:
    """Train a row on a split and score it; return figures, counts, parameters, epochs and times."""
    classes = experiment.protocol.classes
    store = _store(place, row)
    store.add(split.all, place.jobs, lambda done, total: tell(f"{title}: features {done} of {total}"))
    train = PatchSet(split.train, store.patches)
    if row.extractor.scaling in _MEASURED:
        train.scaling = _measured(train, row.extractor.scaling)
    validation = PatchSet(split.validation, store.patches, train.scaling)
    test = PatchSet(split.test, store.patches, train.scaling)
    # All that the network depends on; how it is scored is no part of it, nor the table.
    trained = {key: value for key, value in setup.items() if key != "smr_db"}
    text = json.dumps([trained, asdict(split), seed], sort_keys=True)
    folder = place.runs / hashlib.sha256(text.encode()).hexdigest()[:16]
    torch.manual_seed(seed)
    net = _network(row, len(classes))

    def fitted(part: nn.Module, name: str) -> Fitted:
        return fit(
            part,
            train,
            validation,
            row.fit,
            seed=seed,
            checkpoint=folder / f"{name}.pt",
            device=place.device,
            report=lambda epoch, what, value: tell(f"{title}: epoch {epoch}, validation {what} {value:.3f}"),
        )

    if isinstance(net, Halves) and isinstance(net.net, LateFusion):
        late = net.net
        parts = [fitted(_Half(late.first, 0), "first"), fitted(_Half(late.second, 1), "second")]
    else:
        parts = [fitted(net, "net")]
    if train.scaling is not None:
        np.savez(folder / "scaling.npz", shift=train.scaling.shift, divisor=train.scaling.divisor)
    tell(f"{title}: scoring")
    answers = predict(net.eval(), test, place.device)
    scores = PatchScores.of(answers, test.labels, test.owner, test.smr_db)
    if experiment.smr_db:
        mixtures = score_ratios(
            net,
            test,
            experiment.smr_db,
            store,
            place.jobs,
            place.device,
            lambda done, total: tell(f"{title}: scoring mixture {done} of {total}"),
        )
        scores = replace(scores, mixtures=mixtures)
    return {
        "figures": {name: round(value, 3) for name, value in scores.figures(classes).items()},
        "patches": scores.patches.tolist(),
        "files": scores.files.tolist(),
        "mixtures": {f"{level:g}": counts.tolist() for level, counts in scores.mixtures.items()},
        "parameters": count_parameters(net),
        "epochs": [part.epochs for part in parts],
        "best_epoch": [part.best_epoch for part in parts],
        "cpu_s": round(sum(part.cpu_s for part in parts), 1),
        "seconds": round(sum(part.seconds for part in parts), 1),
        "environment": environment() | {"torch": torch.__version__},
        "checkpoint": folder.name,
    }


class _Half(nn.Module):
    """One stream of a late fusion, trained on its half of the bands."""

    def __init__(self, net: nn.Module, which: int) -> None:
        super().__init__()
        self.net, self.which = net, which

    def forward(self, x: Tensor) -> Any:
        return self.net(x.chunk(2, dim=1)[self.which])


def _store(place: Workplace, row: Row) -> FeatureStore:
    return FeatureStore(place.cache, row.extractor, row.signal)


def _network(row: Row, n_classes: int) -> nn.Module:
    fused = row.model.get("fusion", "none") != "none"
    shape = [row.extractor.n_bands // (2 if fused else 1), row.extractor.patch_length]
    net = create_model(**{"n_classes": n_classes, "input_shape": shape, **row.model})
    return Halves(net) if fused else net


def _measured(train: PatchSet, kind: str) -> Scaling:
    size = 512
    places = (np.arange(at, min(at + size, len(train))) for at in range(0, len(train), size))
    return fit_scaling((train.raw(at) for at in places), kind)


def _setup(experiment: Experiment, row: Row, dataset: str, quick: bool) -> dict[str, Any]:
    """Return everything a result depends on, as JSON has it."""
    setup: dict[str, Any] = {
        "data": dataset,
        "protocol": asdict(experiment.protocol),
        "features": asdict(row.extractor),
        "model": row.model,
        "signal": asdict(row.signal),
        "fit": asdict(row.fit),
        "quick": quick,
    }
    if experiment.smr_db:
        setup["smr_db"] = experiment.smr_db
    plain: dict[str, Any] = json.loads(json.dumps(setup))
    return plain


def _cut(split: Split) -> Split:
    """Keep the first examples of each class in each part."""

    def few(part: tuple[Example, ...]) -> tuple[Example, ...]:
        labels = sorted({example.label for example in part})
        return tuple(e for label in labels for e in [x for x in part if x.label == label][:_QUICK_EXAMPLES])

    return Split(few(split.train), few(split.validation), few(split.test))


def _shortened(row: Row, quick: bool) -> Row:
    return replace(row, fit=replace(row.fit, epochs=_QUICK_EPOCHS)) if quick else row
