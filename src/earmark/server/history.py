"""How timelines came to be: the versions they had, and the edits that made them.

A version never stands for two contents: who makes a timeline that was removed anew, counts on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from earmark.server.database import Database
from earmark.server.problems import Refusal
from earmark.server.segments import to_json
from earmark.timeline import Segment


class Change(NamedTuple):
    """What came of an edit: which timeline it changed, to which version; and whether it did so only now."""

    name: str
    version: int
    new: bool


class History:
    """Versions and edits of the timelines of all recordings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_version(self, recording: str, name: str) -> int:
        """Return the next version of a timeline, which it has from now on."""
        place = (recording, name)
        self._database.run(
            "INSERT INTO versions VALUES (?, ?, 1) "
            "ON CONFLICT (recording, name) DO UPDATE SET version = version + 1",
            place,
        )
        which = "SELECT version FROM versions WHERE recording = ? AND name = ?"
        version: int = self._database.rows(which, place)[0]["version"]
        return version

    def note(
        self,
        recording: str,
        change: Change,
        remove: Sequence[Segment],
        add: Sequence[Segment],
        client: str | None,
        given: str | None,
    ) -> None:
        """Note an edit, who made it, and what they call it."""
        self._database.run(
            "INSERT INTO edits (recording, name, version, at, client, given, removed, added) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                recording,
                change.name,
                change.version,
                time.time(),
                client,
                given,
                to_json(remove),
                to_json(add),
            ),
        )

    def find(
        self,
        recording: str,
        remove: Sequence[Segment],
        add: Sequence[Segment],
        client: str | None,
        given: str | None,
    ) -> Change | None:
        """Return what came of an edit when it came before; None if it did not, or has no id.

        Raises
        ------
        Refusal
            If its client gave another edit the same id.
        """
        if given is None:
            return None
        row = self._database.row(
            "SELECT name, version, removed, added FROM edits "
            "WHERE recording = ? AND given = ? AND client IS ?",
            (recording, given, client),
        )
        if row is None:
            return None
        if (row["removed"], row["added"]) != (to_json(remove), to_json(add)):
            raise Refusal(422, f"'{given}' was the id of another edit; give each its own")
        return Change(row["name"], row["version"], new=False)

    def since(self, recording: str, name: str, version: int) -> list[dict[str, Any]]:
        """Return the edits that made the later versions of a timeline, the oldest first."""
        found = self._database.rows(
            "SELECT version, at, client, given, removed, added FROM edits "
            "WHERE recording = ? AND name = ? AND version > ? ORDER BY version",
            (recording, name, version),
        )
        return [
            {
                "version": row["version"],
                "at": row["at"],
                "by": row["client"],
                "id": row["given"],
                "remove": json.loads(row["removed"]),
                "add": json.loads(row["added"]),
            }
            for row in found
        ]

    def forget(self, recording: str, name: str | None) -> None:
        """Forget the edits of a timeline that is removed; with a recording, its versions, too."""
        if name is not None:
            self._database.run("DELETE FROM edits WHERE recording = ? AND name = ?", (recording, name))
            return
        for table in ("edits", "versions"):
            self._database.run(f"DELETE FROM {table} WHERE recording = ?", (recording,))
