"""A collection of your own: recordings of speech, music and noise, listed with folds in an index.

Layout: ``index.csv`` (its columns: docs/mix-and-train.md) and the recordings it names, relative to it.
Rows of other contents are for benchmarks and are no part of it; such of SeFiRe and of GTZAN speech/music
can be used as those datasets.

A clip's detail is that of the index; `earmark.sources.SUSPECT` lists the words that mark a doubtful one.
"""

from __future__ import annotations

from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout
from earmark.datasets.index import INDEX
from earmark.datasets.recordings import Clip
from earmark.errors import ConfigError
from earmark.sources import CONTENTS, Source, index_rows, read_index


def _find(folder: Path) -> Path | None:
    return folder if (folder / INDEX).is_file() else None


def _read(root: Path) -> list[Clip]:
    return [
        Clip(
            path=Path(source.path),
            label=source.content,
            group=source.group,
            detail=source.detail,
            fold=source.fold,
            licence=source.licence,
        )
        for source in read_index(root / INDEX)
    ]


def _check(root: Path) -> list[str]:
    try:
        rows = [row for _, row in index_rows(root / INDEX, ("path", "content"))]
        # Relative to the index, but perhaps outside its folder.
        listed = {row["path"]: root / row["path"] for row in rows}
        absent = [name for name, path in listed.items() if not path.is_file()]
        found = [
            *problems.missing("files of the index are", absent),
            *problems.foreign(root, listed.values()),
        ]
        return found if absent else found + _check_folds(read_index(root / INDEX))
    except ConfigError as err:
        return [str(err)]


def _check_folds(sources: list[Source]) -> list[str]:
    """Return a line for each class that folds lack, and for groups that lie in several folds."""
    folds = sorted({source.fold for source in sources})
    full = {(source.content, source.fold) for source in sources}
    bare = {c: [str(fold) for fold in folds if (c, fold) not in full] for c in CONTENTS}
    lines = [f"{content}: no recording in fold {', '.join(own)}" for content, own in bare.items() if own]
    of_group: dict[str, set[int]] = {}
    for source in sources:
        of_group.setdefault(source.group, set()).add(source.fold)
    split = [group for group, its_folds in of_group.items() if len(its_folds) > 1]
    return [*lines, *([f"{len(split)} groups lie in several folds: {problems.some(split)}"] if split else [])]


DATASET = Dataset(
    name="corpus",
    title="a corpus of your own",
    content="speech, music and noise with folds",
    labels=CONTENTS,
    n_files=None,
    hours=None,
    licence="that of each recording, in the index",
    citation="",
    source="Collect recordings of one class each and list them in index.csv as docs/mix-and-train.md says.",
    uses=("training and measuring the detector",),
    layouts=(Layout(f"{INDEX} and the recordings it names", _find, _read, _check),),
)
