"""Patches: the pieces of one recording's features that a network sees, cut when they are asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from earmark.features.mel import FloatArray

IntArray = npt.NDArray[np.intp]


class Patches:
    """Equally long pieces of features, indexed like an array, shape=(B, F, L).

    ``patches[3:5]``, ``patches[order]`` and ``patches[[7]]`` are float32 arrays of shape (n, F, L), new
    each time; ``np.asarray(patches)`` is all of them.  What overlaps is stored once.

    Parameters
    ----------
    features : float32 or float16, shape=(F, T)
        Bands by frames; they may lie on the disk.
    starts : int, shape=(B,)
        First frame of each patch.
    length : int
        Frames of a patch, L.
    standardise : bool
        Give each patch mean 0 and standard deviation 1 over all its values.

    Attributes
    ----------
    starts : int, shape=(B,)
    finite : bool, shape=(B,)
        Whether a patch has values to go by.  One with infinite values, or with a standard deviation of 0
        where that divides, has none: it is all zeros.
    """

    def __init__(
        self, features: FloatArray, starts: IntArray, length: int, *, standardise: bool = False
    ) -> None:
        self.starts = starts
        self.shape = (len(starts), len(features), length)
        self._standardise = standardise
        self._windows = np.lib.stride_tricks.sliding_window_view(features, length, axis=1)
        lowest, highest = features.min(axis=0), features.max(axis=0)
        sound = self._all(np.isfinite(lowest) & np.isfinite(highest), length)
        if standardise:
            floor = np.lib.stride_tricks.sliding_window_view(lowest, length).min(axis=1)
            top = np.lib.stride_tricks.sliding_window_view(highest, length).max(axis=1)
            sound &= floor < top
        self.finite = sound[starts]

    @staticmethod
    def _all(frames: npt.NDArray[np.bool_], length: int) -> npt.NDArray[np.bool_]:
        return np.asarray(np.lib.stride_tricks.sliding_window_view(frames, length).all(axis=1))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, which: slice | list[int] | IntArray) -> FloatArray:
        starts, finite = self.starts[which], self.finite[which]
        values = np.ascontiguousarray(self._windows[:, starts].transpose(1, 0, 2), np.float32)
        values[~finite] = 0
        if self._standardise:
            values -= values.mean(axis=(1, 2), dtype=np.float64, keepdims=True).astype(np.float32)
            spread = values.std(axis=(1, 2), dtype=np.float64, keepdims=True).astype(np.float32)
            spread[~finite] = 1
            values /= spread
        return values

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.floating]:
        return self[:].astype(dtype or np.float32, copy=False)


def repeated(features: FloatArray, at_least: int) -> FloatArray:
    """Repeat features along time, whole, until they have `at_least` frames; none stay none."""
    n_frames = features.shape[1]
    if n_frames == 0 or n_frames >= at_least:
        return features
    return np.tile(features, -(-at_least // n_frames))
