"""Batches from end to end: results, retries, shards, runs that are killed and go on."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from batchhelp import Notes, fill, manifest, posix

from earmark.audio_writer import write_audio
from earmark.batch.engines.local_engine import LocalEngine
from earmark.batch.ledger import Ledger
from earmark.batch.plan import Plan
from earmark.batch.session import Running, begin_batch
from earmark.batch.status import status_of
from earmark.batch.task import Outcome, Task
from earmark.bench.kills import kill_batch
from earmark.bench.scale import Fleet, simulate
from earmark.detector import Detector
from earmark.errors import EarmarkError
from earmark.pool import Work


def test_a_batch_is_what_detect_says_and_is_not_done_twice(
    here: Path, tiny_model_path: Path, batch: Any, tone: Any
) -> None:
    write_audio(fill(here / "in", "a.wav", "b/c.wav") / "t.flac", tone(3, 300, start=1), 16_000)
    (here / "in" / "bad.wav").write_bytes(b"no sound" * 99)
    code, out, err = batch(here / "in", "--out", "out", "--model", tiny_model_path, "--jobs", "1")
    assert code == 1
    assert out.startswith("3 recordings, 0:00:05 of audio in ")
    assert err.splitlines()[0].startswith("earmark: bad.wav: cannot be read: it is no audio or video")
    assert err.splitlines()[1].startswith("earmark: 1 of 4 recordings failed; see 'out/manifest.csv', then:")
    rows = manifest(here / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "a.wav": "done", "b/c.wav": "done", "t.flac": "done", "bad.wav": "failed",
    }  # fmt: skip
    row = rows["t.flac"]
    assert (row["duration"], row["speech"], row["result"], row["model"]) == (
        "3.0",
        "2.02",
        "results/t.flac.json",
        "tiny",
    )
    result = json.loads((here / "out" / row["result"]).read_text())
    expected = Detector(tiny_model_path).detect(here / "in" / "t.flac")
    assert [(s["start"], s["end"], s["label"]) for s in result["segments"]] == [
        (s.start, s.end, s.label) for s in expected
    ]
    before = {path: path.stat().st_mtime_ns for path in (here / "out" / "results").rglob("*.json")}
    fill(here / "in", "new.wav")
    code, out, _ = batch(here / "in", "--out", "out", "--model", tiny_model_path)
    assert out.startswith("1 recordings, ")
    assert "3 were done before" in out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not (here / "out" / "tmp").exists()


def test_status_counts_and_retry_does_what_failed(here: Path, tiny_model_path: Path, batch: Any) -> None:
    fill(here / "in", "a.wav")
    (here / "in" / "b.wav").write_bytes(b"")
    assert batch(here / "in", "--out", "out", "--model", tiny_model_path)[0] == 1
    found = json.loads(batch("status", "out", "--json")[1])
    assert [found[name] for name in ("items", "done", "failed", "pending", "running", "active")] == [
        2, 1, 1, 0, 0, False,
    ]  # fmt: skip
    assert found["audio_s"] == 1.0
    assert found["errors"] == [
        {"error": "is empty (0 bytes); copy or export it again", "count": 1, "example": "b.wav"}
    ]
    shown = batch("status", "out")[1].splitlines()
    assert shown[0] == "out: 2 recordings; no run is at work"
    assert shown[1].split() == ["done", "1"]
    fill(here / "in", "b.wav")
    code, out, err = batch("retry", "out")
    assert (code, err) == (0, "")
    assert out.startswith("1 recordings, 0:00:01 of audio")
    assert {row["status"] for row in manifest(here / "out").values()} == {"done"}


def test_decoding_options_are_those_of_detect(
    here: Path, tiny_model_path: Path, batch: Any, tone: Any
) -> None:
    (here / "in").mkdir()
    write_audio(here / "in" / "t.wav", tone(3, 300, start=1, end=1.5), 16_000)
    options = ("--min-duration", "speech=1", "--model", tiny_model_path)
    assert batch("--out", "out", *options, here / "in")[0] == 0
    assert json.loads((here / "out/results/t.wav.json").read_text())["segments"] == []
    code, _, err = batch(here / "in", "--out", "out", "--model", tiny_model_path)
    assert code == 2
    assert "was begun with overrides {'speech': {'min_duration': 1.0}}, not {}" in err


def test_parquet_shards_hold_what_json_holds(
    here: Path, tiny_model_path: Path, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("earmark.batch.shelf._SHARD_ROWS", 2)
    monkeypatch.setattr("earmark.batch.shelf._GROUP_ROWS", 1)
    fill(here / "in", "a.wav", "b.wav", "c.wav")
    for kind in ("json", "parquet"):
        assert batch(here / "in", "--out", kind, "--results", kind, "--model", tiny_model_path)[0] == 0
    files = sorted(path.name for path in (here / "parquet" / "results").iterdir())
    assert files == ["part-000000.parquet", "part-000001.parquet"]
    rows = {
        row["id"]: row for name in files for row in pq.read_table(here / "parquet/results" / name).to_pylist()
    }
    assert sorted(rows) == ["a.wav", "b.wav", "c.wav"]
    for name, row in rows.items():
        result = json.loads((here / "json" / "results" / f"{name}.json").read_text())
        assert (row["duration"], row["source"], row["warnings"]) == (1.0, result["source"], [])
        assert [s["label"] for s in row["segments"]] == [s["label"] for s in result["segments"]]
    shards = {name: row["result"] for name, row in manifest(here / "parquet").items()}
    assert all(
        pq.read_table(here / "parquet" / path)["id"].to_pylist().count(name) for name, path in shards.items()
    )


@posix
def test_a_batch_killed_again_and_again_ends_with_one_right_record_each(
    tmp_path: Path, tiny_model_path: Path
) -> None:
    found = kill_batch(tmp_path, 24, 2, str(tiny_model_path), seed=1, tell=lambda _: None)
    assert found.wrong == ()
    assert (found.n_right, found.n_kills, found.n_redone, found.n_left) == (24, 2, 0, 0)


def test_a_simulated_fleet_goes_through_the_code_of_a_batch(tmp_path: Path, tiny_model_path: Path) -> None:
    fleet = Fleet(
        items=90, cores=7, hours=1.0, cpu_s_per_hour=8.0, start_s=0.05, mb_per_hour=57.6, failing=0.2,
        lost_per_day=500.0, usd_per_core_hour=0.04,
    )  # fmt: skip
    found, details = simulate(fleet, tmp_path, str(tiny_model_path), seed=3, tell=lambda _: None)
    figures = {figure.name: figure.value for figure in found}
    assert figures["one right record an item"] == 1.0
    assert 0 < details["counts"]["failed"] < 45
    assert details["lost"] > 0
    assert figures["wall, in the workers' time"] == pytest.approx(figures["by the model"], rel=0.5)
    assert len(manifest(tmp_path / "out")) == 90
    with closing(sqlite3.connect(tmp_path / "out" / "batch.sqlite")) as ledger:
        stamps = [stamp for (stamp,) in ledger.execute("SELECT stamp FROM items")]
    # As for recordings that are there, the ledger holds size and date of each.
    assert [stamp.split()[0] for stamp in stamps] == ["0"] * 90


def test_a_shard_that_was_not_noted_is_written_again(
    here: Path, tiny_model_path: Path, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    fill(here / "in", "a.wav", "b.wav")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    options = (here / "in", "--out", "out", "--results", "parquet", "--model", tiny_model_path)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "shelve", killed)
        assert batch(*options)[0] == 130
    assert batch(*options)[0] == 0
    (path,) = (here / "out" / "results").iterdir()
    assert sorted(pq.read_table(path)["id"].to_pylist()) == ["a.wav", "b.wav"]


def _dies(plan: Plan) -> Work[Task, Outcome]:
    os._exit(9)


def test_a_model_that_kills_its_workers_fails_no_recording(here: Path, tiny_model_path: Path) -> None:
    fill(here / "in", *(f"{i}.wav" for i in range(5)))
    running = Running(LocalEngine(2), make=_dies)
    with pytest.raises(EarmarkError, match="the recordings are not at fault"):
        begin_batch("in", here / "out", str(tiny_model_path), {}, "json", None, running, Notes())
    found = status_of(here / "out")
    assert (found["pending"], found["failed"]) == (5, 0)


def test_a_recording_that_has_changed_is_done_again(here: Path, tiny_model_path: Path, batch: Any) -> None:
    fill(here / "in", "a.wav", "b.wav", "c.wav")
    options = (here / "in", "--out", "out", "--model", tiny_model_path)
    assert batch(*options)[0] == 0
    kept = (here / "out" / "results" / "b.wav.json").stat().st_mtime_ns
    fill(here / "in", "a.wav", seconds=2.0)
    (here / "in" / "c.wav").write_bytes(b"")
    code, out, err = batch(*options)
    assert code == 1
    assert out.rstrip().endswith("; 1 were done before; 2 have changed and were done again")
    assert "c.wav: is empty" in err
    rows = manifest(here / "out")
    assert [rows[name]["duration"] for name in sorted(rows)] == ["2.0", "1.0", ""]
    assert [rows[name]["attempts"] for name in sorted(rows)] == ["1", "1", "1"]
    assert json.loads((here / "out/results/a.wav.json").read_text())["duration"] == 2.0
    assert (here / "out" / "results" / "b.wav.json").stat().st_mtime_ns == kept
    assert not (here / "out" / "results" / "c.wav.json").exists()  # what it was is no result any more
    fill(here / "in", "c.wav", seconds=3.0)  # one that failed and has changed needs no retry
    assert batch(*options)[0] == 0
    assert manifest(here / "out")["c.wav"]["status"] == "done"
    assert "changed" not in batch(*options)[1]


def test_a_recording_that_has_changed_is_told_where_results_are_in_shards(
    here: Path, tiny_model_path: Path, batch: Any
) -> None:
    pytest.importorskip("pyarrow")
    fill(here / "in", "a.wav", "b.wav")
    (here / "in" / "c.wav").touch()
    options = (here / "in", "--out", "out", "--results", "parquet", "--model", tiny_model_path)
    assert batch(*options)[0] == 1
    fill(here / "in", "a.wav", "c.wav", seconds=2.0)
    for n_done in (1, 0):  # the one that had failed is in no shard
        code, out, err = batch(*options)
        assert code == 1
        assert out.startswith(f"{n_done} recordings, ")
        assert err.startswith("earmark: 1 recordings have changed since they were done; what is in shards")
    assert manifest(here / "out")["a.wav"]["duration"] == "1.0"


def test_only_the_first_warnings_are_told(here: Path, tiny_model_path: Path, batch: Any) -> None:
    whole = (fill(here, "whole.wav") / "whole.wav").read_bytes()
    (here / "in").mkdir()
    for i in range(25):
        (here / "in" / f"{i:02}.wav").write_bytes(whole[:9000])
    code, _, err = batch(here / "in", "--out", "out", "--model", tiny_model_path, "--jobs", "1")
    lines = err.splitlines()
    assert (code, len(lines)) == (0, 21)
    assert all("breaks off at" in line for line in lines[:20])
    assert lines[20] == "earmark: there are warnings about 25 recordings; see 'out/manifest.csv'"
    assert all(row["warnings"] for row in manifest(here / "out").values())
