"""What files hold, as checksums that are remembered."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from earmark.errors import AudioError, EarmarkError

_READ_BYTES = 1 << 20


class FileDigests:
    """Checksums of files, kept in a folder.

    Parameters
    ----------
    root : Path
        The folder; several may use it at once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests = self._remembered()

    def __call__(self, path: str) -> str:
        """Return the SHA-256 of a file's bytes, remembered while its size and time stay as they are.

        Raises
        ------
        AudioError
            If the file cannot be read, or is empty: empty files are no copies of each other.
        """
        whole = os.path.abspath(path)
        try:
            found = os.stat(whole)
            if not found.st_size:
                raise AudioError(f"'{path}' is empty (0 bytes); copy or export it again")
            key = (whole, found.st_size, found.st_mtime_ns)
            if key not in self._digests:
                self._digests[key] = _sha256(whole)
                self._remember([*key, self._digests[key]])
        except OSError as err:
            raise AudioError(f"'{path}' cannot be read ({err.strerror or err}); check the path") from err
        return self._digests[key]

    def _remembered(self) -> dict[tuple[str, int, int], str]:
        """Return the digests of the files seen; lines that were cut short are left out."""
        try:
            text = (self._root / "files.jsonl").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return {}
        digests = {}
        for line in text.splitlines():
            try:
                path, size, time, digest = json.loads(line)
            except ValueError:
                continue
            digests[path, size, time] = digest
        return digests

    def _remember(self, row: Sequence[object]) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with (self._root / "files.jsonl").open("a", encoding="utf-8") as file:
                # One write, so that lines of several processes stay whole.
                file.write(f"{json.dumps(row)}\n")
        except OSError as err:
            raise EarmarkError(
                f"the cache '{self._root}' cannot be written ({err.strerror or err}); free some space, or "
                "name another folder by the variable EARMARK_CACHE"
            ) from err


def _sha256(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_READ_BYTES):
            found.update(block)
    return found.hexdigest()
