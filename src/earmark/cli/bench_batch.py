"""`earmark bench batch`: what a batch costs, and what it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli.outcome import finish, status


def batch(
    files: Annotated[
        int, typer.Option("--files", help="One-minute recordings, for speed and overhead.")
    ] = 60,
    hours: Annotated[
        float, typer.Option("--hours", help="Long recording for the peak memory; 0 leaves it out.")
    ] = 24.0,
    mixed: Annotated[int, typer.Option("--mixed", help="Recordings of the batch that is killed.")] = 500,
    kills: Annotated[int, typer.Option("--kills", help="How often it is; 0 leaves it out.")] = 10,
    repeats: Annotated[int, typer.Option("--repeats", help="Rounds of the measurements of speed.")] = 9,
    seed: Annotated[int, typer.Option("--seed", help="Another seed kills at other moments.")] = 0,
    model: Annotated[str, typer.Option("--model", metavar="NAME|PATH", help="Model to use.")] = "detector",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the result as JSON.")
    ] = None,
) -> None:
    """Measure a batch: files per second on one and two cores, overhead, memory, and what kills do to it."""
    from earmark.bench.batch import measure_batch
    from earmark.bench.report import describe_model

    config = {
        "files": files,
        "hours": hours,
        "mixed": mixed,
        "kills": kills,
        "repeats": repeats,
        "seed": seed,
    }
    with status() as tell:
        figures, details = measure_batch(
            model, files=files, hours=hours, mixed=mixed, kills=kills, repeats=repeats, seed=seed, tell=tell
        )
    finish("batch", {**config, "model": describe_model(model)}, figures, details, {}, out)


def scale(
    items: Annotated[int, typer.Option("--items", help="Items of the simulation.")] = 1_000_000,
    cores: Annotated[int, typer.Option("--cores", help="Workers.")] = 1000,
    hours: Annotated[float, typer.Option("--hours", help="Mean length of a recording.")] = 1.0,
    audio: Annotated[
        float, typer.Option("--audio", help="Hours of audio of the run that is planned.")
    ] = 10_000_000.0,
    cost: Annotated[
        float, typer.Option("--cost", help="CPU seconds an hour of audio costs; earmark bench speed tells.")
    ] = 8.0,
    start: Annotated[float, typer.Option("--start", help="Seconds a recording costs besides.")] = 0.05,
    rate: Annotated[float, typer.Option("--rate", help="Of the recordings, kbit/s.")] = 128.0,
    failing: Annotated[float, typer.Option("--failing", help="Share of recordings that fail.")] = 0.01,
    lost: Annotated[float, typer.Option("--lost", help="How often a worker is lost in a day.")] = 0.1,
    price: Annotated[float, typer.Option("--price", help="Of a core for an hour, USD.")] = 0.04,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other lengths and losses.")] = 0,
    model: Annotated[str, typer.Option("--model", metavar="NAME|PATH", help="Model to name.")] = "detector",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the result as JSON.")
    ] = None,
) -> None:
    """Plan a run on very many cores; check it by running the scheduler on stub workers."""
    import tempfile
    from dataclasses import asdict, replace

    from earmark.bench.scale import Fleet, simulate

    fleet = Fleet(items, cores, hours, cost, start, rate * 0.45, failing, lost, price)
    with status() as tell, tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        figures, details = simulate(fleet, Path(folder), model, seed, tell)
    driver_s = details["wall_s"] / items
    planned = replace(fleet, items=round(audio / hours), driver_s=driver_s)
    figures += planned.figures(f"{audio:,.0f} h on {cores:,} cores")
    finish("scale", asdict(planned), figures, details, {}, out)
