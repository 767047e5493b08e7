"""Broadcasts with speech and music marked, to tune detectors on: of a dataset, or made of a corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from earmark.audio import read_audio
from earmark.bench.programmes import SAMPLE_RATE, Studio, programme_lengths
from earmark.datasets import DATASETS, Annotated, Clip, Spectrogram
from earmark.datasets.folds import hold_out
from earmark.datasets.index import INDEX
from earmark.errors import ConfigError
from earmark.features.extractor import Extractor
from earmark.features.spectrogram import Spectrogram as SpectrogramFeatures
from earmark.planner import plan
from earmark.programme import Programme
from earmark.sources import SUSPECT, Source, read_index, select
from earmark.timeline import Timeline
from earmark.train.experiments.protocol import Protocol
from earmark.train.studies.marked import LABELS, Frames, Marked, frame_marks

# The paper's first.
BROADCASTS = ("dafx12", "muspeak", "avaspeech-smad", "corpus")
# Where the dataset has no parts of its own.
_SHARES = {"train": 0.5, "validation": 0.2, "test": 0.3}


def find_broadcasts(
    folder: Path, on: str | None, *, hours: float, fold: int, seed: int
) -> tuple[str, list[Marked]]:
    """Return the name and the recordings of a dataset, by default of the first that is in a folder.

    Parameters
    ----------
    folder : Path
        Folder of the datasets.
    on : str, optional
        One of `BROADCASTS`.  "corpus" stands for programmes made of one.
    hours, seed : float, int
        Length of the programmes together, and what they are drawn by.
    fold : int
        Fold of a corpus whose recordings are in the programmes to test on.

    Raises
    ------
    ConfigError
        If there is none of them, or a programme cannot be made.
    """
    if on is not None and on not in BROADCASTS:
        raise ConfigError(f"the transfer does not run on '{on}'; choose {', '.join(BROADCASTS)}")
    for name in BROADCASTS if on is None else (on,):
        copy = DATASETS[name].find(folder)
        if copy is None:
            continue
        recordings = copy.read()
        if name == "corpus":
            sources = select(read_index(copy.root / INDEX), not_details=SUSPECT)
            return name, _programmes(recordings, sources, hours, fold, seed)
        if name == "dafx12":
            return name, [_spectrogram(recording) for recording in recordings]
        split = hold_out(recordings, tuple(_SHARES.values()), seed=seed)
        return name, [_annotated(r, part) for part, own in zip(_SHARES, split, strict=True) for r in own]
    wanted = " or ".join(BROADCASTS if on is None else (on,))
    raise ConfigError(f"'{folder}' has no {wanted}; 'earmark datasets' says where to get them")


def _spectrogram(recording: Spectrogram) -> Marked:
    def frames(extractor: Extractor) -> Frames:
        if not isinstance(extractor, SpectrogramFeatures):
            raise ConfigError(f"features '{extractor.name}' cannot be made of spectrograms alone")
        features = extractor.of_magnitudes(recording.load())
        columns = [recording.reference.labels.index(label) for label in LABELS]
        return Frames(features, recording.targets(features.shape[1])[:, columns])

    return Marked(_key(recording.path, recording.reference), recording.part, frames)


def _annotated(recording: Annotated, part: str) -> Marked:
    def frames(extractor: Extractor) -> Frames:
        samples, _ = read_audio(recording.path, sample_rate=extractor.sample_rate)
        return _of_samples(samples, recording.reference, extractor)

    return Marked(_key(recording.path, recording.reference), part, frames)


def _programmes(
    clips: Sequence[Clip], sources: Sequence[Source], hours: float, fold: int, seed: int
) -> list[Marked]:
    """Plan programmes; those of a part are made of its own recordings."""
    if not hours > 0:
        raise ConfigError(f"hours {hours}: give a length above 0")
    folds = {clip.fold for clip in clips}
    if folds != set(range(Protocol().repetitions)):
        raise ConfigError("programmes to test on need unseen recordings: give the index the folds 0, 1 and 2")
    rest = hold_out([clip for clip in clips if clip.fold != fold], (0.7, 0.3), seed=seed)
    parts = dict(zip(_SHARES, (*rest, [clip for clip in clips if clip.fold == fold]), strict=True))
    found = []
    for number, (part, own) in enumerate(parts.items()):
        paths = {clip.path for clip in own}
        studio = Studio([source for source in sources if Path(source.path) in paths])
        for i, length in enumerate(programme_lengths(3600 * hours * _SHARES[part])):
            programme = plan(studio.sources, length, np.random.default_rng([seed, number, i]))
            names = [studio.sources[event.source].path for event in programme.events]
            found.append(Marked(_key(part, (programme, names)), part, partial(_made, studio, programme)))
    return found


def _made(studio: Studio, programme: Programme, extractor: Extractor) -> Frames:
    if extractor.sample_rate != SAMPLE_RATE:
        raise ConfigError(f"programmes have {SAMPLE_RATE} Hz, features '{extractor.name}' want another rate")
    samples, reference = studio.make(programme)
    return _of_samples(samples, reference, extractor)


def _of_samples(samples: npt.ArrayLike, reference: Timeline, extractor: Extractor) -> Frames:
    features = extractor(samples)
    return Frames(features, frame_marks(reference, extractor, features.shape[1]))


def _key(name: object, content: object) -> str:
    """Return a name that changes with the content."""
    return f"{name} {hashlib.sha256(repr(content).encode()).hexdigest()[:16]}"
