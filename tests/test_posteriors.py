"""Posteriors: shapes that fit, cutting and joining, files."""

from __future__ import annotations

import errno
import tracemalloc
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from earmark.errors import AnnotationError, EarmarkError
from earmark.posteriors import Posteriors, PosteriorWriter

LABELS = ("speech", "music")


def make(n_frames: int = 10, duration: float | None = None, ratio: bool = True) -> Posteriors:
    values = np.random.default_rng(n_frames).random((n_frames, 2))
    return Posteriors(values, np.arange(n_frames) if ratio else None, LABELS, 0.02, duration)


def same(a: Posteriors, b: Posteriors) -> bool:
    ratios = (a.speech_to_music_db, b.speech_to_music_db)
    return (
        np.array_equal(a.values, b.values)
        and (a.labels, a.hop_s, a.duration) == (b.labels, b.hop_s, b.duration)
        and ((ratios[0] is None) == (ratios[1] is None))
        and (ratios[0] is None or np.array_equal(*ratios))
    )


def test_values_become_float32_and_the_duration_defaults_to_the_last_cell() -> None:
    p = make(10)
    assert p.values.dtype == np.float32
    assert p.speech_to_music_db is not None
    assert p.speech_to_music_db.dtype == np.float32
    assert p.duration == pytest.approx(0.2)
    assert len(p) == 10


@pytest.mark.parametrize(
    ("values", "ratio", "duration", "hop_s", "says"),
    [
        (np.zeros((5, 3)), None, None, 0.02, "do not fit 2 labels"),
        (np.zeros(5), None, None, 0.02, "do not fit 2 labels"),
        (np.full((5, 2), 1.5), None, None, 0.02, "numbers from 0 to 1"),
        (np.full((5, 2), -0.1), None, None, 0.02, "numbers from 0 to 1"),
        (np.full((5, 2), np.nan), None, None, 0.02, "numbers from 0 to 1"),
        (np.zeros((5, 2)), np.zeros(4), None, 0.02, "one finite number a frame"),
        (np.zeros((5, 2)), np.full(5, np.inf), None, 0.02, "one finite number a frame"),
        (np.zeros((5, 2)), None, 0.2, 0.02, "duration of 0.200 s; give one from 0.080 to 0.100"),
        (np.zeros((5, 2)), None, 0.05, 0.02, "duration of 0.050 s"),
        (np.zeros((5, 2)), None, None, 0.0, "above 0 seconds"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    values: np.ndarray, ratio: np.ndarray | None, duration: float | None, hop_s: float, says: str
) -> None:
    with pytest.raises(AnnotationError, match=says) as refused:
        Posteriors(values, ratio, LABELS, hop_s, duration)
    assert "\n" not in str(refused.value)


def test_crop_keeps_the_cells_that_are_touched() -> None:
    p = make(10)
    part = p.crop(0.03, 0.09)
    assert np.array_equal(part.values, p.values[1:5])
    assert part.speech_to_music_db is not None
    assert part.speech_to_music_db.tolist() == [1, 2, 3, 4]
    assert part.duration == pytest.approx(0.08)


def test_crop_on_cell_edges_takes_no_neighbour() -> None:
    assert np.array_equal(make(10).crop(0.06, 0.14).values, make(10).values[3:7])


def test_crop_to_the_end_keeps_the_cut_last_cell() -> None:
    assert make(10, 0.19).crop(0.1, 5.0).duration == pytest.approx(0.09)


def test_crop_beyond_the_end_is_empty() -> None:
    assert len(make(10).crop(3.0, 4.0)) == 0
    with pytest.raises(AnnotationError, match="0 <= start <= end"):
        make(10).crop(2.0, 1.0)


def test_joined_crops_are_the_whole() -> None:
    p = make(10, 0.195)
    parts = [p.crop(0, 0.06), p.crop(0.06, 0.06), p.crop(0.06, 0.195)]
    assert same(Posteriors.concatenate(parts), p)


def test_parts_that_differ_cannot_be_joined() -> None:
    p = make()
    other = Posteriors(p.values, p.speech_to_music_db, ("speech", "noise"), p.hop_s)
    with pytest.raises(AnnotationError, match="of one model"):
        Posteriors.concatenate([p, other])
    with pytest.raises(AnnotationError, match="all or none"):
        Posteriors.concatenate([p, make(ratio=False)])
    with pytest.raises(AnnotationError, match="only be joined as the last"):
        Posteriors.concatenate([make(10, 0.19), p])
    with pytest.raises(AnnotationError, match="at least one"):
        Posteriors.concatenate([])


@pytest.mark.parametrize("ratio", [True, False])
@pytest.mark.parametrize("n_frames", [0, 10])
def test_a_saved_file_reads_back_equal_under_its_own_name(tmp_path: Path, ratio: bool, n_frames: int) -> None:
    p = make(n_frames, max(0.0, n_frames * 0.02 - 0.007), ratio)
    p.save(tmp_path / "scores.bin")
    assert [f.name for f in tmp_path.iterdir()] == ["scores.bin"]
    assert same(Posteriors.load(tmp_path / "scores.bin"), p)


@pytest.mark.parametrize("ratio", [True, False])
def test_parts_written_as_they_come_are_their_whole(tmp_path: Path, ratio: bool) -> None:
    whole = make(10, 0.193, ratio)
    with PosteriorWriter() as writer:
        for start, end in ((0, 0.06), (0.06, 0.06), (0.06, 0.14), (0.14, 0.2)):
            writer.add(whole.crop(start, end))
        writer.save(tmp_path / "a.npz")
    assert same(Posteriors.load(tmp_path / "a.npz"), whole)


def test_parts_that_are_written_are_not_held(tmp_path: Path) -> None:
    part = make(100_000, ratio=False)
    with PosteriorWriter() as writer:
        writer.add(part)
        tracemalloc.start()
        for _ in range(20):
            writer.add(part)
        writer.save(tmp_path / "a.npz")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * part.values.nbytes
    assert len(Posteriors.load(tmp_path / "a.npz")) == 2_100_000


def test_a_writer_without_parts_writes_nothing(tmp_path: Path) -> None:
    with PosteriorWriter() as writer, pytest.raises(AnnotationError, match="at least one part"):
        writer.save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_files_that_hold_no_posteriors_are_refused_in_one_line(tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    make().save(good)
    (tmp_path / "text.npz").write_text("start,end\n")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:300])
    np.save(tmp_path / "one.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.savez(tmp_path / "range.npz", values=np.full((3, 1), 7.0), labels=["a"], hop_s=0.02, duration=0.06)
    for name in ("missing.npz", "text.npz", "empty.npz", "cut.npz", "one.npy", "other.npz", "range.npz", "."):
        with pytest.raises(AnnotationError) as refused:
            Posteriors.load(tmp_path / name)
        assert str(tmp_path) in str(refused.value)
        assert "\n" not in str(refused.value)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EarmarkError, match=r"a\.npz' cannot be written: ") as refused:
        make().save(tmp_path / "file" / "a.npz")
    assert "\n" not in str(refused.value)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(4).save(tmp_path / "a.npz")

    def full(file: IO[bytes], *_: object, **__: object) -> None:
        file.write(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(EarmarkError, match="No space left on device"):
        make(7).save(tmp_path / "a.npz")
    assert [f.name for f in tmp_path.iterdir()] == ["a.npz"]
    assert len(Posteriors.load(tmp_path / "a.npz")) == 4
