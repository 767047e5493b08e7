"""Harmonic-percussive separation of spectrograms by median filtering.

What a tone leaves in a spectrogram is a horizontal line, what a blow leaves is a vertical one: a median
along time keeps the first, a median along frequency the second.  Soft masks share each cell between
the two.  Results agree with librosa.decompose.hpss to rounding.

References
----------
.. [1] D. FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010.
.. [2] J. Driedger, M. Müller, S. Disch, "Extending harmonic-percussive separation of audio", ISMIR 2014
       (margins).
.. [3] M. Bhattacharjee, S. R. M. Prasanna, P. Guha, "Clean vs. overlapped speech-music detection using
       harmonic-percussive features and multi-task learning", section II-A: 21 frames, 11 bins, power 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError, ConfigError
from earmark.features.median import check_length, sliding_median
from earmark.features.mel import FloatArray

# Cells separated, and masked, at a time; the work arrays stay in the processor's cache.
_BLOCK = 2**16
_MASKED = 2**14
_TINY = np.finfo(np.float32).tiny


@dataclass
class HpssStream:
    """Separate a spectrogram that arrives in blocks of frames.

    The result is the same, bit for bit, however the spectrogram is cut, and memory does not grow.

    Parameters
    ----------
    l_harm : int
        Median length along time, in frames; odd, from 3 up.
    l_perc : int
        Median length along frequency, in bins; odd, from 3 up.
    power : float
        Exponent of the medians in the masks; above 0.
    margin : (float, float)
        How many times the other median a cell's own one must be to count, for the harmonic and for the
        percussive part; at least 1.  Above 1, what belongs to neither part is in neither.

    Raises
    ------
    ConfigError
        If a value is outside its range.
    """

    l_harm: int = 21
    l_perc: int = 11
    power: float = 2.0
    margin: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        check_length(self.l_harm, "l_harm")
        check_length(self.l_perc, "l_perc")
        if not 0 < self.power < np.inf:
            raise ConfigError(f"power {self.power}: it must be above 0 and finite; usual are 1 and 2")
        self.margin = (self.margin[0], self.margin[1])
        if min(self.margin) < 1:
            raise ConfigError(f"margin {self.margin}: it must be two numbers of at least 1, e.g. (1, 1)")
        # Frames not yet separated, after as many that were as the median along time reaches back.
        self._pending: FloatArray | None = None
        self._past = 0

    def push(self, frames: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Take more frames, float32, shape=(n, F); return both parts of those that are ready, (m, F)."""
        if self._pending is None:
            self._pending = np.empty((0, frames.shape[1]), np.float32)
        self._pending = np.concatenate([self._pending, frames])
        reach = self.l_harm // 2
        ready = len(self._pending) - self._past - reach
        # Whole blocks only; the first also needs enough frames to mirror at the start.
        enough = max(reach, _BLOCK // max(1, frames.shape[1]))
        return self._separate(ready if ready >= enough else 0)

    def flush(self) -> tuple[FloatArray, FloatArray]:
        """Return both parts of the remaining frames, (m, F); the spectrogram is mirrored at its end."""
        if self._pending is None:
            return np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)
        held = len(self._pending)
        remaining = held - self._past
        if remaining:
            self._pending = self._pending[_mirrored(0, held + self.l_harm // 2, held)]
        parts = self._separate(remaining)
        self._pending, self._past = None, 0
        return parts

    def _separate(self, n_frames: int) -> tuple[FloatArray, FloatArray]:
        """Separate the next frames, behind which as many follow as the median along time reaches."""
        pending, reach = self._pending, self.l_harm // 2
        assert pending is not None
        harmonic = np.empty((n_frames, pending.shape[1]), np.float32)
        percussive = np.empty_like(harmonic)
        if not n_frames or not pending.shape[1]:
            return harmonic, percussive
        if self._past < reach:
            pending = pending[_mirrored(-reach, len(pending), len(pending))]
        per_block = max(16, _BLOCK // pending.shape[1])
        for at in range(0, n_frames, per_block):
            block = slice(at, min(at + per_block, n_frames))
            around = pending[at : block.stop + 2 * reach]
            self._separate_block(around, harmonic[block], percussive[block])
        self._pending, self._past = pending[n_frames:], reach
        return harmonic, percussive

    def _separate_block(self, around: FloatArray, harmonic: FloatArray, percussive: FloatArray) -> None:
        reach, n_bins = self.l_perc // 2, around.shape[1]
        frames = around[self.l_harm // 2 :][: len(harmonic)]
        columns = frames.T[_mirrored(-reach, n_bins + reach, n_bins)]
        along_time = sliding_median(around, self.l_harm)
        along_frequency = sliding_median(columns, self.l_perc).T
        per_part = max(1, _MASKED // n_bins)
        for at in range(0, len(frames), per_part):
            part = slice(at, at + per_part)
            masks = self._masks(along_time[part], np.ascontiguousarray(along_frequency[part]))
            for mask, out in zip(masks, (harmonic, percussive), strict=True):
                np.multiply(frames[part], mask, out=out[part])

    def _masks(self, along_time: FloatArray, along_frequency: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.margin == (1, 1):
            return _soft_masks(along_time, along_frequency, self.power, 0.5)
        times, frequencies = (np.float32(margin) for margin in self.margin)
        return (
            _soft_masks(along_time, along_frequency * times, self.power, 0.0)[0],
            _soft_masks(along_frequency, along_time * frequencies, self.power, 0.0)[0],
        )


def harmonic_percussive(
    magnitude: npt.ArrayLike,
    *,
    l_harm: int = 21,
    l_perc: int = 11,
    power: float = 2.0,
    margin: tuple[float, float] = (1.0, 1.0),
) -> tuple[FloatArray, FloatArray]:
    """Split a spectrogram into its harmonic and its percussive part.

    Parameters
    ----------
    magnitude : array, shape=(F, T)
        Magnitudes, linear (not dB), finite.
    l_harm, l_perc, power, margin
        As `HpssStream` has them.

    Returns
    -------
    harmonic, percussive : float32, shape=(F, T)
        Their sum is `magnitude` up to rounding, unless a margin is above 1.

    Raises
    ------
    AudioError
        If the spectrogram has not two dimensions.
    ConfigError
        If an option is outside its range.
    """
    values = np.asarray(magnitude, dtype=np.float32)
    if values.ndim != 2:
        raise AudioError(
            f"got a spectrogram of shape {values.shape}; give magnitudes, shape (n_bins, n_frames)"
        )
    stream = HpssStream(l_harm, l_perc, power, margin)
    harmonic, percussive = np.empty_like(values), np.empty_like(values)
    done = 0
    for parts in _separated(values, stream):
        ready = slice(done, done + len(parts[0]))
        harmonic[:, ready], percussive[:, ready] = (part.T for part in parts)
        done = ready.stop
    return harmonic, percussive


def _separated(values: FloatArray, stream: HpssStream) -> Iterator[tuple[FloatArray, FloatArray]]:
    n_bins, n_frames = values.shape
    step = max(1, _BLOCK // max(1, n_bins))
    for start in range(0, max(1, n_frames), step):
        yield stream.push(values[:, start : start + step].T)
    yield stream.flush()


def _soft_masks(a: FloatArray, b: FloatArray, power: float, silent: float) -> tuple[FloatArray, FloatArray]:
    """Return the shares of a^power and b^power in their sum; `silent` where neither is a normal number."""
    scale = np.maximum(a, b)
    nothing = scale < _TINY
    any_nothing = bool(nothing.any())
    if any_nothing:
        scale[nothing] = 1
    # Of the greater one, so that the powers stay in range.
    a, b = np.divide(a, scale), np.divide(b, scale)
    for share in (a, b):
        if power == 2:
            np.multiply(share, share, out=share)
        elif power != 1:
            np.power(share, np.float32(power), out=share)
    total = np.add(a, b, out=scale)
    if any_nothing:
        total[nothing] = 1
    a /= total
    b /= total
    if any_nothing:
        a[nothing] = b[nothing] = silent
    return a, b


def _mirrored(start: int, stop: int, length: int) -> npt.NDArray[np.intp]:
    """Return where rows `start` to `stop` come from if those at the ends are repeated in reverse order."""
    index = np.arange(start, stop) % (2 * length)
    return np.minimum(index, 2 * length - 1 - index)
