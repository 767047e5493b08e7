"""SeFiRe: clips of 5 s from ethnomusicological field recordings, by Marolt et al. ("Marolt19").

Layout: a clone of the repository, that is ``samples/00001.mp3`` and so on with their classes in
``samples/sample labels.txt`` (tab-separated: file name, and ``s`` speech, ``1`` solo singing, ``2`` choir,
``i`` instrumental, ``x`` noise); or the rows of an index (`earmark.datasets.index`).

Singing and instrumental music are music, with the kind as detail, so that the four classes of the published
experiments are the `finest` ones; noise, a part of the files but none of those experiments, is left to the
caller to drop.  Which clips come from the same recording is not published.  Neighbours often do: blocks of 25
consecutive numbers are a group.

The repository holds 3,682 of the 7,527 clips of the papers; the others it describes by links.

References
----------
Marolt et al. 2019 and the repository's README.
"""

from __future__ import annotations

from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.index import index_layout
from earmark.datasets.recordings import Clip
from earmark.errors import AnnotationError
from earmark.formats.reading import Rows, decode_text, read_bytes, shown, split_lines
from earmark.sources import audio_files

_LABELS = "sample labels.txt"
_CLASSES = {
    "s": ("speech", ""),
    "1": ("music", "solo singing"),
    "2": ("music", "choir"),
    "i": ("music", "instrumental"),
    "x": ("noise", ""),
}
_N_CLIPS = 3682
_BLOCK = 25
_LICENCE = "free for research, with citation"


def _find(folder: Path) -> Path | None:
    return locate(folder, ("", "samples", "field-recording-db/samples"), _LABELS)


def _classes(root: Path) -> dict[str, tuple[str, str]]:
    """Return label and detail of each clip, by its name without suffix."""
    path = root / _LABELS
    rows = Rows(str(path))
    classes: dict[str, tuple[str, str]] = {}
    for line, text in enumerate(split_lines(decode_text(read_bytes(path), str(path))), start=1):
        name, tab, code = text.strip().partition("\t")
        if not name or (line == 1 and code.strip().lower() == "label"):
            continue
        if not tab or code.strip() not in _CLASSES:
            raise rows.error(line, f"{shown(text)}: give a file name, a tab and one of {', '.join(_CLASSES)}")
        classes[Path(name).stem] = _CLASSES[code.strip()]
    return classes


def _group(stem: str) -> str:
    return f"sefire/{int(stem) // _BLOCK}" if stem.isdecimal() else f"sefire/{stem}"


def _read(root: Path) -> list[Clip]:
    files = {f.stem: f for f in audio_files(root)}
    return [
        Clip(files[stem], label, _group(stem), detail, licence=_LICENCE)
        for stem, (label, detail) in _classes(root).items()
        if stem in files
    ]


def _check(root: Path) -> list[str]:
    try:
        stems = set(_classes(root))
    except AnnotationError as err:
        return [str(err)]
    known = [f for f in audio_files(root) if f.stem in stems]
    absent = stems - {f.stem for f in known}
    return [
        *problems.missing("labelled clips are", absent),
        *problems.miscounted({"labelled clips": len(stems)}, {"labelled clips": _N_CLIPS}),
        *problems.empty(root, known),
        *problems.foreign(root, known),
    ]


DATASET = Dataset(
    name="sefire",
    title="SeFiRe",
    content="clips of field recordings, 5 s each",
    labels=("speech", "solo singing", "choir", "instrumental", "noise"),
    n_files=_N_CLIPS,
    hours=5.1,
    licence=_LICENCE,
    citation="M. Marolt, C. Bohak, A. Kavčič, M. Pesek, Automatic segmentation of ethnomusicological field "
    "recordings, Applied Sciences 9(3), 2019.",
    source="Clone https://github.com/matijama/field-recording-db.",
    uses=("Kehling & Cano (source task Marolt19)", "Grollmisch et al. (T3)"),
    layouts=(
        Layout(f"'{_LABELS}' and the clips it names", _find, _read, _check),
        index_layout("sefire"),
    ),
)
