"""Labelled intervals on a time line, and their algebra.

Conventions: times are seconds from the start of the recording; intervals are half-open
``[start, end)``; segments of *different* labels may overlap (speech over music is two segments at
once), segments of the *same* label never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import overload

import numpy as np
import numpy.typing as npt

from earmark.errors import AnnotationError

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True, order=True)
class Segment:
    """One label over one interval.

    Parameters
    ----------
    start, end : float
        Seconds, ``0 <= start < end``.
    label : str
        Class name, e.g. ``"speech"``.
    confidence : float or None
        Mean posterior over the segment, 0 to 1; None where the source states none.
    speech_to_music_db : float or None
        Level of the speech over the music in dB, averaged over the part of the segment in which both
        sound; None where they do not.
    """

    start: float
    end: float
    label: str
    confidence: float | None = None
    speech_to_music_db: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end < np.inf:
            raise AnnotationError(
                f"segment '{self.label}' from {self.start} to {self.end} s: "
                "times must satisfy 0 <= start < end, both finite"
            )

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, init=False)
class Timeline:
    """Sorted segments of one recording.

    Parameters
    ----------
    segments : iterable of Segment
        Sorted on construction by start, end, label.  Segments of one label must not overlap.
    duration : float, optional
        Length of the recording in seconds; by default the last end.
    labels : iterable of str, optional
        Labels that were looked for (one may have no segment); by default those that occur.
    source : str or None
        What the timeline describes (path, URL).
    warnings : iterable of str
        What a reader should know, e.g. that the file broke off.

    Raises
    ------
    AnnotationError
        If two segments of a label overlap, or one ends after `duration`.
    """

    segments: tuple[Segment, ...]
    duration: float
    labels: tuple[str, ...]
    source: str | None
    warnings: tuple[str, ...]

    def __init__(
        self,
        segments: Iterable[Segment] = (),
        duration: float | None = None,
        labels: Iterable[str] | None = None,
        source: str | None = None,
        warnings: Iterable[str] = (),
    ) -> None:
        ordered = tuple(sorted(segments, key=lambda s: (s.start, s.end, s.label)))
        last: dict[str, Segment] = {}
        for segment in ordered:
            before = last.get(segment.label)
            if before is not None and segment.start < before.end - 1e-9:
                raise AnnotationError(
                    f"two '{segment.label}' segments overlap ({before.start:.3f}-{before.end:.3f} and "
                    f"{segment.start:.3f}-{segment.end:.3f} s); merge them first (Timeline.merged does)"
                )
            last[segment.label] = segment
        end = max((s.end for s in ordered), default=0.0)
        duration = end if duration is None else float(duration)
        if not 0 <= duration < np.inf:
            raise AnnotationError(f"a timeline of {duration} s: the duration must be 0 or more, and finite")
        if end > duration + 1e-6:
            raise AnnotationError(f"a segment ends at {end:.3f} s, after the recording's {duration:.3f} s")
        object.__setattr__(self, "segments", ordered)
        object.__setattr__(self, "duration", duration)
        object.__setattr__(self, "labels", tuple(dict.fromkeys([*(labels or ()), *sorted(last)])))
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "warnings", tuple(warnings))

    @classmethod
    def merged(
        cls,
        segments: Iterable[Segment],
        duration: float | None = None,
        labels: Iterable[str] | None = None,
        source: str | None = None,
        warnings: Iterable[str] = (),
        *,
        touching: bool = True,
    ) -> Timeline:
        """Build a timeline from segments that may overlap within a label; such are joined.

        So are those that only touch, unless `touching` is false.
        """
        max_gap = 0.0 if touching else -1.5e-9
        joined: list[Segment] = []
        for _, group in groupby(sorted(segments, key=lambda s: (s.label, s.start)), key=lambda s: s.label):
            joined += _join(group, max_gap)
        return cls(joined, duration, labels, source, warnings)

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    @overload
    def __getitem__(self, key: int) -> Segment: ...
    @overload
    def __getitem__(self, key: str) -> Timeline: ...
    def __getitem__(self, key: int | str) -> Segment | Timeline:
        """Return the segment at a position, or the timeline of one label."""
        if isinstance(key, str):
            return replace(self, segments=tuple(s for s in self.segments if s.label == key), labels=(key,))
        return self.segments[key]

    # -- algebra ---------------------------------------------------------------------------------

    def union(self, other: Timeline) -> Timeline:
        """Join both timelines; where a label is in both, its segments are united."""
        return Timeline.merged(
            self.segments + other.segments,
            max(self.duration, other.duration),
            labels=self.labels + other.labels,
            source=self.source or other.source,
            warnings=self.warnings + other.warnings,
        )

    def crop(self, start: float, end: float) -> Timeline:
        """Keep what lies in ``[start, end)``, in the times of the recording.

        Raises
        ------
        AnnotationError
            If `end` is before `start`, or before 0.
        """
        if not (start <= end and end >= 0):
            raise AnnotationError(f"crop from {start} to {end} s: give start <= end, and end from 0 on")
        kept = (
            replace(s, start=max(s.start, start), end=min(s.end, end))
            for s in self.segments
            if s.end > start and s.start < end
        )
        return replace(self, segments=tuple(kept), duration=min(self.duration, end))

    def shift(self, seconds: float) -> Timeline:
        """Move every segment (and the end) later by `seconds`."""
        moved = (replace(s, start=s.start + seconds, end=s.end + seconds) for s in self.segments)
        return replace(self, segments=tuple(moved), duration=self.duration + seconds)

    def support(self, max_gap: float = 0.0) -> Timeline:
        """Join segments of a label that touch, or are at most `max_gap` seconds apart."""
        joined: list[Segment] = []
        for label in self.labels:
            joined += _join(iter(self[label]), max_gap)
        return replace(self, segments=tuple(joined))

    def gaps(self, label: str | None = None) -> list[tuple[float, float]]:
        """Return the intervals without `label` (by default: without any label), in seconds."""
        gaps: list[tuple[float, float]] = []
        at = 0.0
        for segment in self.segments:
            if label is not None and segment.label != label:
                continue
            if segment.start > at:
                gaps.append((at, segment.start))
            at = max(at, segment.end)
        if at < self.duration:
            gaps.append((at, self.duration))
        return gaps

    def overlap(self, first: str = "speech", second: str = "music") -> list[tuple[float, float]]:
        """Return the intervals in which both labels are present, in seconds."""
        a, b = self[first].segments, self[second].segments
        found: list[tuple[float, float]] = []
        i = j = 0
        while i < len(a) and j < len(b):
            start, end = max(a[i].start, b[j].start), min(a[i].end, b[j].end)
            if start < end:
                found.append((start, end))
            if a[i].end <= b[j].end:
                i += 1
            else:
                j += 1
        return found

    def durations(self) -> dict[str, float]:
        """Return the seconds covered by each label."""
        total = dict.fromkeys(self.labels, 0.0)
        for segment in self.segments:
            total[segment.label] += segment.duration
        return total

    def shares(self) -> dict[str, float]:
        """Return the shares of the duration with speech, with music, with both and with neither (0 to 1)."""
        if not self.duration:
            return dict.fromkeys(("speech", "music", "both", "neither"), 0.0)
        seconds = self.durations()
        speech, music = seconds.get("speech", 0.0), seconds.get("music", 0.0)
        both = sum(end - start for start, end in self.overlap())
        neither = self.duration - speech - music + both
        parts = {"speech": speech, "music": music, "both": both, "neither": neither}
        return {name: max(0.0, value / self.duration) for name, value in parts.items()}

    # -- arrays ----------------------------------------------------------------------------------

    def to_arrays(self) -> tuple[FloatArray, list[str]]:
        """Return intervals, float64, shape=(n, 2), in seconds, and their labels (mir_eval's form)."""
        intervals = np.array([(s.start, s.end) for s in self.segments], dtype=np.float64).reshape(-1, 2)
        return intervals, [s.label for s in self.segments]

    @classmethod
    def from_arrays(
        cls, intervals: npt.ArrayLike, labels: Sequence[str], duration: float | None = None
    ) -> Timeline:
        """Build from intervals, shape=(n, 2), in seconds, and as many labels."""
        array = np.asarray(intervals, dtype=np.float64)
        if not array.size:
            array = np.empty((0, 2))
        if array.shape != (len(labels), 2):
            raise AnnotationError(
                f"intervals of shape {array.shape} and {len(labels)} labels; give (n, 2), and one label each"
            )
        return cls(
            (Segment(a, b, label) for (a, b), label in zip(array.tolist(), labels, strict=True)), duration
        )

    def to_frames(self, hop_s: float, labels: Sequence[str] | None = None) -> npt.NDArray[np.bool_]:
        """Rasterise to bool, shape=(n_frames, n_labels); starts and ends go to the nearest edge of a cell."""
        if not hop_s > 0:
            raise AnnotationError(f"cells of {hop_s} s: give a length above 0, e.g. 0.01")
        names = self.labels if labels is None else tuple(labels)
        n_frames = int(np.ceil(self.duration / hop_s - 1e-6))
        frames = np.zeros((n_frames, len(names)), dtype=bool)
        for segment in self.segments:
            if segment.label in names:
                first, last = (int(np.floor(t / hop_s + 0.5 + 1e-6)) for t in (segment.start, segment.end))
                frames[first:last, names.index(segment.label)] = True
        return frames

    @classmethod
    def from_frames(
        cls, frames: npt.NDArray[np.bool_], hop_s: float, labels: Sequence[str], duration: float | None = None
    ) -> Timeline:
        """Build from bool frames, shape=(n_frames, n_labels)."""
        if frames.ndim != 2 or frames.shape[1] != len(labels):
            raise AnnotationError(f"frames of shape {frames.shape} do not fit {len(labels)} labels")
        end = len(frames) * hop_s if duration is None else duration
        segments = []
        for column, label in zip(frames.T, labels, strict=True):
            edges = np.flatnonzero(np.diff(column.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
            segments += [
                Segment(a * hop_s, min(b * hop_s, end), label) for a, b in edges.tolist() if a * hop_s < end
            ]
        return cls(segments, end, labels)

    def relabel(self, names: Mapping[str, str]) -> Timeline:
        """Rename labels; segments that come to overlap are united, those that only touch stay apart."""
        renamed = [replace(s, label=names.get(s.label, s.label)) for s in self.segments]
        labels = tuple(names.get(label, label) for label in self.labels)
        return Timeline.merged(
            renamed,
            self.duration,
            labels=labels,
            source=self.source,
            warnings=self.warnings,
            touching=False,
        )


def _join(segments: Iterable[Segment], max_gap: float) -> list[Segment]:
    """Join sorted segments of one label whose gap is at most `max_gap`; values are weighted by duration."""
    joined: list[Segment] = []
    for segment in segments:
        before = joined[-1] if joined else None
        if before is None or segment.start - before.end > max_gap + 1e-9:
            joined.append(segment)
            continue
        joined[-1] = replace(
            before,
            end=max(before.end, segment.end),
            confidence=_weighted(before, segment, "confidence"),
            speech_to_music_db=_weighted(before, segment, "speech_to_music_db"),
        )
    return joined


def _weighted(a: Segment, b: Segment, name: str) -> float | None:
    values = [(getattr(s, name), s.duration) for s in (a, b) if getattr(s, name) is not None]
    return float(sum(v * d for v, d in values) / sum(d for _, d in values)) if values else None
