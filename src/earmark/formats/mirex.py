"""MIREX segments: ``onset<tab>offset<tab>label``, seconds with 6 decimals, as mir_eval reads them.

The file holds neither confidences, nor the recording's duration, nor labels without a segment.  When
reading, columns may also be separated by blanks, and ``#`` begins a comment line.
"""

from __future__ import annotations

from earmark.formats.audacity import add_labelled, tab_separated
from earmark.formats.base import Format
from earmark.formats.reading import Rows, shown, split_lines
from earmark.formats.writing import NOT_IN_LINES, check_labels
from earmark.timeline import Timeline


def write(timeline: Timeline) -> str:
    """Return a timeline as MIREX segments.

    Raises
    ------
    AnnotationError
        If a label holds a tab or a line break.
    """
    check_labels((s.label for s in timeline), "mirex", NOT_IN_LINES)
    return tab_separated(timeline)


def read(text: str, origin: str) -> Timeline:
    """Read MIREX segments.

    Raises
    ------
    AnnotationError
        If a line is wrong.
    """
    rows = Rows(origin)
    for line, content in enumerate(split_lines(text), start=1):
        stripped = content.strip()
        if not stripped or stripped.startswith("#"):
            continue
        fields = stripped.split("\t", 2) if "\t" in stripped else stripped.split(None, 2)
        if len(fields) < 2:
            raise rows.error(line, f"{shown(content)} is one field; give onset, offset and label")
        add_labelled(rows, line, fields)
    return rows.timeline()


FORMAT = Format("mirex", (".tsv", ".lab"), "MIREX segments: onset, offset, label", read, write)
