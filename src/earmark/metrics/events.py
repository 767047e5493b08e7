"""Boundaries and whole events, matched one to one within a collar.

Matching is optimal: no other assignment has more hits (`earmark.metrics.matching`).  A segment that
starts with the recording or ends with it counts like any other, as in MIREX 2018.

Collars are inclusive.  Where a distance equals the collar but for the last bits of a float, events are
decided as by sed_eval [1]_, ``abs(a - b) <= collar``, and boundaries as by mir_eval [2]_,
``b - collar <= a <= b + collar``, so that both give the figures of these tools to the last count.

References
----------
.. [1] Mesaros, Heittola, Virtanen, "Metrics for polyphonic sound event detection",
       Applied Sciences 6(6), 2016.
.. [2] Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014.
"""

from __future__ import annotations

import numpy as np

from earmark.errors import ConfigError
from earmark.metrics.counts import Counts
from earmark.metrics.matching import Floats, distances_within, largest_matching, windows
from earmark.timeline import Timeline


def boundary_counts(
    reference: Timeline, estimate: Timeline, label: str, *, collar: float = 0.5
) -> dict[str, Counts]:
    """Count the boundaries found: starts and ends as separate points, each matched among its kind.

    Parameters
    ----------
    reference, estimate : Timeline
        The truth, and what is to be scored.
    label : str
        Label whose segments are compared.
    collar : float
        Seconds a point may lie off and still be a hit (inclusive).

    Returns
    -------
    dict of str to Counts
        "onset", "offset" and their sum, "boundary".  The first two are those of
        ``mir_eval.onset.f_measure`` with ``window=collar``.

    Raises
    ------
    ConfigError
        If the collar is negative or not finite.
    """
    check_amount("collar", collar)
    a, b = _intervals(reference, label), _intervals(estimate, label)
    onset, offset = (
        _counts(largest_matching(*windows(b[:, k], a[:, k], collar), len(a)), len(a), len(b)) for k in (0, 1)
    )
    return {"onset": onset, "offset": offset, "boundary": onset + offset}


def event_counts(
    reference: Timeline,
    estimate: Timeline,
    label: str,
    *,
    collar: float = 0.5,
    offsets: bool = True,
    offset_share: float = 0.0,
) -> Counts:
    """Count the segments found: onset within the collar, and offset too unless `offsets` is false.

    With its defaults this is the event score of MIREX 2018; ``missed_share`` is the deletion rate.

    Parameters
    ----------
    reference, estimate, label, collar
        As of `boundary_counts`.
    offsets : bool
        Whether the end must fit too.
    offset_share : float
        An end may lie off by this share of the reference's length, if that is more than the collar
        (``percentage_of_length`` of sed_eval).

    Raises
    ------
    ConfigError
        If the collar or the share is negative or not finite.
    """
    check_amount("collar", collar)
    check_amount("offset share", offset_share)
    a, b = _intervals(reference, label), _intervals(estimate, label)
    first, last = distances_within(a[:, 0], b[:, 0], collar)
    if offsets:
        tolerance = np.maximum(collar, offset_share * (a[:, 1] - a[:, 0]))
        first_by_end, last_by_end = distances_within(a[:, 1], b[:, 1], tolerance)
        first, last = np.maximum(first, first_by_end), np.minimum(last, last_by_end)
    return _counts(largest_matching(first, last, len(b)), len(a), len(b))


def check_amount(name: str, amount: float) -> None:
    """Refuse a collar or share that is negative or not finite.

    Raises
    ------
    ConfigError
        If it is.
    """
    if not 0 <= amount < np.inf:
        usual = "usually a collar of 0.5 s" if name == "collar" else "usually 0 or 0.2"
        raise ConfigError(f"{name} {amount:g}: give 0 or more, {usual}")


def _intervals(timeline: Timeline, label: str) -> Floats:
    return np.array([(s.start, s.end) for s in timeline if s.label == label], np.float64).reshape(-1, 2)


def _counts(hits: int, n_reference: int, n_estimated: int) -> Counts:
    return Counts(hits, n_estimated - hits, n_reference - hits)
