"""CSV: the header ``start,end,label,confidence``, then a row per segment, sorted by start.

Seconds and confidences have 3 decimals; a confidence that is not known is empty.  The file does not
hold the recording's duration, nor labels without a segment, nor warnings; `columns` may add
``duration`` (of the segment), ``speech_to_music_db`` and ``source``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from earmark.errors import ConfigError
from earmark.formats.base import Format
from earmark.formats.reading import Rows, shown
from earmark.formats.writing import NOT_IN_TEXT, Cell, check_labels, decimal, to_units
from earmark.timeline import Timeline

COLUMNS = ("start", "end", "label", "confidence", "duration", "speech_to_music_db", "source")
DEFAULT_COLUMNS = COLUMNS[:4]
_PER_SECOND = 1_000


def write(timeline: Timeline, columns: Sequence[str] = DEFAULT_COLUMNS) -> str:
    """Return a timeline as CSV.

    Parameters
    ----------
    timeline : Timeline
        What to write.
    columns : sequence of str
        Some of `COLUMNS`, in the wanted order.

    Raises
    ------
    ConfigError
        If a column is not known, or none is given.
    AnnotationError
        If a label cannot be written.
    """
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown or not columns or len(set(columns)) < len(columns):
        raise ConfigError(f"columns {shown(','.join(columns))}: give some of {','.join(COLUMNS)}, each once")
    check_labels((s.label for s in timeline), "csv", NOT_IN_TEXT)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for cell in to_units(timeline, _PER_SECOND):
        row = _row(cell, timeline.source)
        writer.writerow([row[name] for name in columns])
    return text.getvalue()


def _row(cell: Cell, source: str | None) -> dict[str, str]:
    s = cell.segment
    return {
        "start": decimal(cell.start, _PER_SECOND),
        "end": decimal(cell.end, _PER_SECOND),
        "label": s.label,
        "confidence": "" if s.confidence is None else f"{s.confidence:.3f}",
        "duration": decimal(cell.end - cell.start, _PER_SECOND),
        "speech_to_music_db": "" if s.speech_to_music_db is None else f"{s.speech_to_music_db:.2f}",
        "source": source or "",
    }


def read(text: str, origin: str) -> Timeline:
    """Read CSV whose header names at least start, end and label, in any order; other columns may follow.

    Raises
    ------
    AnnotationError
        If the header or a row is wrong.
    """
    rows = Rows(origin)
    table = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    header: dict[str, int] | None = None
    sources: set[str] = set()
    try:
        for row in table:
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = _header(rows, table.line_num, row)
            else:
                _segment(rows, table.line_num, header, row)
                sources.add(_cell(header, row, "source"))
    except csv.Error as err:
        raise rows.error(table.line_num, f"no valid CSV ({err}); check the quotes") from err
    if header is None:
        raise rows.error(1, "the header is missing; begin with start,end,label,confidence")
    return rows.timeline(source=sources.pop() or None if len(sources) == 1 else None)


def _header(rows: Rows, line: int, row: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in row]
    if missing := [name for name in ("start", "end", "label") if name not in names]:
        raise rows.error(
            line,
            f"the header lacks {', '.join(missing)}, it is {shown(','.join(row))}; "
            "name the columns start,end,label, separated by commas",
        )
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise rows.error(line, f"the header has the column {twice[0]} more than once; keep one")
    return {name: index for index, name in enumerate(names)}


def _cell(header: dict[str, int], row: list[str], name: str) -> str:
    index = header.get(name, len(row))
    return row[index].strip() if index < len(row) else ""


def _segment(rows: Rows, line: int, header: dict[str, int], row: list[str]) -> None:
    start, end = (rows.number(line, name, _cell(header, row, name)) for name in ("start", "end"))
    confidence, ratio = (_cell(header, row, name) for name in ("confidence", "speech_to_music_db"))
    rows.add(
        line,
        start,
        end,
        rows.label(line, _cell(header, row, "label")),
        rows.confidence(line, confidence) if confidence else None,
        rows.number(line, "speech_to_music_db", ratio, usual="dB, e.g. 6.5") if ratio else None,
    )


FORMAT = Format("csv", (".csv",), "table: start, end, label, confidence", read, write, ("columns",))
