"""Plans: seeded, in range, and made of what is there."""

import numpy as np
import pytest

from earmark.errors import ConfigError
from earmark.planner import PlanOptions, plan
from earmark.sources import Source


def source(content: str, number: int, seconds: float = 20.0, sung: bool = False, origin: str = "a") -> Source:
    return Source(f"{content}-{number}.wav", content, sung, seconds, f"{content}-{number}", origin)


SOURCES = [
    *(source("speech", i) for i in range(4)),
    *(source("music", i, 60.0) for i in range(4)),
    source("music", 9, 30.0, sung=True),
    *(source("noise", i, 5.0) for i in range(3)),
]


def test_equal_seeds_give_equal_plans_and_others_differ():
    first, again, other = (plan(SOURCES, 120.0, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", range(20))
def test_events_start_inside_the_programme_and_name_existing_sources(seed):
    programme = plan(SOURCES, 60.0, np.random.default_rng(seed))
    assert programme.events
    for event in programme.events:
        assert 0 <= event.start < 60.0
        assert event.duration > 0
        assert event.offset >= 0
        assert 0 <= event.source < len(SOURCES)
        assert len(event.times) == len(event.levels) >= 1
        assert list(event.times) == sorted(event.times)


def test_without_noise_no_noise_is_planned():
    quiet = [s for s in SOURCES if s.content != "noise"]
    programme = plan(quiet, 600.0, np.random.default_rng(0))
    assert {quiet[e.source].content for e in programme.events} == {"speech", "music"}


def test_only_wanted_scenes_are_planned():
    talk = PlanOptions(
        **dict.fromkeys(("music", "talk_over", "song", "noise"), 0.0), speech_in_noise=0.0, music_in_noise=0.0
    )
    programme = plan(SOURCES[:4], 300.0, np.random.default_rng(1), talk)
    assert {SOURCES[e.source].content for e in programme.events} == {"speech"}


def test_talk_over_music_keeps_to_the_wanted_ratio():
    only = PlanOptions(
        speech=0, music=0, song=0, noise=0, speech_in_noise=0, music_in_noise=0, silence=0, smr_db=(9.0, 11.0)
    )
    programme = plan(SOURCES[:8], 600.0, np.random.default_rng(2), only)
    talk = [e for e in programme.events if SOURCES[e.source].content == "speech"]
    beds = [e for e in programme.events if SOURCES[e.source].content == "music"]
    lowest = [min(level for level in bed.levels if level > max(bed.levels) - 30) for bed in beds]
    ratio = np.median([e.levels[0] for e in talk]) - np.median(lowest)
    assert 4 < ratio < 16


def test_a_large_collection_does_not_drown_a_small_one():
    many = [source("speech", i, origin="large") for i in range(99)] + [source("speech", 99, origin="small")]
    programme = plan(many, 6000.0, np.random.default_rng(5), PlanOptions(balance=0.0))
    small = sum(many[e.source].origin == "small" for e in programme.events)
    assert 0.3 < small / len(programme.events) < 0.7


def test_no_fitting_source_is_refused():
    with pytest.raises(ConfigError, match="no source fits"):
        plan([], 10.0, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="duration above 0"):
        plan(SOURCES, 0.0, np.random.default_rng(0))
