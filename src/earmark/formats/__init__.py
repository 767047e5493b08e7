"""Annotation formats: read a timeline from a file, write one to a file.

``FORMATS`` maps names to formats.  A file name's suffix selects the format; where it does not tell
(RTTM in a ``.txt`` file), name it.  Files are UTF-8 with LF line ends; what a format cannot hold is
said at the top of its module.

Examples
--------
>>> from earmark.formats import dumps, loads
>>> from earmark.timeline import Segment, Timeline
>>> print(dumps(Timeline((Segment(0.5, 2.0, "speech", 0.9),)), "csv"), end="")
start,end,label,confidence
0.500,2.000,speech,0.900
>>> loads("1.0\\t2.5\\tmusic\\n", "audacity").durations()
{'music': 1.5}
"""

from __future__ import annotations

import math
import os
from pathlib import PurePath
from typing import Any

from earmark.errors import AnnotationError, ConfigError
from earmark.files import atomic_write
from earmark.formats import audacity, elan, jams, jsonfile, mirex, rttm, srt, table, textgrid, webvtt
from earmark.formats.base import Format
from earmark.formats.reading import decode_text, is_confidence, read_bytes
from earmark.timeline import Timeline

__all__ = ["FORMATS", "Format", "dumps", "format_of", "loads", "read", "write"]

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (table, jsonfile, rttm, textgrid, elan, audacity, webvtt, srt, jams, mirex)
}


def format_of(path: str | os.PathLike[str], name: str | None = None) -> Format:
    """Return the format with a name or, without one, the format a file name's suffix stands for.

    Raises
    ------
    ConfigError
        If no format has the name.
    AnnotationError
        If no format has the suffix.
    """
    if name is not None:
        if name.lower() not in FORMATS:
            raise ConfigError(f"unknown format '{name}'; choose one of {', '.join(FORMATS)}")
        return FORMATS[name.lower()]
    suffix = PurePath(path).suffix
    for found in FORMATS.values():
        if suffix.lower() in (known.lower() for known in found.suffixes):
            return found
    known = ", ".join(f"{f.name} ({' '.join(f.suffixes)})" for f in FORMATS.values())
    state = f"its suffix '{suffix}' is not known" if suffix else "it has no suffix"
    raise AnnotationError(f"cannot tell the format of '{path}': {state}; name one of {known}")


def loads(data: str | bytes, format: str, origin: str = "input") -> Timeline:
    """Read a timeline from a file's content; `origin` names it in messages.

    Raises
    ------
    AnnotationError
        If the content is wrong; the message says where and how.
    ConfigError
        If no format has the name.
    """
    text = data if isinstance(data, str) else decode_text(data, origin)
    return format_of(origin, format).read(text, origin)


def read(path: str | os.PathLike[str], format: str | None = None) -> Timeline:
    """Read a timeline from a file.

    Parameters
    ----------
    path : path
        The file.
    format : str, optional
        A key of `FORMATS`; by default the suffix decides.

    Returns
    -------
    Timeline
        Overlapping segments of one label are joined; what was left out is said in its warnings.

    Raises
    ------
    AnnotationError
        If the file cannot be read, or its content is wrong; the message says where and how.
    ConfigError
        If no format has the name.
    """
    if format is None and not os.path.exists(path):
        read_bytes(path)  # which says so: what its name lacks does not matter
    chosen = format_of(path, format)
    return loads(read_bytes(path), chosen.name, os.fspath(path))


def dumps(timeline: Timeline, format: str, **options: Any) -> str:
    """Return the text of a timeline in a format.

    Times are rounded to the format's resolution; segments of a label never come to overlap, and none
    becomes empty.

    Parameters
    ----------
    timeline : Timeline
        What to write.
    format : str
        A key of `FORMATS`.
    **options
        See the format's ``write``: ``columns`` of csv, ``model`` of json.

    Raises
    ------
    AnnotationError
        If the format cannot express a label, or a value is no finite number.
    ConfigError
        If the format or an option is not known.
    """
    chosen = format_of("", format)
    for option in options:
        if option not in chosen.options:
            allowed = f"it takes {', '.join(chosen.options)}" if chosen.options else "it takes none"
            raise ConfigError(f"format {chosen.name} has no option '{option}'; {allowed}")
    _check(timeline)
    # Only names of files may still hold lone surrogates: bytes that were no UTF-8.
    return chosen.write(timeline, **options).encode("utf-8", "replace").decode("utf-8")


def write(
    timeline: Timeline, path: str | os.PathLike[str], format: str | None = None, **options: Any
) -> None:
    """Write a timeline to a file, whole or not at all.

    Parameters
    ----------
    timeline : Timeline
        What to write.
    path : path
        The file; an existing one is replaced, folders are made as needed.
    format : str, optional
        A key of `FORMATS`; by default the suffix decides.
    **options
        As for `dumps`.

    Raises
    ------
    AnnotationError
        If the format cannot express the timeline.
    ConfigError
        If the format or an option is not known.
    EarmarkError
        If the file cannot be written.
    """
    data = dumps(timeline, format_of(path, format).name, **options).encode("utf-8")
    with atomic_write(path, binary=True) as file:
        file.write(data)


def _check(timeline: Timeline) -> None:
    for s in timeline:
        if s.confidence is not None and not is_confidence(s.confidence):
            raise AnnotationError(
                f"confidence {s.confidence} of '{s.label}' at {s.start:.3f} s: it must be 0 to 1"
            )
        if s.speech_to_music_db is not None and not math.isfinite(s.speech_to_music_db):
            raise AnnotationError(
                f"speech_to_music_db {s.speech_to_music_db} of '{s.label}' at {s.start:.3f} s: "
                "it must be finite; give None where it is not known"
            )
