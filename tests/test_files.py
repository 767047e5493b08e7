"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from earmark.errors import EarmarkError
from earmark.files import atomic_write


def test_a_file_appears_only_when_complete_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.csv"
    with atomic_write(path) as file:
        file.write("märz\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == "märz\n".encode()
    assert os.listdir(path.parent) == ["a.csv"]


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.npz", binary=True) as file:
        file.write(b"\r\n\x00\xff")
    assert (tmp_path / "a.npz").read_bytes() == b"\r\n\x00\xff"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:  # noqa: PT012
        file.write("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EarmarkError) as caught, atomic_write(tmp_path / "a.csv") as file:
        file.write("new")
    assert str(caught.value).startswith(f"'{tmp_path / 'a.csv'}' cannot be written: No space left on device")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_folder_or_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "taken", tmp_path / "file" / "a.csv"):
        with pytest.raises(EarmarkError, match="cannot be written"), atomic_write(path) as file:
            file.write("new")
    assert sorted(os.listdir(tmp_path)) == ["file", "taken"]


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".csv")
    with atomic_write(path) as file:
        file.write("x")
    assert path.read_text() == "x"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions differ there")
def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    before = os.umask(0o027)
    try:
        with atomic_write(path) as file:
            file.write("x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o604)
    with atomic_write(path) as file:
        file.write("y")
    assert path.stat().st_mode & 0o777 == 0o604


@pytest.mark.skipif(sys.platform == "win32", reason="no device files or links there")
def test_devices_are_written_to_and_links_followed(tmp_path: Path) -> None:
    with atomic_write("/dev/null") as file:
        file.write("x")
    assert not Path("/dev/null").is_file()
    (tmp_path / "real.csv").write_text("old")
    os.symlink("real.csv", tmp_path / "link.csv")
    with atomic_write(tmp_path / "link.csv") as file:
        file.write("new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
