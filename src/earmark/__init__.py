"""earmark marks what is heard: speech, music and both at once, in any recording.

>>> import earmark
>>> timeline = earmark.detect("programme.mp3")  # doctest: +SKIP
>>> timeline.shares()  # doctest: +SKIP
{'speech': 0.61, 'music': 0.44, 'both': 0.12, 'neither': 0.07}

Names are imported when first used, so that ``import earmark`` alone costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earmark.audio import open_audio, read_audio, to_mono
    from earmark.card import DecodeOptions, ModelCard
    from earmark.catalogue import load_model
    from earmark.chunkmodel import ChunkModel
    from earmark.classifier import Classified, Classifier, classify
    from earmark.classifiercard import ClassifierCard
    from earmark.course import CourseDecoder, CourseOptions
    from earmark.decode import StreamDecoder
    from earmark.detector import Detector, detect
    from earmark.embedding import Embedder, Embeddings
    from earmark.embeddingcard import EmbeddingCard
    from earmark.errors import AnnotationError, AudioError, ConfigError, EarmarkError, ModelError
    from earmark.evaluation.report import score
    from earmark.features import FrontEnd, MelStream, log_mel
    from earmark.model import Model
    from earmark.modelfile import embedded_models, user_models
    from earmark.patchcard import PatchCard
    from earmark.patchmodel import PatchModel
    from earmark.posteriors import Posteriors
    from earmark.timeline import Segment, Timeline

__version__ = "0.1.0"

__all__ = [
    "AnnotationError",
    "AudioError",
    "ChunkModel",
    "Classified",
    "Classifier",
    "ClassifierCard",
    "ConfigError",
    "CourseDecoder",
    "CourseOptions",
    "DecodeOptions",
    "Detector",
    "EarmarkError",
    "Embedder",
    "EmbeddingCard",
    "Embeddings",
    "FrontEnd",
    "MelStream",
    "Model",
    "ModelCard",
    "ModelError",
    "PatchCard",
    "PatchModel",
    "Posteriors",
    "Segment",
    "StreamDecoder",
    "Timeline",
    "classify",
    "detect",
    "embedded_models",
    "load_model",
    "log_mel",
    "open_audio",
    "read_audio",
    "score",
    "to_mono",
    "user_models",
]

_MODULES = {
    "audio": ("open_audio", "read_audio", "to_mono"),
    "card": ("DecodeOptions", "ModelCard"),
    "catalogue": ("load_model",),
    "chunkmodel": ("ChunkModel",),
    "classifier": ("Classified", "Classifier", "classify"),
    "classifiercard": ("ClassifierCard",),
    "course": ("CourseDecoder", "CourseOptions"),
    "decode": ("StreamDecoder",),
    "detector": ("Detector", "detect"),
    "embedding": ("Embedder", "Embeddings"),
    "embeddingcard": ("EmbeddingCard",),
    "errors": ("AnnotationError", "AudioError", "ConfigError", "EarmarkError", "ModelError"),
    "evaluation.report": ("score",),
    "features": ("FrontEnd", "MelStream", "log_mel"),
    "model": ("Model",),
    "modelfile": ("embedded_models", "user_models"),
    "patchcard": ("PatchCard",),
    "patchmodel": ("PatchModel",),
    "posteriors": ("Posteriors",),
    "timeline": ("Segment", "Timeline"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'earmark' has no attribute '{name}'")
    value = getattr(import_module(f"earmark.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
