"""From log-mel frames to posteriors, as a stream.

The network is run on chunks at fixed places of the signal, each with a margin on both sides that is
thrown away; at the true ends of the signal there is no margin, so that the network's own zero padding
applies there and the chunks give what one run over everything would::

    signal    |=================================================|
    chunk 0   [    core     | margin ]
    chunk 1            [ margin |    core     | margin ]
    chunk 2                             [ margin |     core     ]
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from earmark.activity import fill_gaps
from earmark.card import ModelCard
from earmark.errors import ModelError
from earmark.posteriors import Posteriors

FloatArray = npt.NDArray[np.float32]

# Frames decided in one run: two minutes at 20 ms.  With 8 s of context, half of it costs 7 % more, for the
# margins, and holds 28 MB less.
CORE_FRAMES = 6000
# Digital silence up to this long may be a pause in speech.
_PAUSE_S = 0.5
# Networks may halve the frame rate twice; chunks start where both halvings do.
_ALIGN_FRAMES = 4


def margin_of(card: ModelCard) -> int:
    """Return how many frames on each side of a chunk the network is to see, too."""
    # Silence that reaches into the core from further away than a margin is no pause.
    return -(-max(card.context, _pause_of(card)) // _ALIGN_FRAMES) * _ALIGN_FRAMES


def sounding(card: ModelCard, log_mel: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which frames, shape=(n_mels, n), are not digital silence, or are a pause in what sounds."""
    # The floor itself is rounded on its way through float32.
    return fill_gaps(log_mel.max(axis=0) > card.front_end.floor_db + 0.01, _pause_of(card))


def _pause_of(card: ModelCard) -> int:
    return round(_PAUSE_S / card.front_end.grid.hop_s)


class Network(Protocol):
    """What answers frames: a `Model`."""

    card: ModelCard
    origin: str
    tells_ratio: bool

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of the posteriors."""
        ...

    def run(self, log_mel: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Run the network once over all that is given."""
        ...


class PosteriorStream:
    """Posteriors of log-mel frames that arrive in blocks of any size.

    Digital silence, all bands at the front end's floor, gets 0 for every label: at the ends of the signal,
    and inside it where it lasts more than half a second, which is no pause any more.

    Parameters
    ----------
    model : Network
    at : int
        Frame to begin with, a whole number of chunks.

    Attributes
    ----------
    at : int
        The first frame decided.
    needs : int
        The first frame that is to be pushed.
    """

    def __init__(self, model: Network, at: int = 0) -> None:
        self._model = model
        card = model.card
        self._margin = margin_of(card)
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
        while self._first + self._mel.shape[1] > self._done + CORE_FRAMES + self._margin:
            end = self._done + CORE_FRAMES
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
        return part.frames(0, n_decided), part.frames(n_decided, None)

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
        mel = self._mel[:, : seen - self._first]
        values, ratio = model.run(mel)
        values = values[core]
        values[~sounding(model.card, mel)[core]] = 0
        return Posteriors(values, None if ratio is None else ratio[core], model.labels, hop_s)

    def _forget(self, end: int) -> None:
        """Know that the frames up to `end` are decided."""
        self._done = end
        keep = max(0, end - self._margin) - self._first
        self._mel = self._mel[:, keep:].copy()
        self._first += keep
