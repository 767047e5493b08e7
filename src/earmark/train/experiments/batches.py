"""Batches of patches: by class, as BHA draws them, or shuffled, as everybody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from earmark.errors import ConfigError
from earmark.features.extractor import Extractor
from earmark.features.patches import Patches
from earmark.features.scaling import Scaling, fit_scaling
from earmark.train.experiments.example import Example

FloatArray = npt.NDArray[np.float32]

# Scalings that a network does not do itself.
_MEASURED = ("band", "band-range", "cell")


class Batch(NamedTuple):
    """Patches (B, F, L), classes (B,) and, of mixtures, the speech-to-music ratio (B,) in dB, else nan."""

    patches: Tensor
    labels: Tensor
    smr_db: Tensor


class PatchSet:
    """All patches of some examples, drawn by index.

    Parameters
    ----------
    examples : sequence of Example
    patches : callable
        Returns the patches of an example.
    scaling : Scaling, optional
        Applied to what is drawn.

    Attributes
    ----------
    labels : int, shape=(n,)
        Class of each patch.
    owner : int, shape=(n,)
        Example of each patch.
    smr_db : float32, shape=(n,)
        Speech-to-music ratio of each patch of a mixture, dB, else nan.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        patches: Callable[[Example], Patches],
        scaling: Scaling | None = None,
    ) -> None:
        self.examples = tuple(examples)
        self._parts = [patches(example) for example in self.examples]
        self.scaling = scaling
        counts = np.array([len(part) for part in self._parts], dtype=np.intp)
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
        self.owner = np.repeat(np.arange(len(counts)), counts)
        self.labels = np.array([e.label for e in self.examples], dtype=np.int64)[self.owner]
        smr = [np.nan if e.smr_db is None else e.smr_db for e in self.examples]
        self.smr_db = np.array(smr, np.float32)[self.owner]

    def __len__(self) -> int:
        return int(self._first[-1])

    def raw(self, indices: npt.NDArray[np.intp]) -> FloatArray:
        """Return patches as the front end cut them, (B, F, L)."""
        owners = self.owner[indices]
        parts = [
            self._parts[owner][[int(at - self._first[owner])]]
            for owner, at in zip(owners.tolist(), indices.tolist(), strict=True)
        ]
        return np.concatenate(parts)

    def batch(self, indices: npt.NDArray[np.intp]) -> Batch:
        """Return a batch of the patches at these places."""
        values = self.raw(indices)
        if self.scaling is not None:
            values = self.scaling(values)
        return Batch(
            torch.from_numpy(values),
            torch.from_numpy(self.labels[indices]),
            torch.from_numpy(self.smr_db[indices]),
        )

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield all patches once, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


def shuffled(
    patches: PatchSet, size: int, rng: np.random.Generator, at_most: int | None = None
) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the places of one epoch in random order, `size` at a time; a last one on its own is left out.

    (Batch norm has nothing to measure on a single patch.)  There are no more than `at_most` of them.
    """
    order = rng.permutation(len(patches))[:at_most]
    for start in range(0, max(1, len(order) - 1), size):
        yield order[start : start + size]


def by_class(
    patches: PatchSet, size: int, steps: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.intp]]:
    """Yield places of `size` patches of each class, `steps` times; each class is gone through in turn.

    Raises
    ------
    ConfigError
        If a class has no patches.
    """
    classes = range(1 + max(int(patches.labels.max(initial=0)), max(e.label for e in patches.examples)))
    places = [np.flatnonzero(patches.labels == c) for c in classes]
    empty = [c for c, found in enumerate(places) if not len(found)]
    if empty:
        raise ConfigError(f"class {empty[0]} has no patch; give longer recordings or more of them")
    queues = [np.zeros(0, np.intp) for _ in places]
    for _ in range(steps):
        drawn = []
        for c, found in enumerate(places):
            while len(queues[c]) < size:
                queues[c] = np.concatenate([queues[c], rng.permutation(found)])
            drawn.append(queues[c][:size])
            queues[c] = queues[c][size:]
        yield np.concatenate(drawn)


def measured_scaling(train: PatchSet, extractor: Extractor) -> Scaling | None:
    """Measure the scaling that a front end leaves to training patches; None if it leaves none."""
    if extractor.scaling not in _MEASURED:
        return None
    size = 512
    places = (np.arange(at, min(at + size, len(train))) for at in range(0, len(train), size))
    return fit_scaling((train.raw(at) for at in places), extractor.scaling)
