"""A report as tables to be read: cells, events, boundaries, and each recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.evaluation.report import Report
from earmark.metrics.counts import Counts
from earmark.metrics.score import LabelScore, Score
from earmark.metrics.segments import Confusion
from earmark.terminal import clock, printable

_PRF = ("precision", "recall", "f1")
_HEADS = ("precision", "recall", "F")
# Behind a ratio that has no value.
_MARK = "*"


class _Section(NamedTuple):
    """A table: the heads of its columns, how many of them hold text, and its rows."""

    heads: Sequence[str]
    n_texts: int
    rows: Sequence[Sequence[str]]


def print_report(console: Console, report: Report, *, per_file: bool = False) -> None:
    """Print a report.

    Parameters
    ----------
    console : Console
        Where to.
    report : Report
        What to print.
    per_file : bool
        Add a row for every label of every recording.
    """
    score = report.pooled
    sections = [_cells(score), _events(score), _boundaries(score)]
    if per_file:
        sections.append(_files(report))
    files = "1 file" if score.n_files == 1 else f"{score.n_files} files"
    console.print(Text(f"{files}, {clock(score.seconds, decimals=2)}; figures in %", "bold"))
    for section in sections:
        console.print()
        console.print(_table(section))
    if any(cell.endswith(_MARK) for s in sections for row in s.rows for cell in row[s.n_texts :]):
        console.print(f"\n{_MARK} without a value (nothing to divide by), given as 0")


def _cells(score: Score) -> _Section:
    names = (*_PRF, "accuracy")
    rows = [[name, *_ratios(part.segments, names)] for name, part in _parts(score)]
    if score.states is not None and score.overlap is not None:
        rows.append(["speech and music at once", *_ratios(score.overlap, names)])
        rows.append(["all four states", "", "", "", _accuracy_of_states(score.states)])
    return _Section((f"cells of {score.rules.hop_s:g} s", *_HEADS, "accuracy"), 1, rows)


def _events(score: Score) -> _Section:
    names = (*_PRF, "missed_share", "insertion_rate", "error_rate")
    rows = [
        [name, f"{collar:g} s", kind, *_ratios(counts, names)]
        for name, part in _parts(score)
        for collar, events in part.collars.items()
        for kind, counts in (("onset", events.onset), ("onset, offset", events.onset_offset))
    ]
    return _Section(("events", "within", "by", *_HEADS, "deleted", "inserted", "errors"), 3, rows)


def _boundaries(score: Score) -> _Section:
    rows = [
        [
            name,
            f"{collar:g} s",
            *_ratios(events.boundaries, _PRF),
            *_ratios(events.starts, _PRF[-1:]),
            *_ratios(events.ends, _PRF[-1:]),
        ]
        for name, part in _parts(score)
        for collar, events in part.collars.items()
    ]
    return _Section(("boundaries", "within", *_HEADS, "starts F", "ends F"), 2, rows)


def _files(report: Report) -> _Section:
    collar = report.rules.collars[0]
    heads = ["file", "length", "label", *_HEADS, f"events F, {collar:g} s", f"boundaries F, {collar:g} s"]
    if report.pooled.states is not None:
        heads += ["overlap F", "four states"]
    rows = []
    for file in report.files:
        name = printable(file.name) + (" (no estimate)" if file.missing else "")
        # What is told of the file as a whole stands in its first row alone.
        before = [name, clock(file.score.seconds, decimals=2)]
        behind = _of_states(file.score)
        for label, part in file.score.labels.items():
            events = part.collars[collar]
            figures = (
                *_ratios(part.segments, _PRF),
                *_ratios(events.onset_offset, _PRF[-1:]),
                *_ratios(events.boundaries, _PRF[-1:]),
            )
            rows.append([*before, printable(label), *figures, *behind])
            before, behind = ["", ""], []
    return _Section(heads, 3, rows)


def _of_states(score: Score) -> list[str]:
    """Return F of speech and music at once, and the accuracy of all four states."""
    if score.states is None or score.overlap is None:
        return []
    return [*_ratios(score.overlap, _PRF[-1:]), _accuracy_of_states(score.states)]


def _accuracy_of_states(states: Confusion) -> str:
    return f"{100 * states.accuracy:.1f}{'' if states.cells.any() else _MARK}"


def _parts(score: Score) -> Iterator[tuple[str, LabelScore]]:
    """Return the labels and, if there are several, their sum."""
    yield from ((printable(label), part) for label, part in score.labels.items())
    if len(score.labels) > 1:
        yield "overall", score.overall


def _ratios(counts: Counts, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield f"{100 * getattr(counts, name):.1f}{_MARK if name in counts.undefined else ''}"


def _table(section: _Section) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, head in enumerate(section.heads):
        if place < section.n_texts:
            table.add_column(head, overflow="fold")
        else:
            table.add_column(head, justify="right", no_wrap=True)
    for number, row in enumerate(section.rows):
        repeated = number > 0 and row[0] == section.rows[number - 1][0]
        table.add_row(*(Text("" if place == 0 and repeated else cell) for place, cell in enumerate(row)))
    return table
