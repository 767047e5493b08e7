"""GTZAN genres: 100 clips of 30 s of each of ten genres, mono, 22,050 Hz.

Layout: a folder for each genre with ``blues.00000.au`` or ``.wav`` and so on, in the archive below
``genres``, in a widespread copy below ``genres_original``; or the rows of an index
(`earmark.datasets.index`), whose source is ``gtzan-genres-part``: excerpts of a few seconds of some of the
tracks.  Figures on those are none on GTZAN.

Clips are music, with the genre as detail; each is a group of its own.  Some repeat others, and artists
recur, which makes figures too good; who plays is not published with them.  Two files beside the genres'
folders are taken where somebody has put them there:

``artists.csv``
    Columns ``file`` (``blues.00000``, with or without a suffix) and ``artist``: the clips of an artist are a
    group.
``folds/*.txt``
    The test parts of ten folds, in the order of their names: a file's name in each line.

``jazz.00054`` is damaged in most copies; it is left out where it cannot be read.

References
----------
Tzanetakis and Cook 2002.  The SHA-256 of the archive is the one that torchaudio checks.
"""

from __future__ import annotations

import csv
from pathlib import Path

from earmark.audio import read_audio
from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.index import index_layout
from earmark.datasets.recordings import Clip
from earmark.errors import AnnotationError, AudioError
from earmark.formats.reading import decode_text, read_bytes
from earmark.sources import audio_files

CLASSES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_COUNTS = dict.fromkeys(CLASSES, 100)
_DAMAGED = "jazz.00054"
_ARTISTS = "artists.csv"
_LICENCE = "none stated; used for research"


def _find(folder: Path) -> Path | None:
    inner = ("", "genres", "genres_original", "Data/genres_original")
    return locate(folder, inner, *(f"{genre}/{genre}.*" for genre in CLASSES))


def _files(root: Path) -> list[tuple[str, Path]]:
    """Return all files with their genres."""
    return [(genre, path) for genre in CLASSES for path in audio_files(root / genre)]


def _is_damaged(path: Path) -> bool:
    """Tell whether the file that most copies have damaged cannot be read."""
    if path.stem != _DAMAGED:
        return False
    try:
        read_audio(path)
    except AudioError:
        return True
    return False


def _read(root: Path) -> list[Clip]:
    artists, folds = _artists(root), _folds(root)
    return [
        Clip(
            path,
            "music",
            f"gtzan/{artists.get(path.stem, path.stem)}",
            genre,
            fold=folds.get(path.stem),
            licence=_LICENCE,
        )
        for genre, path in _files(root)
        if not _is_damaged(path)
    ]


def _artists(root: Path) -> dict[str, str]:
    """Return who plays what, as far as it is told."""
    path = root / _ARTISTS
    if not path.is_file():
        return {}
    table = csv.DictReader(decode_text(read_bytes(path), str(path)).splitlines())
    columns = list(table.fieldnames or ())
    if not {"file", "artist"} <= set(columns):
        raise AnnotationError(f"'{path}' must have the columns file and artist; it has {', '.join(columns)}")
    return {_stem(row["file"]): row["artist"].strip() for row in table if (row["artist"] or "").strip()}


def _folds(root: Path) -> dict[str, int]:
    """Return in which fold each listed clip is tested."""
    lists = sorted((root / "folds").glob("*.txt"))
    return {
        _stem(line): fold
        for fold, path in enumerate(lists)
        for line in decode_text(read_bytes(path), str(path)).split()
    }


def _stem(name: str) -> str:
    """Return a file's name without folder and suffix; names have a dot of their own."""
    return ".".join(Path(name.strip()).name.split(".")[:2])


def _check(root: Path) -> list[str]:
    damaged = [path for _, path in _files(root) if _is_damaged(path)]
    stems = {path.stem for _, path in _files(root)}
    listed = {
        f"files that {_ARTISTS} names are": set(_artists(root)),
        "files that folds list are": set(_folds(root)),
    }
    clips = [Clip(path, "music", path.stem, genre) for genre, path in _files(root)]
    return [
        *problems.of_clips(root, clips, _COUNTS, lambda clip: clip.detail),
        *(f"'{path.name}' cannot be read, as in most copies; it is left out" for path in damaged),
        *(line for what, names in listed.items() for line in problems.missing(what, names - stems)),
    ]


DATASET = Dataset(
    name="gtzan-genres",
    title="GTZAN genres",
    content="music of ten genres, 30 s each",
    labels=CLASSES,
    n_files=sum(_COUNTS.values()),
    hours=8.3,
    licence=_LICENCE,
    citation="G. Tzanetakis, P. Cook, Musical genre classification of audio signals, IEEE Transactions on "
    "Speech and Audio Processing 10(5), 2002.",
    source="Get genres.tar.gz (1.2 GB) at http://opihi.cs.uvic.ca/sound/genres.tar.gz and unpack it.",
    uses=("Heo et al. (genres)",),
    layouts=(
        Layout("<genre>/<genre>.*, such as blues/blues.00000.wav", _find, _read, _check),
        index_layout("gtzan-genres-part"),
    ),
    checksums={"genres.tar.gz": "sha256:24347e0223d2ba798e0a558c4c172d9d4a19c00bb7963fe055d183dadb4ef2c6"},
)
