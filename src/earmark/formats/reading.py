"""What the readers of annotation formats share: text from bytes, checked entries, errors with their place."""

from __future__ import annotations

import codecs
import math
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earmark.errors import AnnotationError
from earmark.timeline import Segment, Timeline

# Means of 32-bit posteriors may exceed 1 by a rounding error.
_CONFIDENCE_SLACK = 1e-6


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a file's content.

    Raises
    ------
    AnnotationError
        If it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as err:
        raise AnnotationError(
            f"cannot read '{path}': {(err.strerror or str(err)).lower()}; check the path and its permissions"
        ) from err


def read_standard_input() -> bytes:
    """Return all that is piped into standard input.

    Raises
    ------
    AnnotationError
        If it is closed.
    """
    if sys.stdin is None:
        raise AnnotationError("standard input is closed; pipe an annotation into it, or give a file")
    return sys.stdin.buffer.read()


def decode_text(data: bytes, origin: str) -> str:
    """Turn a file's bytes into text: UTF-8, or UTF-16 where a byte order mark says so.

    Raises
    ------
    AnnotationError
        If the bytes are neither, or hold NUL characters as binary files do.
    """
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise AnnotationError(
            f"'{origin}' line {line}: byte {err.start} is not {'UTF-16' if marked else 'UTF-8'} text; "
            "save the file as UTF-8, or check that it is an annotation file"
        ) from err
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise AnnotationError(
            f"'{origin}' line {line}: the file is binary; give an annotation file in text form"
        )
    return text


def split_lines(text: str) -> list[str]:
    """Split at LF, CRLF and CR, and at nothing else (`str.splitlines` knows more)."""
    return re.split("\r\n|\r|\n", text)


def shown(value: object) -> str:
    """Return a value as it may stand in a one-line message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass
class Rows:
    """Collects what a reader finds; `where` is a line number or a few words.

    Entries of no length are left out with a warning; entries of a label that overlap are joined.
    """

    origin: str
    _segments: list[Segment] = field(default_factory=list)
    _skipped: dict[str, list[int | str]] = field(default_factory=dict)

    def error(self, where: int | str | None, what: str) -> AnnotationError:
        """Return the error to raise, its place before it."""
        return AnnotationError(f"'{self.origin}'{_place(where)}: {what}")

    def skip(self, where: int | str, what: str) -> None:
        """Note that something was left out; the like of it makes one warning."""
        self._skipped.setdefault(what, []).append(where)

    def number(
        self, where: int | str | None, name: str, value: object, usual: str = "seconds, e.g. 12.5"
    ) -> float:
        """Return a finite number from text, or from a number as JSON gives it."""
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float) or "_" in str(value):
                raise ValueError
            found = float(value)
            if not math.isfinite(found):
                raise ValueError
        except (ValueError, OverflowError):
            raise self.error(where, f"{name} {shown(value)} is not a number; give {usual}") from None
        return found

    def confidence(self, where: int | str, value: object) -> float:
        """Return a confidence from text or a number."""
        found = self.number(where, "confidence", value, usual="0 to 1")
        if not is_confidence(found):
            raise self.error(where, f"confidence {found:g} is out of range; give 0 to 1")
        return found

    def add(
        self,
        where: int | str,
        start: float,
        end: float,
        label: str,
        confidence: float | None = None,
        speech_to_music_db: float | None = None,
    ) -> None:
        """Add an entry, times in seconds."""
        if start < 0:
            raise self.error(where, f"start {start:g} s is below 0; times count from the recording's start")
        if end < start:
            raise self.error(
                where, f"the end, {end:g} s, is before the start, {start:g} s; correct the times"
            )
        if end == start:
            self.skip(where, "an entry without length")
            return
        self._segments.append(Segment(start, end, label, confidence, speech_to_music_db))

    def label(self, where: int | str, text: str) -> str:
        """Return a label without the white space around it; an empty one is an error."""
        if not text.strip():
            raise self.error(where, "the label is empty; name what is heard, e.g. speech")
        return text.strip()

    def timeline(
        self,
        duration: float | None = None,
        labels: Iterable[str] = (),
        source: str | None = None,
        warnings: Sequence[str] = (),
    ) -> Timeline:
        """Return what was collected; a duration that is too short is raised, with a warning."""
        segments = Timeline.merged(self._segments, touching=False).segments
        notes = [
            f"'{self.origin}'{_place(places[0])}: {what} was left out"
            + (f", and {len(places) - 1} more like it" if len(places) > 1 else "")
            for what, places in self._skipped.items()
        ]
        end = max((s.end for s in segments), default=0.0)
        if duration is not None and end > duration + 1e-6:
            notes.append(
                f"'{self.origin}': an entry ends at {end:.3f} s, after the stated duration of "
                f"{duration:.3f} s, which was raised"
            )
            duration = end
        return Timeline(segments, duration, labels, source, (*warnings, *notes))


def is_confidence(value: float) -> bool:
    """Tell whether a value lies in 0 to 1, up to a rounding error."""
    return -_CONFIDENCE_SLACK <= value <= 1 + _CONFIDENCE_SLACK


def _place(where: int | str | None) -> str:
    if where is None:
        return ""
    return f" line {where}" if isinstance(where, int) else f" {where}"
