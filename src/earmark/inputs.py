"""From what a user names (files, folders, patterns, addresses) to recordings, and where results go."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote

from earmark.errors import EarmarkError
from earmark.files import is_url, split_url

_SUFFIXES = frozenset(
    f".{suffix}"
    for kinds in (
        "aac ac3 aif aifc aiff alac amr ape au caf dts eac3 flac gsm m2a m4a m4b m4p mka mp1 mp2 mp3 mpa",
        "mpc oga ogg opus ra snd spx tta w64 wav wave wma wv",
        "3g2 3gp asf avi divx dv f4v flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ogx rm rmvb ts vob",
        "webm wmv",
    )
    for suffix in kinds.split()
)

# What is before and behind a part ``**`` of a pattern.
_SEP = f"[{re.escape(os.sep + (os.altsep or ''))}]"
_DEEP = re.compile(rf"((?:.*?{_SEP})?)\*\*(?:{_SEP}+(.*))?", re.DOTALL)


class InputError(EarmarkError):
    """What a user named is no recording, or its result has no place of its own."""


@dataclass(frozen=True)
class Input:
    """A recording to work on.

    Parameters
    ----------
    source : str
        Path, address or ``"-"``, as `open_audio` takes it.
    name : str
        File name, for results and messages.
    relative : PurePath
        Its place below the folder or pattern it was found with; else just the name.
    """

    source: str
    name: str
    relative: PurePath


def expand(inputs: Sequence[str]) -> tuple[list[Input], list[EarmarkError]]:
    """Find the recordings a user means.

    Parameters
    ----------
    inputs : sequence of str
        Files of any suffix; folders, searched through for audio and video files; patterns with ``*``,
        ``?``, ``[...]`` and ``**`` (a file of that very name comes first); http(s) addresses; ``"-"``
        for standard input.  Hidden files are left out unless named.

    Returns
    -------
    recordings : list of Input
        In the order given, folders and patterns sorted by path; each recording once, by the name of the
        file rather than of a link to it.
    problems : list of EarmarkError
        One for each input, or folder below one, that gives nothing.
    """
    found: dict[str, Input] = {}
    problems: list[EarmarkError] = []
    for given in inputs:
        try:
            for item in _expand_one(given, problems):
                key = (
                    item.source
                    if is_url(item.source) or item.source == "-"
                    else os.path.realpath(item.source)
                )
                before = found.setdefault(key, item)
                # A link may lead elsewhere tomorrow.
                if os.path.islink(before.source) and not os.path.islink(item.source):
                    found[key] = item
        except EarmarkError as err:
            problems.append(err)
    return list(found.values()), problems


def output_path(item: Input, directory: str | os.PathLike[str], suffix: str) -> Path:
    """Return where the result for a recording goes: its place below `directory`, with another suffix."""
    return Path(directory) / item.relative.parent / f"{PurePath(item.name).stem}.{suffix.removeprefix('.')}"


def plan_outputs(
    items: Iterable[Input], directory: str | os.PathLike[str], suffixes: Sequence[str]
) -> dict[Input, tuple[Path, ...]]:
    """Decide where the results of all recordings go, one per suffix.

    Raises
    ------
    InputError
        If two of them would be one file (on some systems, if they differ in case only), or one would
        overwrite a recording.
    """
    items = list(items)
    plan = {item: tuple(output_path(item, directory, suffix) for suffix in suffixes) for item in items}
    recordings = {_key(item.source): item.source for item in items if not _is_no_file(item.source)}
    owners: dict[str, Input] = {}
    for item, paths in plan.items():
        for path in paths:
            key = _key(path)
            if key in recordings:
                raise InputError(
                    f"the result '{path}' would overwrite the recording '{recordings[key]}'; "
                    "choose another folder"
                )
            owner = owners.setdefault(key, item)
            if owner is not item:
                raise InputError(
                    f"'{owner.source}' and '{item.source}' would both be written to '{path}'; "
                    "rename one, or write them to different folders"
                )
    return plan


def _expand_one(given: str, problems: list[EarmarkError]) -> Iterator[Input]:
    if given == "-":
        yield Input("-", "stdin", PurePath("stdin"))
    elif is_url(given):
        name = _url_name(given)
        yield Input(given, name, PurePath(name))
    elif os.path.isdir(given):
        yield from _in_folder(given, Path(given), problems)
    elif os.path.lexists(given):
        name = os.path.basename(given)
        yield Input(given, name, PurePath(name))
    elif glob.has_magic(given):
        yield from _matching(given, problems)
    else:
        raise InputError(f"'{given}' does not exist; check the path")


def _url_name(url: str) -> str:
    parts = split_url(url)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    # It becomes a file name.
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", last).strip(". ") or parts.hostname or "recording"


def _in_folder(given: str, root: Path, problems: list[EarmarkError]) -> Iterator[Input]:
    """Find audio and video files below a folder; places are relative to `root`."""
    empty, failed = True, len(problems)
    for folder, names in _walk(given, problems):
        for name in sorted(names):
            if is_recording(name):
                empty = False
                path = Path(folder, name)
                yield Input(str(path), name, path.relative_to(root))
    if empty and len(problems) == failed:
        raise InputError(
            f"folder '{given}' holds no audio or video files; give files by name if their suffix is rare"
        )


def _walk(top: str, problems: list[EarmarkError]) -> Iterator[tuple[str, list[str]]]:
    """Yield the folders from `top` down with the names of their files; hidden ones and links are left out."""

    def note(err: OSError) -> None:
        problems.append(
            InputError(f"folder '{err.filename}' cannot be read ({err.strerror}); change its permissions")
        )

    for folder, folders, names in os.walk(top, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield folder, names


def _glob(pattern: str, root: str, problems: list[EarmarkError]) -> Iterator[str]:
    """Yield what `glob.glob` finds below a folder, but for what ``**`` reaches through links to folders.

    These may lead in circles: with two of them there are more ways round than anyone can go.
    """
    deep = _DEEP.fullmatch(pattern)
    if deep is None:
        for match in glob.glob(pattern, root_dir=root or None):
            yield os.path.join(root, match)
        return
    above, below = deep.groups()
    for top in _glob(above, root, problems) if above else [root]:
        for folder, _ in _walk(top or os.curdir, problems):
            yield from _glob(below or "*", folder, problems)


def _matching(pattern: str, problems: list[EarmarkError]) -> Iterator[Input]:
    matches = sorted({str(Path(match)) for match in _glob(pattern, "", problems)})
    fixed = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    root = Path(os.path.dirname(fixed))
    # "*.xyz" names a suffix on purpose; "*" or "take*" means the recordings among what is there.
    explicit = bool(PurePath(pattern).suffix) and not glob.has_magic(PurePath(pattern).suffix)
    empty = True
    for match in matches:
        if os.path.isdir(match):
            if "**" not in pattern:  # which matches what is in them as well
                empty = False
                yield from _in_folder(match, root, problems)
        elif explicit or is_recording(match):
            empty = False
            path = Path(match)
            yield Input(match, path.name, path.relative_to(root))
    if empty:
        what = "no audio or video file" if matches else "nothing"
        raise InputError(f"'{pattern}' matches {what}; check the pattern, and quote it as a whole")


def is_recording(path: str) -> bool:
    name = os.path.basename(path)
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in _SUFFIXES


def _is_no_file(source: str) -> bool:
    return source == "-" or is_url(source)


def _key(path: str | os.PathLike[str]) -> str:
    """Return what is the same for paths that some file system takes for one."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()
