"""Batches of an object store: listing, reading, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batchhelp import Notes, fill, ids, manifest

from earmark.batch.items import find_items
from earmark.batch.ledger import Ledger
from earmark.batch.session import Running, begin_batch
from earmark.batch.status import status_of
from earmark.batch.task import Outcome, Task
from earmark.errors import ConfigError, EarmarkError, StoreError
from earmark.stores import list_stored


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


def refuse_deep(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a bucket whose folder `deep` lets nobody in."""
    local = pytest.importorskip("fsspec.implementations.local").LocalFileSystem
    fill(here / "bucket", "a.wav", "deep/b.wav")
    listed = local.ls

    def refused(self: Any, path: str, *arguments: Any, **named: Any) -> Any:
        if path.endswith("deep"):
            raise PermissionError("access denied")
        return listed(self, path, *arguments, **named)

    monkeypatch.setattr(local, "ls", refused)


def test_a_folder_of_a_store_that_cannot_be_listed_is_not_left_out(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_deep(here, monkeypatch)
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


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.wav", ["a.wav"]),
        ("*/*.wav", ["deep/b.wav"]),
        ("**/*.wav", ["a.wav", "deep/b.wav", "deep/er/c.wav"]),
        ("deep/**", ["deep/b.wav", "deep/er/c.wav"]),
        ("d?ep/**/[bc].*", ["deep/b.wav", "deep/er/c.wav"]),
        ("**/er/*", ["deep/er/c.wav"]),
        ("D*/*.wav", []),
    ],
)
def test_patterns_of_a_store_list_the_folders_they_may_mean_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, found: list[str]
) -> None:
    local = pytest.importorskip("fsspec.implementations.local").LocalFileSystem
    fill(here / "bucket", "a.wav", "deep/b.wav", "deep/er/c.wav", "other/d.mp3")
    listed: list[str] = []
    ls = local.ls
    monkeypatch.setattr(local, "ls", lambda self, path, **_: (listed.append(path), ls(self, path, **_))[1])
    assert sorted(address for address, _ in list_stored(f"local://{here}/bucket/{pattern}")) == [
        f"local://{here}/bucket/{name}" for name in found
    ]
    if "**" not in pattern:
        assert not any(path.endswith("er") for path in listed if "deep/" in path)


def test_a_pattern_does_not_leave_out_a_folder_that_cannot_be_listed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_deep(here, monkeypatch)
    assert ids(f"local://{here}/bucket/*.wav") == ["a.wav"]
    with pytest.raises(StoreError, match=r"lets nobody in \(access denied\)"):
        ids(f"local://{here}/bucket/**/*.wav")
