"""A server on a store of its own, and recordings for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import tone

pytest.importorskip("fastapi", reason="needs the extra 'server'")
pytest.importorskip("httpx", reason="needs httpx")

from starlette.testclient import TestClient

from earmark.audio_writer import write_audio
from earmark.pool import Limits
from earmark.server.app import make_app
from earmark.server.settings import Settings
from earmark.server.studio import Studio

ADDRESS = "http://127.0.0.1:7373"
HEADERS = {"X-Earmark": "1"}
ENDED = ("done", "failed", "cancelled")


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[TestClient]:
    """Run a server; its studio is `client.app.state.studio`."""
    studio = Studio(settings)
    try:
        yield client_of(studio)
    finally:
        studio.close()


def client_of(studio: Studio, **more: Any) -> TestClient:
    app = make_app(studio)
    return TestClient(app, ADDRESS, raise_server_exceptions=False, headers={**HEADERS, **more})


def settings_of(store: Path, model: Path, **more: Any) -> Settings:
    return Settings(store, model=str(model), **{"workers": 1, "limits": Limits(60.0, 1500.0), **more})


def show(path: Path, seconds: float = 6.0, rate: int = 16_000) -> Path:
    """Write a recording: low tones are speech to the tiny model, high ones music."""
    low = tone(seconds, 400, start=1, end=seconds / 2, rate=rate)
    high = tone(seconds, 5000, start=seconds / 2 - 0.5, end=seconds - 1, rate=rate)
    write_audio(path, low + high, rate)
    return path


def silent(path: Path, seconds: float) -> Path:
    write_audio(path, np.zeros(round(seconds * 8000), np.float32), 8000)
    return path


def upload(client: TestClient, path: Path, name: str | None = None) -> dict[str, Any]:
    answer = client.post("/api/recordings", params={"name": name or path.name}, content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait_for(look: Callable[[], Any], seconds: float = 180.0) -> Any:
    """Return what `look` returns as soon as that is something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it does not come to pass")


def settled(client: TestClient, recording: str) -> dict[str, Any]:
    """Return a recording all of whose jobs have ended."""

    def look() -> Any:
        found = client.get(f"/api/recordings/{recording}").json()
        ended = [job["state"] in ENDED for job in found["jobs"]]
        return found if ended and all(ended) else None

    return wait_for(look)


@contextlib.contextmanager
def program(
    store: Path, *arguments: str, token: str | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `earmark serve`; yield the process and its port."""
    command = [sys.executable, "-m", "earmark", "serve", "--no-browser", "--port", "0", "--store", str(store)]
    environment = {**os.environ, **({"EARMARK_TOKEN": token} if token else {})}
    with subprocess.Popen(
        [*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "earmark serves at http://127.0.0.1:" in line
            yield process, int(line.strip().rstrip("/").rpartition(":")[2])
        finally:
            process.kill()
