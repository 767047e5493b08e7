"""Files: opened for reading with errors a user understands, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import SplitResult, urlsplit

from earmark.errors import AudioError, EarmarkError
from earmark.stores import is_store, open_stored

_HEAD_BYTES = 1 << 16
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(source: str) -> bool:
    """Tell whether a source is written as an address with a scheme, and no file has that name."""
    return bool(_SCHEME.match(source)) and not os.path.exists(source)


def split_url(url: str, schemes: Sequence[str] = ("http", "https")) -> SplitResult:
    """Take the address of a server or an object store apart.

    Raises
    ------
    AudioError
        If it is no address, or its scheme is none of those allowed.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as err:
        raise AudioError(f"'{url}' is no address ({err}); check it") from err
    if parts.scheme.lower() not in schemes and not is_store(url):
        *others, last = (f"{scheme}://" for scheme in schemes)
        raise AudioError(
            f"'{url}': addresses may start with {', '.join(others)} or {last}, or be in an object store "
            f"(s3://, gs://, az://), not {parts.scheme}://; download the recording and give the file"
        )
    return parts


def open_binary(source: str | os.PathLike[str] | BinaryIO, resources: ExitStack) -> tuple[str, BinaryIO]:
    """Open a recording for reading bytes.

    Parameters
    ----------
    source : str, path or binary file object
        ``"-"`` is standard input; an address must be in an object store; what is open already is
        returned as it is.
    resources : ExitStack
        Closes what was opened here.

    Returns
    -------
    name : str
        How messages call it.
    file : binary file object

    Raises
    ------
    AudioError
        If it cannot be opened.
    """
    if source == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise AudioError("'-': nothing is piped into standard input; pipe a recording or give a file")
        return "standard input", sys.stdin.buffer
    if not isinstance(source, (str, os.PathLike)):
        if not callable(getattr(source, "read", None)):
            raise AudioError(
                f"got a {type(source).__name__}; give a path, an address or a file opened with 'rb'"
            )
        name = getattr(source, "name", None)
        return name if isinstance(name, str) else "the given stream", source
    if isinstance(source, str) and is_url(source):
        return source, open_stored(source, resources)
    path = Path(source)
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            raise AudioError(f"'{path}' is a folder; give the files in it")
        # Unbuffered: FFmpeg asks for large pieces.
        return str(path), resources.enter_context(path.open("rb", buffering=0))
    except FileNotFoundError as err:
        raise AudioError(f"'{path}' does not exist; check the path") from err
    except PermissionError as err:
        raise AudioError(f"'{path}' may not be read (permission denied); allow it, or copy the file") from err
    except (OSError, ValueError) as err:
        raise AudioError(
            f"'{path}' cannot be opened: {getattr(err, 'strerror', None) or err}; check it"
        ) from err


def peek(name: str, file: BinaryIO, n_bytes: int = _HEAD_BYTES) -> tuple[bytes, BinaryIO]:
    """Return the first bytes of a file, at most `n_bytes`, and a file that still starts with them.

    Raises
    ------
    AudioError
        If it cannot be read, is empty or gives text.
    """
    try:
        seekable = file.seekable() if hasattr(file, "seekable") else False
        start = file.tell() if seekable else 0
        head = file.read(n_bytes)
        if seekable:
            file.seek(start)
    except (OSError, ValueError) as err:
        raise AudioError(
            f"'{name}' cannot be read: {getattr(err, 'strerror', None) or err}; check it"
        ) from err
    if not isinstance(head, bytes):
        raise AudioError(f"'{name}' gives {type(head).__name__}; give a file opened with 'rb'")
    if not head:
        raise AudioError(f"'{name}' is empty (0 bytes); copy or export it again")
    return head, file if seekable else cast("BinaryIO", _Rest(head, file))


def spooled(name: str, file: BinaryIO, resources: ExitStack) -> BinaryIO:
    """Copy what can only be read on into a file without a name, where one can go back and forth.

    Raises
    ------
    AudioError
        If it cannot be read, or there is no room for it.
    """
    try:
        copy = resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.seek(0)
    except OSError as err:
        raise AudioError(
            f"'{name}' must be copied to be read, which fails: {err.strerror or err}; give the file itself"
        ) from err
    return cast("BinaryIO", copy)


def write_standard_output(data: bytes, instead: str) -> None:
    """Write to standard output, at once; `instead` says what to do where it is closed.

    Raises
    ------
    EarmarkError
        If it is closed.
    """
    if sys.stdout is None:
        raise EarmarkError(f"standard output is closed; {instead}")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def make_folder(folder: Path) -> None:
    """Make a folder for results, or say that it cannot be written, before hours of work.

    Raises
    ------
    EarmarkError
        If it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as err:
        raise EarmarkError(f"'{folder}' cannot be written: {err.strerror}; choose another folder") from err


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], *, binary: bool = False, workshop: Path | None = None
) -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when it is complete, and then outlasts a power cut.

    Folders are made as needed; on any error the unfinished file is removed and an older one stays as
    it was.  What is no regular file (a device, a named pipe) is written directly.

    Parameters
    ----------
    path : str or path
        Where to write; a link is followed.
    binary : bool
        Bytes, or else UTF-8 text with line ends as written.
    workshop : Path, optional
        Folder, on the same disk, of the unfinished file; by default that of the finished one.

    Raises
    ------
    EarmarkError
        If it cannot be written.
    """
    target = Path(os.path.realpath(path))
    kind = "b" if binary else ""
    text: dict[str, Any] = {} if binary else {"encoding": "utf-8", "newline": ""}
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            with target.open(f"w{kind}", **text) as file:
                yield file
            return
        new = list(takewhile(lambda folder: not folder.exists(), target.parents))
        target.parent.mkdir(parents=True, exist_ok=True)
        for folder in new:
            _sync_folder(folder.parent)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder has this name")
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        # Its name does not depend on the target's, which may be as long as names can be.
        unfinished = (workshop or target.parent) / f".earmark-{os.urandom(8).hex()}.tmp"
        try:
            with unfinished.open(f"x{kind}", **text) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, unfinished)
            os.replace(unfinished, target)
            _sync_folder(target.parent)
        finally:
            with suppress(OSError):
                unfinished.unlink()
    except OSError as err:
        raise EarmarkError(
            f"'{path}' cannot be written: {err.strerror or err}; free some space there or write elsewhere"
        ) from err


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk, where the system can."""
    if sys.platform == "win32":
        return
    with suppress(OSError):  # some network file systems refuse it
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Interruptible:
    """A file for PyAV to read, in which an interruption is not lost.

    PyAV drops whatever is no `Exception`, and FFmpeg takes that for the end of the file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._interruption: BaseException | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int) -> bytes:
        if self._interruption is not None:
            return b""
        try:
            return self._file.read(size)
        except Exception:
            raise
        except BaseException as err:
            self._interruption = err
            return b""

    def check(self) -> None:
        """Raise the interruption, if one came."""
        if self._interruption is not None:
            raise self._interruption


class _Rest:
    """A pipe whose first bytes were read already."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        # What is there is passed on at once, so that live sound is not held up.
        self._read: Callable[[int], bytes] = getattr(file, "read1", file.read)

    def read(self, size: int) -> bytes:
        if not self._head:
            return self._read(size)
        part, self._head = self._head[:size], self._head[size:]
        return part

    def seekable(self) -> bool:
        return False
