"""`earmark detect`: mark speech and music in recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from earmark.cli.options import (
    Columns,
    Inputs,
    Jobs,
    NoColor,
    Posteriors,
    Quiet,
    SkipExisting,
    decoding_option,
    output_option,
    running_option,
)

if TYPE_CHECKING:
    from earmark.catalogue import AnyModel

_THRESHOLD = "A segment starts where the posterior reaches this, 0 to 1. For all labels, or one: speech=0.6."
_RELEASE = "It goes on until the posterior falls below this. Moves with the threshold unless given."


def detect(
    inputs: Inputs,
    output: Annotated[
        str | None,
        output_option("Folder for the results, or - for standard output.", "--output", "-o", metavar="DIR|-"),
    ] = None,
    formats: Annotated[
        list[str] | None,
        output_option(
            "Format of the results; may be repeated. [dim]\\[default: csv][/dim]",
            "--format",
            "-f",
            metavar="NAME",
        ),
    ] = None,
    columns: Columns = None,
    skip_existing: SkipExisting = False,
    posteriors: Posteriors = None,
    threshold: Annotated[list[str] | None, decoding_option(_THRESHOLD, "P")] = None,
    release: Annotated[list[str] | None, decoding_option(_RELEASE, "P")] = None,
    min_duration: Annotated[
        list[str] | None, decoding_option("Shorter segments are dropped, seconds.", "S")
    ] = None,
    min_gap: Annotated[list[str] | None, decoding_option("Shorter gaps are filled, seconds.", "S")] = None,
    smooth: Annotated[
        list[str] | None, decoding_option("Moving average over the posterior, seconds; 0 for none.", "S")
    ] = None,
    model: Annotated[
        str, running_option("A model's name (see: earmark models), or an .onnx file.", metavar="NAME|PATH")
    ] = "detector",
    jobs: Jobs = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Mark speech and music in recordings.

    Without --output, each timeline is printed to be read: a strip per label, the shares, the segments.
    """
    from earmark.cli.marking import mark

    mark(
        inputs,
        model,
        _load,
        {
            "threshold": threshold,
            "release": release,
            "min_duration": min_duration,
            "min_gap": min_gap,
            "smooth": smooth,
        },
        output=output,
        formats=formats or (),
        columns=columns,
        skip_existing=skip_existing,
        posteriors=posteriors,
        jobs=jobs,
        quiet=quiet,
        no_color=no_color,
    )


def _load(model: str) -> AnyModel:
    # Imported late: it brings in numpy and the network.
    from earmark.catalogue import load_model

    return load_model(model)
