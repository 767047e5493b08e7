"""Uploads in pieces: each goes where the one before ended, so that one that broke off is taken up there.

An upload that is done is a recording of the same id; so whoever lost the answer can ask for it again.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from earmark.errors import EarmarkError
from earmark.server.database import Database
from earmark.server.problems import Refusal, missing
from earmark.server.recordings import clean_name
from earmark.server.settings import Settings

CHUNK_BYTES = 8 << 20
# What was begun and not gone on with is removed after that, when a server starts.
_KEPT_S = 7 * 86_400.0


class Uploads:
    """Uploads that are not done yet.

    Parameters
    ----------
    database : Database
    settings : Settings
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._bounds = database, settings.bounds
        self._folder = settings.store / "uploads"
        self._folder.mkdir(exist_ok=True)
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._database.run("DELETE FROM uploads WHERE created < ?", (time.time() - _KEPT_S,))
        known = {row["id"] for row in self._database.rows("SELECT id FROM uploads")}
        for file in self._folder.iterdir():
            if file.name not in known:
                file.unlink(missing_ok=True)

    def begin(self, name: str, size: int) -> str:
        """Begin an upload of so many bytes; return its id.

        Raises
        ------
        Refusal
            If it is larger than allowed, or too many are begun.
        """
        self.check_size(size)
        (count,) = self._database.rows("SELECT COUNT(*) FROM uploads")[0]
        if count >= self._bounds.waiting:
            raise Refusal(429, f"{count} uploads are not done, as many as may; try again later")
        made = secrets.token_hex(6)
        (self._folder / made).touch()
        self._database.run(
            "INSERT INTO uploads VALUES (?, ?, ?, ?)", (made, clean_name(name), size, time.time())
        )
        return made

    def check_size(self, size: int) -> None:
        """Raise `Refusal` if a recording is empty or larger than allowed."""
        if size > self._bounds.upload_bytes:
            raise Refusal(413, f"{size} bytes; the server takes up to {self._bounds.upload_bytes}")
        if size < 1:
            raise Refusal(422, "the recording is empty (0 bytes); copy or export it again")

    def get(self, upload: str) -> Any:
        """Return name and size of an upload; raises `Refusal` if there is none."""
        row = self._database.row("SELECT * FROM uploads WHERE id = ?", (upload,))
        if row is None:
            raise missing("upload", upload)
        return row

    def received(self, upload: str) -> int:
        """Return how many bytes are there."""
        self.get(upload)
        return self._path(upload).stat().st_size

    async def append(self, upload: str, offset: int, pieces: AsyncIterator[bytes]) -> int:
        """Take bytes that belong at an offset; return how many are there now.

        Raises
        ------
        Refusal
            If other bytes belong there, there are more than there should be, or others are just coming in.
        """
        size = self.get(upload)["size"]
        with self._lock:
            if upload in self._busy:
                raise Refusal(409, "another piece of this upload is coming in; wait for it")
            self._busy.add(upload)
        try:
            received = self.received(upload)
            if offset != received:
                raise Refusal(409, f"{received} bytes are there; go on from there", received=received)
            with self._path(upload).open("ab") as file:
                async for piece in pieces:
                    received += len(piece)
                    if received > size:
                        raise Refusal(413, f"more than the {size} bytes that were announced", received=offset)
                    file.write(piece)
            return received
        except OSError as err:
            raise EarmarkError(f"the upload cannot be written: {err.strerror or err}; make room") from err
        finally:
            with self._lock:
                self._busy.discard(upload)

    def end_at(self, upload: str, size: int) -> None:
        """Note that an upload has so many bytes, fewer than were announced."""
        self._database.run("UPDATE uploads SET size = ? WHERE id = ?", (size, upload))

    def move(self, upload: str, target: Path) -> None:
        """Forget the upload, and move what is complete to its place."""
        self._database.run("DELETE FROM uploads WHERE id = ?", (upload,))
        os.replace(self._path(upload), target)

    def mend(self, target_of: Callable[[str], Path]) -> None:
        """Take back what was moved, but could not be forgotten; forget uploads of which nothing is left."""
        with self._database.transaction():
            for row in self._database.rows("SELECT id FROM uploads"):
                if not self._path(row["id"]).exists():
                    try:
                        os.replace(target_of(row["id"]), self._path(row["id"]))
                    except FileNotFoundError:
                        self._database.run("DELETE FROM uploads WHERE id = ?", (row["id"],))

    def check_done(self, upload: str) -> Any:
        """Return name and size of an upload; raises `Refusal` if something is missing."""
        row = self.get(upload)
        received = self.received(upload)
        if received != row["size"]:
            raise Refusal(409, f"{received} of {row['size']} bytes are there; go on", received=received)
        return row

    def drop(self, upload: str) -> None:
        """Remove an upload."""
        self.get(upload)
        self._path(upload).unlink(missing_ok=True)
        self._database.run("DELETE FROM uploads WHERE id = ?", (upload,))

    def _path(self, upload: str) -> Path:
        return self._folder / upload
