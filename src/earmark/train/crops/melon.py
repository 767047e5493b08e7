"""HEO's training on the Melon playlist dataset: 600,000 songs as mel bands, streamed from its archives.

The songs and their genres are those of `earmark.datasets.melon`; the archives may also lie at an address.
They hold (48, T) logarithms of mel bands at 16 kHz, used as they are.  The lists of HEO's folds are not
published: here each genre is dealt to ten folds at random.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from earmark.datasets.melon import ARCHIVES, read_labels
from earmark.files import atomic_write
from earmark.train.crops.answers import accuracy
from earmark.train.crops.config import CropConfig
from earmark.train.crops.loop import Told, train_on_crops
from earmark.train.crops.shards import ShardCrops, read_shard
from earmark.train.crops.songs import FloatArray
from earmark.train.crops.team import Team, find_team
from earmark.train.loop import Progress
from earmark.train.models import count_parameters, create_model

_BANDS, _N_FOLDS = 48, 10
# Crops of a song in test-time augmentation.
_TTA = 16


@dataclass(frozen=True)
class MelonData:
    """What is trained on.

    Parameters
    ----------
    index : str
        ``song_meta.json``.
    shards : tuple of str
        Paths or addresses of the archives; by default all beside the index.
    fold : int
        From 0: the fold that is tested; the next one validates.
    """

    index: str = "data/melon/song_meta.json"
    shards: tuple[str, ...] = ()
    fold: int = 0


@dataclass(frozen=True)
class MelonTrainConfig(CropConfig):
    """How it is trained; by default as in HEO.

    Parameters
    ----------
    length : int
        Frames of a crop.
    seed : int
    buffer : int
        Crops a process holds, to mix them.
    bfloat16, compiled : bool
        Multiply in bfloat16 where the device can; let PyTorch compile the network.
    """

    batch: int = 256
    cycle: int = 1
    validate_every: int = 5
    length: int = 200
    seed: int = 4021
    buffer: int = 16_384
    bfloat16: bool = True
    compiled: bool = False


@dataclass(frozen=True)
class MelonConfig:
    """A whole training run.

    Parameters
    ----------
    model : str
        A name in `earmark.train.models.ARCHITECTURES`.
    channels, stop, last : int
        Options of an ECAPA-TDNN; 0 leaves its own.
    """

    name: str = "melon"
    model: str = "ecapa-ccs-fsa"
    channels: int = 0
    stop: int = 0
    last: int = 0
    data: MelonData = field(default_factory=MelonData)
    train: MelonTrainConfig = field(default_factory=MelonTrainConfig)

    def network(self, n_classes: int) -> torch.nn.Module:
        """Return the network with random weights."""
        given = {name: getattr(self, name) for name in ("channels", "stop", "last") if getattr(self, name)}
        return create_model(
            self.model, n_classes=n_classes, input_shape=[_BANDS, self.train.length], options=given
        )


def deal_songs(labels: Mapping[str, int], fold: int, seed: int) -> tuple[dict[str, int], ...]:
    """Return the songs to train on, to validate and to test: of each class eight, one and one of ten parts.

    Songs fall into no groups here: those of an artist may be in several parts, as in HEO.
    """
    songs = np.array(list(labels))
    classes = np.array(list(labels.values()))
    rng = np.random.default_rng(seed)
    fold_of = np.empty(len(songs), np.intp)
    for label in range(classes.max(initial=-1) + 1):
        own = rng.permutation(np.flatnonzero(classes == label))
        fold_of[own] = np.arange(len(own)) % _N_FOLDS
    tested, validates = fold % _N_FOLDS, (fold + 1) % _N_FOLDS
    parts = (~np.isin(fold_of, (tested, validates)), fold_of == validates, fold_of == tested)
    return tuple({song: labels[song] for song in songs[part].tolist()} for part in parts)


def train_melon(
    config: MelonConfig,
    out: Path,
    *,
    cache: Path,
    device: str = "cpu",
    jobs: int = 2,
    prepare_only: bool = False,
    on_prepare: Callable[[int, int], None] = lambda done, total: None,
    on_step: Callable[[Progress], None] = lambda step: None,
) -> Path | None:
    """Train as a configuration says, in one process or in those of ``torchrun``; return the file of results.

    Nothing is prepared or cached.  Other parameters are those of `earmark.train.run.train_detector`.

    Raises
    ------
    ConfigError
        If the songs or the archives cannot be read.
    """
    index, t = Path(config.data.index), config.train
    labels, classes = read_labels(index)
    shards = config.data.shards or tuple(map(str, sorted(index.parent.glob(ARCHIVES))))
    train, validation, test = deal_songs(labels, config.data.fold, t.seed)
    crops = ShardCrops(shards, train, t, t.length, t.seed, buffer=t.buffer)
    if prepare_only:
        return None

    def tell(told: Told) -> None:
        scores = None if told.accuracy is None else {"validation accuracy": told.accuracy}
        on_step(Progress(told.epoch, told.epochs, told.loss, 0.0, scores, told.epoch / told.epochs))

    with find_team(device) as team:
        torch.manual_seed(t.seed)
        out.mkdir(parents=True, exist_ok=True)
        trained = train_on_crops(
            config.network(len(classes)),
            crops,
            t,
            team,
            seed=t.seed,
            validate=lambda net: accuracy(net, _part(shards, validation, team), t.length, team),
            checkpoint=out / "checkpoint.pt",
            bfloat16=t.bfloat16,
            compiled=t.compiled,
            report=tell,
        )
        figures: dict[str, Any] = {}
        for name, weights in (("last epoch", None), ("best epoch", trained.best)):
            if weights is not None:
                trained.net.load_state_dict(weights)
            for n, how in ((0, "whole songs"), (_TTA, f"{_TTA} crops")):
                songs = _part(shards, test, team)
                figures[f"{name}, {how}"] = accuracy(trained.net, songs, t.length, team, n)
        path = out / "results.json"
        if team.is_first:
            report = {
                "figures": figures,
                "songs": [len(train), len(validation), len(test)],
                "classes": classes,
                "parameters": count_parameters(trained.net),
                "best_epoch": trained.best_epoch,
                "seconds": round(trained.seconds, 1),
                "processes": team.world,
                "config": asdict(config),
            }
            with atomic_write(path) as file:
                json.dump(report, file, indent=1)
        team.wait()
    return path


def _part(shards: tuple[str, ...], songs: Mapping[str, int], team: Team) -> Iterator[tuple[FloatArray, int]]:
    """Yield the songs of a process's shards, with their classes."""
    for shard in shards[team.rank :: team.world]:
        for name, features in read_shard(shard, songs):
            yield features, songs[name]
