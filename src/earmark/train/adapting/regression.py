"""Logistic regression that starts from an answer: how a label's weights change, given what a change costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Newton's steps end where the next would gain less than this, in nats a frame.
_GAIN, _MOST_STEPS = 1e-6, 50


def fit_changes(
    hidden: FloatArray, offset: FloatArray, marked: BoolArray, penalties: Sequence[float]
) -> FloatArray:
    """Fit a label's change of weights for each of several penalties.

    Minimised is the mean log loss in nats, plus half the penalty times the squares of the changes, each
    channel being measured in units of its root mean square.

    Parameters
    ----------
    hidden : float, shape=(n, C + 1)
        Activations, and a last column of ones.
    offset : float, shape=(n,)
        Logits without any change.
    marked : bool, shape=(n,)
        Where the label is.
    penalties : sequence of float
        Above 0; each begins with the answer of the one before, so let them fall.

    Returns
    -------
    float, shape=(n_penalties, C + 1)
    """
    scale = np.sqrt(np.mean(hidden**2, axis=0))
    scale[scale == 0] = 1.0
    inputs = hidden / scale
    change = np.zeros(hidden.shape[1])
    found = []
    for penalty in penalties:
        change = _newton(inputs, offset, marked, penalty, change)
        found.append(change / scale)
    return np.array(found)


def log_loss(logits: FloatArray, marked: BoolArray) -> FloatArray:
    """Return the log loss of each logit, nats; `marked` is of the same shape, or stretched to it."""
    return np.logaddexp(0.0, logits) - np.where(marked, logits, 0.0)


def _newton(
    inputs: FloatArray, offset: FloatArray, marked: BoolArray, penalty: float, start: FloatArray
) -> FloatArray:
    def value(change: FloatArray) -> float:
        loss = log_loss(offset + inputs @ change, marked).mean()
        return float(loss + 0.5 * penalty * change @ change)

    change, now = start, value(start)
    for _ in range(_MOST_STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (offset + inputs @ change)))
        gradient = inputs.T @ (p - marked) / len(inputs) + penalty * change
        # Only the way to the minimum depends on it, not the minimum: half the precision is enough.
        rooted = (inputs * np.sqrt(p * (1 - p))[:, None]).astype(np.float32)
        curvature = (rooted.T @ rooted).astype(np.float64) / len(inputs)
        step = np.linalg.solve(curvature + penalty * np.eye(len(change)), gradient)
        gain = float(gradient @ step)
        if gain < _GAIN:
            break
        size = 1.0
        while (then := value(change - size * step)) > now - 0.25 * size * gain and size > 1e-6:
            size /= 2
        change, now = change - size * step, then
    return change
