"""Powers to decibels as librosa has it: a floor of 1e-10, and a range below the loudest value."""

from __future__ import annotations

import numpy as np

from earmark.features.mel import FloatArray

FLOOR = 1e-10
RANGE_DB = 80.0


def to_decibels(power: FloatArray, range_db: float | None = RANGE_DB) -> FloatArray:
    """Turn powers into dB in place, and return them.

    Parameters
    ----------
    power : float32, any shape
        Powers, at least 0; what is below 1e-10 counts as 1e-10 (-100 dB).
    range_db : float, optional
        Values this far below the greatest of the whole array are raised to that level; None for no limit.

    Returns
    -------
    float32
        The array that was given.
    """
    np.maximum(power, FLOOR, out=power)
    np.log10(power, out=power)
    power *= 10
    if range_db is not None and power.size:
        np.maximum(power, power.max() - range_db, out=power)
    return power
