"""Labelled recordings of the user's own: read from folders or a CSV file, and checked.

Folders are ``DATA/CLASS/FILE``, or ``DATA/CLASS/GROUP/.../FILE``; a CSV file has the columns ``path``
(relative to it) and ``label``, and perhaps ``group``, ``start`` and ``end`` (seconds).  A group is what must
not be learned and tested at once: a recording, an artist, a session.  Groups of one name are one group, in
whichever classes they lie.  What has no group is a group of its own, file by file.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from earmark.errors import AudioError, ConfigError
from earmark.inputs import expand
from earmark.train.excerpts import Excerpt

_NEEDED, _OPTIONAL = ("path", "label"), ("group", "start", "end")
# Regions that follow each other may be rounded to overlap, seconds.
_ROUNDING_S = 0.01


@dataclass(frozen=True)
class Example:
    """A recording, or a region of one, of a class.

    Parameters
    ----------
    excerpt : Excerpt
    label : str
    group : str
        What is learned or tested together.
    """

    excerpt: Excerpt
    label: str
    group: str


@dataclass(frozen=True)
class Examples:
    """What there is to learn from.

    Parameters
    ----------
    items : tuple of Example
    grouped : bool
        Whether the user named groups.
    skipped : tuple of str
        What was left out and why, one line each.
    """

    items: tuple[Example, ...]
    grouped: bool
    skipped: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted({item.label for item in self.items}))

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, each once."""
        return tuple(dict.fromkeys(item.excerpt.path for item in self.items))

    def without(self, reasons: dict[Excerpt, str]) -> Examples:
        """Leave out examples; `reasons` says which and why."""
        lines = tuple(f"{excerpt}: {why}" for excerpt, why in reasons.items())
        kept = tuple(item for item in self.items if item.excerpt not in reasons)
        return replace(self, items=kept, skipped=self.skipped + lines)


def read_examples(data: str | Path) -> Examples:
    """Read labelled recordings.

    Parameters
    ----------
    data : str or Path
        Folder of class folders, or a CSV file; see the module's first lines.

    Raises
    ------
    ConfigError
        If there is neither, or the CSV file cannot be understood.
    """
    path = Path(data)
    if path.is_dir():
        return _from_folders(path)
    if path.is_file():
        return _from_csv(path)
    raise ConfigError(f"'{data}' does not exist; give a folder of class folders, or a CSV file (path,label)")


def _from_folders(root: Path) -> Examples:
    folders = sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))
    if not folders:
        raise ConfigError(f"'{root}' holds no folders; give one folder for each class, or a CSV file")
    items, skipped, grouped = [], [], False
    for folder in folders:
        found, problems = expand([str(folder)])
        skipped += [str(problem) for problem in problems]
        for recording in found:
            *inside, _ = recording.relative.parts
            grouped = grouped or bool(inside)
            items.append(Example(Excerpt(recording.source), folder.name, inside[0] if inside else ""))
    return Examples(tuple(items), grouped, tuple(skipped))


def _from_csv(path: Path) -> Examples:
    rows = _rows(path)
    items, lost = [], []
    for line, row in rows:
        where = f"'{path}', line {line}"
        if not row["path"] or not row["label"]:
            raise ConfigError(f"{where}: path or label is empty; give both")
        start, end = (_seconds(row[name], name, where) for name in ("start", "end"))
        file = path.parent / row["path"]
        if not file.is_file():
            lost.append(f"{file}: no such file ({path.name}, line {line})")
            continue
        try:
            excerpt = Excerpt(str(file), start or 0.0, end)
        except ConfigError as err:
            raise ConfigError(f"{where}: {err}") from err
        items.append(Example(excerpt, row["label"], row["group"]))
    if not items:
        what = "none of its files exists" if lost else "it has no rows"
        raise ConfigError(f"'{path}': {what}; paths are relative to '{path.absolute().parent}'")
    return Examples(tuple(items), any(item.group for item in items), tuple(lost))


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return line numbers and the cells of the columns that count; those that are not there are empty."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            # As programs write it where the comma is in numbers.
            reader = csv.reader(file, delimiter=";" if ";" in first and "," not in first else ",")
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in _NEEDED if name not in header]
            if missing:
                raise ConfigError(
                    f"'{path}' has no column {' and no '.join(missing)}; its first line, now "
                    f"'{','.join(header)}', must name them: path,label and perhaps group,start,end"
                )
            at = {name: header.index(name) for name in (*_NEEDED, *_OPTIONAL) if name in header}
            empty = dict.fromkeys(_OPTIONAL, "")
            rows = []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) < len(header):
                    raise ConfigError(
                        f"'{path}', line {reader.line_num}: {len(cells)} cells for {len(header)} columns; "
                        "fill the row, or quote cells that hold commas"
                    )
                rows.append(
                    (reader.line_num, {**empty, **{name: cells[i].strip() for name, i in at.items()}})
                )
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise ConfigError(f"'{path}' cannot be read ({err}); give a CSV file in UTF-8") from err


def _seconds(cell: str, name: str, where: str) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        raise ConfigError(f"{where}: {name} is '{cell}'; give seconds, e.g. 12.5, or nothing") from None


def distinct(examples: Examples, digest: Callable[[str], str]) -> Examples:
    """Leave out copies and unreadable files, and give groups to what has none.

    Parameters
    ----------
    examples : Examples
    digest : callable
        What is the same for files of the same content; raises `AudioError` for those that cannot be read.

    Raises
    ------
    ConfigError
        If the same sound has two labels, or a recording lies in two groups.
    """
    reasons: dict[Excerpt, str] = {}
    by_content: dict[str, list[Example]] = defaultdict(list)
    for item in examples.items:
        try:
            by_content[digest(item.excerpt.path)].append(item)
        except AudioError as err:
            reasons[item.excerpt] = str(err).removeprefix(f"'{item.excerpt.path}' ")
    group_of: dict[Example, str] = {}
    kept: set[Example] = set()
    for same in by_content.values():
        _check_labels(same)
        for item in _once(same, reasons):
            kept.add(item)
            group_of[item] = item.group or same[0].excerpt.path
        groups = sorted({group_of[item] for item in same if item in kept})
        if len(groups) > 1:
            raise ConfigError(
                f"regions of '{same[0].excerpt.path}' lie in the groups '{groups[0]}' and '{groups[1]}': it "
                "would be learned and tested at once; give all of it one group"
            )
    ordered = dict.fromkeys(item for item in examples.items if item in kept)
    items = tuple(replace(item, group=group_of[item]) for item in ordered)
    lines = tuple(f"{excerpt}: {why}" for excerpt, why in reasons.items())
    return replace(examples, items=items, skipped=examples.skipped + lines)


def _check_labels(same: Sequence[Example]) -> None:
    """Refuse regions of one content that overlap and have two labels."""
    end, before = -1.0, same[0]
    for item in sorted(same, key=lambda item: item.excerpt.start):
        if item.excerpt.start < end - _ROUNDING_S and item.label != before.label:
            one, other = f"'{before.excerpt}'", f"'{item.excerpt}'"
            if one == other:
                what = f"{one} has two labels, '{before.label}' and '{item.label}'"
            else:
                how = "overlap" if item.excerpt.path == before.excerpt.path else "have the same content"
                what = f"{one} ('{before.label}') and {other} ('{item.label}') {how}, but different labels"
            raise ConfigError(f"{what}; keep the right one")
        last = float("inf") if item.excerpt.end is None else item.excerpt.end
        if last > end:
            end, before = last, item


def _once(same: Sequence[Example], reasons: dict[Excerpt, str]) -> list[Example]:
    """Return one example of each region; note the others."""
    first: dict[tuple[float, float | None], Example] = {}
    for item in same:
        region = (item.excerpt.start, item.excerpt.end)
        known = first.setdefault(region, item)
        if known.excerpt != item.excerpt:
            reasons[item.excerpt] = f"has the same content as '{known.excerpt}', which is used once"
    return list(first.values())


def check_classes(examples: Examples) -> None:
    """Refuse what nothing can be learned and tested on.

    Raises
    ------
    ConfigError
        If there are fewer than two classes, or one has a single file or a single group.
    """
    skipped = f" ({len(examples.skipped)} files were left out)" if examples.skipped else ""
    if len(examples.classes) < 2:
        what = f"one class, '{examples.classes[0]}'" if examples.classes else "no class"
        raise ConfigError(f"there is {what}{skipped}; give files of two classes or more")
    for label in examples.classes:
        own = [item for item in examples.items if item.label == label]
        groups = {item.group for item in own}
        if len(own) == 1:
            raise ConfigError(
                f"class '{label}' has one file, '{own[0].excerpt}'{skipped}; give it two or more, better "
                "twenty, or leave it out"
            )
        if len(groups) == 1:
            raise ConfigError(
                f"class '{label}' has one group, '{own[0].group}', in which all its {len(own)} files lie"
                f"{skipped}: it cannot be learned and tested; give it files of another group"
            )
