"""One run at a time in a folder: a lock that the system lets go however its holder ends."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from earmark.errors import ConfigError, EarmarkError

# Whoever only looks holds it for an instant; a run waits that long for it, seconds.
_PATIENCE_S = 0.5
# What the system answers where another holds a lock; all else means that none can be had.
_HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of a folder, kept in its file `name`.

    Raises
    ------
    ConfigError
        If another run holds it.
    EarmarkError
        If it cannot be written, or its file system has no locks.
    """
    try:
        handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as err:
        raise EarmarkError(f"'{folder}' cannot be written: {err.strerror}; choose another folder") from err
    try:
        until = time.monotonic() + _PATIENCE_S
        while (problem := _take(handle)) and problem.errno in _HELD and time.monotonic() < until:
            time.sleep(0.05)
        if problem is not None and problem.errno not in _HELD:
            raise EarmarkError(
                f"'{folder}' cannot be locked ({problem.strerror}): its file system has no locks, and two "
                "runs in it would spoil each other's files; choose a folder on another disk"
            ) from problem
        if problem is not None:
            raise ConfigError(
                f"another run is at work in '{folder}' ({_holder(folder / name)}); wait for its end, "
                "stop it, or choose another folder"
            )
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        os.close(handle)


def is_locked(folder: Path, name: str) -> bool:
    """Tell whether a run is at work in a folder; none is known to be where there are no locks."""
    try:
        handle = os.open(folder / name, os.O_RDONLY)  # others may look, too
    except OSError:
        return False
    try:
        problem = _take(handle, shared=True)
        return problem is not None and problem.errno in _HELD
    finally:
        os.close(handle)


def _holder(path: Path) -> str:
    """Return who held the lock last."""
    try:
        who = json.loads(path.read_text(encoding="utf-8"))
        return f"process {who['pid']} on {who['host']}"
    except (OSError, ValueError, KeyError):
        return "unknown"


def _take(handle: int, shared: bool = False) -> OSError | None:
    """Take the lock of an open file; return why it cannot be had, or None."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 1 << 20, os.SEEK_SET)  # beyond what is read
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as err:
        return err
    return None
