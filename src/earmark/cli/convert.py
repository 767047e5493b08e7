"""`earmark convert`: from one annotation format to another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from earmark.errors import AnnotationError, ConfigError
from earmark.files import atomic_write, write_standard_output
from earmark.formats import FORMATS, dumps, format_of, loads, read
from earmark.formats.reading import read_standard_input
from earmark.terminal import print_warning

_NAMES = ", ".join(FORMATS)
_STANDARD = Path("-")


def convert(
    input: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file; - for standard input.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="File to write; - for standard output.")],
    from_format: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="Format of IN; by default its suffix decides."),
    ] = None,
    to_format: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NAME", help=f"Format of OUT; by default its suffix decides. One of {_NAMES}."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help="Columns of a CSV, separated by commas: start, end, label, confidence, duration, "
            "speech_to_music_db, source.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
) -> None:
    """Convert an annotation file to another format."""
    if input == _STANDARD and from_format is None:
        raise ConfigError(
            f"standard input has no suffix to tell its format; add --from NAME, one of {_NAMES}"
        )
    if output == _STANDARD and to_format is None:
        raise ConfigError(f"standard output has no suffix to tell its format; add --to NAME, one of {_NAMES}")
    target = format_of(output, to_format)
    if output != _STANDARD:
        _check_output(input, output, force)
    if input == _STANDARD:
        timeline = loads(read_standard_input(), str(from_format), "standard input")
    else:
        timeline = read(input, from_format)
    for warning in timeline.warnings:
        print_warning(warning)
    options = {} if columns is None else {"columns": [name.strip() for name in columns.split(",")]}
    data = dumps(timeline, target.name, **options).encode("utf-8")
    if output == _STANDARD:
        write_standard_output(data, "name a file to write")
    else:
        with atomic_write(output, binary=True) as file:
            file.write(data)


def _check_output(input: Path, output: Path, force: bool) -> None:
    if not output.is_file():
        return
    if input != _STANDARD and input.exists() and os.path.samefile(input, output):
        raise AnnotationError(f"'{output}' is the input itself; name another file to write")
    if not force:
        raise AnnotationError(f"'{output}' exists; name another file, or add --force to replace it")
