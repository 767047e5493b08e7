"""The card of a model that turns windows of a signal into embeddings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from earmark.card import EMBEDDING, card_kind
from earmark.errors import ConfigError, ModelError
from earmark.features.extractor import Extractor

# What a card says besides its fields.
DERIVED = ("sample_rate", "window_s", "hop_s")


@dataclass(frozen=True)
class EmbeddingCard:
    """What such a model is, needs and was made from.

    Parameters
    ----------
    name, version, description : str
        As in `ModelCard`.
    features : mapping
        The front end: ``name`` and, if need be, ``variant`` and options of `create_features`.
    embeddings : mapping of str to int
        The graph's outputs and how many numbers each has; the first is what is given if none is asked for.
    licence : str
        Licence of the weights.
    context : int
        0: the graph takes patches, (B, F, L), each by itself.  Else it takes features of any length,
        (1, F, T), and gives a vector for every patch in them, which depends on this many frames before and
        after the patch.
    sources : tuple of mapping
        What was trained on, or where the weights come from, with the checksum of the file.
    metrics, trained : mapping
        As in `ModelCard`.

    Raises
    ------
    ModelError
        If there is no embedding, or one of no size.
    """

    name: str
    version: str
    description: str
    features: Mapping[str, Any]
    embeddings: Mapping[str, int]
    licence: str
    context: int = 0
    sources: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.embeddings or min(self.embeddings.values()) < 1 or self.context < 0:
            raise ModelError(
                f"card of '{self.name}' has embeddings {dict(self.embeddings)} and context {self.context}; "
                "it must have one of at least 1 number, and a context of at least 0"
            )

    def extractor(self) -> Extractor:
        """Return the front end; raises `ConfigError` if this version has none like it."""
        from earmark.features.registry import create_features

        return create_features(**self.features)

    def to_json(self) -> str:
        """Return the card as JSON, stable in its order, with what follows from the front end."""
        fields = {"kind": EMBEDDING, **asdict(self), **derived_facts(self.extractor())}
        return json.dumps(fields, indent=1, ensure_ascii=False)

    @staticmethod
    def describes(text: str) -> bool:
        """Tell whether a card in JSON is of this kind."""
        return card_kind(text) == EMBEDDING

    @classmethod
    def from_json(cls, text: str, origin: str) -> EmbeddingCard:
        """Read a card; `origin` names the file in messages.

        Raises
        ------
        ModelError
            If the text is no card of this kind that this version understands.
        """
        try:
            fields = json.loads(text)
            if fields.pop("kind") != EMBEDDING:
                raise ValueError("it is of another kind")
            for derived in DERIVED:
                fields.pop(derived)
            fields["sources"] = tuple(fields["sources"])
            card = cls(**fields)
            card.extractor()
            return card
        except (ValueError, TypeError, KeyError, AttributeError, ConfigError, ModelError) as err:
            raise ModelError(
                f"the card in '{origin}' cannot be read ({err}); "
                "the file may come from another version of earmark"
            ) from err


def derived_facts(extractor: Extractor) -> dict[str, float]:
    """Return what follows from a front end, under the names in `DERIVED`."""
    rate = extractor.sample_rate
    return dict(
        zip(DERIVED, (rate, extractor.window_length / rate, extractor.window_hop / rate), strict=True)
    )
