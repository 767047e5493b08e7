"""Crops of songs that lie in archives, read one after the other: for what no memory, maybe no disk, holds.

A shard is a tar archive of arrays, ``.../ID.npy``, shape=(F, T): a file, or an address that begins with
``http://`` or ``https://``, as object storage gives for its objects.  In an epoch the shards come in random
order, dealt to the processes; what is read goes through a buffer of crops that are drawn at random.  So there
is never more in memory than the buffer and one song.
"""

from __future__ import annotations

import io
import queue
import tarfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.error import URLError

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from earmark.errors import ConfigError
from earmark.train.crops.config import CropConfig
from earmark.train.crops.songs import FloatArray, crop, part_of_batch

_Item = TypeVar("_Item")

# Batches that are made ahead.
_AHEAD = 8


class ShardCrops:
    """Crops of the songs in shards, `cycle` of each song that is read.

    The processes get shards of their own.  Where those of one run out before the epoch ends, as it has as
    many steps as the songs of all of them make, it begins again with its first.

    Parameters
    ----------
    shards : sequence of str
        Paths or addresses.
    labels : mapping of str to int
        Class of each song to be learned, by its ID; the others are skipped.
    config : CropConfig
    length : int
        Frames of a crop.
    seed : int
    buffer : int
        Crops that are mixed; what a process holds in memory.

    Raises
    ------
    ConfigError
        If there is nothing to learn, or less than a batch.
    """

    def __init__(
        self,
        shards: Sequence[str],
        labels: Mapping[str, int],
        config: CropConfig,
        length: int,
        seed: int,
        *,
        buffer: int = 4096,
    ) -> None:
        self._shards, self._labels, self._config = tuple(shards), labels, config
        self._length, self._seed, self._buffer = length, seed, buffer
        self.steps = config.steps or len(labels) * config.cycle // config.batch
        if not self._shards or not self.steps:
            raise ConfigError(
                f"{len(self._shards)} shards with {len(labels)} songs to learn: there must be one, and a "
                f"batch of {config.batch} crops"
            )

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch; see `earmark.train.crops.songs.Crops`."""
        size = part_of_batch(self._config.batch, world)
        if world > len(self._shards):
            raise ConfigError(
                f"{world} processes for {len(self._shards)} shards: each needs one; start fewer"
            )
        order = np.random.default_rng((self._seed, number)).permutation(len(self._shards))
        own = [self._shards[i] for i in order[rank::world]]
        rng = np.random.default_rng((self._seed, number, rank))
        room = min(self._buffer, size * self.steps)
        yield from ahead(self._batches(self._mixed(own, rng, room), size), _AHEAD)

    def _batches(
        self, crops: Iterator[tuple[npt.NDArray[np.float32], int]], size: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.steps):
            x, y = zip(*(next(crops) for _ in range(size)), strict=True)
            yield torch.from_numpy(np.stack(x)), torch.tensor(y)

    def _mixed(
        self, shards: Sequence[str], rng: np.random.Generator, room: int
    ) -> Iterator[tuple[npt.NDArray[np.float32], int]]:
        """Yield crops without end, each drawn from a full buffer with so much room."""
        held: list[tuple[npt.NDArray[np.float32], int]] = []
        for features, label in self._songs(shards):
            for place in rng.random(self._config.cycle).tolist():
                drawn = crop(features, place, self._length), label
                if len(held) < room:
                    held.append(drawn)
                    continue
                at = int(rng.integers(len(held)))
                held[at], drawn = drawn, held[at]
                yield drawn

    def _songs(self, shards: Sequence[str]) -> Iterator[tuple[FloatArray, int]]:
        while True:
            found = 0
            for shard in shards:
                for name, features in read_shard(shard, self._labels):
                    found += 1
                    yield features, self._labels[name]
            if not found:
                raise ConfigError(f"'{shards[0]}' and other shards hold none of the songs to learn")


def read_shard(shard: str, wanted: Mapping[str, int]) -> Iterator[tuple[str, FloatArray]]:
    """Yield the songs of a shard that are wanted: ID and features, shape=(F, T).

    Raises
    ------
    ConfigError
        If it cannot be read, or a song is no such array.
    """
    remote = shard.startswith(("http://", "https://"))
    try:
        with (
            urllib.request.urlopen(shard) if remote else open(shard, "rb") as source,
            # What is skipped in a file is not read.
            tarfile.open(fileobj=source, mode="r|" if remote else "r:") as archive,
        ):
            for member in archive:
                name = PurePosixPath(member.name)
                if name.suffix == ".npy" and name.stem in wanted:
                    stored = archive.extractfile(member)
                    assert stored is not None  # files can be extracted
                    yield name.stem, _array(stored.read(), f"'{member.name}' in '{shard}'")
    except (OSError, URLError, tarfile.TarError) as err:
        raise ConfigError(f"the shard '{shard}' cannot be read ({err}); copy it again") from err


def _array(data: bytes, what: str) -> FloatArray:
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as err:
        raise ConfigError(f"{what} is no array of numbers ({err}); copy the shard again") from err
    if values.ndim != 2 or not values.size or not np.issubdtype(values.dtype, np.floating):
        raise ConfigError(
            f"{what} has shape {values.shape} and type {values.dtype}; give (n_bands, n_frames)"
        )
    return np.asarray(values)


def ahead(items: Iterator[_Item], n: int) -> Iterator[_Item]:
    """Yield items that a thread makes, up to `n` ahead; what it raises is raised here."""
    made: queue.Queue[tuple[_Item | None, BaseException | None]] = queue.Queue(n)
    stop = threading.Event()

    def put(entry: tuple[_Item | None, BaseException | None]) -> None:
        while not stop.is_set():
            try:
                made.put(entry, timeout=0.1)
                return
            except queue.Full:
                continue

    def run() -> None:
        try:
            for item in items:
                put((item, None))
                if stop.is_set():
                    return
        except BaseException as err:  # told to whom the items are for
            put((None, err))
        else:
            put((None, None))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            item, err = made.get()
            if err is not None:
                raise err
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join()
