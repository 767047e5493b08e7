"""The input of HEO's networks for genres: logarithms of mel bands.

References
----------
.. [1] J. Heo, H. Shin, J. Kim, C. Lim, H.-J. Yu, "Convolution channel separation and frequency sub-bands
       aggregation for music genre classification", 2022, and its program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from earmark.features.extractor import Extractor
from earmark.features.mel import FloatArray, apply_filters, mel_filters
from earmark.features.stft import magnitudes

_OFFSET = 1e-6


@dataclass(frozen=True, kw_only=True)
class GenreMel(Extractor):
    """48 mel bands of 23 ms windows every 11.6 ms at 22.05 kHz: the natural logarithm of the power + 1e-6.

    HTK's bands of height 1 from 0 to half the sample rate; windows of 512 samples in transforms of 2048; the
    signal is mirrored at its ends.  Patches have 202 frames (2.3 s), as the paper says; the program has 174
    on GTZAN and 200 on Melon.  A shorter recording is repeated.
    """

    options: ClassVar[tuple[str, ...]] = (*Extractor.options, "n_mels")
    edges: ClassVar[str] = "reflect"
    repeats: ClassVar[bool] = True
    sample_rate: int = 22_050
    win_length: int = 512
    hop_length: int = 256
    n_fft: int = 2048
    patch_length: int = 202
    n_mels: int = 48

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_mels

    def _compute(self, samples: FloatArray) -> FloatArray:
        filters = mel_filters(
            self.sample_rate, self.n_fft, self.n_mels, 0.0, self.sample_rate / 2, htk=True, unit_area=False
        )
        across = np.ascontiguousarray(filters.T)
        features = np.empty((self.n_mels, self.framing.n_frames(len(samples))), np.float32)
        at = 0
        for magnitude in magnitudes(samples, self.framing):
            power = apply_filters(magnitude**2, across)
            features[:, at : at + len(power)] = np.log(power + np.float32(_OFFSET)).T
            at += len(power)
        return features
