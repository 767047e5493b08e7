"""What is to be done, one task after the other, out of a ledger."""

from __future__ import annotations

import os
from collections.abc import Iterator

from earmark.batch.ledger import Ledger
from earmark.batch.task import Task

_CHUNK = 5000  # items looked up at a time


class Tasks(Iterator[Task]):
    """Tasks of a ledger, marked as running when they are taken.

    Ended, it may go on after a task was settled, which may have brought others: its parts, or itself again.

    Parameters
    ----------
    ledger : Ledger

    Attributes
    ----------
    may_have_parts : bool
        Set when a recording was split; a query for each task is saved where none ever is.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[int, str, bytes]] = []
        self._after = 0
        self.may_have_parts = True

    def __next__(self) -> Task:
        if self.may_have_parts:
            part = self._ledger.take_part()
            if part is not None:
                return part
            self.may_have_parts = False
        if not self._waiting:
            self._waiting = self._ledger.take_pending(self._after, _CHUNK)[::-1]
            if not self._waiting and self._after:  # those that were put back
                self._waiting = self._ledger.take_pending(0, _CHUNK)[::-1]
        if not self._waiting:
            raise StopIteration
        number, name, source = self._waiting.pop()
        self._after = number
        self._ledger.begin(number)
        return Task(number, name, os.fsdecode(source))
