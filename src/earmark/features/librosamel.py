"""The inputs of networks whose authors take librosa's mel bands in dB as they come.

References
----------
.. [1] A. Kumar, M. Khadkevich, C. Fügen, "Knowledge transfer from weakly labeled audio using convolutional
       neural network for sound events and scenes", ICASSP 2018; program weak_feature_extractor.
.. [2] C. Liu, L. Feng, G. Liu, H. Wang, S. Liu, "Bottom-up broadcast neural network for music genre
       classification", Multimedia Tools and Applications 80, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from earmark.features.decibels import to_decibels
from earmark.features.extractor import Extractor
from earmark.features.mel import FloatArray


@dataclass(frozen=True, kw_only=True)
class LibrosaMel(Extractor):
    """128 mel bands in dB, as librosa computes them; by default Kumar's, 23 ms every 11.6 ms at 44.1 kHz.

    Slaney's bands from 0 to half the sample rate, of the power; the signal is mirrored at its ends, and
    values 80 dB below the greatest of the whole signal are raised to that.  Kumar's patches of 128 frames
    overlap by half.
    """

    edges: ClassVar[str] = "reflect"
    sample_rate: int = 44_100
    win_length: int = 1024
    hop_length: int = 512
    n_fft: int = 1024
    patch_length: int = 128
    patch_hop: int | None = 64

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return 128

    def _compute(self, samples: FloatArray) -> FloatArray:
        return to_decibels(self._mel_energies(samples, self.n_bands))
