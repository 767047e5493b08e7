"""What WebVTT and SubRip share: blocks of lines, timings, and the label as text on the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from earmark.formats.reading import Rows, shown, split_lines
from earmark.formats.writing import NOT_IN_LINES, check_labels, refusal
from earmark.timeline import Timeline

PER_SECOND = 1_000
_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")


def clock(units: int, mark: str) -> str:
    """Write milliseconds as ``hh:mm:ss`` and, after the decimal `mark`, three digits."""
    seconds, milli = divmod(units, PER_SECOND)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{milli:03d}"


def bracketed(label: str) -> str:
    """Return a label as captions show a sound: in square brackets."""
    return f"[{label}]"


def unbracketed(text: str) -> str:
    """Take away square brackets that enclose the whole text."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return text[1:-1].strip() if index == len(text) - 1 and index else text
    return text


def check_cues(timeline: Timeline, format_name: str, plain: re.Pattern[str] | None) -> None:
    """Refuse labels that would not come back from a cue; `plain` matches what a reader takes for markup."""
    labels = {s.label for s in timeline}
    check_labels(labels, format_name, NOT_IN_LINES)
    for label in labels:
        if unbracketed(bracketed(label)) != label:
            raise refusal(label, format_name, "its square brackets do not pair")
        if plain is not None and plain.search(label):
            raise refusal(label, format_name, "players take part of it for markup")


def blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield runs of lines between blank lines, each with the number of its first line."""
    block: list[str] = []
    for line, content in enumerate([*split_lines(text), ""], start=1):
        if content.strip():
            block.append(content)
        elif block:
            yield line - len(block), block
            block = []


def timing(rows: Rows, line: int, content: str) -> tuple[float, float]:
    """Return start and end in seconds from a timing line."""
    found = _TIMING.fullmatch(content)
    if not found:
        raise rows.error(line, f"{shown(content)} is no timing; give 00:00:01.000 --> 00:00:02.500")
    return _seconds(rows, line, found.groups()[:4]), _seconds(rows, line, found.groups()[4:])


def _seconds(rows: Rows, line: int, fields: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = fields
    if int(minutes or 0) > 59 or int(seconds or 0) > 59:
        raise rows.error(line, f"minute {minutes} or second {seconds} is above 59; correct the timing")
    whole = float(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return rows.number(line, "time", whole + int((fraction or "").ljust(3, "0")) / PER_SECOND)
