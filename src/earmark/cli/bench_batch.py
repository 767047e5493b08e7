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
    repeats: Annotated[int, typer.Option("--repeats", help="Runs to take the fastest of.")] = 3,
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
