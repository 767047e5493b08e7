"""The ledger of a batch: what is pending, running and done."""

from __future__ import annotations

from pathlib import Path

import pytest

from earmark.batch.items import Item
from earmark.batch.ledger import Ledger
from earmark.batch.task import Outcome
from earmark.batch.tasks import Tasks


def test_what_was_running_is_pending_again_and_what_was_done_stays(tmp_path: Path) -> None:
    with Ledger.create(tmp_path, {}) as ledger:
        ledger.add(Item(f"{i}", f"/{i}.wav") for i in range(4))
        tasks = Tasks(ledger)
        first, second = next(tasks), next(tasks)
        ledger.settle(first, Outcome(duration=2.0, shares={"speech": 1.0}))
        assert second.id == "1"
    with Ledger.open(tmp_path) as ledger:  # as after a kill
        assert ledger.counts() == {"pending": 2, "running": 1, "done": 1, "failed": 0}
        ledger.recover()
        assert [task.id for task in Tasks(ledger)] == ["1", "2", "3"]


def test_a_task_that_is_put_back_comes_again(tmp_path: Path) -> None:
    with Ledger.create(tmp_path, {}) as ledger:
        ledger.add([Item("a", "a.wav"), Item("b", "b.wav")])
        tasks = Tasks(ledger)
        first = next(tasks)
        ledger.put_back(first)
        assert [next(tasks).id, next(tasks).id] == ["b", "a"]
        assert [row["attempts"] for row in ledger.rows()] == [2, 1]
        with pytest.raises(StopIteration):
            next(tasks)


def test_a_recording_that_changes_while_it_is_in_parts_loses_its_parts(tmp_path: Path) -> None:
    with Ledger.create(tmp_path, {}) as ledger:
        assert ledger.add([Item("a", "a.wav", stamp="1")]) == 0
        tasks = Tasks(ledger)
        ledger.settle(next(tasks), Outcome(n_parts=2))
        tasks.may_have_parts = True
        ledger.settle(next(tasks), Outcome())
        assert ledger.split_items() == {"1"}
        assert ledger.add([Item("a", "a.wav", stamp="2")]) == 0  # it was not done yet
        assert ledger.split_items() == set()
        assert [(task.id, task.part) for task in Tasks(ledger)] == [("a", None)]


def test_what_nothing_is_told_of_counts_as_unchanged(tmp_path: Path) -> None:
    with Ledger.create(tmp_path, {}) as ledger:
        for stamp in (None, "1", None, "1"):
            assert ledger.add([Item("a", "a.wav", stamp=stamp)]) == 0
            for task in Tasks(ledger):
                ledger.settle(task, Outcome(duration=1.0))
        assert ledger.counts()["done"] == 1
        assert ledger.add([Item("a", "a.wav", stamp="2")]) == 1
        assert ledger.counts()["pending"] == 1
