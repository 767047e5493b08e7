"""Timelines for the eye: coloured strips, shares and segments in a terminal, plain text elsewhere.

Every label has a colour *and* glyphs of its own, so that nothing is lost without colour::

    speech  ▃██████▁     ▂███████     a cell's height or density: how much of it the label covers
    music        ░▓▓▓▓▓▓▓▓▒
            ┬─────────┬─────────┬───
            0:00      0:30      1:00
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.text import Text

from earmark.timeline import Timeline

# Widest strip: beyond, the eye no longer follows it.
_MAX_WIDTH = 160
# Steps of the time axis, seconds.
_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12, 24)),
)


@dataclass(frozen=True)
class _Ink:
    """How a label is drawn: glyphs for growing coverage of a cell, and a colour."""

    glyphs: str
    ascii_glyphs: str
    style: str


_INKS = {"speech": _Ink("▁▂▃▄▅▆▇█", ".:#", "cyan"), "music": _Ink("░▒▓", "-=%", "magenta")}
_OTHER_INK = _Ink("⣀⣤⣶⣿", ",;&", "green")


def make_console(stream: TextIO | None = None, *, color: bool = True, width: int | None = None) -> Console:
    """Return a console on `stream` (standard output by default), coloured only if that is a terminal."""
    stream = sys.stdout if stream is None else stream
    return Console(
        file=stream, no_color=None if color else True, highlight=False, emoji=False, markup=False, width=width
    )


def print_error(message: str, *, color: bool = True) -> None:
    """Print one red line on standard error."""
    _print_line(message, "red", color)


def print_warning(message: str, *, color: bool = True) -> None:
    """Print one yellow line on standard error."""
    _print_line(message, "yellow", color)


def _print_line(message: str, style: str, color: bool) -> None:
    line = printable(" ".join(f"earmark: {message}".split()))
    make_console(sys.stderr, color=color).print(Text(line, style), soft_wrap=True)


def printable(text: str) -> str:
    """Replace what could steer a terminal, or has no place in one line, such as names of files may hold."""
    return "".join(c if c.isprintable() else "?" for c in text)


def clock(seconds: float, *, decimals: int = 0, hours: bool = False) -> str:
    """Write a time as ``m:ss``, or ``h:mm:ss`` from an hour on (or with `hours`), rounded to `decimals`."""
    whole, fraction = divmod(round(seconds * 10**decimals), 10**decimals)
    minutes, rest = divmod(whole, 60)
    long = hours or minutes >= 60
    text = f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if long else f"{minutes}:{rest:02d}"
    return f"{text}.{fraction:0{decimals}d}" if decimals else text


def stretches(timeline: Timeline) -> list[tuple[float, float, tuple[str, ...]]]:
    """Cut a timeline wherever a label starts or ends; return (start, end, labels), silence left out."""
    edges = sorted({t for s in timeline for t in (s.start, s.end)})
    at = {edge: i for i, edge in enumerate(edges)}
    sounding: list[list[str]] = [[] for _ in edges]
    for label in timeline.labels:
        for segment in timeline[label]:
            for i in range(at[segment.start], at[segment.end]):
                sounding[i].append(label)
    spans = zip(edges[:-1], edges[1:], sounding, strict=False)
    return [(start, end, tuple(labels)) for start, end, labels in spans if labels]


def coverage(timeline: Timeline, label: str, n_cells: int) -> npt.NDArray[np.float64]:
    """Return the share of each of `n_cells` equal cells that a label covers, float64, shape=(n_cells,)."""
    cell = timeline.duration / n_cells
    edges = np.arange(n_cells + 1) * cell
    covered_before = np.zeros(n_cells + 1)
    for segment in timeline[label]:
        covered_before += np.clip(edges - segment.start, 0, segment.duration)
    return np.clip(np.diff(covered_before) / cell, 0, 1)


def share_parts(timeline: Timeline) -> list[tuple[str, float]]:
    """Return (name, seconds) of speech, music, both, neither and any other label.

    A timeline in which not both speech and music were looked for gives its labels and ``"none"``.
    """
    parts = list(timeline.durations().items())
    if not {"speech", "music"} <= set(timeline.labels):
        return [*parts, ("none", sum(end - start for start, end in timeline.gaps()))]
    four = [(name, share * timeline.duration) for name, share in timeline.shares().items()]
    return four + [part for part in parts if part[0] not in ("speech", "music")]


def render(
    timeline: Timeline, name: str, *, width: int = 80, ascii_only: bool = False, max_rows: int | None = None
) -> Text:
    """Draw one timeline.

    Parameters
    ----------
    timeline : Timeline
        What to draw.
    name : str
        Shown above it.
    width : int
        Columns to fill.
    ascii_only : bool
        Draw with ASCII glyphs, for terminals of another encoding.
    max_rows : int or None
        Longest list of segments; the rest is counted in one line.  None lists all.
    """
    text = Text(no_wrap=True)
    text.append(printable(name), "bold").append(f"  {clock(timeline.duration, decimals=2)}\n")
    if not timeline.duration:
        return text.append("  no audio\n")
    margin = max(len(label) for label in (*timeline.labels, "neither")) + 2
    n_cells = max(10, min(width - margin, _MAX_WIDTH))
    text.append(lanes(timeline, margin, n_cells, ascii_only))
    for line in _axis(timeline.duration, n_cells, ascii_only):
        text.append(f"{' ' * margin}{line}\n", "dim")
    text.append("\n")
    _append_shares(text, timeline, margin, width)
    text.append("\n")
    _append_segments(text, timeline, ascii_only, max_rows)
    return text


def lanes(timeline: Timeline, margin: int, n_cells: int, ascii_only: bool) -> Text:
    """Draw a line for each label: its name in `margin` columns, then its strip of `n_cells`."""
    text = Text(no_wrap=True)
    for label in timeline.labels:
        line = f"{label:{margin}}{_strip(timeline, label, n_cells, ascii_only)}".rstrip()
        text.append(f"{line}\n", _ink(label).style)
    return text


def _ink(label: str) -> _Ink:
    return _INKS.get(label, _OTHER_INK)


def _strip(timeline: Timeline, label: str, n_cells: int, ascii_only: bool) -> str:
    glyphs = _ink(label).ascii_glyphs if ascii_only else _ink(label).glyphs
    # Rounded up: whatever sounds shows.
    levels = np.ceil(coverage(timeline, label, n_cells) * len(glyphs) - 1e-6).astype(int)
    return "".join(" " if level == 0 else glyphs[level - 1] for level in levels.tolist())


def _axis(duration: float, n_cells: int, ascii_only: bool) -> tuple[str, str]:
    """Return a ruled line with ticks and the line of their times."""
    step = next((s for s in _STEPS if s / duration * n_cells >= 10), _STEPS[-1])
    rule = ["-" if ascii_only else "─"] * n_cells
    times = ""
    for i in range(int(duration / step + 1e-9) + 1):
        cell = int(i * step / duration * n_cells + 1e-9)
        label = clock(i * step, decimals=1 if step < 1 else 0)
        if cell < n_cells:
            rule[cell] = "+" if ascii_only else "┬"
            if len(times) < cell + (cell == 0) and cell + len(label) <= n_cells:
                times = times.ljust(cell) + label
    return "".join(rule), times


def _append_shares(text: Text, timeline: Timeline, margin: int, width: int) -> None:
    parts = share_parts(timeline)
    hours = [clock(seconds, hours=True) for _, seconds in parts]
    cell_width = margin + 7 + 2 + max(map(len, hours))
    in_row = next((n for n in (len(parts), 4, 2) if n * (cell_width + 3) - 3 <= width), 1)
    for i, ((name, seconds), hour) in enumerate(zip(parts, hours, strict=True)):
        text.append(f"{name:{margin}}", _ink(name).style if name in timeline.labels else "")
        text.append(f"{100 * seconds / timeline.duration:5.1f} %  {hour:>{cell_width - margin - 9}}")
        text.append("\n" if (i + 1) % in_row == 0 or i + 1 == len(parts) else "   ")


def _append_segments(text: Text, timeline: Timeline, ascii_only: bool, max_rows: int | None) -> None:
    rows = stretches(timeline)
    if not rows:
        text.append("nothing found\n")
        return
    column = len(clock(timeline.duration, decimals=2)) + 2
    text.append(f"{'from':>{column}}{'to':>{column}}{'length':>{column}}\n", "dim")
    shown = rows if max_rows is None else rows[:max_rows]
    for start, end, labels in shown:
        for seconds in (start, end, end - start):
            text.append(f"{clock(seconds, decimals=2):>{column}}")
        for i, label in enumerate(labels):
            text.append(" + " if i else "  ").append(label, _ink(label).style)
        text.append("\n")
    if len(shown) < len(rows):
        dots = "..." if ascii_only else "…"
        text.append(f"{dots} {len(rows) - len(shown)} more; -f csv -o - (or -o DIR) gives all\n", "dim")


@dataclass
class Tally:
    """Sums over the recordings of a run."""

    files: int = 0
    skipped: int = 0
    audio: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, timeline: Timeline) -> None:
        """Count one more recording."""
        self.files += 1
        self.audio += timeline.duration
        for name, seconds in share_parts(timeline):
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def line(self, elapsed: float, made: str = "") -> str:
        """Return the run in one line; `elapsed` is what it took, seconds, `made` what came of it."""
        if not self.files:
            return f"nothing done; {_files(self.skipped)} skipped"
        speed = f"{float(f'{self.audio / max(elapsed, 1e-3):.2g}'):.0f}x real time"
        took = f"{elapsed:.1f} s" if elapsed < 10 else f"{elapsed:.0f} s" if elapsed < 600 else clock(elapsed)
        text = f"{_files(self.files)}, {clock(self.audio, hours=True)} of audio in {took} ({speed})"
        if self.audio:
            shares = (f"{name} {100 * seconds / self.audio:.0f} %" for name, seconds in self.seconds.items())
            made = made or ", ".join(shares)
        text += f": {made}" if made else ""
        return text + (f"; {_files(self.skipped)} skipped" if self.skipped else "")


def _files(n: int) -> str:
    return f"{n} file" if n == 1 else f"{n} files"
