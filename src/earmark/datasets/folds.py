"""Splitting recordings: folds, train/validation/test, and classes of equal size.

Nothing here splits a group, and every part holds every class; annotated recordings count as one class.  The
same recordings and seed give the same split.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from earmark.datasets.recordings import Annotated, Clip
from earmark.errors import ConfigError

Split = TypeVar("Split", Clip, Annotated)


class _Group(NamedTuple):
    """Recordings that stay together; label and detail are those of most of them."""

    name: str
    label: str
    detail: str
    size: int


def deal(recordings: Sequence[Split], n_folds: int = 3, *, seed: int | None = 0) -> list[Split]:
    """Deal the groups of each class in turn to folds, genre by genre or gender by gender.

    A group goes to the fold that has the fewest recordings of its class and detail.

    Parameters
    ----------
    recordings : sequence of Clip or of Annotated
        What to split; a fold they have is replaced.
    n_folds : int
        At least 2.
    seed : int or None
        The groups are shuffled, the larger ones dealt first, and among equal folds the one with the fewest
        recordings of the class is taken.  None deals them in the order given, among equal folds to the first:
        so the folds were made that Bhattacharjee et al. publish for MUSAN.

    Returns
    -------
    list
        The same recordings in the same order, with their fold.

    Raises
    ------
    ConfigError
        If a class has fewer groups than there are folds, or the order leaves a fold without a class.
    """
    if n_folds < 2:
        raise ConfigError(f"{n_folds} folds: there must be at least 2")
    groups = _groups(recordings, n_folds, f"{n_folds} folds")
    if seed is not None:
        groups = _shuffled(groups, np.random.default_rng(seed))
    of_detail: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * n_folds)
    of_label: dict[str, list[int]] = defaultdict(lambda: [0] * n_folds)
    fold_of: dict[str, int] = {}
    for group in groups:
        own, whole = of_detail[group.label, group.detail], of_label[group.label]
        ties = whole if seed is not None else [0] * n_folds
        fold = min(range(n_folds), key=lambda f: (own[f], ties[f]))
        fold_of[group.name] = fold
        own[fold] += group.size
        whole[fold] += group.size
    for label, sizes in of_label.items():
        bare = [str(fold) for fold, size in enumerate(sizes) if not size]
        if bare:
            raise ConfigError(f"class '{label}' has nothing in fold {', '.join(bare)}; deal with a seed")
    return [replace(recording, fold=fold_of[recording.group]) for recording in recordings]


def hold_out(
    recordings: Sequence[Split], shares: Sequence[float] = (0.8, 0.1, 0.1), *, seed: int = 0
) -> tuple[list[Split], ...]:
    """Split at random into parts with these shares of each class.

    Kehling & Cano and Grollmisch et al. split 80/10/10 several times (a seed each); Bhattacharjee et al.
    split what they train on 70/30.  Bhatia & Thakur split 60/40, but pieces of the same files: here, files.

    Parameters
    ----------
    recordings : sequence of Clip or of Annotated
        What to split.
    shares : sequence of float
        Share of each part, together 1; by default training, validation and test.
    seed : int
        Another seed makes another split.

    Returns
    -------
    tuple of lists
        One for each share, in the order given.  Shares are met as closely as groups allow.

    Raises
    ------
    ConfigError
        If the shares are none, or a class has fewer groups than there are parts.
    """
    if len(shares) < 2 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise ConfigError(f"shares {', '.join(f'{s:g}' for s in shares)}: give two or more above 0, sum 1")
    groups = _groups(recordings, len(shares), f"{len(shares)} parts")
    groups = _shuffled(groups, np.random.default_rng(seed))
    part_of: dict[str, int] = {}
    for label in dict.fromkeys(group.label for group in groups):
        own = [group for group in groups if group.label == label]
        open_shares = np.array(shares) * sum(group.size for group in own)
        bare = set(range(len(shares)))
        for left, group in zip(range(len(own), 0, -1), own, strict=True):
            # The last groups are for parts that have none yet.
            choice = sorted(bare) if left <= len(bare) else range(len(shares))
            part = max(choice, key=lambda p: open_shares[p])
            part_of[group.name] = part
            open_shares[part] -= group.size
            bare.discard(part)
    return tuple([r for r in recordings if part_of[r.group] == part] for part in range(len(shares)))


def balance(clips: Sequence[Clip], *, seed: int = 0) -> list[Clip]:
    """Keep, of each class, as many clips as the smallest has, drawn at random; their order stays.

    Parameters
    ----------
    clips : sequence of Clip
        What to draw from.
    seed : int
        Another seed draws other clips.
    """
    rng = np.random.default_rng(seed)
    counts = Counter(clip.label for clip in clips)
    size = min(counts.values(), default=0)
    kept: set[int] = set()
    for label in counts:
        places = [i for i, clip in enumerate(clips) if clip.label == label]
        kept.update(rng.permutation(places)[:size].tolist())
    return [clip for i, clip in enumerate(clips) if i in kept]


def larger_first(sizes: npt.ArrayLike, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the order to deal groups in, int, shape=(n,): at random, the larger ones before the smaller.

    Whoever deals in turn to the emptiest fold fills them the most evenly so.
    """
    found = np.asarray(sizes)
    order = rng.permutation(len(found))
    return order[np.argsort(-found[order], kind="stable")]


def _groups(recordings: Sequence[Clip] | Sequence[Annotated], n_parts: int, parts: str) -> list[_Group]:
    """Return the groups in the order of their first recordings; an error if a class has too few."""
    members: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for recording in recordings:
        label = recording.label if isinstance(recording, Clip) else "recording"
        members[recording.group].append((label, recording.detail))
    groups = []
    for name, own in members.items():
        (label, detail), _ = Counter(own).most_common(1)[0]
        groups.append(_Group(name, label, detail, len(own)))
    n_groups = Counter(group.label for group in groups)
    for label in dict.fromkeys(label for own in members.values() for label, _ in own):
        if n_groups[label] < n_parts:
            raise ConfigError(
                f"class '{label}' has {n_groups[label]} groups for {parts}; each needs one: "
                "add recordings, or split less"
            )
    return groups


def _shuffled(groups: Sequence[_Group], rng: np.random.Generator) -> list[_Group]:
    return [groups[i] for i in larger_first([group.size for group in groups], rng)]
