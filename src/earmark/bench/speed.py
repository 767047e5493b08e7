"""What detection costs: processor time by format beside the floor of decoding, memory, and the start.

Every number comes from a process of its own with one thread (`earmark.bench.worker`).  Of several runs
the least processor time counts: whatever else the machine does only adds to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earmark.bench import signals
from earmark.bench.report import Figure
from earmark.errors import ConfigError, EarmarkError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_START = "import sys; from earmark.cli.app import main; sys.argv[0] = 'earmark'; main()"
_PIECE_S = 60.0
_SHORT_S = 600.0

Step = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """What one process measured.

    Parameters
    ----------
    audio_s, cpu_s, wall_s : float
        Seconds of audio gone through, of processor time and of wall time.
    peak_mb : float
        Most memory held, resident, MB.
    """

    audio_s: float
    cpu_s: float
    wall_s: float
    peak_mb: float

    @property
    def cpu_s_per_hour(self) -> float:
        """Processor seconds per hour of audio."""
        return 3600 * self.cpu_s / self.audio_s


def measure(mode: str, path: str | Path, model: str, repeats: int = 1) -> Run:
    """Go through a file in a fresh process; return the run with the least processor time.

    Parameters
    ----------
    mode : {"floor", "detect"}
        Decode and resample only, or detect.
    path : str or Path
        Recording.
    model : str
        Name or path of the model.
    repeats : int
        Runs to choose from.

    Raises
    ------
    EarmarkError
        If the process fails; the message holds the last line it wrote.
    ConfigError
        If the recording holds no sound.
    """
    runs = []
    for _ in range(repeats):
        out = run_python(["-m", "earmark.bench.worker", mode, str(path), model])
        runs.append(Run(**json.loads(out)))
    best = min(runs, key=lambda run: run.cpu_s)
    if not best.audio_s:
        raise ConfigError(f"'{path}' holds no sound; give a recording of some minutes")
    return best


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
        Runs of each measurement of processor time.
    on_step : callable, optional
        Told what is being done.

    Returns
    -------
    figures : list of Figure
        By recording (the floor decodes and resamples), then "peak memory" and "start".
    details : dict
        The single runs.

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
        figures, details = _speed(inputs, model, repeats, tell)
        if hours:
            more, runs = _memory(Path(folder), sound, model, hours, tell)
            figures += more
            details["memory"] = runs
        tell("first result of a 10-second file")
        short = signals.encode(Path(folder) / "ten.wav", signals.FORMATS[0], sound[:, : 10 * 44_100])
        cpu_s = first_result_cpu_s(short, model, repeats)
        figures.append(Figure("start", "result of 10 s", cpu_s, "CPU s"))
    return figures, details


def _made_up(folder: Path, sound: signals.FloatArray, minutes: float, tell: Step) -> dict[str, Path]:
    times = max(1, round(60 * minutes / _PIECE_S))
    paths = {}
    for kind in signals.FORMATS:
        tell(f"encoding {kind.name}")
        paths[kind.name] = signals.encode(folder / f"signal{kind.suffix}", kind, sound, times)
    return paths


def _speed(
    inputs: dict[str, Path], model: str, repeats: int, tell: Step
) -> tuple[list[Figure], dict[str, Any]]:
    figures, runs = [], {}
    for name, path in inputs.items():
        tell(f"decoding {name}")
        floor = measure("floor", path, model, repeats)
        tell(f"detecting {name}")
        total = measure("detect", path, model, repeats)
        figures += [
            Figure(name, "floor: decoding", floor.cpu_s_per_hour, "CPU s/h"),
            Figure(name, "whole detection", total.cpu_s_per_hour, "CPU s/h"),
            Figure(name, "ratio to floor", total.cpu_s_per_hour / floor.cpu_s_per_hour, ""),
        ]
        runs[name] = {"floor": asdict(floor), "detect": asdict(total)}
    return figures, {"runs": runs}


def _memory(
    folder: Path, sound: signals.FloatArray, model: str, hours: float, tell: Step
) -> tuple[list[Figure], dict[str, Any]]:
    tell("peak memory")
    piece = signals.encode(folder / "piece.mp3", signals.MP3, sound)
    seconds = sound.shape[1] / 44_100
    short = signals.join(folder / "short.mp3", piece, max(1, round(_SHORT_S / seconds)))
    long = signals.join(folder / "long.mp3", piece, max(1, round(3600 * hours / seconds)))
    runs = {name: measure("detect", path, model) for name, path in (("short", short), ("long", long))}
    figures = [
        Figure("peak memory", "10 minutes", runs["short"].peak_mb, "MB"),
        Figure("peak memory", f"{hours:g} h", runs["long"].peak_mb, "MB"),
        Figure("peak memory", "growth", runs["long"].peak_mb / runs["short"].peak_mb - 1),
    ]
    return figures, {name: asdict(run) for name, run in runs.items()}


def run_python(arguments: Sequence[str]) -> str:
    """Run this interpreter with one thread; return what it wrote to standard output.

    Raises
    ------
    EarmarkError
        If it fails; the message holds the last line it wrote.
    """
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        told = done.returncode == 2  # a message for the user, not a traceback
        raise EarmarkError(lines[-1] if told else f"the measured process failed: {lines[-1]}")
    return done.stdout


def _children_cpu_s() -> float:
    """Return the processor seconds of all child processes that have ended."""
    if sys.platform == "win32":
        raise ConfigError("the speed benchmark needs the process accounts of Linux or macOS; run it there")
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
