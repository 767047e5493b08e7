"""Pieces of a recording to be played: decoded where they begin, at the places where `detect` hears them."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from earmark.clock import EXACT_S, GAP_S
from earmark.errors import AudioError
from earmark.media import Media, open_media

Samples = npt.NDArray[np.int16]

LONGEST_S = 30.0
# Decoders need sound before the first sample that is right; what is further ahead is sought.
_LEAD_S, _NEAR_S = 1.0, 10.0
_TIMEOUT_S = 30.0


class Player:
    """A recording from which pieces are read, in any order; following each other they cost least.

    Raises `AudioError` if it cannot be read.

    Parameters
    ----------
    source : str
        A file.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._media: Media | None = None
        self._frames: Iterator[tuple[float, AudioFrame]] = iter(())
        self._again: tuple[float, AudioFrame] | None = None
        self._open()

    def close(self) -> None:
        """Close the file."""
        if self._media is not None:
            self._media.resources.close()
            self._media = None

    @property
    def rate(self) -> int:
        """Of the recording, Hz."""
        return self._opened.stream.codec_context.sample_rate

    @property
    def n_channels(self) -> int:
        """One or two; of more, two are made."""
        return min(2, self._opened.stream.codec_context.layout.nb_channels)

    def read(self, start: float, seconds: float) -> Samples:
        """Return the samples of ``[start, start + seconds)``, shape=(n, n_channels), as far as there are any.

        Where time stamps leave a gap, there is silence.
        """
        self._go_to(start)
        n, beginning = round(seconds * self.rate), round(start * self.rate)
        found = np.zeros((n, self.n_channels), np.int16)
        layout = "stereo" if self.n_channels == 2 else "mono"
        resampler = AudioResampler(format="s16", layout=layout, rate=self.rate)
        heard = 0
        while (following := self._following()) is not None:
            time, frame = following
            at = round(time * self.rate) - beginning
            if at + frame.samples > 0:
                for part in resampler.resample(frame):
                    block = part.to_ndarray().reshape(-1, self.n_channels)
                    first = max(0, -at)
                    last = min(len(block), n - at)
                    if first < last:
                        found[at + first : at + last] = block[first:last]
                        heard = max(heard, at + last)
                    at += len(block)
            self._next = time + frame.samples / frame.sample_rate
            if self._next >= start + seconds:
                # The frame reaches beyond: it is wanted again by the piece that follows.
                self._again = (time, frame)
                return found
        self._frames = iter(())
        self._next = math.inf
        return found[:heard]

    @property
    def _opened(self) -> Media:
        assert self._media is not None
        return self._media

    def _open(self) -> None:
        self.close()
        self._media = open_media(self.source, 0, _TIMEOUT_S)
        self._zero: float | None = None
        # Where the second frame begins, and how long it lasts, seconds.
        self._second = 0.0
        self._grid: tuple[float, float] | None = None
        self._again = None
        self._next = 0.0
        self._frames = self._decoded(0.0)

    def _go_to(self, start: float) -> None:
        """Make the frames go on at or before a time."""
        reached = self._next if self._again is None else self._again[0]
        if reached <= start < reached + _NEAR_S:
            return
        self._again = None
        media = self._opened
        if media.has_times and self._zero is not None and self._sought(media, start):
            return
        if start < self._next or self._zero is None:
            self._open()
        self._frames = self._decoded(start - _LEAD_S)

    def _sought(self, media: Media, start: float) -> bool:
        """Seek in a file whose time stamps can be trusted; tell whether that brought us before `start`."""
        assert self._zero is not None
        base = media.stream.time_base
        target = max(0.0, start - _LEAD_S) + self._zero
        try:
            media.container.seek(int(target / float(base or 1)), stream=media.stream, backward=True)
            frames = self._decoded(0.0)
            first = next(frames, None)
        except (av.FFmpegError, OSError):
            first = None
        if first is None or first[0] > max(start - _LEAD_S / 2, 0.001):
            self._next = math.inf  # seeking led astray: from the beginning, then
            return False
        self._again, self._frames = first, frames
        return True

    def _following(self) -> tuple[float, AudioFrame] | None:
        """Return the next frame and its time."""
        again, self._again = self._again, None
        return again or next(self._frames, None)

    def _decoded(self, since: float) -> Iterator[tuple[float, AudioFrame]]:
        """Yield frames and their times; packets before `since`, and not the first two, are not decoded.

        Samples are counted on, as for `detect`; time stamps count where that began, and after gaps.
        """
        media = self._opened
        following, tolerance = math.nan, GAP_S
        try:
            for packet in media.container.demux(media.stream):
                if self._grid is not None and packet.pts is not None and packet.time_base is not None:
                    assert self._zero is not None
                    ends = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._zero
                    if ends < since:
                        following = math.nan
                        continue
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    tolerance = EXACT_S
                    continue
                for frame in frames:
                    if not isinstance(frame, AudioFrame):
                        continue
                    placed = self._place(frame, following, tolerance)
                    following, tolerance = placed + frame.samples / frame.sample_rate, GAP_S
                    yield placed, frame
        except (av.FFmpegError, OSError, IndexError):
            return  # it breaks off here, as it does for `detect`

    def _place(self, frame: AudioFrame, following: float, tolerance: float) -> float:
        """Return the time of a frame that follows what ends at a time (not a number: not known)."""
        time, media = frame.time, self._opened
        if self._zero is None:
            time = 0.0 if time is None else time
            self._zero = min([time, *media.video_starts])
            placed = time - self._zero if time - self._zero > EXACT_S else 0.0
            self._second = placed + frame.samples / frame.sample_rate
            return placed
        if self._grid is None:
            self._grid = (self._second, frame.samples / frame.sample_rate)
        if time is None:
            return 0.0 if math.isnan(following) else following
        stamped = time - self._zero
        if abs(stamped - following) <= tolerance:
            return following
        tick = float(media.stream.time_base or 0)
        if tick * frame.sample_rate > 1:  # stamps are rounded, to milliseconds say; frames are not
            second, lasts = self._grid
            exact = second + round((stamped - second) / lasts) * lasts
            if abs(exact - stamped) <= tick:
                return exact
        return stamped


def to_wav(samples: Samples, rate: int) -> bytes:
    """Return 16-bit samples, shape=(n, n_channels), as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(samples.shape[1])
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def check_piece(start: float, seconds: float) -> None:
    """Refuse a piece that is none, or too long; raises `AudioError`."""
    if not (0 <= start < math.inf and 0 < seconds <= LONGEST_S):
        raise AudioError(
            f"from {start:g} s, {seconds:g} s: a piece begins at 0 or later and lasts up to {LONGEST_S:g} s"
        )
