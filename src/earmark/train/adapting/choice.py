"""How much a label's weights may change: chosen, and measured, on groups that were left out.

Decoding options stay, so a label's threshold is to be where it is as likely as not: logits are counted from
there, in fits and losses.  Candidates are the weights as they are (of a new label: a share of all frames,
whatever is heard) and those fitted with each of a few penalties.  Of those whose F is no lower than that of
the weights as they are, the one with the least log loss is taken, averaged over groups left out.  What that
brings is measured in a second round: for each part, the candidate is chosen on the other parts alone, so that
no part has a say in what it measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.metrics import Counts, count_answers
from earmark.train.adapting.examples import LabelExamples
from earmark.train.adapting.regression import fit_changes, log_loss

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

# From "nearly nothing changes" to "fits freely".
PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
# Where nothing can be left out.
USUAL = 0.03
MOST_PARTS = 5


@dataclass(frozen=True)
class Choice:
    """A label's fit.

    Parameters
    ----------
    change : float, shape=(C + 1,)
        To be added to its weights; of a new label, these.
    penalty : float or None
        None if the weights stay as they are.
    before, after : Counts or None
        Frames on groups left out; None where they cannot be measured.
    nested : bool
        Whether the penalty of `after` was chosen without the groups it was measured on.
    """

    change: FloatArray
    penalty: float | None
    before: Counts | None = None
    after: Counts | None = None
    nested: bool = False


def deal(group: IntArray, n_parts: int = MOST_PARTS) -> IntArray:
    """Deal groups to parts of about the same number of frames; return each frame's part."""
    names, place, sizes = np.unique(group, return_inverse=True, return_counts=True)
    held = np.zeros(min(n_parts, len(names)), np.intp)
    part_of = np.zeros(len(names), np.intp)
    for one in np.argsort(-sizes, kind="stable"):
        part_of[one] = held.argmin()
        held[part_of[one]] += sizes[one]
    return part_of[place]


def choose(
    examples: LabelExamples,
    part: IntArray,
    threshold: float,
    *,
    new: bool,
) -> Choice:
    """Fit a label, with the penalty that is best on groups left out.

    Parameters
    ----------
    examples : LabelExamples
    part : int, shape=(n,)
        What is left out at once; groups must lie in one each.
    threshold : float
        Posterior from which a frame counts as having the label.
    new : bool
        Whether the model did not have it: then it is fitted, whatever it is worth.
    """
    bar = np.log(threshold / (1 - threshold))
    examples = examples._replace(offset=examples.offset - bar)
    parts = np.unique(part).tolist()
    if len(parts) < 2 or (new and len(np.unique(examples.group[examples.marked])) < 2):
        return Choice(_fits(examples, (USUAL,), new)[1], USUAL)
    trial = _Trial(examples, part, new)
    best = trial.best({i: (i,) for i in parts})
    nested = len(parts) > 2
    before = after = Counts()
    for i in parts:
        pick = best
        if nested:
            pick = trial.best({j: (i, j) for j in parts if j != i})
        held = trial.held(i)
        before += count_answers(held.offset >= 0, held.marked)
        after += count_answers(trial.logits((i,), held)[:, pick] >= 0, held.marked)
    penalties = PENALTIES[:best]
    change = _fits(examples, penalties, new)[-1]
    # What stays as it was does as before, whatever would have been picked without a part.
    return Choice(change, PENALTIES[best - 1] if best else None, before, after if best else before, nested)


class _Trial:
    """Fits without some parts, each made once."""

    def __init__(self, examples: LabelExamples, part: IntArray, new: bool) -> None:
        self._examples, self._part, self._new = examples, part, new
        self._made: dict[tuple[int, ...], FloatArray] = {}

    def held(self, part: int) -> LabelExamples:
        """Return the frames of a part."""
        return self._examples.where(self._part == part)

    def logits(self, without: tuple[int, ...], held: LabelExamples) -> FloatArray:
        """Return what fits without some parts say, shape=(n, n_candidates)."""
        key = tuple(sorted(without))
        if key not in self._made:
            rest = self._examples.where(~np.isin(self._part, key))
            self._made[key] = _fits(rest, PENALTIES, self._new)
        return held.offset[:, None] + held.hidden @ self._made[key].T

    def best(self, without: dict[int, tuple[int, ...]]) -> int:
        """Return the best candidate on parts, each by fits without some; of equal ones the most cautious."""
        losses, right, all_ = [], 0.0, 0.0
        for part, left_out in without.items():
            held = self.held(part)
            logits = self.logits(left_out, held)
            loss = log_loss(logits, held.marked[:, None])
            losses += [loss[held.group == group].mean(axis=0) for group in np.unique(held.group)]
            found = logits >= 0
            right = right + 2.0 * found[held.marked].sum(axis=0)
            all_ = all_ + found.sum(axis=0) + np.count_nonzero(held.marked)
        loss, f = np.mean(losses, axis=0), right / np.maximum(all_, 1)
        if self._new:
            return int(loss[1:].argmin()) + 1
        return int(np.where(f >= f[0], loss, np.inf).argmin())


def _fits(examples: LabelExamples, penalties: tuple[float, ...], new: bool) -> FloatArray:
    """Return the candidates, shape=(1 + n_penalties, C + 1): no change first."""
    start = np.zeros(examples.hidden.shape[1])
    if new:
        n_marked, n = np.count_nonzero(examples.marked), len(examples.marked)
        start[-1] = np.log((n_marked + 0.5) / (n - n_marked + 0.5))
    if not penalties:
        return start[None]
    changes = fit_changes(examples.hidden, examples.offset + start[-1], examples.marked, penalties)
    return np.concatenate([start[None], start + changes])
