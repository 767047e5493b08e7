"""From class probabilities to segments: the likeliest sequence of classes wherever something is heard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from earmark.decodings import labels_of
from earmark.posteriors import Posteriors
from earmark.timeline import Segment
from earmark.viterbi import viterbi

BoolArray = npt.NDArray[np.bool_]


def likeliest_segments(posteriors: Posteriors, heard: BoolArray, class_change: float) -> list[Segment]:
    """Find the classes of each stretch of cells in which something is heard, by a Viterbi search of its own.

    Parameters
    ----------
    posteriors : Posteriors
        Probabilities of the classes in each cell; a class such as ``"speech+music"`` marks both labels.
    heard : bool, shape=(n_cells,)
        Which cells to decide; the others have no label.
    class_change : float
        Cost of a change of class, decades.

    Returns
    -------
    list of Segment
        Sorted.  A confidence is the mean, over the segment, of the probability
        of the classes that have the label.
    """
    n_classes = len(posteriors.labels)
    changes = np.full((n_classes, n_classes), -class_change * np.log(10))
    np.fill_diagonal(changes, 0.0)
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(posteriors.labels):
        for label in labels_of(name):
            columns.setdefault(label, []).append(column)
    segments = []
    for first, last in _runs(heard):
        with np.errstate(divide="ignore"):
            emissions = np.log(posteriors.values[first:last])
        classes = viterbi(emissions, changes)
        for label, own in columns.items():
            for start, end in _runs(np.isin(classes, own)):
                cells = slice(first + start, first + end)
                values = posteriors.values[cells, own].sum(axis=1)
                start_s = round(cells.start * posteriors.hop_s, 9)
                end_s = min(round(cells.stop * posteriors.hop_s, 9), posteriors.duration)
                # Probabilities may sum to a little more than 1, and resampling may add a sample at the end.
                if start_s < end_s:
                    confidence = min(1.0, float(values.mean(dtype=np.float64)))
                    segments.append(Segment(start_s, end_s, label, confidence))
    return sorted(segments)


def _runs(states: BoolArray) -> Iterator[tuple[int, int]]:
    """Yield the first cell of each run of true ones, and the one after its last."""
    edges = np.flatnonzero(np.diff(states.astype(np.int8), prepend=0, append=0))
    yield from ((int(start), int(end)) for start, end in edges.reshape(-1, 2))
