"""Mel-frequency cepstral coefficients, for SwishNet and for Kehling and Cano's version of it.

References
----------
.. [1] M. S. Hussain, M. A. Haque, "SwishNet: a fast convolutional neural network for speech, music and
       noise classification and segmentation", arXiv:1812.00149.
.. [2] C. Kehling, E. Cano, "Knowledge transfer from neural networks for speech music classification",
       section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from earmark.errors import ConfigError
from earmark.features.decibels import to_decibels
from earmark.features.extractor import Extractor, peak_normalised
from earmark.features.mel import FloatArray, apply_filters

# Frames transformed at a time.
_BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class _Mfcc(Extractor):
    """The first coefficients, the 0th included, of the log-mel spectrum in dB with a range of 80 dB.

    Parameters
    ----------
    n_mfcc : int
        Coefficients; at most `n_mels`.
    n_mels : int
        Slaney's bands of the power, from 0 to half the sample rate.
    """

    options: ClassVar[tuple[str, ...]] = (*Extractor.options, "n_mfcc", "n_mels")
    n_mfcc: int
    n_mels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_mfcc > self.n_mels:
            raise ConfigError(
                f"n_mfcc {self.n_mfcc} of '{self.name}': it must be at most n_mels ({self.n_mels})"
            )

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_mfcc

    def _compute(self, samples: FloatArray) -> FloatArray:
        return cepstrum(to_decibels(self._mel_energies(samples, self.n_mels)), self.n_mfcc)


@dataclass(frozen=True, kw_only=True)
class SwishnetMfcc(_Mfcc):
    """20 MFCC from 32 mel bands, windows of 25 ms every 10 ms at 16 kHz: 98 frames for 1 s, SwishNet's own.

    Patches are 1 s long; the paper has 0.5 and 2 s too (48 and 198 frames), with half a patch from one to
    the next.  It does not say how its coefficients are scaled; here bands are standardised on the
    training patches.  Levelling and the removal of silence, which it does first, are not part of this.
    """

    edges: ClassVar[str] = "windows"
    sample_rate: int = 16_000
    win_length: int = 400
    hop_length: int = 160
    n_fft: int = 512
    patch_length: int = 98
    patch_hop: int | None = 50
    n_mfcc: int = 20
    n_mels: int = 32

    @property
    def scaling(self) -> str:
        """What is left to be measured on training patches."""
        return "band"


@dataclass(frozen=True, kw_only=True)
class KehlingMfcc(_Mfcc):
    """22 MFCC in 16 frames for 1 s at 22.05 kHz, as Kehling and Cano feed SwishNet.

    Window, hop and bands are not published: here 93 ms every 62.5 ms, which makes 16 frames a second,
    and 128 bands, of the peak-normalised signal.  Scaled as their log-mel spectrogram is.
    """

    edges: ClassVar[str] = "reflect"
    sample_rate: int = 22_050
    win_length: int = 2048
    hop_length: int = 1378
    n_fft: int = 2048
    patch_length: int = 16
    n_mfcc: int = 22
    n_mels: int = 128

    @property
    def scaling(self) -> str:
        """What is left to be measured on training patches."""
        return "band-range"

    def _compute(self, samples: FloatArray) -> FloatArray:
        return super()._compute(peak_normalised(samples))


def cepstrum(log_mel: FloatArray, n_coefficients: int) -> FloatArray:
    """Return the first coefficients of the orthonormal cosine transform (type II) of each frame.

    Parameters
    ----------
    log_mel : float32, shape=(n_mels, T)
        dB.
    n_coefficients : int
        At most `n_mels`.

    Returns
    -------
    float32, shape=(n_coefficients, T)
    """
    n_mels, n_frames = log_mel.shape
    order, band = np.arange(n_coefficients), np.arange(n_mels)[:, None]
    cosines = np.sqrt(2 / n_mels) * np.cos(np.pi / n_mels * (band + 0.5) * order)
    cosines[:, 0] = np.sqrt(1 / n_mels)
    out = np.empty((n_coefficients, n_frames), np.float32)
    for start in range(0, n_frames, _BLOCK):
        block = np.ascontiguousarray(log_mel[:, start : start + _BLOCK].T)
        out[:, start : start + _BLOCK] = apply_filters(block, cosines.astype(np.float32)).T
    return out
