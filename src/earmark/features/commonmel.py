"""The log-mel spectrogram that Kehling and Cano give all their networks.

References
----------
.. [1] C. Kehling, E. Cano, "Knowledge transfer from neural networks for speech music classification",
       sections 4.1 and 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from earmark.errors import ConfigError
from earmark.features.decibels import to_decibels
from earmark.features.extractor import Extractor, peak_normalised
from earmark.features.mel import FloatArray


@dataclass(frozen=True, kw_only=True)
class CommonMel(Extractor):
    """128 mel bands of 93 ms windows every 23 ms at 22.05 kHz, in dB, of the peak-normalised signal.

    Patches have 10 frames for the VGG-like network; give 16 for SwishNet and 68 for INA's.

    The paper leaves open the range of the bands (here 0 to 11,025 Hz), their form (Slaney's, of the power),
    the logarithm (10 log10, from -100 dB up), the ends of the signal (mirrored) and the hop of patches.  Its
    "zero mean in the range from -1 to 1", feature by feature, is read as a shift by the mean and a division
    by the greatest absolute value of each band in the training patches.

    Parameters
    ----------
    scaling : str
        "band-range", or "band" for the other reading: mean 0, standard deviation 1.
    """

    options: ClassVar[tuple[str, ...]] = (*Extractor.options, "n_mels", "scaling")
    edges: ClassVar[str] = "reflect"

    sample_rate: int = 22_050
    win_length: int = 2048
    hop_length: int = 512
    n_fft: int = 2048
    patch_length: int = 10
    n_mels: int = 128
    scaling: str = "band-range"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scaling not in ("band-range", "band"):
            raise ConfigError(
                f"scaling '{self.scaling}' of features '{self.name}': choose band-range or band"
            )

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_mels

    def _compute(self, samples: FloatArray) -> FloatArray:
        return to_decibels(self._mel_energies(peak_normalised(samples), self.n_mels), None)
