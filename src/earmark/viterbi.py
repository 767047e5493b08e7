"""The likeliest sequence of states (A. J. Viterbi, IEEE Trans. Inf. Theory 13(2), 1967)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError

IntArray = npt.NDArray[np.intp]


def viterbi(log_emissions: npt.ArrayLike, log_transitions: npt.ArrayLike) -> IntArray:
    """Return the sequence of states with the greatest sum of logarithms; all states may come first.

    Parameters
    ----------
    log_emissions : float, shape=(T, K)
        What each step says for each state; need not be normalised, -inf where it rules a state out.
    log_transitions : float, shape=(K, K)
        From state (row) to state (column); need not be normalised either.

    Returns
    -------
    int, shape=(T,)
        Of equal sequences, the one whose last state, then the one before, and so on, has the lowest number.

    Raises
    ------
    ConfigError
        If the shapes do not fit together, or there are NaN.
    """
    emissions = np.asarray(log_emissions, np.float64)
    transitions = np.asarray(log_transitions, np.float64)
    if emissions.ndim != 2 or transitions.shape != (emissions.shape[1],) * 2 or not len(transitions):
        raise ConfigError(
            f"emissions of shape {emissions.shape} and transitions of shape {transitions.shape}: "
            "give (T, K) and (K, K)"
        )
    if np.isnan(emissions).any() or np.isnan(transitions).any():
        raise ConfigError("emissions or transitions hold NaN; give logarithms, -inf for what cannot be")
    n_steps, n_states = emissions.shape
    states = np.empty(n_steps, np.intp)
    if not n_steps:
        return states
    into = np.ascontiguousarray(transitions.T)  # row: where a step leads; column: where it comes from
    at = np.arange(n_states)
    origin = np.empty((n_steps, n_states), np.int16)
    best = emissions[0]
    for step in range(1, n_steps):
        paths = into + best
        origin[step] = came = paths.argmax(axis=1)
        best = paths[at, came] + emissions[step]
    states[-1] = best.argmax()
    for step in range(n_steps - 1, 0, -1):
        states[step - 1] = origin[step, states[step]]
    return states
