"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from pathlib import Path

from earmark.errors import AnnotationError


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a file's content.

    Raises
    ------
    AnnotationError
        If it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as err:
        raise AnnotationError(
            f"cannot read '{path}': {_reason(err)}; check the path and its permissions"
        ) from err


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file under a temporary name in its folder, then rename it over the target.

    A reader sees the old content or the new, never a part; on failure nothing is left behind.  A link
    is followed; a device or a pipe is written to directly, since renaming would replace it.

    Raises
    ------
    AnnotationError
        If the folder is missing or not writable, the disk is full, or the path is a folder.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as err:
        raise AnnotationError(
            f"cannot write '{path}': {_reason(err)}; name a file in a folder that exists and can be written"
        ) from err


def _replace(target: Path, data: bytes) -> None:
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    temporary = target.with_name(f".earmark-{secrets.token_hex(6)}.tmp")
    try:
        # Not `tempfile`: its files are private to their owner, and the renamed file would stay so.
        with open(temporary, "xb") as file:
            file.write(data)
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _reason(err: OSError) -> str:
    return (err.strerror or str(err)).lower()
