"""Batches: what a source names, runs that are stopped and go on, limits, parts, and what is refused."""

from __future__ import annotations

import csv
import http.server
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchhelp import Notes, fill, harmful

from earmark.audio_writer import write_audio
from earmark.batch.database import LOCK_NAME
from earmark.batch.engines.local_engine import LocalEngine
from earmark.batch.items import Item, find_items, result_path
from earmark.batch.ledger import Ledger
from earmark.batch.session import Running, begin_batch
from earmark.batch.status import status_of
from earmark.batch.task import Outcome, Task
from earmark.batch.tasks import Tasks
from earmark.bench.kills import kill_batch
from earmark.cli.app import run
from earmark.detector import Detector
from earmark.errors import ConfigError, EarmarkError, StoreError
from earmark.lock import is_locked, locked
from earmark.pool import Limits

posix = pytest.mark.skipif(sys.platform == "win32", reason="no signals or named pipes there")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def batch(tiny_model_path: Path, capsys: Any) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["batch", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def begin(
    folder: Path, model: Path, limits: Limits | None = None, jobs: int = 1, split_s: float | None = None
) -> Notes:
    notes = Notes()
    running = Running(LocalEngine(jobs), limits or Limits(), harmful)
    begin_batch(str(folder / "in"), folder / "out", str(model), {}, "json", split_s, running, notes)
    return notes


def manifest(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


# -- what a source names ---------------------------------------------------------------------------


def ids(source: str | Path) -> list[str]:
    return sorted(item.id for item in find_items(str(source)))


def test_a_folder_gives_the_recordings_below_it(here: Path) -> None:
    for name in ("in/b/x.MP3", "in/a.wav", "in/notes.txt", "in/.hidden.wav", "in/.git/y.wav"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    assert list(find_items("in")) == [
        Item("a.wav", str(here / "in" / "a.wav")),
        Item("b/x.MP3", str(here / "in/b/x.MP3")),
    ]
    assert ids("in/*.wav") == ["a.wav"]
    assert ids("in/**/*.*3") == ["b/x.MP3"]
    assert ids("in/a.wav") == ["a.wav"]


def test_a_list_names_recordings_and_addresses(here: Path) -> None:
    (here / "lists").mkdir()
    (here / "lists" / "all.m3u").write_text(
        "#EXTM3U\n\na.wav\n/data/b.wav\nhttps://host/c.mp3\ns3://bucket/d.mp3\n"
    )
    assert list(find_items("lists/all.m3u")) == [
        Item("a.wav", str(here / "lists" / "a.wav")),
        Item("data/b.wav", "/data/b.wav"),
        Item("https://host/c.mp3", "https://host/c.mp3"),
        Item("s3://bucket/d.mp3", "s3://bucket/d.mp3"),
    ]


def test_a_table_gives_ids_and_facts(here: Path) -> None:
    (here / "t.csv").write_text('\ufeffid,path,station\n7,"a,b.wav",One\n,c.wav,Two\n', encoding="utf-8")
    assert list(find_items("t.csv")) == [
        Item("7", str(here / "a,b.wav"), {"station": "One"}),
        Item("c.wav", str(here / "c.wav"), {"station": "Two"}),
    ]


@pytest.fixture
def server(here: Path) -> Iterator[str]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=here)
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_list_on_a_web_server_is_fetched_and_its_paths_are_relative_to_it(here: Path, server: str) -> None:
    (here / "deep").mkdir()
    (here / "deep" / "list.txt").write_text("a.wav\n/b.wav\n")
    assert [item.source for item in find_items(f"{server}/deep/list.txt")] == [
        f"{server}/deep/a.wav",
        f"{server}/b.wav",
    ]


def test_a_list_that_is_cut_off_is_no_short_list(
    here: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "list.txt").write_text("a.wav\nb.wav\n")
    length = http.server.SimpleHTTPRequestHandler.send_header
    monkeypatch.setattr(
        http.server.SimpleHTTPRequestHandler,
        "send_header",
        lambda self, name, value: length(self, name, "99" if name == "Content-Length" else value),
    )
    with pytest.raises(StoreError, match="was cut off, 87 bytes are missing; start again"):
        list(find_items(f"{server}/list.txt"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none", "'none' does not exist; give a folder"),
        ("empty", "'empty' names no audio or video file"),
        ("empty/*.wav", "'empty/*.wav' names no audio"),
        ("bad.csv", "has the columns a, b; its first line must name one source, path, file or url"),
        ("short.csv", "table 'short.csv', line 3: 1 columns, not 2"),
        ("blank.csv", "table 'blank.csv', line 2: 'path' is empty"),
        ("latin.txt", "'latin.txt' is no UTF-8 text"),
        ("https://host/folder/", "of web servers, give a list"),
    ],
)
def test_sources_that_name_nothing_are_refused_in_one_line(here: Path, source: str, words: str) -> None:
    (here / "empty").mkdir()
    (here / "bad.csv").write_text("a,b\n1,2\n")
    (here / "short.csv").write_text("path,b\nx.wav,2\ny.wav\n")
    (here / "blank.csv").write_text("path,b\n,2\n")
    (here / "latin.txt").write_bytes("märz.wav\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        list(find_items(source))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_have_places_of_their_own_and_none_outside_the_folder() -> None:
    names = ["a.wav", "a.mp3", "b/a.wav", "b%2Fa.wav", "../a.wav", "..", "", "b//a.wav", "http://h/a.wav",
             "http/h/a.wav", "a:b.wav", "a?b.wav", "n" * 300, "n" * 301, "ü" * 150, ".a.wav"]  # fmt: skip
    paths = [result_path(name) for name in names]
    assert len(set(paths)) == len(names)
    assert not any(path.is_absolute() or ".." in path.parts for path in paths)
    assert all(len(part.encode()) < 255 for path in paths for part in path.parts)
    assert [path.as_posix() for path in paths[:3]] == ["a.wav.json", "a.mp3.json", "b/a.wav.json"]


# -- object stores ---------------------------------------------------------------------------------


def test_a_store_is_listed_and_read(here: Path, tiny_model_path: Path, batch: Any) -> None:
    pytest.importorskip("fsspec")
    fill(here / "bucket", "a.wav", "deep/b.wav")
    (here / "bucket" / "list.txt").write_text("deep/b.wav\n")
    prefix = f"local://{here}/bucket"
    assert ids(prefix) == ["a.wav", "deep/b.wav"]
    assert ids(f"{prefix}/*.wav") == ["a.wav"]
    assert [item.source for item in find_items(f"{prefix}/list.txt")] == [f"{prefix}/deep/b.wav"]
    assert batch(prefix, "--out", "out", "--model", tiny_model_path)[0] == 0
    assert [row["status"] for row in manifest(here / "out").values()] == ["done", "done"]
    assert batch(f"{prefix}/none", "--out", "x", "--model", tiny_model_path) == (
        2, "", f"earmark: '{prefix}/none' does not exist or holds nothing; check the address\n",
    )  # fmt: skip


class _Refusing:
    """A store that lets nobody in."""

    def _strip_protocol(self, url: str) -> str:
        return url.partition("://")[2]

    def exists(self, path: str) -> bool:
        raise PermissionError("The provided token has expired.")

    def open(self, path: str, mode: str) -> Any:
        raise OSError("no route to host")


def test_expired_credentials_and_a_store_out_of_reach_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url, **_: (_Refusing(), url.partition("://")[2]))
    with pytest.raises(
        StoreError, match=r"lets nobody in \(The provided token has expired\); renew the cred"
    ):
        list(find_items("s3://bucket/prefix"))
    with pytest.raises(StoreError, match=r"cannot be reached \(no route to host\); check the connection"):
        list(find_items("s3://bucket/list.txt"))


def test_a_folder_of_a_store_that_cannot_be_listed_is_not_left_out(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = pytest.importorskip("fsspec.implementations.local").LocalFileSystem
    fill(here / "bucket", "a.wav", "deep/b.wav")
    listed = local.ls

    def refused(self: Any, path: str, *arguments: Any, **named: Any) -> Any:
        if path.endswith("deep"):
            raise PermissionError("access denied")
        return listed(self, path, *arguments, **named)

    monkeypatch.setattr(local, "ls", refused)
    with pytest.raises(StoreError, match=r"lets nobody in \(access denied\)"):
        list(find_items(f"local://{here}/bucket"))


def test_a_store_that_needs_another_package_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")

    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(ConfigError, match="needs another package: Install s3fs"):
        list(find_items("s3://bucket/prefix"))


class _Faulty:
    """An engine whose object store fails after some tasks."""

    def __init__(self, fault: str, good: int = 0) -> None:
        self.fault, self.good = fault, good

    def run(self, make: Any, tasks: Any, limits: Any) -> Iterator[tuple[Task, Outcome]]:
        for number, task in enumerate(tasks):
            if number < self.good:
                yield task, Outcome(duration=1.0)
            else:
                yield task, Outcome("the store lets nobody in", fault=self.fault)


def test_a_store_that_fails_for_all_stops_the_run_and_fails_no_recording(
    here: Path, tiny_model_path: Path
) -> None:
    (here / "list.txt").write_text("".join(f"{i}.wav\n" for i in range(100)))
    running = Running(_Faulty("store", good=10))
    with pytest.raises(StoreError, match="stopped after 20 faults in a row: the store lets nobody in"):
        begin_batch("list.txt", here / "out", str(tiny_model_path), {}, "json", None, running, Notes())
    with Ledger.open(here / "out") as ledger:
        assert ledger.counts() == {"pending": 90, "running": 0, "done": 10, "failed": 0}


class _FaultyPart:
    """An engine to whose store a part of a recording is lost for good, or for so many attempts."""

    def __init__(self, n_faults: int) -> None:
        self.left = n_faults

    def run(self, make: Any, tasks: Any, limits: Any) -> Iterator[tuple[Task, Outcome]]:
        while flying := list(tasks):
            for task in flying:
                if task.part == 1 and self.left:
                    self.left -= 1
                    yield task, Outcome("the store lets nobody in", fault="store")
                else:
                    yield task, Outcome(duration=1.0, n_parts=2 if task.part is None else 0)


@pytest.mark.parametrize(("n_faults", "state"), [(2, "done"), (99, "failed")])
def test_a_part_whose_store_fails_is_tried_three_times(
    here: Path, tiny_model_path: Path, n_faults: int, state: str
) -> None:
    (here / "list.txt").write_text("a.wav\n")
    running = Running(_FaultyPart(n_faults))  # type: ignore[arg-type]
    begin_batch("list.txt", here / "out", str(tiny_model_path), {}, "json", None, running, Notes())
    assert status_of(here / "out")[state] == 1


def test_what_a_store_failed_for_in_other_runs_does_not_count(here: Path, tiny_model_path: Path) -> None:
    (here / "list.txt").write_text("".join(f"{i}.wav\n" for i in range(30)))
    for _ in range(4):
        with pytest.raises(StoreError, match="stopped after 20 faults"):
            begin_batch(
                "list.txt",
                here / "out",
                str(tiny_model_path),
                {},
                "json",
                None,
                Running(_Faulty("store")),
                Notes(),
            )
    assert status_of(here / "out")["pending"] == 30


def test_a_full_disk_stops_the_run_at_once(here: Path, tiny_model_path: Path) -> None:
    (here / "list.txt").write_text("".join(f"{i}.wav\n" for i in range(5)))
    with pytest.raises(EarmarkError, match=r"1\.wav: the store lets nobody in"):
        begin_batch(
            "list.txt",
            here / "out",
            str(tiny_model_path),
            {},
            "json",
            None,
            Running(_Faulty("disk", 1)),
            Notes(),
        )
    with Ledger.open(here / "out") as ledger:
        assert ledger.counts() == {"pending": 4, "running": 0, "done": 1, "failed": 0}


# -- a batch from end to end -----------------------------------------------------------------------


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


# -- stopped and gone on with ----------------------------------------------------------------------


@posix
def test_a_batch_killed_again_and_again_ends_with_one_right_record_each(
    tmp_path: Path, tiny_model_path: Path
) -> None:
    found = kill_batch(tmp_path, 24, 2, str(tiny_model_path), seed=1, tell=lambda _: None)
    assert found.wrong == ()
    assert (found.n_right, found.n_kills, found.n_redone, found.n_left) == (24, 2, 0, 0)


def test_what_was_running_is_pending_again_and_what_was_done_stays(tmp_path: Path) -> None:
    with Ledger.create(tmp_path, {}) as ledger:
        ledger.add(Item(f"{i}", f"/{i}.wav") for i in range(4))
        tasks = Tasks(ledger)
        first, second = next(tasks), next(tasks)
        ledger.settle(first, Outcome(duration=2.0, shares={"speech": 1.0}))
        assert second.id == "1"
    with Ledger.open(tmp_path) as ledger:  # as after a kill
        assert ledger.counts() == {"pending": 2, "running": 1, "done": 1, "failed": 0}
        ledger.recover()
        assert [task.id for task in Tasks(ledger)] == ["1", "2", "3"]


def test_a_task_that_is_put_back_comes_again(tmp_path: Path) -> None:
    with Ledger.create(tmp_path, {}) as ledger:
        ledger.add([Item("a", "a.wav"), Item("b", "b.wav")])
        tasks = Tasks(ledger)
        first = next(tasks)
        ledger.put_back(first)
        assert [next(tasks).id, next(tasks).id] == ["b", "a"]
        assert [row["attempts"] for row in ledger.rows()] == [2, 1]
        with pytest.raises(StopIteration):
            next(tasks)


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


# -- limits ----------------------------------------------------------------------------------------


def test_a_recording_that_hangs_or_kills_its_worker_costs_nothing_else(
    tmp_path: Path, tiny_model_path: Path
) -> None:
    fill(tmp_path / "in", "a.wav", "hangs.wav", "kills.wav", "z.wav")
    found = begin(tmp_path, tiny_model_path, Limits(seconds=2.0), jobs=2).outcomes
    assert {name: outcome.error for name, outcome in found.items()} == {
        "a.wav": None,
        "z.wav": None,
        "hangs.wav": "it took longer than 2 s, the limit of time; raise it, or check the recording",
        "kills.wav": "the process working on it died (SIGKILL); it may be damaged: convert it first",
    }


@linux
def test_a_recording_that_takes_too_much_memory_is_ended(tmp_path: Path, tiny_model_path: Path) -> None:
    fill(tmp_path / "in", "a.wav", "grows.wav")
    found = begin(tmp_path, tiny_model_path, Limits(memory_mb=600.0)).outcomes
    assert found["a.wav"].error is None
    assert found["grows.wav"].error == (
        "it took more than 600 MB, the limit of memory; raise it, or check the recording"
    )


def test_limits_of_nothing_are_refused(batch: Any) -> None:
    assert batch("retry", "out", "--timeout", "0")[2] == "earmark: a limit of time of 0: it must be above 0\n"


# -- parts -----------------------------------------------------------------------------------------


def test_a_long_recording_in_parts_has_the_timeline_it_has_in_one_piece(
    tmp_path: Path, strided_model_path: Path
) -> None:
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(0, 0.3, 126), 4 * 16_000)
    (tmp_path / "in").mkdir()
    for name, seconds in (("long.wav", 500.013), ("short.wav", 30.0)):
        n = round(16_000 * seconds)
        write_audio(tmp_path / "in" / name, (level[:n] * rng.standard_normal(n)).astype(np.float32), 16_000)
    found = begin(tmp_path, strided_model_path, jobs=2, split_s=120.0)
    assert found.outcomes["short.wav"].error is None
    for name in ("long.wav", "short.wav"):
        whole = Detector(strided_model_path).detect(tmp_path / "in" / name)
        result = json.loads((tmp_path / "out" / "results" / f"{name}.json").read_text())
        assert len(whole) > 0
        assert result["duration"] == whole.duration
        assert result["segments"] == [
            {key: getattr(s, key) for key in ("start", "end", "label", "confidence", "speech_to_music_db")}
            for s in whole
        ]
    assert list((tmp_path / "out" / "parts").iterdir()) == []


def test_models_that_hear_a_recording_as_a_whole_are_not_split(tmp_path: Path, tiny_model_path: Path) -> None:
    fill(tmp_path / "in", "a.wav")
    with pytest.raises(ConfigError, match="parts of 60 s: they must be 120 s or longer"):
        begin(tmp_path, tiny_model_path, split_s=60.0)


# -- what is refused -------------------------------------------------------------------------------


def test_two_runs_on_one_folder_are_refused(here: Path, tiny_model_path: Path, batch: Any) -> None:
    fill(here / "in", "a.wav")
    (here / "out").mkdir()
    with locked(here / "out", LOCK_NAME):
        code, _, err = batch(here / "in", "--out", "out", "--model", tiny_model_path)
        assert code == 2
        assert err.startswith(f"earmark: another run is at work in 'out' (process {os.getpid()} on ")
    assert batch(here / "in", "--out", "out", "--model", tiny_model_path)[0] == 0
    with locked(here / "out", LOCK_NAME):
        assert status_of(here / "out")["active"]
        assert batch("retry", "out")[0] == 2


@posix
def test_looking_whether_a_run_is_at_work_keeps_none_from_beginning(tmp_path: Path) -> None:
    import fcntl

    with locked(tmp_path, LOCK_NAME):
        pass
    (tmp_path / "batch.lock").chmod(0o444)
    with (tmp_path / "batch.lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(tmp_path, LOCK_NAME)
        threading.Timer(0.1, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        with locked(tmp_path, LOCK_NAME):
            assert is_locked(tmp_path, LOCK_NAME)


def test_a_list_that_was_not_read_to_its_end_is_not_retried(
    here: Path, tiny_model_path: Path, batch: Any
) -> None:
    fill(here, "a.wav")
    (here / "t.csv").write_text("id,path\n1,a.wav\n2\n")
    assert batch("t.csv", "--out", "out", "--model", tiny_model_path)[0] == 2
    code, _, err = batch("retry", "out")
    assert code == 2
    assert "the list of recordings in 'out' is not whole" in err
    (here / "t.csv").write_text("id,path\n1,a.wav\n")
    assert batch("t.csv", "--out", "out", "--model", tiny_model_path)[0] == 0
    assert batch("retry", "out")[0] == 0


def test_a_model_that_was_moved_is_the_same_for_a_retry(
    here: Path, tiny_model_path: Path, batch: Any
) -> None:
    fill(here / "in", "a.wav")
    (here / "in" / "b.wav").touch()
    model = here / "model.onnx"
    model.write_bytes(tiny_model_path.read_bytes())
    assert batch(here / "in", "--out", "out", "--model", model)[0] == 1
    model.rename(here / "moved.onnx")
    assert batch(here / "in", "--out", "out", "--model", "moved.onnx")[0] == 1
    fill(here / "in", "b.wav")
    assert batch("retry", "out")[0] == 0


def test_a_manifest_of_another_version_is_refused_and_left_alone(
    here: Path, tiny_model_path: Path, batch: Any
) -> None:
    fill(here / "in", "a.wav")
    assert batch(here / "in", "--out", "out", "--model", tiny_model_path)[0] == 0
    connection = sqlite3.connect(here / "out" / "batch.sqlite")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    for arguments in (
        ("status", "out"),
        ("retry", "out"),
        (here / "in", "--out", "out", "--model", tiny_model_path),
    ):
        code, _, err = batch(*arguments)
        assert code == 2
        assert "written by another version of earmark (its format is 99, this one reads 1)" in err


def test_a_file_that_is_no_ledger_is_refused(here: Path, tiny_model_path: Path, batch: Any) -> None:
    fill(here / "in", "a.wav")
    (here / "out").mkdir()
    (here / "out" / "batch.sqlite").write_bytes(b"something else" * 99)
    code, _, err = batch(here / "in", "--out", "out", "--model", tiny_model_path)
    assert (code, err.count("\n")) == (2, 1)
    assert "is no batch, or damaged" in err
    assert batch("status", "in")[2].startswith("earmark: 'in' holds no batch; give the folder that was --out")


def test_another_model_under_the_same_name_is_refused(here: Path, tiny_model_path: Path, batch: Any) -> None:
    fill(here / "in", "a.wav")
    model = here / "model.onnx"
    model.write_bytes(tiny_model_path.read_bytes())
    assert batch(here / "in", "--out", "out", "--model", model)[0] == 0
    (here / "in" / "a.wav").touch()
    with Ledger.open(here / "out") as ledger:
        ledger.note("plan", {**ledger.facts()["plan"], "sha256": "0" * 64})
    assert "was begun with sha256 000000" in batch(here / "in", "--out", "out", "--model", model)[2]


def test_an_id_that_stands_for_two_recordings_is_refused(
    here: Path, tiny_model_path: Path, batch: Any
) -> None:
    fill(here / "in", "a.wav", "b.wav")
    (here / "t.csv").write_text("id,path\n1,in/a.wav\n1,in/b.wav\n")
    code, _, err = batch("t.csv", "--out", "out", "--model", tiny_model_path)
    assert code == 2
    assert err.startswith("earmark: the id '1' stands for '")


def test_engines_that_do_not_exist_are_refused(batch: Any) -> None:
    assert "--engine slurm: there are local, dask, ray, spark" in batch("retry", "x", "--engine", "slurm")[2]
    assert "--scheduler a:1: the engine local has none" in batch("retry", "x", "--scheduler", "a:1")[2]
