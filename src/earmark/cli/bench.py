"""`earmark bench`: how right a detector is, what it costs, and the tables of papers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from earmark.cli import bench_batch, bench_serve, studies
from earmark.cli.outcome import finish, status


class _Benches(TyperGroup):
    """A group in which the name of a paper's table is a command, too."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if known else ["table", *args])


app = typer.Typer(cls=_Benches, add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

Index = Annotated[Path, typer.Option("--index", metavar="FILE", help="CSV index of recordings.")]
Origins = Annotated[
    list[str] | None, typer.Option("--origin", metavar="NAME", help="Collection to use; may be repeated.")
]
Folds = Annotated[
    list[int] | None, typer.Option("--fold", metavar="K", help="Fold to use; may be repeated. Default: all.")
]
ModelName = Annotated[str, typer.Option("--model", metavar="NAME|PATH", help="Model to measure.")]
GoalsFile = Annotated[
    Path | None, typer.Option("--goals", metavar="FILE", help="JSON with bounds to show beside the figures.")
]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the result as JSON.")]


@app.callback()
def bench() -> None:
    """Measure how right a detector is, and what it costs; run the tables of papers and their studies.

    A table is a command, too: earmark bench bha-1. "earmark bench table" lists them.
    """


@app.command()
def detector(
    index: Index,
    hours: Annotated[float, typer.Option("--hours", help="Length of the programmes, together.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other programmes.")] = 0,
    origin: Origins = None,
    fold: Folds = None,
    model: ModelName = "detector",
    codecs: Annotated[
        bool, typer.Option("--codecs/--no-codecs", help="Hear the programmes through codecs, too.")
    ] = True,
    goals: GoalsFile = None,
    out: Out = None,
) -> None:
    """Score a model on programmes made from the recordings of an index."""
    from earmark.bench.detector import score_detector
    from earmark.bench.goals import read_goals
    from earmark.bench.report import describe_model
    from earmark.detector import Detector
    from earmark.sources import SUSPECT, read_index, select

    bounds = read_goals(goals) if goals else {}
    sources = select(read_index(index), folds=fold or None, origins=origin or None, not_details=SUSPECT)
    config = {"index": index.name, "origins": origin, "folds": fold, "hours": hours, "seed": seed}
    with status() as tell:
        figures, details = score_detector(sources, Detector(model), hours, seed, codecs=codecs, on_step=tell)
    details["sources"] = len(sources)
    finish("detector", {**config, "model": describe_model(model)}, figures, details, bounds, out)


@app.command()
def clips(
    index: Index,
    origin: Origins = None,
    fold: Folds = None,
    model: ModelName = "detector",
    goals: GoalsFile = None,
    out: Out = None,
) -> None:
    """Show what a model reports on the benchmark clips of an index, class by class."""
    from earmark.bench.clips import clip_figures, clips_table, read_clips, score_clips
    from earmark.bench.goals import read_goals
    from earmark.bench.report import describe_model
    from earmark.detector import Detector
    from earmark.terminal import make_console

    bounds = read_goals(goals) if goals else {}
    chosen = read_clips(index, folds=fold or None, origins=origin or None)
    config = {"index": index.name, "origins": origin, "folds": fold, "model": describe_model(model)}
    detect = Detector(model).detect
    with status() as tell:
        tables = score_clips(chosen, detect, on_step=lambda done: tell(f"{done} of {len(chosen)} clips"))
    make_console().print(clips_table(chosen, tables))
    details = {"cells": {kind: table.cells.tolist() for kind, table in tables.items()}}
    finish("clips", config, clip_figures(tables), details, bounds, out, show=bool(bounds))


@app.command()
def speed(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Recordings; without any, a signal is made up."),
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", help="Length of the made-up signal.")] = 20.0,
    hours: Annotated[
        float, typer.Option("--hours", help="Long recording for the peak memory; 0 leaves it out.")
    ] = 4.0,
    repeats: Annotated[int, typer.Option("--repeats", help="Runs to take the fastest of.")] = 3,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            "--tool",
            metavar="NAME",
            help="Other tool to measure beside: webrtcvad, silero-vad, inaSpeechSegmenter or pyannote.audio; "
            "may be repeated. Default: all that are installed.",
        ),
    ] = None,
    model: ModelName = "detector",
    goals: GoalsFile = None,
    out: Out = None,
) -> None:
    """Measure processor time and speed by format, on one core and on two, memory and the start."""
    from earmark.bench.goals import read_goals
    from earmark.bench.report import describe_model, figures_table, groups_table
    from earmark.bench.speed import measure_speed
    from earmark.bench.tools import check_tools
    from earmark.terminal import make_console, print_warning

    bounds = read_goals(goals) if goals else {}
    tools = check_tools(tool)
    config = {"files": [f.name for f in files or ()], "minutes": minutes, "hours": hours, "repeats": repeats}
    config |= {"tools": tools, "model": describe_model(model)}
    with status() as tell:
        figures, details = measure_speed(
            [str(f) for f in files or ()],
            model,
            minutes=minutes,
            hours=hours,
            repeats=repeats,
            tools=tools,
            on_step=tell,
        )
    with_speed = {figure.group for figure in figures if figure.name == "speed"}
    console = make_console()
    console.print(groups_table("earmark bench speed", [f for f in figures if f.group in with_speed]))
    console.print(figures_table("and", [f for f in figures if f.group not in with_speed]))
    for name, why in details["failures"].items():
        print_warning(f"{name} cannot be measured: {why}")
    finish("speed", config, figures, details, bounds, out, show=bool(bounds))


@app.command()
def listen(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Recordings to play; without any, a signal is made up."),
    ] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", help="Of sound at its own pace; 0 leaves it out.")
    ] = 30.0,
    hours: Annotated[
        float, typer.Option("--hours", help="Of sound as fast as it goes; 0 leaves it out.")
    ] = 24.0,
    model: ModelName = "detector",
    goals: GoalsFile = None,
    out: Out = None,
) -> None:
    """Measure how soon listening tells, how that agrees with detect, what is lost and what grows."""
    from earmark.bench.goals import read_goals
    from earmark.bench.listening import measure_listening
    from earmark.bench.report import describe_model

    bounds = read_goals(goals) if goals else {}
    config = {"files": [f.name for f in files or ()], "minutes": minutes, "hours": hours}
    config["model"] = describe_model(model)
    with status() as tell:
        figures, details = measure_listening(
            [str(f) for f in files or ()], model, minutes=minutes, hours=hours, on_step=tell
        )
    finish("listen", config, figures, details, bounds, out)


@app.command()
def networks(
    comparison: Annotated[
        Path, typer.Argument(metavar="TOML", help="Which networks, e.g. configs/networks.toml.")
    ],
    index: Index,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="Results (JSON); rows in it are not run again."),
    ],
    runs: Annotated[Path, typer.Option("--runs", help="Folder for checkpoints.")] = Path("runs/networks"),
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for prepared training material.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that prepare and mix.")] = 2,
) -> None:
    """Train networks against each other, one choice changed at a time; needs the extra train."""
    from earmark.terminal import make_console
    from earmark.train.compare import compare_networks, comparison_table, read_comparison
    from earmark.train.device import find_device

    find_device(device)
    wanted = read_comparison(comparison)
    with status(kept="results and checkpoints are") as tell:
        rows = compare_networks(
            wanted, index, out, cache=cache or runs / "cache", runs=runs, device=device, jobs=jobs, tell=tell
        )
    make_console().print(comparison_table(rows))


@app.command()
def table(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="Name of a table or its TOML file; without it, the list."),
    ] = None,
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the datasets.")] = Path(
        "data"
    ),
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="NAME", help="Dataset or task; default: the table's first there."),
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option("--row", metavar="NAME", help="Row to run; may be repeated.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", help="What parts keep together: group, folder or file; default: the table's."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few recordings and epochs: whether it runs, no result.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Results (JSON); what it holds is not run again."),
    ] = None,
    runs: Annotated[Path, typer.Option("--runs", help="Folder for features and checkpoints.")] = Path(
        "runs/tables"
    ),
    drop_features: Annotated[
        bool, typer.Option("--drop-features", help="Remove features that no later row needs.")
    ] = False,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    bfloat16: Annotated[
        bool,
        typer.Option("--bfloat16", help="Train with products in bfloat16, where the processor has them."),
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile networks that learn on crops; for cards.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that compute features.")] = 2,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE.onnx",
            help="Write the trained --row as a model for detect; trains nothing.",
        ),
    ] = None,
    repetition: Annotated[
        int | None,
        typer.Option(
            "--repetition", min=1, help="Only this one. Default: all are run, the first is exported."
        ),
    ] = None,
) -> None:
    """Run a table of a paper and show its figures beside ours; needs the extra train.

    The word "table" may be left out: earmark bench bha-1.  With --export, a row that was trained becomes a
    model file.
    """
    from earmark.bench.tables import find_table, list_tables
    from earmark.errors import ConfigError
    from earmark.terminal import make_console, print_warning

    console = make_console()
    if name is None:
        console.print(list_tables())
        return
    if export is not None and len(row or ()) != 1:
        raise ConfigError("--export writes one row; name it with --row")
    from earmark.train.experiments import (
        Workplace,
        experiment_table,
        export_row,
        read_experiment,
        run_experiment,
    )

    experiment = read_experiment(find_table(name, list(typer.main.get_group(app).commands)))
    if unit is not None:
        experiment = replace(experiment, protocol=replace(experiment.protocol, unit=unit))
    out = out or Path(f"results/{experiment.name}{'-quick' * quick}.json")
    place = Workplace(
        runs / "features", runs / "checkpoints", jobs, device, bfloat16, drop_features, compiled
    )
    at = None if repetition is None else repetition - 1
    if export is not None and row:
        with status() as tell:
            export_row(
                experiment,
                row[0],
                data,
                out,
                place,
                export,
                repetition=at or 0,
                on=on,
                quick=quick,
                tell=tell,
            )
        typer.echo(f"wrote {export}; use it with: earmark detect --model {export}")
        return
    with status(kept="results, features and checkpoints are") as tell:
        report = run_experiment(
            experiment,
            data,
            out,
            place,
            rows=row or (),
            on=on,
            repetition=at,
            quick=quick,
            tell=tell,
            warn=print_warning,
        )
    console.print(experiment_table(experiment, report))
    typer.echo(f"results are in {out}", err=True)


app.command()(bench_batch.batch)
app.command()(bench_batch.scale)
app.command()(bench_serve.serve)
for _study in (studies.separability, studies.transfer, studies.learned_features, studies.heo_cost):
    app.command()(_study)
