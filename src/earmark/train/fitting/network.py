"""A network of HEO's trained on the user's own recordings: an honest estimate by folds, and a model file.

Each fold is answered by a network that learned from the others, with the weights of its last epoch, so that
nothing is chosen by what is tested.  The model is a network trained in the same way on everything.  A
recording is heard as `earmark classify` hears it: in the same windows, and with products in whole numbers if
the model has them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from earmark import __version__
from earmark.errors import ConfigError
from earmark.folders import cache_folder
from earmark.head import FloatArray
from earmark.train.crops.loop import Trained, train_on_crops
from earmark.train.crops.songs import SongCrops, Songs
from earmark.train.crops.team import Team
from earmark.train.device import find_device
from earmark.train.digests import FileDigests
from earmark.train.experiments.example import Example
from earmark.train.experiments.signals import Signal
from earmark.train.experiments.store import FeatureStore
from earmark.train.fitting.candidates import Candidate, Compared, Material
from earmark.train.fitting.examples import Examples, check_classes, distinct, read_examples
from earmark.train.fitting.figures import corrected
from earmark.train.fitting.folds import IntArray, deal_examples
from earmark.train.fitting.netfile import EMBEDDING, FittedNetwork, QuantisedNet
from earmark.train.fitting.netsettings import NetworkSettings
from earmark.train.fitting.report import make_report
from earmark.train.models import PatchNet

Tell = Callable[[str], None]

# Windows answered at a time; batches of crops that products in whole numbers are calibrated by.
_BATCH, _CALIBRATING = 64, 2


def fit_network(
    data: str | Path,
    settings: NetworkSettings,
    *,
    tell: Tell = lambda text: None,
    warn: Tell = lambda text: None,
) -> FittedNetwork:
    """Train a network to tell classes apart, and estimate how right new recordings will be.

    What is trained is kept after every epoch; the next run with the same settings goes on from there.

    Parameters
    ----------
    data : str or Path
        As `read_examples` takes it, whole files.
    settings : NetworkSettings
    tell, warn : callable
        Called with what is being done, and with what the user should know as soon as it is.

    Raises
    ------
    ConfigError
        If the recordings are not fit; one line says why.
    """
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        warn(text)

    # Features are kept by content: other files may have the same name, elsewhere or later.
    digest = cache(FileDigests(cache_folder() / "vectors"))
    store = FeatureStore(
        cache_folder() / "features", settings.extractor, Signal(), lambda example: digest(example.path)
    )
    examples = _readable(read_examples(data), store, digest, settings, tell)
    for line in examples.skipped:
        warn(f"left out: {line}")
    if examples.skipped:
        n_all = len(examples.items) + len(examples.skipped)
        note(f"{len(examples.skipped)} of {n_all} recordings were left out")
    check_classes(examples)
    if not examples.grouped:
        note(
            "no groups are given: each file counts as one of its own; if several come of one recording, "
            "artist or session, the figures are too good"
        )
    classes = examples.classes
    labels, folds = deal_examples(examples, settings.folds, settings.seed, note)
    groups = [item.group for item in examples.items]
    material = Material((), labels, folds, groups)
    n_folds = material.n_folds
    parts = [
        Example(item.excerpt.path, int(label)) for item, label in zip(examples.items, labels, strict=True)
    ]
    content = [digest(item.excerpt.path) for item in examples.items]
    team = Team(find_device(settings.device))

    def crops_of(which: Sequence[int]) -> SongCrops:
        songs = Songs(labels[which].tolist(), lambda at: store.features(parts[which[at]]))
        return SongCrops(songs, settings.training, settings.extractor.patch_length, settings.seed)

    def train(which: Sequence[int], what: str) -> PatchNet:
        torch.manual_seed(settings.seed)
        trained: Trained = train_on_crops(
            settings.network(len(classes)),
            crops_of(which),
            settings.training,
            team,
            seed=settings.seed,
            checkpoint=_place(settings, [(content[i], classes[labels[i]]) for i in which]),
            bfloat16=settings.bfloat16,
            report=lambda told: tell(f"{what}: epoch {told.epoch} of {told.epochs}, loss {told.loss:.3f}"),
        )
        assert isinstance(trained.net, PatchNet)
        return trained.net

    def calibrating(which: Sequence[int]) -> list[Tensor]:
        return [x for x, _ in islice(crops_of(which).epoch(0), _CALIBRATING if settings.int8 else 0)]

    scores = np.zeros((len(labels), len(classes)), np.float32)
    whole = np.zeros_like(scores)
    for fold in range(n_folds):
        learned, tested = (which.tolist() for which in material.split(fold))
        net = train(learned, f"fold {fold + 1} of {n_folds}")
        quantised = QuantisedNet(net, settings, calibrating(learned)) if settings.int8 else None
        for i in tested:
            windows = np.asarray(store.patches(parts[i]))
            scores[i] = heard(net, windows, team.device)
            if quantised is not None:
                whole[i] = quantised.heard(windows)
    beside = None
    if settings.int8:
        scores, beside = whole, _compared(scores, whole, labels)
        note(
            f"int8 answers as float32 does for {100 * beside['same_answer']:.1f} % of the recordings not "
            f"learned; float32 is right about {100 * beside['accuracy']:.1f} % of them"
        )
    candidate = Candidate(settings.architecture, "late")
    choice = corrected((scores.argmax(axis=1) == labels)[None], groups, settings.seed)
    compared = Compared((candidate,), scores[None], 0, choice)
    mean_learned = float(np.mean([len(material.split(fold)[0]) for fold in range(n_folds)]))
    extractor, everything = settings.extractor, list(range(len(labels)))
    facts = {
        "data": str(data),
        "backbone": settings.architecture,
        "embedding": EMBEDDING,
        "dimension": settings.network(len(classes)).trunk.n_features,
        "window_s": extractor.window_length / extractor.sample_rate,
        "hop_s": extractor.window_hop / extractor.sample_rate,
        "windows": sum(len(store.patches(part)) for part in parts),
        "folds": n_folds,
        "grouped": examples.grouped,
        "seed": settings.seed,
        "quick": False,
    }
    report = make_report(facts, examples, material, compared, [(1.0, mean_learned, scores)], tuple(notes))
    return FittedNetwork(report, train(everything, "all files"), settings, calibrating(everything), beside)


@torch.no_grad()
def heard(net: nn.Module, windows: FloatArray, device: torch.device) -> FloatArray:
    """Return each class's mean softmax over windows, (n, F, L), float32, shape=(K,)."""
    parts = [
        net(torch.from_numpy(windows[at : at + _BATCH]).to(device)).float().softmax(dim=1).cpu()
        for at in range(0, len(windows), _BATCH)
    ]
    return np.asarray(torch.cat(parts).mean(dim=0).numpy())


def _compared(scores: FloatArray, whole: FloatArray, labels: IntArray) -> dict[str, float]:
    """Return how right answers in float32 are, and for which share whole numbers give the same."""
    found = scores.argmax(axis=1)
    return {
        "accuracy": float((found == labels).mean()),
        "same_answer": float((found == whole.argmax(axis=1)).mean()),
    }


def _readable(
    examples: Examples,
    store: FeatureStore,
    digest: Callable[[str], str],
    settings: NetworkSettings,
    tell: Tell,
) -> Examples:
    """Check the recordings, and compute the features of those that have none; leave out what cannot be."""
    tell("reading files")
    regions = [item.excerpt for item in examples.items if str(item.excerpt) != item.excerpt.path]
    if regions:
        raise ConfigError(f"'{regions[0]}' is a region; networks learn whole files: cut it out, or drop it")
    examples = distinct(examples, digest)
    check_classes(examples)
    # Folds that cannot be are refused before the work.
    deal_examples(examples, settings.folds, settings.seed, lambda text: None)
    failed = store.add_readable(
        [Example(item.excerpt.path, 0) for item in examples.items],
        settings.jobs,
        lambda done, total: tell(f"features: {done} of {total} files"),
    )
    return examples.without(
        {item.excerpt: failed[item.excerpt.path] for item in examples.items if item.excerpt.path in failed}
    )


def _place(settings: NetworkSettings, learned: Sequence[tuple[str, str]]) -> Path:
    """Return the checkpoint of a training."""
    in_use = ("folds", "jobs", "device", "hop", "int8")
    kept = {k: v for k, v in asdict(settings).items() if k not in in_use}
    text = json.dumps([__version__, kept, learned], sort_keys=True)
    return cache_folder() / "networks" / hashlib.sha256(text.encode()).hexdigest()[:16] / "net.pt"
