"""Recordings and what is right about them: read from a folder or a CSV file.

In a folder, a recording has its timeline beside it, with the same stem, in any format of `earmark convert`;
folders below are searched, too.  A CSV file has the columns ``path`` and ``timeline`` (relative to it), and
perhaps ``group``: what must not be learned and tested at once.  What has no group is one of its own.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import AnnotationError, ConfigError
from earmark.formats import FORMATS, read
from earmark.inputs import expand, is_recording
from earmark.timeline import Timeline

_SUFFIXES = frozenset(suffix.lower() for known in FORMATS.values() for suffix in known.suffixes)
_COLUMNS = ("path", "timeline", "group")


@dataclass(frozen=True)
class Marked:
    """A recording, its timeline, and what it is left out together with.

    Parameters
    ----------
    path : Path
    timeline : Timeline
        A duration of 0 stands for the whole recording, in which nothing is marked; what lies behind any other
        is left out.
    group : str
    """

    path: Path
    timeline: Timeline
    group: str


def read_marked(data: str | Path) -> tuple[list[Marked], list[str]]:
    """Read recordings and timelines.

    Parameters
    ----------
    data : str or Path
        Folder or CSV file; see the module's first lines.

    Returns
    -------
    marked : list of Marked
    problems : list of str
        What was left out and why, one line each.

    Raises
    ------
    ConfigError
        If there is neither, or nothing in it can be used.
    """
    path = Path(data)
    if path.is_dir():
        return _from_folder(path)
    if path.is_file():
        return _from_csv(path)
    raise ConfigError(
        f"'{data}' does not exist; give a folder of recordings with timelines beside them, or a CSV file "
        "(path,timeline)"
    )


def _from_folder(root: Path) -> tuple[list[Marked], list[str]]:
    found, errors = expand([str(root)])
    problems = [str(error) for error in errors]
    beside: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(root.rglob("*")):
        is_timeline = path.suffix.lower() in _SUFFIXES and not is_recording(path.name)
        if is_timeline and not any(part.startswith(".") for part in path.relative_to(root).parts):
            beside[path.with_suffix("")].append(path)
    marked, stems = [], set()
    for item in found:
        recording = Path(item.source)
        stem = recording.with_suffix("")
        timelines = beside.get(stem, [])
        if stem in stems:
            raise ConfigError(f"'{stem}' is the name of two recordings; keep one of them, or give a CSV file")
        stems.add(stem)
        if len(timelines) > 1:
            raise ConfigError(f"'{timelines[0]}' and '{timelines[1]}' are of one recording; keep one of them")
        if not timelines:
            problems.append(f"{recording}: it has no timeline beside it, and is left out")
            continue
        try:
            marked.append(Marked(recording, read(timelines[0]), str(item.relative)))
        except AnnotationError as err:
            problems.append(str(err))
    for stem in sorted(beside.keys() - stems):
        problems += [f"{path}: there is no recording beside it, and it is left out" for path in beside[stem]]
    return _checked(marked, problems, f"'{root}' holds no recording with a timeline beside it")


def _from_csv(path: Path) -> tuple[list[Marked], list[str]]:
    marked, problems = [], []
    for line, row in _rows(path):
        recording, timeline = (path.parent / row[name] for name in _COLUMNS[:2])
        lost = next((one for one in (recording, timeline) if not one.is_file()), None)
        if lost is not None:
            problems.append(f"{lost}: no such file ({path.name}, line {line})")
            continue
        try:
            marked.append(Marked(recording, read(timeline), row["group"] or str(recording)))
        except AnnotationError as err:
            problems.append(str(err))
    seen: set[Path] = set()
    for one in (each.path.resolve() for each in marked):
        if one in seen:
            raise ConfigError(f"'{path}' names '{one}' twice; keep one row")
        seen.add(one)
    why = f"'{path}' names no recording and timeline that are there; paths are relative to '{path.parent}'"
    return _checked(marked, problems, why)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return line numbers and the cells of the columns that count."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            if missing := [name for name in _COLUMNS[:2] if name not in header]:
                raise ConfigError(
                    f"'{path}' has no column {' and no '.join(missing)}; its first line, now "
                    f"'{','.join(header)}', must name them: path,timeline and perhaps group"
                )
            rows = []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                row = dict.fromkeys(_COLUMNS, "") | dict(
                    zip(header, (cell.strip() for cell in cells), strict=False)
                )
                if not row["path"] or not row["timeline"]:
                    raise ConfigError(
                        f"'{path}', line {reader.line_num}: path or timeline is empty; give both"
                    )
                rows.append((reader.line_num, row))
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise ConfigError(f"'{path}' cannot be read ({err}); give a CSV file in UTF-8") from err


def _checked(marked: list[Marked], problems: list[str], why: str) -> tuple[list[Marked], list[str]]:
    if not marked:
        raise ConfigError(why + (f"; the first problem: {problems[0]}" if problems else ""))
    return marked, problems
