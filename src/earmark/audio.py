"""Reading recordings: any file, address or pipe as a stream of mono blocks at one sample rate.

Channels are averaged here, in the native format; FFmpeg's own down-mix to float raises the level by
3 dB.  Times are those of the container: a late start and gaps become silence.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterable, Iterator
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.frame import AudioFrame

from earmark.clock import EXACT_S, GAP_S, Spans, StreamClock, hms
from earmark.errors import AudioError
from earmark.media import Access, Media, open_media
from earmark.mixdown import FloatArray, Mixer, Stretch, average, to_float
from earmark.samples import TOO_LOUD

SAMPLE_RATE = 16_000
_BLOCK_S = 20.0
# Of live sound.
_LIVE_BLOCK_S = 0.02
# Undecodable packets in a row: fewer at the end are padding or a cut last packet; after more, give up.
_MIN_FAILED, _MAX_FAILED = 3, 20_000
_MAX_RETRIES = 10
# Lengths in headers are rounded: only a larger shortfall is one, seconds and share.
_SHORT_S, _SHORT_SHARE = 0.5, 0.001


def open_audio(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    sample_rate: int = SAMPLE_RATE,
    stream: int = 0,
    timeout: float = 30.0,
    access: Access | None = None,
) -> AudioStream:
    """Open a recording for reading in blocks.

    Parameters
    ----------
    source : str, path or binary file object
        A file (audio or video), an http(s) address, ``"-"`` for standard input, or an open file; a
        file object need not be seekable and is not closed.
    sample_rate : int
        Of the blocks, Hz.
    stream : int
        Which of its audio streams, counting from 0.
    timeout : float
        Seconds a server may take to answer, or to send more.
    access : Access, optional
        How to open it; by default as a recording.

    Raises
    ------
    AudioError
        If it cannot be opened or has no sound that can be decoded.
    """
    if not 1000 <= sample_rate <= 768_000:
        raise AudioError(f"sample rate {sample_rate} Hz: it must be 1000 to 768000; try {SAMPLE_RATE}")
    media = open_media(source, stream, timeout, access)
    return AudioStream(media, sample_rate, live=access is not None and access.live)


def read_audio(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    sample_rate: int = SAMPLE_RATE,
    stream: int = 0,
    timeout: float = 30.0,
) -> tuple[FloatArray, int]:
    """Read a whole recording; see `open_audio`.

    Returns
    -------
    samples : float32, shape=(n_samples,)
    sample_rate : int
    """
    with open_audio(source, sample_rate=sample_rate, stream=stream, timeout=timeout) as audio:
        return np.concatenate(list(audio)), sample_rate


def to_mono(samples: npt.ArrayLike, sample_rate: int = SAMPLE_RATE) -> FloatArray:
    """Average channels as `open_audio` does; where they cancel for a second, take the loudest.

    Parameters
    ----------
    samples : array, shape=(n_channels, n_samples) or (n_samples,)
        Float, or integers, which are divided by their full scale.
    sample_rate : int
        Hz.

    Returns
    -------
    float32, shape=(n_samples,)

    Raises
    ------
    AudioError
        If the array has another shape.
    """
    channels = np.atleast_2d(np.asarray(samples))
    if channels.ndim != 2 or not 0 < len(channels) <= max(64, channels.shape[1]):
        raise AudioError(
            f"got samples of shape {np.shape(samples)}; give (n_channels, n_samples) or (n_samples,)"
        )
    starts = range(0, channels.shape[1], sample_rate)
    pieces = [average(to_float(channels[:, start : start + sample_rate]))[0] for start in starts]
    return np.concatenate([*pieces, np.zeros(0, np.float32)])


class AudioStream:
    """Mono float32 blocks of about 20 s of a recording; iterate once, inside a ``with``.

    Live sound comes in blocks of 20 ms, in which channels are checked for cancelling each other, and nothing
    is put where some is missing.

    Raises `AudioError` while iterating if nothing can be decoded, or a sample is no number.

    Attributes
    ----------
    name : str
        How messages call the recording.
    sample_rate : int
        Of the blocks, Hz.
    duration : float or None
        The container's estimate of the length, seconds.
    n_channels, native_rate : int
        Of the recording.
    codec : str
        E.g. ``"mp3"``.
    warnings : list of str
        What a user should know; complete when the blocks are exhausted.
    missing : float
        Seconds that, by the time stamps, are missing before the end of what was given out; of live sound.
    broken : str or None
        Why it could not be read to its end, if so; known when the blocks are exhausted.
    """

    def __init__(self, media: Media, sample_rate: int, *, live: bool = False) -> None:
        codec = media.stream.codec_context
        self.name = media.name
        self.sample_rate = sample_rate
        self.duration = media.duration
        self.n_channels = codec.layout.nb_channels
        self.native_rate = codec.sample_rate
        self.codec = codec.codec.canonical_name
        self.warnings: list[str] = []
        self._media = media
        self.missing = 0.0
        self.broken: str | None = None
        self._live = live
        self._clock = StreamClock(media.video_starts, follow=live)
        self._cancelled = Spans()
        self._bad = Spans()
        self._failed = 0
        self._blocks = self._read()

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[FloatArray]:
        return self._blocks

    def close(self) -> None:
        """Close what was opened; not a file object that was given."""
        self._blocks.close()
        self._media.resources.close()

    def _read(self) -> Generator[FloatArray, None, None]:
        pieces: list[FloatArray] = []
        size = total = 0
        for piece in self._resampled():
            pieces.append(piece)
            size += len(piece)
            total += len(piece)
            if size and (self._live or size >= _BLOCK_S * self.sample_rate):
                yield np.concatenate(pieces)
                pieces, size = [], 0
        if not total:
            raise AudioError(f"'{self.name}' {self._why_nothing()}")
        if size:
            yield np.concatenate(pieces)
        self.warnings += self._judge()

    def _resampled(self) -> Iterator[FloatArray]:
        """Yield the stretches at the rate asked for."""
        resampler: soxr.ResampleStream | None = None
        native = self.sample_rate
        for stretch in self._stretches():
            self._check(stretch)
            if stretch.rate != native:
                if resampler is not None:
                    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
                native = stretch.rate
                # "HQ" keeps aliases 137 dB down; "MQ" would save 0.03 CPU seconds per hour.
                resampler = None
                if native != self.sample_rate:
                    resampler = soxr.ResampleStream(native, self.sample_rate, 1, quality="HQ")
            samples = stretch.samples
            yield samples.copy() if resampler is None else resampler.resample_chunk(samples)
        if resampler is not None:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _check(self, stretch: Stretch) -> None:
        samples = stretch.samples
        if not math.isfinite(stretch.energy) and not np.isfinite(samples).all():
            second = stretch.start + float(np.argmin(np.isfinite(samples))) / stretch.rate
            raise AudioError(
                f"'{self.name}' holds values that are no numbers (NaN or infinity) at {second:.3f} s; "
                "export it again, e.g. as 16-bit WAV"
            )
        if stretch.energy > TOO_LOUD * len(samples):
            raise AudioError(
                f"'{self.name}' is far above full scale, which is 1.0, at {stretch.start:.0f} s: perhaps it "
                "holds integers stored as floats; divide them by their full scale (32768 for 16 bits)"
            )
        if stretch.cancelled:
            self._cancelled.add(stretch.start, stretch.end)

    def _stretches(self) -> Iterator[Stretch]:
        mixer = Mixer(self.name, _LIVE_BLOCK_S) if self._live else Mixer(self.name)
        clock = self._clock
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError:
                if packet.pts is not None:
                    clock.expect(float(packet.pts * packet.time_base))
                self._failed += 1
                if self._failed > _MAX_FAILED:
                    break
                continue
            if not frames and packet.pts is not None:  # at the start: a lead-in that the decoder leaves out
                clock.expect(max(float(packet.pts * packet.time_base), self._media.start))
            if self._failed and frames:
                before = clock.now
                gap = clock.place(frames[0], EXACT_S)
                self._bad.add(before, before + gap, self._failed)
                self._failed = 0
                yield from self._mixed(mixer, frames.pop(0), gap)
            for frame in frames:
                yield from self._mixed(mixer, frame, clock.place(frame, GAP_S))
        if self._media.reader is not None:
            self._media.reader.check()
        if self._failed >= _MIN_FAILED:
            self.broken = "the rest cannot be decoded"
        yield from mixer.flush()

    def _mixed(self, mixer: Mixer, frame: AudioFrame, gap: float) -> Iterable[Stretch]:
        return self._after_gap(mixer, frame, gap) if gap and self._live else mixer.add(frame, gap)

    def _after_gap(self, mixer: Mixer, frame: AudioFrame, gap: float) -> Iterator[Stretch]:
        yield from mixer.flush()
        self.missing += gap
        yield from mixer.add(frame)

    def _packets(self) -> Iterator[Any]:
        """Demultiplex; go on after damage while more packets come."""
        retries = 0
        while True:
            try:
                for packet in self._media.container.demux(self._media.stream):
                    retries = 0
                    yield packet
                return
            except IndexError:  # PyAV's, at the end, about a stream that appeared later (MPEG-TS)
                return
            except (av.FFmpegError, OSError) as err:
                retries += 1
                if not isinstance(err, av.error.InvalidDataError) or retries > _MAX_RETRIES:
                    self.broken = self._media.explain(err)
                    return

    def _why_nothing(self) -> str:
        if self._failed:
            return (
                f"cannot be decoded (none of {self._failed} {self.codec} packets); it may be damaged or "
                "copy-protected: give an unprotected copy, e.g. WAV or FLAC"
            )
        if self.broken:
            return f"cannot be read: {self.broken}; {self._media.advice}"
        return "holds no sound (0 samples); record or export it again"

    def _judge(self) -> list[str]:
        """Put into words what was met while reading."""
        found = []
        cancelled, bad, gaps, jumps = self._cancelled, self._bad, self._clock.gaps, self._clock.jumps
        if cancelled.count:
            found.append(
                f"the channels cancel each other (opposite phase) between {hms(cancelled.start)} and "
                f"{hms(cancelled.end)}, {cancelled.total:.0f} s in all: there the loudest channel is used"
            )
        if bad.count:
            found.append(
                f"damaged at {hms(bad.start)}{' and later' * (bad.end > bad.start + 60)}: {bad.count} packet"
                f"{'s' * (bad.count > 1)} cannot be decoded, {bad.total:.2f} s are read as silence"
            )
        if gaps.count:
            found.append(
                f"the time stamps leave gaps ({gaps.count}, the first at {hms(gaps.start)}); "
                f"{gaps.total:.2f} s are read as silence"
            )
        if jumps.count:
            found.append(f"the time stamps jump at {hms(jumps.start)}; from there, times count samples only")
        expected = self._media.stated_duration
        if expected is None:
            breaks, reason = self.broken is not None, self.broken
        else:
            missing = expected - self._clock.first - self._clock.length
            breaks = missing > max(_SHORT_S, _SHORT_SHARE * expected)
            reason = f"of an expected {hms(expected)}"
            if self._media.has_video and self._media.stream_duration is None:
                reason = f"the pictures last until {hms(expected)}"
            reason += f"; {self.broken}" if self.broken else ""
        if self._media.is_cut and not breaks:
            breaks, reason = True, "the end of the file is missing"
        if breaks:
            found.append(f"breaks off at {hms(self._clock.now)} ({reason}): what follows is missing")
            if bad.count and not self._media.has_times:
                found[-1] += "; or what is missing was lost at the damage, and later times are early by it"
        return found
