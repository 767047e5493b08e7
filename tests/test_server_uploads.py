"""Uploads become recordings as a whole, or stay uploads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serverhelp import running, settings_of, show
from starlette.testclient import TestClient

from earmark.errors import EarmarkError
from earmark.server.settings import Bounds, Settings


@pytest.fixture
def settings(tmp_path: Path, tiny_model_path: Path) -> Settings:
    return settings_of(tmp_path / "store", tiny_model_path, bounds=Bounds(waiting=3))


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Return a client of a server that takes recordings, but does nothing with them."""
    with running(settings) as client:
        studio_of(client).jobs.close()
        yield client


def studio_of(client: TestClient) -> Any:
    return client.app.state.studio  # type: ignore[attr-defined]


def sent(client: TestClient, tmp_path: Path) -> str:
    """Send a recording, but do not say that it is done."""
    data = show(tmp_path / "a.wav", 1).read_bytes()
    begun = client.post("/api/uploads", json={"name": "a.wav", "size": len(data)}).json()["upload"]
    client.put(f"/api/uploads/{begun}", params={"offset": 0}, content=data)
    return begun


def kinds(client: TestClient, recording: str) -> list[str]:
    return [job["kind"] for job in client.get(f"/api/recordings/{recording}").json()["jobs"]]


def test_an_upload_is_done_once_however_often_that_is_said(client: TestClient, tmp_path: Path) -> None:
    upload = sent(client, tmp_path)
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: client.post(f"/api/uploads/{upload}/done"), range(6)))
    assert [answer.status_code for answer in answers] == [201] * 6
    assert {answer.json()["id"] for answer in answers} == {upload}
    assert len(client.get("/api/recordings").json()) == 1
    assert kinds(client, upload) == ["picture", "detect"]
    assert client.delete(f"/api/recordings/{upload}").status_code == 204
    assert client.post(f"/api/uploads/{upload}/done").status_code == 404


def test_where_there_is_no_room_for_all_jobs_nothing_is_changed(client: TestClient, tmp_path: Path) -> None:
    first, second = sent(client, tmp_path), sent(client, tmp_path)
    client.post(f"/api/uploads/{first}/done")
    refused = client.post(f"/api/uploads/{second}/done")
    assert (refused.status_code, "try again later" in refused.json()["error"]) == (429, True)
    assert [each["id"] for each in client.get("/api/recordings").json()] == [first]
    for job in client.get(f"/api/recordings/{first}").json()["jobs"]:
        client.delete(f"/api/jobs/{job['id']}")
    assert client.post(f"/api/uploads/{second}/done").status_code == 201
    assert kinds(client, second) == ["picture", "detect"]


def test_what_cannot_be_written_to_the_end_stays_an_upload(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, uploads = sent(client, tmp_path), studio_of(client).uploads
    move = uploads.move

    def break_off(*arguments: Any) -> None:
        move(*arguments)
        raise EarmarkError("the disk is full")

    monkeypatch.setattr(uploads, "move", break_off)
    assert client.post(f"/api/uploads/{upload}/done").status_code == 507
    assert client.get("/api/recordings").json() == []
    monkeypatch.setattr(uploads, "move", move)
    assert client.post(f"/api/uploads/{upload}/done").status_code == 201
    assert kinds(client, upload) == ["picture", "detect"]


def test_a_server_that_was_killed_between_finds_the_upload_again(settings: Settings, tmp_path: Path) -> None:
    with running(settings) as client:
        moved, lost = sent(client, tmp_path), sent(client, tmp_path)
        size = client.get(f"/api/uploads/{moved}").json()["received"]
    home = settings.store / "recordings" / moved
    home.mkdir()
    os.replace(settings.store / "uploads" / moved, home / "source")
    (settings.store / "uploads" / lost).unlink()
    with running(settings) as client:
        assert client.get(f"/api/uploads/{moved}").json()["received"] == size
        assert client.get(f"/api/uploads/{lost}").status_code == 404
        assert not home.exists()
