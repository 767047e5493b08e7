"""Running a network from an ONNX file: signal in, posteriors out, whole or as a stream."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from earmark import posteriorstream
from earmark.card import PATCHES, DecodeOptions, ModelCard, card_kind
from earmark.cores import stage
from earmark.decode import StreamDecoder
from earmark.errors import ModelError
from earmark.modelfile import DEFAULT_MODEL, ModelFile, one_line, open_model
from earmark.posteriors import Posteriors
from earmark.posteriorstream import PosteriorStream
from earmark.samples import Signal

FloatArray = npt.NDArray[np.float32]

# Stretches of frames, 16 s each, that a thread may have ready: as many as a run of the network takes.
_FRAMES_AHEAD = 8


class Model:
    """A network with its card; make one with `Model.load`.

    Attributes
    ----------
    card : ModelCard
        What the model is and needs.
    origin : str
        The name or path it was loaded by.
    tells_ratio : bool
        Whether it tells the speech-to-music ratio.
    """

    def __init__(self, session: ort.InferenceSession, card: ModelCard, origin: str) -> None:
        self.card = card
        self.origin = origin
        self._session = session
        outputs = [output.name for output in session.get_outputs()]
        self.tells_ratio = "speech_to_music_db" in outputs
        self._outputs = ["posteriors", *(["speech_to_music_db"] if self.tells_ratio else [])]
        _check_graph(session, card, origin)
        # Band counts and lengths may be left open in the graph; a run tells.
        self.run(np.full((card.front_end.n_mels, 5), card.front_end.floor_db, np.float32))

    @classmethod
    def load(cls, name_or_path: str | Path = DEFAULT_MODEL, threads: int = 1) -> Model:
        """Load a model by its name, or any other by its path.

        Parameters
        ----------
        name_or_path : str or Path
            E.g. ``"detector"`` (see `embedded_models` and `user_models`) or ``"mine.onnx"``.
        threads : int
            Threads the network may use; 1 costs the least processor time.

        Raises
        ------
        ModelError
            If the file is missing, damaged, has no card, or does not fit its card.
        ConfigError
            If `threads` is below 1.
        """
        return cls.of(open_model(name_or_path, threads))

    @classmethod
    def of(cls, file: ModelFile) -> Model:
        """Make the model of an open file; raises `ModelError` if it does not fit its card."""
        if card_kind(file.card) == PATCHES:
            raise ModelError(
                f"'{file.origin}' hears patches of other features than this class makes; "
                f"use earmark.Detector('{file.origin}')"
            )
        return cls(file.session, ModelCard.from_json(file.card, file.origin), file.origin)

    @property
    def sample_rate(self) -> int:
        """Rate of the signal it hears, Hz."""
        return self.card.front_end.sample_rate

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of the posteriors."""
        return self.card.labels

    @property
    def hop_s(self) -> float:
        """Length of a frame's cell, seconds."""
        return self.card.front_end.grid.hop_s

    @property
    def decode(self) -> Mapping[str, DecodeOptions]:
        """How each label is decoded by default."""
        return self.card.decode

    def decoder(self, options: Mapping[str, DecodeOptions]) -> StreamDecoder:
        """Return what makes segments of posteriors; raises `ConfigError` if a label has no options."""
        return StreamDecoder(self.labels, self.hop_s, options)

    def run(self, log_mel: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Run the network once over all that is given.

        Parameters
        ----------
        log_mel : float32, shape=(n_mels, n_frames)
            dB, of the card's front end; at least one frame.

        Returns
        -------
        values : float32, shape=(n_frames, n_labels)
            Posteriors.
        speech_to_music_db : float32, shape=(n_frames,), or None
            None where the model does not tell it.

        Raises
        ------
        ModelError
            If the network fails, or returns something else than its card says.
        """
        n_mels = self.card.front_end.n_mels
        if log_mel.ndim != 2 or log_mel.shape[0] != n_mels:
            raise ModelError(
                f"model '{self.origin}' takes {n_mels} mel bands, shape ({n_mels}, n_frames), "
                f"got {log_mel.shape}"
            )
        try:
            found = self._session.run(self._outputs, {"log_mel": np.ascontiguousarray(log_mel[None])})
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"model '{self.origin}' does not run on its card's input ({one_line(err)})"
            ) from err
        shape = (1, log_mel.shape[1], len(self.labels))
        if found[0].shape != shape or (self.tells_ratio and found[1].shape != shape[:2]):
            shapes = " and ".join(str(array.shape) for array in found)
            raise ModelError(
                f"model '{self.origin}' returned shapes {shapes} for {shape[1]} frames; "
                f"by its card it must return {shape}" + (f" and {shape[:2]}" if self.tells_ratio else "")
            )
        values = found[0][0]
        if not (values.min() >= 0 and values.max() <= 1) or not all(
            np.isfinite(array).all() for array in found
        ):
            raise ModelError(
                f"model '{self.origin}' returned values that are no probabilities "
                f"({values.min():.4g} to {values.max():.4g}); it must end in a sigmoid and hold no NaN"
            )
        return values, found[1][0] if self.tells_ratio else None

    def stream(
        self, blocks: Iterable[npt.ArrayLike], sample_rate: float, *, threaded: bool = False
    ) -> Generator[Posteriors]:
        """Turn a signal that arrives in blocks into posteriors, two minutes or so at a time.

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
        signal, posteriors = Signal(blocks, sample_rate), PosteriorStream(self)
        with stage(signal.frames(self.card.front_end), _FRAMES_AHEAD, threaded=threaded) as stretches:
            for frames in stretches:
                part = posteriors.push(frames)
                if len(part):
                    yield part
        yield posteriors.flush(signal.seconds)

    def stream_part(
        self, blocks: Iterable[npt.ArrayLike], sample_rate: float, first: int, n_chunks: int | None
    ) -> Iterator[Posteriors]:
        """Yield the posteriors of a part of a signal: exactly those that `stream` gives there.

        The signal before it is read, but costs little more; what follows the part is not read.

        Parameters
        ----------
        blocks, sample_rate
            The whole signal, as for `stream`.
        first : int
            Chunk (of `chunk_s` seconds) to begin with.
        n_chunks : int or None
            How many; None for all that follow.

        Yields
        ------
        Posteriors
            As `stream` does; at least one, which is empty if the signal ends before.
        """
        signal = Signal(blocks, sample_rate)
        start = first * posteriorstream.CORE_FRAMES
        end = None if n_chunks is None else start + n_chunks * posteriorstream.CORE_FRAMES
        # A chunk earlier: at the end of the signal, a last short chunk is run together with the one before.
        posteriors = PosteriorStream(self, max(0, start - posteriorstream.CORE_FRAMES))
        at = posteriors.at
        for frames in signal.frames(self.card.front_end, posteriors.needs):
            part = posteriors.push(frames)
            if at + len(part) > start:
                yield part.frames(max(0, start - at), None if end is None else end - at)
            at += len(part)
            if end is not None and at >= end:
                return
        part = posteriors.flush(signal.seconds)
        yield part.frames(max(0, start - at), None if end is None else end - at)

    @property
    def chunk_s(self) -> float:
        """Seconds that are decided at a time."""
        return posteriorstream.CORE_FRAMES * self.hop_s

    def posteriors(self, samples: npt.ArrayLike, sample_rate: float) -> Posteriors:
        """Return the posteriors of a whole signal.

        Parameters
        ----------
        samples : float32, shape=(n_samples,)
            One mono channel, nominal range -1 to 1; may be empty.
        sample_rate : float
            Hz; resampled to the model's where it differs.

        Raises
        ------
        AudioError
            If the signal is not mono, not floating point, or holds NaN, or the rate is impossible.
        """
        return Posteriors.concatenate(list(self.stream([samples], sample_rate)))


def _check_graph(session: ort.InferenceSession, card: ModelCard, origin: str) -> None:
    """Refuse a graph whose inputs and outputs are not those its card needs."""
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = [node.name for node in session.get_outputs()]
    if set(inputs) != {"log_mel"} or "posteriors" not in outputs:
        raise ModelError(
            f"'{origin}' has inputs {', '.join(inputs) or 'none'} and outputs {', '.join(outputs)}; "
            "it must take 'log_mel' and return 'posteriors'"
        )
    kind, shape, n_mels = inputs["log_mel"].type, inputs["log_mel"].shape, card.front_end.n_mels
    if kind != "tensor(float)" or len(shape) != 3 or (isinstance(shape[1], int) and shape[1] != n_mels):
        raise ModelError(
            f"'{origin}' takes {kind} of shape {shape}, but its card says {n_mels} mel bands, tensor(float) "
            f"of shape [1, {n_mels}, n_frames]; the card belongs to another network"
        )
