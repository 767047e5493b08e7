"""MUSAN: music, speech and noise, the standard training set for telling them apart.

Layout: ``music/<source>/music-<source>-0000.wav``, likewise ``speech`` and ``noise``; in every source an
``ANNOTATIONS`` (name and genres, or name and gender, in columns) and a ``LICENSE``.  Copies without the
folders of the sources are read too.

The first genre of music and the gender of speech (``f``, ``m``, where it is stated) become the detail.  Of
the 660 music files, 645 have a genre: those that Bhattacharjee et al. use.  Every file is a group of its
own, as in the published experiments, although artists and speakers recur.  Files come in the order of the
annotations, then by name.  (Kehling & Cano count 764 noise files; there are 930.)

References
----------
Snyder, Chen and Povey 2015 (arXiv:1510.08484); layout also as in Kaldi's make_musan.py.  The MD5 of the
archive is the one that PaddleSpeech and many others check.
"""

from __future__ import annotations

from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.recordings import Clip
from earmark.formats.reading import read_bytes, split_lines
from earmark.sources import audio_files

_COUNTS = {"music": 660, "speech": 426, "noise": 930}
_LICENCE = "CC BY 4.0; recordings: see their LICENSE files"


def _find(folder: Path) -> Path | None:
    return locate(folder, ("", "musan"), "music/**/music-*", "speech/**/speech-*")


def _annotations(folder: Path, label: str) -> dict[str, str]:
    """Return the detail of each annotated file, by its name without suffix, in the order of the files."""
    details: dict[str, str] = {}
    for path in sorted(folder.rglob("ANNOTATIONS")):
        # Names of artists, in further columns, are in no encoding for certain.
        for line in split_lines(read_bytes(path).decode("utf-8", "replace")):
            name, column, *_ = [*line.split(), "", ""]
            if name.startswith(f"{label}-"):
                details[name] = _detail(label, column)
    return details


def _detail(label: str, column: str) -> str:
    if label == "music":
        return column.partition(",")[0]
    return column if label == "speech" and column in ("f", "m") else ""


def _read_label(root: Path, label: str) -> tuple[list[Clip], set[str]]:
    """Return the clips of a label, and the names that are annotated but have no file."""
    files = {f.stem: f for f in audio_files(root / label) if f.stem.startswith(f"{label}-")}
    details = _annotations(root / label, label)
    names = [*(name for name in details if name in files), *(name for name in files if name not in details)]
    clips = [Clip(files[name], label, name, details.get(name, ""), licence=_LICENCE) for name in names]
    return clips, set(details) - set(files)


def _read(root: Path) -> list[Clip]:
    return [clip for label in _COUNTS for clip in _read_label(root, label)[0]]


def _check(root: Path) -> list[str]:
    clips: list[Clip] = []
    absent: list[str] = []
    for label in _COUNTS:
        of_label, unheard = _read_label(root, label)
        clips += of_label
        absent += sorted(unheard)
    return [*problems.missing("annotated files are", absent), *problems.of_clips(root, clips, _COUNTS)]


DATASET = Dataset(
    name="musan",
    title="MUSAN",
    content="speech, music and noise",
    labels=("music", "speech", "noise"),
    n_files=sum(_COUNTS.values()),
    hours=109,
    licence=_LICENCE,
    citation="D. Snyder, G. Chen, D. Povey, MUSAN: A Music, Speech, and Noise Corpus, arXiv:1510.08484, "
    "2015.",
    source="Get musan.tar.gz (11 GB) at https://www.openslr.org/17/ and unpack it.",
    uses=("Bhattacharjee et al. (speech, music and both)", "Kehling & Cano (source task)"),
    layouts=(
        Layout("music/<source>/*.wav, speech/<source>/*.wav and noise/<source>/*.wav", _find, _read, _check),
    ),
    checksums={"musan.tar.gz": "md5:0c472d4fc0c5141eca47ad1ffeb2a7df"},
)
