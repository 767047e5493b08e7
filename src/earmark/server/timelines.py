"""Timelines of recordings: versions, and edits of several people that do not undo each other.

An edit removes some segments and adds others.  Those removed must be there exactly as given, or nothing
changes; so edits of different segments go together, and of two edits of one segment the second is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from earmark.server.database import Database
from earmark.server.history import Change, History
from earmark.server.problems import Refusal, missing
from earmark.server.segments import MOST_SEGMENTS, check_label, fields_of
from earmark.timeline import Segment, Timeline

DETECTED, EDITED = "detected", "edited"
# What models found is never edited, but copied first.
MODEL, PERSON = "model", "person"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_TOLERANCE_S = 1e-6


@dataclass(frozen=True)
class Kept:
    """A timeline as it is kept.

    Parameters
    ----------
    name : str
    version : int
    origin : str
        ``"model"`` or ``"person"``.
    model : str or None
        Which.
    timeline : Timeline
    """

    name: str
    version: int
    origin: str
    model: str | None
    timeline: Timeline


class Timelines:
    """The timelines of all recordings."""

    def __init__(self, database: Database) -> None:
        self._database, self._history = database, History(database)

    def all_of(self, recording: str) -> list[dict[str, Any]]:
        """Return what timelines a recording has, without their segments."""
        found = self._database.rows(
            "SELECT name, version, origin, model, labels FROM timelines WHERE recording = ? ORDER BY name",
            (recording,),
        )
        return [{**dict(row), "labels": json.loads(row["labels"])} for row in found]

    def by_recording(self) -> dict[str, list[dict[str, Any]]]:
        """Return what timelines all recordings have, without labels and segments."""
        found: dict[str, list[dict[str, Any]]] = {}
        query = "SELECT recording, name, version, origin, model FROM timelines ORDER BY recording, name"
        for row in self._database.rows(query):
            found.setdefault(row["recording"], []).append(dict(row))
        return found

    def get(self, recording: str, name: str) -> Kept:
        """Return a timeline; raises `Refusal` if there is none."""
        with self._database.transaction():
            row = self._row(recording, name)
            segments = self._database.rows(
                "SELECT start, end, label, confidence, ratio FROM segments "
                "WHERE recording = ? AND name = ? ORDER BY start, end, label",
                (recording, name),
            )
        timeline = Timeline(
            (Segment(*each) for each in segments),
            row["duration"],
            json.loads(row["labels"]),
            warnings=json.loads(row["warnings"]),
        )
        return Kept(name, row["version"], row["origin"], row["model"], timeline)

    def put(
        self,
        recording: str,
        name: str,
        timeline: Timeline,
        *,
        origin: str,
        model: str | None = None,
        base: int | None = None,
    ) -> int:
        """Write a timeline as a whole; return its version.

        Parameters
        ----------
        recording, name : str
        timeline : Timeline
        origin, model
            As in `Kept`.
        base : int, optional
            The version that is replaced; a person must give it.

        Raises
        ------
        Refusal
            If there is another version, it has too many segments, or a person writes what is a model's.
        """
        if len(timeline) > MOST_SEGMENTS:
            raise Refusal(413, f"{len(timeline)} segments; a timeline holds up to {MOST_SEGMENTS}")
        if origin == PERSON and name == DETECTED:
            raise Refusal(409, f"'{DETECTED}' is what a model finds; choose another name")
        with self._database.transaction():
            before = self._database.row(
                "SELECT version, origin FROM timelines WHERE recording = ? AND name = ?", (recording, name)
            )
            version = before["version"] if before else 0
            if before and origin == PERSON:
                if before["origin"] == MODEL:
                    raise Refusal(
                        409, f"'{name}' is what a model found; choose another name", version=version
                    )
                if base != version:
                    given = "none was given" if base is None else f"not {base}"
                    raise Refusal(
                        409,
                        f"'{name}' has version {version}, {given}; read it again, then send If-Match",
                        version=version,
                    )
            elif base is not None and origin == PERSON:
                raise Refusal(409, f"there is no '{name}' to replace; leave out If-Match", version=0)
            version = self._history.next_version(recording, name)
            self._write(recording, name, version, origin, model, timeline)
        return version

    def remove(self, recording: str, name: str | None = None) -> None:
        """Remove a timeline of a recording, or all of them, with its edits."""
        which, values = ("", [recording]) if name is None else (" AND name = ?", [recording, name])
        with self._database.transaction():
            if name is not None:
                self._row(recording, name)
            for table in ("timelines", "segments"):
                self._database.run(f"DELETE FROM {table} WHERE recording = ?{which}", values)
            self._history.forget(recording, name)

    def edit(
        self,
        recording: str,
        name: str,
        remove: Sequence[Segment],
        add: Sequence[Segment],
        client: str | None = None,
        given: str | None = None,
    ) -> Change:
        """Take some segments out and put others in.

        What a model found is copied to ``edited`` first, or if that is there, that is edited.

        Parameters
        ----------
        recording, name : str
        remove, add : sequence of Segment
        client : str, optional
            Who.
        given : str, optional
            What the client calls this edit.  One that comes again, since the answer was lost, changes
            nothing; what came of it the first time is returned.

        Raises
        ------
        Refusal
            If a segment is not there, or a new one does not fit; then nothing has changed.
        """
        with self._database.transaction():
            if (before := self._history.find(recording, remove, add, client, given)) is not None:
                return before
            row = self._row(recording, name)
            if row["origin"] == MODEL:
                name = self._copy(recording, name, row)
                row = self._row(recording, name)
            gone = [segment for segment in remove if not self._take_out(recording, name, segment)]
            if gone:
                raise Refusal(
                    409,
                    f"{len(gone)} of {len(remove)} segments are not there any more: somebody changed them",
                    version=row["version"],
                    name=name,
                    missing=[fields_of(segment) for segment in gone],
                )
            for segment in add:
                self._put_in(recording, name, segment, row)
            (count,) = self._database.rows(
                "SELECT COUNT(*) FROM segments WHERE recording = ? AND name = ?", (recording, name)
            )[0]
            if count > MOST_SEGMENTS:
                raise Refusal(413, f"{count} segments; a timeline holds up to {MOST_SEGMENTS}")
            version = self._history.next_version(recording, name)
            labels = dict.fromkeys([*json.loads(row["labels"]), *(segment.label for segment in add)])
            self._database.run(
                "UPDATE timelines SET version = ?, labels = ? WHERE recording = ? AND name = ?",
                (version, json.dumps(list(labels)), recording, name),
            )
            change = Change(name, version, new=True)
            self._history.note(recording, change, remove, add, client, given)
        return change

    def edits(self, recording: str, name: str, since: int) -> list[dict[str, Any]]:
        """Return the edits that made the versions after `since`; raises `Refusal` if there is no timeline."""
        self._row(recording, name)
        return self._history.since(recording, name, since)

    def _row(self, recording: str, name: str) -> Any:
        row = self._database.row(
            "SELECT * FROM timelines WHERE recording = ? AND name = ?", (recording, name)
        )
        if row is None:
            raise missing("timeline", name)
        return row

    def _write(
        self, recording: str, name: str, version: int, origin: str, model: str | None, timeline: Timeline
    ) -> None:
        self._database.run("DELETE FROM segments WHERE recording = ? AND name = ?", (recording, name))
        self._database.run(
            "INSERT OR REPLACE INTO timelines VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                recording,
                name,
                version,
                origin,
                model,
                timeline.duration,
                json.dumps(list(timeline.labels)),
                json.dumps(list(timeline.warnings)),
            ),
        )
        self._database.run_many(
            "INSERT INTO segments (recording, name, start, end, label, confidence, ratio) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (recording, name, float(s.start), float(s.end), s.label, s.confidence, s.speech_to_music_db)
                for s in timeline
            ],
        )

    def _copy(self, recording: str, name: str, row: Any) -> str:
        if not self._database.row(
            "SELECT 1 FROM timelines WHERE recording = ? AND name = ?", (recording, EDITED)
        ):
            self._database.run(
                "INSERT INTO timelines VALUES (?, ?, 0, ?, ?, ?, ?, ?)",
                (recording, EDITED, PERSON, row["model"], row["duration"], row["labels"], row["warnings"]),
            )
            self._database.run(
                "INSERT INTO segments (recording, name, start, end, label, confidence, ratio) "
                "SELECT recording, ?, start, end, label, confidence, ratio FROM segments "
                "WHERE recording = ? AND name = ?",
                (EDITED, recording, name),
            )
        return EDITED

    def _take_out(self, recording: str, name: str, segment: Segment) -> bool:
        place = (recording, name, segment.start, segment.end, segment.label)
        where = "recording = ? AND name = ? AND start = ? AND end = ? AND label = ?"
        return self._database.run(f"DELETE FROM segments WHERE {where}", place) == 1

    def _put_in(self, recording: str, name: str, segment: Segment, row: Any) -> None:
        check_label(segment.label)
        if segment.end > row["duration"] + _TOLERANCE_S:
            raise Refusal(
                422, f"a segment ends at {segment.end:g} s, after the recording's {row['duration']:g} s"
            )
        other = self._database.row(
            "SELECT start, end FROM segments WHERE recording = ? AND name = ? AND label = ? "
            "AND start < ? AND end > ?",
            (recording, name, segment.label, segment.end - 1e-9, segment.start + 1e-9),
        )
        if other is not None:
            raise Refusal(
                409,
                f"'{segment.label}' from {segment.start:g} to {segment.end:g} s overlaps the one from "
                f"{other['start']:g} to {other['end']:g} s; merge them",
                version=row["version"],
                name=name,
                missing=[],
            )
        self._database.run(
            "INSERT INTO segments (recording, name, start, end, label, confidence, ratio) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                recording,
                name,
                segment.start,
                segment.end,
                segment.label,
                segment.confidence,
                segment.speech_to_music_db,
            ),
        )
