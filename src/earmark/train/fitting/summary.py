"""A report for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.terminal import printable
from earmark.train.fitting.report import Report

# Errors that are shown, and classes whose confusions fit beside each other.
_MOST_ERRORS, _MOST_CLASSES = 10, 12


def print_summary(console: Console, report: Report) -> None:
    """Print the estimate, the classes with their confusions, candidates, the learning curve and errors."""
    console.print(
        Text.assemble(
            (f"accuracy {report.accuracy}", "bold"),
            f"  {report.estimate}\n",
            f"mean recall of the classes {_percent(report.mean_recall)} %; chosen: {report.chosen}",
        ),
        soft_wrap=True,
    )
    console.print(_classes(report))
    if len(report.rows) > 1:
        console.print(_candidates(report))
    if report.curve:
        console.print(_curve(report))
    if report.errors:
        console.print(_errors(report))


def _table(title: str, *columns: str, first: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.HORIZONTALS)
    for i, name in enumerate(columns):
        table.add_column(printable(name), justify="left" if i < first else "right", overflow="fold")
    return table


def _classes(report: Report) -> Table:
    matrix = report.labels if len(report.labels) <= _MOST_CLASSES else ()
    title = "classes" + (", and what their files were taken for" if matrix else "")
    table = _table(title, "class", "files", "groups", "precision %", "recall %", "F1 %", *matrix)
    for i, one in enumerate(report.classes):
        taken = [
            Text(str(count) if count else "·", "bold green" if i == j else "red" if count else "dim")
            for j, count in enumerate(report.confusion[i].tolist())
        ]
        table.add_row(
            Text(printable(one.label)),
            str(one.n_files),
            str(one.n_groups),
            *(_percent(value) for value in (one.precision, one.recall, one.f1)),
            *(taken if matrix else ()),
        )
    return table


def _candidates(report: Report) -> Table:
    table = _table("kinds of classifiers", "head", "fusion", "accuracy %", "best in % of draws", first=2)
    for row in report.rows:
        chosen = row.candidate == report.chosen
        table.add_row(
            row.candidate.head,
            row.candidate.fusion,
            _share(row.accuracy),
            f"{100 * row.best_in:.0f}",
            style="bold green" if chosen else "",
        )
    return table


def _curve(report: Report) -> Table:
    table = _table(f"learning curve ({report.chosen})", "data %", "files", "accuracy %", first=0)
    for point in report.curve:
        table.add_row(f"{100 * point.share:.0f}", f"{point.n_files:.0f}", _share(point.accuracy))
    return table


def _errors(report: Report) -> Table:
    shown = report.errors[:_MOST_ERRORS]
    table = _table("most wrong", "file", "class", "answer", "score %", first=3)
    for one in shown:
        example = one.example
        table.add_row(
            Text(printable(str(example.excerpt))),
            Text(printable(example.label)),
            Text(printable(one.found)),
            _percent(max(one.scores)),
        )
    return table


def _share(share: object) -> str:
    return str(share).replace(" %", "")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
