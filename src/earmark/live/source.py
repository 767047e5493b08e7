"""What can be listened to, by how it is written: an address, a device, a pipe or a file.

https://example.org/live.m3u8      an address: HLS, Icecast, or whatever else FFmpeg plays
alsa:default                       a device, as FORMAT:NAME
-                                  standard input, of any format, or raw samples (`Pcm`)
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import av

from earmark.audio import AudioStream, open_audio
from earmark.errors import ConfigError
from earmark.files import is_url
from earmark.media import Access

# FFmpeg's formats that are devices, and what records from them into a pipe.
_DEVICES = {
    "alsa": "arecord -f S16_LE -r 16000 -c 1 -t raw",
    "pulse": "parec --format=s16le --rate=16000 --channels=1",
    "oss": "arecord -f S16_LE -r 16000 -c 1 -t raw",
    "avfoundation": "sox -d -t raw -e signed -b 16 -r 16000 -c 1 -",
    "dshow": "ffmpeg -f dshow -i audio=NAME -f s16le -ac 1 -ar 16000 -",
}
_PCM_FORMATS = ("u8", "s16le", "s16be", "s24le", "s32le", "f32le", "mulaw", "alaw")
_PCM_USAGE = "give RATE/FORMAT/CHANNELS, e.g. 16000/s16le/1"
# Where Linux keeps what ALSA needs to know; the one inside PyAV does not find it by itself.
_ALSA_CONFIG = "/usr/share/alsa/alsa.conf"


@dataclass(frozen=True)
class Pcm:
    """Raw samples.

    Parameters
    ----------
    rate : int
        Hz.
    format : str
        FFmpeg's name, e.g. ``"s16le"``.
    channels : int
    """

    rate: int
    format: str
    channels: int

    @classmethod
    def parse(cls, text: str) -> Pcm:
        """Read ``RATE/FORMAT/CHANNELS``; raises `ConfigError` if it is something else."""
        parts = re.fullmatch(r"(\d+)/(\w+)/(\d+)", text.strip())
        if parts is None:
            raise ConfigError(f"--pcm {text}: {_PCM_USAGE}")
        rate, kind, channels = int(parts[1]), parts[2].lower(), int(parts[3])
        if not 1000 <= rate <= 768_000:
            raise ConfigError(f"--pcm {text}: the rate {rate} Hz must be 1000 to 768000; {_PCM_USAGE}")
        if kind not in _PCM_FORMATS:
            raise ConfigError(f"--pcm {text}: '{kind}' is none of the formats {', '.join(_PCM_FORMATS)}")
        if not 1 <= channels <= 64:
            raise ConfigError(f"--pcm {text}: {channels} channels must be 1 to 64; {_PCM_USAGE}")
        return cls(rate, kind, channels)


@dataclass(frozen=True)
class Source:
    """Something to listen to; make one with `Source.parse`.

    Parameters
    ----------
    text : str
        As it was given.
    name : str
        As messages call it, without a password.
    target : str
        What is opened: the text, or the device's name.
    access : Access
        How it is opened.
    is_device : bool
        It does not wait for its reader.
    is_address : bool
        It may be opened again when it breaks off.
    timeout : float
        Seconds a server may take to answer, or to send more.
    """

    text: str
    name: str
    target: str
    access: Access
    is_device: bool
    is_address: bool
    timeout: float

    @classmethod
    def parse(cls, text: str, pcm: Pcm | None = None, timeout: float = 30.0) -> Source:
        """Tell what is meant.

        Raises
        ------
        ConfigError
            If the device's kind is not known to this installation, or raw samples are said to come from
            what tells its format itself.
        """
        name = re.sub(r"(?<=://)[^/]*@", "", text)
        kind, colon, target = text.partition(":")
        is_device = bool(colon) and kind in _DEVICES and not os.path.exists(text)
        is_address = not is_device and is_url(text)
        if pcm is not None and (is_device or is_address):
            raise ConfigError(
                f"--pcm says what raw samples in a pipe or file are; '{name}' tells that itself"
            )
        if is_device:
            _check_device(kind, target)
            return cls(text, name, target, Access(True, kind, {}, True), True, True, timeout)
        access = Access(live=True)
        if pcm is not None:
            layout = {1: "mono", 2: "stereo"}.get(pcm.channels, f"{pcm.channels}C")
            access = Access(True, pcm.format, {"sample_rate": str(pcm.rate), "ch_layout": layout})
        return cls(text, "standard input" if text == "-" else name, text, access, False, is_address, timeout)

    @property
    def is_recording(self) -> bool:
        """Whether it is a file, or a file as standard input, which has nothing to do with the time of day."""
        if self.is_device or self.is_address:
            return False
        try:
            mode = os.fstat(sys.stdin.fileno()) if self.text == "-" else os.stat(self.text)
        except (OSError, ValueError, AttributeError):
            return False
        return stat.S_ISREG(mode.st_mode)

    def open(self, sample_rate: int) -> AudioStream:
        """Open it; raises `AudioError` if that fails."""
        if self.access.format == "alsa" and os.path.exists(_ALSA_CONFIG):
            os.environ.setdefault("ALSA_CONFIG_PATH", _ALSA_CONFIG)
        return open_audio(self.target, sample_rate=sample_rate, timeout=self.timeout, access=self.access)


def list_devices() -> list[tuple[str, str]]:
    """Return (what to listen to, description) of the devices that can be found."""
    found = []
    for kind in _DEVICES:
        if kind not in av.formats_available:
            continue
        if kind == "alsa":
            found += _alsa_devices()
            continue
        try:
            devices = av.enumerate_input_devices(kind)
        except (AttributeError, av.FFmpegError, OSError, ValueError):  # older PyAV, or none can be listed
            continue
        prefix = {"avfoundation": "avfoundation::", "dshow": "dshow:audio="}.get(kind, f"{kind}:")
        found += [
            (f"{prefix}{device.name}", device.description)
            for device in devices
            if kind != "dshow" or "audio" in device.media_types
        ]
    return found


def _alsa_devices() -> list[tuple[str, str]]:
    """Read what the kernel says of its sound cards; FFmpeg's own list needs ALSA's hints."""
    try:
        lines = Path("/proc/asound/pcm").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        where, _, rest = line.partition(": ")
        card, _, device = where.partition("-")
        if "capture" in rest:
            found.append((f"alsa:plughw:{int(card)},{int(device)}", rest.split(" : ")[0]))
    return [("alsa:default", "what the system takes as default"), *found] if found else []


def _check_device(kind: str, target: str) -> None:
    if kind not in av.formats_available:
        there = [name for name in _DEVICES if name in av.formats_available]
        raise ConfigError(
            f"this installation of PyAV has no '{kind}' (it has {', '.join(there) or 'no devices'}); record "
            f"into a pipe instead: {_DEVICES[kind]} | earmark listen - --pcm 16000/s16le/1"
        )
    if not target:
        raise ConfigError(f"'{kind}:' names no device; earmark listen --list-devices names some")
