"""What all parts of a singer share: rates, units and curves over frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

SAMPLE_RATE = 16_000
# A frame in seconds and in samples.
FRAME_S = 0.005
FRAME = int(SAMPLE_RATE * FRAME_S)


def midi(hz: Array) -> Array:
    """Frequencies as MIDI note numbers."""
    return np.asarray(69 + 12 * np.log2(hz / 440))


def hertz(note: Array) -> Array:
    """MIDI note numbers as frequencies."""
    return np.asarray(440 * 2 ** ((note - 69) / 12))


def rise(x: npt.NDArray[np.floating]) -> Array:
    """Smooth step from 0 at 0 to 1 at 1."""
    inside = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)
    return inside * inside * (3 - 2 * inside)


def wander(n_frames: int, seconds: float, rng: np.random.Generator) -> Array:
    """Noise of unit variance at its knots, one knot per `seconds`."""
    knots = rng.normal(size=int(n_frames * FRAME_S / seconds) + 2)
    return np.asarray(np.interp(np.arange(n_frames) * FRAME_S / seconds, np.arange(len(knots)), knots))


def hann(size: int) -> Array:
    """Hann window that sums to 1, for smoothing."""
    window = np.hanning(size + 2)[1:-1]
    return np.asarray(window / window.sum())
