"""MuSpeak: seven long recordings (radio, concerts) with their speech and music, the examples of MIREX.

Layout: ``<name>.mp3`` and ``<name>.csv``, in the archive below ``muspeak-mirex2015-detection-examples``; of
two annotations of a recording, the one ending in ``_v2`` is newer and taken.  A line is start and duration
in seconds and ``m`` or ``s``, separated by commas; speech and music may overlap.

The recordings were examples for the detection task of MIREX 2015 and 2018; what those evaluated on is not
public.  Episodes of a series are a group.

References
----------
MIREX 2015 and 2018, Music/Speech Classification and Detection.  Names, columns and the meaning of ``_v2`` are
as in ina-foss/inaVAMOS and other users of the archive.
"""

from __future__ import annotations

from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout
from earmark.datasets.recordings import Annotated
from earmark.errors import AnnotationError, ConfigError
from earmark.formats.reading import Rows, decode_text, read_bytes, shown, split_lines
from earmark.sources import audio_files, audio_seconds
from earmark.timeline import Timeline

_FOLDER = "muspeak-mirex2015-detection-examples"
_SERIES = {
    "ConscinciasParalelasN3-OsSentidosOSentirEAsNormasParte318-10-1994": "ConscinciasParalelas",
    "ConscinciasParalelasN7-OsSentidosOSentirEAsNormasParte715-1-1994": "ConscinciasParalelas",
    "ConscinciasParalelasN11-OEspelhoEOReflexoFantasiasEPerplexidadesParte413-12-1994": (
        "ConscinciasParalelas"
    ),
    "eatmycountry1609": "eatmycountry",
    "theconcert2": "theconcert",
    "theconcert16": "theconcert",
    "UTMA-26": "UTMA",
}
_LABELS = {"s": "speech", "m": "music"}


def _find(folder: Path) -> Path | None:
    roots = (folder, folder / _FOLDER)
    return next((root for root in roots if any(_annotation(root, name) for name in _SERIES)), None)


def _annotation(root: Path, name: str) -> Path | None:
    paths = (root / f"{name}_v2.csv", root / f"{name}.csv")
    return next((path for path in paths if path.is_file()), None)


def _audio(root: Path) -> dict[str, Path]:
    """Return the recordings of the dataset by name."""
    files = {f.stem.removesuffix("_v2"): f for f in audio_files(root)}
    return {name: files[name] for name in _SERIES if name in files}


def _reference(path: Path, audio: Path) -> Timeline:
    rows = Rows(str(path))
    for line, text in enumerate(split_lines(decode_text(read_bytes(path), str(path))), start=1):
        fields = [field.strip() for field in text.split(",")]
        if fields == [""]:
            continue
        if len(fields) < 3 or fields[2].lower() not in _LABELS:
            raise rows.error(line, f"{shown(text)}: give start, duration and m or s, separated by commas")
        start = rows.number(line, "start", fields[0])
        duration = rows.number(line, "duration", fields[1])
        rows.add(line, start, start + duration, _LABELS[fields[2].lower()])
    return rows.timeline(audio_seconds(audio), _LABELS.values(), str(audio))


def _read(root: Path) -> list[Annotated]:
    return [
        Annotated(audio, _reference(annotation, audio), _SERIES[name])
        for name, audio in _audio(root).items()
        if (annotation := _annotation(root, name)) is not None
    ]


def _check(root: Path) -> list[str]:
    audio = _audio(root)
    annotations = {name: path for name in _SERIES if (path := _annotation(root, name)) is not None}
    lines = [
        *problems.missing("recordings are", _SERIES.keys() - audio.keys()),
        *problems.missing("annotations are", _SERIES.keys() - annotations.keys()),
    ]
    for name in annotations.keys() & audio.keys():
        try:
            _reference(annotations[name], audio[name])
        except (AnnotationError, ConfigError) as err:
            lines.append(str(err))
    return [*lines, *problems.foreign(root, audio.values())]


DATASET = Dataset(
    name="muspeak",
    title="MuSpeak (MIREX examples)",
    content="radio and concerts, marked",
    labels=tuple(_LABELS.values()),
    n_files=len(_SERIES),
    hours=None,
    licence="none stated; published for MIREX",
    citation="MIREX 2015 and 2018, Music/Speech Classification and Detection, "
    "https://www.music-ir.org/mirex/wiki/2018:Music_and/or_Speech_Detection.",
    source=f"Get http://mirg.city.ac.uk/datasets/muspeak/{_FOLDER}.zip (329 MB) and unpack it.",
    uses=("Bhatia & Thakur (MIREX 2018)",),
    layouts=(Layout("<name>.mp3 and <name>.csv, such as eatmycountry1609.csv", _find, _read, _check),),
)
