"""Frames to learn from: what was heard of them, what the model says, and what is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.timeline import Timeline

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

# No ear says to a tenth of a second where something begins.
_EDGE_S = 0.1


@dataclass(frozen=True)
class Examples:
    """Frames of all recordings.

    Parameters
    ----------
    hidden : float, shape=(n, C + 1)
        Activations, and a last column of ones.
    logits : float, shape=(n, K)
        What the model says of its own labels.
    marked, counted : bool, shape=(n, K')
        Where each label is marked, and whether that is certain; the model's own labels come first.
    group : int, shape=(n,)
        Which group each frame is of, counted from 0.
    """

    hidden: FloatArray
    logits: FloatArray
    marked: BoolArray
    counted: BoolArray
    group: IntArray

    @property
    def n_groups(self) -> int:
        """How many groups have frames."""
        return len(np.unique(self.group))

    def of(self, column: int) -> LabelExamples:
        """Return the frames that count for a label; a new one starts at 0."""
        kept = np.flatnonzero(self.counted[:, column])
        own = column < self.logits.shape[1]
        offset = self.logits[kept, column] if own else np.zeros(len(kept))
        return LabelExamples(self.hidden[kept], offset, self.marked[kept, column], self.group[kept])


class LabelExamples(NamedTuple):
    """Frames of one label: as in `Examples`, and `offset`, the logits without any change."""

    hidden: FloatArray
    offset: FloatArray
    marked: BoolArray
    group: IntArray

    def where(self, kept: BoolArray) -> LabelExamples:
        """Return some of them."""
        return LabelExamples(self.hidden[kept], self.offset[kept], self.marked[kept], self.group[kept])


def targets(
    timeline: Timeline, labels: Sequence[str], frames: IntArray, hop_s: float
) -> tuple[BoolArray, BoolArray]:
    """Tell where labels are marked in frames, and where that is certain, bool, shape=(n, K) each.

    Uncertain is what lies within 0.1 s of a start or end.  Frames behind the timeline's end must be left out
    before, unless it lasts 0 s: then nothing is marked anywhere.
    """
    marked = np.zeros((len(frames), len(labels)), bool)
    certain = np.ones((len(frames), len(labels)), bool)
    middles = (frames + 0.5) * hop_s
    for segment in timeline:
        column = labels.index(segment.label)
        marked[:, column] |= (middles >= segment.start) & (middles < segment.end)
        for edge in (segment.start, segment.end):
            certain[:, column] &= np.abs(middles - edge) >= _EDGE_S
    return marked, certain
