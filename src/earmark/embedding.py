"""Embeddings: what a network makes of every window of a signal, whole or as a stream.

Long signals are heard in pieces of up to a minute with margins (`earmark.pieces`), so that memory does not
grow.  What a front end measures over a recording is measured over a piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.embeddingcard import EmbeddingCard
from earmark.errors import ConfigError, ModelError
from earmark.modelfile import one_line, open_model
from earmark.pieces import Piece, cut_pieces
from earmark.samples import Signal, given_rate, refuse_rate

FloatArray = npt.NDArray[np.float32]
# Seconds of the signal that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]

_PIECE_S = 60.0
# Windows in one run of the network: the large ones take 15 MB a window and layer.
_BATCH = 8
# A piece of windows that follow each other closely is shorter, so that it fits into memory.
_MOST_WINDOWS = 600
_SHORTEST_HOP_S, _LONGEST_HOP_S = 0.01, 60.0


class Embeddings(NamedTuple):
    """Vectors of windows that follow each other.

    values : float32, shape=(n, D).
    times : float64, shape=(n,), what each window is centred on, seconds.
    """

    values: FloatArray
    times: npt.NDArray[np.float64]

    @classmethod
    def concatenate(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """Join parts that follow each other; at least one."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


class Embedder:
    """Turns recordings and signals into embeddings; needs neither torch nor TensorFlow.

    Parameters
    ----------
    model : str or Path
        Name or path of a model for embeddings, e.g. ``"openl3-mel256-music"``.
    embedding : str, optional
        Which one, if it has several; by default the first that its card names.
    hop : float, optional
        Seconds from one window to the next, to the nearest that the front end can do; by default the
        model's own.
    threads : int
        Threads the network may use; 1 costs the least processor time.

    Attributes
    ----------
    card : EmbeddingCard
    embedding : str
    dimension : int
        Numbers of a vector, D.
    extractor : Extractor
        The front end.

    Raises
    ------
    ModelError
        If the file is missing, damaged, no model for embeddings, or does not fit its card.
    ConfigError
        If there is no such embedding, or the hop is impossible.
    """

    def __init__(
        self,
        model: str | Path,
        embedding: str | None = None,
        hop: float | None = None,
        *,
        threads: int = 1,
    ) -> None:
        file = open_model(model, threads)
        self.origin = file.origin
        if not EmbeddingCard.describes(file.card):
            raise ModelError(
                f"model '{self.origin}' marks recordings and gives no embeddings; "
                f"use it with: earmark detect --model {self.origin}"
            )
        self.card = EmbeddingCard.from_json(file.card, self.origin)
        names = list(self.card.embeddings)
        self.embedding = names[0] if embedding is None else embedding
        if self.embedding not in names:
            raise ConfigError(
                f"model '{self.origin}' has no embedding '{embedding}'; choose {' or '.join(names)}"
            )
        self.dimension = self.card.embeddings[self.embedding]
        self.extractor = self.card.extractor()
        if hop is not None:
            self._set_hop(hop)
        self._session = file.session
        inputs = [node.name for node in file.session.get_inputs()]
        outputs = {node.name for node in file.session.get_outputs()}
        if inputs != ["patches"] or not set(names) <= outputs:
            raise ModelError(
                f"'{self.origin}' has inputs {', '.join(inputs) or 'none'} and outputs "
                f"{', '.join(sorted(outputs))}; it must take 'patches' and return {', '.join(names)}"
            )
        self._run(np.zeros((1, self.extractor.n_bands, self.extractor.patch_length), np.float32), 1)

    @property
    def sample_rate(self) -> int:
        """Rate of the signal it hears, Hz."""
        return self.extractor.sample_rate

    @property
    def window_s(self) -> float:
        """Length of a window, seconds."""
        return self.extractor.window_length / self.sample_rate

    @property
    def hop_s(self) -> float:
        """Seconds from one window to the next."""
        return self.extractor.window_hop / self.sample_rate

    def stream(self, blocks: Iterable[npt.ArrayLike], sample_rate: float) -> Iterator[Embeddings]:
        """Turn a signal that arrives in blocks into embeddings, a minute at a time.

        What comes out is the same, bit for bit, however the signal is cut; memory is bounded.  A signal
        shorter than a window is followed by silence; an empty one has no embeddings.

        Parameters
        ----------
        blocks : iterable of float32, shape=(n,)
            One mono channel, nominal range -1 to 1.
        sample_rate : float
            Hz; resampled to the model's where it differs.

        Yields
        ------
        Embeddings
            Parts that follow each other; at least one.

        Raises
        ------
        AudioError
            If the signal is not mono, not floating point, or holds NaN, or the rate is impossible.
        ModelError
            If the network fails.
        """
        yield from self.parts(Signal(blocks, sample_rate))

    def embed(
        self,
        source: str | PathLike[str] | BinaryIO | npt.NDArray[np.floating],
        sample_rate: float | None = None,
        *,
        progress: Progress | None = None,
    ) -> Embeddings:
        """Return the embeddings of a recording or a signal.

        Parameters
        ----------
        source : str, path, binary file or float32, shape=(n_samples,)
            What `open_audio` takes, or a mono signal, nominal range -1 to 1.
        sample_rate : float, optional
            Hz; to be given with a signal, and only with one.
        progress : callable, optional
            Called with the seconds done so far, and of how many (None where the recording does not tell).

        Raises
        ------
        AudioError
            If the recording cannot be read, or the signal is not fit (see `stream`).
        """
        if isinstance(source, np.ndarray):
            return Embeddings.concatenate(list(self.stream([source], given_rate(sample_rate))))
        refuse_rate(source, sample_rate)
        # Arrays are embedded without a decoder being loaded.
        from earmark.audio import open_audio

        with open_audio(source, sample_rate=self.sample_rate) as audio:
            signal, parts = Signal(audio, self.sample_rate), []
            for part in self.parts(signal):
                parts.append(part)
                if progress is not None:
                    progress(signal.seconds, audio.duration)
            return Embeddings.concatenate(parts)

    def _set_hop(self, hop: float) -> None:
        if self.card.context:
            raise ConfigError(
                f"hop {hop:g}: model '{self.origin}' has a window every {self.hop_s:.3g} s and no other; "
                "leave it out"
            )
        if not _SHORTEST_HOP_S <= hop <= _LONGEST_HOP_S:
            raise ConfigError(f"hop {hop:g}: it must be {_SHORTEST_HOP_S:g} to {_LONGEST_HOP_S:g} seconds")
        self.extractor = self.extractor.with_hop(hop)

    def parts(self, signal: Signal) -> Iterator[Embeddings]:
        """Do what `stream` does of a signal that counts what is read of it."""
        hop, step = self.extractor.window_hop, self.extractor.step
        core = min(max(1, round(_PIECE_S / self.hop_s)), _MOST_WINDOWS)
        margin = self.extractor.margin + -(-self.card.context // step)
        for piece in cut_pieces(signal.at(self.sample_rate), core * hop, margin * hop):
            yield self._part(piece)

    def _part(self, piece: Piece) -> Embeddings:
        extractor = self.extractor
        before = piece.core.start // extractor.window_hop
        first = before - piece.start // extractor.window_hop
        if piece.core.stop == 0:  # an empty signal
            values = np.empty((0, self.dimension), np.float32)
        else:
            features = extractor(self._filled(piece.samples))
            end = (features.shape[1] - extractor.patch_length) // extractor.step + 1
            if not piece.last:
                end = first + (piece.core.stop - piece.core.start) // extractor.window_hop
            run = self._in_context if self.card.context else self._one_by_one
            values = run(features, first, end)
        times = extractor.middle + (before + np.arange(len(values))) * self.hop_s
        return Embeddings(values, times)

    def _filled(self, samples: FloatArray) -> FloatArray:
        """Return samples with silence behind them, if they are too few for a window."""
        extractor = self.extractor
        if extractor.n_frames(len(samples)) >= extractor.patch_length:
            return samples
        needed = (extractor.patch_length - 1 + extractor.reach) * extractor.hop_length + extractor.n_fft
        return np.pad(samples, (0, max(0, needed - len(samples))))

    def _one_by_one(self, features: FloatArray, first: int, end: int) -> FloatArray:
        """Return the vectors of the patches `first` to `end`, each seen by itself."""
        patches = self.extractor.patches_at(features, np.arange(first, end) * self.extractor.step)
        batches = [slice(at, min(at + _BATCH, len(patches))) for at in range(0, len(patches), _BATCH)]
        return np.concatenate([self._run(patches[which], which.stop - which.start) for which in batches])

    def _in_context(self, features: FloatArray, first: int, end: int) -> FloatArray:
        """Return the vectors of the patches `first` to `end`, which see their surroundings."""
        step, length = self.extractor.step, self.extractor.patch_length
        around = -(-self.card.context // step)
        start = max(0, first - around)
        seen = features[:, start * step : (end - 1 + around) * step + length]
        n_patches = (seen.shape[1] - length) // step + 1
        return self._run(np.ascontiguousarray(seen[None]), n_patches)[first - start : end - start]

    def _run(self, patches: FloatArray, n_patches: int) -> FloatArray:
        """Run the network; it must return so many vectors."""
        try:
            (found,) = self._session.run([self.embedding], {"patches": patches})
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"model '{self.origin}' does not run on its card's input ({one_line(err)})"
            ) from err
        if found.shape != (n_patches, self.dimension):
            raise ModelError(
                f"model '{self.origin}' returned shape {found.shape}; by its card it must return "
                f"{(n_patches, self.dimension)}"
            )
        if not np.isfinite(found).all():
            raise ModelError(
                f"model '{self.origin}' returned NaN or infinite values; its weights are damaged"
            )
        return found
