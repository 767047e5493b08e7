"""A run: tasks handed to an engine, what comes back written down, until nothing is left to do."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

from earmark.batch.engines import Engine
from earmark.batch.items import result_path
from earmark.batch.ledger import Ledger
from earmark.batch.parts import parts_folder
from earmark.batch.plan import Plan
from earmark.batch.process import make_work
from earmark.batch.shelf import Shelf
from earmark.batch.task import Outcome, Task
from earmark.batch.tasks import Tasks
from earmark.errors import EarmarkError, StoreError
from earmark.files import make_folder
from earmark.pool import Limits, Work

# A store that cannot be reached: attempts of one task in a run, and faults in a row that end a run.
_MOST_ATTEMPTS = 3
_MOST_FAULTS = 20

# Told of each recording that is done or failed.
Tell = Callable[[Task, Outcome], None]


def run_batch(
    ledger: Ledger,
    plan: Plan,
    engine: Engine,
    limits: Limits,
    tell: Tell,
    make: Callable[[Plan], Work[Task, Outcome]] = make_work,
) -> None:
    """Do all that is pending in a ledger; the lock of its folder must be held.

    However it ends, what was finished is kept and what was not is pending.

    Parameters
    ----------
    ledger : Ledger
    plan : Plan
    engine : Engine
    limits : Limits
        Of each task.
    tell : callable
        Called after each recording.
    make : callable
        What makes the work of a worker, of a plan; must be picklable.

    Raises
    ------
    StoreError
        If the object store cannot be reached any more.
    EarmarkError
        If the disk is full, or the engine is gone.
    """
    _tidy(ledger, plan)
    shelf = Shelf(ledger, plan) if plan.results == "parquet" else None
    n_faults = 0
    faults = Counter[tuple[int, int | None]]()  # of tasks to be tried again
    tasks = Tasks(ledger)
    try:
        with closing(engine.run(partial(make, plan), tasks, limits)) as results:
            for task, outcome in results:
                if not ledger.expects(task):
                    continue
                if outcome.fault == "disk":
                    raise EarmarkError(f"{task.id}: {outcome.error}")
                n_faults = n_faults + 1 if outcome.fault == "store" else 0
                key = task.number, task.part
                faults[key] += outcome.fault == "store"
                if outcome.fault == "store" and faults[key] < _MOST_ATTEMPTS:
                    ledger.put_back(task)
                    tasks.may_have_parts |= task.part is not None
                else:
                    del faults[key]
                    _settle(ledger, plan, task, outcome)
                    tasks.may_have_parts |= bool(outcome.n_parts or task.n_parts)
                    if outcome.error is not None or task.joins or not (outcome.n_parts or task.n_parts):
                        tell(task, outcome)
                    if shelf is not None:
                        shelf.note(outcome)
                if n_faults >= _MOST_FAULTS:
                    raise StoreError(f"stopped after {n_faults} faults in a row: {outcome.error}")
        if shelf is not None:
            shelf.flush()
    finally:
        with suppress(EarmarkError):  # on a full disk; the next run begins with it
            ledger.recover()
        shutil.rmtree(plan.workshop, ignore_errors=True)


def _settle(ledger: Ledger, plan: Plan, task: Task, outcome: Outcome) -> None:
    ledger.settle(task, outcome)
    if outcome.error is not None and plan.results == "json":  # a recording that had a result, and was changed
        with suppress(OSError):
            (plan.results_folder / result_path(task.id)).unlink()
    if task.joins or (task.part is not None and outcome.error is not None):
        shutil.rmtree(parts_folder(plan.parts_folder, task.number), ignore_errors=True)


def _tidy(ledger: Ledger, plan: Plan) -> None:
    """Put away what a run that was killed has left: half-written files, tasks it had in its hands."""
    ledger.recover()
    shutil.rmtree(plan.workshop, ignore_errors=True)
    make_folder(plan.workshop)
    split = ledger.split_items()
    if plan.parts_folder.is_dir():
        for folder in plan.parts_folder.iterdir():
            if folder.name not in split:
                shutil.rmtree(folder, ignore_errors=True)
