"""Skewness of patches along time and along frequency: how unevenly each row and each column is filled.

A tone that lasts fills its row evenly and its column unevenly, a blow the other way round.

References
----------
.. [1] M. Bhattacharjee, S. R. M. Prasanna, P. Guha, "Clean vs. overlapped speech-music detection using
       harmonic-percussive features and multi-task learning", section II-B and Fig. 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def skewness(values: npt.ArrayLike, axis: int) -> npt.NDArray[np.float64]:
    """Return the third central moment over the variance to the power of 1.5; 0 where nothing varies.

    Agrees with scipy.stats.skew but for what does not vary, which is not a number there.
    """
    x = np.asarray(values, np.float64)
    x = x - x.mean(axis=axis, keepdims=True)
    squares = x * x
    variance = squares.mean(axis=axis)
    third = (squares * x).mean(axis=axis)
    varies = variance > np.finfo(np.float32).tiny
    return np.divide(third, variance**1.5, out=np.zeros_like(third), where=varies)


def skewness_vectors(patches: FloatArray, *, separated: bool) -> FloatArray:
    """Return the skewness of the rows, then that of the columns of each patch.

    Parameters
    ----------
    patches : float32, shape=(B, F, L)
    separated : bool
        The upper half of the bands is the harmonic part, of which rows are taken, the lower half the
        percussive one, of which columns are; otherwise both are taken of all bands.

    Returns
    -------
    float32, shape=(B, F + L), or (B, F / 2 + L) if separated
    """
    harmonic, percussive = np.split(patches, 2, axis=1) if separated else (patches, patches)
    return np.concatenate([skewness(harmonic, 2), skewness(percussive, 1)], axis=1).astype(np.float32)
