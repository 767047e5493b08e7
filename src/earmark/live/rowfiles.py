"""Rows in files of an hour or a day: each safely on the disk, none of them half.

A row is appended at once and forced to the disk.  What a process that was killed left of a row is cut off
when its file is opened again.  When the disk is full, rows wait until there is room.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from earmark.errors import ConfigError, EarmarkError
from earmark.live.rows import FORMATS, ROTATIONS, Row, Zone

# Rows that wait for room; a day of lively sound has some ten thousand.
_MOST_WAITING = 50_000
_TAIL_BYTES = 1 << 16
# Seconds until it is tried again to write.
_RETRY_S = 1.0


class RowFiles:
    """Appends rows to the files of their time.

    Parameters
    ----------
    folder : Path
        Where they are, as ``marks-2026-11-22T14.csv``; made as needed.
    formats : sequence of str
        Keys of `FORMATS`.
    rotate : str
        Key of `ROTATIONS`.
    zone : Zone
        How times are written, and where hours and days begin.
    warn : callable
        Told, once each time, that rows cannot be written, and that they can be again.

    Raises
    ------
    ConfigError
        If a format or rotation is not known.
    EarmarkError
        If the folder cannot be written.
    """

    def __init__(
        self, folder: Path, formats: Sequence[str], rotate: str, zone: Zone, warn: Callable[[str], None]
    ) -> None:
        for name in formats:
            if name not in FORMATS:
                raise ConfigError(f"--format {name}: rows are written as {' or '.join(FORMATS)}")
        if rotate not in ROTATIONS:
            raise ConfigError(f"--rotate {rotate}: give one of {', '.join(ROTATIONS)}")
        self._folder, self._rotate, self._zone, self._warn = folder, ROTATIONS[rotate], zone, warn
        self._waiting: dict[str, deque[Row]] = {name: deque() for name in dict.fromkeys(formats)}
        self._n_dropped = 0
        self._failed, self._retry_at = False, 0.0
        self._whole: dict[str, Path] = {}  # files that are known to end with a whole row
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".earmark-{os.getpid()}.tmp"
            probe.touch()
            probe.unlink()
        except OSError as err:
            raise EarmarkError(
                f"'{folder}' cannot be written: {err.strerror}; choose another folder"
            ) from err

    def write(self, row: Row) -> None:
        """Append a row; it waits, with those after it, while that fails."""
        for waiting in self._waiting.values():
            if len(waiting) >= _MOST_WAITING:
                waiting.popleft()
                self._n_dropped += 1
            waiting.append(row)
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._failed and time.monotonic() < self._retry_at:
            return
        try:
            for name, waiting in self._waiting.items():
                while waiting:
                    self._append(name, waiting[0])
                    waiting.popleft()
        except OSError as err:
            if not self._failed:
                self._warn(
                    f"'{self._folder}' cannot be written: {err.strerror or err}; rows wait until it can be"
                )
            self._failed, self._retry_at = True, time.monotonic() + _RETRY_S
            return
        if self._failed:
            lost = f"; {self._n_dropped} rows were too many to wait" if self._n_dropped else ""
            self._warn(f"'{self._folder}' can be written again{lost}")
        self._failed, self._n_dropped = False, 0

    def _append(self, name: str, row: Row) -> None:
        line, header = FORMATS[name]
        stamp = self._zone.at(row.time).strftime(self._rotate)
        path = self._folder / f"marks{'-' if stamp else ''}{stamp}.{name}"
        is_new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            end = os.lseek(file, 0, os.SEEK_END)
            if self._whole.get(name) != path:
                end = _whole_end(file, end)
            os.lseek(file, end, os.SEEK_SET)
            text = (line(row, self._zone) if end else header + line(row, self._zone)).encode("utf-8")
            try:
                os.ftruncate(file, end)
                if os.write(file, text) < len(text):
                    raise OSError(28, "no space left on device")
                os.fsync(file)
            except OSError:
                self._whole.pop(name, None)
                os.ftruncate(file, end)
                raise
        finally:
            os.close(file)
        self._whole[name] = path
        if is_new:
            _sync_folder(self._folder)


def _whole_end(file: int, end: int) -> int:
    """Return where the last whole row of a file ends."""
    while end:
        start = max(0, end - _TAIL_BYTES)
        os.lseek(file, start, os.SEEK_SET)
        newline = os.read(file, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    """Let a new file's name survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
