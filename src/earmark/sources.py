"""Recordings of one class each, from which programmes are made: read from an index or from folders."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import av

from earmark.errors import ConfigError

Content = Literal["speech", "music", "noise"]
CONTENTS: tuple[Content, ...] = ("speech", "music", "noise")

# Words in `Source.detail` that mark a recording whose class is not sure.
SUSPECT = ("suspect label", "check")

_COLUMNS = "path content detail vocals seconds fold source group language licence".split()  # noqa: SIM905
_VOICE = re.compile(r"vocal|\bsing(?!le)|\bsung|choir|choral|chant|\brap\b")
_NO_VOICE = re.compile(r"instrumental|\b(no|non|without)\b")
_AUDIO_SUFFIX = re.compile(
    r"\.(aac|ac3|aiff?|amr|ape|au|caf|flac|m4[ab]|mk[av]|mov|mp[234c]|og[ga]|opus|spx|tta|wav|webm|wma|wv)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """One recording of one class.

    Parameters
    ----------
    path : str
        Absolute path.
    content : {"speech", "music", "noise"}
        What it holds; unintelligible babble is noise, singing is music.
    sung : bool
        Whether the music is sung.
    seconds : float
        Length.
    group : str
        Speaker, track or recording: what must stay in one split.
    origin : str
        The collection it came from.
    fold : int
        Split by group.
    licence, language, detail : str
        As the index states them; empty where it does not.
    """

    path: str
    content: Content
    sung: bool
    seconds: float
    group: str
    origin: str
    fold: int = 0
    licence: str = ""
    language: str = ""
    detail: str = ""


def read_index(csv_path: str | Path) -> list[Source]:
    """Read the recordings of an index.

    Parameters
    ----------
    csv_path : str or Path
        CSV with the columns path (relative to the index), content, detail, vocals, seconds, fold, source,
        group, language, licence; further ones are ignored.  Rows whose content is not speech, music or
        noise are left out; what `detail` calls babble is noise.

    Raises
    ------
    ConfigError
        If the index, one of its columns or one of the recordings is missing, or a number is none.
    """
    rows = [(line, row) for line, row in index_rows(csv_path, _COLUMNS) if row["content"] in CONTENTS]
    folder = Path(csv_path).absolute().parent
    sources = [_from_row(row, folder, f"index '{csv_path}', line {line}") for line, row in rows]
    lost = [(line, s.path) for (line, _), s in zip(rows, sources, strict=True) if not Path(s.path).is_file()]
    if lost:
        line, name = lost[0]
        raise ConfigError(
            f"index '{csv_path}', line {line}: no file '{name}' ({len(lost)} of {len(sources)} are missing); "
            "paths are relative to the index"
        )
    return sources


def index_rows(csv_path: str | Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read the rows of an index.

    Parameters
    ----------
    csv_path : str or Path
        CSV file with a header.
    columns : sequence of str
        Columns it must have.

    Returns
    -------
    list of (int, dict)
        Line number, and the text of every named column, without white space around it.

    Raises
    ------
    ConfigError
        If the file cannot be read or lacks a column.
    """
    try:
        with Path(csv_path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(
                    f"index '{csv_path}' has no column {', '.join(missing)}; it needs {', '.join(columns)}"
                )
            return [
                (reader.line_num, {name: (row[name] or "").strip() for name in columns}) for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise ConfigError(f"index '{csv_path}' cannot be read ({err}); give a CSV file in UTF-8") from err


def _from_row(value: dict[str, str], folder: Path, where: str) -> Source:
    try:
        seconds, fold = float(value["seconds"]), int(value["fold"] or 0)
    except ValueError as err:
        raise ConfigError(f"{where}: seconds and fold must be numbers ({err})") from err
    if not 0 < seconds < 1e7:
        raise ConfigError(f"{where}: seconds is {value['seconds']}; give the recording's length, above 0")
    content = "noise" if "babble" in value["detail"].lower() else value["content"]
    vocals = value["vocals"].lower()
    return Source(
        path=str(folder / value["path"]),
        content=cast(Content, content),
        sung=content == "music" and bool(_VOICE.search(vocals)) and not _NO_VOICE.search(vocals),
        seconds=seconds,
        group=value["group"] or value["path"],
        origin=value["source"],
        fold=fold,
        licence=value["licence"],
        language=value["language"],
        detail=value["detail"],
    )


def read_folders(
    *,
    speech: str | Path | None = None,
    music: str | Path | None = None,
    noise: str | Path | None = None,
    sung: str | Path | None = None,
) -> list[Source]:
    """Read the recordings below one folder per class; `sung` is music with singing.

    The folder's name is the origin; the group is the subfolder a file lies in, else the file itself.

    Raises
    ------
    ConfigError
        If no folder is given, one is missing or holds no audio, or a file in it cannot be read.
    """
    sources: list[Source] = []
    for content, folder in zip(CONTENTS, (speech, music, noise), strict=True):
        if folder is not None:
            sources += _from_folder(Path(folder), content, sung=False)
    if sung is not None:
        sources += _from_folder(Path(sung), "music", sung=True)
    if not sources:
        raise ConfigError("no folder given; give at least one of speech, music, noise and sung")
    return sources


def _from_folder(folder: Path, content: Content, sung: bool) -> Iterator[Source]:
    if not folder.is_dir():
        raise ConfigError(f"'{folder}' is no folder; give one with {content} recordings")
    files = audio_files(folder)
    if not files:
        raise ConfigError(f"folder '{folder}' holds no audio file; give one with {content} recordings")
    origin = folder.absolute().name
    for file in files:
        inside = file.relative_to(folder)
        group = inside if len(inside.parts) == 1 else inside.parent
        yield Source(
            path=str(file.absolute()),
            content=content,
            sung=sung,
            seconds=audio_seconds(file),
            group=f"{origin}/{group.as_posix()}",
            origin=origin,
        )


def audio_files(folder: Path) -> list[Path]:
    """Return the files below a folder whose suffix is that of audio, sorted; hidden ones are left out."""
    return sorted(
        f
        for f in folder.rglob("*")
        if _AUDIO_SUFFIX.fullmatch(f.suffix) and not f.name.startswith(".") and f.is_file()
    )


def audio_seconds(file: Path) -> float:
    """Return a recording's length in seconds: the container's word, else counted.

    Raises
    ------
    ConfigError
        If the file cannot be read, or holds no sound.
    """
    try:
        with av.open(str(file)) as container:
            if not container.streams.audio:
                raise ConfigError(f"'{file}' has no audio; take it out of the folder")
            stream = container.streams.audio[0]
            if stream.duration is not None and stream.time_base is not None:
                seconds = float(stream.duration * stream.time_base)
            elif container.duration is not None:
                seconds = container.duration / av.time_base
            else:
                seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(stream))
    except (av.error.FFmpegError, OSError) as err:
        raise ConfigError(
            f"'{file}' cannot be read as audio ({err.strerror or err}); take it out of the folder"
        ) from err
    if seconds <= 0:
        raise ConfigError(f"'{file}' holds no sound; take it out of the folder")
    return seconds


def select(
    sources: Sequence[Source],
    *,
    folds: Collection[int] | None = None,
    origins: Collection[str] | None = None,
    not_origins: Collection[str] = (),
    contents: Collection[str] | None = None,
    not_details: Collection[str] = (),
) -> list[Source]:
    """Keep the sources that fit every condition.

    Parameters
    ----------
    sources : sequence of Source
        What to choose from.
    folds, origins, contents : collection, optional
        Values to keep; all by default.
    not_origins : collection of str
        Collections to leave out.
    not_details : collection of str
        Leave out what has one of these in its detail; `SUSPECT` drops uncertain labels.

    Raises
    ------
    ConfigError
        If an origin does not occur in the sources, or nothing is left.
    """
    known = {s.origin for s in sources}
    unknown = sorted({*(origins or ()), *not_origins} - known)
    if unknown:
        raise ConfigError(f"no source comes from {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    kept = [
        s
        for s in sources
        if (folds is None or s.fold in folds)
        and (origins is None or s.origin in origins)
        and s.origin not in not_origins
        and (contents is None or s.content in contents)
        and not any(word in s.detail.lower() for word in not_details)
    ]
    if not kept:
        there = ", ".join(map(str, sorted({s.fold for s in sources})))
        raise ConfigError(
            f"none of the {len(sources)} sources (folds: {there or 'none'}) fits the chosen folds, origins "
            "and contents together; choose more widely"
        )
    return kept
