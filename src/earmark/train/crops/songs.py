"""Songs as features, and crops of them drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from earmark.errors import ConfigError
from earmark.features.patches import repeated
from earmark.train.crops.config import CropConfig

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int64]


class Songs:
    """Songs whose features can be had one by one, e.g. from a file that is read as it is used.

    Parameters
    ----------
    labels : sequence of int
        Classes, counted from 0.
    features : callable
        Returns the features of the song at a place, shape=(F, T).
    """

    def __init__(self, labels: Sequence[int], features: Callable[[int], FloatArray]) -> None:
        self.labels = np.asarray(labels, np.int64)
        self.features = features

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rank: int = 0, world: int = 1) -> Iterator[tuple[FloatArray, int]]:
        """Yield the songs that one of several processes answers for, with their classes."""
        for place in range(rank, len(self), world):
            yield self.features(place), int(self.labels[place])


class Crops(Protocol):
    """What a network is trained on."""

    @property
    def steps(self) -> int:
        """Steps of an epoch."""

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch, (B, F, L) float32 and (B,) int64: of each, a process's part.

        They depend on the seed, `number` and, of what is streamed, on `rank` and `world`, and on nothing
        before them, so that a training can go on after any epoch.
        """


def crop(features: FloatArray, place: float, length: int) -> npt.NDArray[np.float32]:
    """Return `length` frames that start at a place from 0 to below 1 of all starts; short songs are repeated.

    Parameters
    ----------
    features : shape=(F, T), T at least 1
    place : float
    length : int

    Returns
    -------
    float32, shape=(F, length)
    """
    whole = repeated(np.asarray(features), length)
    if features.shape[1] < length:  # from its first frame on
        whole, place = whole[:, :length], 0.0
    start = int(place * (whole.shape[1] - length + 1))
    return np.ascontiguousarray(whole[:, start : start + length], np.float32)


def part_of_batch(batch: int, world: int) -> int:
    """Return the crops of a step in each of several processes.

    Raises
    ------
    ConfigError
        If they do not come out even.
    """
    if batch % world or batch // world < 1:
        raise ConfigError(f"batch {batch} in {world} processes: give a multiple of {world}")
    return batch // world


class SongCrops:
    """Crops of songs at random places: in random order, each song as often as any other, but for a rest.

    The batches of several processes together are those of one process.

    Parameters
    ----------
    songs : Songs
    config : CropConfig
    length : int
        Frames of a crop.
    seed : int

    Raises
    ------
    ConfigError
        If there are fewer than two songs.
    """

    def __init__(self, songs: Songs, config: CropConfig, length: int, seed: int) -> None:
        if len(songs) < 2:
            raise ConfigError(f"{len(songs)} songs to train on; give more")
        self._songs, self._length, self._seed = songs, length, seed
        n = config.cycle * len(songs)
        self._batch = min(config.batch, n)
        self.steps = config.steps or n // self._batch  # what is left comes in another epoch

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch; see `Crops`."""
        size = part_of_batch(self._batch - self._batch % world, world)
        rng = np.random.default_rng((self._seed, number))
        n, wanted = len(self._songs), self.steps * self._batch
        order = rng.permutation(-(-wanted // n) * n) % n
        places = rng.random(len(order))
        for step in range(self.steps):
            start = step * self._batch + rank * size
            which = order[start : start + size]
            crops = [
                crop(self._songs.features(song), place, self._length)
                for song, place in zip(which.tolist(), places[start : start + size].tolist(), strict=True)
            ]
            yield torch.from_numpy(np.stack(crops)), torch.from_numpy(self._songs.labels[which])
