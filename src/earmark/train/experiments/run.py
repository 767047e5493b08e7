"""Running a table: every row on every repetition, each result kept as it comes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from earmark.environment import environment
from earmark.train.experiments.batches import PatchSet, measured_scaling
from earmark.train.experiments.example import Split
from earmark.train.experiments.fit import fit, predict
from earmark.train.experiments.nets import row_network, save_scaling, trained_parts
from earmark.train.experiments.prepared import Prepared, prepare
from earmark.train.experiments.ratios import score_ratios
from earmark.train.experiments.results import (
    Workplace,
    add_result,
    checkpoint_folder,
    checkpoint_name,
    find_result,
    is_of,
    read_results,
)
from earmark.train.experiments.rows import CropRow, NetworkRow, Row, TransferRow, TrivialRow, VectorRow
from earmark.train.experiments.scores import PatchScores, right_by
from earmark.train.experiments.shallow import run_trivial, run_vectors
from earmark.train.experiments.signals import Signal
from earmark.train.experiments.songs import run_crops
from earmark.train.experiments.store import FeatureStore
from earmark.train.experiments.table import Experiment
from earmark.train.experiments.transfer import ALL, Learnt, Transferred, embedded, pretrained
from earmark.train.models import count_parameters

Tell = Callable[[str], None]


def run_experiment(
    experiment: Experiment,
    data: Path,
    out: Path,
    place: Workplace,
    *,
    rows: Iterable[str] = (),
    on: str | None = None,
    repetition: int | None = None,
    quick: bool = False,
    tell: Tell = lambda text: None,
    warn: Tell = lambda text: None,
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
    repetition : int, optional
        The one to run, counted from 0; by default all.
    quick : bool
        A few recordings and epochs of the first repetition: whether it runs, not how well.
    tell : callable
        Told what is being done.
    warn : callable
        Told at the beginning what is wrong with the copy of the dataset, and which rows stay open as they
        lack something.

    Returns
    -------
    dict
        ``on``, what of its data it was run on, ``data``, the same in words; whether that ``is_published``;
        ``quick``, the ``problems`` of the copy, and the ``results`` of the table as it is now;
        `out` keeps those of other data and of earlier versions, too.

    Raises
    ------
    ConfigError
        If there is no data, no such row or repetition, or `out` is no file of results.
    """
    prepared = prepare(experiment, data, on, quick)
    for problem in prepared.problems:
        warn(f"{prepared.dataset} in '{data}': {problem}")
    chosen = _at_hand(prepared, list(rows), warn)
    setups = {row.name: prepared.setup(row) for row in prepared.experiment.rows}
    if repetition is not None:
        prepared.check_repetition(repetition)
    repetitions = prepared.repetitions if repetition is None else (repetition,)
    shares = {row.share for row in chosen}
    splits = {(share, r): prepared.split(r, share) for share in shares for r in repetitions}
    report = read_results(out, experiment.name)
    turns = [(r, row) for r in repetitions for row in chosen]
    if place.drop_features:  # each row as a whole, so that its features are not there for long
        turns = [(r, row) for row in chosen for r in repetitions]
    clips = prepared.digest
    turns = [(r, row) for r, row in turns if not find_result(report, row.name, setups[row.name], clips, r)]
    for at, (r, row) in enumerate(turns, start=1):
        setup, split = setups[row.name], splits[row.share, r]
        title = f"{row.name}, {r + 1} of {prepared.experiment.protocol.repetitions}"
        sources = prepared.split_sources() if isinstance(row, TransferRow) else None
        result = run_row(row, split, prepared.experiment, r, place, setup, clips, title, tell, sources)
        result = {"row": row.name, "repetition": r, **result, "clips": clips, "setup": setup}
        report = add_result(out, experiment.name, result, place.runs / "results.lock")
        later = [_features(place, other) for _, other in turns[at:]]
        folder = _features(place, row)
        if place.drop_features and folder is not None and folder not in later:
            shutil.rmtree(folder)
    return {
        "on": prepared.experiment.protocol.task or prepared.dataset,
        "data": prepared.data,
        "is_published": prepared.is_published,
        "quick": quick,
        "problems": list(prepared.problems),
        "results": [r for r in report["results"] if r["row"] in setups and is_of(r, setups[r["row"]], clips)],
    }


def _at_hand(prepared: Prepared, names: list[str], warn: Tell) -> list[Row]:
    """Return the rows that have all they need, and tell of the others, in a line for each thing they lack."""
    rows = prepared.rows(names)
    lacks = {row.name: prepared.lacks(row) for row in rows}
    for what in dict.fromkeys(filter(None, lacks.values())):
        names = [f"'{name}'" for name, lack in lacks.items() if lack == what]
        warn(f"{', '.join(names)} {'stay' if len(names) > 1 else 'stays'} open: {what}")
    return [row for row in rows if not lacks[row.name]]


def run_row(
    row: Row,
    split: Split,
    experiment: Experiment,
    seed: int,
    place: Workplace,
    setup: dict[str, Any],
    clips: str,
    title: str,
    tell: Tell,
    sources: Split | None = None,
) -> dict[str, Any]:
    """Train a row on a split, after the sources it learns from, and score it.

    A training of the same `clips` (see `earmark.datasets.digest`) goes on where it was.

    Returns
    -------
    dict
        Figures, counts, seed, and what else there is to tell.
    """
    folder = checkpoint_folder(place.runs, checkpoint_name(setup, split, seed), clips)
    if isinstance(row, VectorRow):
        scores, told = run_vectors(row, split, seed, place, folder, title, tell)
    elif isinstance(row, CropRow):
        scores, told = run_crops(row, split, seed, place, folder, title, tell)
    elif isinstance(row, TrivialRow):
        scores, told = run_trivial(row, split, place, title, tell)
    else:
        assert isinstance(row, NetworkRow)  # there are no others
        learnt = None
        if isinstance(row, TransferRow) and sources is not None:
            learnt = pretrained(row, experiment.pretrain.fit, sources, place, title, tell)
        scores, told = _run_network(row, split, experiment, seed, place, folder, title, tell, learnt)
    figures = {name: round(value, 3) for name, value in scores.figures(experiment.protocol.classes).items()}
    return {
        "figures": figures | told.pop("figures", {}),
        "patches": scores.patches.tolist(),
        "files": scores.files.tolist(),
        "mixtures": {f"{level:g}": counts.tolist() for level, counts in scores.mixtures.items()},
        "seed": seed,
        "examples": {part: len(getattr(split, part)) for part in ("train", "validation", "test")},
        **told,
    }


def _run_network(
    row: NetworkRow,
    split: Split,
    experiment: Experiment,
    seed: int,
    place: Workplace,
    folder: Path,
    title: str,
    tell: Tell,
    learnt: Learnt | None,
) -> tuple[PatchScores, dict[str, Any]]:
    """Train a network, or go on from what it has learnt; return scores, parameters, epochs and times."""
    classes = experiment.protocol.classes
    store = _store(place, row)
    store.add(split.all, place.jobs, lambda done, total: tell(f"{title}: features {done} of {total}"))
    train = PatchSet(split.train, store.patches)
    scaling = measured_scaling(train, row.extractor) if learnt is None else learnt.scaling
    train.scaling = scaling
    validation = PatchSet(split.validation, store.patches, scaling)
    test = PatchSet(split.test, store.patches, scaling)
    torch.manual_seed(seed)
    net: nn.Module
    if learnt is None:
        net = row_network(row.model, row.extractor, len(classes))
    else:
        assert isinstance(row, TransferRow)  # no other row has learnt before
        net = Transferred(learnt.net, row.frozen, len(classes))
        if ALL in row.frozen:  # what is frozen is run once, not in every epoch
            trunk, net = net.trunk, net.classifier
            train, validation, test = (embedded(trunk, p, place.device) for p in (train, validation, test))
    parts = [
        fit(
            part,
            train,
            validation,
            row.fit,
            seed=seed,
            checkpoint=folder / f"{name}.pt",
            device=place.device,
            bfloat16=place.bfloat16,
            report=lambda epoch, what, value: tell(f"{title}: epoch {epoch}, validation {what} {value:.3f}"),
        )
        for name, part in trained_parts(net).items()
    ]
    save_scaling(scaling, folder)
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
    told: dict[str, Any] = {}
    if experiment.protocol.unit == "folder":  # whole collections are unseen: how right is each?
        folders = ["/".join(Path(test.examples[i].path).parts[-3:-1]) for i in test.owner.tolist()]
        told["folders"] = right_by(folders, answers.argmax(axis=1) == test.labels)
    products = "bfloat16" if any(part.bfloat16 for part in parts) else "float32"
    return scores, {
        "parameters": count_parameters(net),
        "epochs": [part.epochs for part in parts],
        "best_epoch": [part.best_epoch for part in parts],
        "cpu_s": round(sum(part.cpu_s for part in parts), 1),
        "seconds": round(sum(part.seconds for part in parts), 1),
        "environment": environment() | {"torch": torch.__version__, "products": products},
        "checkpoint": folder.name,
        **told,
    }


def _store(place: Workplace, row: NetworkRow) -> FeatureStore:
    return FeatureStore(place.cache, row.extractor, row.signal)


def _features(place: Workplace, row: Row) -> Path | None:
    """Return the folder of the features of a network."""
    if isinstance(row, CropRow):
        return FeatureStore(place.cache, row.extractor, Signal()).folder
    return _store(place, row).folder if isinstance(row, NetworkRow) else None
