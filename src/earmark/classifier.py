"""Classifying recordings by classes of the user's own: which class a recording is of, or each stretch of it.

A window of the signal has a score for every class, and so has the recording: the mean of its windows' scores
(fused late), or what the classifier says of the maxima of all windows' embeddings (fused early).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from earmark.activity import SPEECH_PAUSE, sounding_cells
from earmark.classifiercard import ClassifierCard
from earmark.course import CourseOptions
from earmark.errors import AudioError, ConfigError, ModelError
from earmark.modelfile import ModelFile, one_line, open_model, refuse_kind
from earmark.posteriors import Posteriors
from earmark.samples import Signal, given_rate, refuse_rate
from earmark.windows import Part, Run, window_parts

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]
# Seconds of the signal that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]

# What the greatest value of every dimension is before the first window.
LOWEST = np.finfo(np.float32).min
_OUTPUTS = ["scores", "peak_out", "clip"]
# Largest distance of a sum of scores from 1.
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Classified:
    """Which class a recording is of.

    Parameters
    ----------
    label : str
        The class with the greatest score.
    confidence : float
        That score.
    scores : mapping of str to float
        Of every class; they sum to 1.  Those of a support vector machine are no probabilities.
    duration : float
        Seconds.
    n_windows : int
        What was heard.
    warnings : tuple of str
        What went wrong while reading.
    """

    label: str
    confidence: float
    scores: Mapping[str, float]
    duration: float
    n_windows: int
    warnings: tuple[str, ...] = ()


class Classifier:
    """Tells classes of recordings and signals; needs neither torch nor scikit-learn.

    `Detector` takes one, too, and marks the classes along a recording.

    Parameters
    ----------
    model : str, Path or ModelFile
        Name or path of a model that `earmark fit` made, or an open one.
    threads : int
        Threads the network may use; 1 costs the least processor time.

    Attributes
    ----------
    card : ClassifierCard
    origin : str
        The name or path it was loaded by.
    extractor : Extractor
        The front end.

    Raises
    ------
    ModelError
        If the file is missing, damaged, no classifier, or does not fit its card.
    """

    def __init__(self, model: str | Path | ModelFile, *, threads: int = 1) -> None:
        file = model if isinstance(model, ModelFile) else open_model(model, threads)
        if not ClassifierCard.describes(file.card):
            refuse_kind(file, "tells no classes")
        self.card = ClassifierCard.from_json(file.card, file.origin)
        self.origin = file.origin
        self.extractor = self.card.extractor()
        self._session = file.session
        wanted = ["patches", "peak", *(("first", "end") if self.card.context else ())]
        inputs = [node.name for node in file.session.get_inputs()]
        outputs = [node.name for node in file.session.get_outputs()]
        if (inputs, outputs) != (wanted, _OUTPUTS):
            raise ModelError(
                f"'{self.origin}' has inputs {', '.join(inputs) or 'none'} and outputs {', '.join(outputs)}; "
                f"it must take {', '.join(wanted)} and return {', '.join(_OUTPUTS)}"
            )
        shape = (1, self.extractor.n_bands, self.extractor.patch_length)
        self._run(Run(np.zeros(shape, np.float32), 1, 0, 1), self._lowest())

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return self.card.classes

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
        """Seconds from one window to the next, and length of a cell of a timeline."""
        return self.extractor.window_hop / self.sample_rate

    @property
    def decode(self) -> dict[str, CourseOptions]:
        """How windows become segments by default: what is shorter than a window cannot be told.

        Raises `ConfigError` if only whole recordings have a class.
        """
        if self.card.fusion == "early":
            raise ConfigError(
                f"model '{self.origin}' decides recordings as a whole (fusion early) and marks nothing "
                "in them; fit one with: earmark fit --fusion late"
            )
        seconds = min(600.0, round(self.window_s, 6))
        return dict.fromkeys(self.labels, CourseOptions(0.0, seconds, seconds, seconds))

    def classify(
        self,
        source: str | PathLike[str] | BinaryIO | npt.NDArray[np.floating],
        sample_rate: float | None = None,
        *,
        crops: int | None = None,
        progress: Progress | None = None,
    ) -> Classified:
        """Return the class of a recording or a signal; memory is bounded.

        One shorter than a window is followed by silence, or repeated where the front end does so.

        Parameters
        ----------
        source : str, path, binary file or float32, shape=(n_samples,)
            What `open_audio` takes, or a mono signal, nominal range -1 to 1.
        sample_rate : float, optional
            Hz; to be given with a signal, and only with one.
        crops : int, optional
            Hear so many windows, spread evenly from the first to the last, in place of all.
        progress : callable, optional
            Called with the seconds done so far, and of how many (None where the recording does not tell).

        Raises
        ------
        AudioError
            If the recording cannot be read, the signal is not fit, or there is nothing but digital silence.
        ConfigError
            For crops where the recording does not tell how long it is, or the network hears windows together.
        """
        if crops is not None and (crops < 1 or self.card.context):
            raise ConfigError(
                f"crops {crops}: give 1 or more, and a model whose windows are heard one by one; leave it out"
            )
        if isinstance(source, np.ndarray):
            signal = Signal([source], given_rate(sample_rate))
            duration = source.size / signal.sample_rate
            wanted = self._spread(crops, duration, "the signal")
            return self._classified(signal, "the signal", duration, progress, [], wanted)
        refuse_rate(source, sample_rate)
        # Arrays are classified without a decoder being loaded.
        from earmark.audio import open_audio

        with open_audio(source, sample_rate=self.sample_rate) as audio:
            signal, name = Signal(audio, self.sample_rate), f"'{audio.name}'"
            wanted = self._spread(crops, audio.duration, name)
            return self._classified(signal, name, audio.duration, progress, audio.warnings, wanted)

    def _spread(self, crops: int | None, duration: float | None, name: str) -> IntArray | None:
        """Return which windows are heard, None for all."""
        if crops is None:
            return None
        if duration is None:
            raise ConfigError(f"{name} does not tell how long it is; leave out crops, and all of it is heard")
        n_frames = self.extractor.n_frames(round(duration * self.sample_rate))
        last = max(0, (n_frames - self.extractor.patch_length) // self.extractor.step)
        return np.unique(np.linspace(0, last, crops).round().astype(np.intp))

    def stream(self, blocks: Iterable[npt.ArrayLike], sample_rate: float) -> Iterator[Posteriors]:
        """Turn a signal that arrives in blocks into scores of its cells, about a minute at a time.

        A cell lasts as long as one window begins after another, and has the scores of the window whose
        middle is nearest; at both ends, the outermost windows speak for cells without their own.  In digital
        silence all scores are 0.  What comes out is the same, bit for bit, however the signal is cut; memory
        is bounded.

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
        signal, lead = Signal(blocks, sample_rate), self.extractor.lead
        held, first = np.empty((0, len(self.labels)), np.float32), 0  # windows `first` and on
        for part in window_parts(signal, self.extractor, self.card.context, SPEECH_PAUSE):
            held = np.concatenate([held, *(self._run(run, self._lowest())[0] for run in part.runs)])
            core, hop = part.piece.core, self.extractor.window_hop
            cells = np.arange(part.first, -(-core.stop // hop))
            windows = np.clip(cells - lead, 0, first + len(held) - 1)
            values = held[windows - first]
            sounds = sounding_cells(part.piece.samples, hop, self.hop_s)
            values[~sounds[cells - part.piece.start // hop]] = 0
            last = max(0.0, signal.seconds - part.first * self.hop_s) if part.piece.last else None
            yield Posteriors(values, None, self.labels, self.hop_s, last)
            kept = max(0, len(held) - lead)
            held, first = held[kept:], first + kept

    def _classified(
        self,
        signal: Signal,
        name: str,
        duration: float | None,
        progress: Progress | None,
        warnings: list[str],
        wanted: IntArray | None,
    ) -> Classified:
        total, n_windows, sounds = np.zeros(len(self.labels)), 0, False
        peak, clip = self._lowest(), np.zeros((1, len(self.labels)), np.float32)
        for part in window_parts(signal, self.extractor, self.card.context):
            sounds = sounds or self._sounds(part)
            for run in part.runs if wanted is None else _chosen(part, wanted):
                scores, peak, clip = self._run(run, peak)
                total += scores.sum(axis=0, dtype=np.float64)
                n_windows += len(scores)
            if progress is not None:
                progress(signal.seconds, duration)
        if not sounds:
            what = "nothing but digital silence" if n_windows else "no samples"
            raise AudioError(f"{name} holds {what}; there is nothing to classify")
        shares = clip[0].tolist() if self.card.fusion == "early" else (total / n_windows).tolist()
        found = int(np.argmax(shares))
        return Classified(
            self.labels[found],
            shares[found],
            dict(zip(self.labels, shares, strict=True)),
            signal.seconds,
            n_windows,
            tuple(warnings),
        )

    def _sounds(self, part: Part) -> bool:
        return bool(sounding_cells(part.piece.samples, self.extractor.window_hop, self.hop_s).any())

    def _lowest(self) -> FloatArray:
        return np.full((1, self.card.dimension), LOWEST, np.float32)

    def _run(self, run: Run, peak: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Run the network; return scores of the windows that count, the peak with them, and its scores."""
        given: dict[str, npt.NDArray[np.generic]] = {"patches": run.patches, "peak": peak}
        if self.card.context:
            given.update(first=np.array([run.first]), end=np.array([run.end]))
        try:
            scores, peak, clip = self._session.run(_OUTPUTS, given)
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"model '{self.origin}' does not run on its card's input ({one_line(err)})"
            ) from err
        n, k, d = run.end - run.first, len(self.labels), self.card.dimension
        shapes = (scores.shape, peak.shape, clip.shape)
        if shapes != ((n, k), (1, d), (1, k)):
            raise ModelError(
                f"model '{self.origin}' returned shapes {shapes}; by its card it must return "
                f"{((n, k), (1, d), (1, k))}"
            )
        # A NaN fails the comparison.
        if not (np.abs(np.vstack([scores, clip]).sum(axis=1) - 1) <= _TOLERANCE).all():
            raise ModelError(
                f"model '{self.origin}' returned scores that do not sum to 1; its weights are damaged"
            )
        return scores, peak, clip


def _chosen(part: Part, wanted: IntArray) -> Iterator[Run]:
    """Yield the runs of a part with the wanted windows alone."""
    first = part.first
    for run in part.runs:
        here = wanted[(wanted >= first) & (wanted < first + run.n_windows)] - first
        first += run.n_windows
        if len(here):
            yield Run(run.patches[here], len(here), 0, len(here))


def classify(
    source: str | PathLike[str] | BinaryIO | npt.NDArray[np.floating],
    model: Classifier | str | Path,
    sample_rate: float | None = None,
    *,
    crops: int | None = None,
    progress: Progress | None = None,
) -> Classified:
    """Return which class a recording is of; see `Classifier.classify`.

    Parameters
    ----------
    source : str, path, binary file or float32, shape=(n_samples,)
        A recording, or a mono signal, nominal range -1 to 1.
    model : Classifier, str or Path
        E.g. what `earmark fit` wrote.
    sample_rate : float, optional
        Hz; to be given with a signal, and only with one.
    crops : int, optional
        Hear so many windows, spread evenly, in place of all.
    progress : callable, optional
        Called with the seconds done so far, and of how many (None where the recording does not tell).

    Raises
    ------
    AudioError
        If the recording cannot be read, the signal is not fit, or there is nothing but digital silence.
    ModelError
        If the model cannot be loaded, or is no classifier.
    """
    loaded = model if isinstance(model, Classifier) else Classifier(model)
    return loaded.classify(source, sample_rate, crops=crops, progress=progress)
