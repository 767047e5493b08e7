"""From a folder to a run in it: its lock, its ledger, its plan, the list of its items, its manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from earmark.batch.database import LOCK_NAME
from earmark.batch.engines import Engine
from earmark.batch.items import Item, find_items
from earmark.batch.ledger import Ledger
from earmark.batch.manifest import write_manifest
from earmark.batch.plan import Plan, check_same, make_plan
from earmark.batch.process import make_work
from earmark.batch.run import run_batch
from earmark.batch.task import Outcome, Task
from earmark.errors import ConfigError, EarmarkError
from earmark.files import make_folder
from earmark.lock import locked
from earmark.pool import Limits, Work


class Teller(Protocol):
    """Told how a run goes."""

    def listing(self, n_items: int) -> None:
        """So many items were found so far."""

    def left_out(self, problem: str) -> None:
        """Something is not done, which nothing in the ledger tells."""

    def changed(self, n_items: int) -> None:
        """So many items that were finished have changed since, and are done again."""

    def begin(self, counts: Mapping[str, int]) -> None:
        """The work begins, with so many items in each state."""

    def done(self, task: Task, outcome: Outcome) -> None:
        """A recording was done, or failed."""


@dataclass(frozen=True)
class Running:
    """What may differ from run to run: who does the work, and how much of it one recording may take.

    Parameters
    ----------
    engine : Engine
    limits : Limits
    make : callable
        What makes the work of a worker, of the plan; picklable.
    """

    engine: Engine
    limits: Limits = field(default_factory=Limits)
    make: Callable[[Plan], Work[Task, Outcome]] = make_work


def begin_batch(
    source: str,
    folder: Path,
    model: str,
    overrides: Mapping[str, Mapping[str, float]],
    results: str,
    split_s: float | None,
    running: Running,
    teller: Teller,
) -> None:
    """Begin a batch, or go on with it: items that are new in the source are added, those that have changed
    since they were done are done again.

    Parameters
    ----------
    source : str
        See `find_items`.
    folder : Path
        Of the batch.
    model, overrides, results, split_s
        See `Plan`.
    running : Running
    teller : Teller

    Raises
    ------
    ConfigError
        If it was begun otherwise, another run is at work there, or the source names nothing.
    StoreError
        If the object store cannot be reached.
    EarmarkError
        If the folder cannot be written, or the engine is gone.
    """
    plan = make_plan(folder, model, overrides, results, split_s)
    make_folder(folder)
    with (
        locked(folder, LOCK_NAME),
        Ledger.create(folder, {"plan": plan.to_facts(), "listed": False}) as ledger,
    ):
        begun = Plan.from_facts(folder, ledger.facts()["plan"])
        check_same(plan, begun)
        ledger.note("plan", plan.to_facts())  # the same model may have another path by now
        items = _counted(find_items(source, teller.left_out), teller)
        if n_changed := ledger.add(items, redo=plan.results != "parquet"):
            _tell_changed(n_changed, plan, teller)
        ledger.note("listed", True)
        _run(ledger, plan, running, teller)


def retry_batch(folder: Path, running: Running, teller: Teller) -> None:
    """Go on with a batch, and do what failed once more; for errors see `begin_batch`."""
    with _opened(folder) as (ledger, plan):
        if not ledger.facts().get("listed", True):
            raise ConfigError(
                f"the list of recordings in '{folder}' is not whole: the run that made it was ended; "
                f"give its source again: earmark batch SOURCE --out {folder}"
            )
        ledger.retry()
        _run(ledger, plan, running, teller)


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[Ledger, Plan]]:
    with Ledger.open(folder) as ledger, locked(folder, LOCK_NAME):
        yield ledger, Plan.from_facts(folder, ledger.facts()["plan"])


def _run(ledger: Ledger, plan: Plan, running: Running, teller: Teller) -> None:
    # What was running when a run was killed is none any more.
    ledger.recover()
    teller.begin(ledger.counts())
    try:
        run_batch(ledger, plan, running.engine, running.limits, teller.done, running.make)
    except BaseException:
        with suppress(EarmarkError):  # why the run ended is worth more
            write_manifest(ledger, plan, Path(plan.folder))
        raise
    write_manifest(ledger, plan, Path(plan.folder))


def _tell_changed(n_changed: int, plan: Plan, teller: Teller) -> None:
    if plan.results != "parquet":
        teller.changed(n_changed)
        return
    teller.left_out(
        f"{n_changed} recordings have changed since they were done; what is in shards stays as it is: "
        "begin another batch, in another folder, to have them done again"
    )


def _counted(items: Iterator[Item], teller: Teller) -> Iterator[Item]:
    for number, item in enumerate(items, 1):
        if number % 1000 == 0:
            teller.listing(number)
        yield item
