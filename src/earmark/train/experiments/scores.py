"""Scores of patch classifiers: by patch and by file, per class and together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from earmark.train.experiments.protocol import OVERLAP

# Share of right files of the last epoch, where the others are of the one that validated best.
LAST = "file accuracy, last epoch"

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PatchScores:
    """Counts of one test, from which all figures follow.

    Parameters
    ----------
    patches : int, shape=(K, K)
        Patches by class (rows) and answer (columns).
    files : int, shape=(K, K)
        Files alike; a file's answer has the largest sum of probabilities over its patches.
    mixtures : mapping of float to int array, shape=(K,)
        Answers to the patches of mixtures, by speech-to-music ratio in dB.
    """

    patches: IntArray
    files: IntArray
    mixtures: Mapping[float, IntArray] = field(default_factory=dict)

    @classmethod
    def of(
        cls, probabilities: FloatArray, labels: IntArray, owner: IntArray, smr_db: FloatArray
    ) -> PatchScores:
        """Count.

        Parameters
        ----------
        probabilities : float, shape=(n, K)
        labels, owner : int, shape=(n,)
            Class and file of each patch.
        smr_db : float, shape=(n,)
            Speech-to-music ratio of each patch of a mixture, dB; nan for the others.
        """
        n_classes = probabilities.shape[1]
        files, first, place = np.unique(owner, return_index=True, return_inverse=True)
        sums = np.zeros((len(files), n_classes))
        np.add.at(sums, place, probabilities)
        return cls(
            _confusion(labels, probabilities.argmax(axis=1), n_classes),
            _confusion(labels[first], sums.argmax(axis=1), n_classes),
            answers_by_ratio(probabilities, smr_db),
        )

    def figures(self, classes: Sequence[str]) -> dict[str, float]:
        """Return the figures in percent.

        ``accuracy`` is the mean recall of the classes, as on class-balanced batches; ``pooled accuracy``
        the share of right patches; ``file accuracy`` that of right files; ``average F1`` the unweighted
        mean; ``F1``, ``precision`` and ``recall`` come with each class, ``recall at 5 dB`` with each
        ratio of the mixtures.  A ratio without anything to divide by is 0.
        """
        hits = np.diag(self.patches)
        recall = _ratio(hits, self.patches.sum(axis=1))
        precision = _ratio(hits, self.patches.sum(axis=0))
        f1 = _ratio(2 * hits, self.patches.sum(axis=0) + self.patches.sum(axis=1))
        found = {
            "accuracy": recall.mean(),
            "pooled accuracy": _ratio(hits.sum(), self.patches.sum()),
            "file accuracy": _ratio(np.diag(self.files).sum(), self.files.sum()),
            "average F1": f1.mean(),
        }
        for i, name in enumerate(classes):
            found |= {f"F1 {name}": f1[i], f"precision {name}": precision[i], f"recall {name}": recall[i]}
        for level, answers in self.mixtures.items():
            found[_recall_at(level)] = _ratio(answers[list(classes).index(OVERLAP)], answers.sum())
        return {name: 100 * float(value) for name, value in found.items()}


def figure_names(classes: Sequence[str], levels_db: Iterable[float]) -> list[str]:
    """Return what a result can hold: `PatchScores.figures`, with mixtures of these ratios, and `LAST`."""
    nothing = np.zeros((len(classes), len(classes)), np.int64)
    levels = dict.fromkeys(levels_db if OVERLAP in classes else (), nothing[0])
    return [*PatchScores(nothing, nothing, levels).figures(classes), LAST]


def answers_by_ratio(probabilities: FloatArray, smr_db: FloatArray) -> dict[float, IntArray]:
    """Count the answers to patches of mixtures by ratio, shape=(K,) each, the lowest ratio first.

    Parameters
    ----------
    probabilities : float, shape=(n, K)
    smr_db : float, shape=(n,)
        nan where a patch is of no mixture.
    """
    answers, n_classes = probabilities.argmax(axis=1), probabilities.shape[1]
    levels = np.unique(smr_db[~np.isnan(smr_db)]).tolist()
    return {level: np.bincount(answers[smr_db == level], minlength=n_classes) for level in levels}


def right_by(places: Sequence[str], right: npt.NDArray[np.bool_]) -> dict[str, list[int]]:
    """Count right patches and all patches, (right, all), by where each is from; names are sorted.

    Parameters
    ----------
    places : sequence of str, shape=(n,)
    right : bool, shape=(n,)
    """
    names, which = np.unique(np.asarray(places, str), return_inverse=True)
    counts = np.stack(
        [np.bincount(which, right, len(names)), np.bincount(which, minlength=len(names))], axis=1
    )
    return dict(zip(names.tolist(), counts.astype(int).tolist(), strict=True))


def _recall_at(level_db: float) -> str:
    return f"recall at {level_db:g} dB"


def _confusion(labels: IntArray, answers: IntArray, n_classes: int) -> IntArray:
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (labels, answers), 1)
    return counts


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> npt.NDArray[np.float64]:
    a, b = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
