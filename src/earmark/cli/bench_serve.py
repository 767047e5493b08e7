"""`earmark bench serve`: what a server takes, and what it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli.outcome import finish, status


def serve(
    minutes: Annotated[
        float, typer.Option("--minutes", help="Of the MP3 that is uploaded; 0 leaves it out.")
    ] = 60.0,
    hours: Annotated[
        float, typer.Option("--hours", help="Long recording for the memory; 0 leaves it out.")
    ] = 24.0,
    clients: Annotated[int, typer.Option("--clients", help="At a time; 0 leaves them out.")] = 50,
    jobs: Annotated[int, typer.Option("--jobs", help="Recordings of a second that they upload.")] = 500,
    model: Annotated[str, typer.Option("--model", metavar="NAME|PATH", help="Model to use.")] = "detector",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the result as JSON.")
    ] = None,
) -> None:
    """Measure a server: time to waveform and lanes, memory, many clients at once; needs the extra server."""
    from earmark.bench.report import describe_model
    from earmark.bench.serving import measure_serving

    config = {"minutes": minutes, "hours": hours, "clients": clients, "jobs": jobs}
    with status() as tell:
        figures, details = measure_serving(
            model, minutes=minutes, hours=hours, clients=clients, jobs=jobs, tell=tell
        )
    finish("serve", {**config, "model": describe_model(model)}, figures, details, {}, out)
