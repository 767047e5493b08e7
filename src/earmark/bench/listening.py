"""How soon listening tells, how right that is, and whether anything is lost or grows.

What `detect` finds in the same sound is the truth here: how right the model is, other benchmarks tell.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from earmark.audio import read_audio
from earmark.bench import signals
from earmark.bench.processes import run_python
from earmark.bench.report import Figure
from earmark.detector import Detector
from earmark.errors import ConfigError
from earmark.mixdown import to_float
from earmark.model import Model
from earmark.timeline import Segment, Timeline

FloatArray = npt.NDArray[np.float32]
Row = Mapping[str, Any]

_BOUND_S = 1.5
# A row and a moment further apart are not of the same change.
_SAME_S = 0.5
# Labels that are counted together, too.
_TOGETHER = ("speech", "music")
_CELL_S = 0.01
_MATERIAL_S = 300.0


def measure_listening(
    files: Sequence[str],
    model_name: str,
    *,
    minutes: float = 30.0,
    hours: float = 24.0,
    on_step: Callable[[str], None] | None = None,
) -> tuple[list[Figure], dict[str, Any]]:
    """Listen to a sound at its own pace, and as fast as it goes.

    Parameters
    ----------
    files : sequence of str
        Recordings, joined and gone through again and again; with none, a signal is made up.
    model_name : str
        Name or path of a detector.
    minutes : float
        Of sound at its own pace; 0 leaves that out.
    hours : float
        Of sound as fast as it goes; 0 leaves that out.
    on_step : callable, optional
        Told what is being done.

    Returns
    -------
    figures : list of Figure
    details : dict
        The changes that `detect` finds, and when each was told.

    Raises
    ------
    ConfigError
        If an amount is out of range, or the model is no detector.
    EarmarkError
        If the measured process fails.
    """
    if min(minutes, hours) < 0 or not minutes + hours:
        raise ConfigError(f"minutes {minutes:g}, hours {hours:g}: give 0 or more, and one above 0")
    detector = Detector(model_name)
    if not isinstance(detector.model, Model):
        raise ConfigError(f"model '{model_name}' cannot listen; give a detector")
    rate = detector.model.sample_rate
    sound = _sound(files, rate)
    tell = on_step or (lambda _: None)
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        path = Path(folder) / "sound.s16"
        np.rint(sound * 32768).astype("<i2").tofile(path)
        for pace, seconds in (("paced", 60 * minutes), ("fast", 3600 * hours)):
            if not seconds:
                continue
            tell(f"listening, {pace}, to {seconds / 60:g} minutes")
            arguments = ["-m", "earmark.bench.listenworker", str(path), str(seconds), pace, model_name]
            run = json.loads(run_python(arguments))
            tell("detecting the same")
            found = list(detector.stream(_again(sound, round(seconds * rate)), rate))
            offline = Timeline(found, seconds, detector.model.labels)
            figures += _loss(pace, run, seconds, offline)
            if pace == "paced":
                more, changes = _promptness(run["rows"], offline)
                figures += [*more, *_agreement(run["rows"], offline)]
                details["changes"] = changes
            details[pace] = {name: value for name, value in run.items() if name != "rows"}
    return figures, details


def _sound(files: Sequence[str], rate: int) -> FloatArray:
    """Return what is listened to, as it is after its way through 16 bits."""
    if files:
        sound = np.concatenate([read_audio(file, sample_rate=rate)[0] for file in files])
    else:
        import soxr

        sound = soxr.resample(signals.material(_MATERIAL_S).mean(axis=0), 44_100, rate)
    if len(sound) < rate:
        raise ConfigError("less than a second of sound; give a recording of some minutes")
    return to_float(np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16))


def _again(sound: FloatArray, n_samples: int) -> Iterator[FloatArray]:
    while n_samples > 0:
        yield sound[:n_samples]
        n_samples -= len(sound)


def _loss(pace: str, run: Mapping[str, Any], seconds: float, offline: Timeline) -> list[Figure]:
    """Compare what was heard with what was played, and certain segments with those of `detect`."""
    # By seconds of sound: times of day are exact to milliseconds.
    ends = sorted((row["label"], round(row["heard"], 2)) for row in run["rows"] if row["event"] == "segment")
    wanted = sorted((s.label, round(s.end, 2)) for s in offline)
    gaps = sum(row["event"] == "gap" for row in run["rows"])
    same = len(set(ends) & set(wanted)) / len(wanted) if wanted else None
    return [
        Figure(pace, "sound not heard", round(abs(seconds - run["heard_s"]), 3), "s"),
        Figure(pace, "gaps", float(gaps), ""),
        Figure(pace, "segments as of detect", same if len(ends) == len(wanted) else 0.0),
        Figure(pace, "peak memory", run["peak_mb"], "MB"),
        Figure(pace, "growth of memory", run["peak_mb"] / run["warm_mb"] - 1),
        Figure(pace, "cost", 3600 * run["cpu_s"] / seconds, "CPU s/h"),
        Figure(pace, "speed", seconds / run["wall_s"], "x real time"),
    ]


def _promptness(rows: Sequence[Row], offline: Timeline) -> tuple[list[Figure], list[dict[str, Any]]]:
    """Find when each change was told: of every label, and of speech and music together."""
    changes: list[dict[str, Any]] = [
        {
            "event": event,
            "label": segment.label,
            "at": moment,
            "told_after_s": _told_after(rows, event, segment.label, moment),
        }
        for segment in offline
        for event, moment in (("start", segment.start), ("end", segment.end))
    ]
    groups: dict[str, tuple[str, ...]] = {label: (label,) for label in offline.labels}
    if set(_TOGETHER) <= set(offline.labels):
        groups = {" and ".join(_TOGETHER): _TOGETHER, **groups}
    figures = [
        figure
        for group, labels in groups.items()
        for figure in _figures_of(
            group,
            [row for row in rows if row["label"] in labels],
            [change["told_after_s"] for change in changes if change["label"] in labels],
        )
    ]
    told = [row for row in rows if row["event"] in ("start", "end")]
    wrong = max((abs(row["time"] - row["heard"]) for row in told), default=None)
    return [*figures, Figure("clock", "wrong by, at most", wrong, "s")], changes


def _told_after(rows: Sequence[Row], event: str, label: str, moment: float) -> float | None:
    """Return how long after a change of `detect` the first row came that tells of it; None: there is none."""
    return min(
        (
            row["came"] - moment
            for row in rows
            if (row["event"], row["label"]) == (event, label) and abs(row["heard"] - moment) <= _SAME_S
        ),
        default=None,
    )


def _figures_of(group: str, rows: Sequence[Row], after: Sequence[float | None]) -> list[Figure]:
    """Sum up the rows of some labels, and when the changes of `detect` were told."""
    told = [row for row in rows if row["event"] in ("start", "end")]
    lates = [row["came"] - row["heard"] for row in told]
    sound = [row["sound"] - row["heard"] for row in told]
    found = [late for late in after if late is not None]
    return [
        Figure(group, "starts and ends told", float(len(told)), ""),
        Figure(group, "told after: median", _quantile(lates, 0.5), "s"),
        Figure(group, "told after: 95 %", _quantile(lates, 0.95), "s"),
        Figure(group, "told after: latest", _quantile(lates, 1.0), "s"),
        Figure(group, "told within 1.5 s", _share(sum(late <= _BOUND_S for late in lates), len(told))),
        Figure(group, "sound needed: median", _quantile(sound, 0.5), "s"),
        Figure(group, "sound needed: 95 %", _quantile(sound, 0.95), "s"),
        Figure(group, "told, then corrected", _share(_corrected(rows), len(told))),
        Figure(group, "of detect: told within 1.5 s", _share(sum(s <= _BOUND_S for s in found), len(after))),
        Figure(group, "of detect: told at all", _share(len(found), len(after))),
    ]


def _corrected(rows: Sequence[Row]) -> int:
    """Count the starts that were withdrawn, and the ends after which it goes on from the same moment."""
    ended: dict[str, float] = {}
    n = 0
    for row in rows:
        label = row["label"]
        if row["event"] == "end":
            ended[label] = row["heard"]
        n += row["event"] == "withdrawn" or (row["event"] == "start" and ended.get(label) == row["heard"])
    return n


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


def _agreement(rows: Sequence[Row], offline: Timeline) -> list[Figure]:
    """Compare what was told at once with `detect`, cell by cell."""
    spans = []
    since: dict[str, float] = {}
    for row in rows:
        if row["event"] == "start":
            since[row["label"]] = row["heard"]
        elif row["event"] in ("end", "withdrawn") and row["label"] in since:
            start = since.pop(row["label"])
            if row["heard"] > start:
                spans.append(Segment(start, row["heard"], row["label"]))
    live = Timeline.merged(spans, offline.duration, offline.labels)
    same = live.to_frames(_CELL_S, offline.labels) == offline.to_frames(_CELL_S, offline.labels)
    return [
        Figure("told at once as detect", label, float(same[:, column].mean()))
        for column, label in enumerate(offline.labels)
    ]
