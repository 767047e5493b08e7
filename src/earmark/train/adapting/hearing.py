"""What a network makes of recordings, shortly before it decides: activations of evenly spaced frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from earmark.audio import open_audio
from earmark.card import ModelCard
from earmark.jobs import fault_of, run_each
from earmark.modelfile import open_session
from earmark.pool import Progress, Work
from earmark.posteriorstream import CORE_FRAMES, margin_of, sounding
from earmark.samples import Signal
from earmark.train.adapting.head import activations

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Listener:
    """What hears recordings; small enough to be sent to every worker.

    Parameters
    ----------
    cut : bytes
        A graph that `HeadedGraph.cut` made.
    card : ModelCard
        Of the model.
    n_turns, n_channels : int
        Frames and activations of a step.
    spacing : int
        From one frame that is kept to the next.
    """

    cut: bytes
    card: ModelCard
    n_turns: int
    n_channels: int
    spacing: int


@dataclass(frozen=True)
class Heard:
    """A recording, heard.

    Parameters
    ----------
    hidden : float32, shape=(n, C)
        Activations of the frames kept; frames of digital silence, of which no network is asked, are not.
    frames : int, shape=(n,)
        Which frames those are.
    seconds : float
        Of the recording.
    error : str or None
        Why it could not be heard.
    """

    hidden: FloatArray
    frames: IntArray
    seconds: float
    error: str | None = None


def hear_all(
    paths: Sequence[str], listener: Listener, jobs: int, done: Callable[[int], None]
) -> Iterator[tuple[int, Heard]]:
    """Hear recordings; yield their places and what was heard, in the order in which they end.

    Parameters
    ----------
    paths : sequence of str
    listener : Listener
    jobs : int
        Processes; with one, recordings are heard in this one.
    done : callable
        Told how many have been heard.
    """
    make_work = partial(_make_work, listener)
    if jobs == 1:
        work = make_work()
        results = ((place, work(path, _ignore)) for place, path in enumerate(paths))
    else:
        results = run_each(
            paths, lambda path, told: make_work()(path, told), make_work, _failed, jobs, _ignore
        )
    with closing(results):
        for n, result in enumerate(results, start=1):
            done(n)
            yield result


def _ignore(*progress: object) -> None:
    """Nothing is said of a recording that is under work."""


def _failed(error: str) -> Heard:
    return Heard(np.empty((0, 0), np.float32), np.empty(0, np.intp), 0.0, error)


def _make_work(listener: Listener) -> Work[str, Heard]:
    return partial(_hear, listener, open_session(listener.cut, listener.card.name))


def _hear(listener: Listener, session: ort.InferenceSession, path: str, progress: Progress) -> Heard:
    try:
        with open_audio(path, sample_rate=listener.card.front_end.sample_rate) as audio:
            signal = Signal(audio, listener.card.front_end.sample_rate)
            parts = list(_parts(listener, session, signal.frames(listener.card.front_end)))
        hidden, frames = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Heard(hidden, frames, signal.seconds)
    except Exception as err:  # a fault on one file must not end the others
        return _failed(fault_of(err, path, path)[0])


def _parts(
    listener: Listener, session: ort.InferenceSession, stretches: Iterator[FloatArray]
) -> Iterator[tuple[FloatArray, IntArray]]:
    """Yield activations and frames, cut and with the margins that `PosteriorStream` has."""
    card = listener.card
    margin = margin_of(card)
    mel = np.empty((card.front_end.n_mels, 0), np.float32)
    first = at = 0  # frames that `mel` begins with, and to go on with

    def part(end: int) -> tuple[FloatArray, IntArray]:
        seen = mel[:, : end + margin - first]
        frames = np.arange(-(-at // listener.spacing) * listener.spacing, end, listener.spacing)
        frames = frames[sounding(card, seen)[frames - first]]
        if not len(frames):  # also where there is nothing at all
            return np.empty((0, listener.n_channels), np.float32), frames
        return activations(session, seen)[(frames - first) // listener.n_turns], frames

    for stretch in stretches:
        mel = np.concatenate([mel, stretch], axis=1)
        while first + mel.shape[1] > at + CORE_FRAMES + margin:
            yield part(at + CORE_FRAMES)
            at += CORE_FRAMES
            keep = max(0, at - margin)
            mel, first = mel[:, keep - first :].copy(), keep
    yield part(first + mel.shape[1])
