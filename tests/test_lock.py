"""Locks: held by another, or not to be had at all."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from earmark.errors import ConfigError, EarmarkError
from earmark.lock import is_locked, locked

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX locks")


def refuse_locks(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)


@posix
def test_a_lock_is_held_until_its_holder_ends(tmp_path: Path) -> None:
    assert not is_locked(tmp_path, "lock")
    with locked(tmp_path, "lock"):
        assert is_locked(tmp_path, "lock")
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
        with pytest.raises(ConfigError, match="another run is at work"), locked(tmp_path, "lock"):
            pass
    assert not is_locked(tmp_path, "lock")


@posix
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_not_taken_for_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "lock").touch()
    refuse_locks(monkeypatch, code)
    with (
        pytest.raises(EarmarkError, match="its file system has no locks") as caught,
        locked(tmp_path, "lock"),
    ):
        pass
    assert not isinstance(caught.value, ConfigError)
    assert os.strerror(code) in str(caught.value)
    assert not is_locked(tmp_path, "lock")


@posix
def test_a_system_that_says_another_holds_it_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.lock._PATIENCE_S", 0.0)
    refuse_locks(monkeypatch, errno.EACCES)
    with pytest.raises(ConfigError, match="another run is at work"), locked(tmp_path, "lock"):
        pass
    assert is_locked(tmp_path, "lock")


def test_a_folder_that_cannot_be_written_is_no_other_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(EarmarkError, match=r"cannot be written: .*choose another folder")
    with refused as caught, locked(tmp_path / "file", "lock"):
        pass
    assert not isinstance(caught.value, ConfigError)
    assert not is_locked(tmp_path / "file", "lock")
