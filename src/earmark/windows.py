"""The windows of a signal as a network takes them, a few at a time.

Long signals are heard in pieces of up to a minute with margins (`earmark.pieces`), so that memory does not
grow.  What a front end measures over a recording is measured over a piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.features.extractor import Extractor
from earmark.pieces import Piece, cut_pieces
from earmark.samples import Signal

FloatArray = npt.NDArray[np.float32]

_PIECE_S = 60.0
# Windows in one run of the network: the large ones take 15 MB a window and layer.
_BATCH = 8
# A piece of windows that follow each other closely is shorter, so that it fits into memory.
_MOST_WINDOWS = 600


class Run(NamedTuple):
    """What a network takes at once.

    Parameters
    ----------
    patches : float32, shape=(n, F, L) or, for networks with context, (1, F, T)
    n_windows : int
        Windows in them.
    first, end : int
        Those that count; the others are only seen.
    """

    patches: FloatArray
    n_windows: int
    first: int
    end: int


class Part(NamedTuple):
    """Windows that begin in one piece of a signal.

    Parameters
    ----------
    piece : Piece
    first : int
        The signal's windows before these.
    runs : iterator of Run
        All of them, to be read once; none for an empty signal.
    """

    piece: Piece
    first: int
    runs: Iterator[Run]


def window_parts(
    signal: Signal, extractor: Extractor, context: int = 0, margin_s: float = 0.0
) -> Iterator[Part]:
    """Read a signal; yield its windows, part by part, at least one.

    They are the same, bit for bit, however the signal is cut.  A signal shorter than a window is followed by
    silence, or repeated where the front end does so.

    Parameters
    ----------
    signal : Signal
    extractor : Extractor
    context : int
        As in `EmbeddingCard`.
    margin_s : float
        Seconds on each side of a piece's core that it must have at least, where the signal has them.
    """
    hop = extractor.window_hop
    core = min(max(1, round(_PIECE_S * extractor.sample_rate / hop)), _MOST_WINDOWS)
    margin = extractor.margin + -(-context // extractor.step)
    margin = max(margin, -int(-margin_s * extractor.sample_rate // hop))
    for piece in cut_pieces(signal.at(extractor.sample_rate), core * hop, margin * hop):
        empty = piece.core.stop == 0  # an empty signal
        features = None if empty else extractor(_filled(piece.samples, extractor))
        yield Part(piece, piece.core.start // hop, _runs(piece, features, extractor, context))


def _runs(piece: Piece, features: FloatArray | None, extractor: Extractor, context: int) -> Iterator[Run]:
    if features is None:
        return
    hop = extractor.window_hop
    first = (piece.core.start - piece.start) // hop
    end = (features.shape[1] - extractor.patch_length) // extractor.step + 1
    if not piece.last:
        end = first + (piece.core.stop - piece.core.start) // hop
    if context:
        yield _in_context(features, first, end, extractor, context)
        return
    patches = extractor.patches_at(features, np.arange(first, end) * extractor.step)
    for at in range(0, len(patches), _BATCH):
        few = patches[at : at + _BATCH]
        yield Run(few, len(few), 0, len(few))


def _in_context(features: FloatArray, first: int, end: int, extractor: Extractor, context: int) -> Run:
    """Return the windows `first` to `end` with what they see around them."""
    step, length = extractor.step, extractor.patch_length
    around = -(-context // step)
    start = max(0, first - around)
    seen = features[:, start * step : (end - 1 + around) * step + length]
    n_windows = (seen.shape[1] - length) // step + 1
    return Run(np.ascontiguousarray(seen[None]), n_windows, first - start, end - start)


def _filled(samples: FloatArray, extractor: Extractor) -> FloatArray:
    """Return samples with silence behind them, or repeated, if they are too few for a window."""
    if extractor.n_frames(len(samples)) >= extractor.patch_length:
        return samples
    needed = (extractor.patch_length - 1 + extractor.reach) * extractor.hop_length + extractor.n_fft
    behind = (0, max(0, needed - len(samples)))
    return np.pad(samples, behind, mode="wrap") if extractor.repeats else np.pad(samples, behind)
