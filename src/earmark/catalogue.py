"""All models under one roof: loading one of any kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from earmark.card import CLASSIFIER, EMBEDDING, PATCHES, card_kind
from earmark.modelfile import DEFAULT_MODEL, ModelFile, open_model, refuse_kind

# Kinds of models bring in much: each is imported when there is one.
if TYPE_CHECKING:
    from earmark.card import ModelCard
    from earmark.chunkmodel import ChunkModel
    from earmark.classifier import Classifier
    from earmark.classifiercard import ClassifierCard
    from earmark.embeddingcard import EmbeddingCard
    from earmark.model import Model
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
    if card_kind(file.card) == EMBEDDING:
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
    if card_kind(file.card) == EMBEDDING:
        from earmark.embeddingcard import EmbeddingCard

        return EmbeddingCard.from_json(file.card, file.origin)
    return _model_of(file).card


def _model_of(file: ModelFile, threads: int = 1) -> AnyModel:
    kind = card_kind(file.card)
    if kind == CLASSIFIER:
        from earmark.classifier import Classifier

        return Classifier(file)
    if kind == PATCHES:
        return _model_of_patches(file, threads)
    from earmark.model import Model

    return Model.of(file)


def _model_of_patches(file: ModelFile, threads: int) -> PatchModel | ChunkModel:
    from earmark.chunkmodel import ChunkModel
    from earmark.decodings import FrameThresholds
    from earmark.patchcard import PatchCard
    from earmark.patchmodel import PatchModel

    if not isinstance(PatchCard.from_json(file.card, file.origin).decode, FrameThresholds):
        return PatchModel(file)
    # The kernels of 11 x 11 of the TVSM network run nine times as fast so.
    return ChunkModel(open_model(file.origin, threads, blocked=False))
