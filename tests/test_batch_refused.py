"""What batches refuse: two runs on one folder, other models, other versions, lists cut off."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from batchhelp import fill, posix

from earmark.batch.database import LOCK_NAME
from earmark.batch.ledger import Ledger
from earmark.batch.status import status_of
from earmark.lock import is_locked, locked


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
        assert "written by another version of earmark (its format is 99, this one reads 2)" in err


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
