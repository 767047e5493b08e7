"""Posteriors of a recording: kept, read at any zoom, and decoded again with other options.

A folder for each model: ``values`` and, if the model tells it, ``ratio`` are exact; ``curves`` are their
means as uint8, level by level, for the page.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from earmark.card import DecodeOptions
from earmark.course import CourseDecoder, CourseOptions
from earmark.decode import StreamDecoder
from earmark.errors import ConfigError
from earmark.posteriors import Posteriors
from earmark.server.levels import Levels, LevelWriter
from earmark.timeline import Timeline

if TYPE_CHECKING:
    from earmark.catalogue import AnyModel

_FACTOR, _N_LEVELS = 4, 10
_BLOCK = 16_384
_KINDS: dict[str, Any] = {"thresholds": DecodeOptions, "course": CourseOptions}


def decoding_of(model: AnyModel) -> dict[str, Any]:
    """Return how a model's posteriors are decoded, fit for JSON: kind, and the default options by label.

    The kind is ``thresholds``, ``course``, or ``fixed`` where there is nothing to set.
    """
    options = getattr(model, "decode", None)
    if not isinstance(options, Mapping) or not hasattr(model, "decoder"):
        return {"kind": "fixed", "defaults": {}}
    kind = next(name for name, made in _KINDS.items() if isinstance(next(iter(options.values())), made))
    return {"kind": kind, "defaults": {label: asdict(each) for label, each in options.items()}}


class EvidenceWriter:
    """Takes posteriors part by part; a folder of that name appears when `close` is called.

    Parameters
    ----------
    folder : Path
        Replaced if it is there.
    decoding : mapping
        What `decoding_of` says.
    """

    def __init__(self, folder: Path, decoding: Mapping[str, Any]) -> None:
        self._folder, self._part = folder, folder.with_name(f"{folder.name}.part")
        shutil.rmtree(self._part, ignore_errors=True)
        self._decoding = dict(decoding)
        self._resources = ExitStack()
        self._writers: dict[str, LevelWriter] = {}
        self._n_frames, self._duration = 0, 0.0

    def __enter__(self) -> EvidenceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()
        shutil.rmtree(self._part, ignore_errors=True)

    def add(self, part: Posteriors) -> None:
        """Take the part that follows."""
        if not self._writers:
            self._begin(part)
        self._duration = round(self._n_frames * part.hop_s + part.duration, 9)
        self._n_frames += len(part)
        self._writers["values"].add(part.values.astype("<f4"))
        self._writers["curves"].add(np.rint(255 * part.values).astype(np.uint8))
        if part.speech_to_music_db is not None:
            self._writers["ratio"].add(part.speech_to_music_db.astype("<f4")[:, None])

    def close(self) -> None:
        """Let what was added appear."""
        for writer in self._writers.values():
            writer.close({"duration": self._duration})
        self._resources.close()
        if self._part.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            os.replace(self._part, self._folder)

    def _begin(self, part: Posteriors) -> None:
        facts = {"labels": list(part.labels), **self._decoding}
        names = {"values": 1, "curves": _N_LEVELS}
        if part.speech_to_music_db is not None:
            names["ratio"] = 1
        for name, n_levels in names.items():
            writer = LevelWriter(self._part / name, part.hop_s, _FACTOR, n_levels, _means, facts)
            self._writers[name] = self._resources.enter_context(writer)


def decode_evidence(folder: Path, changes: Mapping[str, Mapping[str, float]]) -> Timeline:
    """Decode stored posteriors, in memory that does not grow with the recording.

    Parameters
    ----------
    folder : Path
        What an `EvidenceWriter` wrote.
    changes : mapping of str to mapping
        By label, options that are not to be as the model has them.

    Raises
    ------
    ConfigError
        If a label or an option does not exist, or a value is not allowed.
    """
    from earmark.detector import resolve_options

    values = Levels(folder / "values")
    facts = values.facts
    labels, hop_s = tuple(facts["labels"]), values.row_s(0)
    if facts["kind"] == "fixed":
        raise ConfigError("this model searches for the likeliest sequence of classes; it has nothing to set")
    made = _KINDS[facts["kind"]]
    defaults = {label: made(**each) for label, each in facts["defaults"].items()}
    options: Any = resolve_options(defaults, changes, labels)
    decoder = (StreamDecoder if made is DecodeOptions else CourseDecoder)(labels, hop_s, options)
    segments = []
    for block, ratio in _blocks(folder, values, len(labels)):
        segments += decoder.push(block, ratio)
    segments += decoder.flush(float(facts["duration"]))
    return Timeline(segments, float(facts["duration"]), labels)


def _blocks(
    folder: Path, values: Levels, width: int
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]]:
    ratio = Levels(folder / "ratio") if (folder / "ratio").is_dir() else None
    for first in range(0, values.count(0), _BLOCK):
        block = np.frombuffer(values.read(0, first, first + _BLOCK), "<f4").reshape(-1, width)
        yield block, None if ratio is None else np.frombuffer(ratio.read(0, first, first + _BLOCK), "<f4")


def _means(groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.rint(groups.mean(axis=1)).astype(groups.dtype)


@lru_cache
def settable(kind: str) -> dict[str, dict[str, float | str]]:
    """Return what can be set of a kind of decoding: by option its least and greatest value, step and unit."""
    share: dict[str, float | str] = {"min": 0.01, "max": 0.99, "step": 0.01, "unit": ""}
    seconds: dict[str, float | str] = {"min": 0.0, "max": 10.0, "step": 0.05, "unit": "s"}
    if kind == "fixed":
        return {}
    return {
        field.name: share if field.name in ("threshold", "release") else seconds
        for field in fields(_KINDS[kind])
    }
