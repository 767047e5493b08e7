"""Kinds of classifiers, fitted and compared by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.head import FUSIONS, FloatArray, Head, file_scores, fused
from earmark.train.device import one_thread
from earmark.train.fitting.figures import Choice, corrected
from earmark.train.fitting.folds import IntArray, nested_parts
from earmark.train.head import GRO_KINDS, fit_head, inverse_frequencies

# Windows of a late fusion that are learned: those of a file overlap and resemble each other.
_MOST_ROWS, _LEAST_OF_FILE = 1000, 4
# A network is trained for this many batches of 256, or ten times over.
_LEAST_BATCHES, _LEAST_EPOCHS, _BATCH = 150, 10, 256


@dataclass(frozen=True)
class Candidate:
    """A kind of classifier: the simplest come first in `candidates`.

    Parameters
    ----------
    head : str
        A key of `earmark.train.head.KINDS`.
    fusion : str
        One of `earmark.head.FUSIONS`.
    """

    head: str
    fusion: str

    def __str__(self) -> str:
        return f"{self.head}, {self.fusion}"


@dataclass(frozen=True)
class Material:
    """What is learned from.

    Parameters
    ----------
    vectors : sequence of float32, shape=(n_i, D)
        Of each example.
    labels, folds : int, shape=(n,)
    groups : sequence of str, n
    """

    vectors: Sequence[FloatArray]
    labels: IntArray
    folds: IntArray
    groups: Sequence[str]

    @property
    def n_folds(self) -> int:
        """How many parts are tested in turn."""
        return int(self.folds.max()) + 1

    def split(self, fold: int) -> tuple[IntArray, IntArray]:
        """Return the examples to learn and to test."""
        return np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)


@dataclass(frozen=True)
class Compared:
    """What candidates answered about examples they had not learned.

    Parameters
    ----------
    candidates : tuple of Candidate
    scores : float32, shape=(n_candidates, n, K)
    best : int
        The candidate with most right answers, of equal ones the first.
    choice : Choice
        How right the best of them will be, and how sure the choice is.
    """

    candidates: tuple[Candidate, ...]
    scores: FloatArray
    best: int
    choice: Choice


def candidates(heads: Sequence[str] = (), fusions: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """Return the candidates of these heads and fusions, by default GRO's with both."""
    return tuple(Candidate(head, fusion) for head in heads or GRO_KINDS for fusion in fusions or FUSIONS)


def fit_candidate(candidate: Candidate, vectors: Sequence[FloatArray], labels: IntArray, seed: int) -> Head:
    """Fit a classifier to files; those of a rare class count as much as those of a frequent one.

    Parameters
    ----------
    candidate : Candidate
    vectors : sequence of float32, shape=(n_i, D)
        Of each file.
    labels : int, shape=(n_files,)
    seed : int
    """
    if candidate.fusion == "late":
        most = max(_LEAST_OF_FILE, _MOST_ROWS // len(vectors))
        vectors = [_spread(one, most) for one in vectors]
    x, y = fused(vectors, labels.tolist(), candidate.fusion)
    epochs = max(_LEAST_EPOCHS, -(-_LEAST_BATCHES // -(-len(x) // _BATCH)))
    with one_thread():
        return fit_head(candidate.head, x, y, seed=seed, class_weights=inverse_frequencies(y), epochs=epochs)


def compare(
    wanted: Sequence[Candidate], material: Material, seed: int, tell: Callable[[str], None]
) -> Compared:
    """Cross-validate candidates; the same material and seed give the same answers."""
    scores = []
    for candidate in wanted:
        tell(f"cross-validation: {candidate}")
        scores.append(
            _answers(candidate, material, [material.split(f)[0] for f in range(material.n_folds)], seed)
        )
    right = np.stack([one.argmax(axis=1) == material.labels for one in scores])
    choice = corrected(right, material.groups, seed)
    return Compared(tuple(wanted), np.stack(scores), int(right.sum(axis=1).argmax()), choice)


def learning_curve(
    candidate: Candidate,
    material: Material,
    shares: Sequence[float],
    seed: int,
    tell: Callable[[str], None],
) -> Iterator[tuple[float, float, FloatArray]]:
    """Yield shares of what each fold could learn, the mean number of files that is, and the answers.

    Of shares that come to the same files the last is taken.
    """
    split = [material.split(fold)[0] for fold in range(material.n_folds)]
    parts = [
        nested_parts(material.labels, material.groups, learned, shares, seed + fold)
        for fold, learned in enumerate(split)
    ]
    sizes = [float(np.mean([len(of_fold[i]) for of_fold in parts])) for i in range(len(shares))]
    for i, share in enumerate(shares):
        if sizes[i] in sizes[i + 1 :]:
            continue
        tell(f"learning curve: {candidate}, {100 * share:.0f} % of the data")
        yield share, sizes[i], _answers(candidate, material, [of_fold[i] for of_fold in parts], seed)


def _answers(candidate: Candidate, material: Material, learned: Sequence[IntArray], seed: int) -> FloatArray:
    """Return the scores of each fold's examples by what was learned for it, float32, shape=(n, K)."""
    scores = np.zeros((len(material.labels), int(material.labels.max()) + 1), np.float32)
    for fold, known in enumerate(learned):
        _, tested = material.split(fold)
        head = fit_candidate(candidate, [material.vectors[i] for i in known], material.labels[known], seed)
        scores[tested] = file_scores(head, [material.vectors[i] for i in tested], candidate.fusion)
    return scores


def _spread(vectors: FloatArray, most: int) -> FloatArray:
    """Return at most so many vectors, evenly spread over the file."""
    if len(vectors) <= most:
        return vectors
    return vectors[np.linspace(0, len(vectors) - 1, most).round().astype(np.intp)]
