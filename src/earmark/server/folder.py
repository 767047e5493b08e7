"""The folder of recordings on the server's side: nothing outside it is listed or opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from earmark.inputs import is_recording
from earmark.server.problems import Refusal

_MOST_ENTRIES = 5000


class Folder:
    """A folder that clients may look into.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))

    def resolve(self, place: str) -> Path:
        """Return the file or folder at a place below the root, by its real path.

        Raises
        ------
        Refusal
            If there is none, or it is hidden or lies outside, be it by way of a link.
        """
        parts = [part for part in place.split("/") if part]
        if any(part.startswith(".") or "\0" in part or "\\" in part for part in parts):
            raise _missing(place)
        try:
            real = Path(os.path.realpath(self._root.joinpath(*parts), strict=True))
        except (OSError, ValueError) as err:
            raise _missing(place) from err
        if not self._shows(real):
            raise _missing(place)
        return real

    def file(self, place: str) -> Path:
        """Return a recording; raises `Refusal` if there is none."""
        real = self.resolve(place)
        if not real.is_file():
            raise _missing(place)
        if not is_recording(place):
            raise Refusal(422, f"'{place}' is no recording; choose a file of audio or video")
        return real

    def entries(self, place: str) -> list[dict[str, Any]]:
        """Return the folders and recordings at a place, by name; raises `Refusal` if it is no folder."""
        real = self.resolve(place)
        if not real.is_dir():
            raise _missing(place)
        found = []
        try:
            with os.scandir(real) as entries:
                for entry in entries:
                    if not entry.name.startswith(".") and (fields := self._entry(entry)) is not None:
                        found.append(fields)
        except OSError as err:
            raise Refusal(403, f"'{place}' may not be read") from err
        ordered = sorted(found, key=lambda each: (each["kind"] != "folder", each["name"].casefold()))
        return ordered[:_MOST_ENTRIES]

    def _shows(self, real: Path) -> bool:
        """Tell whether a real path is the folder, or lies in it and is not hidden."""
        if not real.is_relative_to(self._root):
            return False
        return not any(part.startswith(".") for part in real.relative_to(self._root).parts)

    def _entry(self, entry: os.DirEntry[str]) -> dict[str, Any] | None:
        """Return what is said of an entry; None if it is left out."""
        try:
            entry.name.encode("utf-8")
            if entry.is_symlink() and not self._shows(Path(os.path.realpath(entry.path))):
                return None
            if entry.is_dir():
                return {"name": entry.name, "kind": "folder", "size": None}
            if entry.is_file() and is_recording(entry.name):
                return {"name": entry.name, "kind": "file", "size": entry.stat().st_size}
        except (OSError, UnicodeEncodeError):
            pass
        return None


def _missing(place: str) -> Refusal:
    return Refusal(404, f"there is no '{place}' in the folder")
