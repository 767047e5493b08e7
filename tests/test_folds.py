"""Folds and splits: groups stay whole, every part holds every class, shares and counts are met."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.datasets.folds import balance, deal, hold_out
from earmark.datasets.recordings import Annotated, Clip
from earmark.errors import ConfigError
from earmark.timeline import Timeline


def clip(label: str, group: str, detail: str = "", number: int = 0) -> Clip:
    return Clip(Path(f"/data/{group}-{number}.wav"), label, group, detail)


def clips_of(**counts: int) -> list[Clip]:
    return [clip(label, f"{label}{i}") for label, n in counts.items() for i in range(n)]


def folds_of(clips: list[Clip]) -> dict[str, set[int | None]]:
    found: dict[str, set[int | None]] = {}
    for c in clips:
        found.setdefault(c.group, set()).add(c.fold)
    return found


# -- folds ---------------------------------------------------------------------------------------


def test_in_the_order_given_each_genre_is_dealt_in_turn_from_the_first_fold() -> None:
    # The first music files of MUSAN's annotations and the folds published for them.
    genres = "blues pop pop pop pop hiphop hiphop hiphop hiphop hiphop hiphop hiphop hiphop blues blues jazz"
    dealt = deal([clip("music", str(i), genre) for i, genre in enumerate(genres.split())], seed=None)
    assert [c.fold for c in dealt] == [0, 0, 1, 2, 0, 0, 1, 2, 0, 1, 2, 0, 1, 1, 2, 0]


def test_dealt_clips_keep_their_order_and_all_else() -> None:
    clips = [replace(c, fold=9, licence="CC0") for c in clips_of(speech=7, music=5)]
    assert [replace(c, fold=9) for c in deal(clips)] == clips


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["speech", "music"]), st.sampled_from("abc"), st.integers(1, 4)),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 3),
    st.integers(2, 4),
)
def test_seeded_folds_are_whole_full_and_even(
    groups: list[tuple[str, str, int]], seed: int, n_folds: int
) -> None:
    every = [("speech", "a", 1), ("music", "a", 1)] * n_folds + groups
    clips = [
        clip(label, f"g{i}", detail, n) for i, (label, detail, size) in enumerate(every) for n in range(size)
    ]
    dealt = deal(clips, n_folds, seed=seed)
    assert dealt == deal(clips, n_folds, seed=seed)
    assert all(len(folds) == 1 for folds in folds_of(dealt).values())
    for label in ("speech", "music"):
        for detail in "abc":
            sizes = Counter(c.fold for c in dealt if (c.label, c.detail) == (label, detail))
            counts = [sizes.get(fold, 0) for fold in range(n_folds)]
            largest = max((size for kind, d, size in every if (kind, d) == (label, detail)), default=0)
            assert max(counts) - min(counts) <= largest
        assert {c.fold for c in dealt if c.label == label} == set(range(n_folds))


def test_another_seed_deals_otherwise() -> None:
    clips = clips_of(speech=30)
    assert deal(clips, seed=1) != deal(clips, seed=2)


def test_rare_genres_do_not_crowd_the_first_fold() -> None:
    clips = [clip("music", str(i), f"genre {i}") for i in range(9)]
    assert Counter(c.fold for c in deal(clips, seed=0)) == {0: 3, 1: 3, 2: 3}
    with pytest.raises(ConfigError, match=r"class 'music' has nothing in fold 1, 2; deal with a seed"):
        deal(clips, seed=None)


def test_a_class_with_too_few_groups_is_refused() -> None:
    clips = [*clips_of(speech=3), *(clip("noise", f"n{i % 2}", number=i) for i in range(10))]
    with pytest.raises(ConfigError, match="class 'noise' has 2 groups for 3 folds; each needs one") as caught:
        deal(clips)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="class 'noise' has 2 groups for 3 parts"):
        hold_out(clips)
    with pytest.raises(ConfigError, match="at least 2"):
        deal(clips, 1)


# -- shares --------------------------------------------------------------------------------------


def test_eighty_ten_ten_of_each_class() -> None:
    parts = hold_out(clips_of(speech=60, music=40), seed=4)
    assert [Counter(c.label for c in part) for part in parts] == [
        {"speech": 48, "music": 32},
        {"speech": 6, "music": 4},
        {"speech": 6, "music": 4},
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=3, max_size=40),
    st.integers(0, 3),
    st.sampled_from([(0.8, 0.1, 0.1), (0.7, 0.3), (0.6, 0.4)]),
)
def test_parts_are_whole_full_and_disjoint(sizes: list[int], seed: int, shares: tuple[float, ...]) -> None:
    clips = [
        clip(label, f"{label}{i}", number=n)
        for label in ("speech", "music")
        for i, size in enumerate(sizes)
        for n in range(size)
    ]
    parts = hold_out(clips, shares, seed=seed)
    assert parts == hold_out(clips, shares, seed=seed)
    assert sorted((c for part in parts for c in part), key=clips.index) == clips
    groups = [{c.group for c in part} for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 2 * len(sizes)
    assert all({c.label for c in part} == {"speech", "music"} for part in parts)


def test_another_seed_splits_otherwise() -> None:
    clips = clips_of(speech=30)
    assert hold_out(clips, seed=1) != hold_out(clips, seed=2)


def test_annotated_recordings_are_split_by_file() -> None:
    recordings = [Annotated(Path(f"/data/{i}.wav"), Timeline(), f"series {i // 2}") for i in range(10)]
    train, test = hold_out(recordings, (0.6, 0.4))
    assert (len(train), len(test)) == (6, 4)
    assert not {r.group for r in train} & {r.group for r in test}
    assert sorted(Counter(r.fold for r in deal(recordings, 5)).values()) == [2] * 5


@pytest.mark.parametrize("shares", [(1.0,), (0.8, 0.1), (1.1, -0.1)])
def test_shares_must_make_a_whole(shares: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="give two or more above 0, sum 1"):
        hold_out(clips_of(speech=9), shares)


# -- balance -------------------------------------------------------------------------------------


def test_every_class_is_cut_to_the_smallest() -> None:
    clips = clips_of(speech=20, music=8, noise=13)
    kept = balance(clips, seed=3)
    assert Counter(c.label for c in kept) == {"speech": 8, "music": 8, "noise": 8}
    assert kept == sorted(kept, key=clips.index)
    assert kept == balance(clips, seed=3) != balance(clips, seed=4)
    assert balance([]) == []
