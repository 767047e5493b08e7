"""The server as a program: how it begins, what it refuses, and how it ends."""

from __future__ import annotations

import http.client
import signal
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from serverhelp import program, settings_of, show

from earmark.bench.serving import measure_serving
from earmark.cli.app import run
from earmark.server.events import Hub
from earmark.server.serving import _Server, take_address

TOKEN = "correct horse battery"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_ends_at_once_though_somebody_listens(tmp_path: Path, tiny_model_path: Path, name: str) -> None:
    with program(tmp_path / "store", "--model", str(tiny_model_path)) as (process, port):
        listener = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        listener.request("GET", "/api/events")
        answer = listener.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert b"retry" in answer.readline()
        sender = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        data = show(tmp_path / "a.wav").read_bytes()
        sender.request("POST", "/api/recordings?name=a.wav", data, {"X-Earmark": "1"})
        assert sender.getresponse().status == 201
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        listener.close()


def test_a_token_of_the_environment_counts(tmp_path: Path, tiny_model_path: Path) -> None:
    arguments = ("--model", str(tiny_model_path))
    with program(tmp_path / "store", *arguments, token=TOKEN) as (_, port):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        client.request("GET", "/api/recordings")
        answer = client.getresponse()
        assert answer.read()
        assert answer.status == 401
        client.request("GET", "/api/recordings", headers={"Authorization": f"Bearer {TOKEN}"})
        assert client.getresponse().status == 200


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run(["serve", "--port", str(port), "--store", str(tmp_path), "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert f"port {port} at 127.0.0.1 cannot be had" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "others could reach the server there; give a token"),
        (["--host", "0.0.0.0", "--token", "short"], "the token has 5 characters"),
        (["--port", "99999"], "port 99999"),
        (["nowhere"], "'nowhere' is no folder"),
        (["--max-hours", "0"], "it must be above 0"),
        (["--jobs", "0"], "give 1 or more"),
        (["--model", "nobody"], "no model 'nobody'"),
    ],
)
def test_what_is_not_allowed_is_said_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.delenv("EARMARK_TOKEN", raising=False)
    assert run(["serve", *arguments, "--store", str(tmp_path), "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_signal_waits_for_nothing_that_it_interrupts() -> None:
    """A handler runs in between: what is locked just then is let go by nobody."""
    hub = Hub()
    server = _Server(uvicorn.Config(None), SimpleNamespace(hub=hub))  # type: ignore[arg-type]
    with hub._lock:
        signalled = threading.Thread(target=server.handle_exit, args=(signal.SIGTERM, None), daemon=True)
        signalled.start()
        signalled.join(10)
        assert not signalled.is_alive()
    assert server.should_exit


def test_any_port_that_is_free_is_taken(tmp_path: Path, tiny_model_path: Path) -> None:
    with take_address(settings_of(tmp_path, tiny_model_path, port=0)) as listener:
        assert listener.getsockname()[1] > 0


def test_the_benchmark_loses_nothing(tiny_model_path: Path) -> None:
    figures, details = measure_serving(str(tiny_model_path), minutes=1, hours=0, clients=4, jobs=12)
    found = {figure.key: figure.value for figure in figures}
    assert found["4 clients, 12 recordings: lost"] == 0
    assert details["upload"]["bytes"] > 900_000
    for name in ("whole waveform", "lanes", "opened when ready", "memory: server"):
        assert (found[f"MP3 of 1 minutes: {name}"] or 0) > 0
