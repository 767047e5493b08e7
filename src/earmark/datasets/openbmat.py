"""OpenBMAT: 1,647 minutes of television from four countries, with its music marked by three annotators.

Layout: ``audio/<Country>_<Kind>_<number>_<number>.wav`` and ``annotations/json/MD_mapping.json``, which maps
``annotations`` → annotator → recording → segment to ``class`` (``music`` or ``no-music``), ``start`` and
``end`` in seconds.  Other mappings, and the same as .tsv, lie beside it and are not needed.

Music is where more than half of the annotators marked it.  Only music was looked for, so references have
that label alone.  The kind of programme becomes the detail; every file is a group of its own.

References
----------
Meléndez-Catalán, Molina and Gómez 2019.  The files are as biboamy/TVSM-dataset and ina-foss/inaVAMOS read
them; taking the majority is our choice (the latter takes what any annotator marked).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.recordings import Annotated
from earmark.errors import AnnotationError, ConfigError
from earmark.formats.reading import Rows, decode_text, read_bytes
from earmark.sources import audio_files, audio_seconds
from earmark.timeline import Timeline

_ANNOTATION = "annotations/json/MD_mapping.json"
_N_FILES = 1647
_KIND = re.compile(r"(?:France|Germany|Spain|United_Kingdom)_(?P<kind>\w+?)_\d+_\d+")

Interval = tuple[float, float]


def _find(folder: Path) -> Path | None:
    return locate(folder, ("", "OpenBMAT"), _ANNOTATION)


def _marks(root: Path) -> dict[str, list[list[Interval]]]:
    """Return the intervals with music that each annotator marked, by recording."""
    path = root / _ANNOTATION
    rows = Rows(str(path))
    marks: dict[str, list[list[Interval]]] = {}
    try:
        annotators: Mapping[str, Any] = json.loads(decode_text(read_bytes(path), str(path)))["annotations"]
        for annotator, recordings in annotators.items():
            for name, segments in recordings.items():
                where = f"recording '{name}' of {annotator}"
                marks.setdefault(name, []).append(
                    [_interval(rows, where, s) for s in segments.values() if s["class"] == "music"]
                )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as err:
        what = f"it does not map annotators and recordings to segments ({err!r}); copy it again"
        raise rows.error(None, what) from err
    return marks


def _interval(rows: Rows, where: str, segment: Mapping[str, Any]) -> Interval:
    start, end = (rows.number(where, key, segment[key]) for key in ("start", "end"))
    if not 0 <= start <= end:
        raise rows.error(where, f"music from {start:g} to {end:g} s; copy the annotation again")
    return start, end


def majority(marks: Sequence[Sequence[Interval]]) -> list[Interval]:
    """Return the intervals that more than half of the annotators marked, in seconds.

    Parameters
    ----------
    marks : sequence of sequences of (float, float)
        Start and end of what each annotator marked; may be empty, not overlapping.
    """
    steps = sorted(edge for own in marks for start, end in own for edge in ((start, 1), (end, -1)))
    found: list[Interval] = []
    count, since = 0, 0.0
    for t, step in steps:
        enough = 2 * count > len(marks)
        count += step
        if not enough and 2 * count > len(marks):
            since = t
        elif enough and 2 * count <= len(marks) and t > since:
            found.append((since, t))
    return found


def _reference(name: str, marks: Sequence[Sequence[Interval]], audio: Path) -> Timeline:
    rows = Rows(str(audio))
    for start, end in majority(marks):
        rows.add(f"recording '{name}'", start, end, "music")
    return rows.timeline(audio_seconds(audio), ("music",), str(audio)).support()


def _audio(root: Path) -> dict[str, Path]:
    return {f.stem: f for f in audio_files(root / "audio")}


def _read(root: Path) -> list[Annotated]:
    audio = _audio(root)
    return [
        Annotated(audio[name], _reference(name, marks, audio[name]), name, _kind(name))
        for name, marks in _marks(root).items()
        if name in audio
    ]


def _kind(name: str) -> str:
    match = _KIND.fullmatch(name)
    return match["kind"] if match else ""


def _check(root: Path) -> list[str]:
    audio = _audio(root)
    try:
        marks = _marks(root)
    except AnnotationError as err:
        return [str(err)]
    lines = [
        *problems.missing("annotated recordings are", marks.keys() - audio.keys()),
        *problems.miscounted({"annotated recordings": len(marks)}, {"annotated recordings": _N_FILES}),
    ]
    for name in marks.keys() & audio.keys():
        try:
            _reference(name, marks[name], audio[name])
        except (AnnotationError, ConfigError) as err:
            lines.append(str(err))
    return [*lines, *problems.foreign(root, [audio[name] for name in marks.keys() & audio.keys()])]


DATASET = Dataset(
    name="openbmat",
    title="OpenBMAT",
    content="television, music marked",
    labels=("music",),
    n_files=_N_FILES,
    hours=27.4,
    licence="on request, see its record on Zenodo",
    citation="B. Meléndez-Catalán, E. Molina, E. Gómez, Open Broadcast Media Audio from TV: A Dataset of TV "
    "Broadcast Audio with Relative Music Loudness Annotations, TISMIR 2(1), 2019.",
    source="Ask for access at https://zenodo.org/records/3381249 and unpack it.",
    uses=("music detection in broadcasts",),
    layouts=(Layout(f"{_ANNOTATION} and audio/*.wav", _find, _read, _check),),
)
