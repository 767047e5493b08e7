"""The model card: everything `detect` must know about a model, stored inside the model file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from earmark.errors import ConfigError, ModelError
from earmark.features import FrontEnd

METADATA_KEY = "earmark_card"
# Kinds that a card may say it is of; a `ModelCard` says none.
PATCHES, EMBEDDING, CLASSIFIER = "patches", "embedding", "classifier"


def card_kind(text: str) -> str | None:
    """Return the kind that a card in JSON says it is of; None if it says none, or is no card."""
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    return fields.get("kind") if isinstance(fields, dict) else None


@dataclass(frozen=True)
class DecodeOptions:
    """How the posteriors of one label become segments; all thresholds are inclusive.

    Parameters
    ----------
    threshold : float
        A segment starts where the posterior reaches this, 0 to 1.
    release : float or None
        It goes on until the posterior falls below this (hysteresis), at most `threshold`; None means
        0.8 times `threshold`.
    min_duration : float
        Shorter segments are dropped, seconds.
    min_gap : float
        Shorter gaps between segments are filled, seconds.
    smooth : float
        Length of the moving average over the posterior, seconds; 0 for none.
    """

    threshold: float = 0.5
    release: float | None = None
    min_duration: float = 0.3
    min_gap: float = 0.3
    smooth: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold {self.threshold}: it must lie between 0 and 1; try 0.5")
        if self.release is not None and not 0 < self.release <= self.threshold:
            raise ConfigError(
                f"release {self.release}: it must be above 0 and at most the threshold ({self.threshold})"
            )
        for name, usual in (("min_duration", 0.3), ("min_gap", 0.3), ("smooth", 0.1)):
            value = getattr(self, name)
            if not 0 <= value <= 600:
                raise ConfigError(f"{name} {value}: it must be 0 to 600 seconds; try {usual}")

    @property
    def release_at(self) -> float:
        """The posterior below which a segment ends."""
        return 0.8 * self.threshold if self.release is None else self.release


@dataclass(frozen=True)
class ModelCard:
    """What a model is, needs and was made from.

    Parameters
    ----------
    name, version : str
        E.g. ``"detector"`` and ``"1"``.
    description : str
        One or two sentences.
    labels : tuple of str
        Columns of the posteriors.
    front_end : FrontEnd
        Constants of the log-mel input.
    context : int
        Frames the network sees on each side of the frame it decides; a signal cut with that much
        margin gives the same posteriors as in one piece.
    decode : mapping of str to DecodeOptions
        How each label is decoded by default.
    licence : str
        Licence of the weights.
    sources : tuple of mapping
        Training sources: name, minutes, licence, and what was taken.
    metrics : mapping
        Figures measured for this file, and on what.
    trained : mapping
        Seed, steps, versions: what is needed to repeat the training.
    """

    name: str
    version: str
    description: str
    labels: tuple[str, ...]
    front_end: FrontEnd
    context: int
    decode: Mapping[str, DecodeOptions]
    licence: str
    sources: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [label for label in self.labels if label not in self.decode]
        if missing:
            raise ModelError(
                f"card of '{self.name}' has no decoding options for {', '.join(missing)}; add them"
            )

    def to_json(self) -> str:
        """Return the card as JSON, stable in its order."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, origin: str) -> ModelCard:
        """Read a card; `origin` names the file in messages.

        Raises
        ------
        ModelError
            If the text is no card this version understands.
        """
        try:
            fields = json.loads(text)
            fields["labels"] = tuple(fields["labels"])
            fields["sources"] = tuple(fields["sources"])
            fields["front_end"] = FrontEnd(**fields["front_end"])
            fields["decode"] = {label: DecodeOptions(**o) for label, o in fields["decode"].items()}
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError, ConfigError) as err:
            raise ModelError(
                f"the card in '{origin}' cannot be read ({err}); "
                "the file may come from another version of earmark"
            ) from err
