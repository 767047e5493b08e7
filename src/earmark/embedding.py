"""Embeddings: what a network makes of every window of a signal, whole or as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.embeddingcard import EmbeddingCard
from earmark.errors import ConfigError, ModelError
from earmark.modelfile import DEFAULT_EMBEDDER, one_line, open_model, refuse_kind
from earmark.samples import Signal, given_rate, refuse_rate
from earmark.windows import Part, Run, window_parts

FloatArray = npt.NDArray[np.float32]
# Seconds of the signal that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]

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
    model : str or Path, optional
        Name or path of a model for embeddings, e.g. ``"openl3-mel256-music"``; by default the one that comes
        with earmark.
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
        model: str | Path = DEFAULT_EMBEDDER,
        embedding: str | None = None,
        hop: float | None = None,
        *,
        threads: int = 1,
    ) -> None:
        file = open_model(model, threads)
        self.origin = file.origin
        if not EmbeddingCard.describes(file.card):
            refuse_kind(file, "gives no embeddings")
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
        self._run(
            Run(np.zeros((1, self.extractor.n_bands, self.extractor.patch_length), np.float32), 1, 0, 1)
        )

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
        for part in window_parts(signal, self.extractor, self.card.context):
            yield self._part(part)

    def _part(self, part: Part) -> Embeddings:
        values = np.concatenate([np.empty((0, self.dimension), np.float32), *map(self._run, part.runs)])
        windows = part.first + np.arange(len(values), dtype=np.float64)
        return Embeddings(values, self.extractor.middle + windows * self.hop_s)

    def _run(self, run: Run) -> FloatArray:
        """Run the network; return the vectors of the windows that count."""
        try:
            (found,) = self._session.run([self.embedding], {"patches": run.patches})
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"model '{self.origin}' does not run on its card's input ({one_line(err)})"
            ) from err
        if found.shape != (run.n_windows, self.dimension):
            raise ModelError(
                f"model '{self.origin}' returned shape {found.shape}; by its card it must return "
                f"{(run.n_windows, self.dimension)}"
            )
        if not np.isfinite(found).all():
            raise ModelError(
                f"model '{self.origin}' returned NaN or infinite values; its weights are damaged"
            )
        return found[run.first : run.end]
