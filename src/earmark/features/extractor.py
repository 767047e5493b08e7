"""What all front ends of published systems have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError, ConfigError
from earmark.features.mel import FloatArray, apply_filters, mel_filters
from earmark.features.patches import Patches, repeated
from earmark.features.stft import Framing, magnitudes

VARIANTS = ("paper", "corrected")


@dataclass(frozen=True, kw_only=True)
class Extractor(ABC):
    """A front end: a mono signal in, features out, and the patches a network takes of them.

    ``extractor(samples)`` are the features, ``extractor.cut(features)`` their patches.

    Parameters
    ----------
    name : str
        As in `earmark.features.registry`.
    variant : str
        "paper": what the authors' code does, oddities included; "corrected": without those.
    sample_rate : int
        Hz; resample first.
    win_length, hop_length, n_fft : int
        Window, hop and transform, samples.
    patch_length : int
        Frames of a patch (the network's context).
    patch_hop : int, optional
        Frames from one patch to the next; by default `patch_length`, so that none overlap.

    Raises
    ------
    ConfigError
        If a value is outside its range.
    """

    name: str
    variant: str = "paper"
    sample_rate: int
    win_length: int
    hop_length: int
    n_fft: int
    patch_length: int
    patch_hop: int | None = None

    edges: ClassVar[str] = "inside"
    # Features are dB of powers, which add up where sounds do.
    additive: ClassVar[bool] = False
    # What is shorter than a patch is heard again and again; otherwise silence follows it in use.
    repeats: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("patch_length", "patch_hop")

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ConfigError(f"variant '{self.variant}': choose one of {', '.join(VARIANTS)}")
        for key in ("sample_rate", "patch_length", "patch_hop", "n_mels", "n_mfcc", "n_bands"):
            value = getattr(self, key, None)
            if value is not None and value < 1:
                raise ConfigError(f"{key} {value} of features '{self.name}': it must be at least 1")
        _ = self.framing

    @property
    @abstractmethod
    def n_bands(self) -> int:
        """Rows of the features, F."""

    @property
    def framing(self) -> Framing:
        """Where the windows lie."""
        return Framing(self.win_length, self.hop_length, self.n_fft, self.edges)

    @property
    def scaling(self) -> str:
        """What is left to be measured on training patches, one of `earmark.features.scaling.SCALINGS`."""
        return "none"

    @property
    def reach(self) -> int:
        """Frames on each side of a frame that it depends on, besides what is measured over all of them."""
        return 0

    def n_frames(self, n_samples: int) -> int:
        """Columns of the features, T, for a signal of that many samples."""
        return self.framing.n_frames(n_samples)

    def centre(self, frame: float) -> float:
        """Return the time a frame is centred on, seconds."""
        framing = self.framing
        return (framing.first + frame * framing.hop_length + framing.win_length / 2) / self.sample_rate

    def __call__(self, samples: npt.ArrayLike) -> FloatArray:
        """Compute the features.

        Parameters
        ----------
        samples : array, shape=(n_samples,)
            Mono signal at `sample_rate`, nominal range -1 to 1.

        Returns
        -------
        float32, shape=(n_bands, n_frames(n_samples))
            No frames if the signal is shorter than a window.

        Raises
        ------
        AudioError
            If the signal is not mono, not floating point, or not finite.
        """
        return self._compute(checked_signal(samples))

    @abstractmethod
    def _compute(self, samples: FloatArray) -> FloatArray:
        """Compute the features of a checked signal."""

    def _mel_energies(self, samples: FloatArray, n_mels: int) -> FloatArray:
        """Return the energies in Slaney's bands from 0 to half the sample rate, shape=(n_mels, T)."""
        filters = mel_filters(self.sample_rate, self.n_fft, n_mels, 0.0, self.sample_rate / 2)
        across = np.ascontiguousarray(filters.T)
        energies = np.empty((n_mels, self.framing.n_frames(len(samples))), np.float32)
        at = 0
        for magnitude in magnitudes(samples, self.framing):
            energies[:, at : at + len(magnitude)] = apply_filters(magnitude**2, across).T
            at += len(magnitude)
        return energies

    def cut(self, features: FloatArray) -> Patches:
        """Cut features into patches, from the first frame on; the rest at the end is in none.

        Parameters
        ----------
        features : float32, shape=(n_bands, T)
            Fewer frames than a patch are repeated along time; none give no patches.

        Raises
        ------
        AudioError
            If these are not features of this front end.
        """
        self.check_features(features)
        whole = repeated(features, self.patch_length)
        return self.patches_at(whole, np.arange(0, whole.shape[1] - self.patch_length + 1, self.step))

    @property
    def step(self) -> int:
        """Frames from one patch to the next."""
        return self.patch_length if self.patch_hop is None else self.patch_hop

    @property
    def window_length(self) -> int:
        """Samples that the frames of a patch see."""
        return (self.patch_length - 1) * self.hop_length + self.win_length

    @property
    def window_hop(self) -> int:
        """Samples from one patch to the next."""
        return self.step * self.hop_length

    @property
    def middle(self) -> float:
        """The time the first patch is centred on, seconds."""
        return self.centre((self.patch_length - 1) / 2)

    @property
    def lead(self) -> int:
        """Patches from the one that begins at a time to the one whose middle lies there."""
        return max(0, int(self.middle * self.sample_rate / self.window_hop))

    @property
    def margin(self) -> int:
        """Patches on each side of a piece of a signal after which those within do not feel its ends."""
        seen = (self.patch_length + self.reach) * self.hop_length + self.n_fft
        return -(-seen // self.window_hop)

    def with_hop(self, seconds: float) -> Extractor:
        """Return the front end with about this time from one patch to the next, at least a frame."""
        return replace(self, patch_hop=max(1, round(seconds * self.sample_rate / self.hop_length)))

    def check_features(self, features: FloatArray) -> None:
        """Refuse what has not one row a band."""
        if features.ndim != 2 or len(features) != self.n_bands:
            raise AudioError(
                f"got features of shape {features.shape}; '{self.name}' has shape ({self.n_bands}, n_frames)"
            )

    def patches_at(self, features: FloatArray, starts: npt.NDArray[np.intp]) -> Patches:
        """Cut patches that start at given frames; none if there are not enough frames for one."""
        if features.shape[1] < self.patch_length:
            features, starts = np.zeros((len(features), self.patch_length), np.float32), starts[:0]
        return Patches(features, starts, self.patch_length)


def checked_signal(samples: npt.ArrayLike) -> FloatArray:
    """Return a mono, finite signal as float32, or refuse it."""
    given = np.asarray(samples)
    if given.ndim != 1:
        raise AudioError(f"got samples of shape {given.shape}; give one mono channel, shape (n_samples,)")
    if given.size and not np.issubdtype(given.dtype, np.floating):
        raise AudioError(
            f"got {given.dtype} samples; give floating point from -1 to 1 (to_mono converts integers)"
        )
    signal = given.astype(np.float32, copy=False)
    # A sum tells of NaN and infinities without an array of truth values as long as the signal.
    with np.errstate(invalid="ignore"):
        total = np.sum(signal, dtype=np.float64)
    if not np.isfinite(total):
        raise AudioError("the samples hold NaN or infinite values; replace them, e.g. by 0")
    return signal


def peak_normalised(samples: FloatArray) -> FloatArray:
    """Divide a signal by its greatest absolute value; silence stays silence."""
    peak = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
    return samples / np.float32(peak) if peak > 0 else samples
