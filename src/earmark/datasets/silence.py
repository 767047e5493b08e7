"""Signals made ready to be mixed, as Bhattacharjee et al. do: levelled, and without silence.

References
----------
Bhattacharjee et al., Clean vs. Overlapped Speech-Music Detection Using Harmonic-Percussive Features and
Multi-Task Learning, and the code released with it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError

FloatArray = npt.NDArray[np.float64]

SAMPLE_RATE = 16_000
_FRAME, _HOP = 400, 160
# Share of the loudest frame's level under which a frame is silent.
_SILENT = 0.025
_MEDIAN = 5
_SHORTEST_CUT_S = 0.075
_SHORTEST_S = 0.1


def prepare(samples: npt.ArrayLike, *, keep_length: bool = False) -> FloatArray:
    """Level a recording, cut its silence out, repeat it to at least 0.1 s and level it again.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Mono, at 16 kHz.
    keep_length : bool
        See `remove_silence`.

    Returns
    -------
    float64, shape=(n_kept,)
        With mean 0 and peak 1.

    Raises
    ------
    AudioError
        If it is not mono, empty, or never changes.
    """
    kept = remove_silence(normalise(samples), keep_length=keep_length)
    while len(kept) < _SHORTEST_S * SAMPLE_RATE:
        kept = np.tile(kept, 2)
    return normalise(kept)


def normalise(samples: npt.ArrayLike) -> FloatArray:
    """Return a signal less its mean, scaled to a peak of 1, float64, shape=(n_samples,).

    Raises
    ------
    AudioError
        If it is not mono, empty, or never changes.
    """
    signal = _mono(samples)
    signal = signal - signal.mean()
    peak = np.abs(signal).max()
    # What is left of a constant after its mean is rounding.
    if peak < 1e-12:
        raise AudioError("the signal never changes, so that it has no level; take the recording out")
    return signal / peak


def remove_silence(samples: npt.ArrayLike, *, keep_length: bool = False) -> FloatArray:
    """Cut silence out of a recording.

    A frame (400 samples every 160, centred, the signal mirrored at its ends) is silent if its RMS is below
    0.025 of the highest; of the five frames around each, the majority decides.  A run of silent frames, from
    `i` to before `j`, is cut out if it lasts more than 75 ms: from sample ``160 * (i - 1) + 400`` to before
    ``160 * (j - 1) + 400``.  This is 15 ms later than the centres of the frames: the first 240 samples always
    stay.  Silence at the end is cut up to the last sample.

    Of one such run alone nothing is cut: it takes two.  The compiled code does so with which the published
    results were made.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Mono, at 16 kHz.
    keep_length : bool
        Whether what was cut out is made up by as many ones at the end, as that code does: it fills a
        buffer of ones and returns it whole.  The paper does not mention it.

    Returns
    -------
    float64, shape=(n_kept,)

    Raises
    ------
    AudioError
        If it is not mono, or empty.
    """
    signal = _mono(samples)
    cuts = [(k, n) for k, n in _silences(signal) if n - k > _SHORTEST_CUT_S * SAMPLE_RATE]
    if len(cuts) < 2:
        return signal
    sounds = np.ones(len(signal), dtype=bool)
    for k, n in cuts:
        sounds[k:n] = False
    kept = signal[sounds]
    return np.concatenate([kept, np.ones(len(signal) - len(kept))]) if keep_length else kept


def _silences(signal: FloatArray) -> list[tuple[int, int]]:
    """Return the first sample and the end of every silent run."""
    sounding = _sounding_frames(signal)
    n_frames = len(sounding)
    edges = np.flatnonzero(np.diff(~sounding, prepend=False, append=False)).reshape(-1, 2)
    starts = _HOP * (edges[:, 0] - 1) + _FRAME
    # A run up to the end stops at the last frame, whose place is beyond the signal.
    ends = _HOP * (np.minimum(edges[:, 1], n_frames - 1) - 1) + _FRAME
    return [(k, n) for k, n in zip(starts.tolist(), np.minimum(ends, len(signal)).tolist(), strict=True)]


def _sounding_frames(signal: FloatArray) -> npt.NDArray[np.bool_]:
    padded = np.pad(signal, _FRAME // 2, mode="reflect")
    sums = np.concatenate([[0.0], np.cumsum(padded**2)])
    first = np.arange(1 + len(signal) // _HOP) * _HOP
    # Differences of sums may fall below zero by rounding.
    level = np.sqrt(np.maximum(sums[first + _FRAME] - sums[first], 0) / _FRAME)
    loud = level >= _SILENT * level.max()
    # The median of five, beyond the ends silence.
    return np.convolve(loud, np.ones(_MEDIAN), "same") > _MEDIAN / 2


def _mono(samples: npt.ArrayLike) -> FloatArray:
    signal = np.asarray(samples, dtype=np.float64)
    if signal.ndim != 1 or not len(signal):
        raise AudioError(f"got samples of shape {signal.shape}; give one mono channel, shape (n_samples,)")
    return signal
