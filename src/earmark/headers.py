"""What the first and the last bytes of a recording tell, without a decoder."""

from __future__ import annotations

import os
from typing import BinaryIO

# PCM, float, and either with an extended header: elsewhere the byte rate is not exact.
_PCM_TAGS = (b"\x01\x00", b"\x03\x00", b"\xfe\xff")
# Of an Ogg page.
_MOST_PAGE_BYTES = 27 + 255 + 255 * 255


def is_wav(head: bytes) -> bool:
    """Tell from its first bytes whether a file is a WAV."""
    return head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"


def wav_seconds(head: bytes) -> float | None:
    """Read the length a WAV header promises, seconds; None if there is none, or it was not known yet."""
    if not is_wav(head):
        return None
    at, rate, size_64 = 12, 0, 0
    while at + 8 <= len(head):
        kind, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        body = head[at + 8 : at + 8 + 28]
        if kind == b"ds64":
            size_64 = int.from_bytes(body[8:16], "little")
        elif kind == b"fmt ":
            if body[:2] not in _PCM_TAGS:
                return None
            rate = int.from_bytes(body[4:8], "little") * int.from_bytes(body[12:14], "little")
        elif kind == b"data":
            # Written into a pipe, the size is 0, or close below 2 or 4 GiB.
            unknown = not size or any(0 <= limit - size < 1 << 16 for limit in (1 << 31, 1 << 32))
            size = size_64 if unknown else size
            return size / rate if size and rate else None
        at += 8 + size + size % 2
    return None


def index_comes_last(head: bytes) -> bool:
    """Tell from its first bytes whether an MP4 file has its sound before what tells how to read it."""
    at = 0
    while head[4:8] in (b"ftyp", b"wide", b"mdat") and at + 16 <= len(head):
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if kind in (b"moov", b"mdat"):
            return kind == b"mdat"
        at += max(8, size if size != 1 else int.from_bytes(head[at + 8 : at + 16], "big"))
    return False


def ogg_is_cut(file: BinaryIO) -> bool:
    """Tell whether an Ogg file breaks off before the page that is marked as the last."""
    at = file.tell()
    file.seek(0, os.SEEK_END)
    file.seek(max(at, file.tell() - _MOST_PAGE_BYTES))
    tail = file.read(_MOST_PAGE_BYTES)
    file.seek(at)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    sizes = page[27 : 27 + page[26]] if len(page) > 26 else b""
    whole = len(page) > 26 and len(page) >= 27 + page[26] + sum(sizes)
    return not (whole and page[5] & 4)
