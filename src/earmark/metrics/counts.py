"""What was found, invented and missed: the numbers every score is a ratio of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Hits and errors of one label, in cells, points or events; counts of several files add up.

    A ratio whose denominator is 0 is *undefined*: it is given as 0.0 and its name stands in
    `undefined`, so that a table can tell "nothing was reported" from "all that was reported is wrong".
    (mir_eval gives 0 without a sign, sed_eval gives NaN.)

    Parameters
    ----------
    tp, fp, fn, tn : int
        In both, only in the estimate, only in the reference, in neither (points and events have none).

    Examples
    --------
    >>> total = Counts(tp=8, fp=2) + Counts(tp=4, fn=4)
    >>> round(total.precision, 3), total.recall, total.f1
    (0.857, 0.75, 0.8)
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def n_reference(self) -> int:
        """Items in the reference."""
        return self.tp + self.fn

    @property
    def n_estimated(self) -> int:
        """Items in the estimate."""
        return self.tp + self.fp

    @property
    def n_all(self) -> int:
        """Items in all."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def precision(self) -> float:
        """Share of the estimate that is right."""
        return _ratio(self.tp, self.n_estimated)

    @property
    def recall(self) -> float:
        """Share of the reference that was found."""
        return _ratio(self.tp, self.n_reference)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: twice the hits over both sides' items."""
        return _ratio(2 * self.tp, self.n_reference + self.n_estimated)

    @property
    def accuracy(self) -> float:
        """Share of all cells that are right."""
        return _ratio(self.tp + self.tn, self.n_all)

    @property
    def false_share(self) -> float:
        """Share of the time *without* the label during which it is reported."""
        return _ratio(self.fp, self.fp + self.tn)

    @property
    def missed_share(self) -> float:
        """Share of the reference that was not found; for events the deletion rate."""
        return _ratio(self.fn, self.n_reference)

    @property
    def insertion_rate(self) -> float:
        """Invented items per item of the reference."""
        return _ratio(self.fp, self.n_reference)

    @property
    def error_rate(self) -> float:
        """Missed and invented items per item of the reference."""
        return _ratio(self.fp + self.fn, self.n_reference)

    @property
    def undefined(self) -> tuple[str, ...]:
        """Names of the ratios that have no value and are given as 0.0."""
        denominators = {
            "precision": self.n_estimated,
            "recall": self.n_reference,
            "f1": self.n_reference + self.n_estimated,
            "accuracy": self.n_all,
            "false_share": self.fp + self.tn,
            "missed_share": self.n_reference,
            "insertion_rate": self.n_reference,
            "error_rate": self.n_reference,
        }
        return tuple(name for name, denominator in denominators.items() if not denominator)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def count_answers(answers: BoolArray, truth: BoolArray) -> Counts:
    """Count answers of a detector, shape=(n,), by what was there."""
    pairs = ((answers, truth), (answers, ~truth), (~answers, truth), (~answers, ~truth))
    return Counts(*(int(np.count_nonzero(a & b)) for a, b in pairs))
