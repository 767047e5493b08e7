"""The input of Bhatia and Thakur's all-convolutional net: a mel spectrogram computed inside the network.

References
----------
.. [1] R. Bhatia, A. Thakur, "All-conv net for frame level music and speech segmentation".
.. [2] K. Choi, D. Joo, J. Kim, "Kapre: on-GPU audio preprocessing layers", ICML workshop 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from earmark.errors import ConfigError
from earmark.features.decibels import RANGE_DB, to_decibels
from earmark.features.extractor import Extractor
from earmark.features.mel import FloatArray

# Hz; far below it the lowest of 40 bands are narrower than what windows of 23 ms tell apart.
_LOWEST_RATE = 8000


@dataclass(frozen=True, kw_only=True)
class GraphMel(Extractor):
    """40 mel bands in dB of 200 ms chunks, five frames each; the paper's have 44.1 kHz.

    Windows of 1024 samples start every 1764 (40 ms), so that 42 % of the signal is in none; at another
    `sample_rate` they last as long.  dB are ten times the logarithm of the *amplitude*, the root of the
    energy of Slaney's bands from 0 to half the rate: half of what is usual, so that the range of 80 dB is
    160 dB of power.  The loudest value of each chunk is 0 dB.  A signal's last, incomplete chunk is left out;
    one that is all there is, is filled with zeros.

    The paper has 10 frames of 40 x 1; its program makes 5 frames of 40 bands, and this does.  Bands are
    then standardised: in "paper" over the patches of the batch that happen to come together, in use as in
    training; in "corrected" over the training patches.
    """

    options: ClassVar[tuple[str, ...]] = ("sample_rate", "n_mels")
    sample_rate: int = 44_100
    # These follow from the rate.
    win_length: int = 1024
    hop_length: int = 1764
    n_fft: int = 1024
    patch_length: int = 5
    n_mels: int = 40

    def __post_init__(self) -> None:
        if self.sample_rate < _LOWEST_RATE:
            raise ConfigError(
                f"sample_rate {self.sample_rate} of '{self.name}': it must be at least {_LOWEST_RATE}"
            )
        for name, at_44100 in (("win_length", 1024), ("hop_length", 1764), ("n_fft", 1024)):
            object.__setattr__(self, name, round(at_44100 * self.sample_rate / 44_100))
        super().__post_init__()

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_mels

    @property
    def scaling(self) -> str:
        """What is left to be measured on training patches."""
        return "batch" if self.variant == "paper" else "band"

    @property
    def chunk(self) -> int:
        """Samples of a chunk."""
        return self.patch_length * self.hop_length

    def n_frames(self, n_samples: int) -> int:
        """Columns of the features: five a chunk."""
        return max(min(n_samples, 1), n_samples // self.chunk) * self.patch_length

    def _compute(self, samples: FloatArray) -> FloatArray:
        if len(samples) == 0:
            return np.empty((self.n_mels, 0), np.float32)
        missing = max(0, self.chunk - len(samples))
        whole = np.pad(samples, (0, missing))[: max(1, len(samples) // self.chunk) * self.chunk]
        energies = self._mel_energies(whole, self.n_mels)
        levels = to_decibels(np.sqrt(energies, out=energies), None)
        chunks = levels.reshape(self.n_mels, -1, self.patch_length)
        chunks -= chunks.max(axis=(0, 2), keepdims=True)
        np.maximum(chunks, -RANGE_DB, out=chunks)
        return levels
