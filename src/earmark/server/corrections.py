"""What people corrected, as files that models are made of elsewhere, too: STORE/corrections.

Every timeline called ``edited`` counts, as a whole: what was left as it was counts as looked at.

``timelines.csv`` names each recording and its timeline, a file beside it; `earmark adapt` reads it, as does
the server when it adapts the model.  ``labels.csv`` is what `earmark fit` reads: each timeline is cut where
what sounds changes, and each region is of the class that says all of it: ``speech``, ``speech+music``, or
``neither`` where there is nothing.  A recording is a group, so that none is learned and tested at once; a
class that only one recording has cannot be, and is left out until another has it.
"""

from __future__ import annotations

import csv
import io
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from earmark.errors import EarmarkError
from earmark.files import atomic_write
from earmark.formats import dumps
from earmark.server.database import Database
from earmark.server.problems import Refusal
from earmark.server.recordings import Recordings
from earmark.server.timelines import EDITED, Timelines
from earmark.timeline import Timeline

TIMELINES, LABELS = "timelines.csv", "labels.csv"
NEITHER = "neither"
_SUFFIX = ".json"
# A classifier hears nothing in less, seconds.
_SHORTEST_S = 1.0
# Edits come in quick succession; the files are written so long after, seconds.
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Region:
    """Where a class holds, seconds."""

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class Corrected:
    """What is kept of a version of a corrected timeline, whose file is written: seconds by label, regions."""

    version: int
    seconds: dict[str, float]
    regions: tuple[Region, ...]


class Corrections:
    """The corrections of a server.

    Parameters
    ----------
    database : Database
    recordings : Recordings
    timelines : Timelines
    folder : Path
        Where the files lie, and nothing else.
    """

    def __init__(
        self, database: Database, recordings: Recordings, timelines: Timelines, folder: Path
    ) -> None:
        self._database, self._recordings, self._timelines = database, recordings, timelines
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._known: dict[str, Corrected] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def changed(self) -> None:
        """Have the files written soon."""
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(_PATIENCE_S, self._write_late)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Write the files now, if that is still to be done."""
        if self._timer is not None:
            self._timer.cancel()
            self._write_late()

    def write(self) -> dict[str, Any]:
        """Write the files; return of how many recordings they are, and for how long each label is marked."""
        with self._lock:
            self._timer = None
            sources = self._take_up()
            known = {recording: self._known[recording] for recording in sources}
            self._write_rows(
                TIMELINES,
                ("path", "timeline", "group"),
                ((source, f"{recording}{_SUFFIX}", recording) for recording, source in sources.items()),
            )
            self._write_rows(
                LABELS,
                ("path", "label", "group", "start", "end"),
                (
                    (sources[recording], each.label, recording, f"{each.start:.3f}", f"{each.end:.3f}")
                    for recording, each in _learnable(known)
                ),
            )
            for file in self.folder.glob(f"*{_SUFFIX}"):
                if file.stem not in known:
                    file.unlink(missing_ok=True)
            self._known = known
        seconds: dict[str, float] = defaultdict(float)
        for corrected in known.values():
            for label, each in corrected.seconds.items():
                seconds[label] += each
        return {
            "recordings": len(known),
            "seconds": {label: round(each, 3) for label, each in seconds.items()},
        }

    def _write_late(self) -> None:
        with suppress(EarmarkError, OSError):  # a full disk is told to who asks for them
            self.write()

    def _take_up(self) -> dict[str, str]:
        """Write the timelines that have changed; return the way to each recording that is still there."""
        found = self._database.rows(
            "SELECT recordings.*, version FROM timelines JOIN recordings ON recordings.id = recording "
            "WHERE timelines.name = ? ORDER BY recordings.number",
            (EDITED,),
        )
        sources = {}
        for row in found:
            recording, known = row["id"], self._known.get(row["id"])
            with suppress(Refusal):  # it is gone by now
                source = os.path.relpath(self._recordings.source(row), self.folder)
                if known is None or known.version != row["version"]:
                    self._known[recording] = self._take(recording, row["name"])
                sources[recording] = source
        return sources

    def _take(self, recording: str, name: str) -> Corrected:
        kept = self._timelines.get(recording, EDITED)
        with atomic_write(self.folder / f"{recording}{_SUFFIX}") as file:
            file.write(dumps(replace(kept.timeline, source=name), "json"))
        return Corrected(kept.version, kept.timeline.durations(), tuple(regions_of(kept.timeline)))

    def _write_rows(self, name: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([head, *rows])
        with atomic_write(self.folder / name) as file:
            file.write(text.getvalue())


def _learnable(known: dict[str, Corrected]) -> Iterator[tuple[str, Region]]:
    """Yield recordings and regions whose class lies in two recordings or more."""
    holders: dict[str, set[str]] = defaultdict(set)
    for recording, corrected in known.items():
        for region in corrected.regions:
            holders[region.label].add(recording)
    for recording, corrected in known.items():
        for region in corrected.regions:
            if len(holders[region.label]) > 1:
                yield recording, region


def regions_of(timeline: Timeline) -> Iterator[Region]:
    """Yield the regions of a timeline in which the same labels hold, but for those that are too short."""
    order = {label: place for place, label in enumerate(timeline.labels)}
    ends: dict[float, list[str]] = defaultdict(list)
    starts: dict[float, list[str]] = defaultdict(list)
    for segment in timeline:
        starts[segment.start].append(segment.label)
        ends[segment.end].append(segment.label)
    held: set[str] = set()
    region: Region | None = None
    for start, end in pairwise(sorted({0.0, timeline.duration, *starts, *ends})):
        # What ends and begins again at once goes on.
        held = (held - set(ends[start])) | set(starts[start])
        label = "+".join(sorted(held, key=order.__getitem__)) or NEITHER
        if region is not None and region.label == label:
            region = replace(region, end=end)
            continue
        if region is not None and region.end - region.start >= _SHORTEST_S:
            yield region
        region = Region(label, start, end)
    if region is not None and region.end - region.start >= _SHORTEST_S:
        yield region
