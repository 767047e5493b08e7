"""The systems of a table: a network trained from scratch, embeddings with a small classifier, statistics."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from earmark.embedjobs import EmbedSettings
from earmark.errors import ConfigError, ModelError
from earmark.features.extractor import Extractor
from earmark.head import FUSIONS
from earmark.modelfile import read_model
from earmark.train.crops.config import CropConfig
from earmark.train.experiments.fitconfig import FitConfig
from earmark.train.experiments.signals import Signal
from earmark.train.head import EPOCHS, KINDS


@dataclass(frozen=True, kw_only=True)
class Row:
    """What all systems of a table have.

    Parameters
    ----------
    name : str
        As the paper calls it.
    paper : dict
        The paper's figures by measure: value, and where there is one, deviation.  In a table of tasks they
        are by task, and of the first measure, until `on` has chosen one.
    note : str
        What a reader should know of it.
    share : float
        How much of each class of the training part it is trained on.
    only : tuple of str
        The tasks it is for; by default all.

    Raises
    ------
    ConfigError
        If the share is not above 0 and at most 1.
    """

    name: str
    paper: dict[str, tuple[float, ...]] = field(default_factory=dict)
    note: str = ""
    share: float = 1.0
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"share {self.share:g}: it must be above 0 and at most 1")

    def on(self, task: str, measure: str) -> Row:
        """Return the row with the paper's figure for a task, as one of a measure."""
        return replace(self, paper={measure: self.paper[task]} if task in self.paper else {})

    def setup(self) -> dict[str, Any]:
        """Return what a result of it depends on, besides data and protocol."""
        return {"share": self.share} if self.share < 1 else {}

    def shortened(self, epochs: int) -> Row:
        """Return the row with a training of so few epochs."""
        return self

    def lacks(self) -> str:
        """Return what it needs and is not there, in a line that says how to get it; nothing if all is."""
        return ""


@dataclass(frozen=True, kw_only=True)
class NetworkRow(Row):
    """A network of patches, trained from scratch.

    Parameters
    ----------
    extractor : Extractor
        Its features.
    model : dict
        Keywords of `earmark.train.models.create_model`.
    signal : Signal
    fit : FitConfig
    """

    extractor: Extractor
    model: dict[str, Any]
    signal: Signal
    fit: FitConfig

    def setup(self) -> dict[str, Any]:
        """Return features, network, signal and training."""
        return {
            "features": asdict(self.extractor),
            "model": self.model,
            "signal": asdict(self.signal),
            "fit": self.fit.setup(),
            **super().setup(),
        }

    def shortened(self, epochs: int) -> NetworkRow:
        """Return the row with a training of so few epochs."""
        return replace(self, fit=replace(self.fit, epochs=epochs))


@dataclass(frozen=True, kw_only=True)
class TransferRow(NetworkRow):
    """A network of patches that has learnt on other data before, see `earmark.train.experiments.transfer`.

    Parameters
    ----------
    frozen : tuple of str
        Names of layers that stay as they were, or "all".
    """

    frozen: tuple[str, ...]

    def setup(self) -> dict[str, Any]:
        """Return features, network, signal, training, and what is frozen."""
        return {**super().setup(), "frozen": list(self.frozen)}


@dataclass(frozen=True, kw_only=True)
class CropRow(Row):
    """A network trained on crops of songs and tested on whole ones, see `earmark.train.crops`.

    Parameters
    ----------
    extractor : Extractor
        Its features; a patch is a crop.
    model : dict
        Keywords of `earmark.train.models.create_model`.
    training : CropConfig
    crops : int
        Crops of a song that are tested, evenly spread; 0 for the whole song.
    """

    extractor: Extractor
    model: dict[str, Any]
    training: CropConfig
    crops: int = 0

    def setup(self) -> dict[str, Any]:
        """Return features, network and training, and how it is tested."""
        return {
            "features": asdict(self.extractor),
            "model": self.model,
            "training": asdict(self.training),
            "crops": self.crops,
            **super().setup(),
        }

    def shortened(self, epochs: int) -> CropRow:
        """Return the row with a training of so few epochs."""
        return replace(self, training=replace(self.training, epochs=epochs))


@dataclass(frozen=True)
class Embedding:
    """Which vectors.

    Parameters
    ----------
    model : str
        Name or path of a model for embeddings.
    embedding : str
        Which of its embeddings; if empty, the first.
    hop : float
        Seconds from one window to the next; 0 is the model's own.
    """

    model: str
    embedding: str = ""
    hop: float = 0.0

    def settings(self) -> EmbedSettings:
        """Return them as the store of vectors takes them."""
        return EmbedSettings(self.model, self.embedding or None, self.hop or None)


@dataclass(frozen=True)
class HeadConfig:
    """What classifies them.

    Parameters
    ----------
    kind : str
        A key of `earmark.train.head.KINDS`.
    fusion : str
        One of `earmark.head.FUSIONS`.
    epochs : int
        Of the networks among them.

    Raises
    ------
    ConfigError
        For an unknown word, or no epoch.
    """

    kind: str = "svm"
    fusion: str = "late"
    epochs: int = EPOCHS

    def __post_init__(self) -> None:
        for value, known, what in ((self.kind, KINDS, "kind"), (self.fusion, FUSIONS, "fusion")):
            if value not in known:
                raise ConfigError(f"unknown {what} '{value}'; choose one of {', '.join(known)}")
        if self.epochs < 1:
            raise ConfigError(f"epochs {self.epochs}: it must be above 0")


@dataclass(frozen=True, kw_only=True)
class VectorRow(Row):
    """A small classifier on embeddings, see `earmark.train.head`.

    Parameters
    ----------
    embedding : Embedding
    head : HeadConfig
    statistics : bool
        Classify statistics of a file beside its embeddings, those of the trivial baseline and
        `earmark.train.texture`; for early fusion.
    validates : bool
        Keep the validation part to choose by; a classifier that chooses nothing may learn it, too.

    Raises
    ------
    ConfigError
        For statistics with late fusion, as a window has none, or a network that does not validate.
    """

    embedding: Embedding
    head: HeadConfig
    statistics: bool = False
    validates: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.validates and KINDS[self.head.kind]:
            raise ConfigError(f"'{self.head.kind}' chooses its epoch; it needs the part that validates")
        if self.statistics and self.head.fusion != "early":
            raise ConfigError("statistics are of files; take the fusion 'early', or leave them out")

    def setup(self) -> dict[str, Any]:
        """Return embedding, the checksum of its model (none while that is not there), and classifier."""
        try:
            digest = hashlib.sha256(read_model(self.embedding.model)).hexdigest()
        except ModelError:
            digest = None
        return {
            "embedding": asdict(self.embedding) | {"sha256": digest},
            "head": asdict(self.head),
            **({"statistics": True} if self.statistics else {}),
            **({} if self.validates else {"validates": False}),
            **super().setup(),
        }

    def shortened(self, epochs: int) -> VectorRow:
        """Return the row with a training of so few epochs."""
        return replace(self, head=replace(self.head, epochs=epochs))

    def lacks(self) -> str:
        """Return why there is no such model, nothing if there is one."""
        try:
            read_model(self.embedding.model)
        except ModelError as err:
            return str(err)
        return ""


@dataclass(frozen=True, kw_only=True)
class TrivialRow(Row):
    """The trivial baseline, see `earmark.train.trivial`."""

    def setup(self) -> dict[str, Any]:
        """Return its name."""
        return {"trivial": True, **super().setup()}
