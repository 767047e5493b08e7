"""Lossy coding and back, in memory: what a codec leaves of a signal, in place and of the same length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import soxr

from earmark.errors import ConfigError

FloatArray = npt.NDArray[np.float32]

# Seconds handed to the encoder at a time, and of silence behind the signal that flush it out.
_BLOCK = 10
_TAIL = 0.25


@dataclass(frozen=True)
class _Kind:
    """How a codec is reached: encoder, decoder, least and most kbit/s, and its rate where it has only one."""

    encoder: str
    decoder: str
    kbps: tuple[float, float] | None
    sample_rate: int | None = None


_KINDS = {
    "mp3": _Kind("libmp3lame", "mp3float", (8, 160)),
    "aac": _Kind("aac", "aac", (8, 96)),
    "opus": _Kind("libopus", "libopus", (6, 128)),
    "mp2": _Kind("mp2", "mp2float", (8, 160)),
    "mulaw": _Kind("pcm_mulaw", "pcm_mulaw", None, 8_000),
    "alaw": _Kind("pcm_alaw", "pcm_alaw", None, 8_000),
}
CODECS = tuple(_KINDS)

# What MPEG layers II and III allow below 32 kHz, kbit/s.
_MPEG_RATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


@dataclass(frozen=True)
class CodecSpec:
    """A codec and its bit rate.

    Parameters
    ----------
    name : str
        One of `CODECS`; ``mulaw`` and ``alaw`` are G.711 at 8 kHz.
    kbps : float or None
        kbit/s; None for G.711, which has one rate.

    Raises
    ------
    ConfigError
        If there is no such codec, or it has no such rate.
    """

    name: str
    kbps: float | None = None

    def __post_init__(self) -> None:
        kind = _KINDS.get(self.name)
        if kind is None:
            raise ConfigError(
                f"codec '{self.name}': there are {', '.join(CODECS)}; write for instance mp3:64"
            )
        if kind.kbps is None:
            if self.kbps is not None:
                raise ConfigError(f"codec {self.name}:{self.kbps:g}: it has one rate; write {self.name}")
        elif self.kbps is None or not kind.kbps[0] <= self.kbps <= kind.kbps[1]:
            low, high = kind.kbps
            given = self.name if self.kbps is None else f"{self.name}:{self.kbps:g}"
            raise ConfigError(
                f"codec {given}: give {low:g} to {high:g} kbit/s; write for instance {self.name}:32"
            )

    @classmethod
    def parse(cls, text: str) -> CodecSpec:
        """Read ``name`` or ``name:kbps``."""
        name, _, rate = text.partition(":")
        try:
            return cls(name, float(rate) if rate else None)
        except ValueError as err:
            raise ConfigError(f"codec '{text}': '{rate}' is no bit rate; write for instance mp3:64") from err


def code(samples: npt.ArrayLike, sample_rate: int, codec: str, kbps: float | None = None) -> FloatArray:
    """Encode and decode a signal.

    The delay of the codec is taken out, so that sounds stay where they were.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Mono signal, nominal range -1 to 1.
    sample_rate : int
        Hz; signals of a rate that the codec does not know are resampled to the next it does and back.
    codec, kbps : str, float or None
        See `CodecSpec`; MPEG rates are rounded to the nearest that exists.

    Returns
    -------
    float32, shape=(n_samples,)
    """
    spec = CodecSpec(codec, kbps)
    kind = _KINDS[spec.name]
    signal = np.asarray(samples, dtype=np.float32).clip(-1, 1)
    rate = kind.sample_rate or _nearest_rate(kind.encoder, sample_rate)
    padded = np.append(signal, np.zeros(int(_TAIL * sample_rate), np.float32))
    if rate != sample_rate:
        padded = soxr.resample(padded, sample_rate, rate)
    decoded, decoded_rate = _round_trip(padded, rate, kind, spec)
    if decoded_rate != sample_rate:
        decoded = soxr.resample(decoded, decoded_rate, sample_rate)
    decoded = decoded[: len(signal)]
    return np.append(decoded, np.zeros(len(signal) - len(decoded), np.float32))


def _nearest_rate(encoder: str, sample_rate: int) -> int:
    rates = av.Codec(encoder, "w").audio_rates
    return min(rates, key=lambda rate: (abs(rate - sample_rate), rate)) if rates else sample_rate


def _round_trip(samples: FloatArray, rate: int, kind: _Kind, spec: CodecSpec) -> tuple[FloatArray, int]:
    """Encode and decode; return the signal without the codec's delay, and its rate."""
    encoder = cast(av.AudioCodecContext, av.CodecContext.create(kind.encoder, "w"))
    encoder.sample_rate = rate
    encoder.layout = "mono"
    encoder.format = (av.Codec(kind.encoder, "w").audio_formats or [av.AudioFormat("s16")])[0]
    if spec.kbps is not None:
        kbps = spec.kbps
        if spec.name in ("mp3", "mp2"):
            kbps = min(_MPEG_RATES, key=lambda r: abs(r - kbps))
        encoder.bit_rate = round(kbps * 1000)
    encoder.open()
    decoder = cast(av.AudioCodecContext, av.CodecContext.create(kind.decoder, "r"))
    decoder.sample_rate = rate
    decoder.layout = "mono"
    decoder.extradata = encoder.extradata
    frames: list[av.AudioFrame] = []
    for block in _blocks(encoder, samples, rate):
        for packet in encoder.encode(block):
            frames += decoder.decode(packet)
    frames += decoder.decode(None)
    parts = [_to_float(frame) for frame in frames]
    decoded_rate = frames[0].sample_rate
    # Decoders may drop the delay from the first frame without moving its time: the second one's is sure.
    second = frames[1]
    start = round(cast(int, second.pts) * cast(Fraction, second.time_base) * decoded_rate) - len(parts[0])
    return np.concatenate(parts)[max(0, -start) :], decoded_rate


def _blocks(encoder: av.AudioCodecContext, samples: FloatArray, rate: int) -> Iterator[av.AudioFrame | None]:
    """Cut a signal into the frames the encoder takes; None at the end makes it give its rest."""
    resampler = av.AudioResampler(encoder.format, "mono", rate, frame_size=encoder.frame_size or rate // 50)
    for start in range(0, len(samples), _BLOCK * rate):
        block = av.AudioFrame.from_ndarray(samples[None, start : start + _BLOCK * rate], "fltp", "mono")
        block.sample_rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
        yield from resampler.resample(block)
    yield from resampler.resample(None)
    yield None


def _to_float(frame: av.AudioFrame) -> FloatArray:
    values = frame.to_ndarray()[0]
    if values.dtype == np.int16:
        return np.asarray(values / np.float32(32768), dtype=np.float32)
    return np.asarray(values, dtype=np.float32)
