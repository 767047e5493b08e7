"""Work in processes of its own: limits hold whatever a worker does."""

from __future__ import annotations

import time

from earmark.pool import Limits, Progress, Work, run_pool

SECONDS = 20.0


def talk(item: int, note: Progress) -> int:
    """Say something all the time, for so many seconds."""
    since = time.monotonic()
    while time.monotonic() - since < SECONDS:
        note(time.monotonic() - since, None)
    return item


def talkative() -> Work[int, int]:
    return talk


def listen(index: int, seconds: float, total: float | None) -> None:
    time.sleep(0.0005)  # slower than they come: there is always another


def test_limits_hold_for_a_worker_that_always_has_something_to_say() -> None:
    for limits, words in ((Limits(0.2), "limit of time"), (Limits(None, 1), "limit of memory")):
        (found,) = run_pool(talkative, [0], 1, listen, limits, lambda: None)
        assert found.exceeded
        assert words in (found.death or "")
