"""What the server lets in, and what it does not."""

from __future__ import annotations

import errno
import hmac
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serverhelp import ADDRESS, running, settings_of, settled, show, silent, upload
from starlette.testclient import TestClient

from earmark.errors import ConfigError
from earmark.pool import Limits
from earmark.server import safety
from earmark.server.app import make_app
from earmark.server.settings import Bounds, Settings
from earmark.server.studio import Studio

TOKEN = "correct horse battery"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path) -> Iterator[Studio]:
    """Return a server with a token, a folder with traps in it, and narrow limits."""
    root = tmp_path_factory.mktemp("served")
    outside = tmp_path_factory.mktemp("outside")
    show(outside / "secret.wav")
    show(root / "show.wav", 3)
    (root / "sub").mkdir()
    (root / "sub" / "here.wav").symlink_to(root / "show.wav")
    (root / "link.wav").symlink_to(outside / "secret.wav")
    (root / "away").symlink_to(outside)
    (root / ".private").mkdir()
    silent(root / ".private" / "a.wav", 1)
    (root / "open.wav").symlink_to(root / ".private" / "a.wav")
    (root / "door").symlink_to(root / ".private")
    (root / "notes.txt").write_text("no sound")
    silent(root / "long.flac", 25)
    settings = settings_of(
        tmp_path_factory.mktemp("store"),
        tiny_model_path,
        folder=root,
        token=TOKEN,
        bounds=Bounds(upload_bytes=300_000, duration_s=20.0, recordings=5, waiting=40),
    )
    with running(settings) as client:
        yield client.app.state.studio  # type: ignore[attr-defined]


@pytest.fixture
def client(studio: Studio) -> TestClient:
    """Return a client that knows the token."""
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Earmark": "1"}
    return TestClient(make_app(studio), ADDRESS, raise_server_exceptions=False, headers=headers)


@pytest.fixture
def stranger(studio: Studio) -> TestClient:
    return TestClient(make_app(studio), ADDRESS, raise_server_exceptions=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "marks.example.org"])
def test_other_addresses_need_a_token(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match=r"give a token, with --token or the variable EARMARK_TOKEN"):
        Settings(tmp_path, host=host)
    Settings(tmp_path, host=host, token=TOKEN)


def test_this_machine_needs_none_but_a_short_one_is_refused(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        Settings(tmp_path, host=host)
    assert Settings(tmp_path).host == "127.0.0.1"
    with pytest.raises(ConfigError, match="12 or more"):
        Settings(tmp_path, token="short")


def test_every_address_but_the_page_needs_the_token(stranger: TestClient, studio: Studio) -> None:
    paths = [
        (method.upper(), path)
        for path, methods in make_app(studio).openapi()["paths"].items()
        for method in methods
        if path != "/api/login"
    ]
    assert len(paths) > 20
    for method, path in [*paths, ("GET", "/api/openapi.json"), ("GET", "/api/nothing")]:
        answer = stranger.request(method, path, headers={"X-Earmark": "1"})
        assert (answer.status_code, path) == (401, path)
        assert answer.headers["www-authenticate"] == "Bearer"
    wrong = stranger.get("/api/status", headers={"Authorization": f"Bearer {TOKEN}x"})
    assert wrong.status_code == 401
    assert stranger.get("/page/nothing.js").status_code == 404


def test_a_browser_logs_in_once(stranger: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earmark.server.routes.status._PENALTY_S", 0.0)
    refused = stranger.post("/api/login", json={"token": "guess"}, headers={"X-Earmark": "1"})
    assert (refused.status_code, refused.cookies) == (403, {})
    answer = stranger.post("/api/login", json={"token": TOKEN}, headers={"X-Earmark": "1"})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert stranger.get("/api/status").status_code == 200


def test_secrets_are_compared_in_constant_time(
    client: TestClient, stranger: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = hmac.compare_digest

    def note(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return real(one, other)

    monkeypatch.setattr(safety.hmac, "compare_digest", note)
    client.get("/api/status")
    stranger.get("/api/status", headers={"Cookie": "earmark=abc"})
    assert (TOKEN.encode(), TOKEN.encode()) in seen
    assert any(one == b"abc" for one, _ in seen)


def test_answers_forbid_what_is_not_the_servers_own(client: TestClient, stranger: TestClient) -> None:
    for answer in (client.get("/api/status"), client.get("/nothing"), stranger.get("/api/status")):
        policy = dict(
            part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in str(policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


def test_other_sites_change_nothing(client: TestClient) -> None:
    body = {"name": "a.wav", "size": 10}
    assert client.post("/api/uploads", json=body).status_code == 201
    without = client.build_request("POST", "/api/uploads", json=body)
    del without.headers["x-earmark"]
    assert client.send(without).status_code == 403
    for origin in ("http://evil.example", "http://127.0.0.1:80", "null", "https://localhost"):
        answer = client.post("/api/uploads", json=body, headers={"Origin": origin})
        assert (origin, answer.status_code) == (origin, 403)
    assert client.post("/api/uploads", json=body, headers={"Origin": ADDRESS}).status_code == 201
    asked = client.options(
        "/api/uploads", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert "access-control-allow-origin" not in asked.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7373", "127.0.0.1.evil.example", "", "[", "a b"]
)
def test_the_server_answers_to_its_own_names_alone(client: TestClient, host: str) -> None:
    assert client.get("/api/status", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:7373", "localhost:1", "[::1]:7373", "LOCALHOST"])
def test_this_machine_has_several_names(client: TestClient, host: str) -> None:
    assert client.get("/api/status", headers={"Host": host}).status_code == 200


def test_names_that_were_given_count_too(studio: Studio) -> None:
    given = Settings(studio.settings.store, host="0.0.0.0", token=TOKEN, names=("marks.example.org",))
    guard = safety.Guard(make_app(studio), given)
    assert guard._is_known("Marks.example.org:443")
    assert guard._is_known("192.168.1.5:7373")
    assert not guard._is_known("other.example.org")


@pytest.mark.parametrize(
    "path",
    ["..", "../", "../../etc/passwd", "/etc/passwd", "sub/../../outside", "link.wav", "away",
     "away/secret.wav", "open.wav", "door", "door/a.wav", ".private",
     ".private/a.wav", ".", "sub/.", "%2e%2e/", "..\\x", "show.wav\0.txt", "a" * 3999, "show.wav/x"],
)  # fmt: skip
def test_nothing_outside_the_folder_is_seen_or_opened(client: TestClient, path: str) -> None:
    for answer in (
        client.get("/api/folder", params={"path": path}),
        client.post("/api/recordings", json={"path": path}),
    ):
        assert answer.status_code == 404, path
        assert "secret" not in answer.text.replace(path, "")


def test_links_within_the_folder_are_followed(client: TestClient) -> None:
    names = [e["name"] for e in client.get("/api/folder").json()["entries"]]
    assert names == ["sub", "long.flac", "show.wav"]
    assert [e["name"] for e in client.get("/api/folder?path=sub").json()["entries"]] == ["here.wav"]


def test_only_recordings_of_the_folder_are_taken(client: TestClient) -> None:
    answer = client.post("/api/recordings", json={"path": "notes.txt"})
    assert (answer.status_code, "'notes.txt' is no recording" in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 507, "No space left on device"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/secret/place"), 404, "was removed just now"),
    ],
)
def test_faults_of_the_disk_are_told_in_a_line(
    client: TestClient,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    fault: OSError,
    status: int,
    words: str,
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(studio.recordings, "home", fail)
    answer = client.post("/api/recordings", json={"path": "show.wav"})
    assert (answer.status_code, words in answer.json()["error"], "secret" in answer.text) == (
        status,
        True,
        False,
    )


def test_a_link_that_turns_outwards_later_is_not_followed(
    client: TestClient, studio: Studio, tmp_path: Path
) -> None:
    root = studio.settings.folder
    assert root is not None
    turning = root / "turning.wav"
    turning.symlink_to(root / "show.wav")
    made = client.post("/api/recordings", json={"path": "turning.wav"}).json()
    settled(client, made["id"])
    turning.unlink()
    turning.symlink_to(show(tmp_path / "secret.wav"))
    try:
        assert client.get(f"/api/recordings/{made['id']}/audio").status_code == 404
        again = client.post(f"/api/recordings/{made['id']}/jobs", json={}).json()
        assert settled(client, made["id"])["state"] == "failed"
        assert "there is no 'turning.wav'" in client.get(f"/api/jobs/{again['id']}").json()["error"]
    finally:
        turning.unlink()
        client.delete(f"/api/recordings/{made['id']}")


@pytest.mark.parametrize("name", ["../settings.py", "..%2fapp.py", "%2e%2e/app.py", "app.py", "__init__.py"])
def test_only_files_of_the_page_are_served(client: TestClient, name: str) -> None:
    assert client.get(f"/page/{name}").status_code in (404, 405)


def test_uploads_are_limited_in_size(client: TestClient, studio: Studio) -> None:
    assert client.post("/api/uploads", json={"name": "a", "size": 300_001}).status_code == 413
    assert client.post("/api/uploads", json={"name": "a", "size": 0}).status_code == 422
    assert client.post("/api/recordings?name=a", content=b"x" * 300_001).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    assert client.post("/api/recordings?name=a", content=endless()).status_code == 413
    begun = client.post("/api/uploads", json={"name": "a", "size": 10}).json()
    place = f"/api/uploads/{begun['upload']}"
    assert client.put(place, params={"offset": 0}, content=b"x" * 11).status_code == 413
    assert client.delete(place).status_code == 204
    left = sum(f.stat().st_size for f in (studio.settings.store / "uploads").iterdir())
    assert left < 300_000


def test_what_says_two_things_at_once_is_refused(client: TestClient) -> None:
    for name, values in (
        ("Content-Type", ("application/json", "audio/wav")),
        ("Host", ("127.0.0.1", "localhost")),
        ("Origin", (ADDRESS, ADDRESS)),
    ):
        headers = [*client.headers.items(), *((name, value) for value in values)]
        request = httpx.Request("POST", f"{ADDRESS}/api/recordings?name=a", headers=headers, content=b"{}")
        answer = client.send(request)
        assert (answer.status_code, f"'{name.lower()}' is there twice" in answer.text) == (400, True)


@pytest.mark.parametrize("path", ["/api/uploads", "/api/recordings", "/api/login"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_no_other_request_fills_the_memory(client: TestClient, path: str, kind: str) -> None:
    sent = []

    def much() -> Iterator[bytes]:
        for _ in range(100):
            sent.append(1 << 20)
            yield b" " * (1 << 20)

    answer = client.post(f"{path}?name=a", content=much(), headers={"Content-Type": kind})
    assert answer.status_code == 413


def test_recordings_are_limited_in_length(client: TestClient) -> None:
    made = client.post("/api/recordings", json={"path": "long.flac"}).json()
    found = settled(client, made["id"])
    assert found["state"] == "failed"
    assert "longer than the server allows, 00:00:20" in found["error"]
    assert client.delete(f"/api/recordings/{made['id']}").status_code == 204


def test_recordings_and_uploads_are_limited_in_number(client: TestClient, studio: Studio) -> None:
    made = [client.post("/api/recordings", json={"path": "show.wav"}) for _ in range(6)]
    assert [answer.status_code for answer in made] == [201] * 5 + [409]
    assert "as many as it may; remove some" in made[-1].json()["error"]
    for answer in made[:5]:
        client.delete(f"/api/recordings/{answer.json()['id']}")
    begun = [client.post("/api/uploads", json={"name": "a", "size": 1}) for _ in range(41)]
    assert begun[-1].status_code == 429
    for answer in begun:
        if answer.status_code == 201:
            client.delete(f"/api/uploads/{answer.json()['upload']}")


def test_names_of_recordings_are_only_text(client: TestClient, tmp_path: Path) -> None:
    name = '<img src=x onerror="alert(1)">\n\u202e.wav'
    made = upload(client, show(tmp_path / "a.wav", 3), name)
    try:
        assert made["name"] == '<img src=x onerror="alert(1)">.wav'
        settled(client, made["id"])
        answer = client.get(f"/api/recordings/{made['id']}/timelines/detected?format=webvtt")
        assert "\n" not in answer.headers["content-disposition"]
        assert "<" not in answer.headers["content-disposition"]
        assert answer.headers["content-type"].startswith("text/vtt")
    finally:
        client.delete(f"/api/recordings/{made['id']}")


def test_addresses_are_not_fetched_unless_that_is_allowed(client: TestClient) -> None:
    answer = client.post("/api/recordings", json={"url": "http://127.0.0.1:1/a.wav"})
    assert (answer.status_code, "--allow-urls" in answer.json()["error"]) == (403, True)


def test_what_is_fetched_is_drawn_and_marked(tmp_path: Path, tiny_model_path: Path) -> None:
    with running(settings_of(tmp_path / "store", tiny_model_path, allow_urls=True)) as client:
        for url in ("file:///etc/passwd", "http://user:secret@radio.test/a.wav", "radio.test"):
            assert client.post("/api/recordings", json={"url": url}).status_code == 422
        made = client.post("/api/recordings", json={"url": "http://localhost:1/a%20b.wav?x=1"}).json()
        assert (made["name"], made["kind"], made["stage"]) == ("a b.wav", "url", "fetch")
        found = settled(client, made["id"])
        assert found["state"] == "failed"
        assert "'localhost' is no public address" in found["error"]
        # As if it had been fetched.
        studio = client.app.state.studio  # type: ignore[attr-defined]
        shutil.copy(show(tmp_path / "a.wav", 3), studio.recordings.home(made["id"]) / "source")
        job = {"id": found["jobs"][0]["id"], "kind": "fetch", "recording": made["id"]}
        studio.jobs.finish(job, 96_044)
        found = settled(client, made["id"])
        assert (found["state"], found["size"], found["error"]) == ("done", 96_044, None)


def test_answers_do_not_tell_where_things_lie(client: TestClient, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF0000WAVEfmt " + bytes(100))
    made = upload(client, tmp_path / "bad.wav")
    found = settled(client, made["id"])
    texts = [
        str(found),
        client.get("/api/status").text,
        client.get(f"/api/recordings/{made['id']}/audio").text,
    ]
    client.delete(f"/api/recordings/{made['id']}")
    assert found["state"] == "failed"
    for text in texts:
        assert str(studio.settings.store) not in text
        assert str(studio.settings.folder) not in text


def test_a_decoder_that_takes_too_long_or_too_much_is_ended(tmp_path: Path, tiny_model_path: Path) -> None:
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("the system does not tell the memory of a process")
    for limits, words in ((Limits(60, 20), "limit of memory"), (Limits(0.001, 4000), "limit of time")):
        settings = settings_of(tmp_path / words[-4:], tiny_model_path, limits=limits)
        with running(settings) as client:
            found = settled(client, upload(client, show(tmp_path / "a.wav", 60))["id"])
            assert found["state"] == "failed"
            assert words in found["error"]
            assert client.get("/api/status").status_code == 200
