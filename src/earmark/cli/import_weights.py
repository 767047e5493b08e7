"""`earmark import-weights`: published weights become a model that `earmark detect` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_weights(
    system: Annotated[
        str,
        typer.Argument(help="Whose weights: ina (inaSpeechSegmenter) or tvsm (the CRNN of the TVSM data)."),
    ],
    file: Annotated[Path, typer.Argument(help="The file of weights, as its authors publish it.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the model here; by default where --model finds it by its name."),
    ] = None,
) -> None:
    """Turn published weights into a model with a card, for `earmark detect --model`.

    Nothing is downloaded: get the weights from their authors first.
    """
    from earmark.train.published import import_published

    name, path = import_published(system, file, out)
    typer.echo(f"wrote {path}; use it with: earmark detect --model {path if out else name}")
