"""`earmark batch`: mark any number of recordings, and tell how far that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from earmark.cli.options import (
    Gap,
    MinDuration,
    ModelName,
    NoColor,
    Quiet,
    Release,
    Smooth,
    Threshold,
    output_option,
    running_option,
)

if TYPE_CHECKING:
    from earmark.batch.session import Running


class _Batches(TyperGroup):
    """A group in which what is no command is a source: `batch SOURCE` is `batch run SOURCE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = args[0] in self.commands
        return super().resolve_command(ctx, args if known else ["run", *args])

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        # An option before the source is one of `run`, too.
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_Batches, add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the batch.", show_default=False)]
EngineName = Annotated[
    str, running_option("local, dask, ray or spark: who does the work.", "--engine", metavar="NAME")
]
Scheduler = Annotated[
    str | None,
    running_option("Of Dask, Ray or Spark, if it runs already; else one is started here.", metavar="ADDRESS"),
]
Workers = Annotated[
    int | None,
    running_option("Recordings at a time. [dim]\\[default: one per core][/dim]", "--jobs", "-j", metavar="N"),
]
TimeLimit = Annotated[
    float | None, running_option("What a recording may take before it is given up, seconds.", metavar="S")
]
MemoryLimit = Annotated[
    float | None, running_option("Memory a worker may take before it is ended, MB.", metavar="MB")
]


@app.callback()
def batch() -> None:
    """Mark any number of recordings; safe to stop at any instant, and to start again.

    earmark batch SOURCE --out DIR is short for: earmark batch run SOURCE --out DIR.
    """


@app.command()
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Folder, pattern, list (.txt, .m3u), table (.csv) or prefix in an object store (s3://, gs://).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, output_option("Folder of the batch; one that was begun goes on.", "--out", "-o", metavar="DIR")
    ],
    results: Annotated[
        str, output_option("json: a file for each recording; parquet: shards of many.", metavar="KIND")
    ] = "json",
    split: Annotated[
        float | None,
        running_option("Recordings longer than that are done in parts, by several workers.", metavar="HOURS"),
    ] = None,
    threshold: Threshold = None,
    release: Release = None,
    min_duration: MinDuration = None,
    min_gap: Gap = None,
    smooth: Smooth = None,
    model: ModelName = "detector",
    engine: EngineName = "local",
    scheduler: Scheduler = None,
    jobs: Workers = None,
    timeout: TimeLimit = None,
    memory: MemoryLimit = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Mark the recordings that a source names, or go on with those that are not done."""
    from earmark.batch.session import begin_batch
    from earmark.catalogue import load_model
    from earmark.cli.batchrun import Display
    from earmark.cli.marking import read_overrides

    changes = {
        "threshold": threshold,
        "release": release,
        "min_duration": min_duration,
        "min_gap": min_gap,
        "smooth": smooth,
    }
    running = _running(engine, scheduler, jobs, timeout, memory)
    overrides = read_overrides(changes, load_model(model).labels)
    with Display(out, quiet=quiet, color=not no_color) as display:
        begin_batch(
            source,
            out,
            model,
            overrides,
            results,
            None if split is None else 3600 * split,
            running,
            display,
        )


@app.command()
def retry(
    folder: Folder,
    engine: EngineName = "local",
    scheduler: Scheduler = None,
    jobs: Workers = None,
    timeout: TimeLimit = None,
    memory: MemoryLimit = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Do again what failed, and whatever else is not done."""
    from earmark.batch.session import retry_batch
    from earmark.cli.batchrun import Display

    running = _running(engine, scheduler, jobs, timeout, memory)
    with Display(folder, quiet=quiet, color=not no_color) as display:
        retry_batch(folder, running, display)


@app.command()
def status(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell how far a batch is; also while it runs."""
    from earmark.batch.status import status_lines, status_of

    found = status_of(folder)
    if as_json:
        import json

        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    from earmark.terminal import printable

    for line in status_lines(found):
        typer.echo(printable(line))


@app.command()
def report(
    folder: Folder,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="NAME",
            help="Column, or name in the pattern. [dim]\\[default: day, programme, station][/dim]",
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--pattern", metavar="P", help="What paths tell, e.g. '{station}/{day}/{programme}-*.mp3'."
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help="csv, parquet or html; may be repeated. [dim]\\[default: csv and html][/dim]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for it. [dim]\\[default: the batch's][/dim]"),
    ] = None,
) -> None:
    """Sum up hours of speech, music and both, by day, programme, station or any column."""
    from earmark.batch.page import make_page
    from earmark.batch.report import make_report, write_csv, write_parquet
    from earmark.errors import ConfigError
    from earmark.files import atomic_write, make_folder

    names = list(dict.fromkeys(formats or ("csv", "html")))
    for name in names:
        if name not in ("csv", "parquet", "html"):
            raise ConfigError(f"--format {name}: give csv, parquet or html")
    found = make_report(folder, by or (), pattern)
    out = out or folder
    make_folder(out)
    for name in names:
        path = out / f"report.{name}"
        if name == "csv":
            write_csv(found, path)
        elif name == "parquet":
            write_parquet(found, path)
        else:
            with atomic_write(path) as file:
                file.write(make_page(found, f"What {folder.resolve().name} holds"))
        typer.echo(f"wrote {path}")


def _running(
    engine: str, scheduler: str | None, jobs: int | None, timeout: float | None, memory: float | None
) -> Running:
    from earmark.batch.engines import find_engine
    from earmark.batch.session import Running
    from earmark.cli.places import check_jobs
    from earmark.pool import Limits

    check_jobs(jobs)
    return Running(find_engine(engine, jobs, scheduler), Limits(timeout, memory))
