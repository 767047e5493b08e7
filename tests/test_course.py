"""The likeliest course of exclusive classes: against all courses there are, in blocks, by its options."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark import CourseDecoder, CourseOptions
from earmark.errors import AnnotationError, ConfigError
from earmark.timeline import Segment

HOP = 0.5
PLAIN = CourseOptions(0.0, 0.0, 0.0, 0.0)


def decoded(values: Any, options: Any, blocks: int = 1, duration: float | None = None) -> list[Segment]:
    """Return the segments of scores of classes 'a', 'b' ..."""
    scores = np.asarray(values, np.float32)
    names = "abcdef"[: scores.shape[1]]
    given = options if isinstance(options, dict) else dict.fromkeys(names, options)
    decoder = CourseDecoder(names, HOP, given)
    parts = [decoder.push(block) for block in np.array_split(scores, blocks)]
    return [*itertools.chain(*parts), *decoder.flush(duration)]


def course(text: str, high: float = 0.9) -> np.ndarray:
    """Return scores of three classes, of which the named one is likely; '.' is silence."""
    rows = {"abc"[i]: np.where(np.arange(3) == i, high, (1 - high) / 2) for i in range(3)}
    return np.array([rows.get(c, np.zeros(3)) for c in text])


def shown(segments: list[Segment], n_cells: int) -> str:
    text = ["."] * n_cells
    for s in segments:
        first, last = round(s.start / HOP), round(s.end / HOP)
        text[first:last] = [s.label] * (last - first)
    return "".join(text)


@pytest.mark.parametrize(
    ("options", "given", "found"),
    [
        # The likeliest class of each cell, whatever its score, and nothing in silence.
        (PLAIN, "aab.bcca", "aab.bcca"),
        # What is too short belongs to what is around it; at the ends, too.
        (replace(PLAIN, min_duration=1.5), "aaaabaaa", "aaaaaaaa"),
        (replace(PLAIN, min_duration=1.5), "aaaabbbaac", "aaaabbbaaa"),
        (replace(PLAIN, min_duration=1.5), "aaa..bbb", "aaa..bbb"),
        # A recording that is shorter has a class all the same.
        (replace(PLAIN, min_duration=3.0), "bba", "bbb"),
        # Gaps belong to the class around them, but not at the ends.
        (replace(PLAIN, min_gap=1.5), ".aa..aa...aa.", ".aaaaaa...aa."),
        # Below its threshold, no class holds.
        (replace(PLAIN, threshold=0.95), "aaabbb", "......"),
        (replace(PLAIN, smooth=1.5), "aaaabaaaabbbb", "aaaaaaaaabbbb"),
        ({**dict.fromkeys("ac", PLAIN), "b": replace(PLAIN, threshold=0.95)}, "aabbcc", "aa..cc"),
        ({**dict.fromkeys("ac", PLAIN), "b": replace(PLAIN, min_duration=1.0)}, "aabaccbb", "aaaaccbb"),
    ],
)
def test_options_do_what_they_say(options: Any, given: str, found: str) -> None:
    assert shown(decoded(course(given), options), len(given)) == found


def test_a_segment_has_the_mean_score_of_its_class_and_ends_with_the_signal() -> None:
    scores = np.array([[0.9, 0.1], [0.7, 0.3], [0.3, 0.7]])
    found = decoded(scores, PLAIN, duration=1.2)
    assert [(s.start, s.end, s.label) for s in found] == [(0, 1, "a"), (1, 1.2, "b")]
    assert [s.confidence for s in found] == [pytest.approx(0.8), pytest.approx(0.7)]
    assert decoded(np.zeros((0, 2)), PLAIN, duration=0.0) == []
    assert decoded(np.zeros((5, 2)), PLAIN) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10_000))
def test_no_other_course_gains_more(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = 7, 2
    scores = rng.dirichlet(np.ones(k), n).astype(np.float32)
    scores[rng.random(n) < 0.2] = 0
    cells = st.integers(0, 4)
    options = {
        name: CourseOptions(data.draw(st.sampled_from([0.0, 0.4, 0.6])), data.draw(cells) * HOP, 0.0, 0.0)
        for name in "ab"
    }
    gap = data.draw(cells) * HOP
    options = {name: replace(each, min_gap=gap) for name, each in options.items()}
    shortest = {**{i: options["ab"[i]].min_duration / HOP for i in range(k)}, k: gap / HOP}
    low = scores < [options[name].threshold for name in "ab"]
    gains = np.hstack([np.where(low, 0, scores), np.where(low, scores, 0).max(axis=1, keepdims=True)])
    gains[~scores.any(axis=1)] = [-1e-6] * k + [0]

    def allowed(states: tuple[int, ...]) -> bool:
        runs = [(state, len(list(run))) for state, run in itertools.groupby(states)]
        inner_or_class = [
            (state, length)
            for i, (state, length) in enumerate(runs)
            if len(runs) > 1 and (state < k or 0 < i < len(runs) - 1)
        ]
        return all(length >= shortest[state] for state, length in inner_or_class)

    best = max(
        gains[np.arange(n), states].sum()
        for states in itertools.product(range(k + 1), repeat=n)
        if allowed(states)
    )
    states = tuple("ab.".index(c) for c in shown(decoded(scores, options), n))
    assert allowed(states)
    assert gains[np.arange(n), states].sum() == pytest.approx(best, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), blocks=st.integers(2, 40), cells=st.integers(0, 9))
def test_segments_do_not_depend_on_how_scores_are_cut(seed: int, blocks: int, cells: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(3, 0.3), 120).astype(np.float32)
    scores[rng.random(120) < 0.3] = 0
    options = CourseOptions(0.2, cells * HOP, 1.0, 1.5)
    whole = decoded(scores, options)
    assert decoded(scores, options, blocks) == whole
    assert whole == sorted(whole)
    assert all(s.duration >= cells * HOP for s in whole)
    assert not any(a.end == b.start and a.label == b.label for a, b in itertools.pairwise(whole))


def test_what_is_certain_comes_at_once_and_little_is_kept() -> None:
    decoder = CourseDecoder("abc", HOP, dict.fromkeys("abc", CourseOptions()))
    given, found = course("aaaaabbbbb..ccccc" * 60).astype(np.float32), []
    for at in range(0, len(given), 10):
        found += decoder.push(given[at : at + 10])
        assert at + 10 - (found[-1].end / HOP if found else 0) < 30
        edge, n_kept = decoder._edges[-1], 0
        while edge is not None:
            edge, n_kept = edge.since, n_kept + 1
        assert n_kept < 8
    assert len(found) > 170


def test_what_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"threshold 1: it must be 0 or more and below 1"):
        CourseOptions(threshold=1)
    with pytest.raises(ConfigError, match="smooth -1: it must be 0 to 600 seconds"):
        CourseOptions(smooth=-1)
    with pytest.raises(ConfigError, match="min_gap 1 and 2: a gap belongs to no class; give one value"):
        CourseDecoder("ab", HOP, {"a": CourseOptions(), "b": CourseOptions(min_gap=2.0)})
    with pytest.raises(AnnotationError, match="shape"):
        CourseDecoder("ab", HOP, dict.fromkeys("ab", PLAIN)).push(np.zeros((2, 3), np.float32))
