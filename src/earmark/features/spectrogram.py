"""The features of Bhattacharjee et al.: spectrograms whole, harmonic and percussive, linear and in mel bands.

All stand on one chain: the signal without its mean, divided by its peak; magnitudes of 25 ms windows
every 10 ms at 16 kHz; a representation; every band standardised over the whole recording; patches of 68
frames (695 ms).  Where an option says "paper", that is what the authors' program does.

References
----------
.. [1] M. Bhattacharjee, S. R. M. Prasanna, P. Guha, "Clean vs. overlapped speech-music detection using
       harmonic-percussive features and multi-task learning", sections II-A and IV.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from earmark.errors import AudioError, ConfigError
from earmark.features.decibels import to_decibels
from earmark.features.extractor import Extractor, peak_normalised
from earmark.features.hpss import HpssStream
from earmark.features.median import check_length
from earmark.features.mel import FloatArray, apply_filters, mel_filters
from earmark.features.patches import Patches
from earmark.features.scaling import standardise_bands
from earmark.features.stft import magnitudes

# Rate that the authors' program leaves mel filters of separated spectra at: their library's default.
_UNSET_RATE = 22_050
# Shorter signals are repeated, s.
_SHORTEST = 0.1
# Frames of a given spectrogram that are read at a time.
_FRAMES = 4096


@dataclass(frozen=True, kw_only=True)
class Spectrogram(Extractor):
    """Linear magnitudes, "s", or dB, "ls".

    Patches follow the authors' program, where variant is "paper": shorter recordings are repeated whole
    until they are *longer* than a patch, and a patch of even length that would end with the very last
    frame is not taken (so that 68 frames give no patch, and 69 one).  "corrected" takes it.

    Parameters
    ----------
    decibels : bool
        10 log10 of the power, at least -100, and not more than 80 below the greatest value of the
        recording; otherwise magnitudes.
    """

    sample_rate: int = 16_000
    win_length: int = 400
    hop_length: int = 160
    n_fft: int = 400
    patch_length: int = 68
    decibels: bool = False

    @property
    def n_bins(self) -> int:
        """Bins of the transform."""
        return self.n_fft // 2 + 1

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_bins

    def n_frames(self, n_samples: int) -> int:
        """Columns of the features; signals below 0.1 s are doubled until they reach it."""
        return super().n_frames(n_samples * self._repeats(n_samples))

    def _repeats(self, n_samples: int) -> int:
        repeats = 1
        while 0 < n_samples * repeats < _SHORTEST * self.sample_rate:
            repeats *= 2
        return repeats

    def _compute(self, samples: FloatArray) -> FloatArray:
        centred = samples - np.mean(samples, dtype=np.float64).astype(np.float32) if len(samples) else samples
        signal = np.tile(peak_normalised(centred), self._repeats(len(samples)))
        return self._of_spectra(magnitudes(signal, self.framing), self.n_frames(len(samples)))

    def of_magnitudes(self, spectrum: FloatArray) -> FloatArray:
        """Compute the features of a magnitude spectrogram where there is no signal.

        Parameters
        ----------
        spectrum : float32, shape=(n_bins, T)
            Of any number of bins, from 0 Hz to half the sample rate; it may lie on the disk.

        Returns
        -------
        float32, shape=(n_bands, T)

        Raises
        ------
        AudioError
            If it has fewer than two bins.
        """
        n_bins, n_frames = spectrum.shape
        if n_bins < 2:
            raise AudioError(f"got a spectrogram of {n_bins} bins; it needs at least 2")
        n_fft = 2 * (n_bins - 1)
        fitting = replace(self, n_fft=n_fft, win_length=min(self.win_length, n_fft))
        starts = range(0, n_frames, _FRAMES)
        blocks = (np.ascontiguousarray(spectrum[:, at : at + _FRAMES].T, np.float32) for at in starts)
        return fitting._of_spectra(blocks, n_frames)

    def _of_spectra(self, spectra: Iterator[FloatArray], n_frames: int) -> FloatArray:
        """Compute the features of spectra that come in blocks, shape=(n, n_bins)."""
        features = np.empty((self.n_bands, n_frames), np.float32)
        at = 0
        for block in self._blocks(spectra):
            features[:, at : at + len(block)] = block.T
            at += len(block)
        if self.decibels:
            self._to_decibels(features)
        return standardise_bands(features)

    def _blocks(self, spectra: Iterator[FloatArray]) -> Iterator[FloatArray]:
        """Turn blocks of magnitudes, (n, n_bins), into features, (n, n_bands): powers, if for dB."""
        for magnitude in spectra:
            yield magnitude**2 if self.decibels else magnitude

    def _to_decibels(self, features: FloatArray) -> None:
        to_decibels(features)

    def cut(self, features: FloatArray) -> Patches:
        """Cut features into patches; see the class for those at the end."""
        self.check_features(features)
        length = self.patch_length
        exact = self.variant == "corrected"
        whole = features
        if 0 < features.shape[1] < length:
            whole = np.tile(features, (length - exact) // features.shape[1] + 1)
        starts = np.arange(0, whole.shape[1] - length + (1 if exact else length % 2), self.step)
        return self.patches_at(whole, starts)


@dataclass(frozen=True, kw_only=True)
class MelSpectrogram(Spectrogram):
    """Mel bands of the power, "ms", or their dB, "lms"; Slaney's bands from 0 to 8 kHz.

    In dB, "paper" squares the band energies, which are powers already, before it takes dB: values are
    doubled, and the limit of 80 dB leaves 40 dB of what is heard.  "corrected" does not square them.
    """

    options: ClassVar[tuple[str, ...]] = (*Spectrogram.options, "n_mels")
    n_mels: int = 120

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_mels

    def _blocks(self, spectra: Iterator[FloatArray]) -> Iterator[FloatArray]:
        filters = _filters(self.sample_rate, self.n_fft, self.n_mels)
        for magnitude in spectra:
            energies = apply_filters(magnitude**2, filters)
            yield energies**2 if self.decibels and self.variant == "paper" else energies


@dataclass(frozen=True, kw_only=True)
class _Separated(Spectrogram):
    """What features of separated spectra share: the medians, and the parts one below the other.

    Parameters
    ----------
    l_harm : int
        Median length along time, frames; odd, from 3 up.
    l_perc : int
        Median length along frequency, bins; odd, from 3 up.
    parts : tuple of str
        "harmonic", "percussive", or both, in the order of the rows (early fusion).
    """

    options: ClassVar[tuple[str, ...]] = (*Spectrogram.options, "l_harm", "l_perc")
    l_harm: int = 21
    l_perc: int = 11
    parts: tuple[str, ...] = ("harmonic", "percussive")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_length(self.l_harm, "l_harm")
        check_length(self.l_perc, "l_perc")
        if self.parts not in (("harmonic",), ("percussive",), ("harmonic", "percussive")):
            raise ConfigError(
                f"parts {self.parts}: they must be 'harmonic', 'percussive', or both in this order"
            )

    @property
    def reach(self) -> int:
        """Frames that the median along time reaches to each side."""
        return self.l_harm // 2

    def _to_decibels(self, features: FloatArray) -> None:
        # Each part by itself: the limit is below its own greatest value.
        for part in np.split(features, len(self.parts)):
            to_decibels(part)

    def _blocks(self, spectra: Iterator[FloatArray]) -> Iterator[FloatArray]:
        stream = HpssStream(self.l_harm, self.l_perc)

        def separated() -> Iterator[tuple[FloatArray, FloatArray]]:
            for magnitude in spectra:
                yield stream.push(magnitude)
            yield stream.flush()

        for harmonic, percussive in separated():
            if len(harmonic):
                named = {"harmonic": harmonic, "percussive": percussive}
                yield np.concatenate([self._represent(named[part]) for part in self.parts], axis=1)

    @abstractmethod
    def _represent(self, magnitude: FloatArray) -> FloatArray:
        """Turn one part's magnitudes, (n, n_bins), into its rows of the features, (n, rows)."""


@dataclass(frozen=True, kw_only=True)
class SeparatedSpectrogram(_Separated):
    """Harmonic above percussive part of the linear spectrum: magnitudes, "hps-ef", or dB, "lhps-ef"."""

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return len(self.parts) * self.n_bins

    def _represent(self, magnitude: FloatArray) -> FloatArray:
        return magnitude**2 if self.decibels else magnitude


@dataclass(frozen=True, kw_only=True)
class SeparatedMelSpectrogram(_Separated):
    """Mel bands of harmonic and percussive parts, "mhs", "mps", "mhps-ef", or their dB, "lmhs" and so on.

    "paper" applies the filters to magnitudes, not powers, and builds them for 22.05 kHz although the
    spectrum is of 16 kHz: all edges lie 27 % lower than meant, the highest at 8 kHz, and of 120 filters
    the first holds no bin, so that it is constant.  In dB, the band *magnitudes* are squared.
    "corrected" applies filters for 16 kHz to powers, as `MelSpectrogram` does.
    """

    options: ClassVar[tuple[str, ...]] = (*_Separated.options, "n_mels")
    n_mels: int = 120

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return len(self.parts) * self.n_mels

    def _represent(self, magnitude: FloatArray) -> FloatArray:
        if self.variant == "corrected":
            return apply_filters(magnitude**2, _filters(self.sample_rate, self.n_fft, self.n_mels))
        bands = apply_filters(magnitude, _filters(_UNSET_RATE, self.n_fft, self.n_mels))
        return bands**2 if self.decibels else bands


def _filters(sample_rate: int, n_fft: int, n_mels: int) -> FloatArray:
    return np.ascontiguousarray(mel_filters(sample_rate, n_fft, n_mels, 0.0, sample_rate / 2).T)
