"""`earmark embed` into Parquet: one table for all or a file for each, taken up again, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_classifier import RATE, write_backbone

from earmark import Embedder
from earmark.audio_writer import write_audio
from earmark.cli.app import run

pq = pytest.importorskip("pyarrow.parquet")
Tone = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backbone(tmp_path_factory.mktemp("models") / "means.onnx")


@pytest.fixture
def folder(tmp_path: Path, tone: Tone) -> Path:
    """Return a folder with four recordings, the last of which is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
        write_audio(folder / f"{name}.wav", tone(seconds, 300 * seconds), RATE)
    (folder / "d.wav").write_bytes(b"no sound" * 99)
    return folder


def embed(model: Path, *arguments: object) -> int:
    return run(["embed", "--model", str(model), *map(str, arguments)])


def content(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the vectors and times of each recording, in the order of the table."""
    table, found = pq.read_table(path), {}
    names = table["file"].to_pylist()
    values = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    for name in dict.fromkeys(names):
        rows = [i for i, other in enumerate(names) if other == name]
        assert rows == list(range(rows[0], rows[-1] + 1))
        found[name] = (values[rows], table["time"].to_numpy()[rows])
    return found


def test_one_table_holds_all_recordings(
    model: Path, folder: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("earmark.parquetfile._GROUP_BYTES", 4 * 64 * 5)  # five windows in a row group
    target = tmp_path / "new" / "all.parquet"
    assert embed(model, folder, "-o", target, "-j", "2") == 1
    out, err = capsys.readouterr()
    assert out.startswith("3 files, 0:00:06 of audio in ")
    assert out.endswith(": 18 vectors of 64\n")
    assert err.splitlines()[-1] == "earmark: 1 of 4 files failed"
    assert [path.name for path in target.parent.iterdir()] == ["all.parquet"]
    found = content(target)
    assert list(found) == [str(folder / f"{name}.wav") for name in "abc"]
    for name, (values, times) in found.items():
        wanted = Embedder(model).embed(name)
        np.testing.assert_array_equal(values, wanted.values)
        np.testing.assert_array_equal(times, wanted.times)
    with pq.ParquetFile(target) as table:
        assert [str(field.type) for field in table.schema_arrow] == [
            "string", "double", "fixed_size_list<element: float>[64]"
        ]  # fmt: skip
        facts = json.loads(table.schema_arrow.metadata[b"earmark"])
        assert facts == {"model": "means", "embedding": "mean", "window_s": 0.515, "hop_s": 0.25}
        assert [table.metadata.row_group(i).num_rows for i in range(table.num_row_groups)] == [5, 5, 5, 3]


def test_each_recording_can_have_a_file(model: Path, folder: Path, tmp_path: Path, capsys: Any) -> None:
    (folder / "d.wav").unlink()
    assert embed(model, folder, "-o", tmp_path / "out", "-f", "parquet", "--embedding", "mixed") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{x}.parquet" for x in "abc"]
    ((values, _),) = content(tmp_path / "out" / "b.parquet").values()
    assert values.shape == (2, 8)
    capsys.readouterr()


def test_a_table_is_gone_on_with(model: Path, folder: Path, tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "all.parquet"
    assert embed(model, folder / "b.wav", "-o", target) == 0
    (folder / "b.wav").unlink()  # what is there is not read again
    (folder / "b.wav").write_bytes(b"no sound")
    (folder / "d.wav").unlink()
    capsys.readouterr()
    assert embed(model, folder, "-o", target, "--skip-existing") == 0
    assert capsys.readouterr().out.endswith(": 16 vectors of 64; 1 file skipped\n")
    assert [Path(name).stem for name in content(target)] == ["b", "a", "c"]
    before = target.read_bytes()
    assert embed(model, folder, "-o", target, "--skip-existing") == 0
    assert embed(model, folder, "-o", target, "--skip-existing", "--hop", "0.5") == 1
    assert "is no table to go on with (it is of other embeddings); leave out" in capsys.readouterr().err
    assert target.read_bytes() == before
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    assert embed(model, folder, "-o", tmp_path / "bad.parquet", "--skip-existing") == 1
    assert "bad.parquet' is no table to go on with" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "bad.parquet", "in"]


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (OSError(28, "No space left"), 1)])
def test_an_interruption_keeps_what_is_done_and_a_fault_what_was_there(
    model: Path, folder: Path, tmp_path: Path, capsys: Any, monkeypatch: Any, error: Any, code: int
) -> None:
    from earmark.parquetfile import Collection

    target, add = tmp_path / "all.parquet", Collection.add
    target.write_bytes(b"before")

    def failing(self: Collection, name: str) -> None:
        if name.endswith("b.wav"):
            raise error
        add(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(Collection, "add", failing)
        assert embed(model, folder, "-o", target, "-j", "1") == code
    assert capsys.readouterr().err.count("\n") == 1
    if code == 130:
        # The second was done, too.
        assert list(content(target)) == [str(folder / f"{name}.wav") for name in "ab"]
    else:
        assert target.read_bytes() == b"before"
        target.unlink()
        for name in "ab":
            (folder / f"{name}.wav").write_bytes(b"no sound")  # what is done is not read again
    assert embed(model, folder, "-o", target, "--skip-existing") == 1  # one is no recording
    assert capsys.readouterr().out.endswith(": 6 vectors of 64; 2 files skipped\n")
    assert list(content(target)) == [str(folder / f"{name}.wav") for name in "abc"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "in"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_run_that_is_killed_loses_nothing(model: Path, folder: Path, tmp_path: Path, capsys: Any) -> None:
    pipe, target = folder / "0.wav", tmp_path / "all.parquet"
    os.mkfifo(pipe)
    (folder / "d.wav").unlink()
    sources = [pipe, *(folder / f"{name}.wav" for name in "abc")]
    # The pipe comes first and holds up what is behind it.
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from earmark.cli.app import main; main()", "embed", "--model", model),
            *(*sources, "-o", target, "-j", "2"),
        ],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with open(pipe, "wb"):
        while len(list(tmp_path.glob(".earmark-*.parts/*.parquet"))) < 3:
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
    pipe.unlink()
    write_audio(pipe, np.full(RATE, 0.1, np.float32), RATE)
    for name in "abc":
        (folder / f"{name}.wav").write_bytes(b"no sound")  # what is done is not read again
    assert embed(model, *sources, "-o", target, "--skip-existing", "--hop", "0.5") == 1
    assert "is no table to go on with (it is of other embeddings)" in capsys.readouterr().err
    assert embed(model, *sources, "-o", target, "--skip-existing") == 0
    assert capsys.readouterr().out.endswith(": 2 vectors of 64; 3 files skipped\n")
    assert list(content(target)) == [str(path) for path in sources]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "in"]


def test_what_a_killed_run_left_goes_when_a_table_is_made_anew(
    model: Path, folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    from earmark.parquetfile import Collection

    def failing(*_: object) -> None:
        raise OSError(28, "No space left")

    target = tmp_path / "all.parquet"
    with monkeypatch.context() as patched:
        patched.setattr(Collection, "add", failing)
        assert embed(model, folder / "a.wav", folder / "b.wav", "-o", target) == 1
    assert len(list(tmp_path.glob(".earmark-*.parts/*.parquet"))) >= 1
    assert embed(model, folder / "b.wav", "-o", target) == 0
    assert list(content(target)) == [str(folder / "b.wav")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "in"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x", "-f", "csv"], "--format csv: choose npz or parquet"),
        (["-o", "x.npz", "-f", "parquet"], "--format parquet: --output x.npz ends in .npz; leave one of"),
        (["-o", "x.h5"], "--output x.h5: give a file that ends in .npz or .parquet, or a folder"),
    ],
)
def test_what_contradicts_itself_is_refused(
    model: Path, folder: Path, capsys: Any, options: list[str], message: str
) -> None:
    assert embed(model, folder / "a.wav", *options) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err


def test_a_missing_package_is_one_line(
    model: Path, folder: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert embed(model, folder, "-o", tmp_path / "x.parquet") == 2
    message = "this needs the package 'pyarrow', which is not installed; run: pip install 'earmark[batch]'"
    assert capsys.readouterr().err == f"earmark: {message}\n"
    assert not (tmp_path / "x.parquet").exists()
