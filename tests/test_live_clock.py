"""The clock of live sound: drift, bursts, loss and weeks, all simulated."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from earmark.live.wallclock import WallClock

NOON = 1_800_000_000.0
DAY = 86_400.0


def listen(
    clock: WallClock, seconds: float, *, block: float = 1.0, drift: float = 0.0, lag: float = 0.0,
    heard: float = 0.0, start: float = NOON, jitter: float = 0.0,
) -> float:  # fmt: skip
    """Let sound arrive in blocks from a source whose second lasts `1 + drift`; return what is heard then."""
    rng = np.random.default_rng(0)
    for i in range(1, round(seconds / block) + 1):
        now = start + i * block * (1 + drift) + lag + jitter * rng.random()
        clock.arrived(heard + i * block, now)
        clock.settled(now)
    return heard + round(seconds / block) * block


@pytest.mark.parametrize("drift", [-200e-6, 0.0, 50e-6, 200e-6])
def test_after_four_weeks_of_drift_the_time_is_right_and_never_ran_backwards(drift: float) -> None:
    clock = WallClock(NOON)
    heard, told = 0.0, []
    for day in range(28):
        start = NOON + day * DAY * (1 + drift)
        listen(clock, DAY, block=10.0, drift=drift, heard=heard, start=start, jitter=0.5)
        # Told now, as rows are: what was told earlier must not come later.
        told += [clock.time(heard + second) for second in range(0, int(DAY), 600)]
        heard += DAY
        truth = NOON + heard * (1 + drift)
        assert clock.time(heard) == pytest.approx(truth, abs=0.3)
    assert all(a < b for a, b in itertools.pairwise(told))


def test_without_steering_that_drift_would_be_minutes() -> None:
    clock = WallClock(NOON, live=False)
    listen(clock, DAY, block=10.0, drift=200e-6)
    assert NOON + DAY * (1 + 200e-6) - clock.time(DAY) == pytest.approx(17.28)


def test_the_rate_changes_so_little_that_lengths_stay_right() -> None:
    clock = WallClock(NOON)
    listen(clock, 600.0, jitter=0.05)
    listen(clock, 3000.0, heard=600.0, start=NOON + 600.0, drift=0.004)
    steps = np.diff([clock.time(s) for s in np.arange(0.0, 3600.0, 1.0)])
    assert steps.min() > 0.994
    assert steps.max() < 1.006


def test_a_source_that_begins_with_what_it_has_in_store_began_before() -> None:
    clock = WallClock(NOON)
    for heard in (1.0, 2.0, 3.0, 4.0, 5.0):
        clock.arrived(heard, NOON + 0.1)
    assert not clock.settled(NOON + 0.4)
    clock.arrived(5.5, NOON + 0.6)
    assert clock.settled(NOON + 0.6)
    assert clock.time(5.0) == pytest.approx(NOON + 0.1)
    assert clock.time(0.0) == pytest.approx(NOON - 4.9)


def test_pieces_of_ten_seconds_end_when_they_arrive() -> None:
    clock = WallClock(NOON)
    listen(clock, 600.0, block=10.0)
    assert clock.time(600.0) == pytest.approx(NOON + 600.0, abs=0.01)
    assert clock.time(595.0) == pytest.approx(NOON + 595.0, abs=0.01)


def test_opening_again_tells_what_is_missing() -> None:
    clock = WallClock(NOON)
    heard = listen(clock, 100.0)
    clock.reopened(heard)
    assert not clock.settled(NOON + 120.0)
    clock.arrived(heard + 0.5, NOON + 130.5)
    assert clock.settled(NOON + 131.0)
    assert clock.lost == pytest.approx(30.0)
    assert clock.time(heard) == pytest.approx(NOON + 130.0)
    assert clock.time(heard - 0.1) == pytest.approx(NOON + 99.9)


def test_what_comes_again_after_opening_again_is_to_be_left_out() -> None:
    clock = WallClock(NOON)
    heard = listen(clock, 100.0)
    clock.reopened(heard)
    clock.arrived(heard + 5.0, NOON + 101.0)  # a second was missed, five come at once
    assert clock.settled(NOON + 102.0)
    assert clock.lost == 0.0
    assert clock.repeated == pytest.approx(4.0)
    assert clock.time(heard) == pytest.approx(NOON + 100.0)


def test_sound_that_stays_behind_was_held_up() -> None:
    clock = WallClock(NOON)
    heard = listen(clock, 300.0)
    lost = [clock.arrived(heard + i, NOON + heard + i + 10.0) for i in range(1, 301)]
    assert [seconds for seconds in lost if seconds] == [pytest.approx(10.0, abs=0.01)]
    assert lost.index(max(lost)) <= 121
    assert clock.time(heard + 300) == pytest.approx(NOON + heard + 310.0, abs=0.01)


def test_a_stall_that_is_made_up_for_is_no_loss() -> None:
    clock = WallClock(NOON)
    heard = listen(clock, 300.0)
    late = [max(0.0, 20.0 - i) for i in range(1, 301)]
    assert not any(clock.arrived(heard + i, NOON + heard + i + late[i - 1]) for i in range(1, 301))
    assert clock.time(heard + 300) == pytest.approx(NOON + heard + 300.0, abs=0.01)


def test_missing_sound_moves_what_follows() -> None:
    clock = WallClock(NOON)
    heard = listen(clock, 90.0)
    clock.skip(heard, 4.0)
    listen(clock, 300.0, heard=heard, start=NOON + 94.0)
    assert clock.time(heard) == pytest.approx(NOON + 94.0)
    assert clock.time(heard + 300.0) == pytest.approx(NOON + 394.0, abs=0.01)


def test_a_source_faster_than_time_is_no_live_sound() -> None:
    clock = WallClock(NOON)
    listen(clock, 1000.0, drift=-0.9)
    assert not clock.live
    assert clock.settled(NOON)
    assert clock.time(1000.0) == pytest.approx(NOON + 1000.0)


def test_a_machine_whose_clock_is_set_back_is_followed_slowly() -> None:
    clock = WallClock(NOON)
    heard = listen(clock, 300.0)
    listen(clock, 600.0, heard=heard, start=NOON + heard - 3600)
    assert clock.live
    assert clock.time(900.0) - clock.time(899.0) == pytest.approx(0.995)


def test_a_recording_counts_from_its_start() -> None:
    clock = WallClock(NOON, live=False)
    assert clock.settled(0.0)
    assert clock.arrived(5000.0, 1.0) == 0.0
    clock.reopened(5000.0)
    assert clock.time(5000.0) == NOON + 5000.0
