"""Melon playlist dataset: songs as mel bands, in archives; the sound itself is not to be had.

Layout: ``song_meta.json``, a list of songs with their genres, and beside it ``arena_mel_0.tar`` and so on,
which hold ``.../ID.npy`` for each song, (48, T).

Songs are taken as by Heo et al.: those of one genre alone; ``GN9000`` stands for ``GN3000``; ``GN1500`` and
``GN2500`` are left out.  28 classes are left.

References
----------
A. Ferraro et al., "Melon Playlist Dataset", ICASSP 2021; files as in Heo et al.'s program.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.recordings import Clip
from earmark.errors import ConfigError

INDEX, ARCHIVES = "song_meta.json", "arena_mel_*.tar"
_RENAMED, _LEFT_OUT = {"GN9000": "GN3000"}, ("GN1500", "GN2500")
_GENRES = tuple(name for n in range(1, 31) if (name := f"GN{n:02d}00") not in _LEFT_OUT)
# Those of Heo et al.: 490,234 to train on, and twice 61,270.
_N_SONGS = 612_774
# What ends an archive.
_END = bytes(1024)


def read_labels(index: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the class of each song that has one, by its ID, and the names of the classes as they appear.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is no list of songs.
    """
    try:
        songs = json.loads(index.read_text(encoding="utf-8"))
        baskets = [(str(song["id"]), song["song_gn_gnr_basket"]) for song in songs]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ConfigError(f"'{index}' is no list of Melon's songs ({err}); give {INDEX}") from err
    classes: dict[str, int] = {}
    labels = {}
    for song, basket in baskets:
        genres = [_RENAMED.get(genre, genre) for genre in basket]
        if len(genres) == 1 and genres[0] not in _LEFT_OUT:
            labels[song] = classes.setdefault(genres[0], len(classes))
    return labels, tuple(classes)


def _find(folder: Path) -> Path | None:
    return locate(folder, ("", "melon"), INDEX)


def _read(root: Path) -> list[Clip]:
    """Return the songs; their arrays lie in archives, so that a clip's path only says how they are called."""
    labels, classes = read_labels(root / INDEX)
    return [Clip(root / f"{song}.npy", "music", song, classes[label]) for song, label in labels.items()]


def _check(root: Path) -> list[str]:
    archives = sorted(root.glob(ARCHIVES))
    numbers = {int(found[1]) for path in archives if (found := re.search(r"_(\d+)\.tar$", path.name))}
    gaps = {f"arena_mel_{n}.tar" for n in range(max(numbers, default=0) + 1) if n not in numbers}
    try:
        n_songs = len(read_labels(root / INDEX)[0])
    except ConfigError as err:
        return [str(err)]
    count = f"songs of one genre: {n_songs} listed, Heo et al. have {_N_SONGS}"
    return [
        *([count] if n_songs < _N_SONGS else []),
        *problems.missing("archives are", gaps),
        *(f"'{path.name}' is cut short; get it again" for path in archives if not _is_whole(path)),
    ]


def _is_whole(path: Path) -> bool:
    """Tell whether an archive ends as archives do."""
    with path.open("rb") as file:
        file.seek(-min(len(_END), path.stat().st_size), 2)
        return file.read() == _END


DATASET = Dataset(
    name="melon",
    title="Melon playlist dataset",
    content="songs of Korea and elsewhere by genre, as mel bands only",
    labels=_GENRES,
    n_files=_N_SONGS,
    hours=None,
    licence="for research, on registration",
    citation="A. Ferraro et al., Melon Playlist Dataset: a public dataset for audio-based playlist "
    "generation and music tagging, ICASSP 2021.",
    source="Register at https://arena.kakao.com/melon_dataset and put song_meta.json and all of "
    "arena_mel_*.tar into one folder.",
    uses=("Heo et al. (genres)",),
    layouts=(Layout(f"{INDEX} and {ARCHIVES}", _find, _read, _check),),
)
