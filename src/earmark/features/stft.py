"""Windows of a signal and their magnitude spectra, in blocks, for the three ways of placing windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError
from earmark.features.mel import FloatArray

EDGES = ("inside", "windows", "reflect")
# Samples of the windows of one block; the work arrays stay in the processor's cache.
_BLOCK = 2**17


@dataclass(frozen=True)
class Framing:
    """Where windows lie, and how they are transformed.

    The window is centred in its transform of `n_fft` samples, of which the first starts::

        "inside"    at sample 0; the last ends inside the signal       (librosa with center=False)
        "windows"   where the window starts at 0; the last *window* ends inside the signal
        "reflect"   half a transform before sample 0; frame i is centred on i * hop_length, and the
                    signal is mirrored at its ends            (torch, and librosa before version 0.10)

    Parameters
    ----------
    win_length, hop_length, n_fft : int
        Samples; windows of at most `n_fft`, hops of any length.
    edges : str
        One of `EDGES`.
    """

    win_length: int
    hop_length: int
    n_fft: int
    edges: str = "inside"

    def __post_init__(self) -> None:
        if not 0 < self.win_length <= self.n_fft or self.hop_length < 1:
            raise ConfigError(
                f"window {self.win_length}, hop {self.hop_length}, n_fft {self.n_fft}: they must satisfy "
                "0 < win_length <= n_fft and hop_length >= 1"
            )
        if self.edges not in EDGES:
            raise ConfigError(f"edges '{self.edges}': choose one of {', '.join(EDGES)}")

    @property
    def first(self) -> int:
        """First sample of the first window."""
        if self.edges == "windows":
            return 0
        return (self.n_fft - self.win_length) // 2 - (self.n_fft // 2 if self.edges == "reflect" else 0)

    def n_frames(self, n_samples: int) -> int:
        """Windows of a signal."""
        if self.edges == "reflect":
            return 1 + n_samples // self.hop_length if n_samples else 0
        needed = self.n_fft if self.edges == "inside" else self.win_length
        return max(0, (n_samples - needed) // self.hop_length + 1)


def hann(length: int) -> npt.NDArray[np.float64]:
    """Return the periodic Hann window."""
    return np.asarray(np.hanning(length + 1)[:-1])


def windows(samples: FloatArray, framing: Framing) -> Iterator[FloatArray]:
    """Yield a signal's windows in blocks, float32, shape=(n, win_length), not to be written to."""
    n_frames = framing.n_frames(len(samples))
    per_block = max(1, _BLOCK // framing.n_fft)
    for at in range(0, n_frames, per_block):
        count = min(per_block, n_frames - at)
        start = framing.first + at * framing.hop_length
        stop = start + (count - 1) * framing.hop_length + framing.win_length
        inside = start >= 0 and stop <= len(samples)
        piece = samples[start:stop] if inside else samples[_mirrored(start, stop, len(samples))]
        yield np.lib.stride_tricks.sliding_window_view(piece, framing.win_length)[:: framing.hop_length]


def magnitudes(samples: FloatArray, framing: Framing) -> Iterator[FloatArray]:
    """Yield the magnitude spectra of periodic Hann windows in blocks, float32, shape=(n, n_fft // 2 + 1)."""
    window = hann(framing.win_length)
    for block in windows(samples, framing):
        # Zeros after the window, not around it: this turns phases only.
        spectrum = np.fft.rfft(block * window, framing.n_fft, axis=1)
        yield np.sqrt(spectrum.real**2 + spectrum.imag**2).astype(np.float32)


def _mirrored(start: int, stop: int, length: int) -> npt.NDArray[np.intp]:
    """Return where samples `start` to `stop` come from if the signal is mirrored about its end samples."""
    period = max(1, 2 * (length - 1))
    index = np.arange(start, stop) % period
    return np.minimum(index, period - index)
