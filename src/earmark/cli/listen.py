"""`earmark listen`: mark what is heard now, on the radio, at a microphone or in a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli.options import NoColor, Quiet, decoding_option, output_option, running_option
from earmark.errors import ConfigError

_SOURCE = "An address (HLS, Icecast ...), a device (alsa:default), a file, or - for standard input."
_PCM = "Standard input or the file holds raw samples: e.g. 16000/s16le/1."
_FORMAT = "How rows are written, csv or jsonl; may be repeated. [dim]\\[default: csv][/dim]"


def listen(
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", help=_SOURCE, show_default=False)] = None,
    pcm: Annotated[
        str | None, typer.Option("--pcm", metavar="RATE/FORMAT/CHANNELS", help=_PCM, show_default=False)
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="TIME", help="It is a recording that began then; by default it is heard now."
        ),
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Name the devices that can be heard.")
    ] = False,
    output: Annotated[
        str | None,
        output_option("Folder for the rows, or - for standard output.", "--output", "-o", metavar="DIR|-"),
    ] = None,
    formats: Annotated[list[str] | None, output_option(_FORMAT, "--format", "-f", metavar="NAME")] = None,
    rotate: Annotated[
        str, output_option("When a new file begins: hour, day or never.", "--rotate", metavar="WHEN")
    ] = "day",
    utc_offset: Annotated[
        str, output_option("How times are written: +02:00, or local.", "--utc-offset", metavar="HH:MM|local")
    ] = "+00:00",
    webhook: Annotated[
        str | None, output_option("Post every change as JSON to this address.", "--webhook", metavar="URL")
    ] = None,
    clips: Annotated[
        Path | None,
        output_option("Record what is heard around every change into this folder.", "--clips", metavar="DIR"),
    ] = None,
    clip_seconds: Annotated[
        float, output_option("Seconds before and after a change.", "--clip-seconds", metavar="S")
    ] = 5.0,
    clip_format: Annotated[str, output_option("flac or wav.", "--clip-format", metavar="NAME")] = "flac",
    threshold: Annotated[list[str] | None, decoding_option("As for detect.", "P")] = None,
    release: Annotated[list[str] | None, decoding_option("As for detect.", "P")] = None,
    min_duration: Annotated[list[str] | None, decoding_option("As for detect.", "S")] = None,
    min_gap: Annotated[list[str] | None, decoding_option("As for detect.", "S")] = None,
    smooth: Annotated[list[str] | None, decoding_option("As for detect.", "S")] = None,
    model: Annotated[
        str, running_option("A detector's name, or an .onnx file.", metavar="NAME|PATH")
    ] = "detector",
    timeout: Annotated[
        float, running_option("Seconds a server may send nothing before it counts as lost.", metavar="S")
    ] = 30.0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Mark speech and music in what is heard now, until it ends or is interrupted.

    What starts or ends is told about a second later, and the whole segment later.  Without --output, a
    terminal shows what is heard, and a pipe gets the rows.
    """
    from earmark.cli.listening import Wishes, listen_to, print_devices

    if list_devices:
        print_devices()
        return
    if source is None:
        raise ConfigError("say what to listen to: an address, a device (earmark listen --list-devices), or -")
    changes = {
        "threshold": threshold,
        "release": release,
        "min_duration": min_duration,
        "min_gap": min_gap,
        "smooth": smooth,
    }
    wishes = Wishes(
        output=output,
        formats=tuple(dict.fromkeys(formats or ["csv"])),
        rotate=rotate,
        utc_offset=utc_offset,
        webhook=webhook,
        clips=clips,
        clip_seconds=clip_seconds,
        clip_format=clip_format,
        quiet=quiet,
        color=not no_color,
    )
    listen_to(source, model, changes, wishes, pcm=pcm, start=start, timeout=timeout)
