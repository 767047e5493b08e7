"""Corrections: files that `earmark adapt` and `earmark fit` read, and models adapted to them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serverhelp import running, settings_of, settled, upload, wait_for
from starlette.testclient import TestClient

from earmark.audio_writer import write_audio
from earmark.errors import EarmarkError
from earmark.formats import read
from earmark.modelfile import DEFAULT_MODEL, embedded_models
from earmark.pool import Limits
from earmark.server.adapting import Learner
from earmark.server.corrections import LABELS, TIMELINES
from earmark.server.crew import Order
from earmark.server.routes import corrections
from earmark.server.tasks import Adapt, Outcome

N_RECORDINGS = 3


def mixed(path: Path, seed: int) -> Path:
    """Write 8 s of noise, then 8 s of tones."""
    rng = np.random.default_rng(seed)
    t = np.arange(8 * 16_000) / 16_000
    noise = 0.1 * rng.standard_normal(len(t))
    tones = 0.2 * sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(300, 2000, 3))
    write_audio(path, np.concatenate([noise, tones]), 16_000)
    return path


def correct(client: TestClient, path: Path, *more: dict[str, object]) -> str:
    """Upload a recording, and have its timeline `edited` say what is what; return its id."""
    made = str(upload(client, path)["id"])
    settled(client, made)
    found = client.get(f"/api/recordings/{made}/timelines/detected").json()["segments"]
    own = [{"start": 0, "end": 8, "label": "hiss"}, {"start": 8, "end": 16, "label": "tone"}]
    edit = {"remove": found, "add": [*own, *more]}
    answer = client.post(f"/api/recordings/{made}/timelines/detected/edits", json=edit)
    assert answer.status_code == 200, answer.text
    return made


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def folder_of(client: TestClient) -> Path:
    return client.app.state.studio.settings.store / "corrections"  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path) -> Iterator[TestClient]:
    """Return a client of a server with recordings that are corrected."""
    folder = tmp_path_factory.mktemp("audio")
    settings = settings_of(tmp_path_factory.mktemp("server") / "store", tiny_model_path)
    with running(settings) as client:
        for i in range(N_RECORDINGS):
            bell = [{"start": 14, "end": 16, "label": "bell"}] if i == 0 else []
            correct(client, mixed(folder / f"{i}.wav", i), *bell)
        yield client


def test_it_is_told_how_long_each_label_is_marked(client: TestClient) -> None:
    found = client.get("/api/corrections").json()
    assert found == {
        "recordings": 3,
        "seconds": {"speech": 0.0, "music": 0.0, "noise": 0.0, "hiss": 24.0, "tone": 24.0, "bell": 2.0},
        "job": None,
    }


def test_the_timelines_are_what_adapt_reads(client: TestClient) -> None:
    client.get("/api/corrections")
    folder = folder_of(client)
    rows = rows_of(folder / TIMELINES)
    assert len({row["group"] for row in rows}) == N_RECORDINGS
    assert all((folder / row["path"]).is_file() for row in rows)
    timelines = [read(folder / row["timeline"]) for row in rows]
    assert [timeline.durations()["bell"] for timeline in timelines if "bell" in timeline.labels] == [2.0]
    assert {timeline.duration for timeline in timelines} == {16.0}
    assert {timeline.source for timeline in timelines} == {"0.wav", "1.wav", "2.wav"}
    pytest.importorskip("onnx")
    from earmark.train.adapting import read_marked

    marked, problems = read_marked(folder / TIMELINES)
    assert ([each.group for each in marked], problems) == ([row["group"] for row in rows], [])
    assert [each.timeline.segments for each in marked] == [timeline.segments for timeline in timelines]


def test_the_regions_are_what_fit_reads(client: TestClient) -> None:
    client.get("/api/corrections")
    file = folder_of(client) / LABELS
    rows = rows_of(file)
    assert [(row["label"], float(row["start"]), float(row["end"])) for row in rows[2:4]] == [
        ("hiss", 0, 8),
        ("tone", 8, 16),
    ]
    assert {row["label"] for row in rows} == {"hiss", "tone"}  # "tone+bell" is in one recording alone
    assert len({row["group"] for row in rows}) == N_RECORDINGS
    assert all((file.parent / row["path"]).is_file() for row in rows)
    pytest.importorskip("torch")
    from earmark.train.fitting.examples import check_classes, read_examples

    examples = read_examples(file)
    check_classes(examples)
    assert examples.classes == ("hiss", "tone")


def test_the_files_follow_edits_links_and_removals(tmp_path: Path, tiny_model_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "archive").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    for i in range(2):
        mixed(tmp_path / "archive" / f"{i}.wav", i)
    settings = settings_of(tmp_path / "link", tiny_model_path, folder=tmp_path / "archive")
    with running(settings) as client:
        folder = tmp_path / "link" / "corrections"
        for i in range(2):
            made = client.post("/api/recordings", json={"path": f"{i}.wav"}).json()["id"]
            settled(client, made)
            segments = [{"start": 0, "end": 8, "label": "hiss"}, {"start": 8, "end": 16, "label": "tone"}]
            place = f"/api/recordings/{made}/timelines/edited"
            assert client.put(place, json={"segments": segments}).status_code == 200
        assert client.get("/api/corrections").json()["recordings"] == 2
        assert [row["label"] for row in rows_of(folder / LABELS)] == ["hiss", "tone"] * 2
        assert [(folder / row["path"]).name for row in rows_of(folder / TIMELINES)] == ["0.wav", "1.wav"]
        assert all((folder / row["path"]).is_file() for row in rows_of(folder / TIMELINES))

        edit = {"remove": [{"start": 8, "end": 16, "label": "tone"}], "add": []}
        assert client.post(f"{place}/edits", json=edit).status_code == 200
        assert client.get("/api/corrections").json()["seconds"] == {"hiss": 16.0, "tone": 8.0}
        assert read(folder / f"{made}.json").durations() == {"hiss": 8.0, "tone": 0.0}
        client.delete(f"/api/recordings/{made}")
        wait_for(lambda: not (folder / f"{made}.json").exists())
        assert [row["timeline"] for row in rows_of(folder / TIMELINES)] != [f"{made}.json"]
        assert rows_of(folder / LABELS) == []  # one recording alone teaches no class
        (tmp_path / "archive" / "0.wav").unlink()
        assert client.get("/api/corrections").json()["recordings"] == 0
        assert [file.name for file in sorted(folder.iterdir())] == [LABELS, TIMELINES]


def test_the_files_are_written_without_being_asked_for(client: TestClient) -> None:
    file = folder_of(client) / TIMELINES
    file.unlink(missing_ok=True)
    client.app.state.studio.corrections.changed()  # type: ignore[attr-defined]
    wait_for(file.exists)


def test_without_the_extra_the_command_is_told(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path
) -> None:
    monkeypatch.setattr(corrections, "can_adapt", lambda: False)
    studio = client.app.state.studio  # type: ignore[attr-defined]
    for settings, place, model in (
        (studio.settings, folder_of(client) / TIMELINES, tiny_model_path),
        (
            replace(studio.settings, token="long enough a token"),
            "STORE/corrections/timelines.csv",
            "tiny.onnx",
        ),
        (
            replace(studio.settings, names=("marks.example.org",)),
            "STORE/corrections/timelines.csv",
            "tiny.onnx",
        ),
    ):
        monkeypatch.setattr(studio, "settings", settings)
        answer = client.post("/api/corrections/adapt", json={"name": "mine"})
        assert answer.status_code == 409
        assert "pip install 'earmark[train]'" in answer.json()["error"]
        assert answer.json()["command"] == f"earmark adapt {place} -o mine.onnx --model {model}"
        assert ("STORE is" in answer.json()["error"]) == ("STORE" in str(place))


def test_without_corrections_nothing_is_begun(
    tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "can_adapt", lambda: True)
    with running(settings_of(tmp_path / "store", tiny_model_path)) as client:
        answer = client.post("/api/corrections/adapt", json={})
        assert (answer.status_code, "nothing is corrected" in answer.json()["error"]) == (409, True)


def test_models_without_a_name_are_numbered(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "can_adapt", lambda: True)
    studio = client.app.state.studio  # type: ignore[attr-defined]
    monkeypatch.setattr(studio.jobs, "_claim", lambda kinds: None)  # nobody begins
    for number in ("", "-2", "-3"):
        job = client.post("/api/corrections/adapt", json={}).json()
        assert job["model"] == f"corrected{number}"
        assert client.post("/api/corrections/adapt").json()["id"] == job["id"]  # the one that waits
        assert client.get("/api/corrections").json()["job"]["id"] == job["id"]
        assert client.delete(f"/api/jobs/{job['id']}").json()["state"] == "cancelled"
        studio.models.path(job["model"]).touch()
    taken = client.post("/api/corrections/adapt", json={"name": "corrected-2"})
    assert (taken.status_code, "choose another name" in taken.json()["error"]) == (409, True)
    for made in studio.models.folder.iterdir():
        made.unlink()


@pytest.mark.parametrize(
    ("limits", "words"), [(Limits(0.05), "limit of time"), (Limits(60, 1), "limit of memory")]
)
def test_learning_has_limits(tmp_path: Path, limits: Limits, words: str) -> None:
    waiting = iter([order := Order(task_of("x", tmp_path))])
    learner = Learner(limits, 1, lambda seconds: next(waiting, None), lambda task, stage: None)
    outcome = order.result.result(60)
    learner.close()
    assert words in (outcome.error or "")


def test_a_fault_of_learning_costs_one_model(tmp_path: Path) -> None:
    orders = [Order(task_of(name, tmp_path)) for name in "ab"]
    waiting = iter(orders)

    def say(task: Adapt, stage: str) -> None:
        raise EarmarkError(f"{task.job} cannot be told")

    class Talkative(Learner):
        def _run(self, order: Order, task: Adapt) -> Outcome:
            self._say(task, "x")
            return Outcome()

    learner = Talkative(Limits(), 1, lambda seconds: next(waiting, None), say)
    assert [order.result.result(60).error for order in orders] == ["a cannot be told", "b cannot be told"]
    learner.close()


def task_of(job: str, folder: Path) -> Adapt:
    return Adapt(job, "detector", folder / TIMELINES, folder / "x.onnx")


def learned(client: TestClient, name: str) -> dict[str, Any]:
    """Have a model adapted to the corrections; return the job that has ended."""
    job = client.post("/api/corrections/adapt", json={"name": name}).json()

    def ended() -> object:
        found = client.get(f"/api/jobs/{job['id']}").json()
        return found if found["state"] in ("done", "failed") else None

    return dict(wait_for(ended, 120))


def test_a_model_that_cannot_be_adapted_is_told(client: TestClient) -> None:
    pytest.importorskip("onnx")
    job = learned(client, "mine")
    assert (job["state"], "cannot be adapted" in job["error"]) == ("failed", True)
    assert client.post("/api/corrections/adapt", json={"name": "tiny"}).status_code == 409


@pytest.mark.skipif(DEFAULT_MODEL not in embedded_models(), reason=f"no model '{DEFAULT_MODEL}'")
def test_a_model_of_corrections_marks_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    with running(settings_of(tmp_path / "store", Path(DEFAULT_MODEL))) as client:
        first = correct(client, mixed(tmp_path / "0.wav", 0))
        found = learned(client, "first")
        assert found["error"] is None
        assert (found["result"]["made"], found["result"]["before"], found["result"]["after"]) == (
            True,
            {},
            {},
        )
        for i in range(1, N_RECORDINGS):
            correct(client, mixed(tmp_path / f"{i}.wav", i))
        result = learned(client, "mine")["result"]
        assert (result["made"], result["left_out"], result["recordings"]) == (True, 0, 3)
        assert set(result["new_labels"]) == {"hiss", "tone"}
        assert result["after"]["hiss"] > 0.9
        assert "hiss" not in result["before"]

        models = {each["name"]: each for each in client.get("/api/status").json()["models"]}
        assert models["mine"]["kind"] == models[DEFAULT_MODEL]["kind"]
        assert {"speech", "music", "noise", "hiss", "tone"} == set(models["mine"]["labels"])
        client.post(f"/api/recordings/{first}/jobs", json={"model": "mine"})
        assert settled(client, first)["state"] == "done"
        segments = client.get(f"/api/recordings/{first}/timelines/mine").json()["segments"]
        (hiss,) = [segment for segment in segments if segment["label"] == "hiss"]
        assert (hiss["start"], hiss["end"]) == pytest.approx((0, 8), abs=0.5)
