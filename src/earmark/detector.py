"""Detection from end to end: a recording or a signal in, segments out, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from earmark.catalogue import load_model
from earmark.cores import stage, usable_cores
from earmark.errors import ConfigError
from earmark.modelfile import DEFAULT_MODEL
from earmark.posteriors import Posteriors
from earmark.samples import given_rate, refuse_rate
from earmark.timeline import Segment, Timeline

# Kinds of models bring in much: only that of the model at hand is imported.
if TYPE_CHECKING:
    from earmark.card import DecodeOptions
    from earmark.catalogue import AnyModel
    from earmark.chunkmodel import ChunkModel
    from earmark.classifier import Classifier
    from earmark.course import CourseDecoder, CourseOptions
    from earmark.decode import StreamDecoder
    from earmark.model import Model

    # Of any model that streams, and of a classifier, whose classes are decoded together.
    AnyOptions = DecodeOptions | CourseOptions
    Overrides = Mapping[str, AnyOptions | Mapping[str, float]]

# Seconds of the signal that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]
PosteriorSink = Callable[[Posteriors], None]

# Blocks of 20 s that a decoder may have ready.
_BLOCKS_AHEAD = 2


@runtime_checkable
class _Streams(Protocol):
    """What models have that turn a stream into posteriors."""

    def stream(
        self, blocks: Iterable[npt.ArrayLike], sample_rate: float, *, threaded: bool = False
    ) -> Generator[Posteriors]: ...

    def decoder(self, options: Any) -> StreamDecoder | CourseDecoder: ...


class Detector:
    """Find what a model's labels say in recordings and signals.

    Parameters
    ----------
    model : Model, ChunkModel, PatchModel, Classifier, str or Path, optional
        A model, or what `load_model` takes; by default the one that comes with earmark.
    options : mapping of str to DecodeOptions (of a Classifier: CourseOptions) or mapping, optional
        By label, how to decode it: all options at once, or some by name, e.g.
        ``{"speech": {"threshold": 0.6, "min_gap": 1.0}}``.  The rest is as the model's card says; a
        release that is not named moves with the threshold.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    ConfigError
        If a label or an option does not exist, a value is not allowed, or the model is a classifier that
        decides recordings as a whole.
    """

    def __init__(self, model: AnyModel | str | Path | None = None, options: Overrides | None = None) -> None:
        self.model = _loaded(model)
        self.options = _resolved(self.model, options or {})

    def stream(
        self,
        blocks: Iterable[npt.ArrayLike],
        sample_rate: float,
        *,
        progress: Progress | None = None,
        posterior_sink: PosteriorSink | None = None,
    ) -> Iterator[Segment]:
        """Yield the segments of a signal that arrives in blocks, as soon as they are certain.

        The answer is the same however the signal is cut.  Segments come sorted by start, two minutes
        or more behind the signal: see `StreamDecoder` for what holds them back, and `CourseDecoder` for
        those of a classifier.

        Parameters
        ----------
        blocks : iterable of float32, shape=(n,)
            One mono channel, nominal range -1 to 1.
        sample_rate : float
            Hz.
        progress : callable, optional
            Called with the seconds done so far, and None, for how many there will be is not known here;
            the last call tells the duration.
        posterior_sink : callable, optional
            Called with the posteriors, part by part: `Posteriors.concatenate` joins them, a
            `PosteriorWriter` writes them in bounded memory.

        Raises
        ------
        AudioError
            If the signal is not mono, not floating point, or holds NaN, or the rate is impossible.
        ConfigError
            If the model decides nothing before the end of a recording.
        """
        if not isinstance(self.model, _Streams):
            raise ConfigError(
                f"model '{self.model.origin}' cannot stream: it looks for the likeliest course of a whole "
                "recording; use detect, or another model"
            )
        return self._stream(self.model, blocks, sample_rate, progress, posterior_sink, threaded=False)

    def _stream(
        self,
        model: Model | ChunkModel | Classifier,
        blocks: Iterable[npt.ArrayLike],
        sample_rate: float,
        progress: Progress | None,
        posterior_sink: PosteriorSink | None,
        threaded: bool,
    ) -> Iterator[Segment]:
        hop_s, decoder = model.hop_s, model.decoder(self.options)
        n_frames, seconds = 0, 0.0
        with closing(model.stream(blocks, sample_rate, threaded=threaded)) as parts:
            for part in parts:
                if posterior_sink is not None:
                    posterior_sink(part)
                yield from decoder.push(part.values, part.speech_to_music_db)
                seconds = round(n_frames * hop_s + part.duration, 9)
                n_frames += len(part)
                if progress is not None:
                    progress(seconds, None)
        yield from decoder.flush(seconds)

    def _segments(
        self,
        blocks: Iterable[npt.ArrayLike],
        sample_rate: float,
        progress: Progress,
        posterior_sink: PosteriorSink | None,
        threaded: bool,
    ) -> tuple[Segment, ...]:
        """Return all segments of a signal, with any kind of model."""
        if not isinstance(self.model, _Streams):
            found = self.model.segments(blocks, sample_rate, progress=progress, posterior_sink=posterior_sink)
            return tuple(found)
        return tuple(self._stream(self.model, blocks, sample_rate, progress, posterior_sink, threaded))

    def detect(
        self,
        source: str | PathLike[str] | BinaryIO | npt.NDArray[np.floating],
        sample_rate: float | None = None,
        *,
        progress: Progress | None = None,
        posterior_sink: PosteriorSink | None = None,
        threaded: bool = True,
    ) -> Timeline:
        """Return the timeline of a recording.

        Parameters
        ----------
        source : str, path, binary file or float32, shape=(n_samples,)
            What `open_audio` takes, or a mono signal, nominal range -1 to 1.
        sample_rate : float, optional
            Hz; to be given with a signal, and only with one.
        progress : callable, optional
            Called with the seconds done so far, and of how many: a recording's own estimate, or None
            where it has none; the last call tells the true duration first.
        posterior_sink : callable, optional
            As for `stream`.
        threaded : bool
            Decode, and compute the features, in threads of their own, while the network runs in this one, if
            the process may use several cores.  The segments are the same.  An open file is read in this
            thread all the same.

        Returns
        -------
        Timeline
            With the recording's duration, the labels looked for, and what went wrong while reading.

        Raises
        ------
        AudioError
            If the recording cannot be read, or the signal is not fit (see `stream`).
        """
        duration = 0.0
        total: float | None = None

        def note(seconds: float, _: float | None) -> None:
            nonlocal duration
            duration = seconds
            if progress is not None:
                progress(seconds, total)

        if isinstance(source, np.ndarray):
            rate = given_rate(sample_rate)
            total = source.size / rate if rate > 0 else None
            found = self._segments([source], rate, note, posterior_sink, threaded=False)
            return Timeline(found, duration, self.model.labels)
        refuse_rate(source, sample_rate)
        threaded = threaded and isinstance(source, (str, PathLike)) and usable_cores() > 1
        # Arrays are detected without a decoder being loaded.
        from earmark.audio import open_audio

        rate = self.model.sample_rate
        with open_audio(source, sample_rate=rate) as audio:
            total = audio.duration
            with stage(audio, _BLOCKS_AHEAD, threaded=threaded) as blocks:
                found = self._segments(blocks, rate, note, posterior_sink, threaded)
            return Timeline(found, duration, self.model.labels, audio.name, tuple(audio.warnings))


def detect(
    source: str | PathLike[str] | BinaryIO | npt.NDArray[np.floating],
    sample_rate: float | None = None,
    *,
    model: AnyModel | str | Path | None = None,
    progress: Progress | None = None,
    **options: float,
) -> Timeline:
    """Return the timeline of a recording: where there is speech, music, both, noise.

    Parameters
    ----------
    source : str, path, binary file or float32, shape=(n_samples,)
        A recording, or a mono signal, nominal range -1 to 1.
    sample_rate : float, optional
        Hz; to be given with a signal, and only with one.
    model : Model, ChunkModel, PatchModel, Classifier, str or Path, optional
        By default the one that comes with earmark.
    progress : callable, optional
        Called with the seconds done so far, and of how many (None where the recording does not tell).
    **options : float
        Options of `DecodeOptions` for every label, e.g. ``threshold=0.6``; `Detector` takes them by
        label.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    ModelError
        If the model cannot be loaded.
    ConfigError
        If an option does not exist, or its value is not allowed.
    """
    loaded = _loaded(model)
    return Detector(loaded, dict.fromkeys(loaded.labels, options)).detect(
        source, sample_rate, progress=progress
    )


def _loaded(model: AnyModel | str | Path | None) -> AnyModel:
    if model is None or isinstance(model, str | Path):
        return load_model(model or DEFAULT_MODEL)
    return model


def _resolved(model: AnyModel, options: Overrides) -> dict[str, Any]:
    """Return the options of a model's labels; a model that decodes by Viterbi has none."""
    if isinstance(model, _Streams):
        resolved = resolve_options(model.decode, options, model.labels)
        model.decoder(resolved)  # refuses what does not go together
        return resolved
    for label, changes in options.items():
        if not isinstance(changes, Mapping) or changes:
            raise ConfigError(
                f"options for '{label}': model '{model.origin}' searches for the likeliest sequence of "
                "classes; it has no thresholds or durations to set"
            )
    return {}


def resolve_options(
    defaults: Mapping[str, DecodeOptions] | Mapping[str, CourseOptions],
    overrides: Overrides,
    labels: tuple[str, ...],
) -> dict[str, Any]:
    """Return the options of each label: its default with what is overridden.

    Raises
    ------
    ConfigError
        If a label or an option does not exist, or a value is not allowed.
    """
    for label in overrides:
        if label not in labels:
            raise ConfigError(f"options for '{label}': the model knows {', '.join(labels)}")
    return {label: _override(defaults[label], overrides.get(label, {})) for label in labels}


def _override(default: Any, changes: AnyOptions | Mapping[str, float]) -> Any:
    if not isinstance(changes, Mapping):
        if not isinstance(changes, type(default)):
            raise ConfigError(f"got {type(changes).__name__}; this model takes {type(default).__name__}")
        return changes
    allowed = [field.name for field in fields(default)]
    for name, value in changes.items():
        if name not in allowed:
            raise ConfigError(f"unknown option '{name}'; there are {', '.join(allowed)}")
        if isinstance(value, str) or not np.isscalar(value):
            raise ConfigError(f"{name} {value!r}: it must be a number")
    changed = dict(changes)
    release = getattr(default, "release", None)
    if "threshold" in changed and "release" not in changed and release is not None:
        changed["release"] = release * changed["threshold"] / default.threshold
    return replace(default, **changed)
