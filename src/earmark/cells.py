"""From a whole signal to class probabilities of its cells, and from those to segments.

A cell lasts as long as one patch starts after another, and is decided by the patch whose middle is nearest
to its own.  At both ends of a signal, the outermost patches decide the cells that have none of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from earmark.activity import SPEECH_PAUSE, sounding_cells
from earmark.decodings import GatedViterbi, LikeliestClasses
from earmark.features.extractor import Extractor
from earmark.features.patches import Patches, repeated
from earmark.features.sidekit import N_FILTERS, SidekitMel
from earmark.gate import decode_gated
from earmark.likeliest import likeliest_segments
from earmark.pieces import Piece, cut_pieces
from earmark.posteriors import Posteriors
from earmark.samples import Signal
from earmark.timeline import Segment

FloatArray = npt.NDArray[np.float32]
# Probabilities, (n, n_classes), of patches.
Classify = Callable[[Patches], FloatArray]

# What is measured over a recording in training is measured over this much, and the margins, in use.
_PIECE_S = 60.0


class PieceCells:
    """Cells of any front end, which hears a long recording in pieces of a minute.

    Parameters
    ----------
    extractor : Extractor
        Front end.
    classes : tuple of str
    classify : callable
    decode : LikeliestClasses
    """

    def __init__(
        self, extractor: Extractor, classes: tuple[str, ...], classify: Classify, decode: LikeliestClasses
    ) -> None:
        self._extractor, self._classes, self._classify, self._decode = extractor, classes, classify, decode
        self._cell = extractor.window_hop
        self._hop_s = self._cell / extractor.sample_rate
        # What a patch and the windows of its frames reach, and what a pause is told by.
        self._margin = max(extractor.margin, round(SPEECH_PAUSE / self._hop_s))

    def read(self, signal: Signal) -> Iterator[Posteriors]:
        """Yield the probabilities of a signal's cells; in digital silence all are 0."""
        core = max(1, round(_PIECE_S / self._hop_s))
        blocks = signal.at(self._extractor.sample_rate)
        for piece in cut_pieces(blocks, core * self._cell, self._margin * self._cell):
            before = piece.core.start // self._cell
            after = -(-piece.core.stop // self._cell)
            values = self._values(piece, np.arange(before, after))
            seconds = max(0.0, signal.seconds - before * self._hop_s) if piece.last else None
            yield Posteriors(values, None, self._classes, self._hop_s, seconds)

    def segments(self, posteriors: Posteriors) -> list[Segment]:
        """Return the segments of all cells."""
        heard = np.asarray(posteriors.values.any(axis=1))
        return likeliest_segments(posteriors, heard, self._decode.class_change)

    def _values(self, piece: Piece, cells: npt.NDArray[np.intp]) -> FloatArray:
        extractor = self._extractor
        first = piece.start // self._cell
        features = repeated(extractor(piece.samples), extractor.patch_length)
        values = np.zeros((len(cells), len(self._classes)), np.float32)
        if features.shape[1]:
            last = (features.shape[1] - extractor.patch_length) // extractor.step
            patches = np.clip(cells - first - extractor.lead, 0, last)
            wanted, place = np.unique(patches, return_inverse=True)
            values = self._classify(extractor.patches_at(features, wanted * extractor.step))[place]
        sounding = sounding_cells(piece.samples, self._cell, self._hop_s)
        values[~sounding[cells - first]] = 0
        return values


class EnergyCells:
    """Cells of inaSpeechSegmenter's front end, which also tells their energy.

    Features are made and classified while the signal is read; nothing is decided before its end, for the
    threshold of energy is relative to the whole.

    Parameters
    ----------
    extractor : SidekitMel
        Front end.
    classes : tuple of str
    classify : callable
    decode : GatedViterbi
    """

    def __init__(
        self, extractor: SidekitMel, classes: tuple[str, ...], classify: Classify, decode: GatedViterbi
    ) -> None:
        self._extractor, self._classes, self._classify, self._decode = extractor, classes, classify, decode
        self._hop_s = extractor.window_hop / extractor.sample_rate
        self._energies: list[FloatArray] = [np.empty(0, np.float32)]
        self._mel = np.empty((N_FILTERS, 0), np.float32)
        self._n_frames = 0  # so far
        self._n_cells = 0  # given out
        self._last: FloatArray | None = None  # of the last whole patch, shape=(1, n_classes)

    def read(self, signal: Signal) -> Iterator[Posteriors]:
        """Yield the probabilities of a signal's cells, whether they have energy or not."""
        for analysis in self._extractor.analyse_stream(signal.at(self._extractor.sample_rate)):
            self._energies.append(analysis.log_energy)
            yield self._posteriors(self._push(analysis.log_mel))
        yield self._posteriors(self._flush())

    def segments(self, posteriors: Posteriors) -> list[Segment]:
        """Return the segments of all cells."""
        energies = np.concatenate(self._energies)
        return decode_gated(posteriors, energies, self._extractor.step, self._decode)

    def _posteriors(self, values: FloatArray) -> Posteriors:
        self._n_cells += len(values)
        return Posteriors(values, None, self._classes, self._hop_s)

    def _push(self, log_mel: FloatArray) -> FloatArray:
        """Take more frames, float32, shape=(24, n); return the cells now known, (n_cells, n_classes).

        The first whole patch also speaks for the cells before its middle.
        """
        extractor = self._extractor
        self._mel = np.concatenate([self._mel, log_mel], axis=1)
        self._n_frames += log_mel.shape[1]
        n_patches = (self._mel.shape[1] - extractor.patch_length) // extractor.step + 1
        if n_patches < 1:
            return np.empty((0, len(self._classes)), np.float32)
        starts = np.arange(n_patches) * extractor.step
        bands = self._mel[: extractor.n_bands]
        values = self._classify(Patches(bands, starts, extractor.patch_length, standardise=True))
        if self._last is None:
            values = np.concatenate([np.repeat(values[:1], extractor.lead, axis=0), values])
        self._last = values[-1:]
        self._mel = self._mel[:, n_patches * extractor.step :].copy()
        return values

    def _flush(self) -> FloatArray:
        """Know that the signal ends; return the remaining cells, which the last patch speaks for."""
        if self._last is None:
            return self._classify(self._extractor.cut(self._mel))
        n_cells = -(-self._n_frames // self._extractor.step)
        return np.repeat(self._last, n_cells - self._n_cells, axis=0)
