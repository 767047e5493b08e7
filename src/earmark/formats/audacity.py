"""Audacity label track: ``start<tab>end<tab>label``, seconds with 6 decimals.

The file holds neither confidences, nor the recording's duration, nor labels without a segment.  When
reading, point labels are left out with a warning, and lines with a frequency range (they begin with a
backslash) are passed over.

References
----------
Audacity manual, "Importing and Exporting Labels".
"""

from __future__ import annotations

from earmark.formats.base import Format
from earmark.formats.reading import Rows, shown, split_lines
from earmark.formats.writing import NOT_IN_LINES, check_labels, decimal, to_units
from earmark.timeline import Timeline

_PER_SECOND = 1_000_000


def write(timeline: Timeline) -> str:
    """Return a timeline as a label track.

    Raises
    ------
    AnnotationError
        If a label holds a tab or a line break.
    """
    check_labels((s.label for s in timeline), "audacity", NOT_IN_LINES)
    return tab_separated(timeline)


def tab_separated(timeline: Timeline) -> str:
    """Return ``start<tab>end<tab>label`` lines, seconds with 6 decimals."""
    return "".join(
        f"{decimal(start, _PER_SECOND)}\t{decimal(end, _PER_SECOND)}\t{segment.label}\n"
        for start, end, segment in to_units(timeline, _PER_SECOND)
    )


def read(text: str, origin: str) -> Timeline:
    """Read a label track.

    Raises
    ------
    AnnotationError
        If a line is wrong.
    """
    rows = Rows(origin)
    for line, content in enumerate(split_lines(text), start=1):
        if not content.strip() or content.startswith("\\"):
            continue
        fields = content.split("\t", 2)
        if len(fields) < 2:
            raise rows.error(
                line, f"{shown(content)} has no tab; give start, end and label, separated by tabs"
            )
        add_labelled(rows, line, fields)
    return rows.timeline()


def add_labelled(rows: Rows, line: int, fields: list[str]) -> None:
    """Add an entry from start, end and, unless it has no length, label."""
    start, end = (
        rows.number(line, name, field) for name, field in zip(("start", "end"), fields, strict=False)
    )
    label = fields[2] if len(fields) > 2 else ""
    rows.add(line, start, end, label.strip() if start == end else rows.label(line, label))


FORMAT = Format("audacity", (".txt",), "Audacity label track", read, write)
