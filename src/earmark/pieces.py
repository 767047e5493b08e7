"""Long signals heard in pieces: what is measured over a whole recording is measured over a piece of it.

Pieces follow each other without gaps; each is seen with a margin on both sides, where the signal has one::

    signal    |=================================================|
    piece 0   [    core     | margin ]
    piece 1            [ margin |    core     | margin ]
    last               [      back      |      core, the rest   ]

The last one reaches back as far as a core and a margin, so that it is not short.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Piece(NamedTuple):
    """A part of a signal.

    Parameters
    ----------
    samples : float32, shape=(n,)
        Core and margins.
    start : int
        Where `samples` begin in the signal.
    core : slice
        Samples of the signal that this piece is to decide.
    last : bool
        Whether the signal ends with it.
    """

    samples: FloatArray
    start: int
    core: slice
    last: bool


def cut_pieces(blocks: Iterable[FloatArray], core: int, margin: int) -> Iterator[Piece]:
    """Cut a signal that comes in blocks, shape=(n,), into pieces; at least one, and memory is bounded.

    Parameters
    ----------
    blocks : iterable of float32, shape=(n,)
    core, margin : int
        Samples; the last core is shorter, or, if a margin or less follows it, up to that much longer.
    """
    held, start, done = np.empty(0, np.float32), 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while start + len(held) > done + core + margin:
            end = done + core
            first = max(0, done - margin)
            yield Piece(held[first - start : end + margin - start], first, slice(done, end), last=False)
            done = end
            kept = max(0, done - core - margin)
            held, start = held[kept - start :].copy(), kept
    yield Piece(held, start, slice(done, start + len(held)), last=True)
