"""Made-up recordings to measure speed on: the same sound in the formats archives hold."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soxr

FloatArray = npt.NDArray[np.float32]

_RATE = 44_100
# Of moving pictures: of so many, one is a whole one.
_WIDTH, _HEIGHT, _PER_SECOND = 320, 180, 25


@dataclass(frozen=True)
class Format:
    """One way to store a recording.

    Parameters
    ----------
    name, suffix, codec : str
        As shown, of the file, and of the encoder.
    sample_rate, channels : int
        Hz, and 1 or 2.
    bit_rate : int or None
        Bits per second; None for lossless.
    pictures : bool
        Whether moving pictures come with it.
    """

    name: str
    suffix: str
    codec: str
    sample_rate: int
    channels: int
    bit_rate: int | None = None
    pictures: bool = False


FORMATS = (
    Format("WAV 16 kHz mono", ".wav", "pcm_s16le", 16_000, 1),
    Format("MP3 44.1 kHz stereo 128k", ".mp3", "libmp3lame", 44_100, 2, 128_000),
    Format("AAC 44.1 kHz stereo 128k", ".m4a", "aac", 44_100, 2, 128_000),
    Format("Opus 48 kHz stereo 96k", ".opus", "libopus", 48_000, 2, 96_000),
    Format("FLAC 44.1 kHz stereo", ".flac", "flac", 44_100, 2),
    Format("video, AAC 44.1 kHz stereo 128k", ".mp4", "aac", 44_100, 2, 128_000, pictures=True),
)
MP3 = FORMATS[1]


def material(seconds: float, seed: int = 0) -> FloatArray:
    """Make syllable-like bursts over chords, stereo, float32, shape=(2, n_samples), at 44.1 kHz."""
    rng = np.random.default_rng(seed)
    n = round(seconds * _RATE)
    t = np.arange(n, dtype=np.float32) / _RATE
    chord = np.zeros(n, np.float32)
    for root in (110.0, 138.6, 164.8, 220.0):
        for overtone in (1, 2, 3, 5):
            chord += np.sin(2 * np.pi * root * overtone * t).astype(np.float32) / overtone
    noise = rng.standard_normal(n).astype(np.float32)
    syllables = np.maximum(0, np.sin(2 * np.pi * 4 * t)) * (np.sin(2 * np.pi * t / 7) > 0)
    left = 0.05 * chord + 0.1 * noise * syllables
    right = 0.04 * chord + 0.1 * noise * syllables + 0.002 * rng.standard_normal(n)
    return np.stack([left, right]).astype(np.float32)


def encode(path: Path, kind: Format, sound: FloatArray, times: int = 1) -> Path:
    """Write a sound at 44.1 kHz, float32, shape=(2, n_samples), so many times over; return the path."""
    block = sound if kind.channels == 2 else sound.mean(axis=0, keepdims=True)
    if kind.sample_rate != _RATE:
        block = soxr.resample(block.T, _RATE, kind.sample_rate).T
    layout = "stereo" if kind.channels == 2 else "mono"
    # MP3 files that are joined must hold nothing but frames.
    options = {"write_xing": "0", "id3v2_version": "0"} if kind.suffix == ".mp3" else {}
    block = np.ascontiguousarray(block, dtype=np.float32)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(kind.codec, rate=kind.sample_rate, layout=layout)
        if kind.bit_rate:
            stream.bit_rate = kind.bit_rate
        film = _Film(container) if kind.pictures else None
        for i in range(times):
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate = kind.sample_rate
            frame.pts = i * block.shape[1]
            container.mux(stream.encode(frame))
            if film is not None:
                film.show_until((i + 1) * block.shape[1] / kind.sample_rate)
        container.mux(stream.encode(None))
    return path


class _Film:
    """A second of moving pictures, over and over, in a container open for writing."""

    def __init__(self, container: av.container.OutputContainer) -> None:
        self._container = container
        self._stream = container.add_stream("mpeg4", rate=_PER_SECOND)
        self._stream.width, self._stream.height, self._stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        self._stream.codec_context.gop_size = _PER_SECOND
        self._n_shown = 0
        rng = np.random.default_rng(0)
        scene = rng.integers(0, 255, (_HEIGHT // 4, _WIDTH // 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
        packets: list[Any] = []
        for i in range(_PER_SECOND):
            frame = av.VideoFrame.from_ndarray(np.roll(scene, 2 * i, axis=1), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, _PER_SECOND)
            packets += self._stream.encode(frame)
        packets += self._stream.encode(None)
        self._pictures = [(bytes(packet), packet.is_keyframe) for packet in packets]

    def show_until(self, seconds: float) -> None:
        """Write pictures up to a time."""
        while self._n_shown < seconds * _PER_SECOND:
            data, is_key = self._pictures[self._n_shown % len(self._pictures)]
            packet = av.Packet(data)
            packet.stream, packet.time_base = self._stream, Fraction(1, _PER_SECOND)
            packet.pts = packet.dts = self._n_shown
            packet.is_keyframe = is_key
            self._container.mux(packet)
            self._n_shown += 1


def join(path: Path, piece: Path, times: int) -> Path:
    """Repeat an MP3 file so many times; return the path."""
    data = piece.read_bytes()
    with path.open("wb") as file:
        for _ in range(times):
            file.write(data)
    return path
