"""Bringing features to a common range: over one recording, or by what was measured on training patches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError
from earmark.features.mel import FloatArray

SCALINGS = {
    "none": "nothing is left to do: the features are scaled by recording or by patch, or not at all",
    "band": "mean 0 and standard deviation 1 for each band of the training patches",
    "band-range": "mean 0, then a greatest absolute value of 1, for each band of the training patches",
    "cell": "mean 0 and standard deviation 1 for each band and place in the patch, over the training patches",
    "batch": "as 'band', but over the patches of each batch, in use as in training",
}


def standardise_bands(features: FloatArray) -> FloatArray:
    """Give each band of a recording mean 0 and standard deviation 1, in place; one that is constant is 0.

    Parameters
    ----------
    features : float32, shape=(F, T)

    Returns
    -------
    float32, shape=(F, T)
        The array that was given.
    """
    for band in features if features.shape[1] else ():
        spread = np.float32(band.std(dtype=np.float64))
        if band.min() == band.max() or spread < np.finfo(np.float32).tiny:
            band[:] = 0
            continue
        band -= np.float32(band.mean(dtype=np.float64))
        band /= spread
    return features


@dataclass(frozen=True)
class Scaling:
    """A shift and a divisor for each band, or for each cell of a patch.

    Parameters
    ----------
    shift, divisor : float32, shape=(F, 1) or (F, L)
        Divisors are above 0.
    """

    shift: FloatArray
    divisor: FloatArray

    def __call__(self, patches: npt.ArrayLike) -> FloatArray:
        """Scale patches, shape=(B, F, L)."""
        return np.asarray((np.asarray(patches, np.float32) - self.shift) / self.divisor)


def fit_scaling(parts: Iterable[npt.ArrayLike], kind: str) -> Scaling:
    """Measure training patches.

    Parameters
    ----------
    parts : iterable of float32, shape=(B, F, L)
        The patches, in as many parts as is convenient.
    kind : str
        One of `SCALINGS`, save "none".  For "batch", give one batch.

    Returns
    -------
    Scaling
        What does not vary is only shifted.

    Raises
    ------
    ConfigError
        For another kind, or if there are no patches.
    """
    if kind not in SCALINGS or kind == "none":
        known = ", ".join(name for name in SCALINGS if name != "none")
        raise ConfigError(f"scaling '{kind}' cannot be fitted; choose one of {known}")
    axes = (0,) if kind == "cell" else (0, 2)
    count = 0
    origin = total = squares = lowest = highest = np.zeros(0)
    for part in parts:
        values = np.asarray(part, np.float64)
        if not values.size:
            continue
        if not count:
            # Sums of differences from values that occur: squares lose no digits to a large mean.
            origin = values.mean(axis=axes, keepdims=True)
            total, squares = np.zeros_like(origin), np.zeros_like(origin)
            lowest, highest = np.full_like(origin, np.inf), np.full_like(origin, -np.inf)
        values = values - origin
        count += int(np.prod([values.shape[axis] for axis in axes]))
        total += values.sum(axis=axes, keepdims=True)
        squares += np.square(values).sum(axis=axes, keepdims=True)
        lowest = np.minimum(lowest, values.min(axis=axes, keepdims=True))
        highest = np.maximum(highest, values.max(axis=axes, keepdims=True))
    if not count:
        raise ConfigError("no patches to fit a scaling on; give at least one")
    mean = total / count
    if kind == "band-range":
        divisor = np.maximum(highest - mean, mean - lowest)
    else:
        divisor = np.sqrt(np.maximum(0, squares / count - mean**2))
    divisor = np.where(highest > lowest, divisor, 1)
    return Scaling((origin + mean)[0].astype(np.float32), divisor[0].astype(np.float32))
