"""A signal that arrives in blocks of any size and rate: checked, recut, resampled, turned into frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import soxr

from earmark.errors import AudioError
from earmark.features import FrontEnd, MelStream

FloatArray = npt.NDArray[np.float32]

# Signal handled at a time.
_PIECE_S = 16
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 1_000_000
# Mean square that no recording reaches, 40 dB above full scale.
TOO_LOUD = 1e4


def given_rate(sample_rate: float | None) -> float:
    """Return the sample rate that came with an array; raises `AudioError` if none did, or it cannot be."""
    if sample_rate is None:
        raise AudioError("got samples without a sample rate; give it in Hz, e.g. sample_rate=16000")
    try:
        possible = _LOWEST_RATE <= sample_rate <= _HIGHEST_RATE
    except TypeError:
        possible = False
    if not possible:
        raise AudioError(
            f"sample rate {sample_rate!r} Hz: it must be {_LOWEST_RATE} to {_HIGHEST_RATE} Hz; "
            "give the rate the samples were recorded at"
        )
    return sample_rate


def refuse_rate(source: object, sample_rate: float | None) -> None:
    """Raise `AudioError` if a sample rate came with what is no array."""
    if sample_rate is not None:
        raise AudioError(
            f"a sample rate was given with {type(source).__name__}; a recording states its own, "
            "and samples must come as a numpy array"
        )


class Signal:
    """A mono signal in blocks, counted while it is read.

    Parameters
    ----------
    blocks : iterable of float32, shape=(n,)
        One mono channel, nominal range -1 to 1.
    sample_rate : float
        Hz.

    Raises
    ------
    AudioError
        If the rate is impossible; while reading, if a block is not mono, not floating point, or holds NaN,
        or the signal is far above full scale.
    """

    def __init__(self, blocks: Iterable[npt.ArrayLike], sample_rate: float) -> None:
        self.sample_rate = given_rate(sample_rate)
        self.n_samples = 0  # read so far
        self._blocks = blocks

    @property
    def seconds(self) -> float:
        """Length of what was read so far."""
        return self.n_samples / self.sample_rate

    def frames(self, front_end: FrontEnd, first: int = 0) -> Iterator[FloatArray]:
        """Read the signal at the front end's rate; yield log-mel frames from `first` on, (n_mels, n) each.

        The frames are the same, bit for bit, however the signal is cut, and wherever one begins.
        """
        mel = MelStream(front_end, first)
        unwanted = first - mel.first
        for piece in self.at(front_end.sample_rate):
            frames = mel.push(piece)
            yield frames[:, unwanted:]
            unwanted -= min(unwanted, frames.shape[1])
        yield mel.flush()[:, unwanted:]

    def at(self, sample_rate: int) -> Iterator[FloatArray]:
        """Read the signal at a rate; yield pieces that are the same, bit for bit, however it is cut."""
        if self.sample_rate == sample_rate:
            yield from self._pieces()
            return
        resampler = soxr.ResampleStream(self.sample_rate, sample_rate, 1, dtype="float32")
        for piece in self._pieces():
            yield resampler.resample_chunk(piece)
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)

    def _pieces(self) -> Iterator[FloatArray]:
        """Recut the blocks into pieces of one size."""
        size = int(_PIECE_S * self.sample_rate)
        piece, filled = np.empty(size, np.float32), 0
        for block in self._blocks:
            samples = self._checked(block)
            self.n_samples += len(samples)
            at = 0
            while at < len(samples):
                taken = min(size - filled, len(samples) - at)
                with np.errstate(over="ignore"):
                    piece[filled : filled + taken] = samples[at : at + taken]
                filled, at = filled + taken, at + taken
                if filled == size:
                    yield self._within_scale(piece)
                    piece, filled = np.empty(size, np.float32), 0
        if filled:
            yield self._within_scale(piece[:filled])

    def _within_scale(self, piece: FloatArray) -> FloatArray:
        """Return a piece, or refuse it."""
        with np.errstate(over="ignore"):
            energy = float(np.einsum("i,i->", piece, piece))  # as fast as BLAS, and starts no threads
        if energy > TOO_LOUD * len(piece):
            raise AudioError(
                "the samples are far above full scale, which is 1.0: perhaps they are integers stored as "
                "floats; divide them by their full scale (32768 for 16 bits)"
            )
        return piece

    def _checked(self, block: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Return a block as an array, or refuse it."""
        samples = np.asarray(block)
        if samples.ndim != 1:
            raise AudioError(
                f"got samples of shape {samples.shape}; give one mono channel, shape (n_samples,); "
                "to_mono averages channels"
            )
        if samples.size == 0:
            return np.empty(0, np.float32)
        if not np.issubdtype(samples.dtype, np.floating):
            raise AudioError(
                f"got {samples.dtype} samples; give floating point from -1 to 1 (to_mono converts integers)"
            )
        finite = np.isfinite(samples)
        if not finite.all():
            at = self.seconds + int(np.argmin(finite)) / self.sample_rate
            raise AudioError(
                f"the samples hold NaN or infinite values, first at {at:.3f} s; replace them, e.g. by 0"
            )
        return samples
