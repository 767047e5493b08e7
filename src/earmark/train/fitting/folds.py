"""Folds in which no group is both learned and tested, and parts of what is learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from earmark.datasets.folds import larger_first
from earmark.errors import ConfigError
from earmark.train.fitting.examples import Examples

IntArray = npt.NDArray[np.intp]

N_FOLDS = 5


def groups_of_classes(labels: IntArray, groups: Sequence[str]) -> IntArray:
    """Return in how many groups each class lies, int, shape=(K,)."""
    pairs = {(int(label), group) for label, group in zip(labels, groups, strict=True)}
    return np.bincount([label for label, _ in pairs])


def fold_number(
    labels: IntArray,
    groups: Sequence[str],
    wanted: int | None,
    classes: Sequence[str],
    note: Callable[[str], None],
    *,
    grouped: bool,
    usual: int = N_FOLDS,
) -> int:
    """Return how many folds there are: as many as are wanted, or as usual, or fewer where groups are.

    Parameters
    ----------
    labels : int, shape=(n,)
    groups : sequence of str
    wanted : int or None
    classes : sequence of str
    note : callable
        Told if there are fewer than usual.
    grouped : bool
        Whether groups are the user's; else they are called files.
    usual : int

    Raises
    ------
    ConfigError
        If a class has fewer groups than folds are wanted.
    """
    n_groups = groups_of_classes(labels, groups)
    least = int(n_groups.argmin())
    few = f"class '{classes[least]}' has {n_groups[least]} {'groups' if grouped else 'files'}"
    n_folds = wanted or usual
    if n_groups[least] >= n_folds:
        return n_folds
    if wanted:
        raise ConfigError(f"{n_folds} folds: {few}, and each fold needs one; ask for fewer, or add some")
    note(f"{few}: there are {n_groups[least]} folds, and the figures are rough")
    return int(n_groups[least])


def deal_examples(
    examples: Examples, wanted: int | None, seed: int, note: Callable[[str], None], usual: int = N_FOLDS
) -> tuple[IntArray, IntArray]:
    """Return the examples' classes, counted from 0, and their folds, as many as the classes' groups allow.

    See `fold_number` and `deal_groups` for the parameters and what is refused.
    """
    classes, groups = examples.classes, [item.group for item in examples.items]
    labels = np.array([classes.index(item.label) for item in examples.items], np.intp)
    n_folds = fold_number(labels, groups, wanted, classes, note, grouped=examples.grouped, usual=usual)
    return labels, deal_groups(labels, groups, n_folds, seed, classes)


def deal_groups(
    labels: IntArray, groups: Sequence[str], n_folds: int, seed: int, classes: Sequence[str]
) -> IntArray:
    """Deal groups to folds so that each class is spread as evenly as groups allow; a group may hold several.

    Groups come in random order, those with the largest shares of classes first; each goes to the fold that
    has least of its classes, of equal ones to the smallest.  `earmark.datasets.folds.deal`, by which folds of
    datasets are published, takes groups of one class each, and spreads its details, too.

    Parameters
    ----------
    labels : int, shape=(n,)
        Classes, counted from 0.
    groups : sequence of str
        Of the same examples.
    n_folds : int
        2 or more.
    seed : int
        Another seed makes other folds.
    classes : sequence of str
        Their names, for messages.

    Returns
    -------
    int, shape=(n,)
        Counted from 0.

    Raises
    ------
    ConfigError
        If a class ends up in one fold alone, so that it cannot be learned without it.
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (group_of, labels), 1)
    shares = counts / counts.sum(axis=0)
    held = np.zeros((n_folds, shares.shape[1]))
    fold_of = np.zeros(len(names), np.intp)
    for group in larger_first(shares.sum(axis=1), np.random.default_rng(seed)):
        # How much the squares of the folds' shares would grow.
        growth = np.round(held @ shares[group], 12)
        fold = min(range(n_folds), key=lambda f: (growth[f], round(held[f].sum(), 12)))
        fold_of[group] = fold
        held[fold] += shares[group]
    alone = np.flatnonzero((held > 0).sum(axis=0) < 2)
    if len(alone):
        raise ConfigError(
            f"class '{classes[alone[0]]}' lies in one of {n_folds} folds: it shares its groups with others, "
            "and they are too few; give it files of more groups"
        )
    return fold_of[group_of]


def nested_parts(
    labels: IntArray, groups: Sequence[str], which: IntArray, shares: Sequence[float], seed: int
) -> list[IntArray]:
    """Return parts of examples, each within the next, with these shares of every class, at least one of each.

    Parameters
    ----------
    labels : int, shape=(n,)
    groups : sequence of str, n
    which : int, shape=(m,)
        The examples to draw from; whole groups are drawn one after the other.
    shares : sequence of float
        0 to 1, ascending.
    seed : int

    Returns
    -------
    list of int arrays
        Ascending.
    """
    rng = np.random.default_rng(seed)
    names = sorted({groups[i] for i in which})
    place = dict(zip(rng.permutation(np.array(names)).tolist(), range(len(names)), strict=True))
    order = np.array(sorted(which.tolist(), key=lambda i: place[groups[i]]), np.intp)
    parts = []
    for share in shares:
        own = [order[labels[order] == label] for label in np.unique(labels[order])]
        parts.append(np.sort(np.concatenate([one[: max(1, round(share * len(one)))] for one in own])))
    return parts
