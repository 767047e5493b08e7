"""Datasets of which an index lists clips: a part of SeFiRe, or all of GTZAN speech/music, as short files.

The index is that of mixes and training (`earmark.sources`); clips for benchmarks are the rows whose
content is ``benchmark`` or ``field recording``.  Their class stands in `detail`.
"""

from __future__ import annotations

from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Layout
from earmark.datasets.recordings import Clip
from earmark.errors import ConfigError
from earmark.sources import index_rows

INDEX = "index.csv"
# Contents of an index that are for benchmarks.
BENCHMARKS = ("benchmark", "field recording")

_COLUMNS = ("path", "content", "detail", "fold", "source", "group", "licence")


def index_layout(source: str) -> Layout[Clip]:
    """Return the layout of a dataset whose clips an index lists under `source`.

    The label of a clip is ``"speech"`` or ``"noise"`` where its detail says that, else ``"music"``.
    """

    def find(folder: Path) -> Path | None:
        try:
            return folder if _clips(folder, source) else None
        except ConfigError:  # there is none, or it is none: the check of the index itself tells
            return None

    def read(root: Path) -> list[Clip]:
        return [clip for clip in _clips(root, source) if clip.path.is_file()]

    def check(root: Path) -> list[str]:
        listed = _clips(root, source)
        there = [clip.path for clip in listed if clip.path.is_file()]
        absent = {clip.path for clip in listed} - set(there)
        names = [path.relative_to(root).as_posix() for path in absent]
        return [*problems.missing("files of the index are", names), *problems.empty(root, there)]

    return Layout(f"{INDEX} whose column source names {source}", find, read, check)


def _clips(root: Path, source: str) -> list[Clip]:
    clips = []
    for line, row in index_rows(root / INDEX, _COLUMNS):
        if row["source"] != source or row["content"] not in BENCHMARKS:
            continue
        label = row["detail"] if row["detail"] in ("speech", "noise") else "music"
        try:
            fold = int(row["fold"]) if row["fold"] else None
        except ValueError as err:
            raise ConfigError(f"index '{root / INDEX}', line {line}: fold must be a number ({err})") from err
        clips.append(
            Clip(
                path=root / row["path"],
                label=label,
                group=row["group"] or row["path"],
                detail="" if row["detail"] == label else row["detail"],
                fold=fold,
                licence=row["licence"],
            )
        )
    return clips
