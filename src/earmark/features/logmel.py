"""The detector's front end: log-mel energies in numpy, whole or in blocks with the same result.

Mel filters follow Slaney's scale with unit area, as librosa's defaults do; energies are the power
spectrum of a periodic Hann window, in dB, with a floor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError, ConfigError
from earmark.features.mel import FloatArray, apply_filters, mel_filters
from earmark.frames import FrameGrid

# Frames transformed at a time: the work arrays stay in the processor's cache.
_FRAMES_PER_BLOCK = 256


@dataclass(frozen=True)
class FrontEnd:
    """Constants of a log-mel front end; they travel in the model card.

    Parameters
    ----------
    sample_rate : int
        Hz.
    win_length, hop_length, n_fft : int
        Window, cell and transform length in samples.
    n_mels : int
        Bands.
    fmin, fmax : float
        Lowest and highest edge of the filters, Hz.
    floor_db : float
        Energies below are raised to it, dB (a full-scale sine reaches about 0 dB).
    """

    sample_rate: int = 16_000
    win_length: int = 1024
    hop_length: int = 320
    n_fft: int = 1024
    n_mels: int = 80
    fmin: float = 40.0
    fmax: float = 8_000.0
    floor_db: float = -100.0

    def __post_init__(self) -> None:
        if not 0 < self.hop_length <= self.win_length <= self.n_fft:
            raise ConfigError(
                f"front end with hop {self.hop_length}, window {self.win_length}, n_fft {self.n_fft}: "
                "they must satisfy 0 < hop_length <= win_length <= n_fft"
            )
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise ConfigError(
                f"mel range {self.fmin}-{self.fmax} Hz: it must lie between 0 and half the sample rate "
                f"({self.sample_rate / 2:g} Hz)"
            )

    @property
    def grid(self) -> FrameGrid:
        """Where the frames lie."""
        return FrameGrid(self.sample_rate, self.hop_length, self.win_length)


def log_mel(samples: npt.ArrayLike, sample_rate: int, front_end: FrontEnd | None = None) -> FloatArray:
    """Compute log-mel energies.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Mono signal, nominal range -1 to 1.
    sample_rate : int
        Hz; must be the front end's.
    front_end : FrontEnd, optional
        Constants; by default the detector's.

    Returns
    -------
    float32, shape=(n_mels, n_frames)
        dB; ``n_frames = ceil(n_samples / hop_length)``.

    Raises
    ------
    AudioError
        If the signal is not mono, or its rate is not the front end's.
    """
    front_end = front_end or FrontEnd()
    if sample_rate != front_end.sample_rate:
        raise AudioError(
            f"log_mel was given {sample_rate} Hz, its front end works at {front_end.sample_rate} Hz; "
            "resample first (open_audio does)"
        )
    stream = MelStream(front_end)
    return np.concatenate([stream.push(np.asarray(samples, dtype=np.float32)), stream.flush()], axis=1)


@dataclass
class MelStream:
    """Log-mel energies of a signal that arrives in blocks of any size.

    The frames are the same, bit for bit, however the signal is cut.

    Parameters
    ----------
    front_end : FrontEnd
        Constants; by default the detector's.
    least : int
        Frames before this one are not wanted: of those, most cost nothing, and some may come all the same
        (see `first`).
    group : int
        Frames transformed, and so given out, at a time; fewer come sooner and cost more, and differ in
        their last bits.

    Attributes
    ----------
    first : int
        The first frame that comes.
    """

    front_end: FrontEnd = field(default_factory=FrontEnd)
    least: int = 0
    group: int = _FRAMES_PER_BLOCK

    def __post_init__(self) -> None:
        f = self.front_end
        self._window = np.zeros(f.n_fft, np.float32)
        pad = (f.n_fft - f.win_length) // 2
        self._window[pad : pad + f.win_length] = np.hanning(f.win_length + 1)[:-1]
        # Sums over the window's energy, so that dB do not depend on the window length.
        self._filters = np.ascontiguousarray(
            mel_filters(f.sample_rate, f.n_fft, f.n_mels, f.fmin, f.fmax).T / np.sum(self._window**2)
        )
        lead = (f.n_fft - f.hop_length) // 2
        # Frames are transformed in whole groups, which lie where they would without a beginning.
        self.first = self.least // self.group * self.group
        self._unwanted = self.first * f.hop_length - lead if self.first else 0  # samples still to be left out
        self._pending = np.zeros(0 if self.first else lead, np.float32)
        self._n_samples = 0
        self._n_frames = self.first

    def push(self, samples: FloatArray) -> FloatArray:
        """Take more samples, float32, shape=(n,); return the frames they complete, (n_mels, n_frames)."""
        if samples.ndim != 1:
            raise AudioError(
                f"got samples of shape {samples.shape}; give one mono channel, shape (n_samples,)"
            )
        self._n_samples += len(samples)
        left_out = min(self._unwanted, len(samples))
        self._unwanted -= left_out
        self._pending = np.concatenate([self._pending, samples[left_out:]])
        # Whole groups only: a frame's value must not depend on how many are transformed with it.
        f = self.front_end
        ready = max(0, (len(self._pending) - f.n_fft) // f.hop_length + 1)
        return self._transform(ready - ready % self.group)

    def flush(self) -> FloatArray:
        """Return the remaining frames; the signal is taken as silent after its end."""
        f = self.front_end
        remaining = max(0, f.grid.n_frames(self._n_samples) - self._n_frames)
        needed = max(0, (remaining - 1) * f.hop_length + f.n_fft)
        self._pending = np.concatenate(
            [self._pending, np.zeros(max(0, needed - len(self._pending)), np.float32)]
        )
        return self._transform(remaining)

    def _transform(self, n_frames: int) -> FloatArray:
        f = self.front_end
        out = np.empty((n_frames, f.n_mels), np.float32)
        frames = (
            np.lib.stride_tricks.sliding_window_view(self._pending, f.n_fft)[:: f.hop_length]
            if n_frames
            else None
        )
        for start in range(0, n_frames, self.group):
            assert frames is not None
            block = frames[start : min(start + self.group, n_frames)] * self._window
            spectrum = np.fft.rfft(block, axis=1)
            power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False)
            apply_filters(power, self._filters, out[start : start + len(block)])
        self._pending = self._pending[n_frames * f.hop_length :]
        self._n_frames += n_frames
        np.maximum(out, 10 ** (f.floor_db / 10), out=out)
        np.log10(out, out=out)
        out *= 10
        return np.ascontiguousarray(out.T)
