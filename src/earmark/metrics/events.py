"""Boundaries and whole events, matched one to one within a collar.

Matching is optimal: no other assignment has more hits.  Segments of a label do not overlap, so the
estimates an item may be matched to are neighbours in time, and Glover's rule [1]_ finds an optimum in
one pass: give each estimate to the candidate whose last chance comes first.

A segment that starts with the recording or ends with it counts like any other, as in MIREX 2018.

References
----------
.. [1] Glover, "Maximum matching in a convex bipartite graph", Naval Research Logistics 14, 1967.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError
from earmark.metrics.counts import Counts
from earmark.timeline import Timeline

Floats = npt.NDArray[np.floating]

# Seconds: a distance equal to the collar but for the last bits of a float is a hit.
_SLACK = 1e-7


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
        "onset", "offset" and their sum, "boundary".

    Raises
    ------
    ConfigError
        If the collar is negative.
    """
    _check(collar)
    a, b = _intervals(reference, label), _intervals(estimate, label)
    onset, offset = (_counts(a, b, _within(a[:, k], b[:, k], collar)) for k in (0, 1))
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
        An end may lie off by this share of the reference's length, if that is more than the collar.

    Raises
    ------
    ConfigError
        If the collar or the share is negative.
    """
    _check(collar)
    _check(offset_share)
    a, b = _intervals(reference, label), _intervals(estimate, label)
    first, last = _within(a[:, 0], b[:, 0], collar)
    if offsets:
        tolerance = np.maximum(collar, offset_share * (a[:, 1] - a[:, 0]))
        first_by_end, last_by_end = _within(a[:, 1], b[:, 1], tolerance)
        first, last = np.maximum(first, first_by_end), np.minimum(last, last_by_end)
    return _counts(a, b, (first, last))


def _check(amount: float) -> None:
    if amount < 0:
        raise ConfigError(f"collar or share of {amount}: give 0 or more, usually a collar of 0.5 s")


def _intervals(timeline: Timeline, label: str) -> Floats:
    return np.array([(s.start, s.end) for s in timeline if s.label == label], np.float64).reshape(-1, 2)


def _within(reference: Floats, estimate: Floats, tolerance: float | Floats) -> tuple[Floats, Floats]:
    """Return, for each reference time, the range [first, last) of estimates that are near enough."""
    first = np.searchsorted(estimate, reference - tolerance - _SLACK, side="left")
    last = np.searchsorted(estimate, reference + tolerance + _SLACK, side="right")
    return first, last  # type: ignore[return-value]


def _counts(reference: Floats, estimate: Floats, candidates: tuple[Floats, Floats]) -> Counts:
    hits = _match(*candidates, len(estimate))
    return Counts(hits, len(estimate) - hits, len(reference) - hits)


def _match(first: Floats, last: Floats, n_estimates: int) -> int:
    """Size of the largest one-to-one matching of items to estimates in their ranges [first, last)."""
    order = np.argsort(first, kind="stable").tolist()
    starts, ends = first.tolist(), last.tolist()
    waiting: list[int] = []
    hits = at = 0
    for estimate in range(n_estimates):
        while at < len(order) and starts[order[at]] <= estimate:
            heappush(waiting, ends[order[at]])
            at += 1
        while waiting and waiting[0] <= estimate:
            heappop(waiting)
        if waiting:
            heappop(waiting)
            hits += 1
    return hits
