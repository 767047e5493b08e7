"""What the writers of annotation formats share: times in whole units, and labels a format can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlsplit

from earmark.errors import AnnotationError
from earmark.formats.reading import shown
from earmark.timeline import Segment, Timeline

# Characters a label may not have: in formats of one line an entry, in formats with quoted text or
# markup, and in JSON.  Lone surrogates have no UTF-8 form, the other control characters no XML form.
NOT_IN_LINES = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
NOT_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
NOT_IN_JSON = re.compile("[\ud800-\udfff]")


class Cell(NamedTuple):
    """A segment with its times in whole units of a format."""

    start: int
    end: int
    segment: Segment


def to_units(timeline: Timeline, per_second: int) -> list[Cell]:
    """Round the times to whole units so that segments of a label stay apart and none is empty.

    A segment shorter than half a unit is given one unit, after or before its time, unless that would
    overlap its neighbours of the same label; then it is left out.

    Returns
    -------
    list of Cell
        Sorted by start, end, label.
    """
    last = max(1, round(timeline.duration * per_second))
    cells: list[Cell] = []
    ordered = sorted(timeline.segments, key=lambda s: (s.label, s.start))
    for _, group in groupby(ordered, key=lambda s: s.label):
        segments = list(group)
        starts = [round(s.start * per_second) for s in segments]
        free = 0
        for segment, start, following in zip(segments, starts, [*starts[1:], last], strict=True):
            start, end = max(start, free), round(segment.end * per_second)
            if end <= start:
                if start < following:
                    end = start + 1
                elif start > free:
                    start, end = start - 1, start
                else:
                    continue
            cells.append(Cell(start, end, segment))
            free = end
    return sorted(cells, key=lambda c: (c.start, c.end, c.segment.label))


def by_label(timeline: Timeline, cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Sort cells into lists, one per label of the timeline."""
    lists: dict[str, list[Cell]] = {label: [] for label in timeline.labels}
    for cell in cells:
        lists[cell.segment.label].append(cell)
    return lists


def units_of_duration(timeline: Timeline, cells: Sequence[Cell], per_second: int) -> int:
    """Return the duration in whole units, at least the last end."""
    return max([round(timeline.duration * per_second), *(c.end for c in cells)])


def decimal(units: int, per_second: int) -> str:
    """Write whole units as seconds, with as many decimals as the unit has."""
    digits = len(str(per_second)) - 1
    return f"{units // per_second}.{units % per_second:0{digits}d}"


def check_labels(labels: Iterable[str], format_name: str, forbidden: re.Pattern[str]) -> None:
    """Refuse labels that a format cannot give back.

    Raises
    ------
    AnnotationError
        If a label is empty, has white space around it, or holds a forbidden character.
    """
    for label in labels:
        found = forbidden.search(label)
        if not label.strip():
            fault = "it is empty"
        elif label != label.strip():
            fault = "white space around a label gets lost"
        elif found:
            fault = f"it holds the character {found.group()!a}"
        else:
            continue
        raise refusal(label, format_name, fault)


def refusal(label: str, format_name: str, fault: str) -> AnnotationError:
    """Return the error for a label that a format cannot express."""
    return AnnotationError(
        f"label {shown(label)} cannot be written as {format_name}: {fault}; rename it, or write json"
    )


def stem_of(source: str | None) -> str:
    """Return the last part of a path or URL without its suffix; empty if there is none."""
    if not source:
        return ""
    path = urlsplit(source).path if "://" in source else source
    name = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    head, dot, _ = name.rpartition(".")
    return head if dot and head else name
