"""All that is counted on a recording in one object, for each label and at each collar; scores add up.

Counts of several recordings are added and ratios taken of the sums ("pooled"), as in MIREX 2018; nothing
is averaged over recordings or labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from earmark.errors import ConfigError
from earmark.metrics.counts import Counts
from earmark.metrics.events import boundary_counts, check_amount, event_counts
from earmark.metrics.segments import HOP_S, STATES, Confusion, label_counts
from earmark.timeline import Timeline

# Ratios worth telling of cells, of events and of points, by the names they have in JSON.
_RATIOS = {"precision": "precision", "recall": "recall", "f1": "f1"}
_OF_CELLS = {**_RATIOS, "accuracy": "accuracy"}
_OF_EVENTS = {
    **_RATIOS,
    "deletion_rate": "missed_share",
    "insertion_rate": "insertion_rate",
    "error_rate": "error_rate",
}


@dataclass(frozen=True)
class Rules:
    """What is compared, and how closely.

    Parameters
    ----------
    labels : tuple of str
        Labels to score, each for itself.
    collars : tuple of float
        Seconds an event or a boundary may lie off, each scored for itself.
    hop_s : float
        Length of a cell, seconds.
    offset_share : float
        An event may end off by this share of its length, if that is more than the collar.

    Raises
    ------
    ConfigError
        If there is no label or collar, one is given twice, or a number is out of range.
    """

    labels: tuple[str, ...] = ("speech", "music")
    collars: tuple[float, ...] = (0.5, 1.0)
    hop_s: float = HOP_S
    offset_share: float = 0.0

    def __post_init__(self) -> None:
        for name, values in (("label", self.labels), ("collar", self.collars)):
            if not values or len(set(values)) < len(values):
                given = ", ".join(map(str, values)) or "none"
                raise ConfigError(f"{name}s {given}: give at least one {name}, and each once")
        for collar in self.collars:
            check_amount("collar", collar)
        check_amount("offset share", self.offset_share)
        if not 0 < self.hop_s < np.inf:
            raise ConfigError(f"cells of {self.hop_s:g} s: give a length above 0, usually 0.01")


@dataclass(frozen=True)
class EventScore:
    """Events and boundaries of a label at one collar.

    Parameters
    ----------
    onset, onset_offset : Counts
        Events found, by where they start alone, and by where they start and end.
    starts, ends : Counts
        Boundaries found, each matched among its kind.
    """

    onset: Counts
    onset_offset: Counts
    starts: Counts
    ends: Counts

    def __add__(self, other: EventScore) -> EventScore:
        return EventScore(
            self.onset + other.onset,
            self.onset_offset + other.onset_offset,
            self.starts + other.starts,
            self.ends + other.ends,
        )

    @property
    def boundaries(self) -> Counts:
        """Starts and ends together."""
        return self.starts + self.ends

    def to_dict(self) -> dict[str, Any]:
        """Return counts and ratios, fit for JSON."""
        return {
            "onset": _ratios(self.onset, _OF_EVENTS),
            "onset_offset": _ratios(self.onset_offset, _OF_EVENTS),
            "starts": _ratios(self.starts, _RATIOS),
            "ends": _ratios(self.ends, _RATIOS),
            "boundaries": _ratios(self.boundaries, _RATIOS),
        }


@dataclass(frozen=True)
class LabelScore:
    """One label, or the sum over several.

    Parameters
    ----------
    segments : Counts
        Cells.
    collars : mapping of float to EventScore
        Events and boundaries, by collar in seconds.
    """

    segments: Counts
    collars: Mapping[float, EventScore]

    def __add__(self, other: LabelScore) -> LabelScore:
        events = {collar: score + other.collars[collar] for collar, score in self.collars.items()}
        return LabelScore(self.segments + other.segments, events)

    def to_dict(self) -> dict[str, Any]:
        """Return counts and ratios, fit for JSON."""
        return {
            "segments": _ratios(self.segments, _OF_CELLS),
            "collars": {str(float(collar)): score.to_dict() for collar, score in self.collars.items()},
        }


@dataclass(frozen=True)
class Score:
    """What was counted on a recording, or on several.

    Parameters
    ----------
    rules : Rules
        What was compared.
    labels : mapping of str to LabelScore
        By label, in the order of the rules.
    states : Confusion or None
        Cells by which of speech and music sound; None unless both are scored.
    n_files, n_cells : int
        Recordings and cells that were compared.

    Examples
    --------
    >>> from earmark.timeline import Segment
    >>> reference = Timeline((Segment(0, 10, "speech"), Segment(8, 20, "music")))
    >>> estimate = Timeline((Segment(0, 9, "speech"), Segment(8, 20, "music")))
    >>> score = Score.of(reference, estimate, Rules())
    >>> score.labels["speech"].segments.recall, score.states.accuracy
    (0.9, 0.95)
    >>> [score.overall.collars[collar].onset_offset.tp for collar in (0.5, 1.0)]
    [1, 2]
    """

    rules: Rules
    labels: Mapping[str, LabelScore]
    states: Confusion | None
    n_files: int
    n_cells: int

    @classmethod
    def of(cls, reference: Timeline, estimate: Timeline, rules: Rules) -> Score:
        """Score one recording, over the duration of the longer timeline.

        Raises
        ------
        AnnotationError
            If the times are too large to be seconds.
        """
        labels = {label: _label_score(reference, estimate, label, rules) for label in rules.labels}
        both = {"speech", "music"} <= set(rules.labels)
        states = Confusion.of(reference, estimate, hop_s=rules.hop_s) if both else None
        return cls(rules, labels, states, 1, labels[rules.labels[0]].segments.n_all)

    def __add__(self, other: Score) -> Score:
        if self.rules != other.rules:
            raise ConfigError("scores of different rules do not add up; score all recordings by the same")
        labels = {label: score + other.labels[label] for label, score in self.labels.items()}
        states = None if self.states is None or other.states is None else self.states + other.states
        return Score(self.rules, labels, states, self.n_files + other.n_files, self.n_cells + other.n_cells)

    @property
    def seconds(self) -> float:
        """Length that was compared."""
        return self.n_cells * self.rules.hop_s

    @property
    def overall(self) -> LabelScore:
        """Sum over the labels: its segment accuracy is the overall accuracy of MIREX 2018."""
        return reduce(add, self.labels.values())

    @property
    def overlap(self) -> Counts | None:
        """Cells in which speech and music sound at once; None unless both are scored."""
        return None if self.states is None else self.states.counts("both")

    def to_dict(self) -> dict[str, Any]:
        """Return counts and ratios, fit for JSON; ratios that have no value are 0.0 and named."""
        states = None
        if self.states is not None:
            states = {
                "names": list(STATES),
                "cells": self.states.cells.tolist(),
                "accuracy": self.states.accuracy,
                "undefined": [] if self.n_cells else ["accuracy"],
                "overlap": _ratios(self.states.counts("both"), _OF_CELLS),
            }
        return {
            "files": self.n_files,
            "seconds": round(self.seconds, 6),
            "labels": {label: score.to_dict() for label, score in self.labels.items()},
            "overall": self.overall.to_dict(),
            "states": states,
        }


def _label_score(reference: Timeline, estimate: Timeline, label: str, rules: Rules) -> LabelScore:
    # Once, not for every collar.
    reference_of, estimate_of = (timeline[label] for timeline in (reference, estimate))
    collars = {}
    for collar in rules.collars:
        points = boundary_counts(reference_of, estimate_of, label, collar=collar)
        onset, onset_offset = (
            event_counts(
                reference_of,
                estimate_of,
                label,
                collar=collar,
                offsets=offsets,
                offset_share=rules.offset_share,
            )
            for offsets in (False, True)
        )
        collars[collar] = EventScore(onset, onset_offset, points["onset"], points["offset"])
    return LabelScore(label_counts(reference_of, estimate_of, label, hop_s=rules.hop_s), collars)


def _ratios(counts: Counts, names: Mapping[str, str]) -> dict[str, Any]:
    """Return counts and the ratios of these names."""
    found: dict[str, Any] = {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn}
    if "accuracy" in names:
        found["tn"] = counts.tn
    found.update({name: getattr(counts, attribute) for name, attribute in names.items()})
    found["undefined"] = [name for name, attribute in names.items() if attribute in counts.undefined]
    return found
