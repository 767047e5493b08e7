"""WebVTT: a cue per segment, its text the label in square brackets, as captions mark sounds.

Players show the text of a cue, not its voice tag, so ``[speech]`` is written rather than
``<v speech>``; cues of different labels may overlap, and players stack them.  The file holds neither
confidences, nor the recording's duration, nor labels without a segment.

When reading, the label is the cue's text without tags and brackets or, where no text is left, the
voice; cue settings, identifiers and ``NOTE``, ``STYLE`` and ``REGION`` blocks are passed over.

References
----------
W3C, "WebVTT: The Web Video Text Tracks Format".
"""

from __future__ import annotations

import html
import re

from earmark.formats.base import Format
from earmark.formats.cues import PER_SECOND, blocks, bracketed, check_cues, clock, timing, unbracketed
from earmark.formats.reading import Rows
from earmark.formats.writing import to_units
from earmark.timeline import Timeline

_TAG = re.compile(r"<[^>]*>")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")


def write(timeline: Timeline) -> str:
    """Return a timeline as WebVTT.

    Raises
    ------
    AnnotationError
        If a label cannot be written.
    """
    check_cues(timeline, "webvtt", None)
    cues = ["WEBVTT\n"]
    for start, end, segment in to_units(timeline, PER_SECOND):
        text = html.escape(bracketed(segment.label), quote=False)
        cues.append(f"{clock(start, '.')} --> {clock(end, '.')}\n{text}\n")
    return "\n".join(cues)


def read(text: str, origin: str) -> Timeline:
    """Read WebVTT.

    Raises
    ------
    AnnotationError
        If the header is missing or a cue is wrong.
    """
    rows = Rows(origin)
    found = blocks(text)
    first, header = next(found, (1, [""]))
    if first != 1 or not re.fullmatch(r"WEBVTT(?:[ \t].*)?", header[0]):
        raise rows.error(1, "the header is missing; a WebVTT file begins with WEBVTT")
    # A header may be followed by a cue without a blank line between them.
    at = next((index for index, content in enumerate(header) if "-->" in content), None)
    if at is not None:
        _cue(rows, first + at, header[at:])
    for line, block in found:
        if "-->" not in block[0]:
            if re.fullmatch(r"(?:NOTE|STYLE|REGION)(?:\s.*)?", block[0]):
                continue
            line, block = line + 1, block[1:]
        if not block:
            raise rows.error(
                line - 1, "a block without a timing; give 00:00:01.000 --> 00:00:02.500 and a text"
            )
        _cue(rows, line, block)
    return rows.timeline()


def _cue(rows: Rows, line: int, block: list[str]) -> None:
    start, end = timing(rows, line, block[0])
    text = " ".join(block[1:])
    plain = html.unescape(_TAG.sub("", text)).strip()
    voice = _VOICE.search(text)
    if not plain and voice:
        plain = html.unescape(voice.group(1))
    rows.add(line, start, end, rows.label(line, unbracketed(plain)))


FORMAT = Format("webvtt", (".vtt",), "WebVTT captions", read, write)
