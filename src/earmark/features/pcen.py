"""The input of the TVSM speech and music detector: mel energies after per-channel energy normalisation.

References
----------
.. [1] Y.-N. Hung, C.-W. Wu, I. Orife, A. Hipple, W. Wolcott, A. Lerch, "A large TV dataset for speech and
       music activity detection", EURASIP J. Audio, Speech, Music Processing 2022; program TVSM-dataset.
.. [2] Y. Wang, P. Getreuer, T. Hughes, R. F. Lyon, R. A. Saurous, "Trainable frontend for robust and
       far-field keyword spotting", ICASSP 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from earmark.features.extractor import Extractor
from earmark.features.mel import FloatArray, apply_filters, mel_filters
from earmark.features.patches import Patches
from earmark.features.stft import magnitudes

SMOOTHING, GAIN, BIAS, EXPONENT, FLOOR = 0.025, 0.98, 2.0, 0.5, 1e-6


@dataclass(frozen=True, kw_only=True)
class PcenMel(Extractor):
    """128 mel bands of 64 ms windows every 32 ms at 16 kHz, each divided by a smoothed version.

    Bands are HTK's, of unit height, from 0 to 8 kHz, of the power, as torchaudio makes them; the signal is
    mirrored at its ends.  The smoothing is meant to run along time.  In the program it runs along the
    *bands*, from the lowest up, each frame by itself, because the array it is given has them there; the
    published weights were trained on that, so it is done here.

    Patches are chunks of 20 s (625 frames).  The last, shorter one is no patch; the program feeds it to the
    network as it is: ``features[:, 625 * len(patches) :]``.
    """

    edges: ClassVar[str] = "reflect"
    sample_rate: int = 16_000
    win_length: int = 1024
    hop_length: int = 512
    n_fft: int = 1024
    patch_length: int = 625

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return 128

    def _compute(self, samples: FloatArray) -> FloatArray:
        rate = self.sample_rate
        filters = mel_filters(rate, self.n_fft, self.n_bands, 0.0, rate / 2, htk=True, unit_area=False)
        across = np.ascontiguousarray(filters.T)
        features = np.empty((self.n_bands, self.framing.n_frames(len(samples))), np.float32)
        at = 0
        for magnitude in magnitudes(samples, self.framing):
            features[:, at : at + len(magnitude)] = normalise_energies(apply_filters(magnitude**2, across).T)
            at += len(magnitude)
        return features

    def cut(self, features: FloatArray) -> Patches:
        """Cut features into chunks of 20 s; a shorter recording gives none."""
        self.check_features(features)
        return self.patches_at(features, np.arange(0, features.shape[1] - self.patch_length + 1, self.step))


def normalise_energies(energies: FloatArray) -> FloatArray:
    """Divide energies by their own smoothed course along the first axis, and compress them.

    ``(E / (1e-6 + M) ** 0.98 + 2) ** 0.5 - 2 ** 0.5`` with ``M[0] = E[0]`` and
    ``M[i] = 0.975 M[i - 1] + 0.025 E[i]``.

    Parameters
    ----------
    energies : float32, shape=(n, m)

    Returns
    -------
    float32, shape=(n, m)
    """
    smooth = np.empty_like(energies)
    smooth[0] = energies[0]
    for i in range(1, len(energies)):
        smooth[i] = np.float32(1 - SMOOTHING) * smooth[i - 1] + np.float32(SMOOTHING) * energies[i]
    smooth += np.float32(FLOOR)
    smooth **= np.float32(GAIN)
    return np.asarray(
        (energies / smooth + np.float32(BIAS)) ** np.float32(EXPONENT) - np.float32(BIAS**EXPONENT)
    )
