"""How right answers are: accuracy with its interval, classes, confusions, the worst errors.

The interval is Wilson's, 95 %.  Files of a group resemble each other, so that they tell less than as many
that have nothing in common: their number is divided by the design effect, by which the variance between
groups exceeds that of files drawn one by one.  Few errors tell little of it.  So it is a mean: of what was
measured, with the weight of the errors (or of the right answers, if those are fewer), and of what it is if
files of a group always agree, with that of Wilson's interval, z**2.

The best of several candidates looks better than it is, because luck has a part in the choice.  So the choice
is made again on groups drawn at random, with replacement, and judged on the groups that were not drawn:
I. Tsamardinos, E. Greasidou, G. Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and
accurate cross-validation", Machine Learning 107, 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.head import FloatArray
from earmark.train.fitting.folds import IntArray

BoolArray = npt.NDArray[np.bool_]

_Z = 1.959964
_DRAWS = 1000


@dataclass(frozen=True)
class Share:
    """A share of right answers and its 95 % interval, each 0 to 1."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True)
class ClassFigures:
    """How right the answers about a class are, each 0 to 1; a precision of no answers is 0."""

    label: str
    n_files: int
    n_groups: int
    precision: float
    recall: float
    f1: float


class Choice(NamedTuple):
    """How right the best of several candidates will be, 0 to 1, and how often each was the best of a draw."""

    accuracy: float
    best_in: tuple[float, ...]


def accuracy(right: BoolArray, groups: Sequence[str]) -> Share:
    """Return the share of files whose answer is right, with its interval; see the module's first lines."""
    return interval(float(right.mean()), effective_number(right, groups))


def interval(p: float, n: float) -> Share:
    """Return a share of `n` files with its interval."""
    middle = p + _Z**2 / (2 * n)
    half = _Z * float(np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)))
    scale = 1 + _Z**2 / n
    return Share(p, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


def effective_number(right: BoolArray, groups: Sequence[str]) -> float:
    """Return how many files that have nothing in common would tell as much."""
    n, p = len(right), float(right.mean())
    _, group_of, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    n_groups, weight = len(sizes), n * min(p, 1 - p)
    if n_groups == n:
        return float(n)
    effect = _Z**2 * float((sizes**2).sum()) / n
    if weight:
        sums = np.bincount(group_of, right - p)
        effect += weight * n_groups / (n_groups - 1) * float((sums**2).sum()) / (n * p * (1 - p))
    return min(float(n), max(1.0, n * (weight + _Z**2) / effect))


def corrected(right: BoolArray, groups: Sequence[str], seed: int) -> Choice:
    """Return how right the best candidate will be; see the module's first lines.

    Parameters
    ----------
    right : bool, shape=(n_candidates, n)
        Whether each candidate answered each file rightly.
    groups : sequence of str, n
    seed : int
    """
    if len(right) == 1:
        return Choice(float(right.mean()), (1.0,))
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group_of)
    hits = np.stack([np.bincount(group_of, one) for one in right])
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), _DRAWS)
    best = (draws @ hits.T).argmax(axis=1)
    left = draws == 0
    judged = left.any(axis=1)
    found = (left * hits[best]).sum(axis=1)[judged] / (left * sizes).sum(axis=1)[judged]
    return Choice(float(found.mean()), tuple((np.bincount(best, minlength=len(right)) / _DRAWS).tolist()))


def confusion(truth: IntArray, found: IntArray, n_classes: int) -> IntArray:
    """Return how many files of each class (row) were taken for each (column), int, shape=(K, K)."""
    counts = np.zeros((n_classes, n_classes), np.intp)
    np.add.at(counts, (truth, found), 1)
    return counts


def by_class(counts: IntArray, classes: Sequence[str], n_groups: IntArray) -> tuple[ClassFigures, ...]:
    """Return the figures of each class from the confusions."""
    rows = []
    for k, label in enumerate(classes):
        right, answered, true = (int(x) for x in (counts[k, k], counts[:, k].sum(), counts[k].sum()))
        precision, recall = right / max(answered, 1), right / max(true, 1)
        f1 = 2 * right / max(answered + true, 1)
        rows.append(ClassFigures(label, true, int(n_groups[k]), precision, recall, f1))
    return tuple(rows)


def worst(truth: IntArray, scores: FloatArray, most: int) -> list[int]:
    """Return the wrong answers, those first that leave the truth the furthest behind, at most so many."""
    found = scores.argmax(axis=1)
    at = np.arange(len(truth))
    behind = scores[at, found] - scores[at, truth]
    order = np.argsort(-behind, kind="stable")
    return [int(i) for i in order if found[i] != truth[i]][:most]
