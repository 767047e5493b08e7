"""The addresses of the server: recordings in, jobs, timelines, and what is seen and heard."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from serverhelp import client_of, running, settings_of, settled, show, silent, upload, wait_for
from starlette.testclient import TestClient

import earmark
from earmark.audio import read_audio
from earmark.evaluation import score
from earmark.features import log_mel
from earmark.formats import FORMATS, loads
from earmark.server.picture import _FRONT_END
from earmark.timeline import Timeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("folder")
    show(root / "show.wav")
    (root / "tapes").mkdir()
    silent(root / "tapes" / "side a.flac", 2)
    (root / "notes.txt").write_text("no sound")
    (root / ".hidden.wav").write_bytes(b"x")
    return root


@pytest.fixture(scope="module")
def client(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path
) -> Iterator[TestClient]:
    with running(settings_of(tmp_path_factory.mktemp("store"), tiny_model_path, folder=folder)) as client:
        yield client


@pytest.fixture(scope="module")
def recording(client: TestClient, folder: Path) -> str:
    """Return the id of a recording that is done."""
    made = upload(client, folder / "show.wav")
    found = settled(client, made["id"])
    assert (found["state"], found["error"], found["peaks"]) == ("done", None, True)
    return made["id"]


def test_a_recording_is_marked_as_detect_marks_it(
    client: TestClient, recording: str, folder: Path, tiny_model_path: Path
) -> None:
    found = client.get(f"/api/recordings/{recording}/timelines/detected").json()
    expected = earmark.detect(folder / "show.wav", model=tiny_model_path)
    assert [(s["start"], s["end"], s["label"], s["confidence"]) for s in found["segments"]] == [
        (s.start, s.end, s.label, s.confidence) for s in expected
    ]
    assert found["duration"] == expected.duration == 6.0
    assert (found["name"], found["version"], found["origin"], found["model"]) == (
        "detected",
        1,
        "model",
        "tiny",
    )
    listed = client.get("/api/recordings", params={"q": "SHOW"}).json()
    assert listed[0]["shares"] == {name: round(share, 4) for name, share in expected.shares().items()}
    assert client.get("/api/recordings", params={"q": "nothing like it"}).json() == []


def test_every_format_of_convert_is_served(client: TestClient, recording: str) -> None:
    place = f"/api/recordings/{recording}/timelines/detected"
    starts = [round(s["start"], 1) for s in client.get(place).json()["segments"]]
    for name, known in FORMATS.items():
        answer = client.get(place, params={"format": name})
        assert f"show{known.suffixes[0]}" in answer.headers["content-disposition"]
        assert [round(s.start, 1) for s in loads(answer.content, name)] == starts
    assert client.get(place, headers={"Accept": "text/csv"}).text.startswith("start,end,label")
    assert client.get(place, params={"format": "docx"}).status_code == 422


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("*/*", "application/json"),
        ("text/csv;q=0.5, application/x-subrip", "application/x-subrip"),
        ("text/vtt;q=0, text/csv;q=0.1", "text/csv"),
        ("application/xml", "application/xml"),
    ],
)
def test_the_format_is_the_one_that_is_liked_best(
    client: TestClient, recording: str, accept: str, kind: str
) -> None:
    answer = client.get(f"/api/recordings/{recording}/timelines/detected", headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["vary"] == "Accept"


def test_a_timeline_is_sent_once_and_cropped_on_request(client: TestClient, recording: str) -> None:
    place = f"/api/recordings/{recording}/timelines/detected"
    tag = client.get(place).headers["etag"]
    assert client.get(place, headers={"If-None-Match": tag}).status_code == 304
    near = [client.get(place, params={"start": start}).headers["etag"] for start in (2.1234567, 2.1234568)]
    assert near[0] != near[1]
    cropped = client.get(place, params={"start": 2, "end": 2.25}).json()["segments"]
    assert [(s["start"], s["end"]) for s in cropped] == [(2.0, 2.25)]


def test_peaks_are_those_of_the_sound(client: TestClient, recording: str, folder: Path) -> None:
    samples, rate = read_audio(folder / "show.wav")
    place = f"/api/recordings/{recording}/peaks"
    for bins in (10, 200, 1300):
        answer = client.get(place, params={"start": 1.25, "end": 4, "bins": bins})
        peaks = np.frombuffer(answer.content, np.int8).reshape(-1, 2)
        start, end = (float(answer.headers[name]) for name in ("x-start", "x-end"))
        assert start <= 1.25
        assert end >= 4
        assert len(peaks) == int(answer.headers["x-bins"]) >= bins * 0.6
        per_bin = (end - start) * rate / len(peaks)
        for at in (0, len(peaks) // 2, len(peaks) - 1):
            part = samples[round(start * rate + at * per_bin) : round(start * rate + (at + 1) * per_bin)]
            # The last cell of a coarse level may reach beyond the recording.
            np.testing.assert_allclose(peaks[at], [127 * part.min(), 127 * part.max()], atol=1.01)
    empty = client.get(place, params={"start": 100, "end": 101})
    assert (empty.status_code, empty.headers["x-bins"]) == (200, "0")


def test_tiles_are_the_log_mel_spectrogram(client: TestClient, recording: str, folder: Path) -> None:
    samples, rate = read_audio(folder / "show.wav")
    expected = np.rint((log_mel(samples, rate, _FRONT_END).T + 100) * 2.55)
    tiles = [client.get(f"/api/recordings/{recording}/spectrogram/0/{i}") for i in range(4)]
    assert [tile.status_code for tile in tiles] == [200, 200, 200, 404]
    found = np.concatenate([np.frombuffer(t.content, np.uint8) for t in tiles[:3]]).reshape(-1, 64)
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=1)
    coarse = np.frombuffer(client.get(f"/api/recordings/{recording}/spectrogram/2/0").content, np.uint8)
    np.testing.assert_array_equal(coarse.reshape(-1, 64), found.reshape(-1, 4, 64).max(axis=1))


def test_a_tile_that_is_not_drawn_yet_is_to_come(client: TestClient, recording: str) -> None:
    studio = client.app.state.studio  # type: ignore[attr-defined]
    facts = studio.recordings.home(recording) / "spectrogram" / "levels.json"
    known = facts.read_text()
    facts.write_text(json.dumps({**json.loads(known), "done": False}))
    try:
        tiles = [client.get(f"/api/recordings/{recording}/spectrogram/0/{i}") for i in (0, 3)]
    finally:
        facts.write_text(known)
    assert [tile.status_code for tile in tiles] == [200, 200]
    assert [tile.headers["x-complete"] for tile in tiles] == ["1", "0"]
    assert tiles[1].content == b""
    assert tiles[1].headers["cache-control"] == "no-store"


def test_what_waits_is_told_to_be_drawn_meanwhile(client: TestClient, recording: str) -> None:
    studio = client.app.state.studio  # type: ignore[attr-defined]
    row, jobs = studio.recordings.get(recording), client.get(f"/api/recordings/{recording}").json()["jobs"]
    drawn, heard = (next(job for job in jobs if job["kind"] == kind) for kind in ("picture", "detect"))
    drawn, heard = {**drawn, "state": "running", "progress": 0.25}, {**heard, "state": "queued"}
    found = studio._view(row, [drawn, heard], [])
    assert (found["state"], found["stage"], found["progress"]) == ("running", "picture", 0.25)
    found = studio._view(row, [{**drawn, "state": "done"}, heard], [])
    assert (found["state"], found["stage"]) == ("queued", "detect")


def test_posteriors_are_means_of_the_models(
    client: TestClient, recording: str, folder: Path, tiny_model_path: Path
) -> None:
    parts: list[earmark.posteriors.Posteriors] = []
    earmark.Detector(tiny_model_path).detect(folder / "show.wav", posterior_sink=parts.append)
    exact = earmark.posteriors.Posteriors.concatenate(parts).values
    answer = client.get(f"/api/recordings/{recording}/posteriors", params={"bins": 10_000})
    assert answer.headers["x-labels"] == "speech,music,noise"
    found = np.frombuffer(answer.content, np.uint8).reshape(-1, 3)
    np.testing.assert_allclose(found, 255 * exact, atol=0.51)
    coarse = client.get(f"/api/recordings/{recording}/posteriors", params={"bins": 70})
    means = np.frombuffer(coarse.content, np.uint8).reshape(-1, 3)
    np.testing.assert_allclose(means[:70], 255 * exact[:280].reshape(70, 4, 3).mean(axis=1), atol=1.01)
    assert client.get(f"/api/recordings/{recording}/posteriors?model=other").status_code == 404


def test_audio_is_exact_to_the_sample(client: TestClient, recording: str, folder: Path) -> None:
    with wave.open(str(folder / "show.wav")) as file:
        samples = np.frombuffer(file.readframes(-1), "<i2")
    for start, seconds in ((0, 1.0), (2.125, 1.5), (0.5, 0.25), (5.5, 3.0)):
        answer = client.get(
            f"/api/recordings/{recording}/audio", params={"start": start, "duration": seconds}
        )
        with wave.open(io.BytesIO(answer.content)) as piece:
            assert (piece.getframerate(), piece.getnchannels()) == (16_000, 1)
            found = np.frombuffer(piece.readframes(-1), "<i2")
        first = round(start * 16_000)
        np.testing.assert_array_equal(found, samples[first : first + round(seconds * 16_000)])
    assert client.get(f"/api/recordings/{recording}/audio?duration=31").status_code == 422


def test_other_options_decode_what_is_stored(
    client: TestClient, recording: str, folder: Path, tiny_model_path: Path
) -> None:
    place = f"/api/recordings/{recording}/decode"
    facts = client.get(place).json()
    assert (facts["kind"], facts["labels"]) == ("thresholds", ["speech", "music", "noise"])
    assert facts["options"]["speech"]["threshold"] == 0.5
    assert facts["ranges"]["smooth"]["unit"] == "s"
    options = {"music": {"threshold": 0.9, "min_duration": 2.2}, "speech": {"smooth": 1.0}}
    answer = client.post(place, json={"options": options})
    expected = earmark.Detector(tiny_model_path, options).detect(folder / "show.wav")
    assert [(s["start"], s["end"], s["label"]) for s in answer.json()["segments"]] == [
        (s.start, s.end, s.label) for s in expected
    ]
    saved = client.post(place, json={"options": options, "save": "strict"}).json()
    kept = client.get(f"/api/recordings/{recording}/timelines/strict").json()
    assert (kept["version"], kept["segments"]) == (1, saved["segments"])
    again = {"options": {}, "save": "strict"}
    refused = client.post(place, json=again)
    assert (refused.status_code, refused.json()["version"]) == (409, 1)
    assert client.post(place, json=again, headers={"If-Match": "1"}).json()["version"] == 2
    for name in ("edited", "detected"):
        assert client.post(place, json={"save": name}, headers={"If-Match": "1"}).status_code == 422
    wrong = client.post(place, json={"options": {"speech": {"threshold": 1.5}}})
    assert wrong.status_code == 422
    assert "it must lie between 0 and 1" in wrong.json()["error"]


def test_scores_are_those_of_score(client: TestClient, recording: str) -> None:
    text = "1.0\t3.0\tspeech\n2.5\t4.5\tmusic\n"
    place = f"/api/recordings/{recording}/timelines/reference"
    assert client.put(place, params={"format": "audacity"}, content=text).json()["version"] == 1
    found = client.get(
        f"/api/recordings/{recording}/score", params={"reference": "reference", "estimate": "detected"}
    ).json()
    estimate = client.get(f"/api/recordings/{recording}/timelines/detected?format=json").content
    expected = score(Timeline(loads(text, "audacity").segments, 6.0), loads(estimate, "json")).to_dict()
    assert found["pooled"] == json.loads(json.dumps(expected["pooled"]))
    missed = [d for d in found["disagreements"] if d["label"] == "music" and d["start"] > 4]
    assert [(d["kind"], d["start"], d["end"]) for d in missed] == [("false", 4.5, pytest.approx(5, abs=0.1))]


def test_a_timeline_is_replaced_only_knowingly(client: TestClient, recording: str) -> None:
    place = f"/api/recordings/{recording}/timelines/mine"
    body = {"segments": [{"start": 1, "end": 2, "label": "laughter"}]}
    assert client.put(place, json=body).json()["version"] == 1
    refused = client.put(place, json=body)
    assert (refused.status_code, refused.json()["version"]) == (409, 1)
    tag = client.get(place).headers["etag"]
    assert client.put(place, json=body, headers={"If-Match": tag}).json()["version"] == 2
    assert client.put(place, json=body, headers={"If-Match": "1"}).status_code == 409
    too_long = {"segments": [{"start": 1, "end": 20, "label": "laughter"}]}
    assert client.put(f"{place}2", json=too_long).status_code == 422
    assert client.put(place.replace("mine", "detected"), json=body).status_code == 409
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404


def test_large_and_odd_timelines_are_refused_before_they_cost_anything(
    client: TestClient, recording: str
) -> None:
    place = f"/api/recordings/{recording}/timelines/large"
    many = "".join(f"{i * 5e-5:.6f}\t{i * 5e-5 + 2e-5:.6f}\ta\n" for i in range(100_001))
    for text, words in (
        (many, "100001 segments; a timeline holds up to 100000"),
        (json.dumps({"segments": [], "labels": [f"l{i}" for i in range(1001)]}), "1001 labels"),
        (json.dumps({"segments": [], "labels": ["a\nb"]}), "printable characters"),
    ):
        answer = client.put(place, params={"format": "audacity" if text is many else "json"}, content=text)
        assert (answer.status_code, words in answer.json()["error"]) == (422, True)
    assert client.put(place, content=b" " * (5 << 20)).status_code == 413


def test_uploads_go_on_where_they_broke_off(client: TestClient, folder: Path) -> None:
    data = (folder / "show.wav").read_bytes()
    begun = client.post("/api/uploads", json={"name": "../../a\nb/tape 1.wav", "size": len(data)}).json()
    place = f"/api/uploads/{begun['upload']}"
    assert client.put(place, params={"offset": 0}, content=data[:1000]).json() == {"received": 1000}
    assert client.post(f"{place}/done").status_code == 409
    astray = client.put(place, params={"offset": 500}, content=data[500:])
    assert (astray.status_code, astray.json()["received"]) == (409, 1000)
    assert client.get(place).json()["received"] == 1000
    assert client.put(place, params={"offset": 1000}, content=data[1000:]).json()["received"] == len(data)
    made = client.post(f"{place}/done", json={}).json()
    assert (made["name"], made["size"], made["kind"]) == ("tape 1.wav", len(data), "upload")
    assert client.get(place).status_code == 404
    assert settled(client, made["id"])["state"] == "done"
    assert client.delete(f"/api/recordings/{made['id']}").status_code == 204
    assert client.get(f"/api/recordings/{made['id']}").status_code == 404


def test_recordings_of_the_folder_are_chosen_by_place(client: TestClient) -> None:
    entries = client.get("/api/folder").json()["entries"]
    assert [(e["name"], e["kind"]) for e in entries] == [("tapes", "folder"), ("show.wav", "file")]
    assert [e["name"] for e in client.get("/api/folder?path=tapes").json()["entries"]] == ["side a.flac"]
    made = client.post("/api/recordings", json={"path": "tapes/side a.flac"}).json()
    found = settled(client, made["id"])
    assert (found["state"], found["duration"], found["kind"]) == ("done", 2.0, "folder")


def test_what_is_no_recording_fails_in_one_line(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("this is no sound\n" * 100)
    found = settled(client, upload(client, tmp_path / "notes.wav")["id"])
    assert found["state"] == "failed"
    assert "it is no audio or video" in found["error"]
    assert "/" not in found["error"].split(";")[0]
    assert {job["state"] for job in found["jobs"]} == {"failed"}


def test_another_run_replaces_the_models_timeline(client: TestClient, recording: str) -> None:
    job = client.post(f"/api/recordings/{recording}/jobs", json={"kind": "detect"}).json()
    wait_for(lambda: client.get(f"/api/jobs/{job['id']}").json()["state"] == "done")
    versions = {t["name"]: t["version"] for t in client.get(f"/api/recordings/{recording}/timelines").json()}
    assert versions["detected"] == 2
    unknown = client.post(f"/api/recordings/{recording}/jobs", json={"model": "nobody"})
    assert (unknown.status_code, "there are tiny" in unknown.json()["error"]) == (422, True)


def test_everybody_hears_of_edits(client: TestClient, recording: str) -> None:
    studio = client.app.state.studio  # type: ignore[attr-defined]

    async def listen() -> list[str]:
        heard, events = [], studio.hub.listen()
        heard.append(await anext(events))
        edit = {"remove": [], "add": [{"start": 5.5, "end": 5.75, "label": "bell"}]}
        other = client_of(studio, **{"X-Client": "anna"})
        await asyncio.to_thread(
            other.post, f"/api/recordings/{recording}/timelines/detected/edits", json=edit
        )
        while "event: timeline" not in heard[-1]:
            heard.append(await asyncio.wait_for(anext(events), 10))
        await events.aclose()
        return heard

    heard = asyncio.run(listen())
    assert "event: hello" in heard[0]
    told = json.loads(heard[-1].partition("data: ")[2])
    assert (told["name"], told["by"], told["recording"]) == ("edited", "anna", recording)
    assert told["edit"]["add"][0]["label"] == "bell"


def test_an_edit_sent_twice_is_made_once(client: TestClient, recording: str) -> None:
    place = f"/api/recordings/{recording}/timelines/detected/edits"
    edit = {"id": "1", "add": [{"start": 5.75, "end": 6, "label": "bell"}]}
    first, second = (client.post(place, json=edit, headers={"X-Client": "bert"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert client.post(place, json={**edit, "id": "2"}).status_code == 409


def test_the_status_says_what_is_allowed(client: TestClient) -> None:
    found = client.get("/api/status").json()
    names = [model["name"] for model in found["models"]]
    assert "tiny" in names
    assert "embedder" not in names
    assert [m["name"] for m in found["models"] if m["default"]] == ["tiny"]
    assert (found["folder"], found["fetch"]) == (True, False)
    assert {each["name"] for each in found["formats"]} == set(FORMATS)
