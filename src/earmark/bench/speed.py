"""What detection costs: by format beside the floor of decoding, on one core and on two, and other tools.

Every number comes from a process of its own with one thread but for the two cores, and all take turns, so
that they meet the same machine.  Of several runs the least counts: whatever else the machine does only adds
to it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from earmark.bench import signals
from earmark.bench.processes import Run, run_measured, run_python
from earmark.bench.report import Figure
from earmark.cores import usable_cores
from earmark.errors import ConfigError, EarmarkError

_START = "import sys; from earmark.cli.app import main; sys.argv[0] = 'earmark'; main()"
_PIECE_S = 60.0
_SHORT_S = 600.0
_CLIP_S, _CLIPS = 2.0, 300

Step = Callable[[str], None]
# By recording and what is done with it: the least of every cost.
Runs = dict[str, dict[str, Run]]


def first_result_cpu_s(path: str | Path, model: str, repeats: int = 3) -> float:
    """Return the processor seconds of `earmark detect` on a file, start of the interpreter included.

    The first, uncounted run compiles whatever module is not compiled yet.

    Raises
    ------
    EarmarkError
        If the process fails, or ends without a result.
    """
    arguments = ["-c", _START, "detect", str(path), "--model", model, "--output", "-", "--format", "csv"]
    run_python(arguments)
    spent = []
    for _ in range(repeats):
        before = _children_cpu_s()
        out = run_python(arguments)
        spent.append(_children_cpu_s() - before)
        if not out.strip():
            raise EarmarkError(f"'earmark detect {path}' wrote no result, so its start cannot be measured")
    return min(spent)


def measure_speed(
    files: Sequence[str],
    model: str,
    *,
    minutes: float = 20.0,
    hours: float = 4.0,
    repeats: int = 3,
    tools: Mapping[str, str] | None = None,
    on_step: Step | None = None,
) -> tuple[list[Figure], dict[str, Any]]:
    """Measure everything.

    Parameters
    ----------
    files : sequence of str
        Recordings; with none, a signal is made up and encoded in the usual formats.
    model : str
        Name or path of the model.
    minutes : float
        Length of the made-up signal.
    hours : float
        Length of the long recording whose peak memory is compared with that of a short one; 0 leaves
        the comparison out.
    repeats : int
        Runs of each measurement of time.
    tools : mapping of str to str, optional
        Other tools to go through the first recording, and their versions: `check_tools`.
    on_step : callable, optional
        Told what is being done.

    Returns
    -------
    figures : list of Figure
        By recording (the floor decodes and resamples), tools, clips, then "peak memory" and "start".
    details : dict
        The single runs, and why tools failed.

    Raises
    ------
    ConfigError
        If an amount is out of range, or the system does not account for child processes.
    """
    if min(minutes, repeats) <= 0 or hours < 0:
        raise ConfigError(f"minutes {minutes}, repeats {repeats}, hours {hours}: give amounts above 0")
    _children_cpu_s()
    tell = on_step or (lambda _: None)
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        sound = signals.material(min(_PIECE_S, 60 * minutes))
        inputs = {Path(f).name: Path(f) for f in files} or _made_up(Path(folder), sound, minutes, tell)
        clips = _clips(Path(folder), sound)
        runs, failures = _measure(inputs, clips, model, repeats, list(tools or ()), tell)
        figures = [figure for name in inputs for figure in _figures(name, runs[name])]
        first = next(iter(inputs))
        figures += [
            figure
            for name, number in (tools or {}).items()
            for figure in _tool_figures(f"{name} {number}, {first}", runs[first].get(name))
        ]
        figures += [figure for name in clips for figure in _clip_figures(name, runs[name])]
        kept = {name: {kind: asdict(run) for kind, run in parts.items()} for name, parts in runs.items()}
        details: dict[str, Any] = {"runs": kept, "failures": failures}
        if hours:
            more, details["memory"] = _memory(Path(folder), sound, model, hours, tell)
            figures += more
        tell("first result of a 10-second file")
        short = signals.encode(Path(folder) / "ten.wav", signals.FORMATS[0], sound[:, : 10 * 44_100])
        cpu_s = first_result_cpu_s(short, model, repeats)
        figures.append(Figure("start", "result of 10 s", cpu_s, "CPU s"))
    return figures, details


def _measure(
    inputs: Mapping[str, Path],
    clips: Mapping[str, Path],
    model: str,
    repeats: int,
    tools: list[str],
    tell: Step,
) -> tuple[Runs, dict[str, str]]:
    """Take all measurements in turn, so many times; return the best, and why tools failed."""
    runs: Runs = {name: {} for name in (*inputs, *clips)}
    failures: dict[str, str] = {}
    first = next(iter(inputs))

    def note(name: str, kind: str, run: Run) -> None:
        if not run.audio_s:
            raise ConfigError(f"'{name}' holds no sound; give a recording of some minutes")
        runs[name][kind] = run.better(runs[name].get(kind))

    for number in range(1, repeats + 1):
        for name, path in (*inputs.items(), *clips.items()):
            times = _CLIPS if name in clips else 1
            tell(f"{name}, run {number} of {repeats}")
            note(name, "floor", _floor(path, model, times))
            note(name, "detect", _detect(path, model, times=times))
            if name in inputs and usable_cores() > 1:
                note(name, "detect, two cores", _detect(path, model, cores=2))
        for tool in tools:
            if tool not in failures:
                tell(f"{tool}, run {number} of {repeats}")
                try:
                    note(first, tool, run_measured("earmark.bench.tools", tool, inputs[first]))
                except EarmarkError as err:
                    failures[tool] = str(err)
    return runs, failures


def _floor(path: Path, model: str, times: int = 1) -> Run:
    return run_measured("earmark.bench.worker", "floor", path, model, 1, times)


def _detect(path: Path, model: str, *, cores: int = 1, times: int = 1) -> Run:
    return run_measured("earmark.bench.worker", "detect", path, model, cores, times)


def _figures(name: str, runs: Mapping[str, Run]) -> list[Figure]:
    floor, one, two = runs["floor"], runs["detect"], runs.get("detect, two cores")
    figures = [
        Figure(name, "floor: decoding", floor.cpu_s_per_hour, "CPU s/h"),
        Figure(name, "whole detection", one.cpu_s_per_hour, "CPU s/h"),
        Figure(name, "ratio to floor", one.cpu_s_per_hour / floor.cpu_s_per_hour, ""),
        Figure(name, "speed", one.speed, "x"),
        Figure(name, "memory", one.peak_mb, "MB"),
    ]
    if two is not None:
        figures += [
            Figure(name, "two cores: detection", two.cpu_s_per_hour, "CPU s/h"),
            Figure(name, "two cores: speed", two.speed, "x"),
            Figure(name, "two cores: memory", two.peak_mb, "MB"),
        ]
    return figures


def _tool_figures(name: str, run: Run | None) -> list[Figure]:
    costs = (None, None, None) if run is None else (run.cpu_s_per_hour, run.speed, run.peak_mb)
    named = zip(("whole detection", "speed", "memory"), costs, ("CPU s/h", "x", "MB"), strict=True)
    return [Figure(name, *rest) for rest in named]


def _clips(folder: Path, sound: signals.FloatArray) -> dict[str, Path]:
    cut = sound[:, : round(_CLIP_S * 44_100)]
    kinds = (signals.FORMATS[0], signals.MP3)
    return {
        f"clips of {_CLIP_S:g} s, {kind.name}": signals.encode(folder / f"clip{kind.suffix}", kind, cut)
        for kind in kinds
    }


def _clip_figures(name: str, runs: Mapping[str, Run]) -> list[Figure]:
    return [
        Figure(name, "floor: decoding", 1000 * runs["floor"].cpu_s / _CLIPS, "CPU ms"),
        Figure(name, "whole detection", 1000 * runs["detect"].cpu_s / _CLIPS, "CPU ms"),
    ]


def _made_up(folder: Path, sound: signals.FloatArray, minutes: float, tell: Step) -> dict[str, Path]:
    times = max(1, round(60 * minutes / _PIECE_S))
    paths = {}
    for kind in signals.FORMATS:
        tell(f"encoding {kind.name}")
        paths[kind.name] = signals.encode(folder / f"signal{kind.suffix}", kind, sound, times)
    return paths


def _memory(
    folder: Path, sound: signals.FloatArray, model: str, hours: float, tell: Step
) -> tuple[list[Figure], dict[str, Any]]:
    tell("peak memory")
    piece = signals.encode(folder / "piece.mp3", signals.MP3, sound)
    seconds = sound.shape[1] / 44_100
    short = signals.join(folder / "short.mp3", piece, max(1, round(_SHORT_S / seconds)))
    long = signals.join(folder / "long.mp3", piece, max(1, round(3600 * hours / seconds)))
    runs = {name: _detect(path, model) for name, path in (("short", short), ("long", long))}
    figures = [
        Figure("peak memory", "10 minutes", runs["short"].peak_mb, "MB"),
        Figure("peak memory", f"{hours:g} h", runs["long"].peak_mb, "MB"),
        Figure("peak memory", "growth", runs["long"].peak_mb / runs["short"].peak_mb - 1),
    ]
    return figures, {name: asdict(run) for name, run in runs.items()}


def _children_cpu_s() -> float:
    """Return the processor seconds of all child processes that have ended."""
    if sys.platform == "win32":
        raise ConfigError("the speed benchmark needs the process accounts of Linux or macOS; run it there")
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
