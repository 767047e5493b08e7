"""Running a network that answers every frame of long patches: signal in, posteriors out, as a stream.

Chunks follow each other without overlap, each on its own, as published programs have it; so that the
answer at a moment depends on what is in the same chunk, before and after.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from earmark.card import DecodeOptions
from earmark.cores import stage
from earmark.decode import StreamDecoder
from earmark.decodings import FrameThresholds
from earmark.errors import ModelError
from earmark.modelfile import ModelFile
from earmark.patchnet import PatchNet
from earmark.pieces import cut_pieces
from earmark.posteriors import Posteriors
from earmark.samples import Signal

FloatArray = npt.NDArray[np.float32]


class ChunkModel(PatchNet):
    """A network for chunks, with its card; make one with `load_model`.

    Its front end must measure nothing over the whole recording.

    Parameters
    ----------
    file : ModelFile
        A model whose card is a `PatchCard` that decodes by `FrameThresholds`.

    Raises
    ------
    ModelError
        If the network does not fit its card.
    """

    def __init__(self, file: ModelFile) -> None:
        super().__init__(file)
        if not isinstance(self.card.decode, FrameThresholds):
            raise ModelError(f"the card in '{self.origin}' does not decode by thresholds")
        self._decode = self.card.decode
        self.run(np.zeros((self.extractor.n_bands, 2), np.float32))

    @property
    def hop_s(self) -> float:
        """Length of a cell, seconds."""
        return self._decode.pool * self.extractor.hop_length / self.sample_rate

    @property
    def decode(self) -> Mapping[str, DecodeOptions]:
        """How each label is decoded by default."""
        return self._decode.options

    def decoder(self, options: Mapping[str, DecodeOptions]) -> StreamDecoder:
        """Return what makes segments of posteriors; raises `ConfigError` if a label has no options."""
        return StreamDecoder(self.labels, self.hop_s, options)

    def run(self, chunk: FloatArray) -> FloatArray:
        """Return the posteriors, (n, n_labels), of a chunk's frames, float32, shape=(n_bands, n).

        Raises
        ------
        ModelError
            If the network fails, or returns something else than its card says.
        """
        return self._run(np.ascontiguousarray(chunk[None]), (1, chunk.shape[1], len(self.labels)))[0]

    def stream(
        self, blocks: Iterable[npt.ArrayLike], sample_rate: float, *, threaded: bool = False
    ) -> Generator[Posteriors]:
        """Turn a signal that arrives in blocks into posteriors, a chunk at a time.

        What comes out is the same, bit for bit, however the signal is cut; memory is bounded.

        Parameters
        ----------
        blocks : iterable of float32, shape=(n,)
            One mono channel, nominal range -1 to 1.
        sample_rate : float
            Hz; resampled to the model's where it differs.
        threaded : bool
            Read the blocks, and compute the features, in a thread, while the network runs in this one.

        Yields
        ------
        Posteriors
            Parts that follow each other; at least one, and the last ends where the signal does.

        Raises
        ------
        AudioError
            If the signal is not mono, not floating point, or holds NaN, or the rate is impossible.
        """
        signal = Signal(blocks, sample_rate)
        hop, length, pool = self.extractor.hop_length, self.extractor.patch_length, self._decode.pool
        # Where a piece ends inside the signal, windows must not see its end.
        margin = -(-self.extractor.n_fft // hop) + self.extractor.reach
        rest, n_cells = np.empty((0, len(self.labels)), np.float32), 0
        pieces = cut_pieces(signal.at(self.sample_rate), length * hop, margin * hop)
        with stage(
            ((piece, self.extractor(piece.samples)) for piece in pieces), 1, threaded=threaded
        ) as heard:
            for piece, features in heard:
                first = (piece.core.start - piece.start) // hop
                end = features.shape[1] if piece.last else first + length
                chunks = [features[:, at : min(at + length, end)] for at in range(first, end, length)]
                rest = np.concatenate([rest, *map(self.run, chunks)])
                ready = len(rest) // pool
                if piece.last:
                    # The last cell may lack frames; one that began behind the end would have none.
                    ready = -(-piece.core.stop // (pool * hop)) - n_cells
                    rest = np.pad(rest, ((0, max(0, ready * pool - len(rest))), (0, 0)))
                values = rest[: ready * pool].reshape(ready, pool, len(self.labels)).max(axis=1)
                rest = rest[ready * pool :]
                seconds = max(0.0, signal.seconds - n_cells * self.hop_s) if piece.last else None
                n_cells += ready
                yield Posteriors(values, None, self.labels, self.hop_s, seconds)
