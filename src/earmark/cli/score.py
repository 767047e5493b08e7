"""`earmark score`: annotations against references."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.errors import ConfigError
from earmark.files import write_standard_output

if TYPE_CHECKING:
    from earmark.evaluation.report import Report

_FORMATS = ("table", "json")
# Columns of a table that is not shown on a terminal: as many as it needs.
_WIDE = 240


def _comparing(help: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel="What is compared")


def _reading(help: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel="Reading")


def _output(help: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel="Output")


_SIDE = "Annotation file in any format of convert, a folder of such, or - for standard input."


def score(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help=f"The truth. {_SIDE}")],
    estimate: Annotated[str, typer.Argument(metavar="ESTIMATE", help="What is scored, likewise.")],
    labels: Annotated[
        list[str] | None,
        _comparing(
            "Label to score; may be repeated. [dim]\\[default: those of the references][/dim]",
            "--label",
            "-l",
            metavar="NAME",
        ),
    ] = None,
    collars: Annotated[
        list[float] | None,
        _comparing(
            "Seconds an event or a boundary may lie off; may be repeated. [dim]\\[default: 0.5 and 1][/dim]",
            "--collar",
            metavar="S",
        ),
    ] = None,
    offset_share: Annotated[
        float,
        _comparing(
            "An event may end off by this share of its length, if that is more than the collar.",
            "--offset-share",
            metavar="X",
        ),
    ] = 0.0,
    cell: Annotated[
        float, _comparing("Length of the cells of segment scores, seconds.", "--cell", metavar="S")
    ] = 0.01,
    rename: Annotated[
        list[str] | None,
        _reading(
            "Call a label otherwise on both sides; may be repeated.", "--rename", "-r", metavar="OLD=NEW"
        ),
    ] = None,
    join: Annotated[
        bool, _reading("Join segments of a label that touch, as rows of frames do.", "--join")
    ] = False,
    allow_missing: Annotated[
        bool,
        _reading("Score a reference without estimate as if nothing had been reported.", "--allow-missing"),
    ] = False,
    reference_format: Annotated[
        str | None,
        _reading(
            "Format of the references; by default the suffix decides.", "--reference-format", metavar="NAME"
        ),
    ] = None,
    estimate_format: Annotated[
        str | None,
        _reading(
            "Format of the estimates; by default the suffix decides.", "--estimate-format", metavar="NAME"
        ),
    ] = None,
    format: Annotated[
        str | None,
        _output(
            "table or json. [dim]\\[default: table, or json for a FILE that ends in .json][/dim]",
            "--format",
            "-f",
            metavar="NAME",
        ),
    ] = None,
    output: Annotated[
        Path | None, _output("Write to this file instead.", "--output", "-o", metavar="FILE")
    ] = None,
    per_file: Annotated[bool, _output("Add the scores of each file.", "--per-file")] = False,
    no_color: Annotated[bool, _output("No colours; so does the variable NO_COLOR.", "--no-color")] = False,
) -> None:
    """Score annotations against references: cells, events, boundaries, states; pooled over files.

    Files of two folders are paired by their path below the folder, without suffix.
    """
    chosen = _format(format, output)
    names = _renamed(rename or ())
    # Imported late: they bring in numpy.
    from earmark.evaluation.report import score as score_all
    from earmark.metrics.score import Rules
    from earmark.terminal import print_warning

    _check_output(output, (reference, estimate))
    report = score_all(
        reference,
        estimate,
        labels=labels or None,
        collars=collars or Rules().collars,
        hop_s=cell,
        offset_share=offset_share,
        rename=names,
        join=join,
        allow_missing=allow_missing,
        reference_format=reference_format,
        estimate_format=estimate_format,
    )
    for warning in report.warnings:
        print_warning(warning, color=not no_color)
    if output is None and chosen == "table":
        _show(report, per_file, not no_color)
    elif output is None:
        text = _json(report, per_file)
        write_standard_output(text.encode("utf-8", "replace"), "give a file: --output FILE")
    else:
        _write(output, _json(report, per_file) if chosen == "json" else _text(report, per_file))


def _format(name: str | None, output: Path | None) -> str:
    if name is None:
        return "json" if output is not None and output.suffix.lower() == ".json" else "table"
    if name.lower() not in _FORMATS:
        raise ConfigError(f"--format {name}: choose one of {', '.join(_FORMATS)}")
    return name.lower()


def _renamed(pairs: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old.strip() and equals and new.strip()):
            raise ConfigError(f"--rename {pair}: give OLD=NEW, e.g. Music=music")
        if old.strip() in names:
            raise ConfigError(f"--rename {pair}: '{old.strip()}' is renamed twice; give it once")
        names[old.strip()] = new.strip()
    return names


def _check_output(output: Path | None, inputs: Sequence[str]) -> None:
    """Refuse to write over what is scored, or to where it would be taken for it."""
    if output is None:
        return
    target = Path(os.path.realpath(output))
    for given in inputs:
        if target == Path(os.path.realpath(given)):
            raise ConfigError(f"--output {output}: that is a file to be scored; name another one")
        if os.path.isdir(given) and target.is_relative_to(os.path.realpath(given)):
            raise ConfigError(f"--output {output}: lies in '{given}', which is scored; name a file elsewhere")


def _show(report: Report, per_file: bool, color: bool) -> None:
    from earmark.evaluation.tables import print_report
    from earmark.terminal import make_console

    console = make_console(color=color)
    if not console.is_terminal:
        console = make_console(color=color, width=_WIDE)
    print_report(console, report, per_file=per_file)


def _text(report: Report, per_file: bool) -> str:
    from earmark.evaluation.tables import print_report
    from earmark.terminal import make_console

    text = io.StringIO()
    print_report(make_console(text, color=False, width=_WIDE), report, per_file=per_file)
    return text.getvalue()


def _json(report: Report, per_file: bool) -> str:
    found = report.to_dict(per_file=per_file)
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write(output: Path, text: str) -> None:
    from earmark.files import atomic_write

    with atomic_write(output, binary=True) as file:
        file.write(text.encode("utf-8", "replace"))
