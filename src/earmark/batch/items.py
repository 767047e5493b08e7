"""From what a user names (a folder, a pattern, a list, a table, an object store) to items, one at a time.

However many there are, only a piece of the list is in memory.
"""

from __future__ import annotations

import csv
import glob
import http.client
import os
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path, PurePath
from typing import TextIO, cast
from urllib.parse import urljoin, urlsplit

from earmark.errors import ConfigError, StoreError
from earmark.files import is_url, open_binary
from earmark.inputs import is_recording
from earmark.stores import is_store, list_stored, root_of

_LISTS = (".txt", ".lst", ".list", ".m3u", ".m3u8")
_TABLES = {".csv": ",", ".tsv": "\t"}
_SOURCE_COLUMNS = ("source", "path", "file", "url")
# What some file system does not allow in a name, and what stands for others here.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f%:*?"<>|\\]')
_LONGEST_NAME = 200  # of bytes, so that a suffix still fits
_TIMEOUT_S = 30

# Told, in one line, of what is left out.
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Item:
    """A recording of a batch.

    Parameters
    ----------
    id : str
        Its name in the batch, which no other has: the path below the folder or prefix, the line of a list,
        or what a table says.
    source : str
        What `open_audio` takes.
    facts : mapping of str to str
        Other columns of the table it comes from.
    stamp : str or None
        Changes when what is in the source does: size and date, or what a store says; None if nothing tells.
    """

    id: str
    source: str
    facts: Mapping[str, str] = field(default_factory=dict)
    stamp: str | None = field(default=None, compare=False)


def find_items(source: str, warn: Warn = lambda _: None) -> Iterator[Item]:
    """Yield the items that a source names.

    Parameters
    ----------
    source : str
        A folder, searched through for recordings; a pattern; a recording; a prefix or a pattern in an object
        store; a list (.txt, .lst, .list, .m3u: a line each) or a table (.csv, .tsv: with a column ``source``,
        ``path``, ``file`` or ``url``, perhaps ``id``, and any others), here, in a store or on a web server.
    warn : callable
        Called for each folder below a folder that cannot be read, and is left out.

    Raises
    ------
    ConfigError
        If there is nothing of that name, no recording in it, or a table that cannot be understood.
    StoreError
        If a store or server cannot be reached.
    """
    suffix = PurePath(urlsplit(source).path if is_url(source) else source).suffix.lower()
    if suffix in _TABLES:
        found = _from_table(source, _TABLES[suffix])
    elif suffix in _LISTS:
        found = _from_list(source)
    elif is_url(source) and is_store(source):
        found = _from_store(source)
    elif is_url(source):
        raise ConfigError(
            f"'{source}': of web servers, give a list of addresses ({', '.join((*_LISTS, *_TABLES))}); "
            "of object stores, s3://, gs:// or az:// and a prefix"
        )
    elif os.path.isdir(source):
        found = _from_folder(source, warn)
    elif os.path.exists(source):
        found = iter([_item(os.path.basename(source), os.path.abspath(source))])
    elif glob.has_magic(source):
        found = _from_pattern(source)
    else:
        raise ConfigError(
            f"'{source}' does not exist; give a folder, a pattern, a list, a table or an address"
        )
    first = next(found, None)
    if first is None:
        raise ConfigError(f"'{source}' names no audio or video file; check it")
    yield first
    yield from found


def result_path(item_id: str) -> PurePath:
    """Return where the result of an item lies below the folder of results; no two ids share one.

    The id's own folders are kept.  What some file system does not allow in a name is written as ``%3A``; a
    name that is too long is cut, with a checksum.
    """
    scheme, sign, rest = item_id.rpartition("://")
    *folders, name = (_safe_name(part) for part in rest.split("/"))
    # A folder must not have the name of a result.
    folders = [re.sub(r"\.(json)$", r"%2E\1", folder, flags=re.IGNORECASE) for folder in folders]
    return PurePath(*([f"{_safe_name(scheme)}%"] if sign else []), *folders, f"{name}.json")


def _safe_name(name: str) -> str:
    safe = _NOT_IN_NAMES.sub(lambda found: f"%{ord(found.group()):02X}", name)
    if safe.strip(". ") != safe:  # hidden, a parent folder, or what Windows cuts off
        safe = re.sub(r"^[. ]|[. ]$", lambda found: f"%{ord(found.group()):02X}", safe)
    data = safe.encode("utf-8", "surrogateescape")
    if len(data) > _LONGEST_NAME:
        head = data[: _LONGEST_NAME - 33].decode("utf-8", "ignore")
        return f"{head}%{sha256(data).hexdigest()[:32]}"
    return safe or "%"


def _from_folder(folder: str, warn: Warn) -> Iterator[Item]:
    """Walk through a folder without ever holding a list of what is in it."""
    root = os.path.abspath(folder)
    waiting = [root]
    while waiting:
        at = waiting.pop()
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif is_recording(entry.name):
                        yield _item(_relative(entry.path, root), entry.path)
        except OSError as err:
            problem = f"folder '{at}' cannot be read ({err.strerror}); change its permissions"
            if at == root:
                raise ConfigError(problem) from err
            warn(problem)


def _from_pattern(pattern: str) -> Iterator[Item]:
    # "*.xyz" names a suffix on purpose; "*" or "take*" means the recordings among what is there.
    suffix = PurePath(pattern).suffix
    explicit = bool(suffix) and not glob.has_magic(suffix)
    root = os.path.abspath(os.path.dirname(re.split(r"[*?[]", pattern, maxsplit=1)[0]))
    for match in glob.iglob(pattern, recursive=True):
        if (explicit or is_recording(match)) and not os.path.isdir(match):
            path = os.path.abspath(match)
            yield _item(_relative(path, root), path)


def _from_store(url: str) -> Iterator[Item]:
    root = f"{root_of(url)}/"
    for address, stamp in list_stored(url):
        if is_recording(address):
            # A prefix that is itself an object has no path below it.
            name = address.removeprefix(root) if address.startswith(root) else _name(address)
            yield Item(name, address, stamp=stamp)


def _from_list(source: str) -> Iterator[Item]:
    with _lines(source) as lines:
        for line in lines:
            text = line.strip()
            if text and not text.startswith("#"):
                yield _item(text.lstrip("/"), _resolved(text, source))


def _from_table(source: str, delimiter: str) -> Iterator[Item]:
    with _lines(source) as lines:
        rows = csv.reader(lines, delimiter=delimiter)
        header = [name.strip() for name in next(rows, [])]
        column = next((name for name in _SOURCE_COLUMNS if name in header), None)
        if column is None:
            raise ConfigError(
                f"table '{source}' has the columns {', '.join(header) or 'none'}; "
                f"its first line must name one {', '.join(_SOURCE_COLUMNS[:-1])} or {_SOURCE_COLUMNS[-1]}"
            )
        if twice := [name for name, count in Counter(header).items() if count > 1]:
            raise ConfigError(
                f"table '{source}' has several columns '{twice[0]}'; give each a name of its own"
            )
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise ConfigError(
                    f"table '{source}', line {rows.line_num}: {len(row)} columns, not {len(header)}; "
                    "put values that hold a delimiter into quotes"
                )
            values = {name: value.strip() for name, value in zip(header, row, strict=True)}
            given = values.pop(column)
            name = values.pop("id", "") or given.lstrip("/")
            if not given:
                raise ConfigError(f"table '{source}', line {rows.line_num}: '{column}' is empty; fill it in")
            yield _item(name, _resolved(given, source), values)


def _item(name: str, source: str, facts: Mapping[str, str] | None = None) -> Item:
    stamp = None
    if not is_url(source):
        with suppress(OSError, ValueError):  # whoever opens it will tell
            found = os.stat(source)
            stamp = f"{found.st_size} {found.st_mtime_ns}"
    return Item(name, source, facts or {}, stamp)


@contextmanager
def _lines(source: str) -> Iterator[Iterable[str]]:
    """Open a list or a table as lines of UTF-8 text, wherever it lies."""
    with ExitStack() as resources:
        try:
            text, reply = _open_text(source, resources)
            yield text
            if missing := getattr(reply, "length", None):  # must not pass for a short list
                raise StoreError(f"'{source}' was cut off, {missing} bytes are missing; start again")
        except (OSError, http.client.HTTPException) as err:
            raise StoreError(f"'{source}' cannot be read to its end ({err}); start again") from err
        except UnicodeDecodeError as err:
            raise ConfigError(f"'{source}' is no UTF-8 text ({err.reason}); save it as UTF-8") from err
        except csv.Error as err:
            raise ConfigError(f"table '{source}' cannot be read ({err}); save it as CSV again") from err


def _open_text(source: str, resources: ExitStack) -> tuple[TextIO, object]:
    """Open a list; return a web server's reply, too, which knows what is still to come."""
    if not is_url(source) or is_store(source):
        _, file = open_binary(source, resources)
        return TextIOWrapper(BufferedReader(cast("RawIOBase", file)), "utf-8-sig", newline=""), None
    try:
        reply = resources.enter_context(urllib.request.urlopen(source, timeout=_TIMEOUT_S))
    except (urllib.error.URLError, OSError) as err:
        raise StoreError(
            f"'{source}' cannot be fetched ({err}); check the address and the connection"
        ) from err
    return TextIOWrapper(reply, "utf-8-sig", newline=""), reply


def _resolved(text: str, listed_in: str) -> str:
    """Return a source named in a list: a path is relative to the folder the list is in."""
    if is_url(text):
        return text
    if is_url(listed_in):
        if is_store(listed_in):
            return text if text.startswith("/") else f"{listed_in.rpartition('/')[0]}/{text}"
        return urljoin(listed_in, text)
    return os.path.abspath(Path(listed_in).parent / text)


def _relative(path: str, root: str) -> str:
    relative = os.path.relpath(path, root).replace(os.sep, "/")
    # Names need not be valid text; ids are.
    return relative.encode("utf-8", "backslashreplace").decode("utf-8")


def _name(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]
