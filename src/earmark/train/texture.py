"""What a recording sounds like as a whole: how its cepstra vary together, its rhythms, tones and beats.

592 values of a file, from 128 mel bands in dB:

===  ===============================================================================================
230  the means of 20 cepstra and the logarithm of their covariance matrix
210  the logarithm of the covariance matrix of their differences from frame to frame
120  how strongly 20 parts of the spectrum swing, slowly to fast: 0.5 to 20 Hz in six steps, logarithms
 32  dB of the harmonic above the percussive part of the spectrum
===  ===============================================================================================

The logarithm of a matrix makes of covariances what may be added and measured like other values.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from earmark.features.hpss import harmonic_percussive
from earmark.features.mfcc import cepstrum
from earmark.head import FloatArray

_N_CEPSTRA = 20
_LEAST_VARIANCE = 1e-3
# Frames a second of the bands, and of the transform over their frames.
_FRAME_RATE, _N_FFT = 22_050 / 512, 256
_SWINGS_HZ = (0.5, 1.5, 3.0, 5.0, 8.0, 12.0, 20.0)
_PARTS, _BANDS_OF_PART = 20, 6
_LEAST_SWING = 1e-3
_HARMONIC, _PERCUSSIVE, _BANDS_OF_RATIO = 21, 11, 4
# Where there is neither part.
_LEAST_POWER = 1e-9


def texture(log_mel: FloatArray) -> FloatArray:
    """Describe a file.

    Parameters
    ----------
    log_mel : float32, shape=(128, T)
        dB, about 43 frames a second, at least one.

    Returns
    -------
    float32, shape=(592,)
    """
    cepstra = cepstrum(log_mel, _N_CEPSTRA).astype(np.float64)
    return np.concatenate(
        [
            cepstra.mean(axis=1),
            _covariance(cepstra),
            _covariance(np.diff(cepstra, axis=1)),
            _swings(log_mel),
            _tones(log_mel),
        ]
    ).astype(np.float32)


def _covariance(values: np.ndarray) -> np.ndarray:
    """Return the upper triangle of the logarithm of a covariance matrix; what lies beside it counts twice."""
    n = len(values)
    whole = np.cov(values) if values.shape[1] > 1 else np.zeros((n, n))
    variances, axes = np.linalg.eigh(whole)
    logarithm = (axes * np.log(np.maximum(variances, _LEAST_VARIANCE))) @ axes.T
    row, column = np.triu_indices(n)
    return np.asarray(logarithm[row, column] * np.where(row == column, 1, np.sqrt(2)))


def _swings(log_mel: FloatArray) -> np.ndarray:
    parts = log_mel[: _PARTS * _BANDS_OF_PART].reshape(_PARTS, _BANDS_OF_PART, -1).mean(axis=1)
    parts = parts - parts.mean(axis=1, keepdims=True)
    n_frames = parts.shape[1]
    # Longer files in pieces as long as the transform, whose strengths are averaged.
    starts = range(0, max(1, n_frames - _N_FFT // 2), _N_FFT)
    pieces = [parts[:, at : at + _N_FFT] for at in starts]
    strengths = np.mean(
        [np.abs(np.fft.rfft(p * np.hanning(p.shape[1]), _N_FFT, axis=1)) / p.shape[1] for p in pieces], axis=0
    )
    hz = np.fft.rfftfreq(_N_FFT, 1 / _FRAME_RATE)
    steps = pairwise(_SWINGS_HZ)
    bands = [strengths[:, (hz >= low) & (hz < high)].mean(axis=1) for low, high in steps]
    return np.log(_LEAST_SWING + np.stack(bands)).ravel()


def _tones(log_mel: FloatArray) -> np.ndarray:
    parts = harmonic_percussive(10 ** (log_mel / 20), l_harm=_HARMONIC, l_perc=_PERCUSSIVE)
    harmonic, percussive = (10 * np.log10((p**2).mean(axis=1) + _LEAST_POWER) for p in parts)
    return np.asarray((harmonic - percussive).reshape(-1, _BANDS_OF_RATIO).mean(axis=1))
