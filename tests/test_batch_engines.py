"""Every engine with real workers, one of them lost in mid-run; those not installed are left out."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from batchhelp import Notes, fill, harmful

from earmark.batch.engines import find_engine
from earmark.batch.ledger import Ledger
from earmark.batch.session import Running, begin_batch
from earmark.errors import EarmarkError, ModelError
from earmark.pool import Limits

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers are lost by signals")
PACKAGES = {"dask": "distributed", "ray": "ray", "spark": "pyspark"}


def need(name: str) -> None:
    pytest.importorskip(PACKAGES[name])
    if name == "spark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")


@pytest.mark.parametrize("name", PACKAGES)
def test_an_engine_survives_a_lost_worker_and_harmful_recordings(
    name: str, tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(name)
    # The harm is in a module beside this one, which workers of Ray and Spark would not find.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    good = {f"{i}.wav" for i in range(10)} | {"loses.wav"}
    fill(tmp_path / "in", *good, "kills.wav")
    (tmp_path / "in" / "empty.wav").touch()
    notes = Notes()
    running = Running(find_engine(name, 2, None), Limits(seconds=60), harmful)
    model = str(tiny_model_path)
    begin_batch(str(tmp_path / "in"), tmp_path / "out", model, {}, "json", None, running, notes)
    assert (tmp_path / "out" / "lost").exists()
    assert {id for id, outcome in notes.outcomes.items() if outcome.error is None} == good
    assert "died (SIGKILL)" in str(notes.outcomes["kills.wav"].error)
    assert "is empty" in str(notes.outcomes["empty.wav"].error)
    results = {path.name.removesuffix(".json") for path in (tmp_path / "out" / "results").iterdir()}
    assert results == good
    with Ledger.open(tmp_path / "out") as ledger:
        assert ledger.counts() == {"pending": 0, "running": 0, "done": len(good), "failed": 2}


def test_a_model_that_was_exchanged_is_told_by_the_workers(tmp_path: Path, tiny_model_path: Path) -> None:
    need("dask")
    fill(tmp_path / "in", "a.wav")
    model = tmp_path / "model.onnx"
    shutil.copy(tiny_model_path, model)
    notes = Notes()

    class Exchanging(Notes):
        def begin(self, counts: object) -> None:
            model.write_bytes(model.read_bytes() + b"\0")

    running = Running(find_engine("dask", 1, None))
    with pytest.raises(ModelError, match=r"has the checksum .*, the batch was begun with"):
        begin_batch(
            str(tmp_path / "in"), tmp_path / "out", str(model), {}, "json", None, running, Exchanging()
        )
    assert notes.outcomes == {}


def test_a_scheduler_that_is_not_there_is_told(tmp_path: Path, tiny_model_path: Path, monkeypatch) -> None:
    need("dask")
    monkeypatch.setattr("earmark.batch.engines.dask_engine._TIMEOUT_S", 1)
    fill(tmp_path / "in", "a.wav")
    running = Running(find_engine("dask", None, "tcp://127.0.0.1:9"))
    with pytest.raises(EarmarkError, match=r"the Dask scheduler tcp://127\.0\.0\.1:9 cannot be reached"):
        begin_batch(
            str(tmp_path / "in"), tmp_path / "out", str(tiny_model_path), {}, "json", None, running, Notes()
        )
    with Ledger.open(tmp_path / "out") as ledger:
        assert ledger.counts()["pending"] == 1


def test_a_scheduler_that_goes_away_stops_the_run_and_loses_nothing(
    tmp_path: Path, tiny_model_path: Path
) -> None:
    need("dask")
    import distributed

    fill(tmp_path / "in", "a.wav", "hangs.wav")
    # In this order: the one that hangs would keep the only worker from the other.
    source = tmp_path / "in" / "list.txt"
    source.write_text("a.wav\nhangs.wav\n")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, processes=True
    )

    class Closing(Notes):
        def done(self, task, outcome) -> None:
            super().done(task, outcome)
            cluster.close()

    running = Running(find_engine("dask", None, cluster.scheduler_address), Limits(), harmful)
    model = str(tiny_model_path)
    with pytest.raises(EarmarkError, match=r"the Dask scheduler tcp://.* is gone; start it"):
        begin_batch(str(source), tmp_path / "out", model, {}, "json", None, running, Closing())
    with Ledger.open(tmp_path / "out") as ledger:
        assert ledger.counts() == {"pending": 1, "running": 0, "done": 1, "failed": 0}
