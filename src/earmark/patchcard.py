"""The card of a model that classifies patches of a whole recording, as published systems do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from earmark.errors import ConfigError, ModelError
from earmark.features.extractor import Extractor

_KIND = "patches"


@dataclass(frozen=True)
class GatedViterbi:
    """How inaSpeechSegmenter makes segments: what has energy, and in each such stretch the likeliest classes.

    Changes of state cost powers of ten of likelihood.

    Parameters
    ----------
    energy_ratio : float
        A frame has energy above this share of the geometric mean energy of the recording, above 0.
    gate_error : float
        How likely a frame is on the wrong side of that, between 0 and 0.5.
    gate_change : float
        Cost of a change between energy and none, decades.
    gate_stay_silent : float
        Cost of each frame without energy that follows another, natural logarithm.
    class_change : float
        Cost of a change of class, decades.

    Raises
    ------
    ConfigError
        If a value is outside its range.
    """

    energy_ratio: float = 0.03
    gate_error: float = 1e-10
    gate_change: float = 150.0
    gate_stay_silent: float = 5.0
    class_change: float = 80.0

    def __post_init__(self) -> None:
        if not self.energy_ratio > 0:
            raise ConfigError(f"energy_ratio {self.energy_ratio}: it must be above 0")
        if not 0 < self.gate_error < 0.5:
            raise ConfigError(f"gate_error {self.gate_error}: it must lie between 0 and 0.5")
        for name in ("gate_change", "gate_stay_silent", "class_change"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} {getattr(self, name)}: it must be 0 or more")


@dataclass(frozen=True)
class PatchCard:
    """What such a model is, needs and was made from.

    Parameters
    ----------
    name, version, description : str
        As in `ModelCard`.
    labels : tuple of str
        Classes, in the order of the network's outputs; one holds at a time.
    features : mapping
        The front end: ``name`` and, if need be, ``variant`` and options of `create_features`.
    decode : GatedViterbi
        How the probabilities of the classes become segments.
    licence : str
        Licence of the weights.
    sources : tuple of mapping
        Where the weights come from.
    metrics, trained : mapping
        As in `ModelCard`.
    """

    name: str
    version: str
    description: str
    labels: tuple[str, ...]
    features: Mapping[str, Any]
    decode: GatedViterbi
    licence: str
    sources: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained: Mapping[str, Any] = field(default_factory=dict)

    def extractor(self) -> Extractor:
        """Return the front end; raises `ConfigError` if this version has none like it."""
        from earmark.features.registry import create_features

        return create_features(**self.features)

    def to_json(self) -> str:
        """Return the card as JSON, stable in its order."""
        return json.dumps({"kind": _KIND, **asdict(self)}, indent=1, ensure_ascii=False)

    @staticmethod
    def describes(text: str) -> bool:
        """Tell whether a card in JSON is of this kind."""
        try:
            fields = json.loads(text)
        except ValueError:
            return False
        return isinstance(fields, dict) and fields.get("kind") == _KIND

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
            if fields.pop("kind") != _KIND:
                raise ValueError("it is of another kind")
            fields["labels"] = tuple(fields["labels"])
            fields["sources"] = tuple(fields["sources"])
            fields["decode"] = GatedViterbi(**fields["decode"])
            card = cls(**fields)
            card.extractor()
            return card
        except (ValueError, TypeError, KeyError, AttributeError, ConfigError) as err:
            raise ModelError(
                f"the card in '{origin}' cannot be read ({err}); "
                "the file may come from another version of earmark"
            ) from err
