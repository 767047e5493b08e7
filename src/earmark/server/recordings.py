"""The recordings a server keeps, and the folder of each."""

from __future__ import annotations

import json
import secrets
import shutil
import time
import unicodedata
from pathlib import Path
from typing import Any

from earmark.server.database import Database
from earmark.server.folder import Folder
from earmark.server.problems import Refusal, missing
from earmark.server.settings import Settings

UPLOADED, CHOSEN, FETCHED = "upload", "folder", "url"
_MOST_NAME = 200


class Recordings:
    """All recordings.

    Parameters
    ----------
    database : Database
    settings : Settings
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self.folder = None if settings.folder is None else Folder(settings.folder)
        self._root = settings.store / "recordings"
        self._root.mkdir(parents=True, exist_ok=True)

    def home(self, recording: str) -> Path:
        """Return the folder of what the server keeps of a recording."""
        return self._root / recording

    def evidence(self, recording: str, model: str) -> Path:
        """Return the folder of a model's posteriors of a recording."""
        return self.home(recording) / "posteriors" / model

    def uploaded(self, recording: str) -> Path:
        """Return the file of a recording that was uploaded or fetched."""
        return self.home(recording) / "source"

    def source(self, row: Any) -> Path:
        """Return a recording's file; raises `Refusal` if it was chosen in the folder and is gone."""
        if row["kind"] != CHOSEN:
            return self.uploaded(row["id"])
        if self.folder is None:
            raise Refusal(409, f"'{row['place']}' lies in a folder that the server was not started with")
        return self.folder.file(row["place"])

    def check_room(self) -> None:
        """Raise `Refusal` if there is no room for another recording."""
        (count,) = self._database.rows("SELECT COUNT(*) FROM recordings")[0]
        if count >= self._settings.bounds.recordings:
            raise Refusal(409, f"the server holds {count} recordings, as many as it may; remove some")

    def add(
        self, name: str, kind: str, place: str, model: str, size: int | None, made: str | None = None
    ) -> str:
        """Add a recording; return its id.

        Parameters
        ----------
        name : str
            How it is called.
        kind : str
            Where it comes from.
        place : str
            Its place in the folder, or its address.
        model : str
            That marks it.
        size : int or None
            Bytes.
        made : str, optional
            The id, if it has one already.
        """
        self.check_room()
        made = made or secrets.token_hex(6)
        self.home(made).mkdir(exist_ok=True)
        self._database.run(
            "INSERT INTO recordings (id, name, kind, place, model, created, size) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (made, clean_name(name), kind, place, model, time.time(), size),
        )
        return made

    def is_known(self, recording: str) -> bool:
        """Return whether there is a recording."""
        return self._database.row("SELECT 1 FROM recordings WHERE id = ?", (recording,)) is not None

    def get(self, recording: str) -> Any:
        """Return the row of a recording; raises `Refusal` if there is none."""
        row = self._database.row("SELECT * FROM recordings WHERE id = ?", (recording,))
        if row is None:
            raise missing("recording", recording)
        return row

    def find(self, words: str, most: int) -> list[Any]:
        """Return the newest recordings whose names hold all of the words."""
        wanted = words.casefold().split()
        rows = self._database.rows("SELECT * FROM recordings ORDER BY number DESC")
        return [row for row in rows if all(word in row["name"].casefold() for word in wanted)][:most]

    def drawn(self, recording: str, duration: float, warnings: list[str]) -> None:
        """Note that a recording's picture is there."""
        self._database.run(
            "UPDATE recordings SET drawn = 1, duration = ?, warnings = ? WHERE id = ?",
            (duration, json.dumps(warnings), recording),
        )

    def note(self, recording: str, *, duration: float | None = None, size: int | None = None) -> None:
        """Note a length, seconds, or a size, bytes."""
        self._database.run(
            "UPDATE recordings SET duration = COALESCE(?, duration), size = COALESCE(?, size) WHERE id = ?",
            (duration, size, recording),
        )

    def remove(self, recording: str) -> None:
        """Remove a recording; its folder is left to `clear`."""
        self._database.run("DELETE FROM recordings WHERE id = ?", (recording,))

    def clear(self, recording: str) -> None:
        """Remove the folder of a recording that is removed."""
        shutil.rmtree(self.home(recording), ignore_errors=True)

    def sweep(self) -> None:
        """Remove folders that belong to no recording: what a kill left over."""
        known = {row["id"] for row in self._database.rows("SELECT id FROM recordings")}
        for folder in self._root.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)


def clean_name(name: str) -> str:
    """Return the last part of a name, without what cannot be shown; never empty."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip()
    return shown[:_MOST_NAME] or "recording"
