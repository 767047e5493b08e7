"""`earmark serve`: look, listen and correct in the browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

_SAFETY = "Who and what is let in"


def _safety(help: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=_SAFETY)


def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Recordings to choose from on this side.", show_default=False
        ),
    ] = None,
    host: Annotated[
        str, _safety("Address to listen at; any but this machine's own needs a token.", "--host")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 for any that is free.")] = 7373,
    token: Annotated[
        str | None,
        _safety("What whoever comes must know; so says EARMARK_TOKEN.", "--token", metavar="TEXT"),
    ] = None,
    names: Annotated[
        list[str] | None,
        _safety(
            "A further name of the server, e.g. behind a proxy; may be repeated.", "--name", metavar="HOST"
        ),
    ] = None,
    allow_urls: Annotated[
        bool, _safety("Let recordings be fetched from public addresses.", "--allow-urls")
    ] = False,
    max_upload: Annotated[float, _safety("Largest recording, MB.", "--max-upload", metavar="MB")] = 4000.0,
    max_hours: Annotated[float, _safety("Longest recording, hours.", "--max-hours", metavar="H")] = 30.0,
    max_recordings: Annotated[
        int, _safety("Recordings kept at a time.", "--max-recordings", metavar="N")
    ] = 10_000,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="DIR",
            help="Where all is kept. [dim]\\[default: serve in earmark's folder for data][/dim]",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|PATH", help="Marks unless another is chosen.")
    ] = "detector",
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", metavar="N", help="Jobs at a time. [dim]\\[default: one per core][/dim]"
        ),
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(
            "--memory",
            metavar="MB",
            help="What a job may take before it is ended. [dim]\\[default: 2000; on Linux only][/dim]",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", help="Likewise, seconds.")] = 6 * 3600.0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; so does the variable NO_COLOR.")
    ] = False,
) -> None:
    """Look, listen and correct in the browser: a local server and its page. Ctrl-C ends it."""
    # Imported late: they bring in numpy, the network and the server.
    from earmark.cores import usable_cores
    from earmark.server.serving import serve as run
    from earmark.server.settings import Bounds, Settings, default_store, job_limits
    from earmark.terminal import make_console

    settings = Settings(
        store or default_store(),
        folder,
        host,
        port,
        token or os.environ.get("EARMARK_TOKEN") or None,
        tuple(names or ()),
        allow_urls,
        model,
        usable_cores() if jobs is None else jobs,
        Bounds(round(max_upload * 1e6), max_hours * 3600, max_recordings),
        job_limits(timeout, memory),
    )
    console = make_console(color=not no_color)

    def ready(address: str) -> None:
        console.print(f"earmark serves at {address}", soft_wrap=True, highlight=False)

    run(settings, ready, browser=not no_browser)
