"""A long recording in parts, done by several workers: the timeline is the one it has in one piece.

Every part is decoded from the recording's beginning, for codecs and resamplers have no other way to the same
samples; the features and the network, which cost more, are run on the part alone.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from earmark.audio import open_audio
from earmark.batch.task import Task
from earmark.decode import StreamDecoder
from earmark.detector import Detector
from earmark.errors import AudioError, ConfigError
from earmark.files import atomic_write
from earmark.model import Model
from earmark.pool import Progress
from earmark.posteriors import Posteriors, PosteriorWriter
from earmark.timeline import Segment, Timeline


def check_split(detector: Detector, split_s: float) -> Model:
    """Return the model, or refuse to split recordings.

    Raises
    ------
    ConfigError
        If the length of a part is out of range, or the model does not decide frame by frame.
    """
    model = detector.model
    if not isinstance(model, Model):
        raise ConfigError(
            f"model '{model.origin}' cannot hear recordings in parts; leave out --split, or use another model"
        )
    if not split_s >= model.chunk_s:
        raise ConfigError(
            f"parts of {split_s:g} s: they must be {model.chunk_s:g} s or longer, better an hour"
        )
    return model


def count_parts(detector: Detector, split_s: float, source: str) -> int:
    """Return how many parts a recording is to have, by the length it states.

    Raises
    ------
    AudioError
        If it cannot be opened.
    """
    model = check_split(detector, split_s)
    with open_audio(source, sample_rate=model.sample_rate) as audio:
        part_s = _chunks_of(model, split_s) * model.chunk_s
        return max(1, math.ceil((audio.duration or 0.0) / part_s - 1e-6))


def detect_part(detector: Detector, split_s: float, folder: Path, task: Task, progress: Progress) -> None:
    """Write the posteriors of a part into a folder; the last part tells of the whole recording, too.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    """
    model = check_split(detector, split_s)
    n_chunks = _chunks_of(model, split_s)
    part, last = task.part or 0, task.part == task.n_parts - 1
    with open_audio(task.source, sample_rate=model.sample_rate) as audio, PosteriorWriter() as writer:
        seconds = 0.0
        for posteriors in model.stream_part(
            audio, model.sample_rate, part * n_chunks, None if last else n_chunks
        ):
            writer.add(posteriors)
            seconds += posteriors.duration
            progress(seconds, None)
        writer.save(_part_path(folder, task, part))
        if last:
            with atomic_write(_facts_path(folder, task)) as file:
                json.dump({"source": audio.name, "warnings": audio.warnings}, file)


def join_parts(detector: Detector, folder: Path, task: Task) -> Timeline:
    """Return the timeline of a recording whose parts are all there.

    Raises
    ------
    AudioError
        If one is missing.
    """
    model = detector.model
    try:
        facts = json.loads(_facts_path(folder, task).read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise AudioError(f"the parts in '{folder}' are not whole; try this recording again") from err
    decoder = StreamDecoder(model.labels, model.hop_s, detector.options)
    segments: list[Segment] = []
    n_frames, duration = 0, 0.0
    for number in range(task.n_parts):
        part = Posteriors.load(_part_path(folder, task, number))
        if not len(part):  # shorter than it said
            break
        segments += decoder.push(part.values, part.speech_to_music_db)
        duration = round(n_frames * model.hop_s + part.duration, 9)
        n_frames += len(part)
    segments += decoder.flush(duration)
    return Timeline(segments, duration, model.labels, facts["source"], facts["warnings"])


def parts_folder(folder: Path, number: int) -> Path:
    """Return where the parts of an item lie."""
    return folder / str(number)


def _chunks_of(model: Model, split_s: float) -> int:
    return max(1, round(split_s / model.chunk_s))


def _part_path(folder: Path, task: Task, part: int) -> Path:
    return parts_folder(folder, task.number) / f"{part}.npz"


def _facts_path(folder: Path, task: Task) -> Path:
    return parts_folder(folder, task.number) / "facts.json"
