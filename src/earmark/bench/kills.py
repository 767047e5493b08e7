"""A batch that is killed again and again: whether each recording ends with exactly one right record.

The recordings are short and mixed in format; some are damaged, some empty, one hangs its worker and one kills
it.  The run is killed with SIGKILL at random moments and started again, and in the end let alone.
"""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from earmark.batch.engines.local_engine import LocalEngine
from earmark.batch.ledger import Ledger
from earmark.batch.plan import Plan
from earmark.batch.process import make_work
from earmark.batch.session import Running, begin_batch
from earmark.batch.task import Outcome, Task
from earmark.bench import signals
from earmark.detector import Detector
from earmark.errors import ConfigError, EarmarkError
from earmark.formats import dumps
from earmark.pool import Limits, Progress, Work
from earmark.timeline import Timeline

_RATE = 44_100
_MOST_S = 6
# One in so many is damaged, and one in so many empty.
_BAD_EVERY = 20
HANGS, KILLS = "hangs.wav", "kills.wav"


@dataclass(frozen=True)
class Killed:
    """What was found at the end.

    Parameters
    ----------
    n_files, n_kills : int
        Recordings, and kills of runs that were at work.
    n_right : int
        Recordings with exactly one record, which is right.
    n_redone : int
        Results that were written again although they were done.
    n_left : int
        Processes and unfinished files left over.
    wrong : tuple of str
        Records that are not right, and why.
    """

    n_files: int
    n_kills: int
    n_right: int
    n_redone: int
    n_left: int
    wrong: tuple[str, ...]


def make_files(folder: Path, n_files: int, seed: int) -> None:
    """Fill a folder with recordings of all kinds."""
    if n_files < 4:
        raise ConfigError(f"{n_files} files: give 4 or more")
    folder.mkdir(parents=True)
    sound = signals.material(_MOST_S, seed)
    rng = random.Random(seed)
    for i in range(n_files - 2):
        kind = signals.FORMATS[i % len(signals.FORMATS)]
        path = folder / f"{i % 10}" / f"{i:05d}{kind.suffix}"
        path.parent.mkdir(exist_ok=True)
        if i % _BAD_EVERY == 1:
            path.write_bytes(rng.randbytes(5000))
        elif i % _BAD_EVERY == 2:
            path.write_bytes(b"")
        else:
            start, length = (
                round(_RATE * rng.uniform(*span)) for span in ((0, _MOST_S / 3), (1, 2 * _MOST_S / 3))
            )
            signals.encode(path, kind, sound[:, start : start + length])
    for name in (HANGS, KILLS):
        signals.encode(folder / name, signals.FORMATS[0], sound[:, :_RATE])


def kill_batch(
    folder: Path,
    n_files: int,
    n_kills: int,
    model: str,
    *,
    jobs: int = 2,
    seed: int = 0,
    tell: Callable[[str], None],
) -> Killed:
    """Make recordings, mark them with a batch that is killed so many times, and look at what is there.

    Raises
    ------
    ConfigError
        If the numbers are out of range, or the system has no SIGKILL.
    """
    if sys.platform == "win32":
        raise ConfigError("the benchmark of kills needs SIGKILL, which Windows does not have")
    make_files(folder / "in", n_files, seed)
    rng = random.Random(seed)
    kept: dict[str, tuple[int, int]] = {}
    n_left = killed = 0
    while killed < n_kills:
        tell(f"kill {killed + 1} of {n_kills}")
        process = _start(folder, model, jobs)
        with suppress(subprocess.TimeoutExpired):
            # The start takes about a second: some are killed while they list, most at work.
            process.wait(rng.uniform(0.3, 4.0))
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
        n_left += _survivors(process.pid)
        kept |= {name: mark for name, mark in _finished(folder).items() if name not in kept}
    tell("the last run")
    _start(folder, model, jobs).wait()
    now = _finished(folder)
    right, wrong = _check(folder, model)
    n_left += sum(path.suffix == ".tmp" for path in folder.rglob("*"))
    redone = sum(now.get(name) != mark for name, mark in kept.items())
    return Killed(n_files, killed, right, redone, n_left, tuple(wrong))


def _start(folder: Path, model: str, jobs: int) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-m", "earmark.bench.kills", str(folder), model, str(jobs)]
    return subprocess.Popen(arguments, start_new_session=True)


def _survivors(group: int) -> int:
    """Return 1 if workers outlive their killed parent by more than some seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return 0
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return 1


def _finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the results of what is done: their inodes and times, which change if they are written again."""
    found = {}
    with suppress(ConfigError), Ledger.open(folder / "out") as ledger:
        for row in ledger.rows():
            if row["state"] == "done":
                state = (folder / "out" / "results" / f"{row['id']}.json").stat()
                found[row["id"]] = (state.st_ino, state.st_mtime_ns)
    return found


def _check(folder: Path, model: str) -> tuple[int, list[str]]:
    """Compare every record with what `detect` says."""
    detector = Detector(model)
    card = detector.model.card
    with (folder / "out" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts = Counter(row["id"] for row in rows)
    records = {row["id"]: row for row in rows}
    right, wrong = 0, []
    for path in sorted((folder / "in").rglob("*.*")):
        name = path.relative_to(folder / "in").as_posix()
        result = folder / "out" / "results" / f"{name}.json"
        row = records.get(name, {})
        expected = _expected(detector, path)
        if counts[name] != 1:
            wrong.append(f"{name}: {counts[name]} records")
        elif expected is None and (row["status"] != "failed" or not row["error"] or result.exists()):
            wrong.append(f"{name}: {row['status']}, and should have failed")
        elif expected is not None and row["status"] != "done":
            wrong.append(f"{name}: {row['status']} ({row['error']})")
        elif expected is not None and result.read_text(encoding="utf-8") != dumps(
            expected, "json", model=(card.name, card.version)
        ):
            wrong.append(f"{name}: another result than by itself")
        else:
            right += 1
    wrong += [f"{name}: not in the source" for name in counts if not (folder / "in" / name).exists()]
    return right, wrong


def _expected(detector: Detector, path: Path) -> Timeline | None:
    """Return what `detect` finds, or None if it is to fail."""
    if path.name in (HANGS, KILLS):
        return None
    try:
        return detector.detect(str(path))
    except EarmarkError:
        return None


class _Silent:
    """Tells nothing."""

    def listing(self, n_items: int) -> None: ...
    def left_out(self, problem: str) -> None: ...
    def changed(self, n_items: int) -> None: ...
    def begin(self, counts: object) -> None: ...
    def done(self, task: Task, outcome: Outcome) -> None: ...


def _troubled(plan: Plan) -> Work[Task, Outcome]:
    """Return the work of a batch, with a decoder that one recording hangs and one kills."""
    return partial(_trouble, make_work(plan))


def _trouble(work: Work[Task, Outcome], task: Task, progress: Progress) -> Outcome:
    if task.id == HANGS:
        time.sleep(3600)
    if task.id == KILLS:
        os.kill(os.getpid(), signal.SIGKILL)
    return work(task, progress)


def main(folder: str, model: str, jobs: str) -> None:
    """Run the batch of a folder until it is done or killed."""
    running = Running(LocalEngine(int(jobs)), Limits(seconds=5.0), _troubled)
    out = Path(folder, "out")
    begin_batch(str(Path(folder, "in")), out, model, {}, "json", None, running, _Silent())


if __name__ == "__main__":
    main(*sys.argv[1:])
