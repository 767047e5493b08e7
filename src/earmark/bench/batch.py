"""What `earmark batch` costs and stands: its speed on one and two cores, what it adds, its memory, kills."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from earmark.batch.plan import RESULTS
from earmark.bench import signals
from earmark.bench.kills import kill_batch
from earmark.bench.processes import run_python
from earmark.bench.report import Figure, Goal
from earmark.errors import ConfigError

_FILE_S = 60
_CLIP_S, _CLIPS = 2, 300


def measure_batch(
    model: str,
    *,
    files: int,
    hours: float,
    mixed: int,
    kills: int,
    seed: int = 0,
    repeats: int = 9,
    tell: Callable[[str], None],
) -> tuple[list[Figure], dict[str, Any]]:
    """Measure everything.

    Parameters
    ----------
    model : str
        Name or path.
    files : int
        One-minute recordings, to measure speed and overhead; at least 4.
    hours : float
        Length of the long recording; 0 leaves it out.
    mixed : int
        Recordings of the batch that is killed.
    kills : int
        How often; 0 leaves it out.
    seed : int
        Another one kills at other moments.
    repeats : int
        Rounds of the measurements of speed; ratios are medians of those within each round.
    tell : callable
        Told what is being done.

    Returns
    -------
    figures : list of Figure
    details : dict

    Raises
    ------
    ConfigError
        If an amount is out of range.
    """
    if files < 4 or repeats < 1 or min(hours, kills) < 0:
        raise ConfigError(f"files {files}, repeats {repeats}, hours {hours}, kills {kills}: give more")
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="earmark-") as name:
        folder = Path(name)
        tell("making recordings")
        piece = signals.encode(folder / "minute.mp3", signals.MP3, signals.material(_FILE_S))
        for i in range(files):
            (folder / "minutes").mkdir(exist_ok=True)
            shutil.copy(piece, folder / "minutes" / f"{i:05d}.mp3")
        runs: dict[str, list[dict[str, float]]] = {"bare": [], "one": [], "two": []}
        for _ in range(repeats):  # in turn, so that all meet the same machine
            for jobs, kind in enumerate(runs):
                tell(f"{files} recordings of a minute: {kind}")
                runs[kind].append(_run(folder, "minutes", model, jobs))
        figures += _speed(f"{files} recordings of a minute", runs)
        details["runs"] = runs
        details["clips"] = _clips(folder, model, repeats, tell)
        figures += [
            Figure(f"{_CLIPS} clips of {_CLIP_S} s, one worker", f"results as {kind}", 1 / wall_s, "files/s")
            for kind, wall_s in details["clips"].items()
        ]
        if hours:
            tell(f"a recording of {hours:g} h")
            (folder / "long").mkdir()
            # With a second, short one: the first that a worker does is its start, and does not count.
            shutil.copy(piece, folder / "long" / "0.mp3")
            signals.join(folder / "long" / "1.mp3", piece, round(3600 * hours / _FILE_S))
            long = _run(folder, "long", model, 1)
            figures.append(
                Figure(f"{hours:g} h in one file", "peak memory", long["peak_mb"], "MB", Goal(250, False))
            )
            details["long"] = long
        if kills:
            killed = kill_batch(folder / "killed", mixed, kills, model, seed=seed, tell=tell)
            group = f"{mixed} mixed recordings, killed {killed.n_kills} times"
            figures += [
                Figure(group, "with one right record", killed.n_right / killed.n_files, "%", Goal(1.0)),
                Figure(group, "done twice", float(killed.n_redone), "", Goal(0.0, False)),
                Figure(group, "processes and files left over", float(killed.n_left), "", Goal(0.0, False)),
            ]
            details["killed"] = asdict(killed)
    return figures, details


def _speed(group: str, runs: dict[str, list[dict[str, float]]]) -> list[Figure]:
    """Compare runs round by round: the machine's own speed changes more between rounds than within one."""
    bare, one, two = ([run["wall_s"] / run["n"] for run in runs[kind]] for kind in ("bare", "one", "two"))
    doubled = median(a / b for a, b in zip(one, two, strict=True))
    added = median(a / b for a, b in zip(one, bare, strict=True)) - 1
    return [
        Figure(group, "one worker", 1 / median(one), "files/s"),
        Figure(group, "two workers", 1 / median(two), "files/s"),
        Figure(group, "two over one", doubled, "", Goal(1.85)),
        Figure(group, "added to the bare work", added, "%", Goal(0.05, False)),
        Figure(group, "cost", median(3600 * run["cpu_s"] / run["audio_s"] for run in runs["one"]), "CPU s/h"),
    ]


def _clips(folder: Path, model: str, repeats: int, tell: Callable[[str], None]) -> dict[str, float]:
    """Return the wall seconds of a clip, by the kind of results."""
    clip = signals.encode(folder / "clip.wav", signals.FORMATS[0], signals.material(_CLIP_S))
    (folder / "clips").mkdir()
    for i in range(_CLIPS):
        shutil.copy(clip, folder / "clips" / f"{i:05d}.wav")
    taken: dict[str, list[float]] = {kind: [] for kind in RESULTS}
    for _ in range(repeats):
        for kind, walls in taken.items():
            tell(f"{_CLIPS} clips: {kind}")
            found = _run(folder, "clips", model, 1, kind)
            walls.append(found["wall_s"] / found["n"])
    return {kind: median(walls) for kind, walls in taken.items()}


def _run(folder: Path, source: str, model: str, jobs: int, results: str = "json") -> dict[str, float]:
    shutil.rmtree(folder / "out", ignore_errors=True)
    arguments = [
        "-m",
        "earmark.bench.batchworker",
        str(folder / source),
        str(folder / "out"),
        model,
        str(jobs),
        results,
    ]
    found: dict[str, float] = json.loads(run_python(arguments))
    return found
