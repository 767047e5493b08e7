"""Worker processes: limits that always hold, and what one that dies, or does not end, costs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from earmark.errors import ConfigError, EarmarkError
from earmark.pool import Done, Limits, Progress, Work, run_pool

SECONDS = 20.0


def double(item: int, progress: Progress) -> int:
    return 2 * item


def make_after_deaths(folder: Path, n_deaths: int) -> Work[int, int]:
    """Return the work, but die in the first starts."""
    n_before = len(list(folder.iterdir()))
    if n_before < n_deaths:
        (folder / str(os.getpid())).touch()
        os._exit(7)
    return double


def never_end(item: int, progress: Progress) -> int:
    threading.Thread(target=threading.Event().wait).start()  # Python waits for it before it ends
    return 2 * item


def make_endless() -> Work[int, int]:
    return never_end


def run(make: Callable[[], Work[int, int]], n_items: int, jobs: int = 1) -> list[Done[int]]:
    return list(run_pool(make, range(n_items), jobs, lambda *_: None))


def test_a_worker_that_dies_while_it_starts_costs_no_item(tmp_path: Path) -> None:
    found = run(partial(make_after_deaths, tmp_path, 2), 3)
    assert [(done.index, done.result) for done in found] == [(0, 0), (1, 2), (2, 4)]
    assert len(list(tmp_path.iterdir())) == 2


def test_workers_that_all_die_while_they_start_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(EarmarkError) as caught:
        run(partial(make_after_deaths, tmp_path, 99), 10)
    assert "3 worker processes in a row died (exit code 7) before they had loaded the model" in str(
        caught.value
    )
    assert "the recordings are not at fault" in str(caught.value)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_worker_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earmark.pool._END_S", 0.2)
    assert [done.result for done in run(make_endless, 2)] == [0, 2]


def write_whatever_comes(path: Path, progress: Progress) -> int:
    """Take an interruption for the end of what is read, as PyAV does, and go on."""
    progress(0.0, None)
    with suppress(SystemExit):
        time.sleep(30)
    progress(1.0, None)
    path.write_text("half of it")
    return 1


def make_deaf() -> Work[Path, int]:
    return write_whatever_comes


def test_a_worker_that_does_not_hear_that_it_is_to_end_writes_nothing(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop(*_: object) -> None:
        raise Enough

    with pytest.raises(Enough):
        list(run_pool(make_deaf, [tmp_path / "a", tmp_path / "b"], 2, stop))
    assert list(tmp_path.iterdir()) == []


def test_limits_and_workers_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="a limit of time of 0: it must be above 0"):
        Limits(seconds=0)
    with pytest.raises(ConfigError, match="jobs 0: give 1 or more"):
        run(make_endless, 1, jobs=0)


def talk(item: int, progress: Progress) -> int:
    """Say something all the time, for so many seconds."""
    since = time.monotonic()
    while time.monotonic() - since < SECONDS:
        progress(time.monotonic() - since, None)
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
