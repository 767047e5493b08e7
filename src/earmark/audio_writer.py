"""Writing mono audio files, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError, ConfigError
from earmark.files import atomic_write


@dataclass(frozen=True)
class _Kind:
    """Container, encoder, and kbit/s where it has any."""

    container: str
    codec: str
    kbps: int | None = None


_KINDS = {
    "wav": _Kind("wav", "pcm_s16le"),
    "flac": _Kind("flac", "flac"),
    "mp3": _Kind("mp3", "libmp3lame", 96),
    "opus": _Kind("ogg", "libopus", 64),
}
AUDIO_FORMATS = tuple(_KINDS)

# Seconds handed to the encoder at a time.
_BLOCK = 10


def write_audio(path: str | os.PathLike[str], samples: npt.ArrayLike, sample_rate: int) -> None:
    """Write a mono signal with 16 bits; the suffix decides the format.

    Parameters
    ----------
    path : path
        A file ending in .wav, .flac, .mp3 (96 kbit/s) or .opus (64 kbit/s); an existing one is replaced.
    samples : array, shape=(n_samples,)
        What exceeds -1 to 1 is cut off.
    sample_rate : int
        Hz.

    Raises
    ------
    ConfigError
        If the format is not known.
    AudioError
        If the format does not allow the sample rate.
    EarmarkError
        If the file cannot be written.
    """
    target = Path(path)
    kind = _KINDS.get(target.suffix[1:].lower())
    if kind is None:
        raise ConfigError(f"cannot write '{target}': its name must end in .{', .'.join(AUDIO_FORMATS)}")
    rates = av.Codec(kind.codec, "w").audio_rates
    if rates and sample_rate not in rates:
        allowed = ", ".join(map(str, sorted(rates)))
        raise AudioError(f"cannot write '{target}' at {sample_rate} Hz: {kind.codec} allows {allowed} Hz")
    signal = np.asarray(samples, dtype=np.float32)
    if signal.ndim != 1:
        raise AudioError(f"got samples of shape {signal.shape}; give one mono channel, shape (n_samples,)")
    with atomic_write(target, binary=True) as file:
        sink = _Sink(file)
        _encode(sink, signal, sample_rate, kind)
        sink.check()


class _Sink:
    """A file for FFmpeg to write to, which keeps its first fault.

    FFmpeg goes on for a while after one, and PyAV would print every further one.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._fault: OSError | None = None

    def write(self, data: bytes) -> int:
        self._try(self._file.write, data)
        return len(data)

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._try(self._file.seek, offset, whence)

    def tell(self) -> int:
        return self._try(self._file.tell)

    def check(self) -> None:
        """Raise the fault, if there was one."""
        if self._fault is not None:
            raise self._fault

    def _try(self, work: Callable[..., int], *arguments: object) -> int:
        if self._fault is None:
            try:
                return work(*arguments)
            except OSError as err:
                self._fault = err
        return 0


def _encode(sink: _Sink, signal: npt.NDArray[np.float32], sample_rate: int, kind: _Kind) -> None:
    with av.open(sink, "w", format=kind.container) as container:
        stream = container.add_stream(kind.codec, rate=sample_rate, layout="mono")
        if kind.kbps is not None:
            stream.bit_rate = kind.kbps * 1000
        for start in range(0, len(signal), _BLOCK * sample_rate):
            part = np.rint(signal[start : start + _BLOCK * sample_rate] * np.float32(32768))
            block = np.clip(part, -32768, 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(block[None], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
            container.mux(stream.encode(frame))
            sink.check()
        container.mux(stream.encode(None))
