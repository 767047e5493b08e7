"""What worker processes do for the server; nothing else here opens a recording or runs a model.

A task is small data, sent to a worker; it returns an `Outcome`, with the reason in one line if it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from earmark.errors import AnnotationError, ConfigError, EarmarkError, ModelError
from earmark.jobs import fault_of
from earmark.timeline import Timeline

# Seconds that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]

# Models a worker keeps open.
_KEPT = 2


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Parameters
    ----------
    value : object
        What the task returns.
    error : str or None
        Why it failed, one line.
    asked : bool
        The fault lies with what was asked for.
    """

    value: Any = None
    error: str | None = None
    asked: bool = False


class Bench:
    """What a worker keeps from one task to the next."""

    def __init__(self) -> None:
        self._detectors: dict[str, Any] = {}
        self._player: Any = None

    def detector(self, model: str) -> Any:
        """Return a detector with a model's own options."""
        from earmark.detector import Detector

        found = self._detectors.pop(model, None) or Detector(model)
        self._detectors[model] = found
        while len(self._detectors) > _KEPT:
            self._detectors.pop(next(iter(self._detectors)))
        return found

    def player(self, source: str) -> Any:
        """Return a player of a recording; one is kept open."""
        from earmark.server.excerpt import Player

        if self._player is None or self._player.source != source:
            self.drop_player()
            self._player = Player(source)
        return self._player

    def drop_player(self) -> None:
        """Close the recording that is open."""
        if self._player is not None:
            self._player.close()
            self._player = None


@dataclass(frozen=True)
class Draw:
    """Make the picture of a recording; see `earmark.server.picture.draw`."""

    source: str
    name: str
    folder: Path
    max_s: float

    def run(self, bench: Bench, progress: Progress) -> dict[str, Any]:
        from earmark.server.picture import draw

        return draw(self.source, self.folder, self.max_s, progress)


@dataclass(frozen=True)
class Mark:
    """Mark a recording, keep the posteriors in the folder `evidence`, and return the timeline."""

    source: str
    name: str
    model: str
    evidence: Path
    max_s: float

    def run(self, bench: Bench, progress: Progress) -> Timeline:
        from earmark.server.evidence import EvidenceWriter, decoding_of
        from earmark.server.picture import refuse_long

        detector = bench.detector(self.model)

        def note(seconds: float, total: float | None) -> None:
            refuse_long(self.name, seconds, self.max_s)
            progress(seconds, total)

        with EvidenceWriter(self.evidence, decoding_of(detector.model)) as writer:
            timeline = detector.detect(self.source, progress=note, posterior_sink=writer.add)
            writer.close()
        return timeline


@dataclass(frozen=True)
class Prepare:
    """Load what marking needs, while a recording is still on its way."""

    model: str
    source: str = ""
    name: str = ""

    def run(self, bench: Bench, progress: Progress) -> None:
        import earmark.server.evidence
        import earmark.server.picture  # noqa: F401

        bench.detector(self.model)


@dataclass(frozen=True)
class Fetch:
    """Copy a recording from a public address into the file `target`; return its size in bytes."""

    source: str
    name: str
    target: Path
    max_bytes: int

    def run(self, bench: Bench, progress: Progress) -> int:
        from earmark.server.fetch import fetch

        return fetch(self.source, self.target, self.max_bytes)


@dataclass(frozen=True)
class Play:
    """Read a piece of a recording; return it as a WAV file."""

    source: str
    name: str
    start: float
    seconds: float

    def run(self, bench: Bench, progress: Progress) -> bytes:
        from earmark.server.excerpt import check_piece, to_wav

        check_piece(self.start, self.seconds)
        player = bench.player(self.source)
        return to_wav(player.read(self.start, self.seconds), player.rate)


@dataclass(frozen=True)
class Redecode:
    """Decode stored posteriors with other options; return the timeline."""

    evidence: Path
    changes: Mapping[str, Mapping[str, float]]
    source: str = ""
    name: str = ""

    def run(self, bench: Bench, progress: Progress) -> Timeline:
        from earmark.server.evidence import decode_evidence

        return decode_evidence(self.evidence, self.changes)


@dataclass(frozen=True)
class Read:
    """Read a timeline of a recording that lasts so many seconds, in one of the formats."""

    data: bytes
    format: str
    seconds: float
    source: str = ""
    name: str = ""

    def run(self, bench: Bench, progress: Progress) -> Timeline:
        from earmark.formats import loads
        from earmark.server.segments import fitted

        return fitted(loads(self.data, self.format, "the timeline"), self.seconds)


@dataclass(frozen=True)
class Compare:
    """Score a timeline against a reference, as `earmark score` does, and tell where they disagree."""

    reference: Timeline
    estimate: Timeline
    source: str = ""
    name: str = ""

    def run(self, bench: Bench, progress: Progress) -> dict[str, Any]:
        from earmark.evaluation import score

        report = score(self.reference, self.estimate).to_dict()
        found: list[dict[str, Any]] = []
        for label in report["rules"]["labels"]:
            for kind, one, other in (
                ("missed", self.reference, self.estimate),
                ("false", self.estimate, self.reference),
            ):
                found += [
                    {"start": start, "end": end, "label": label, "kind": kind}
                    for start, end in _only(one, other, label)
                ]
        return {**report, "disagreements": sorted(found, key=lambda each: (each["start"], each["label"]))}


@dataclass(frozen=True)
class Describe:
    """Return what the server can say of models that mark, given by name and what they are opened by."""

    models: tuple[tuple[str, str], ...]
    source: str = ""
    name: str = ""

    def run(self, bench: Bench, progress: Progress) -> list[dict[str, Any]]:
        from earmark.catalogue import load_model
        from earmark.server.evidence import decoding_of

        found = []
        for name, opened_by in self.models:
            try:
                model = load_model(opened_by)
                kind = decoding_of(model)["kind"]
            except EarmarkError:  # it gives embeddings, or decides recordings as a whole
                continue
            found.append({"name": name, "labels": list(model.labels), "kind": kind})
        return found


@dataclass(frozen=True)
class Adapt:
    """Adapt a model to corrected timelines: no task for a worker, but for the `Learner`."""

    job: str
    model: str
    timelines: Path
    target: Path


Task = Draw | Mark | Prepare | Fetch | Play | Redecode | Read | Compare | Describe


def make_work() -> Callable[[Task, Progress], Outcome]:
    """Return what a worker runs on a task."""
    return partial(_run, Bench())


def _run(bench: Bench, task: Task, progress: Progress) -> Outcome:
    try:
        return Outcome(task.run(bench, progress))
    except OSError as err:
        bench.drop_player()
        return Outcome(error=f"the store cannot be used ({err.strerror or err}); make room there")
    except Exception as err:
        bench.drop_player()
        why, _ = fault_of(err, task.source, task.name)
        return Outcome(error=why, asked=isinstance(err, (ConfigError, AnnotationError, ModelError)))


def _only(one: Timeline, other: Timeline, label: str) -> list[tuple[float, float]]:
    """Return where a label is in one timeline alone, seconds."""
    gaps = other[label].gaps(label) if other.duration else []
    last = max(one.duration, other.duration)
    if other.duration < last:
        gaps = [*gaps, (other.duration, last)]
    found, at = [], 0
    for segment in one[label].segments:
        while at < len(gaps) and gaps[at][1] <= segment.start:
            at += 1
        place = at
        while place < len(gaps) and gaps[place][0] < segment.end:
            start, end = max(segment.start, gaps[place][0]), min(segment.end, gaps[place][1])
            if end > start:
                found.append((start, end))
            place += 1
    return found
