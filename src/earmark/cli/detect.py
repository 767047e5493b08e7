"""`earmark detect`: mark speech and music in recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from earmark.cli.options import (
    Columns,
    Gap,
    Inputs,
    Jobs,
    MinDuration,
    ModelName,
    NoColor,
    Posteriors,
    Quiet,
    Release,
    SkipExisting,
    Smooth,
    Threshold,
    output_option,
)

if TYPE_CHECKING:
    from earmark.catalogue import AnyModel


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
    threshold: Threshold = None,
    release: Release = None,
    min_duration: MinDuration = None,
    min_gap: Gap = None,
    smooth: Smooth = None,
    model: ModelName = "detector",
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
