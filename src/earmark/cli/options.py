"""Options that several commands over recordings have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def output_option(help: str, *names: str, metavar: str | None = None) -> Any:
    """Return an option that says what is written where."""
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel="Output")


def decoding_option(help: str, metavar: str) -> Any:
    """Return an option, for all labels or one, of how a label's values become segments."""
    return typer.Option(
        metavar=f"[LABEL=]{metavar}", help=help, rich_help_panel="From posteriors to segments"
    )


def running_option(help: str, *names: str, metavar: str | None = None) -> Any:
    """Return an option that changes no result."""
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel="Running")


_INPUTS = "Audio or video files, folders, patterns, http(s) addresses, or - for standard input."
_COLUMNS = "Of csv, separated by commas: start, end, label, confidence, duration, speech_to_music_db, source."

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help=_INPUTS, show_default=False)]
Columns = Annotated[str | None, output_option(_COLUMNS, metavar="NAMES")]
SkipExisting = Annotated[
    bool, output_option("Leave out recordings whose results exist already.", "--skip-existing")
]
Posteriors = Annotated[
    Path | None,
    output_option(
        "Save the posteriors too; those of several recordings into this folder.", metavar="OUT.npz"
    ),
]
Jobs = Annotated[
    int | None,
    running_option("Recordings at a time. [dim]\\[default: one per core][/dim]", "--jobs", "-j", metavar="N"),
]
Quiet = Annotated[bool, running_option("Print nothing but warnings and errors.", "--quiet", "-q")]
NoColor = Annotated[bool, running_option("No colours; so does the variable NO_COLOR.", "--no-color")]

_THRESHOLD = "A segment starts where the posterior reaches this, 0 to 1. For all labels, or one: speech=0.6."
_RELEASE = "It goes on until the posterior falls below this. Moves with the threshold unless given."
_SMOOTH = "Moving average over the posterior, seconds; 0 for none."

Threshold = Annotated[list[str] | None, decoding_option(_THRESHOLD, "P")]
Release = Annotated[list[str] | None, decoding_option(_RELEASE, "P")]
MinDuration = Annotated[list[str] | None, decoding_option("Shorter segments are dropped, seconds.", "S")]
Gap = Annotated[list[str] | None, decoding_option("Shorter gaps are filled, seconds.", "S")]
Smooth = Annotated[list[str] | None, decoding_option(_SMOOTH, "S")]
ModelName = Annotated[
    str, running_option("A model's name (see: earmark models), or an .onnx file.", metavar="NAME|PATH")
]
