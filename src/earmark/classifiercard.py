"""The card of a model that tells recordings apart by classes of the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from earmark.card import CLASSIFIER, card_kind
from earmark.embeddingcard import DERIVED, derived_facts
from earmark.errors import ConfigError, ModelError
from earmark.features.extractor import Extractor
from earmark.head import FUSIONS


@dataclass(frozen=True)
class ClassifierCard:
    """What such a model is, needs and was made from: a network for embeddings, and a classifier of those.

    Parameters
    ----------
    name, version, description : str
        As in `ModelCard`.
    classes : tuple of str
        In the order of the scores; one holds at a time.
    features, context : mapping, int
        Of the network for embeddings, as in `EmbeddingCard`.
    backbone, embedding : str
        Name of the network for embeddings, and which of its embeddings is classified.
    dimension : int
        Numbers of an embedding, D.
    fusion : str
        How the windows of a recording are decided together, one of `FUSIONS`.
    head : str
        What the classifier was fitted as, a key of `earmark.train.head.KINDS`.
    licence : str
        Licence of the weights.
    hop : float, optional
        Seconds from one window to the next; by default the front end's own.
    sources, metrics, trained
        As in `ModelCard`.

    Raises
    ------
    ModelError
        If there are not two classes or more, all of different names, or a value is out of range.
    """

    name: str
    version: str
    description: str
    classes: tuple[str, ...]
    features: Mapping[str, Any]
    backbone: str
    embedding: str
    dimension: int
    fusion: str
    head: str
    licence: str
    context: int = 0
    hop: float | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes) or "" in self.classes:
            raise ModelError(
                f"card of '{self.name}' has the classes {', '.join(map(repr, self.classes)) or 'none'}; "
                "give two or more, each with a name of its own"
            )
        if self.fusion not in FUSIONS:
            raise ModelError(
                f"card of '{self.name}' has the fusion '{self.fusion}'; choose {' or '.join(FUSIONS)}"
            )
        if self.dimension < 1 or self.context < 0 or (self.hop is not None and not self.hop > 0):
            raise ModelError(
                f"card of '{self.name}' has dimension {self.dimension}, context {self.context} and hop "
                f"{self.hop}; they must be at least 1, at least 0, and above 0"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """What segments are marked with: the classes."""
        return self.classes

    def extractor(self) -> Extractor:
        """Return the front end; raises `ConfigError` if this version has none like it."""
        from earmark.features.registry import create_features

        extractor = create_features(**self.features)
        return extractor if self.hop is None else extractor.with_hop(self.hop)

    def to_json(self) -> str:
        """Return the card as JSON, stable in its order, with what follows from the front end."""
        fields = {"kind": CLASSIFIER, **asdict(self), **derived_facts(self.extractor())}
        return json.dumps(fields, indent=1, ensure_ascii=False)

    @staticmethod
    def describes(text: str) -> bool:
        """Tell whether a card in JSON is of this kind."""
        return card_kind(text) == CLASSIFIER

    @classmethod
    def from_json(cls, text: str, origin: str) -> ClassifierCard:
        """Read a card; `origin` names the file in messages.

        Raises
        ------
        ModelError
            If the text is no card of this kind that this version understands.
        """
        try:
            fields = json.loads(text)
            if fields.pop("kind") != CLASSIFIER:
                raise ValueError("it is of another kind")
            for derived in DERIVED:
                fields.pop(derived)
            fields["classes"] = tuple(fields["classes"])
            fields["sources"] = tuple(fields["sources"])
            card = cls(**fields)
            card.extractor()
            return card
        except (ValueError, TypeError, KeyError, AttributeError, ConfigError, ModelError) as err:
            raise ModelError(
                f"the card in '{origin}' cannot be read ({err}); "
                "the file may come from another version of earmark"
            ) from err
