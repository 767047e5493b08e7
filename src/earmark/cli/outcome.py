"""What commands that take long show while they run, and benchmarks leave when they are done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from earmark.bench.report import Figure, Goal


@contextmanager
def status(quiet: bool = False, color: bool = True, kept: str = "") -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done; if it is interrupted, say what is `kept`, e.g. "results are"."""
    from earmark.terminal import make_console

    try:
        if quiet:
            yield lambda text: None
        else:
            with make_console(sys.stderr, color=color).status("") as shown:
                yield shown.update
    except KeyboardInterrupt as err:
        if not kept:
            raise
        raise KeyboardInterrupt(f"{kept} kept; the same command goes on from there") from err


def finish(
    name: str,
    config: Mapping[str, Any],
    figures: Sequence[Figure],
    details: Mapping[str, Any],
    goals: Mapping[str, Goal],
    out: Path | None,
    show: bool = True,
) -> None:
    """Print the table and write the report."""
    from earmark.bench.goals import with_goals
    from earmark.bench.report import figures_table, write_report
    from earmark.terminal import make_console

    figures = with_goals(figures, goals)
    if show:
        make_console().print(figures_table(f"earmark bench {name}", figures))
    if out is not None:
        write_report(out, name, config, figures, details)
        typer.echo(f"wrote {out}", err=True)
