"""What people corrected, as a labelled set that `earmark fit` reads: STORE/corrections/labels.csv.

Every timeline called ``edited`` counts, as a whole: what was left as it was counts as looked at.  It is cut
where what sounds changes, and each region is of the class that says all of it: ``speech``, ``speech+music``,
or ``neither`` where there is nothing.  A recording is a group, so that none is learned and tested at once; a
class that only one recording has cannot be, and is left out until another has it.
"""

from __future__ import annotations

import csv
import io
import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from earmark.errors import EarmarkError
from earmark.files import atomic_write
from earmark.server.database import Database
from earmark.server.problems import Refusal
from earmark.server.recordings import Recordings
from earmark.server.timelines import EDITED, Timelines
from earmark.timeline import Timeline

FILE_NAME = "labels.csv"
NEITHER = "neither"
# A classifier hears nothing in less, seconds.
_SHORTEST_S = 1.0
# Edits come in quick succession; the file is written so long after, seconds.
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Region:
    """Where a class holds, seconds."""

    label: str
    start: float
    end: float


class Corrections:
    """The labelled set of a server.

    Parameters
    ----------
    database : Database
    recordings : Recordings
    timelines : Timelines
    folder : Path
        Where the file lies.
    """

    def __init__(
        self, database: Database, recordings: Recordings, timelines: Timelines, folder: Path
    ) -> None:
        self._database, self._recordings, self._timelines = database, recordings, timelines
        self.file = folder / FILE_NAME
        folder.mkdir(exist_ok=True)
        self._regions: dict[str, tuple[int, list[Region]]] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def changed(self) -> None:
        """Have the file written soon."""
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(_PATIENCE_S, self._write_late)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Write the file now, if that is still to be done."""
        if self._timer is not None:
            self._timer.cancel()
            self._write_late()

    def write(self) -> dict[str, Any]:
        """Write the file; return how many recordings it is of, seconds by class, and what is left out."""
        with self._lock:
            self._timer = None
            rows: list[tuple[str, ...]] = []
            seconds: dict[str, float] = defaultdict(float)
            holders: dict[str, set[str]] = defaultdict(set)
            for recording, source, region in self._all():
                holders[region.label].add(recording)
                seconds[region.label] += region.end - region.start
                rows.append((source, region.label, recording, f"{region.start:.3f}", f"{region.end:.3f}"))
            alone = sorted(label for label, of in holders.items() if len(of) < 2)
            kept = [row for row in rows if row[1] not in alone]
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(
                [("path", "label", "group", "start", "end"), *kept]
            )
            with atomic_write(self.file) as file:
                file.write(text.getvalue())
        return {
            "recordings": len({row[2] for row in rows}),
            "seconds": {label: round(each, 3) for label, each in sorted(seconds.items())},
            "left_out": alone,
            "ready": len(holders.keys() - set(alone)) >= 2,
        }

    def _write_late(self) -> None:
        with suppress(EarmarkError):  # a full disk is told to who asks for the set
            self.write()

    def _all(self) -> Iterator[tuple[str, str, Region]]:
        """Yield recording, path and region of all that was corrected and is still there."""
        found = self._database.rows(
            "SELECT recordings.*, version FROM timelines JOIN recordings ON recordings.id = recording "
            "WHERE timelines.name = ? ORDER BY recordings.number",
            (EDITED,),
        )
        self._regions = {row["id"]: self._regions.get(row["id"], (-1, [])) for row in found}
        for row in found:
            try:
                source = os.path.relpath(self._recordings.source(row), self.file.parent)
            except Refusal:
                continue
            version, regions = self._regions[row["id"]]
            if version != row["version"]:
                kept = self._timelines.get(row["id"], EDITED)
                regions = list(regions_of(kept.timeline))
                self._regions[row["id"]] = (kept.version, regions)
            for region in regions:
                yield row["id"], source, region


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
