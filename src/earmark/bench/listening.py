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
        path = Path(folder) / "sound.f32"
        sound.tofile(path)
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
    """Find when each change was told."""
    told = [row for row in rows if row["event"] in ("start", "end")]
    changes: list[dict[str, Any]] = []
    after: list[float] = []
    for segment in offline:
        for event, moment in (("start", segment.start), ("end", segment.end)):
            of_it = [
                row["came"] - moment
                for row in told
                if (row["event"], row["label"]) == (event, segment.label)
                and abs(row["heard"] - moment) <= _SAME_S
            ]
            late = min(of_it, default=None)
            changes.append({"event": event, "label": segment.label, "at": moment, "told_after_s": late})
            after += [] if late is None else [late]
    lates = [row["came"] - row["heard"] for row in told]
    sound = [row["sound"] - row["heard"] for row in told]
    starts = sum(row["event"] == "start" for row in told)
    withdrawn = sum(row["event"] == "withdrawn" for row in rows)
    clock = [abs(row["time"] - row["heard"]) for row in told]
    in_time, n_changes = sum(late <= _BOUND_S for late in after), len(changes)
    figures = [
        Figure("changes", "told after: median", _quantile(lates, 0.5), "s"),
        Figure("changes", "told after: 95 %", _quantile(lates, 0.95), "s"),
        Figure("changes", "told after: latest", _quantile(lates, 1.0), "s"),
        Figure("changes", "sound needed: median", _quantile(sound, 0.5), "s"),
        Figure("changes", "sound needed: 95 %", _quantile(sound, 0.95), "s"),
        Figure("changes", "of detect: told in 1.5 s", in_time / n_changes if changes else None),
        Figure("changes", "of detect: told at all", len(after) / n_changes if changes else None),
        Figure("changes", "starts withdrawn", withdrawn / starts if starts else None),
        Figure("changes", "clock wrong by, at most", max(clock, default=None), "s"),
    ]
    return figures, changes


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
