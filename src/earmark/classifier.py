"""Classifying recordings by classes of the user's own: which class a recording is of, or each stretch of it.

A window of the signal has a score for every class, and so has the recording: the mean of its windows' scores
(fused late), or what the classifier says of the maxima of all windows' embeddings (fused early).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from earmark.activity import SPEECH_PAUSE, sounding_cells
from earmark.classifiernet import ClassifierNet
from earmark.cores import stage
from earmark.course import CourseDecoder, CourseOptions
from earmark.errors import AudioError, ConfigError
from earmark.posteriors import Posteriors
from earmark.samples import Signal, given_rate, refuse_rate
from earmark.windows import Part, Run, window_parts

IntArray = npt.NDArray[np.intp]
# Seconds of the signal that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]


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
        What went wrong while reading, and that the sample rate is lower than any that was learned.
    """

    label: str
    confidence: float
    scores: Mapping[str, float]
    duration: float
    n_windows: int
    warnings: tuple[str, ...] = ()


class Classifier(ClassifierNet):
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

    def decoder(self, options: Mapping[str, CourseOptions]) -> CourseDecoder:
        """Return what makes segments of scores; raises `ConfigError` if `min_gap` is not the same for all."""
        return CourseDecoder(self.labels, self.hop_s, options)

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
            remarks = self._of_rate(audio.native_rate)
            found = self._classified(signal, name, audio.duration, progress, audio.warnings, wanted)
        return replace(found, warnings=(*remarks, *found.warnings))

    def _of_rate(self, rate: int) -> list[str]:
        """Return what is to be said of a recording's sample rate: that nothing as dull was learned."""
        learned = min(self.card.trained.get("lowest_rate", 0), self.sample_rate)
        if rate >= learned:
            return []
        return [
            f"has {rate} Hz, and what was learned {learned} Hz at least: above {rate // 2} Hz nothing is "
            "left to tell classes by"
        ]

    def _spread(self, crops: int | None, duration: float | None, name: str) -> IntArray | None:
        """Return which windows are heard, None for all."""
        if crops is None:
            return None
        if duration is None:
            raise ConfigError(f"{name} does not tell how long it is; leave out crops, and all of it is heard")
        n_frames = self.extractor.n_frames(round(duration * self.sample_rate))
        last = max(0, (n_frames - self.extractor.patch_length) // self.extractor.step)
        return np.unique(np.linspace(0, last, crops).round().astype(np.intp))

    def stream(
        self, blocks: Iterable[npt.ArrayLike], sample_rate: float, *, threaded: bool = False
    ) -> Generator[Posteriors]:
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
        signal, lead = Signal(blocks, sample_rate), self.extractor.lead
        held, first = np.empty((0, len(self.labels)), np.float32), 0  # windows `first` and on
        parts = window_parts(signal, self.extractor, self.card.context, SPEECH_PAUSE)
        with stage(parts, 1, threaded=threaded) as heard:
            for part in heard:
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
