"""AVASpeech-SMAD: a quarter of an hour each of 160 films on YouTube, with speech and music marked.

Layout: a clone of the repository with labels, that is ``labels/music labels/<video>.csv`` (start, end and
``m``, separated by commas) and ``labels/speech labels/<video>.csv`` (start, end and ``s`` or ``m``, separated
by tabs), and beside them the sound as ``<video>.wav`` or of another suffix, in any folder.  Only the ``s``
of the latter count: its ``m`` mark music under speech, which the former marks throughout.

Times count from the beginning of the quarter, which is 15:00 in the film; the sound must have been cut, to
15:00-30:00.  Every film is a group of its own.

References
----------
Hung et al. 2021 (arXiv:2111.01320), and the repository biboamy/AVASpeech_Music_Labels; the cut is that of
biboamy/TVSM-dataset.  Speech labels: Chaudhuri et al. 2018 (AVA-Speech).
"""

from __future__ import annotations

from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.recordings import Annotated
from earmark.errors import AnnotationError, ConfigError
from earmark.formats.reading import Rows, decode_text, read_bytes, shown, split_lines
from earmark.sources import audio_files, audio_seconds
from earmark.timeline import Segment, Timeline

_MUSIC, _SPEECH = "labels/music labels", "labels/speech labels"
_LABELS = {"s": "speech", "m": "music"}
_N_FILES = 160
_QUARTER_S = 900.0
# Cuts and codecs make a file this much longer.
_SLACK_S = 5.0


def _find(folder: Path) -> Path | None:
    return locate(folder, ("", "AVASpeech_Music_Labels"), f"{_MUSIC}/*.csv", f"{_SPEECH}/*.csv")


def _entries(rows: Rows, path: Path, separator: str, code: str) -> None:
    for line, text in enumerate(split_lines(decode_text(read_bytes(path), str(path))), start=1):
        if not text.strip():
            continue
        fields = [field.strip() for field in text.split(separator)]
        if len(fields) != 3 or fields[2] not in _LABELS:
            sign = "tabs" if separator == "\t" else "commas"
            raise rows.error(line, f"{shown(text)}: give start, end and s or m, separated by {sign}")
        if fields[2] == code:
            start = rows.number(line, "start", fields[0])
            end = rows.number(line, "end", fields[1])
            rows.add(line, start, end, _LABELS[code])


def _reference(root: Path, video: str, audio: Path) -> Timeline:
    seconds = audio_seconds(audio)
    if seconds > _QUARTER_S + _SLACK_S:
        raise ConfigError(
            f"'{audio}' lasts {seconds:.0f} s, but what is marked are the 900 s from 15:00 on; cut it: "
            "ffmpeg -ss 900 -t 900 -i FILM OUT.wav"
        )
    marked: list[Segment] = []
    for folder, separator, code in ((_SPEECH, "\t", "s"), (_MUSIC, ",", "m")):
        path = root / folder / f"{video}.csv"
        rows = Rows(str(path))
        _entries(rows, path, separator, code)
        marked += rows.timeline().segments
    end = max((s.end for s in marked), default=0.0)
    return Timeline(marked, max(seconds, end), _LABELS.values(), str(audio))


def _videos(root: Path) -> tuple[set[str], set[str]]:
    """Return the videos with both annotations, and those with one."""
    music, speech = ({f.stem for f in (root / folder).glob("*.csv")} for folder in (_MUSIC, _SPEECH))
    return music & speech, music ^ speech


def _audio(root: Path) -> dict[str, Path]:
    return {f.stem: f for f in audio_files(root)}


def _read(root: Path) -> list[Annotated]:
    audio = _audio(root)
    return [
        Annotated(audio[video], _reference(root, video, audio[video]), video)
        for video in sorted(_videos(root)[0] & audio.keys())
    ]


def _check(root: Path) -> list[str]:
    audio = _audio(root)
    annotated, halves = _videos(root)
    lines = [
        *problems.missing("recordings are", annotated - audio.keys()),
        *problems.missing("videos have one of the two annotations, the other is", halves),
        *problems.miscounted({"annotated videos": len(annotated)}, {"annotated videos": _N_FILES}),
    ]
    for video in sorted(annotated & audio.keys()):
        try:
            _reference(root, video, audio[video])
        except (AnnotationError, ConfigError) as err:
            lines.append(str(err))
    return [*lines, *problems.foreign(root, [audio[video] for video in annotated & audio.keys()])]


DATASET = Dataset(
    name="avaspeech-smad",
    title="AVASpeech-SMAD",
    content="15 minutes each of films, marked",
    labels=tuple(_LABELS.values()),
    n_files=_N_FILES,
    hours=40,
    licence="labels: MIT, for speech CC BY 4.0; films: YouTube",
    citation="Y.-N. Hung et al., AVASpeech-SMAD: A Strongly Labelled Speech and Music Activity Detection "
    "Dataset with Label Co-Occurrence, arXiv:2111.01320, 2021; S. Chaudhuri et al., AVA-Speech, Interspeech "
    "2018.",
    source="Clone https://github.com/biboamy/AVASpeech_Music_Labels, get the sound of the videos it names, "
    "and cut each to 15:00-30:00.",
    uses=("detection in films",),
    layouts=(Layout(f"{_MUSIC}/*.csv, {_SPEECH}/*.csv and the sound of the videos", _find, _read, _check),),
)
