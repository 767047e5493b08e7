"""Jobs of the server: they outlive it, can be cancelled, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serverhelp import client_of, running, settings_of, settled, show, silent, upload, wait_for

from earmark.errors import ConfigError, EarmarkError
from earmark.pool import Limits
from earmark.server import crew
from earmark.server.crew import Cancelled, Crew, Order
from earmark.server.database import Database
from earmark.server.events import Hub
from earmark.server.jobs import ADAPT, DETECT, PICTURE, Jobs
from earmark.server.problems import Refusal
from earmark.server.studio import Studio
from earmark.server.tasks import Outcome, Prepare, Redecode, Task


class Desk:
    """Jobs of made-up tasks, and what came of them."""

    def __init__(self, folder: Path, most: int = 10) -> None:
        self.settled: list[tuple[str, object]] = []
        self.turned: list[str] = []
        self.jobs = Jobs(Database(folder), Hub(), most, self.task, self.settle, self.turned.append, str.upper)

    def task(self, row: object) -> Task:
        return Redecode(Path("x"), {})

    def settle(self, row: object, value: object) -> None:
        self.settled.append((row["id"], value))  # type: ignore[index]


def test_what_is_seen_first_is_done_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    kinds = (DETECT, PICTURE, ADAPT, DETECT, PICTURE)
    ids = [desk.jobs.add(kind, "r", str(i))["id"] for i, kind in enumerate(kinds)]
    orders = []
    while desk.jobs.take((DETECT, PICTURE), 0) is not None:
        orders = [job["id"] for job in desk.jobs.of("r") if job["state"] == "running"]
    assert sorted(orders) == sorted(each for each in ids if each != ids[2])
    other = Desk(tmp_path)
    kinds = []
    for _ in range(4):
        order = other.jobs.take((DETECT, PICTURE), 0)
        assert order is not None
        running = [job for job in other.jobs.of("r") if job["state"] == "running"]
        kinds.append(running[0]["kind"])
        order.result.set_result(Outcome(None))
    assert kinds == [PICTURE, PICTURE, DETECT, DETECT]


def test_how_long_a_recording_is_shows_as_soon_as_it_is_drawn(tmp_path: Path, tiny_model_path: Path) -> None:
    with running(settings_of(tmp_path, tiny_model_path)) as client:
        studio = client.app.state.studio  # type: ignore[attr-defined]
        studio.jobs.close()  # nobody takes one
        recording = studio.recordings.add("a.wav", "upload", "", "tiny", 5)
        job = studio.jobs.add(PICTURE, recording, None)["id"]
        assert studio.view(recording)["duration"] is None
        told: list[tuple[str, object]] = []
        studio.hub.publish = lambda event, data: told.append((event, data.get("duration")))
        for seconds in (20.0, 40.0):
            studio.jobs.note(job, seconds, 90.5)
        assert studio.view(recording)["duration"] == 90.5
        assert told == [("job", None), ("recording", 90.5)]


def test_pictures_do_not_keep_markings_waiting_for_ever(tmp_path: Path) -> None:
    desk = Desk(tmp_path, most=100)
    marking = desk.jobs.add(DETECT, "r", None)["id"]
    for i in range(30):
        desk.jobs.add(PICTURE, str(i), None)
    n_before = 0
    while desk.jobs.get(marking)["state"] == "queued":
        order = desk.jobs.take((PICTURE, DETECT), 0)
        assert order is not None
        order.result.set_result(Outcome(None))
        n_before += 1
    assert 3 < n_before < 20


def test_a_server_that_is_ended_properly_costs_no_attempt(tmp_path: Path) -> None:
    job = Desk(tmp_path).jobs.add(DETECT, "r", None)["id"]
    for _ in range(6):
        desk = Desk(tmp_path)
        order = desk.jobs.take((DETECT,), 0)
        assert order is not None
        desk.jobs.close()
        order.result.set_exception(Cancelled())
        assert desk.jobs.get(job)["state"] == "queued"


def test_a_job_can_be_cancelled_as_soon_as_it_runs(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    job = desk.jobs.add(DETECT, "r", None)["id"]
    ordinary = desk.task

    def task(row: object) -> Task:
        assert desk.jobs.cancel(job)["state"] == "running"
        return ordinary(row)

    desk.jobs._task_of = task
    order = desk.jobs.take((DETECT,), 0)
    assert order is not None
    assert order.cancelled.is_set()
    order.result.set_exception(Cancelled())
    assert desk.jobs.get(job)["state"] == "cancelled"


def test_a_job_whose_end_cannot_be_written_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    job = desk.jobs.add(DETECT, "r", None)["id"]
    run = Database.run

    def full(self: Database, query: str, values: Sequence[Any] = ()) -> int:
        raise EarmarkError("the disk is full")

    for state in ("running", "done"):
        order = desk.jobs.take((DETECT,), 0)
        assert order is not None
        monkeypatch.setattr(Database, "run", full if state == "running" else run)
        order.result.set_result(Outcome(3))
        monkeypatch.setattr(Database, "run", run)
        assert desk.jobs.get(job)["state"] == state


def test_faults_cost_one_order_and_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_PAUSE_S", 0.01)
    orders = [Order(Redecode(tmp_path, {})) for _ in range(2)]
    answers: list[Any] = [EarmarkError("the disk is full"), orders[0], orders[1], None]

    def take(seconds: float | None) -> Order | None:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def begin(*arguments: object) -> Iterator[object]:
        raise OSError(24, "Too many open files")
        yield

    monkeypatch.setattr(crew, "run_pool", begin)
    workers = Crew(1, Limits(), take)
    for order in orders:
        with pytest.raises(EarmarkError, match="Too many open files"):
            order.result.result(10)
    workers.close()


def test_what_was_running_is_begun_again_but_not_for_ever(tmp_path: Path) -> None:
    job = Desk(tmp_path).jobs.add(DETECT, "r", None)["id"]
    for _ in range(3):
        desk = Desk(tmp_path)
        assert desk.jobs.get(job)["state"] == "queued"
        assert desk.jobs.take((DETECT,), 0) is not None
    found = Desk(tmp_path).jobs.get(job)
    assert found["state"] == "failed"
    assert "3 times" in found["error"]


def test_a_job_ends_as_its_task_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    ids = [desk.jobs.add(DETECT, "r", str(i))["id"] for i in range(3)]
    for outcome in (Outcome(7), Outcome(error="no sound")):
        order = desk.jobs.take((DETECT,), 0)
        assert order is not None
        order.progress(3.0, 4.0)
        order.result.set_result(outcome)
    order = desk.jobs.take((DETECT,), 0)
    assert order is not None
    assert desk.jobs.get(ids[2])["progress"] == 0.0
    order.progress(1.0, 4.0)
    assert desk.jobs.get(ids[2])["progress"] == 0.25
    desk.jobs.cancel(ids[2])
    assert order.cancelled.is_set()
    order.result.set_exception(Cancelled())
    found = [desk.jobs.get(each) for each in ids]
    assert [job["state"] for job in found] == ["done", "failed", "cancelled"]
    assert [job["error"] for job in found] == [None, "NO SOUND", None]
    assert desk.settled == [(ids[0], 7)]
    assert desk.turned == ["r"] * 9  # begun, at work, ended
    with pytest.raises(Refusal, match="is cancelled"):
        desk.jobs.cancel(ids[2])


def test_jobs_that_wait_are_limited(tmp_path: Path) -> None:
    desk = Desk(tmp_path, most=2)
    first = desk.jobs.add(DETECT, "r", "a")["id"]
    desk.jobs.add(DETECT, "r", "b")
    with pytest.raises(Refusal, match="try again later"):
        desk.jobs.add(DETECT, "r", "c")
    assert desk.jobs.cancel(first)["state"] == "cancelled"
    desk.jobs.add(DETECT, "r", "c")


def test_the_same_job_does_not_wait_twice(tmp_path: Path) -> None:
    jobs = Desk(tmp_path).jobs
    first = jobs.add(DETECT, "r", "a")
    assert jobs.add(DETECT, "r", "a") == first
    others = [
        jobs.add(*each)["id"] for each in ((DETECT, "r", "b"), (DETECT, "s", "a"), (PICTURE, "r", None))
    ]
    assert len({first["id"], *others}) == 4
    order = jobs.take((DETECT,), 0)
    assert order is not None
    assert jobs.add(DETECT, "r", "a")["state"] == "running"
    order.result.set_result(Outcome(None))
    assert jobs.add(DETECT, "r", "a")["id"] != first["id"]


def test_what_is_no_job_is_done_when_there_is_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.jobs.add(DETECT, "r", None)
    loose: list[Task] = [Prepare("a"), Prepare("b")]
    desk.jobs.loose(DETECT, list(loose))
    assert desk.jobs.take((ADAPT,), 0) is None
    orders = [desk.jobs.take((DETECT,), 0) for _ in range(4)]
    assert orders[3] is None
    assert [order.task for order in orders[:3] if order is not None] == [
        Redecode(Path("x"), {}),
        *loose[::-1],
    ]


def test_whoever_waits_for_a_job_gets_it_at_once_or_is_sent_home(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(desk.jobs.take, (DETECT,), None)
        desk.jobs.add(DETECT, "r", None)
        assert waiting.result(10) is not None
        others = [pool.submit(desk.jobs.take, (DETECT,), None) for _ in range(3)]
        desk.jobs.close()
        assert [each.result(10) for each in others] == [None] * 3


def test_a_server_goes_on_where_another_ended(tmp_path: Path, tiny_model_path: Path) -> None:
    settings = settings_of(tmp_path / "store", tiny_model_path)
    with running(settings) as client:
        first = upload(client, show(tmp_path / "a.wav"))["id"]
        settled(client, first)
        begun = client.post("/api/uploads", json={"name": "b", "size": 4}).json()["upload"]
        client.put(f"/api/uploads/{begun}", params={"offset": 0}, content=b"ab")
        second = upload(client, silent(tmp_path / "b.flac", 1200))["id"]
        wait_for(lambda: any(job["state"] == "running" for job in studio_jobs(client, second)))
        detected = client.get(f"/api/recordings/{first}/timelines/detected").json()
    (settings.store / "recordings" / "0123456789ab").mkdir()  # as a kill may leave it
    with running(settings) as client:
        assert client.get(f"/api/recordings/{first}/timelines/detected").json() == detected
        assert client.get(f"/api/uploads/{begun}").json()["received"] == 2
        found = settled(client, second)
        assert (found["state"], found["duration"]) == ("done", 1200.0)
        assert {job["state"] for job in found["jobs"]} == {"done"}
        assert not (settings.store / "recordings" / "0123456789ab").exists()


def studio_jobs(client: object, recording: str) -> list[dict[str, object]]:
    return client.get(f"/api/recordings/{recording}").json()["jobs"]  # type: ignore[attr-defined]


def test_a_job_at_work_is_cancelled_and_the_next_is_done(tmp_path: Path, tiny_model_path: Path) -> None:
    with running(settings_of(tmp_path / "store", tiny_model_path)) as client:
        long = upload(client, silent(tmp_path / "long.flac", 4 * 3600))["id"]
        job = wait_for(lambda: [j for j in studio_jobs(client, long) if j["state"] == "running"])[0]
        assert client.delete(f"/api/jobs/{job['id']}").status_code == 200
        wait_for(lambda: client.get(f"/api/jobs/{job['id']}").json()["state"] == "cancelled")
        assert client.delete(f"/api/recordings/{long}").status_code == 204
        short = settled(client, upload(client, show(tmp_path / "a.wav"))["id"])
        assert short["state"] == "done"
        assert client.get(f"/api/jobs/{job['id']}").status_code == 404


def test_a_store_has_one_server(tmp_path: Path, tiny_model_path: Path) -> None:
    settings = settings_of(tmp_path / "store", tiny_model_path)
    with running(settings), pytest.raises(ConfigError, match="another run is at work"):
        Studio(settings)


def test_no_job_of_many_clients_is_lost(tmp_path: Path, tiny_model_path: Path) -> None:
    data = silent(tmp_path / "a.flac", 1).read_bytes()
    n_clients, n_each = 10, 3
    with running(settings_of(tmp_path / "store", tiny_model_path)) as client:
        studio = client.app.state.studio  # type: ignore[attr-defined]
        barrier = threading.Barrier(n_clients)

        def work(number: int) -> list[str]:
            own = client_of(studio)
            barrier.wait()
            answers = [
                own.post("/api/recordings", params={"name": f"{number}-{i}.flac"}, content=data)
                for i in range(n_each)
            ]
            return [answer.json()["id"] for answer in answers]

        with ThreadPoolExecutor(n_clients) as pool:
            ids = [each for found in pool.map(work, range(n_clients)) for each in found]
        assert len(set(ids)) == n_clients * n_each
        found = [settled(client, each) for each in ids]
        assert {each["state"] for each in found} == {"done"}
        assert {tuple(sorted(each["timelines"].items())) for each in found} == {(("detected", 1),)}
        assert len(client.get("/api/recordings").json()) == len(ids)
