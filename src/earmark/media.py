"""Opening a recording safely, and saying in one line why it cannot be opened or read.

Local files are handed to FFmpeg as open files, never as names: a name that looks like a protocol
stays a name, and a playlist cannot make FFmpeg open anything else.
"""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import av
import av.audio
import av.container
import av.error

from earmark.errors import AudioError
from earmark.files import Interruptible, is_url, open_binary, peek, split_url, spooled
from earmark.headers import index_comes_last, is_wav, ogg_is_cut, wav_seconds
from earmark.stores import is_store

# What an address, or a playlist behind it, may make FFmpeg open.
_PROTOCOLS = "http,https,tcp,tls,httpproxy,crypto"
# Addresses of live sound, and what they are made of.
LIVE_SCHEMES = ("http", "https", "rtsp", "rtmp", "rtp", "udp", "srt")
_LIVE_PROTOCOLS = f"{_PROTOCOLS},rtmp,rtp,udp,srt"
# Little is read ahead of live sound, and a playlist is read from its newest piece.
_LIVE = {"probesize": "131072", "analyzeduration": "1000000"}
_LIVE_URL = {**_LIVE, "live_start_index": "-1"}
_LIVE_HEAD_BYTES = 512
_BUFFER_BYTES = 1 << 16
# FFmpeg looks for DTS and the like in the PCM of a WAV, by default in a megabyte of it: 25 ms a file.
_WAV_PROBE = {"probesize": "32768"}
_DISCARD_ALL = 48
# Formats without a header: FFmpeg multiplies the size by the bit rate of the first packets.
_WITHOUT_LENGTH = ("aac", "ac3", "eac3", "dts")
_ADVICE = "play it to see whether it is whole, or convert it to WAV or FLAC first"
_PIPE_ADVICE = "some formats cannot be read from a pipe: give the file itself, or pipe WAV"
_HUNG_UP = "the server closed the connection too early"
_URL_ADVICE = "download it and give the file"
_DEVICE_ADVICE = "earmark listen --list-devices names those that can be heard"


@dataclass(frozen=True)
class Access:
    """How a source is to be opened.

    Parameters
    ----------
    live : bool
        Read it as it comes, with as little as possible ahead.
    format : str or None
        FFmpeg's name of its format, where nothing in it tells; None: found out.
    options : mapping of str to str
        FFmpeg's options of that format.
    is_device : bool
        The source is a device's name, for FFmpeg alone.
    """

    live: bool = False
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    is_device: bool = False


@dataclass(frozen=True)
class Media:
    """An open container and the audio stream chosen in it.

    Parameters
    ----------
    name : str
        How messages call it.
    container : av.container.InputContainer
        Open for reading.
    stream : av.audio.AudioStream
        Has a decoder.
    promised : float or None
        Length in the header of a WAV, seconds; FFmpeg believes the size of the file instead.
    is_cut : bool
        Whether the end is known to be missing, though no length is written in the file.
    advice : str
        What to do if it cannot be read.
    is_address : bool
        Whether it comes from a server.
    timeout : float
        Seconds a server may take to answer.
    reader : Interruptible or None
        Reads it, where an interruption may come in between.
    resources : ExitStack
        Closes all that was opened.
    """

    name: str
    container: av.container.InputContainer
    stream: av.audio.AudioStream
    promised: float | None
    is_cut: bool
    advice: str
    is_address: bool
    timeout: float
    reader: Interruptible | None
    resources: ExitStack

    @property
    def start(self) -> float:
        """When the container says that the sound starts, seconds in its clock; 0 if it does not say."""
        start = self.stream.start_time
        return 0.0 if start is None or self.stream.time_base is None else float(start * self.stream.time_base)

    @property
    def stream_duration(self) -> float | None:
        """What the container says about the length of the stream, seconds."""
        stream = self.stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        tagged = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip())
        if tagged:
            hours, minutes, seconds = tagged.groups()
            return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        return None

    @property
    def duration(self) -> float | None:
        """Length of the stream, or else of the container, seconds; an estimate."""
        seconds = self.stream_duration
        return (
            self.container.duration / av.time_base if seconds is None and self.container.duration else seconds
        )

    @property
    def stated_duration(self) -> float | None:
        """The length if it is written in the file, seconds; None if it is a guess from size and bit rate."""
        if self.promised is not None:
            return self.promised
        stream, seconds, kind = self.stream, self.duration, self.container.format.name
        bit_rate, size = stream.codec_context.bit_rate, self.container.size
        if kind in _WITHOUT_LENGTH:
            return None
        if kind == "mp3" and stream.duration and stream.time_base:
            # A length from a Xing header is a whole number of samples.
            n_samples = stream.duration * stream.time_base * stream.codec_context.sample_rate
            return seconds if n_samples.denominator == 1 else None
        if seconds and bit_rate and size > 0 and abs(8 * size / bit_rate - seconds) <= 0.002 * seconds:
            return None
        return seconds

    def explain(self, err: Exception) -> str:
        """Say in a few words why reading it broke off."""
        return _HUNG_UP if self.is_address and _hangs_up(err) else explain(err, self.timeout)

    @property
    def has_times(self) -> bool:
        """Whether time stamps are written in the file, so that they are right after damage, too."""
        return self.container.format.name not in ("mp3", *_WITHOUT_LENGTH)

    @property
    def has_video(self) -> bool:
        """Whether there are moving pictures, not just a cover."""
        return bool(self._videos())

    @property
    def video_starts(self) -> list[float]:
        """First times of the video streams, seconds in the container's clock."""
        return [float(s.start_time * s.time_base) for s in self._videos() if s.start_time is not None]

    def _videos(self) -> list[Any]:
        return [s for s in self.container.streams.video if not is_picture(s)]


def open_media(
    source: str | os.PathLike[str] | BinaryIO, stream: int, timeout: float, access: Access | None = None
) -> Media:
    """Open a path, an address, ``"-"`` (standard input) or a binary file object.

    Parameters
    ----------
    source : str, path or binary file object
        The recording.
    stream : int
        Which of its audio streams, counting from 0.
    timeout : float
        Seconds a server may take to answer, or to send more.
    access : Access, optional
        How to open it; by default as a recording.

    Raises
    ------
    AudioError
        If there is no such recording, or no such stream that can be decoded.
    """
    access = access or Access()
    reader: Interruptible | None = None
    with ExitStack() as resources:
        if access.is_device:
            name, promised, is_cut, advice = f"{access.format}:{source}", None, False, _DEVICE_ADVICE
            container = _open_device(str(source), access, name)
        elif isinstance(source, str) and is_url(source) and not is_store(source):
            name, promised, is_cut, advice = _public_name(source, access), None, False, _URL_ADVICE
            container = _open_url(source, name, timeout, access)
        else:
            name, file = open_binary(source, resources)
            head, file = peek(name, file, _LIVE_HEAD_BYTES) if access.live else peek(name, file)
            if not file.seekable() and index_comes_last(head):
                file = spooled(name, file, resources)
            promised, advice = wav_seconds(head), _ADVICE if file.seekable() else _PIPE_ADVICE
            is_cut = head[:4] == b"OggS" and file.seekable() and ogg_is_cut(file)
            # A plain file is read without any Python, which alone can be interrupted.
            reader = None if isinstance(file, io.FileIO) else Interruptible(file)
            try:
                container = _open_container(reader or file, name, advice, access, is_wav(head))
            finally:
                if reader is not None:
                    reader.check()
        resources.callback(container.close)
        chosen = _choose_stream(container, stream, name)
        chosen.codec_context.thread_count = 1  # more threads cost CPU time and decode sound no faster
        for other in container.streams:
            if other.index != chosen.index:
                with suppress(AttributeError):  # older PyAV cannot: slower, nothing else
                    other.discard = _DISCARD_ALL  # type: ignore[assignment]
        is_address = advice == _URL_ADVICE
        return Media(
            name,
            container,
            chosen,
            promised,
            is_cut,
            advice,
            is_address,
            timeout,
            reader,
            resources.pop_all(),
        )
    raise AssertionError("unreachable")


def is_picture(video: Any) -> bool:
    """Tell a cover picture from a video stream."""
    return "attached_pic" in str(video.disposition)


def explain(err: Exception, timeout: float) -> str:
    """Say in a few words what an error of FFmpeg or of the system means."""
    if isinstance(err, (av.error.ExitError, TimeoutError)):
        return f"no data came within {timeout:g} s; try again later"
    if isinstance(err, av.error.HTTPNotFoundError):
        return "the server has no such file (404); check the address"
    if isinstance(err, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return "the server does not allow it (401 or 403); download it with your account and give the file"
    if isinstance(err, (av.error.HTTPClientError, av.error.HTTPError)):
        return f"the server refused ({err.strerror}); try again later or check the address"
    if isinstance(err, av.error.InvalidDataError):
        return "it is no audio or video, or its header is damaged"
    if isinstance(err, EOFError):
        return "it ends before any sound"
    return getattr(err, "strerror", None) or str(err) or type(err).__name__


def _open_url(url: str, name: str, timeout: float, access: Access) -> av.container.InputContainer:
    options = {"rw_timeout": str(int(timeout * 1e6)), **(_LIVE_URL if access.live else {})}
    is_web = split_url(url, LIVE_SCHEMES).scheme.lower() in ("http", "https")
    options["protocol_whitelist"] = _PROTOCOLS if is_web else _LIVE_PROTOCOLS
    try:
        return av.open(url, "r", container_options=options, metadata_errors="replace", timeout=timeout)
    except (av.FFmpegError, OSError) as err:
        raise AudioError(f"'{name}' cannot be opened: {_explain_url(err, timeout)}") from err


def _open_device(device: str, access: Access, name: str) -> av.container.InputContainer:
    try:
        return av.open(device, "r", format=access.format, container_options=dict(access.options))
    except (av.FFmpegError, OSError) as err:
        raise AudioError(f"device '{name}' cannot be opened ({explain(err, 0)}); {_DEVICE_ADVICE}") from err


def _open_container(
    file: Interruptible | BinaryIO, name: str, advice: str, access: Access, wav: bool
) -> av.container.InputContainer:
    # "none" is no protocol: nothing but the file itself may be read. WAV is read in larger packets, unless
    # it is to be heard at once.
    probe = _LIVE if access.live else _WAV_PROBE if wav else {}
    options = {"protocol_whitelist": "none", **probe, **access.options}
    if access.format is None:
        options["max_size"] = "2048" if access.live else "16384"
    try:
        # Tags in an unknown encoding must not keep a recording from being read.
        return av.open(
            file,
            "r",
            format=access.format,
            container_options=options,
            metadata_errors="replace",
            buffer_size=_BUFFER_BYTES,
        )
    except av.error.PermissionError as err:
        raise AudioError(f"'{name}' refers to other files; give those files themselves") from err
    except (av.FFmpegError, OSError) as err:
        raise AudioError(f"'{name}' cannot be read: {explain(err, 0)}; {advice}") from err


def _public_name(url: str, access: Access) -> str:
    """Return an address fit for messages, i.e. without a password."""
    parts = split_url(url, LIVE_SCHEMES) if access.live else split_url(url)
    return url.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1) if "@" in parts.netloc else url


def _hangs_up(err: Exception) -> bool:
    """Tell FFmpeg's word for a connection that is closed before all that was promised has come."""
    return isinstance(err, OSError) and err.errno == errno.EIO


def _explain_url(err: Exception, timeout: float) -> str:
    if _hangs_up(err):  # FFmpeg does not tell one from the other
        return f"there is no such server, or {_HUNG_UP}; check the address, or try again later"
    known = (av.error.ExitError, TimeoutError, av.error.HTTPError, av.error.HTTPClientError)
    if isinstance(err, OSError) and not isinstance(err, known):
        return f"the server cannot be reached ({err.strerror}); check the address and the connection"
    if isinstance(err, av.error.ProtocolNotFoundError):
        return (
            "this installation of PyAV cannot reach such addresses; download the recording and give the file"
        )
    return explain(err, timeout) if isinstance(err, known) else f"{explain(err, timeout)}; check the address"


def _choose_stream(container: av.container.InputContainer, number: int, name: str) -> av.audio.AudioStream:
    streams = container.streams.audio
    if not streams:
        kinds = ["picture" if s.type == "video" and is_picture(s) else s.type for s in container.streams]
        found = f"{' and '.join(dict.fromkeys(kinds))} only" if kinds else "nothing at all"
        raise AudioError(f"'{name}' has no audio ({found}); give a recording with sound")
    if not 0 <= number < len(streams):
        raise AudioError(f"'{name}' has no audio stream {number}; choose 0 to {len(streams) - 1}")
    stream = streams[number]
    if stream.codec_context is None:
        raise AudioError(
            f"'{name}': no decoder for its sound; it is copy-protected (bought music) or of a rare codec: "
            "give an unprotected copy, e.g. WAV or FLAC"
        )
    return stream
