"""The embedded detector's front end for networks of patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from earmark.features.extractor import Extractor
from earmark.features.logmel import FrontEnd, log_mel
from earmark.features.mel import FloatArray


@dataclass(frozen=True, kw_only=True)
class DetectorMel(Extractor):
    """80 mel bands from 40 Hz to 8 kHz of 64 ms windows every 20 ms at 16 kHz, in dB of the power.

    Nothing is scaled by recording or by patch, so that the power of two sounds together is the sum of
    theirs.  Patches of 32 frames (684 ms) every 34 stand where those of Bhattacharjee et al. do (68 frames
    of 10 ms).
    """

    options: ClassVar[tuple[str, ...]] = (*Extractor.options, "n_mels")
    additive: ClassVar[bool] = True

    sample_rate: int = 16_000
    win_length: int = 1024
    hop_length: int = 320
    n_fft: int = 1024
    patch_length: int = 32
    patch_hop: int | None = 34
    n_mels: int = 80

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_mels

    @property
    def front_end(self) -> FrontEnd:
        """The constants as the detector has them."""
        return FrontEnd(self.sample_rate, self.win_length, self.hop_length, self.n_fft, self.n_mels)

    def n_frames(self, n_samples: int) -> int:
        """Columns of the features; the last window may reach over the end."""
        return self.front_end.grid.n_frames(n_samples)

    def centre(self, frame: float) -> float:
        """Return the time a frame is centred on, seconds."""
        return (frame + 0.5) * self.hop_length / self.sample_rate

    def _compute(self, samples: FloatArray) -> FloatArray:
        return log_mel(samples, self.sample_rate, self.front_end)
