"""All models under one roof: loading one of any kind."""

from __future__ import annotations

from pathlib import Path

from earmark.card import ModelCard
from earmark.chunkmodel import ChunkModel
from earmark.classifier import Classifier
from earmark.classifiercard import ClassifierCard
from earmark.decodings import FrameThresholds
from earmark.embeddingcard import EmbeddingCard
from earmark.model import Model
from earmark.modelfile import DEFAULT_MODEL, ModelFile, open_model, refuse_kind
from earmark.patchcard import PatchCard
from earmark.patchmodel import PatchModel

AnyModel = Model | PatchModel | ChunkModel | Classifier
AnyCard = ModelCard | PatchCard | EmbeddingCard | ClassifierCard


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
    Model, ChunkModel, PatchModel or Classifier
        What its card says it is: all but `PatchModel` turn a stream into posteriors, that a whole recording
        into segments.

    Raises
    ------
    ModelError
        If the file is missing, damaged, has no card, does not fit its card, or gives embeddings.
    ConfigError
        If `threads` is below 1.
    """
    file = open_model(name_or_path, threads)
    if EmbeddingCard.describes(file.card):
        refuse_kind(file, "marks nothing")
    return _model_of(file, threads)


def load_card(name_or_path: str | Path) -> AnyCard:
    """Return the card of a model of any kind.

    Raises
    ------
    ModelError
        If the file is missing, damaged, has no card, or marks recordings and does not fit its card.
    """
    file = open_model(name_or_path)
    if EmbeddingCard.describes(file.card):
        return EmbeddingCard.from_json(file.card, file.origin)
    return _model_of(file).card


def _model_of(file: ModelFile, threads: int = 1) -> AnyModel:
    if ClassifierCard.describes(file.card):
        return Classifier(file)
    if not PatchCard.describes(file.card):
        return Model.of(file)
    card = PatchCard.from_json(file.card, file.origin)
    if not isinstance(card.decode, FrameThresholds):
        return PatchModel(file)
    # The kernels of 11 x 11 of the TVSM network run nine times as fast so.
    return ChunkModel(open_model(file.origin, threads, blocked=False))
