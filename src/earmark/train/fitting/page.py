"""A report as one HTML file, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from earmark.train.fitting.pictures import draw_confusion, draw_curve
from earmark.train.fitting.report import Report

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222 }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse } th, td { padding: .25rem .8rem .25rem 0; text-align: left }
th { border-bottom: 1px solid #888 } td { border-bottom: 1px solid #ddd } th.n, td.n { text-align: right }
.big { font-size: 2rem; margin: .2rem 0 } .dim { color: #666 } .best { font-weight: bold }
img { max-width: 100% } td.file { overflow-wrap: anywhere }
"""


def make_page(report: Report) -> str:
    """Return the report as HTML that needs nothing else."""
    settings = report.settings
    parts = [
        f"<h1>{escape(', '.join(report.labels))}</h1>",
        f'<p class="big">{escape(str(report.accuracy))}</p>',
        f'<p>right answers: {escape(report.estimate)}. Mean recall of the classes: '
        f"{100 * report.mean_recall:.1f} %.</p>",
        f'<p class="dim">{escape(str(settings["data"]))} · backbone {escape(str(settings["backbone"]))}, '
        f"{escape(str(settings['embedding']))} ({settings['dimension']} numbers every "
        f"{settings['hop_s']:g} s) · chosen: {escape(str(report.chosen))} · seed {settings['seed']}</p>",
        *(f"<p><strong>Note:</strong> {escape(note)}</p>" for note in report.notes),
        "<h2>Classes</h2>",
        _table(
            ("class", "files", "groups", "precision, %", "recall, %", "F1, %"),
            (
                (one.label, one.n_files, one.n_groups, *map(_percent, (one.precision, one.recall, one.f1)))
                for one in report.classes
            ),
        ),
        "<h2>Confusions</h2>",
        _picture(draw_confusion(report), "Confusion matrix"),
        "<h2>Learning curve</h2>",
        f"<p>{escape(str(report.chosen))}, fitted on a part of what each fold could learn.</p>",
        _picture(draw_curve(report), "Accuracy over files learned"),
        _table(
            ("data, %", "files", "accuracy, %", "interval, %"),
            (
                (f"{100 * point.share:.0f}", f"{point.n_files:.0f}", _percent(point.accuracy.value),
                 f"{_percent(point.accuracy.low)} to {_percent(point.accuracy.high)}")
                for point in report.curve
            ),
        ),
        "<h2>Kinds of classifiers</h2>",
        _table(
            ("head", "fusion", "accuracy, %", "interval, %", "best in % of draws"),
            (
                (row.candidate.head, row.candidate.fusion, _percent(row.accuracy.value),
                 f"{_percent(row.accuracy.low)} to {_percent(row.accuracy.high)}",
                 f"{100 * row.best_in:.0f}")
                for row in report.rows
            ),
            best=[row.candidate == report.chosen for row in report.rows],
        ),
        "<h2>Most wrong</h2>" if report.errors else "<h2>No errors</h2>",
    ]  # fmt: skip
    if report.errors:
        parts.append(
            _table(
                ("file", "class", "answer", "score, %"),
                (
                    (str(one.example.excerpt), one.example.label, one.found, _percent(max(one.scores)))
                    for one in report.errors
                ),
            )
        )
    if report.skipped:
        lines = "".join(f"<li>{escape(line)}</li>" for line in report.skipped)
        parts.append(f"<h2>Left out: {len(report.skipped)}</h2><ul>{lines}</ul>")
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>earmark fit</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _table(
    header: Sequence[str], rows: Iterable[Sequence[object]], best: Sequence[bool] | None = None
) -> str:
    """Lay out a table; columns of numbers stand to the right."""
    filled = list(rows)
    kinds = [_kind(cell) for cell in filled[0]]
    names = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(header, kinds, strict=True))
    lines = [f"<tr>{names}</tr>"]
    for i, row in enumerate(filled):
        cells = "".join(f"<td{_kind(cell)}>{escape(str(cell))}</td>" for cell in row)
        lines.append(f"<tr{' class=best' if best and best[i] else ''}>{cells}</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def _kind(cell: object) -> str:
    text = str(cell)
    if isinstance(cell, int) or text.replace(".", "", 1).isdigit():
        return ' class="n"'
    return ' class="file"' if "/" in text else ""


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _picture(png: bytes, text: str) -> str:
    return f'<img alt="{text}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
