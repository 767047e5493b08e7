"""Mel scales, triangular filters, and their product with spectra.

Two scales are in use: Slaney's (librosa's default) is linear to 1 kHz and logarithmic above, the one of
HTK is 2595 log10(1 + f / 700).  Filters have unit area (Slaney) or unit height (torchaudio's default).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Frames multiplied at a time: for more, BLAS wakes threads, which burn far more time than they save.
_FRAMES_PER_PRODUCT = 8


def mel_to_hz(mels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn Slaney mels into Hz: linear to 1 kHz (15 mel), then 27 steps to a factor of 6.4."""
    m = np.asarray(mels, dtype=np.float64)
    return np.where(m < 15, m * 200 / 3, 1000.0 * np.exp((np.maximum(m, 15) - 15) * np.log(6.4) / 27))


def hz_to_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn Hz into Slaney mels."""
    f = np.asarray(hz, dtype=np.float64)
    return np.where(f < 1000, f * 3 / 200, 15 + np.log(np.maximum(f, 1000) / 1000) * 27 / np.log(6.4))


def htk_mel_to_hz(mels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn HTK mels into Hz."""
    return np.asarray(700 * (10 ** (np.asarray(mels, dtype=np.float64) / 2595) - 1))


def hz_to_htk_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn Hz into HTK mels."""
    return np.asarray(2595 * np.log10(1 + np.asarray(hz, dtype=np.float64) / 700))


def mel_edges(n_mels: int, fmin: float, fmax: float, *, htk: bool = False) -> npt.NDArray[np.float64]:
    """Return the edges of overlapping filters, Hz, shape=(n_mels + 2,): filter m spans edges m to m + 2."""
    if htk:
        return htk_mel_to_hz(np.linspace(hz_to_htk_mel(fmin), hz_to_htk_mel(fmax), n_mels + 2))
    return mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), n_mels + 2))


@lru_cache(maxsize=32)
def mel_filters(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float,
    *,
    htk: bool = False,
    unit_area: bool = True,
) -> FloatArray:
    """Return triangular filters, float32, shape=(n_mels, n_fft // 2 + 1), not to be written to.

    Parameters
    ----------
    sample_rate, n_fft, n_mels : int
        Hz, samples, bands.
    fmin, fmax : float
        Lowest and highest edge, Hz.
    htk : bool
        HTK's scale in place of Slaney's.
    unit_area : bool
        Area 1 (in Hz) per filter; otherwise height 1.
    """
    edges = mel_edges(n_mels, fmin, fmax, htk=htk)
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    if unit_area:
        filters = filters * (2 / (edges[2:] - edges[:-2]))[:, None]
    result = filters.astype(np.float32)
    result.setflags(write=False)
    return result


def apply_filters(spectra: FloatArray, filters: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Weigh spectra, (n_frames, n_bins), with filters, (n_bins, n_bands), into (n_frames, n_bands).

    The work stays in the calling thread, however many threads BLAS has.
    """
    if out is None:
        out = np.empty((len(spectra), filters.shape[1]), np.float32)
    whole = len(spectra) - len(spectra) % _FRAMES_PER_PRODUCT
    shape = (-1, _FRAMES_PER_PRODUCT)
    groups = spectra[:whole].reshape(*shape, spectra.shape[1])
    np.matmul(groups, filters, out=out[:whole].reshape(*shape, out.shape[1]))
    np.matmul(spectra[whole:], filters, out=out[whole:])
    return out
