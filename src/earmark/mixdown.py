"""From decoded frames of any sample format to mono stretches of one second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane

from earmark.errors import AudioError

FloatArray = npt.NDArray[np.float32]

# A mean of channels with less than this share of their mean energy is taken for cancellation (-10 dB).
_CANCELLED = 0.1
# BLAS starts threads for longer vectors.
_DOT_LENGTH = 8192
_LOWEST_RATE, _HIGHEST_RATE, _MOST_CHANNELS = 1000, 1_500_000, 64
_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


@dataclass(frozen=True)
class Stretch:
    """One second of mono signal (or what else a `Mixer` makes), or less at the end and where formats change.

    Parameters
    ----------
    samples : float32, shape=(n,)
        Nominal range -1 to 1; overwritten by the next stretch.
    cancelled : bool
        Whether the channels cancel, so that the loudest was taken instead of their mean.
    energy : float
        Sum of the squares; not finite if a sample is not.
    rate : int
        Hz.
    start : float
        Seconds from the start of the recording.
    """

    samples: FloatArray
    cancelled: bool
    energy: float
    rate: int
    start: float

    @property
    def end(self) -> float:
        """Where it ends, seconds from the start of the recording."""
        return self.start + len(self.samples) / self.rate


def average(channels: FloatArray, out: FloatArray | None = None) -> tuple[FloatArray, bool, float]:
    """Average channels; where they cancel, take the loudest.

    Parameters
    ----------
    channels : float32, shape=(n_channels, n)
        About one second.
    out : float32, shape=(n,), optional
        Where to put the result.

    Returns
    -------
    mono : float32, shape=(n,)
        Never a view of `channels`.
    cancelled : bool
        Whether the mean has less than a tenth of the mean energy of the channels.
    energy : float
        Sum of the squares of `mono`.
    """
    mono = np.empty(channels.shape[1], np.float32) if out is None else out
    mono[:] = channels[0]
    with np.errstate(invalid="ignore", over="ignore"):
        for channel in channels[1:]:
            mono += channel
        if len(channels) == 1:
            return mono, False, _energy(mono)
        mono *= 1 / len(channels)
        energy, energies = _energy(mono), [_energy(channel) for channel in channels]
    if energy >= _CANCELLED * sum(energies) / len(channels) or not math.isfinite(energy):
        return mono, False, energy
    loudest = int(np.argmax(energies))
    mono[:] = channels[loudest]
    return mono, True, energies[loudest]


def to_float(samples: npt.NDArray[Any], out: FloatArray | None = None) -> FloatArray:
    """Convert samples of any type to float32; integers are divided by their full scale."""
    kind = samples.dtype
    if kind == np.float32 and out is None:
        return samples
    result = np.empty(samples.shape, np.float32) if out is None else out
    if kind.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            np.copyto(result, samples, casting="same_kind")
        return result
    half = float(1 << (8 * kind.itemsize - 1))
    np.multiply(samples, 1 / half, out=result, dtype=np.float32)
    if kind.kind == "u":
        result -= 1
    return result


def _energy(signal: FloatArray) -> float:
    pieces = (signal[i : i + _DOT_LENGTH] for i in range(0, len(signal), _DOT_LENGTH))
    return float(sum(np.dot(piece, piece) for piece in pieces))


class Mixer:
    """Collects frames into stretches of one length, however long the frames are.

    Raises `AudioError`, with `name` in it, at a rate no recording has.

    Parameters
    ----------
    name : str
        How messages call the recording.
    stretch_s : float
        Seconds of a stretch.
    """

    def __init__(self, name: str, stretch_s: float = 1.0) -> None:
        self._name = name
        self._stretch_s = stretch_s
        self._format = ""
        self._n_channels = self._rate = 0
        # Bytes: of one row, of it filled, and of one sample in it.
        self._size = self._fill = self._step = 0
        self._views: list[tuple[int, memoryview]] = []
        self._start = 0.0

    def add(self, frame: AudioFrame, gap: float = 0.0) -> Iterable[Stretch]:
        """Take a frame and `gap` seconds of silence before it; return the stretches completed.

        The result must be consumed before the next call.
        """
        n_bytes = frame.samples * self._step
        end = self._fill + n_bytes
        # Bytes are copied as they are: numpy's indexing would cost as much as the rest, and an MP3 has
        # 138 000 frames an hour.
        if end < self._size and not gap and self._fits(frame):
            fill = self._fill
            for index, view in self._views:
                plane = AudioPlane(frame, index)
                view[fill:end] = plane if plane.buffer_size == n_bytes else memoryview(plane)[:n_bytes]
            self._fill = end
            return ()
        return self._add_slowly(frame, gap)

    def flush(self) -> Iterator[Stretch]:
        """Return what is left."""
        if self._fill:
            yield self._finish()

    def _fits(self, frame: AudioFrame) -> bool:
        return (
            frame.sample_rate == self._rate
            and frame.format.name == self._format
            and frame.layout.nb_channels == self._n_channels
        )

    def _add_slowly(self, frame: AudioFrame, gap: float) -> Iterator[Stretch]:
        if not self._fits(frame):
            yield from self.flush()
            self._prepare(frame)
        n_bytes, silence = frame.samples * self._step, round(gap * self._rate) * self._step
        planes = [memoryview(AudioPlane(frame, index)) for index, _ in self._views]
        at = -silence
        while at < n_bytes:
            size = min(self._size - self._fill, -at if at < 0 else n_bytes - at)
            for (_, view), plane in zip(self._views, planes, strict=True):
                view[self._fill : self._fill + size] = self._zero * size if at < 0 else plane[at : at + size]
            at += size
            self._fill += size
            if self._fill == self._size:
                yield self._finish()

    def _prepare(self, frame: AudioFrame) -> None:
        self._format, self._rate = frame.format.name, frame.sample_rate
        self._n_channels = frame.layout.nb_channels
        if not (_LOWEST_RATE <= self._rate <= _HIGHEST_RATE and self._n_channels <= _MOST_CHANNELS):
            raise AudioError(
                f"'{self._name}' states {self._n_channels} channels at {self._rate} Hz, more than "
                f"{_MOST_CHANNELS} or not {_LOWEST_RATE} to {_HIGHEST_RATE} Hz: its header is damaged; "
                "export it again"
            )
        planar = self._format.endswith("p")
        dtype = np.dtype(_DTYPES[self._format.removesuffix("p")])
        self._zero = b"\x80" if dtype == np.uint8 else b"\0"
        n_rows = self._n_channels if planar else 1
        self._step = dtype.itemsize * self._n_channels // n_rows
        n_samples = max(1, round(self._stretch_s * self._rate))
        self._size = self._step * n_samples
        # One array for all channels, so that a stretch needs no gathering.
        self._native = np.empty((n_rows, self._size // dtype.itemsize), dtype)
        self._views = [(i, memoryview(row).cast("B")) for i, row in enumerate(self._native)]
        self._work = np.empty((self._n_channels, n_samples), np.float32)
        self._mono = np.empty(n_samples, np.float32)

    def _finish(self) -> Stretch:
        n, self._fill = self._fill // self._step, 0
        native = self._native
        if len(native) != self._n_channels:
            native = native.reshape(-1, self._n_channels).T
        native = native[:, :n]
        contiguous = native.dtype == np.float32 and native.strides[1] == native.itemsize
        channels = native if contiguous else to_float(native, self._work[:, :n])
        stretch = Stretch(*average(channels, self._mono[:n]), rate=self._rate, start=self._start)
        self._start = stretch.end
        return stretch
