"""Running a network from an ONNX file: signal in, posteriors out, whole or as a stream.

The network is run on chunks at fixed places of the signal, each with a margin on both sides that is
thrown away; at the true ends of the signal there is no margin, so that the network's own zero padding
applies there and the chunks give what one run over everything would::

    signal    |=================================================|
    chunk 0   [    core     | margin ]
    chunk 1            [ margin |    core     | margin ]
    chunk 2                             [ margin |     core     ]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from earmark.activity import fill_gaps
from earmark.card import PATCHES, DecodeOptions, ModelCard, card_kind
from earmark.decode import StreamDecoder
from earmark.errors import ModelError
from earmark.modelfile import DEFAULT_MODEL, ModelFile, one_line, open_model
from earmark.posteriors import Posteriors
from earmark.samples import Signal

FloatArray = npt.NDArray[np.float32]

# Frames decided in one run: two minutes at 20 ms.  With 8 s of context, half of it costs 7 % more, for the
# margins, and holds 28 MB less.
_CORE_FRAMES = 6000
# Digital silence up to this long may be a pause in speech.
_PAUSE_S = 0.5
# Networks may halve the frame rate twice; chunks start where both halvings do.
_ALIGN_FRAMES = 4


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

    def stream(self, blocks: Iterable[npt.ArrayLike], sample_rate: float) -> Iterator[Posteriors]:
        """Turn a signal that arrives in blocks into posteriors, two minutes or so at a time.

        What comes out is the same, bit for bit, however the signal is cut; memory is bounded.

        Parameters
        ----------
        blocks : iterable of float32, shape=(n,)
            One mono channel, nominal range -1 to 1.
        sample_rate : float
            Hz; resampled to the model's where it differs.

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
        for frames in signal.frames(self.card.front_end):
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
        start = first * _CORE_FRAMES
        end = None if n_chunks is None else start + n_chunks * _CORE_FRAMES
        # A chunk earlier: at the end of the signal, a last short chunk is run together with the one before.
        posteriors = PosteriorStream(self, max(0, start - _CORE_FRAMES))
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
        return _CORE_FRAMES * self.hop_s

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


class PosteriorStream:
    """Posteriors of log-mel frames that arrive in blocks of any size.

    Digital silence, all bands at the front end's floor, gets 0 for every label: at the ends of the signal,
    and inside it where it lasts more than half a second, which is no pause any more.

    Parameters
    ----------
    model : Model
        The network.
    at : int
        Frame to begin with, a whole number of chunks.

    Attributes
    ----------
    at : int
        The first frame decided.
    needs : int
        The first frame that is to be pushed.
    """

    def __init__(self, model: Model, at: int = 0) -> None:
        self._model = model
        card = model.card
        self._pause = round(_PAUSE_S / card.front_end.grid.hop_s)
        # Silence that reaches into the core from further away than a margin is no pause.
        self._margin = -(-max(card.context, self._pause) // _ALIGN_FRAMES) * _ALIGN_FRAMES
        # The floor itself is rounded on its way through float32.
        self._silence_db = card.front_end.floor_db + 0.01
        self._mel = np.empty((card.front_end.n_mels, 0), np.float32)
        self.at, self.needs = at, max(0, at - self._margin)
        self._first = self.needs  # frame of the signal that self._mel starts with
        self._done = at  # frames decided

    def push(self, log_mel: FloatArray) -> Posteriors:
        """Take more frames, float32, shape=(n_mels, n); return those now decided, often none.

        Raises
        ------
        ModelError
            If the bands are not the model's, or the network fails.
        """
        self._take(log_mel)
        parts = [self._decide(self._done, self._done)]
        # One frame more than needed: `flush` is to have the last one, whose cell the signal may cut.
        while self._first + self._mel.shape[1] > self._done + _CORE_FRAMES + self._margin:
            end = self._done + _CORE_FRAMES
            parts.append(self._decide(end, end + self._margin))
        return Posteriors.concatenate(parts)

    def flush(self, duration: float | None = None) -> Posteriors:
        """Return the remaining frames; the signal ends at `duration` seconds, or with its last cell."""
        before = self._done
        end = max(before, self._first + self._mel.shape[1])
        part = self._decide(end, end)
        if duration is None:
            return part
        seconds = max(0.0, duration - before * part.hop_s)
        return Posteriors(part.values, part.speech_to_music_db, part.labels, part.hop_s, seconds)

    def look(self, log_mel: FloatArray) -> tuple[Posteriors, Posteriors]:
        """Take more frames, and say at once what can be said.

        Costs a run of the network over the margins before and after the frames, however few these are.

        Returns
        -------
        decided : Posteriors
            Frames that the network has seen the whole context of; each is given once.
        guessed : Posteriors
            The frames after those, up to the last, as if the signal ended there.

        Raises
        ------
        ModelError
            If the bands are not the model's, or the network fails.
        """
        self._take(log_mel)
        now = self._first + self._mel.shape[1]
        whole = max(self._done, (now - self._margin) // _ALIGN_FRAMES * _ALIGN_FRAMES)
        part = self._answer(now, now)
        n_decided = whole - self._done
        self._forget(whole)
        return _cut(part, 0, n_decided), _cut(part, n_decided, len(part))

    def _take(self, log_mel: FloatArray) -> None:
        n_mels = len(self._mel)
        if log_mel.ndim != 2 or len(log_mel) != n_mels:
            raise ModelError(
                f"model '{self._model.origin}' takes {n_mels} mel bands, shape ({n_mels}, n_frames), "
                f"got {log_mel.shape}"
            )
        self._mel = np.concatenate([self._mel, log_mel], axis=1)

    def _decide(self, end: int, seen: int) -> Posteriors:
        """Return the posteriors of the frames up to `end`, the network seeing those up to `seen`."""
        part = self._answer(end, seen)
        self._forget(end)
        return part

    def _answer(self, end: int, seen: int) -> Posteriors:
        model, hop_s = self._model, self._model.card.front_end.grid.hop_s
        if end == self._done:
            ratio = np.empty(0, np.float32) if model.tells_ratio else None
            return Posteriors(np.empty((0, len(model.labels)), np.float32), ratio, model.labels, hop_s)
        core = slice(self._done - self._first, end - self._first)
        values, ratio = model.run(self._mel[:, : seen - self._first])
        values = values[core]
        sounding = self._mel[:, : seen - self._first].max(axis=0) > self._silence_db
        values[~fill_gaps(sounding, self._pause)[core]] = 0
        return Posteriors(values, None if ratio is None else ratio[core], model.labels, hop_s)

    def _forget(self, end: int) -> None:
        """Know that the frames up to `end` are decided."""
        self._done = end
        keep = max(0, end - self._margin) - self._first
        self._mel = self._mel[:, keep:].copy()
        self._first += keep


def _cut(part: Posteriors, start: int, end: int) -> Posteriors:
    ratio = part.speech_to_music_db
    return Posteriors(
        part.values[start:end], None if ratio is None else ratio[start:end], part.labels, part.hop_s
    )


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
