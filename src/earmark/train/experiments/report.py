"""Results of a table beside the paper's figures."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from rich import box
from rich.table import Table

from earmark.train.experiments.table import Experiment, Row


def experiment_table(experiment: Experiment, report: dict[str, Any]) -> Table:
    """Lay out a table: paper's figure, ours with its deviation over the repetitions, difference.

    The title says so where the data is not the paper's, where repetitions are missing, or a run was quick.
    """
    results = report["results"]
    title = f"{experiment.source}: {experiment.title}\non {report['data']}"
    if report["data"] != experiment.published_on:
        title += f", not on the paper's {experiment.published_on}: figures cannot be equal"
    if report["quick"]:
        title += "\nQUICK: a few recordings and epochs, no result"
    table = Table(title=title, box=box.HORIZONTALS)
    for name in ("system", "measure"):
        table.add_column(name)
    for name in ("paper", "ours", "difference", "runs"):
        table.add_column(name, justify="right")
    for row in experiment.rows:
        own = [r["figures"] for r in results if r["row"] == row.name]
        for i, measure in enumerate(experiment.measures):
            table.add_row(
                row.name if i == 0 else "",
                measure,
                *_cells(row, measure, [figures[measure] for figures in own]),
                f"{len(own)}" if i == 0 else "",
                end_section=i == len(experiment.measures) - 1,
            )
    notes = [f"{row.name}: {row.note}" for row in experiment.rows if row.note]
    table.caption = "\n".join(notes) or None
    return table


def _cells(row: Row, measure: str, values: list[float]) -> tuple[str, str, str]:
    paper = row.paper.get(measure, ())
    published = " ± ".join(f"{value:.2f}" for value in paper) or "–"
    if not values:
        return published, "–", ""
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    difference = f"{mean(values) - paper[0]:+.2f}" if paper else ""
    return published, f"{mean(values):.2f}{spread}", difference
