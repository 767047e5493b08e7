"""Rows that are trained on crops of songs and tested on whole ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from earmark.environment import environment
from earmark.errors import ConfigError
from earmark.train.crops.answers import accuracy, song_scores
from earmark.train.crops.loop import train_on_crops
from earmark.train.crops.songs import SongCrops, Songs
from earmark.train.crops.team import Team
from earmark.train.device import find_device
from earmark.train.experiments.example import Example, Split
from earmark.train.experiments.nets import row_network
from earmark.train.experiments.results import Workplace
from earmark.train.experiments.rows import CropRow
from earmark.train.experiments.scores import LAST, PatchScores
from earmark.train.experiments.signals import Signal
from earmark.train.experiments.store import FeatureStore
from earmark.train.models import count_parameters

Tell = Callable[[str], None]


def run_crops(
    row: CropRow, split: Split, seed: int, place: Workplace, folder: Path, title: str, tell: Tell
) -> tuple[PatchScores, dict[str, Any]]:
    """Train a row's network on crops of the training part, and score the songs of the test part.

    Scored are the weights of the epoch that validates best; what the last ones reach is told as well.

    Parameters
    ----------
    row : CropRow
    split : Split
    seed : int
    place : Workplace
    folder : Path
        Of the checkpoint; a training that was ended is only scored.
    title : str
        Of what is told.
    tell : callable

    Returns
    -------
    PatchScores
        "Patches" are songs.
    dict
        What else a result says.

    Raises
    ------
    ConfigError
        If a recording cannot be read, or as `train_on_crops`.
    """
    store = FeatureStore(place.cache, row.extractor, Signal())
    store.add(split.all, place.jobs, lambda done, total: tell(f"{title}: features {done} of {total}"))
    train, validation, test = (_songs(store, part) for part in (split.train, split.validation, split.test))
    n_classes = 1 + max(example.label for example in split.all)
    torch.manual_seed(seed)
    net = row_network(row.model, row.extractor, n_classes)
    team, length = Team(find_device(place.device)), row.extractor.patch_length
    if not len(validation):
        raise ConfigError(f"'{row.name}' has no songs to validate; give more of them")
    trained = train_on_crops(
        net,
        SongCrops(train, row.training, length, seed),
        row.training,
        team,
        seed=seed,
        validate=lambda net: accuracy(net, validation.part(), length, team),
        checkpoint=folder / "net.pt",
        bfloat16=place.bfloat16,
        compiled=place.compiled,
        report=lambda told: tell(
            f"{title}: epoch {told.epoch} of {told.epochs}, loss {told.loss:.3f}"
            + ("" if told.accuracy is None else f", validation accuracy {told.accuracy:.1f}")
        ),
    )
    tell(f"{title}: scoring")
    net = trained.net
    last = accuracy(net, test.part(), length, team, row.crops)
    net.load_state_dict(trained.best)
    found = np.stack(
        [song_scores(net.eval(), features, length, team.device, row.crops) for features, _ in test.part()]
    )
    scores = PatchScores.of(found, test.labels, np.arange(len(test)), np.full(len(test), np.nan))
    return scores, {
        "figures": {LAST: round(last, 3)},
        "parameters": count_parameters(net),
        "epochs": [trained.epochs],
        "best_epoch": [trained.best_epoch],
        "cpu_s": round(trained.cpu_s, 1),
        "seconds": round(trained.seconds, 1),
        "environment": environment()
        | {"torch": torch.__version__, "products": "bfloat16" if trained.bfloat16 else "float32"},
        "checkpoint": folder.name,
    }


def _songs(store: FeatureStore, part: Sequence[Example]) -> Songs:
    return Songs([example.label for example in part], lambda at: store.features(part[at]))
