"""Fetching recordings: from public machines alone, whatever names and redirections say."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from earmark.errors import AudioError
from earmark.server import fetch as fetching
from earmark.server.fetch import check_url, fetch, is_public


class _Pages(BaseHTTPRequestHandler):
    drops: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        pages: dict[str, tuple[int, dict[str, str], bytes]] = {
            "/a.wav": (200, {}, b"sound" * 100),
            "/a%20b.wav?x=1": (200, {}, b"more"),
            "/empty": (200, {}, b""),
            "/here": (302, {"Location": "/a.wav"}, b""),
            "/inside": (302, {"Location": "http://10.0.0.1/secret"}, b""),
            "/file": (302, {"Location": "file:///etc/passwd"}, b""),
            "/round": (302, {"Location": "/round"}, b""),
            "/drops": (200, {"Content-Length": "1000"}, b"."),
            "/short": (200, {"Content-Length": "1000"}, b"few"),
        }
        status, headers, body = pages.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        while self.path == "/drops":
            self.wfile.flush()
            time.sleep(0.01)
            self.wfile.write(b".")
            self.drops.append(self.path)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_door(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[str]], list[str]]:
    """Let this machine count as public, under a name; return what was asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, **more: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host == "radio.test" else host, port, **more)

    monkeypatch.setattr(fetching.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetching, "is_public", lambda address: address == "127.0.0.1")
    return lambda: asked


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254",
     "100.64.0.1", "0.0.0.0", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
     "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1",
     "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1", "fec0::1",
     "192.88.99.1", "::ffff:192.88.99.1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "193.0.6.139", "2a00:1450:4001::1", "::ffff:8.8.8.8"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "127.1",
        "0",
    ],
)
def test_this_machine_is_not_asked_however_it_is_written(host: str, port: int, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"no public address|is not known"):
        fetch(f"http://{host}:{port}/a.wav", tmp_path / "x", 1000)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.test/x", "gopher://a.test", "http://", "http:///x", "//a.test/x", "a.wav",
     "http://user:pw@a.test/x", "http://a.test:0/x", "http://a.test:99999/", "http://a.test/a\nb", "http://[::1"],
)  # fmt: skip
def test_addresses_of_other_kinds_are_refused(url: str) -> None:
    with pytest.raises(AudioError):
        check_url(url)


def test_a_recording_is_fetched(port: int, tmp_path: Path, open_door: Callable[[], list[str]]) -> None:
    for path in ("a.wav", "here"):
        assert fetch(f"http://radio.test:{port}/{path}", tmp_path / path, 1000) == 500
        assert (tmp_path / path).read_bytes() == b"sound" * 100
    assert fetch(f"http://radio.test:{port}/a b.wav?x=1".replace(" ", "%20"), tmp_path / "b", 10) == 4
    # Each name is resolved once for each request, and never again to connect.
    assert open_door() == ["radio.test"] * 4


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("inside", "'10.0.0.1' is no public address"),
        ("file", "no address that can be fetched"),
        ("round", "leads on and on"),
        ("nothing", "says 404"),
        ("empty", "is empty"),
        ("short", "fetched|broke off"),
    ],
)
@pytest.mark.usefixtures("open_door")
def test_where_it_leads_is_checked_as_well(port: int, tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        fetch(f"http://radio.test:{port}/{path}", tmp_path / "x", 1000)
    assert not (tmp_path / "x").exists()


@pytest.mark.usefixtures("open_door")
def test_no_more_is_fetched_than_allowed(port: int, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="more than the 499 bytes"):
        fetch(f"http://radio.test:{port}/a.wav", tmp_path / "x", 499)


@pytest.mark.usefixtures("open_door")
def test_who_sends_drop_by_drop_is_left(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LONGEST_S", 0.2)
    with pytest.raises(AudioError, match="came too slowly"):
        fetch(f"http://radio.test:{port}/drops", tmp_path / "x", 1000)
    assert 0 < len(_Pages.drops) < 900  # and not only once all was there


def test_a_name_that_changes_its_mind_gains_nothing(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolve to a public address the first time and to this machine from then on; see where it connects."""
    answers = [[("8.8.8.8", port)], [("127.0.0.1", port)]]
    tried: list[Any] = []

    def resolve(host: str, port: int, **more: Any) -> Any:
        places = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

    def connect(self: socket.socket, place: Any) -> None:
        tried.append(place)
        raise OSError("no way out")

    monkeypatch.setattr(fetching.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetching.socket.socket, "connect", connect, raising=False)
    with pytest.raises(AudioError, match="cannot be reached"):
        fetch(f"http://radio.test:{port}/a.wav", tmp_path / "x", 1000)
    assert tried == [("8.8.8.8", port)]


def test_one_private_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    places = [("8.8.8.8", 80), ("192.168.0.1", 80)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(AudioError, match="no public address"):
        fetch("http://radio.test/a.wav", tmp_path / "x", 1000)
