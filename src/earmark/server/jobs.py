"""Jobs: kept in the database, so that they outlive the server, and done by worker processes.

What was running when the server died is begun again, up to three times: a job may be what ended it.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from earmark.errors import EarmarkError
from earmark.server.crew import Cancelled, Order
from earmark.server.database import Database
from earmark.server.events import Hub
from earmark.server.problems import Refusal, missing
from earmark.server.tasks import Adapt, Outcome, Task

FETCH, PICTURE, DETECT, ADAPT = "fetch", "picture", "detect", "adapt"
ACTIVE = ("queued", "running")
# What is seen first comes first: a picture goes before so many older jobs, and no further, lest those starve.
_AHEAD = 10
_RANK = f"number - CASE kind WHEN '{PICTURE}' THEN {_AHEAD} ELSE 0 END"
_MOST_ATTEMPTS = 3
_GIVEN_UP = f"it was begun {_MOST_ATTEMPTS} times, and the server died each time, or could not write"
_TELL_S = 0.2
# What could not be written is tried again so often.
_RETRY_S = 1.0
_log = logging.getLogger("earmark.server")


class Jobs:
    """The queue.

    Parameters
    ----------
    database : Database
    hub : Hub
        Told of each change.
    most : int
        Jobs that may wait or run.
    task_of : callable
        Returns the task of a job's row; what it raises makes the job fail.
    settle : callable
        Called with a job's row and what its task returned; it may return what the job's `result` is to say.
    turned : callable
        Called with a recording's id when one of its jobs begins, says how long it will take, or ends.
    fault : callable
        Turns an error into the line that clients see.
    """

    def __init__(
        self,
        database: Database,
        hub: Hub,
        most: int,
        task_of: Callable[[Any], Task | Adapt],
        settle: Callable[[Any, Any], dict[str, Any] | None],
        turned: Callable[[str], None],
        fault: Callable[[str], str],
    ) -> None:
        self._database, self._hub, self._most = database, hub, most
        self._task_of, self._settle, self._turned, self._fault = task_of, settle, turned, fault
        self._changed = threading.Condition()
        self._closed, self._n_added = False, 0
        self._loose: dict[str, list[Task]] = {}
        self._progress: dict[str, tuple[float, float | None, float]] = {}
        self._stages: dict[str, str] = {}
        self._cancels: dict[str, threading.Event] = {}
        # Ended, but the database could not be told.
        self._adrift: set[str] = set()
        self._recover()

    def add(
        self, kind: str, recording: str | None, model: str | None, *, awaited: bool = False
    ) -> dict[str, Any]:
        """Add a job, or find the same one that has not ended yet; return it.

        Raises `Refusal` if too many wait, unless there was room for it when what it follows was let in.
        """
        made = secrets.token_hex(6)
        with self._database.transaction():
            same = self._database.row(
                "SELECT * FROM jobs WHERE state IN ('queued', 'running') "
                "AND kind = ? AND recording IS ? AND model IS ?",
                (kind, recording, model),
            )
            if same is not None:
                return self.view(same)
            if not awaited:
                self.check_room(1)
            self._database.run(
                "INSERT INTO jobs (id, kind, recording, model, created) VALUES (?, ?, ?, ?, ?)",
                (made, kind, recording, model, time.time()),
            )
        with self._changed:
            self._n_added += 1
            self._changed.notify_all()
        return self._tell(made, turned=False)

    def loose(self, kind: str, tasks: list[Task]) -> None:
        """Have tasks done that are no jobs, by whoever takes jobs of a kind and finds none."""
        with self._changed:
            self._loose[kind] = tasks
            self._n_added += 1
            self._changed.notify_all()

    def check_room(self, n_more: int) -> None:
        """Raise `Refusal` if too many jobs would wait; where none does, there is always room."""
        (count,) = self._database.rows("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')")[0]
        if count and count + n_more > self._most:
            raise Refusal(429, f"{count} jobs wait, as many as may; try again later")

    def get(self, job: str) -> dict[str, Any]:
        """Return a job; raises `Refusal` if there is none."""
        row = self._database.row("SELECT * FROM jobs WHERE id = ?", (job,))
        if row is None:
            raise missing("job", job)
        return self.view(row)

    def of(self, recording: str) -> list[dict[str, Any]]:
        """Return the jobs of a recording, the oldest first."""
        rows = self._database.rows("SELECT * FROM jobs WHERE recording = ? ORDER BY number", (recording,))
        return [self.view(row) for row in rows]

    def newest(self, kind: str) -> dict[str, Any] | None:
        """Return the newest job of a kind, if there is one."""
        row = self._database.row("SELECT * FROM jobs WHERE kind = ? ORDER BY number DESC", (kind,))
        return None if row is None else self.view(row)

    def by_recording(self) -> dict[str, list[dict[str, Any]]]:
        """Return the jobs of all recordings."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._database.rows("SELECT * FROM jobs WHERE recording IS NOT NULL ORDER BY number"):
            found.setdefault(row["recording"], []).append(self.view(row))
        return found

    def view(self, row: Any) -> dict[str, Any]:
        """Return what clients see of a job."""
        seconds, total, _ = self._progress.get(row["id"], (0.0, None, 0.0))
        done = row["state"] == "done"
        return {
            "id": row["id"],
            "kind": row["kind"],
            "recording": row["recording"],
            "model": row["model"],
            "state": row["state"],
            "progress": 1.0 if done else min(0.99, seconds / total) if total else 0.0,
            "seconds": seconds,
            "total": total,
            "stage": self._stages.get(row["id"]),
            "error": row["error"],
            "result": json.loads(row["result"]) if row["result"] else None,
            "created": row["created"],
        }

    def cancel(self, job: str) -> dict[str, Any]:
        """Cancel a job that waits or runs; return it.  Raises `Refusal` if it has ended."""
        with self._database.transaction():
            found = self.get(job)
            waited = self._end(job, "cancelled", only="queued")
            event = self._cancels.get(job)
        if waited:
            return self._tell(job)
        if event is None or found["state"] != "running":
            raise Refusal(409, f"job '{job}' is {found['state']}; only one that waits or runs can be ended")
        event.set()
        return found

    def cancel_all(self, recording: str) -> None:
        """Cancel what waits or runs for a recording, and forget its jobs."""
        with self._database.transaction():
            for job in self.of(recording):
                if job["id"] in self._cancels:
                    self._cancels[job["id"]].set()
            self._database.run("DELETE FROM jobs WHERE recording = ?", (recording,))

    def take(self, kinds: Sequence[str], seconds: float | None) -> Order | None:
        """Return the next job of some kinds as an order, waiting so long for one; None if there is none."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            with self._changed:
                if self._closed:
                    return None
                seen = self._n_added
            row = self._claim(kinds)  # not under the lock: whoever adds a job may hold the database
            if row is None:
                with self._changed:
                    tasks = next((self._loose[kind] for kind in kinds if self._loose.get(kind)), None)
                    if tasks is not None:
                        return Order(tasks.pop())
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return None
                if self._adrift:
                    left = min(_RETRY_S, left or _RETRY_S)
                with self._changed:
                    if self._n_added == seen and not self._closed:
                        self._changed.wait(left)
                continue
            try:
                self._tell(row["id"])
                task, cancelled = self._task_of(row), self._cancels[row["id"]]
                order = Order(task, partial(self.note, row["id"]), cancelled=cancelled)
            except Exception as err:
                self._give_up(row["id"], err)
                continue
            order.result.add_done_callback(partial(self._ended, row))
            return order

    def note(self, job: str, seconds: float, total: float | None) -> None:
        """Note how far a job is; it is told a few times a second."""
        now = time.monotonic()
        told = self._progress.get(job, (0.0, None, 0.0))[2]
        if now - told >= _TELL_S:
            begins = job not in self._progress
            self._progress[job] = (seconds, total, now)
            self._tell(job, turned=begins)
        else:
            self._progress[job] = (seconds, total, told)

    def say(self, job: str, stage: str) -> None:
        """Note what is being done for a job."""
        self._stages[job] = stage
        self._tell(job, turned=False)

    def fail(self, job: str, why: str) -> None:
        """Let a job fail."""
        if self._end(job, "failed", self._fault(why)):
            self._tell(job)

    def finish(self, row: Any, value: Any) -> None:
        """Settle a job that is done; it is done together with what came of it."""
        with self._database.transaction():
            if self._database.row("SELECT 1 FROM jobs WHERE id = ?", (row["id"],)) is None:
                return  # removed meanwhile
            result = self._settle(row, value)
            self._end(row["id"], "done", result=None if result is None else json.dumps(result))
        self._tell(row["id"])

    def close(self) -> None:
        """Give out no more jobs; what runs is begun again by the next server."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _recover(self, only: Collection[str] | None = None) -> None:
        """Have jobs begun again that nobody is at work on any more, but not for ever."""
        which, ids = "state = 'running'", list(only or ())
        if only is not None:
            which += f" AND id IN ({', '.join('?' * len(ids))})"
        with self._database.transaction():
            self._database.run(
                f"UPDATE jobs SET state = 'failed', ended = ?, error = ? WHERE {which} AND attempts >= ?",
                (time.time(), _GIVEN_UP, *ids, _MOST_ATTEMPTS),
            )
            self._database.run(f"UPDATE jobs SET state = 'queued' WHERE {which}", ids)

    def _claim(self, kinds: Sequence[str]) -> Any:
        marks = ", ".join("?" * len(kinds))
        with self._database.transaction():
            if self._adrift:
                adrift = set(self._adrift)
                self._recover(adrift)
                self._adrift -= adrift
            row = self._database.row(
                f"SELECT * FROM jobs WHERE state = 'queued' AND kind IN ({marks}) ORDER BY {_RANK}, number",
                kinds,
            )
            if row is not None:
                self._database.run(
                    "UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = ?", (row["id"],)
                )
                self._cancels[row["id"]] = threading.Event()
        return row

    def _ended(self, row: Any, future: Future[Outcome]) -> None:
        job = row["id"]
        try:
            if isinstance(future.exception(), Cancelled):
                self._leave(job)
            elif (outcome := future.result()).error is not None:
                self.fail(job, outcome.error)
            else:
                self.finish(row, outcome.value)
        except Exception as err:  # the next job must not suffer from it
            self._give_up(job, err)
        else:
            self._forget(job)

    def _leave(self, job: str) -> None:
        """Note that a job was cancelled, or that the server ends, which is no fault of the job's."""
        if not self._closed or self._cancels[job].is_set():
            if self._end(job, "cancelled"):
                self._tell(job)
        else:
            self._database.run(
                "UPDATE jobs SET state = 'queued', attempts = attempts - 1 "
                "WHERE id = ? AND state = 'running'",
                (job,),
            )

    def _give_up(self, job: str, err: Exception) -> None:
        """Let a job fail; if not even that can be written, it is begun again when something can."""
        if not isinstance(err, EarmarkError):
            _log.error("job %s failed", job, exc_info=err)
        try:
            self.fail(job, str(err))
        except EarmarkError:
            self._forget(job)
            self._adrift.add(job)
        else:
            self._forget(job)

    def _forget(self, job: str) -> None:
        for known in (self._cancels, self._progress, self._stages):
            known.pop(job, None)

    def _end(
        self,
        job: str,
        state: str,
        error: str | None = None,
        result: str | None = None,
        only: str | None = None,
    ) -> bool:
        """Note a job's end; tell whether it was still to end."""
        which = "state IN ('queued', 'running')" if only is None else f"state = '{only}'"
        return bool(
            self._database.run(
                f"UPDATE jobs SET state = ?, error = ?, result = ?, ended = ? WHERE id = ? AND {which}",
                (state, error, result, time.time(), job),
            )
        )

    def _tell(self, job: str, turned: bool = True) -> dict[str, Any]:
        row = self._database.row("SELECT * FROM jobs WHERE id = ?", (job,))
        if row is None:
            return {}
        seen = self.view(row)
        self._hub.publish("job", seen)
        if turned and row["recording"] is not None:
            self._turned(row["recording"])
        return seen
