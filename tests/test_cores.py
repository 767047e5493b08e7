"""Work done ahead in a thread: the same items, errors at their place, and nothing left running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from earmark.cores import ahead, stage


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "earmark-ahead"]


class _Source:
    """Counts what is taken from it, and notes in which thread, and whether it was closed."""

    def __init__(self, n_items: int, fails: bool = False) -> None:
        self.n_items, self.fails = n_items, fails
        self.taken = 0
        self.threads: set[str] = set()
        self.closed = False

    def items(self) -> Iterator[int]:
        try:
            for i in range(self.n_items):
                self.taken += 1
                self.threads.add(threading.current_thread().name)
                yield i
            if self.fails:
                raise ZeroDivisionError("at the end")
        finally:
            self.closed = True


def test_items_come_in_order_from_another_thread() -> None:
    source = _Source(50)
    assert list(ahead(source.items(), 3)) == list(range(50))
    assert (source.threads, source.closed, alive()) == ({"earmark-ahead"}, True, [])


def test_an_error_comes_after_the_items_before_it() -> None:
    found: list[int] = []
    source = _Source(3, fails=True)
    with pytest.raises(ZeroDivisionError, match="at the end"):
        found.extend(ahead(source.items(), 1))
    assert (source.taken, source.closed, alive()) == (3, True, [])


def test_no_more_is_taken_than_may_lie_ready() -> None:
    source = _Source(1000)
    items = ahead(source.items(), 4)
    assert next(items) == 0
    while source.taken < 6:  # the one that was taken out, four that are ready, and one at work
        time.sleep(0.001)
    time.sleep(0.01)
    assert source.taken == 6
    items.close()
    assert source.taken <= 7
    assert (source.closed, alive()) == (True, [])


def take(source: _Source, n_items: int) -> list[int]:
    """Take some items through two threads, and fail."""
    found: list[int] = []
    with (
        stage(source.items(), 1, threaded=True) as first,
        stage((2 * i for i in first), 1, threaded=True) as second,
    ):
        for item in second:
            assert len(alive()) == 2
            found.append(item)
            if len(found) == n_items:
                raise KeyError(found)
    return found


@pytest.mark.parametrize("n_items", [1, 2, 20])
def test_a_chain_that_is_left_early_ends_its_threads(n_items: int) -> None:
    source = _Source(1000)
    with pytest.raises(KeyError) as caught:
        take(source, n_items)
    assert caught.value.args == ([2 * i for i in range(n_items)],)
    assert (source.closed, alive()) == (True, [])


def test_a_stage_without_threads_is_the_source_itself() -> None:
    source = _Source(3)
    with stage(source.items(), 1, threaded=False) as items:
        assert list(items) == [0, 1, 2]
    assert source.threads == {threading.current_thread().name}
