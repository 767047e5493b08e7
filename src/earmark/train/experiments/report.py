"""Results of a table beside the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from rich import box
from rich.table import Table

from earmark.train.experiments.paired import sign_flip_p
from earmark.train.experiments.rows import Row
from earmark.train.experiments.table import Experiment

# What the repetitions of each row reached.
_Figures = dict[str, list[dict[str, float]]]


def experiment_table(experiment: Experiment, report: dict[str, Any]) -> Table:
    """Lay out a table: paper's figure, ours with its deviation over the repetitions, difference.

    Where the paper has no figures, each measure is a column.  The title says so where the data is not the
    paper's or a run was quick; the last column counts the repetitions.  Rows without results are named below.
    """
    experiment = experiment.on(report["on"])
    title = f"{experiment.source}: {experiment.title}\non {report['data']}"
    if experiment.protocol.unit != "group":
        title += f", parts keep each {experiment.protocol.unit} together"
    if not report["is_published"]:
        theirs = ", ".join(experiment.published_on)
        title += f", not on the paper's {theirs}: figures cannot be equal"
    if report["problems"]:
        first, *others = report["problems"]
        title += f"\nthe copy is not as published: {first}" + (f", and {len(others)} more" if others else "")
    if report["quick"]:
        title += "\nQUICK: a few recordings and epochs, no result"
    table = Table(title=title, box=box.HORIZONTALS)
    found: _Figures = {row.name: [] for row in experiment.rows}
    for result in report["results"]:
        if result["row"] in found:
            found[result["row"]].append(result["figures"])
    lay_out = _beside_the_paper if any(row.paper for row in experiment.rows) else _by_measure
    lay_out(table, experiment.measures, [row for row in experiment.rows if found[row.name]], found)
    notes = [f"{row.name}: {row.note}" for row in experiment.rows if row.note and found[row.name]]
    compared = paired_lines(experiment, report["results"])
    missing = [row.name for row in experiment.rows if not found[row.name]]
    left = [f"not run yet: {'; '.join(missing)}"] if missing else []
    table.caption = "\n".join(filter(None, [experiment.note, *notes, *compared, *left])) or None
    return table


def paired_lines(experiment: Experiment, results: list[dict[str, Any]]) -> list[str]:
    """Return a line for each row that has repetitions in common with the one all are compared with."""
    measure = experiment.measures[0]
    values: dict[str, dict[int, float]] = {row.name: {} for row in experiment.rows}
    for result in results:
        values[result["row"]][result["repetition"]] = result["figures"][measure]
    theirs = values.get(experiment.compare, {})
    lines = []
    for name, own in values.items():
        common = sorted(own.keys() & theirs.keys())
        if common and name != experiment.compare:
            differences = [own[r] - theirs[r] for r in common]
            lines.append(
                f"{name}: {mean(differences):+.1f} points of {measure} against '{experiment.compare}', "
                f"p = {sign_flip_p(differences):.3f} ({len(common)} pairs)"
            )
    return lines


def _beside_the_paper(table: Table, measures: Sequence[str], rows: Sequence[Row], found: _Figures) -> None:
    for name in ("system", "measure"):
        table.add_column(name)
    for name in ("paper", "ours", "difference", "runs"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = found[row.name]
        for i, measure in enumerate(measures):
            values = _values(figures, measure)
            paper = row.paper.get(measure, ())
            table.add_row(
                row.name if i == 0 else "",
                measure,
                " ± ".join(f"{value:.2f}" for value in paper) or "–",
                _with_deviation(values),
                f"{mean(values) - paper[0]:+.2f}" if paper and values else "",
                f"{len(figures)}" if i == 0 else "",
                end_section=i == len(measures) - 1,
            )


def _by_measure(table: Table, measures: Sequence[str], rows: Sequence[Row], found: _Figures) -> None:
    table.add_column("system", overflow="fold")
    for name in (*measures, "runs"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = found[row.name]
        cells = [_with_deviation(_values(figures, measure)) for measure in measures]
        table.add_row(row.name, *cells, f"{len(figures)}")


def _values(figures: list[dict[str, float]], measure: str) -> list[float]:
    """Return a measure of the repetitions that have it: a test may lack mixtures of some ratio."""
    return [found[measure] for found in figures if measure in found]


def _with_deviation(values: list[float]) -> str:
    if not values:
        return "–"
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")
