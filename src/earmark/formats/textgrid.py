"""Praat TextGrid: one interval tier per label, so that labels may overlap.

Times have up to 6 decimals.  The duration and labels without a segment (as empty tiers) are kept;
confidences are not.  A TextGrid must have a duration above 0.

Long and short text files are read, in UTF-8 or UTF-16.  The label of an interval is its text, whatever
its tier; a tier without any text names a label that does not occur.  Point tiers are left out with a
warning.

References
----------
Boersma and Weenink, Praat manual, "TextGrid file formats": only free-standing numbers, texts in
quotes and flags in angle brackets count, everything else is for the human reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from earmark.errors import AnnotationError
from earmark.formats.base import Format
from earmark.formats.reading import Rows, shown
from earmark.formats.writing import (
    NOT_IN_TEXT,
    Cell,
    by_label,
    check_labels,
    decimal,
    to_units,
    units_of_duration,
)
from earmark.timeline import Timeline

_PER_SECOND = 1_000_000
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"|(?P<open>")|!.*|(?P<flag><\w+>)|(?P<number>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)|\S+'
)


def write(timeline: Timeline) -> str:
    """Return a timeline as a long TextGrid.

    Raises
    ------
    AnnotationError
        If the duration is 0, or a label cannot be written.
    """
    check_labels(timeline.labels, "textgrid", NOT_IN_TEXT)
    cells = to_units(timeline, _PER_SECOND)
    end = units_of_duration(timeline, cells, _PER_SECOND)
    if not end:
        raise AnnotationError("a timeline of 0 s cannot be written as textgrid; write csv or json")
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0 ",
        f"xmax = {_seconds(end)} ",
        "tiers? <exists> ",
        f"size = {len(timeline.labels)} ",
        "item []: ",
    ]
    for number, (label, of_label) in enumerate(by_label(timeline, cells).items(), start=1):
        intervals = list(_tiled(of_label, end))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier" ',
            f"        name = {_quoted(label)} ",
            "        xmin = 0 ",
            f"        xmax = {_seconds(end)} ",
            f"        intervals: size = {len(intervals)} ",
        ]
        for index, (start, stop, text) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {_seconds(start)} ",
                f"            xmax = {_seconds(stop)} ",
                f"            text = {_quoted(text)} ",
            ]
    return "\n".join(lines) + "\n"


def _tiled(cells: Sequence[Cell], end: int) -> Iterator[tuple[int, int, str]]:
    """Fill the gaps: the intervals of a tier cover it all."""
    at = 0
    for cell in cells:
        if cell.start > at:
            yield at, cell.start, ""
        yield cell.start, cell.end, cell.segment.label
        at = cell.end
    if at < end:
        yield at, end, ""


def _seconds(units: int) -> str:
    return decimal(units, _PER_SECOND).rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class _Tokens:
    """The meaningful parts of a Praat text file, one after the other."""

    def __init__(self, rows: Rows, text: str) -> None:
        self._rows = rows
        self._tokens = self._scan(text)
        self.line = 1

    def _scan(self, text: str) -> Iterator[tuple[int, str, str]]:
        line, at = 1, 0
        for found in _TOKEN.finditer(text):
            line, at = line + text.count("\n", at, found.start()), found.start()
            if found.lastgroup == "open":
                raise self._rows.error(line, 'a text is not closed; end it with "')
            if found.lastgroup is not None:
                yield line, found.lastgroup, found[found.lastgroup]

    def take(self, kind: str, what: str) -> str:
        """Return the next part, which must be a text, number or flag."""
        line, found, value = next(self._tokens, (self.line, "end", ""))
        if found != kind:
            state = "the file ends" if found == "end" else f"there is {shown(value)}"
            raise self._rows.error(line, f"{state} where {what} is expected; is the TextGrid complete?")
        self.line = line
        return value

    def text(self, what: str) -> str:
        return self.take("text", what).replace('""', '"').strip()

    def number(self, what: str) -> float:
        value = self.take("number", what)
        return self._rows.number(self.line, what, value)

    def count(self, what: str) -> int:
        value = self.number(what)
        if value < 0 or value != int(value):
            raise self._rows.error(self.line, f"{what} {value:g} is no count; give 0, 1, 2, ...")
        return int(value)


def read(text: str, origin: str) -> Timeline:
    """Read a TextGrid, long or short.

    Raises
    ------
    AnnotationError
        If the file is no TextGrid, or something in it is wrong.
    """
    rows = Rows(origin)
    tokens = _Tokens(rows, re.sub("\r\n?", "\n", text))
    if not re.match(r'\s*(?:File type = )?"ooTextFile', text):
        raise rows.error(
            1, 'no TextGrid in text form; it begins with File type = "ooTextFile" (save as text in Praat)'
        )
    tokens.text("ooTextFile")
    kind = tokens.text('Object class = "TextGrid"')
    if kind != "TextGrid":
        raise rows.error(tokens.line, f"Praat object {shown(kind)}; give a TextGrid")
    tokens.number("xmin")
    duration = tokens.number("xmax")
    labels: list[str] = []
    if tokens.take("flag", "<exists>") == "<exists>":
        for _ in range(tokens.count("the number of tiers")):
            labels += _tier(rows, tokens)
    if duration < 0:
        raise rows.error(None, f"the TextGrid ends at {duration:g} s; times count from the recording's start")
    return rows.timeline(duration, labels)


def _tier(rows: Rows, tokens: _Tokens) -> list[str]:
    """Read a tier; return its labels, or its name if no interval has one."""
    kind, name = tokens.text("the class of a tier"), tokens.text("the name of a tier")
    if kind not in ("IntervalTier", "TextTier"):
        raise rows.error(tokens.line, f"tier class {shown(kind)}; give an IntervalTier")
    tokens.number("xmin")
    tokens.number("xmax")
    labels: list[str] = []
    for _ in range(tokens.count("the number of intervals")):
        start = tokens.number("the start of an interval")
        line = tokens.line
        if kind == "TextTier":
            tokens.text("the mark of a point")
            rows.skip(line, f"a point of tier {shown(name)}")
            continue
        end, label = tokens.number("the end of an interval"), tokens.text("the text of an interval")
        if label:
            rows.add(line, start, end, label)
            labels.append(label)
    return labels or [name] * (kind == "IntervalTier" and bool(name))


FORMAT = Format("textgrid", (".TextGrid",), "Praat TextGrid, a tier per label", read, write)
