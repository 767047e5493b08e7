"""Largest one-to-one matchings of times, and of pairs of times, that lie within a collar.

The items on each side are sorted and do not overlap, so those an item may be matched to are neighbours:
a range ``[first, last)`` of positions on the other side.  In such a graph Glover's rule [1]_ finds an
optimum in one pass: give each position to the item whose last chance comes first.  The work grows with
``n log n``, however wide the collar.

References
----------
.. [1] Glover, "Maximum matching in a convex bipartite graph", Naval Research Logistics 14, 1967.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ranges = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def windows(times: Floats, others: Floats, collar: float | Floats) -> Ranges:
    """Return, for each time, the range of sorted `others` from ``time - collar`` to ``time + collar``.

    Parameters
    ----------
    times, others : float64, shape=(n,), shape=(m,)
        Seconds, ascending.
    collar : float, or float64 of shape=(n,)
        Seconds, for all times or for each; both ends are inclusive, as the sums of floats come out.

    Returns
    -------
    first, last : int, shape=(n,)
        Positions in `others`, `last` excluded.
    """
    return (
        np.searchsorted(others, times - collar, side="left"),
        np.searchsorted(others, times + collar, side="right"),
    )


def distances_within(times: Floats, others: Floats, tolerance: float | Floats) -> Ranges:
    """Return, for each time, the range of sorted `others` with ``abs(time - other) <= tolerance``.

    It differs from `windows` in the last bits alone: here the difference of two floats decides.

    Parameters
    ----------
    times, others : float64, shape=(n,), shape=(m,)
        Seconds, ascending.
    tolerance : float, or float64 of shape=(n,)
        Seconds, for all times or for each.

    Returns
    -------
    first, last : int, shape=(n,)
        Positions in `others`, `last` excluded.
    """
    # Ranges that are a few bits too wide, then cut where the difference itself says so.
    wide = tolerance + 8 * np.spacing(times + tolerance)
    first, last = windows(times, others, wide)
    padded = np.append(others, np.inf)
    while (far := (first < last) & (np.abs(times - padded[first]) > tolerance)).any():
        first = first + far
    while (far := (first < last) & (np.abs(times - padded[last - 1]) > tolerance)).any():
        last = last - far
    return first, last


def largest_matching(first: npt.NDArray[np.intp], last: npt.NDArray[np.intp], n_others: int) -> int:
    """Return how many items can be matched one to one with positions in their ranges.

    Parameters
    ----------
    first, last : int, shape=(n,)
        The range of each item, `last` excluded; one with ``first >= last`` has no partner.
    n_others : int
        Positions on the other side.
    """
    order = np.argsort(first, kind="stable").tolist()
    starts, ends = first.tolist(), last.tolist()
    waiting: list[int] = []
    hits = at = 0
    for position in range(n_others):
        while at < len(order) and starts[order[at]] <= position:
            heappush(waiting, ends[order[at]])
            at += 1
        while waiting and waiting[0] <= position:
            heappop(waiting)
        if waiting:
            heappop(waiting)
            hits += 1
    return hits
