"""DAFx12: Swiss and Austrian radio with speech and music marked, as spectrograms only.

Layout: ``features/<name>.npy``, a magnitude spectrogram of shape (n_bins, n_frames), and ``labels/music`` and
``labels/speech`` with ``<name>.csv`` each: a header, then start and duration in seconds and 1 or 0, separated
by commas.  The sound is not public; the authors gave the arrays to others on request.

Recordings are split as by Bhattacharjee et al.: 30 to train on, 12 for validation, tests on 18 Swiss
and 12 Austrian ones.  The station is the group.  How long a frame lasts is not stated anywhere: they spread
the frames evenly up to the last annotated end, and so does `Spectrogram.targets`.

References
----------
Schlüter and Sonnleitner, DAFx-12; files, parts and names as in mrinmoy-iitg/SM_HPSS_MTL.
"""

from __future__ import annotations

import re
from pathlib import Path

from earmark.datasets import problems
from earmark.datasets.dataset import Dataset, Layout, locate
from earmark.datasets.recordings import Spectrogram
from earmark.errors import AnnotationError, AudioError
from earmark.formats.reading import Rows, decode_text, read_bytes, shown, split_lines
from earmark.timeline import Timeline

_LABELS = ("speech", "music")
# Names as <number>-<station>-<start of the recording>_<number>, or <station>-h<number> of the Austrian ones.
_PARTS = {
    "train": """
        31-RSI2-2012_01_25_07_30_02 383-RSI2-2012_01_28_23_30_01 434-RSI2-2012_01_29_12_15_02
        537-RSI2-2012_01_30_14_00_01 661-RSI2-2012_01_31_21_00_01 160-RSR3-2012_01_26_15_45_02
        418-RSR3-2012_01_29_08_15_02 454-RSR3-2012_01_29_17_15_01 527-RSR3-2012_01_30_11_30_01
        581-RSR3-2012_01_31_01_00_01 110-Chablais-2012_01_26_03_15_02 236-Chablais-2012_01_26_10_45_02
        343-Chablais-2012_01_28_13_30_02 522-Chablais-2012_01_30_10_15_01 669-Chablais-2012_01_31_23_00_01
        89-Rumantsch-2012_01_25_22_00_01 194-Rumantsch-2012_02_01_00_15_01 354-Rumantsch-2012_01_28_16_15_02
        371-Rumantsch-2012_01_28_20_30_01 610-Rumantsch-2012_01_31_08_15_01 56-drsvirus-2012_01_25_13_45_01
        204-drsvirus-2012_02_01_02_45_01 386-drsvirus-2012_01_29_00_15_01 519-drsvirus-2012_01_30_09_30_02
        554-drsvirus-2012_01_30_18_15_01 165-Central-2012_01_26_17_00_01 280-Central-2012_01_27_21_45_01
        466-Central-2012_01_29_20_15_01 615-Central-2012_01_31_09_30_01 656-Central-2012_01_31_19_45_01""",
    "validation": """
        221-RSI2-2012_02_01_07_00_02 361-RSI2-2012_01_28_18_00_02 573-RSR3-2012_01_30_23_00_01
        653-RSR3-2012_01_31_19_00_02 70-Chablais-2012_01_25_17_15_04 371-Chablais-2012_01_28_20_30_01
        141-Rumantsch-2012_01_26_11_00_02 569-Rumantsch-2012_01_30_22_00_01 256-drsvirus-2012_01_27_15_45_03
        659-drsvirus-2012_01_31_20_30_01 58-Central-2012_01_25_14_15_01 117-Central-2012_01_26_05_00_01""",
    "test-swiss": """
        136-RSI2-2012_01_26_09_45_03 293-RSI2-2012_01_28_01_00_03 451-RSI2-2012_01_29_16_30_01
        54-RSR3-2012_01_25_13_15_02 317-RSR3-2012_01_28_07_00_01 332-RSR3-2012_02_01_10_45_01
        85-Chablais-2012_01_25_21_00_01 146-Chablais-2012_01_26_12_15_06 386-Chablais-2012_01_29_00_15_01
        173-Rumantsch-2012_02_01_19_00_01 244-Rumantsch-2012_01_27_12_45_01 402-Rumantsch-2012_01_29_04_15_01
        281-drsvirus-2012_01_27_22_00_01 411-drsvirus-2012_01_29_06_30_02 610-drsvirus-2012_01_31_08_18_01
        219-Central-2012_01_26_06_30_01 487-Central-2012_01_30_01_31_01 528-Central-2012_01_30_11_45_01""",
    "test-austrian": """
        LIF-h1 LIF-h2 LIF-h3 OE1-h1 OE1-h2 OE1-h3 OE3-h1 OE3-h2 OE3-h3 FM4-h1 FM4-h2 FM4-h3""",
}
_PART_OF = {name: part for part, names in _PARTS.items() for name in names.split()}
_STATION = re.compile(r"(?:\d+-)?(\w+?)-")


def _find(folder: Path) -> Path | None:
    return locate(folder, ("", "dafx2012"), "features/*.npy", *(f"labels/{label}" for label in _LABELS))


def _reference(root: Path, name: str) -> Timeline:
    marked = []
    for label in _LABELS:
        path = root / "labels" / label / f"{name}.csv"
        rows = Rows(str(path))
        lines = split_lines(decode_text(read_bytes(path), str(path)))
        end = 0.0
        for line, text in enumerate(lines[1:], start=2):
            fields = [field.strip() for field in text.split(",")]
            if fields == [""]:
                continue
            if len(fields) < 3 or fields[2] not in ("0", "1"):
                raise rows.error(line, f"{shown(text)}: give start, duration and 0 or 1, separated by commas")
            start = rows.number(line, "start", fields[0])
            duration = rows.number(line, "duration", fields[1])
            end = max(end, start + duration)
            if fields[2] == "1":
                rows.add(line, start, start + duration, label)
        marked.append(rows.timeline(end))
    duration = max(timeline.duration for timeline in marked)
    return Timeline([s for timeline in marked for s in timeline], duration, _LABELS, name)


def _spectrogram(root: Path, name: str) -> Spectrogram:
    station = _STATION.match(name)
    return Spectrogram(
        path=root / "features" / f"{name}.npy",
        reference=_reference(root, name),
        group=station[1] if station else name,
        part=_PART_OF[name],
    )


def _missing(root: Path) -> set[str]:
    return {
        name
        for name in _PART_OF
        if not (root / "features" / f"{name}.npy").is_file()
        or not all((root / "labels" / label / f"{name}.csv").is_file() for label in _LABELS)
    }


def _read(root: Path) -> list[Spectrogram]:
    absent = _missing(root)
    return [_spectrogram(root, name) for name in _PART_OF if name not in absent]


def _check(root: Path) -> list[str]:
    absent = _missing(root)
    lines = problems.missing("recordings or their annotations are", absent)
    for name in _PART_OF.keys() - absent:
        try:
            _spectrogram(root, name).load()
        except (AnnotationError, AudioError) as err:
            lines.append(str(err))
    others = {f.stem for f in (root / "features").glob("*.npy")} - _PART_OF.keys()
    return [*lines, *([f"{len(others)} foreign spectrograms: {problems.some(others)}"] if others else [])]


DATASET = Dataset(
    name="dafx12",
    title="DAFx12 (spectrograms)",
    content="spectrograms of radio, marked",
    labels=_LABELS,
    n_files=len(_PART_OF),
    hours=42,
    licence="not public",
    citation="J. Schlüter, R. Sonnleitner, Unsupervised Feature Learning for Speech and Music Detection in "
    "Radio Broadcasts, DAFx-12, 2012.",
    source="It is not public: ask its authors for the spectrograms and labels.",
    uses=("Bhattacharjee et al. (transfer to real recordings)",),
    layouts=(Layout("features/*.npy, labels/speech/*.csv and labels/music/*.csv", _find, _read, _check),),
)
