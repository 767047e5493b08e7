"""Corrections: a labelled set that `earmark fit` reads, and models made of it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from serverhelp import running, settings_of, settled, upload, wait_for
from starlette.testclient import TestClient

from earmark.audio_writer import write_audio
from earmark.errors import EarmarkError
from earmark.pool import Limits
from earmark.server.corrections import FILE_NAME
from earmark.server.crew import Order
from earmark.server.fitting import Fitter
from earmark.server.routes import corrections
from earmark.server.tasks import Fit, Outcome

N_RECORDINGS = 3


def mixed(path: Path, seed: int) -> Path:
    """Write 8 s of noise, then 8 s of tones."""
    rng = np.random.default_rng(seed)
    t = np.arange(8 * 16_000) / 16_000
    noise = 0.1 * rng.standard_normal(len(t))
    tones = 0.2 * sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(300, 2000, 3))
    write_audio(path, np.concatenate([noise, tones]), 16_000)
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path) -> Iterator[TestClient]:
    """Return a client of a server with recordings whose `edited` timelines say what is what."""
    folder = tmp_path_factory.mktemp("audio")
    settings = settings_of(tmp_path_factory.mktemp("server") / "store", tiny_model_path)
    with running(settings) as client:
        for i in range(N_RECORDINGS):
            made = upload(client, mixed(folder / f"{i}.wav", i))["id"]
            settled(client, made)
            found = client.get(f"/api/recordings/{made}/timelines/detected").json()["segments"]
            own = [{"start": 0, "end": 8, "label": "hiss"}, {"start": 8, "end": 16, "label": "tone"}]
            bell = [{"start": 14, "end": 16, "label": "bell"}] if i == 0 else []
            edit = {"remove": found, "add": own + bell}
            answer = client.post(f"/api/recordings/{made}/timelines/detected/edits", json=edit)
            assert answer.status_code == 200, answer.text
        yield client


def test_the_set_is_what_fit_reads(client: TestClient) -> None:
    found = client.get("/api/corrections").json()
    assert (found["recordings"], found["left_out"], found["ready"]) == (3, ["tone+bell"], True)
    assert found["seconds"] == {"hiss": 24.0, "tone": 22.0, "tone+bell": 2.0}
    file = client.app.state.studio.settings.store / "corrections" / FILE_NAME  # type: ignore[attr-defined]
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["label"], float(row["start"]), float(row["end"])) for row in rows[2:4]] == [
        ("hiss", 0, 8),
        ("tone", 8, 16),
    ]
    assert len({row["group"] for row in rows}) == N_RECORDINGS
    assert all((file.parent / row["path"]).is_file() for row in rows)
    pytest.importorskip("torch")
    from earmark.train.fitting.examples import check_classes, read_examples

    examples = read_examples(file)
    check_classes(examples)
    assert examples.classes == ("hiss", "tone")


def test_the_set_follows_links_and_removals(tmp_path: Path, tiny_model_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "archive").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    for i in range(2):
        mixed(tmp_path / "archive" / f"{i}.wav", i)
    settings = settings_of(tmp_path / "link", tiny_model_path, folder=tmp_path / "archive")
    with running(settings) as client:
        file = tmp_path / "link" / "corrections" / FILE_NAME

        def rows() -> list[dict[str, str]]:
            with file.open(newline="") as lines:
                return list(csv.DictReader(lines))

        for i in range(2):
            made = client.post("/api/recordings", json={"path": f"{i}.wav"}).json()["id"]
            settled(client, made)
            segments = [{"start": 0, "end": 8, "label": "hiss"}, {"start": 8, "end": 16, "label": "tone"}]
            place = f"/api/recordings/{made}/timelines/edited"
            assert client.put(place, json={"segments": segments}).status_code == 200
        assert client.get("/api/corrections").json()["recordings"] == 2
        assert len(rows()) == 4
        assert all((file.parent / row["path"]).is_file() for row in rows())
        client.delete(f"/api/recordings/{made}")
        wait_for(lambda: not rows())  # one recording alone teaches nothing


def test_the_file_is_written_without_being_asked_for(client: TestClient) -> None:
    studio = client.app.state.studio  # type: ignore[attr-defined]
    studio.corrections.file.unlink(missing_ok=True)
    studio.corrections.changed()
    wait_for(studio.corrections.file.exists)


def test_without_the_extra_the_command_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "can_train", lambda: False)
    studio = client.app.state.studio  # type: ignore[attr-defined]
    heads = "--fusion late --head svm --head lda"
    for settings, place in (
        (studio.settings, studio.corrections.file),
        (replace(studio.settings, token="long enough a token"), "STORE/corrections/labels.csv"),
        (replace(studio.settings, names=("marks.example.org",)), "STORE/corrections/labels.csv"),
    ):
        monkeypatch.setattr(studio, "settings", settings)
        answer = client.post("/api/corrections/fit", json={"name": "mine"})
        assert answer.status_code == 409
        assert "pip install 'earmark[train]'" in answer.json()["error"]
        assert answer.json()["command"] == f"earmark fit {place} -o mine.onnx {heads}"
        assert ("STORE is" in answer.json()["error"]) == ("STORE" in str(place))


def test_models_without_a_name_are_numbered(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "can_train", lambda: True)
    studio = client.app.state.studio  # type: ignore[attr-defined]
    monkeypatch.setattr(studio.jobs, "_claim", lambda kinds: None)  # nobody begins
    for number in ("", "-2", "-3"):
        job = client.post("/api/corrections/fit", json={}).json()
        assert job["model"] == f"corrected{number}"
        assert client.post("/api/corrections/fit").json()["id"] == job["id"]  # the one that waits
        assert client.get("/api/corrections").json()["job"]["id"] == job["id"]
        assert client.delete(f"/api/jobs/{job['id']}").json()["state"] == "cancelled"
        studio.models.path(job["model"]).touch()
    taken = client.post("/api/corrections/fit", json={"name": "corrected-2"})
    assert (taken.status_code, "choose another name" in taken.json()["error"]) == (409, True)
    for made in studio.models.folder.iterdir():
        made.unlink()


@pytest.mark.parametrize(
    ("limits", "words"), [(Limits(0.05), "limit of time"), (Limits(60, 1), "limit of memory")]
)
def test_learning_has_limits(tmp_path: Path, limits: Limits, words: str) -> None:
    order = Order(Fit("x", tmp_path / "labels.csv", tmp_path / "x.onnx"))
    waiting = iter([order])
    fitter = Fitter(limits, 1, lambda seconds: next(waiting, None), lambda task, stage: None)
    outcome = order.result.result(60)
    fitter.close()
    assert words in (outcome.error or "")


def test_a_fault_of_learning_costs_one_model(tmp_path: Path) -> None:
    orders = [Order(Fit(name, tmp_path / "labels.csv", tmp_path / "x.onnx")) for name in "ab"]
    waiting = iter(orders)

    def say(task: Fit, stage: str) -> None:
        raise EarmarkError(f"{task.job} cannot be told")

    class Talkative(Fitter):
        def _run(self, order: Order, task: Fit) -> Outcome:
            self._say(task, "x")
            return Outcome()

    fitter = Talkative(Limits(), 1, lambda seconds: next(waiting, None), say)
    assert [order.result.result(60).error for order in orders] == ["a cannot be told", "b cannot be told"]
    fitter.close()


def test_a_model_of_corrections_marks_like_any_other(client: TestClient) -> None:
    for needed in ("torch", "sklearn", "onnxscript"):
        pytest.importorskip(needed)
    job = client.post("/api/corrections/fit", json={"name": "mine"}).json()
    assert client.post("/api/corrections/fit", json={"name": "tiny"}).status_code == 409

    def ended() -> object:
        found = client.get(f"/api/jobs/{job['id']}").json()
        return found if found["state"] in ("done", "failed") else None

    found = wait_for(ended, 120)
    assert found["error"] is None
    assert found["result"]["classes"] == ["hiss", "tone"]
    assert 0 <= found["result"]["accuracy"]["low"] <= found["result"]["accuracy"]["value"] <= 1
    models = {each["name"]: each for each in client.get("/api/status").json()["models"]}
    assert (models["mine"]["kind"], models["mine"]["labels"]) == ("course", ["hiss", "tone"])
    recording = client.get("/api/recordings").json()[0]["id"]
    client.post(f"/api/recordings/{recording}/jobs", json={"model": "mine"})
    assert settled(client, recording)["state"] == "done"
    segments = client.get(f"/api/recordings/{recording}/timelines/mine").json()["segments"]
    assert [s["label"] for s in segments] == ["hiss", "tone"]
    assert segments[0]["end"] == pytest.approx(8, abs=1.5)
    facts = client.get(f"/api/recordings/{recording}/decode", params={"model": "mine"}).json()
    assert facts["kind"] == "course"
    again = client.post(
        f"/api/recordings/{recording}/decode",
        json={"model": "mine", "options": {"tone": {"threshold": 0.99}}},
    )
    assert again.status_code == 200
