"""A run on very many cores: what it should take, by a model, and by the real scheduler with stub workers.

The simulation runs the code of a batch (the list, the ledger, the tasks, the run, the manifest) on as many
items as wanted.  Only the workers are made up: they live in a time of their own, in which an item takes what
its length costs, some items fail, and some workers are lost in the middle.
"""

from __future__ import annotations

import heapq
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.batch.engines import Make, Results
from earmark.batch.ledger import Ledger
from earmark.batch.session import Running, begin_batch
from earmark.batch.task import Outcome, Task
from earmark.bench.report import Figure, Goal
from earmark.bench.worker import peak_memory_mb
from earmark.errors import ConfigError
from earmark.pool import Limits

_SPREAD = 0.7  # of the logarithm of lengths
_FOLDERS = 1000
# An item in work: when it ends, a number that tells equal times apart, its hours, whether it fails.
_Busy = tuple[float, int, Task, float, bool]


@dataclass(frozen=True)
class Fleet:
    """What a run has to do, with what.

    Parameters
    ----------
    items : int
        Recordings.
    cores : int
        Workers.
    hours : float
        Mean length of a recording.
    cpu_s_per_hour : float
        What an hour of audio costs a core, measured by `earmark bench speed`.
    start_s : float
        What a recording costs whatever its length: opening, writing, waiting for the disk.
    mb_per_hour : float
        To be read of an hour of audio; 57.6 is 128 kbit/s.
    failing : float
        Share of recordings that fail, half way through.
    lost_per_day : float
        How often a worker is lost in a day.
    usd_per_core_hour : float
        Price.
    driver_s : float
        What an item costs the scheduler.
    """

    items: int
    cores: int
    hours: float
    cpu_s_per_hour: float
    start_s: float
    mb_per_hour: float
    failing: float
    lost_per_day: float
    usd_per_core_hour: float
    driver_s: float = 0.0

    def __post_init__(self) -> None:
        if self.items < 1 or self.cores < 1 or min(self.hours, self.cpu_s_per_hour) <= 0:
            raise ConfigError(
                f"items {self.items}, cores {self.cores}, hours {self.hours}, cost {self.cpu_s_per_hour}: "
                "they must be above 0"
            )

    @property
    def item_s(self) -> float:
        """Mean seconds a worker needs for an item, losses of workers not counted."""
        return (self.start_s + self.hours * self.cpu_s_per_hour) * (1 - self.failing / 2)

    @property
    def work_s(self) -> float:
        """Seconds of all workers, with what is done again: a loss costs half an item, on the mean."""
        again = self.lost_per_day / 86_400 * _mean_square_s(self) / self.item_s / 2
        return self.items * self.item_s * (1 + again)

    @property
    def wall_s(self) -> float:
        """Seconds of the run: the workers', or the scheduler's, if it cannot keep up; and the last item's."""
        return max(self.work_s / self.cores, self.items * self.driver_s) + self.item_s

    def figures(self, group: str) -> list[Figure]:
        """Return what a run should take."""
        wall_s, audio_h = self.wall_s, self.items * self.hours
        core_hours = self.work_s / 3600
        return [
            Figure(group, "audio", audio_h, "h"),
            Figure(group, "work", core_hours, "core h"),
            Figure(group, "wall", wall_s / 3600, "h"),
            Figure(group, "price", core_hours * self.usd_per_core_hour, "USD"),
            Figure(group, "reading, all workers", audio_h * self.mb_per_hour / wall_s / 1000, "GB/s"),
            Figure(group, "items a second", self.items / wall_s, "/s"),
            Figure(group, "scheduler busy", self.items * self.driver_s / wall_s, "%"),
        ]


def _mean_square_s(fleet: Fleet) -> float:
    """Return the mean square of an item's seconds: long items are hit by losses more often."""
    mean = fleet.hours * fleet.cpu_s_per_hour
    return fleet.start_s**2 + 2 * fleet.start_s * mean + mean**2 * math.exp(_SPREAD**2)


class StubEngine:
    """Workers that only take time, and not the machine's.

    Parameters
    ----------
    fleet : Fleet
    seed : int

    Attributes
    ----------
    told : dict of str to int
        Outcomes given, by whether they are ``done`` or ``failed``.
    lost : int
        Workers lost.
    now : float
        Seconds gone by in the workers' time.
    """

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.told = {"done": 0, "failed": 0}
        self.lost = 0
        self.now = 0.0
        self._fleet = fleet
        self._random = random.Random(seed)

    def run(self, make: Make, tasks: Iterator[Task], limits: Limits) -> Results:
        """See `Engine.run`."""
        busy: list[_Busy] = []
        number = 0
        while True:
            while len(busy) < self._fleet.cores and (task := next(tasks, None)) is not None:
                number += 1
                heapq.heappush(busy, self._begun(number, task))
            if not busy:
                return
            self.now, _, task, hours, fails = heapq.heappop(busy)
            if fails:
                self.told["failed"] += 1
                yield task, Outcome("cannot be read: it is damaged")
            else:
                self.told["done"] += 1
                shares = {"speech": 1800 * hours, "music": 1800 * hours, "both": 0.0, "neither": 0.0}
                yield task, Outcome(duration=3600 * hours, shares=shares, seconds=hours)

    def _begun(self, number: int, task: Task) -> _Busy:
        """Return when a task that begins now will end, after as many losses of its worker as may be."""
        fleet, draw = self._fleet, self._random
        hours = fleet.hours * math.exp(draw.gauss(-(_SPREAD**2) / 2, _SPREAD))
        fails = draw.random() < fleet.failing
        needs = (fleet.start_s + hours * fleet.cpu_s_per_hour) * (0.5 if fails else 1.0)
        end = self.now
        while fleet.lost_per_day and (lasts := draw.expovariate(fleet.lost_per_day / 86_400)) < needs:
            end += lasts
            self.lost += 1
        return end + needs, number, task, hours, fails


class _Silent:
    """Tells nothing but how many items were listed."""

    def __init__(self, tell: Any) -> None:
        self._tell, self._n = tell, 0

    def listing(self, n_items: int) -> None:
        self._tell(f"{n_items:,} items listed")

    def left_out(self, problem: str) -> None:
        """See `Teller`."""

    def changed(self, n_items: int) -> None:
        """See `Teller`."""

    def begin(self, counts: Mapping[str, int]) -> None: ...

    def done(self, task: Task, outcome: Outcome) -> None:
        self._n += 1
        if self._n % 1000 == 0:
            self._tell(f"{self._n:,} items done")


def _list_of(n_items: int, folder: Path) -> Path:
    """Write a table of recordings, which are there, as any would be that is listed, but hold nothing."""
    source = folder / "items.csv"
    for i in range(min(n_items, _FOLDERS)):
        (folder / "archive" / f"{i:03d}").mkdir(parents=True)
    with source.open("w", encoding="utf-8") as file:
        file.write("source,station\n")
        for i in range(n_items):
            name = f"archive/{i % _FOLDERS:03d}/{i:09d}.mp3"
            (folder / name).touch()
            file.write(f"{name},{i % 7}\n")
    return source


def simulate(
    fleet: Fleet, folder: Path, model: str, seed: int, tell: Any
) -> tuple[list[Figure], dict[str, Any]]:
    """Run the batch code on a fleet of stubs in an empty folder.

    Raises
    ------
    EarmarkError
        What a batch raises.
    """
    source = _list_of(fleet.items, folder)
    engine = StubEngine(fleet, seed)
    began, cpu = time.perf_counter(), time.process_time()
    begin_batch(str(source), folder / "out", model, {}, "json", None, Running(engine), _Silent(tell))
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    with Ledger.open(folder / "out") as ledger:
        counts = ledger.counts()
    ledger_bytes = sum(path.stat().st_size for path in (folder / "out").glob("batch.sqlite*"))
    right = counts == {"pending": 0, "running": 0, **engine.told} and sum(counts.values()) == fleet.items
    group = "simulated"
    figures = [
        Figure(group, "one right record an item", float(right), "%", Goal(1.0)),
        Figure(group, "failed", counts["failed"] / fleet.items),
        Figure(group, "workers lost", float(engine.lost), ""),
        Figure(group, "wall, in the workers' time", engine.now / 3600, "h"),
        Figure(group, "by the model", fleet.wall_s / 3600, "h"),
        Figure(group, "scheduler", 1000 * cpu_s / fleet.items, "CPU ms/item"),
        Figure(group, "scheduler, with the disk", 1000 * wall_s / fleet.items, "ms/item"),
        Figure(group, "memory of the scheduler", peak_memory_mb(), "MB"),
        Figure(group, "ledger", ledger_bytes / fleet.items, "B/item"),
    ]
    return figures, {
        "counts": counts,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "lost": engine.lost,
        "now_s": engine.now,
    }
