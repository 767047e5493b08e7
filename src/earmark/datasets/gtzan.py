"""GTZAN speech/music: 64 clips of each, 30 s, mono, 22,050 Hz.

Layout: ``music_wav/*.wav`` and ``speech_wav/*.wav``, in the archive below ``music_speech``; or the rows of
an index (`earmark.datasets.index`).  The files are named after what they hold; each is a group of its own.

References
----------
Tzanetakis, the Marsyas data sets.  The SHA-256 of the archive is that of TensorFlow Datasets, whose page
counts 60 clips a class; there are 64.
"""

from __future__ import annotations

from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.index import index_layout
from earmark.datasets.recordings import Clip
from earmark.sources import audio_files

_FOLDERS = {"music": "music_wav", "speech": "speech_wav"}
_COUNTS = {"music": 64, "speech": 64}
_LICENCE = "none stated; used for research"


def _find(folder: Path) -> Path | None:
    return locate(folder, ("", "music_speech"), *(f"{name}/*" for name in _FOLDERS.values()))


def _read(root: Path) -> list[Clip]:
    return [
        Clip(path, label, f"{label}/{path.stem}", licence=_LICENCE)
        for label, name in _FOLDERS.items()
        for path in audio_files(root / name)
    ]


def _check(root: Path) -> list[str]:
    return problems.of_clips(root, _read(root), _COUNTS)


DATASET = Dataset(
    name="gtzan-speech-music",
    title="GTZAN speech/music",
    content="speech and music, 30 s each",
    labels=("music", "speech"),
    n_files=128,
    hours=1.1,
    licence=_LICENCE,
    citation="G. Tzanetakis, GTZAN Music/Speech Collection, 1999, http://marsyas.info.",
    source="Get music_speech.tar.gz (297 MB) at http://opihi.cs.uvic.ca/sound/music_speech.tar.gz and unpack "
    "it.",
    uses=("Kehling & Cano (source task)",),
    layouts=(
        Layout("music_wav/*.wav and speech_wav/*.wav", _find, _read, _check),
        index_layout("gtzan-speech-music"),
    ),
    checksums={
        "music_speech.tar.gz": "sha256:8753bc4129fc0a916d6efcf25dbcaf30e06b41acb44ad7c3d0b5c9d9c90ff546"
    },
)
