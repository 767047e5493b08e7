"""SubRip (.srt): a numbered cue per segment, its text the label in square brackets.

Cues of different labels may overlap.  The file holds neither confidences, nor the recording's
duration, nor labels without a segment.  When reading, numbers may be missing, and formatting marks
(``<i>``, ``{\\an8}``) and brackets around the text are taken away.
"""

from __future__ import annotations

import re

from earmark.formats.base import Format
from earmark.formats.cues import PER_SECOND, blocks, bracketed, check_cues, clock, timing, unbracketed
from earmark.formats.reading import Rows
from earmark.formats.writing import to_units
from earmark.timeline import Timeline

_MARKUP = re.compile(r"</?(?:b|i|u|s|font)\b[^>]*>|\{\\[^}]*\}", re.IGNORECASE)


def write(timeline: Timeline) -> str:
    """Return a timeline as SubRip.

    Raises
    ------
    AnnotationError
        If a label cannot be written.
    """
    check_cues(timeline, "srt", _MARKUP)
    return "\n".join(
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{bracketed(segment.label)}\n"
        for number, (start, end, segment) in enumerate(to_units(timeline, PER_SECOND), start=1)
    )


def read(text: str, origin: str) -> Timeline:
    """Read SubRip.

    Raises
    ------
    AnnotationError
        If a cue is wrong.
    """
    rows = Rows(origin)
    for line, block in blocks(text):
        if len(block) > 1 and block[0].strip().isdigit():
            line, block = line + 1, block[1:]
        start, end = timing(rows, line, block[0])
        plain = _MARKUP.sub("", " ".join(block[1:])).strip()
        rows.add(line, start, end, rows.label(line, unbracketed(plain)))
    return rows.timeline()


FORMAT = Format("srt", (".srt",), "SubRip captions", read, write)
