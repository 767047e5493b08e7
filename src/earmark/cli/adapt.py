"""`earmark adapt`: a detector that has learned from corrected recordings."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.cli.options import Jobs, NoColor, Quiet
from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.train.adapting import AdaptReport

_DATA = "Folder of recordings with timelines beside them (same stem), or CSV: path,timeline[,group]."


def adapt(
    data: Annotated[Path, typer.Argument(metavar="DATA", help=_DATA, show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL.onnx", help="The model to write.")],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="The detector to adapt. [dim]\\[default: detector][/dim]"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What its card calls it. [dim]\\[default: the file's stem][/dim]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Make a detector better on recordings like yours, of some whose timelines are right.

    Its last layer is fitted again, as much as proves right on recordings left out. New labels become new
    lanes. Use the model with: earmark detect --model MODEL.onnx INPUT
    """
    from earmark.cli.places import check_jobs, make_folders

    check_jobs(jobs)
    if output.suffix.lower() != ".onnx" or output.is_dir():
        raise ConfigError(f"--output {output}: give a file that ends in .onnx")
    # Imported late: they bring in the network and the package onnx.
    from earmark.cli.outcome import status
    from earmark.cores import usable_cores
    from earmark.modelfile import DEFAULT_MODEL
    from earmark.terminal import print_error, print_warning
    from earmark.train.adapting import adapt as run
    from earmark.train.adapting import read_marked

    marked, problems = read_marked(data)
    for problem in problems:
        print_warning(problem, color=not no_color)
    make_folders({output.parent})
    with status(quiet, not no_color) as tell:
        adapted = run(model or DEFAULT_MODEL, marked, jobs=jobs or usable_cores(), tell=tell)
    report = adapted.report
    for path, why in report.failed.items():
        print_error(f"{path}: {why}", color=not no_color)
    if json:
        typer.echo(jsonlib.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    elif not quiet:
        _show(report, not no_color)
    adapted.write(output, name)
    if not quiet and not json:
        typer.echo(f"wrote {output}; use it with: earmark detect --model {output} INPUT")
    if problems or report.failed:
        raise typer.Exit(1)


def _show(report: AdaptReport, color: bool) -> None:
    from rich.table import Table

    from earmark.terminal import make_console

    console = make_console(color=color)
    minutes = report.seconds / 60
    console.print(f"{report.recordings} recordings, {minutes:.1f} minutes", highlight=False)
    if report.after:
        table = Table(
            box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold", title_justify="left"
        )
        table.add_column("F on recordings left out")
        for side in ("before", "after"):
            table.add_column(side, justify="right")
        for label, after in report.after.items():
            before = report.before.get(label)
            table.add_row(label, "new" if before is None else f"{before:.3f}", f"{after:.3f}")
        console.print(table)
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True, highlight=False)
