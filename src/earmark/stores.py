"""Object stores and other file systems behind an address (``s3://``, ``gs://``, ``az://``), through fsspec.

Whatever goes wrong between here and the store is a `StoreError`, also in the middle of a recording: a
recording that is only half fetched must not pass for a short one.

Needs the package fsspec (the extra ``batch``), and the one it names for the store, e.g. s3fs.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import RawIOBase
from typing import Any, BinaryIO, cast

from earmark.errors import AudioError, ConfigError, StoreError

_STORE = re.compile(r"(s3a?|gs|gcs|az|abfss?|oss|hdfs|webhdfs|sftp|smb|local|memory)://", re.IGNORECASE)


def is_store(source: str) -> bool:
    """Tell whether a source is an address in an object store or a remote file system."""
    return bool(_STORE.match(source))


def open_stored(url: str, resources: ExitStack) -> BinaryIO:
    """Open an object for reading bytes; going back and forth in it fetches ranges.

    Raises
    ------
    AudioError
        If there is no such object.
    StoreError
        If the store cannot be reached or lets nobody in.
    ConfigError
        If a package for this kind of store is missing.
    """
    system, path = file_system(url)
    try:
        with _told(url):
            file = resources.enter_context(system.open(path, "rb"))
    except (FileNotFoundError, IsADirectoryError) as err:
        raise AudioError(f"'{url}' does not exist; check the address") from err
    return cast("BinaryIO", _Stored(url, file))


def list_stored(url: str) -> Iterator[tuple[str, str]]:
    """Yield the addresses of all objects below a prefix, or that match a pattern, folder by folder.

    With each comes a text that changes when the object does, as far as the store tells.  In a pattern, ``*``,
    ``?`` and ``[...]`` stand for parts of one name, ``**`` for any folders.

    Raises
    ------
    StoreError
        If the store cannot be reached or lets nobody in.
    ConfigError
        If there is nothing of that name, or a package for this kind of store is missing.
    """
    system, _ = file_system(url)
    root = root_of(url)
    base = system._strip_protocol(root)
    pattern = url.rstrip("/").removeprefix(root).lstrip("/")
    try:
        with _told(url):
            if not system.exists(base):
                raise FileNotFoundError
            if not pattern and system.isfile(base):
                yield url, _stamp(system.info(base))
                return
            # Of the names only what is below: the rest, a host or an account, is not in those of all stores.
            for path, stamp in _below(system, base.rstrip("/") or base, _Pattern(pattern or "**")):
                yield f"{root}/{path}", stamp
    except FileNotFoundError as err:
        raise ConfigError(f"'{url}' does not exist or holds nothing; check the address") from err


class _Pattern:
    """Tells which paths below a folder are meant, and which folders may hold some."""

    def __init__(self, text: str) -> None:
        self._parts = [
            None if part == "**" else re.compile(fnmatch.translate(part)) for part in text.split("/")
        ]

    def means(self, path: str) -> bool:
        return self._fits(path.split("/"), self._parts, whole=True)

    def enters(self, folder: str) -> bool:
        return self._fits(folder.split("/"), self._parts, whole=False)

    def _fits(self, names: list[str], parts: list[re.Pattern[str] | None], whole: bool) -> bool:
        if not names:
            return not any(parts) if whole else bool(parts)
        if not parts:
            return False
        if parts[0] is None:  # no folder, or one and perhaps more
            return self._fits(names, parts[1:], whole) or self._fits(names[1:], parts, whole)
        return parts[0].fullmatch(names[0]) is not None and self._fits(names[1:], parts[1:], whole)


def _below(system: Any, top: str, pattern: _Pattern) -> Iterator[tuple[str, str]]:
    """Yield what is meant below a folder, by its path there, and its stamp.

    fsspec's own walk and patterns leave out folders that cannot be listed.
    """
    waiting = [""]
    while waiting:
        at = waiting.pop()
        folder = f"{top}/{at}".rstrip("/") or top
        try:
            found = system.ls(folder, detail=True)
        except FileNotFoundError:  # it was there a moment ago
            continue
        for entry in found:
            name = entry["name"].rstrip("/")
            path = name.removeprefix(top).lstrip("/")
            if path == at:  # an object that stands for the folder
                continue
            if entry["type"] == "directory":
                if pattern.enters(path):
                    waiting.append(path)
            elif pattern.means(path):
                yield path, _stamp(entry)


def _stamp(entry: Mapping[str, Any]) -> str:
    """Return what changes when an object does, of what a store tells."""
    told = (entry.get(name) for name in ("ETag", "etag", "LastModified", "last_modified", "updated", "mtime"))
    return f"{entry.get('size')} {next(filter(None, told), '')}"


def root_of(url: str) -> str:
    """Return the prefix that a pattern looks in, without a slash at its end; of no pattern, all of it."""
    fixed = re.split(r"[*?\[]", url, maxsplit=1)[0]
    return (fixed if fixed == url else fixed.rpartition("/")[0]).rstrip("/")


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for an address, and the path in it.

    Raises
    ------
    ConfigError, StoreError
        If it cannot be made.
    """
    import fsspec

    try:
        # Listings would be kept for ever, however many there are.
        return cast("tuple[Any, str]", fsspec.core.url_to_fs(url, use_listings_cache=False))
    except ImportError as err:
        raise ConfigError(f"'{url}' needs another package: {str(err).splitlines()[0]}") from err
    except Exception as err:
        raise _refusal(url, err) from err


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what a store's package raises, which has no common root, into one line."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, ConfigError, StoreError):
        raise
    except Exception as err:
        raise _refusal(url, err) from err


def _refusal(url: str, err: Exception) -> StoreError:
    why = (str(err).strip().splitlines() or [type(err).__name__])[0][:200].rstrip(".")
    kind = f"{type(err).__name__} {why}".lower()
    if isinstance(err, PermissionError) or re.search(
        r"credential|token|expired|access ?denied|forbidden", kind
    ):
        return StoreError(
            f"'{url}': the store lets nobody in ({why}); renew the credentials, then start again"
        )
    return StoreError(f"'{url}': the store cannot be reached ({why}); check the connection, then start again")


class _Stored(RawIOBase):
    """An open object whose faults are `StoreError`s."""

    def __init__(self, url: str, file: Any) -> None:
        super().__init__()
        self.name = url
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            with _told(self.name):
                data = self._file.read(len(buffer))
        except FileNotFoundError as err:  # it was there when it was opened
            raise _refusal(self.name, err) from err
        buffer[: len(data)] = data
        return len(data)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())
