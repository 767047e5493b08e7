"""Object stores and other file systems behind an address (``s3://``, ``gs://``, ``az://``), through fsspec.

Whatever goes wrong between here and the store is a `StoreError`, also in the middle of a recording: a
recording that is only half fetched must not pass for a short one.

Needs the package fsspec (the extra ``batch``), and the one it names for the store, e.g. s3fs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
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


def list_stored(url: str) -> Iterator[str]:
    """Yield the addresses of all objects below a prefix, or that match a pattern, folder by folder.

    Raises
    ------
    StoreError
        If the store cannot be reached or lets nobody in.
    ConfigError
        If there is nothing of that name, or a package for this kind of store is missing.
    """
    system, path = file_system(url)
    root = root_of(url)
    base = system._strip_protocol(root)

    def address(name: str) -> str:
        # Only what is below the root: the rest, a host or an account, is not in the names of all stores.
        return f"{root}/{name.removeprefix(base).lstrip('/')}"

    try:
        with _told(url):
            if root != url.rstrip("/"):
                yield from map(address, system.glob(path))
                return
            if not system.exists(path):
                raise FileNotFoundError
            if system.isfile(path):
                yield url
                return
            yield from map(address, _below(system, path))
    except FileNotFoundError as err:
        raise ConfigError(f"'{url}' does not exist or holds nothing; check the address") from err


def _below(system: Any, path: str) -> Iterator[str]:
    """Yield what is below a folder.  fsspec's own walk leaves out folders it cannot list."""
    waiting = [path.rstrip("/") or path]
    while waiting:
        folder = waiting.pop()
        try:
            found = system.ls(folder, detail=True)
        except FileNotFoundError:  # it was there a moment ago
            continue
        for entry in found:
            name = entry["name"].rstrip("/")
            if name == folder:  # an object that stands for the folder
                continue
            if entry["type"] == "directory":
                waiting.append(name)
            else:
                yield name


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
