"""Levels: written part by part, read at any zoom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from earmark.server.levels import Levels, LevelWriter


def highest(groups: np.ndarray) -> np.ndarray:
    return groups.max(axis=1)


@pytest.mark.parametrize("n_rows", [1, 3, 4, 5, 16, 63, 64, 65, 1000])
def test_each_row_sums_up_those_below(tmp_path: Path, n_rows: int) -> None:
    rng = np.random.default_rng(n_rows)
    rows = rng.integers(0, 256, (n_rows, 3), np.uint8)
    with LevelWriter(tmp_path / "x", 0.01, 4, 4, highest, {"labels": ["a"]}) as writer:
        for part in np.array_split(rows, rng.integers(1, 9)):
            writer.add(part)
        writer.close({"duration": 9.5})
    levels = Levels(tmp_path / "x")
    assert (levels.done, levels.facts["labels"], levels.facts["duration"]) == (True, ["a"], 9.5)
    expected = rows
    for level in range(4):
        found = np.frombuffer(levels.read(level, 0, 10**9), np.uint8).reshape(-1, 3)
        np.testing.assert_array_equal(found, expected)
        assert levels.row_s(level) == pytest.approx(0.01 * 4**level)
        expected = np.array([expected[i : i + 4].max(axis=0) for i in range(0, len(expected), 4)])
    assert levels.count(4) == 0


def test_a_span_is_read_from_the_coarsest_level_that_is_fine_enough(tmp_path: Path) -> None:
    rows = np.arange(1024, dtype="<i4")[:, None]
    with LevelWriter(tmp_path / "x", 0.5, 2, 6, highest) as writer:
        writer.add(rows)
        assert not Levels(tmp_path / "x").done  # and can be read by now
        writer.close()
    levels = Levels(tmp_path / "x")
    for start, end, wanted, row_s in (
        (0, 512, 32, 16.0),
        (0, 512, 1024, 0.5),
        (0, 512, 5000, 0.5),
        (3, 13, 7, 1.0),
    ):
        piece = levels.span(start, end, wanted)
        assert piece.start <= start
        assert piece.end >= end
        assert (piece.end - piece.start) / piece.n_rows == row_s
        values = np.frombuffer(piece.data, "<i4")
        assert values[0] == (piece.start + row_s) / 0.5 - 1
        assert len(values) == piece.n_rows
