"""The card of a model that classifies patches, as published systems do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from earmark.card import PATCHES, card_kind
from earmark.decodings import Decoding, FrameThresholds, decoding_fields, labels_of, read_decoding
from earmark.errors import ConfigError, ModelError
from earmark.features.extractor import Extractor


@dataclass(frozen=True)
class PatchCard:
    """What such a model is, needs and was made from.

    Parameters
    ----------
    name, version, description : str
        As in `ModelCard`.
    classes : tuple of str
        In the order of the network's outputs.  One holds at a time, ``"speech+music"`` stands for two
        labels and ``"neither"`` for none; or, if `decode` is `FrameThresholds`, each is a label of its own.
    features : mapping
        The front end: ``name`` and, if need be, ``variant`` and options of `create_features`.
    decode : Decoding
        How the probabilities of the classes become segments.
    licence : str
        Licence of the weights.
    sources : tuple of mapping
        What was trained on, or where the weights come from.
    metrics, trained : mapping
        As in `ModelCard`.

    Raises
    ------
    ModelError
        If a label that is decoded by a threshold has no options.
    """

    name: str
    version: str
    description: str
    classes: tuple[str, ...]
    features: Mapping[str, Any]
    decode: Decoding
    licence: str
    sources: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.decode, FrameThresholds) and set(self.decode.options) != set(self.classes):
            raise ModelError(
                f"card of '{self.name}' decodes {', '.join(self.decode.options) or 'nothing'}; "
                f"its options must be for {', '.join(self.classes)}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """What segments are marked with."""
        return tuple(dict.fromkeys(label for name in self.classes for label in labels_of(name)))

    def extractor(self) -> Extractor:
        """Return the front end; raises `ConfigError` if this version has none like it."""
        from earmark.features.registry import create_features

        return create_features(**self.features)

    def to_json(self) -> str:
        """Return the card as JSON, stable in its order."""
        fields = {"kind": PATCHES, **asdict(self), "decode": decoding_fields(self.decode)}
        return json.dumps(fields, indent=1, ensure_ascii=False)

    @staticmethod
    def describes(text: str) -> bool:
        """Tell whether a card in JSON is of this kind."""
        return card_kind(text) == PATCHES

    @classmethod
    def from_json(cls, text: str, origin: str) -> PatchCard:
        """Read a card; `origin` names the file in messages.

        Raises
        ------
        ModelError
            If the text is no card of this kind that this version understands.
        """
        try:
            fields = json.loads(text)
            if fields.pop("kind") != PATCHES:
                raise ValueError("it is of another kind")
            # The first cards called the classes labels.
            fields["classes"] = tuple(fields.pop("labels") if "labels" in fields else fields["classes"])
            fields["sources"] = tuple(fields["sources"])
            fields["decode"] = read_decoding(fields["decode"])
            card = cls(**fields)
            card.extractor()
            return card
        except (ValueError, TypeError, KeyError, AttributeError, ConfigError, ModelError) as err:
            raise ModelError(
                f"the card in '{origin}' cannot be read ({err}); "
                "the file may come from another version of earmark"
            ) from err
