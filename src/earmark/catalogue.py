"""All models under one roof: loading one of any kind."""

from __future__ import annotations

from pathlib import Path

from earmark.chunkmodel import ChunkModel
from earmark.decodings import FrameThresholds
from earmark.model import Model
from earmark.modelfile import DEFAULT_MODEL, open_model
from earmark.patchcard import PatchCard
from earmark.patchmodel import PatchModel

AnyModel = Model | PatchModel | ChunkModel


def load_model(name_or_path: str | Path = DEFAULT_MODEL, threads: int = 1) -> AnyModel:
    """Load a model by its name, or any other by its path.

    Parameters
    ----------
    name_or_path : str or Path
        E.g. ``"detector"``, ``"ina-smn"`` or ``"mine.onnx"``.
    threads : int
        Threads the network may use; 1 costs the least processor time.

    Returns
    -------
    Model, ChunkModel or PatchModel
        What its card says it is: the first two turn a stream into posteriors, the last a whole recording
        into segments.

    Raises
    ------
    ModelError
        If the file is missing, damaged, has no card, or does not fit its card.
    ConfigError
        If `threads` is below 1.
    """
    file = open_model(name_or_path, threads)
    if not PatchCard.describes(file.card):
        return Model.of(file)
    card = PatchCard.from_json(file.card, file.origin)
    if not isinstance(card.decode, FrameThresholds):
        return PatchModel(file)
    # The kernels of 11 x 11 of the TVSM network run nine times as fast so.
    return ChunkModel(open_model(name_or_path, threads, blocked=False))
