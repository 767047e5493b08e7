"""All that a server keeps and does, behind its addresses: recordings, jobs, timelines, and the workers."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from earmark.errors import EarmarkError
from earmark.files import make_folder
from earmark.lock import locked
from earmark.pool import Limits
from earmark.server.adapting import Learner
from earmark.server.corrections import TIMELINES, Corrections
from earmark.server.crew import Crew, Errands
from earmark.server.database import Database
from earmark.server.events import Hub
from earmark.server.fetch import LONGEST_S
from earmark.server.jobs import ACTIVE, ADAPT, DETECT, FETCH, PICTURE, Jobs
from earmark.server.levels import Levels
from earmark.server.models import NAME as MODEL_NAME
from earmark.server.models import Models
from earmark.server.problems import Refusal
from earmark.server.recordings import FETCHED, UPLOADED, Recordings
from earmark.server.settings import Settings
from earmark.server.tasks import Adapt, Draw, Fetch, Mark, Prepare, Task
from earmark.server.timelines import DETECTED, EDITED, MODEL, Timelines
from earmark.server.uploads import Uploads

_LOCK = "serve.lock"
# What a request waits for, at most, seconds.
_ERRAND_S = 60.0
_N_ERRANDS = 2
_N_FETCHES = 2
_GRACE_S = 60.0
# Of a recording: it is drawn and marked.
_N_JOBS = 2


class Studio:
    """Opens the store, and goes on with what is to be done; close it after use.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    ConfigError
        If another server is at work in the store.
    EarmarkError
        If the store cannot be written.
    """

    def __init__(self, settings: Settings) -> None:
        make_folder(settings.store)
        # The place itself, however it was come by: files are named by the way from one to another.
        self.settings = settings = replace(settings, store=settings.store.resolve())
        self._lock = locked(settings.store, _LOCK)
        self._lock.__enter__()
        self.hub = Hub()
        self.database = Database(settings.store)
        self.recordings = Recordings(self.database, settings)
        self.timelines = Timelines(self.database)
        self.corrections = Corrections(
            self.database, self.recordings, self.timelines, settings.store / "corrections"
        )
        self.uploads = Uploads(self.database, settings)
        self.errands = Errands(_N_ERRANDS, Limits(_ERRAND_S, settings.limits.memory_mb))
        self.models = Models(settings.store, settings.model, self.errands.run)
        self._shares: dict[tuple[str, str], tuple[int, dict[str, float]]] = {}
        self.jobs = Jobs(
            self.database,
            self.hub,
            settings.bounds.waiting,
            self._task_of,
            self._settle,
            self.tell,
            self.public,
        )
        self.uploads.mend(self.recordings.uploaded)
        self.recordings.sweep()
        # What waits for other machines does not keep those busy that compute.
        self._crews = [
            Crew(settings.workers, settings.limits, partial(self.jobs.take, (PICTURE, DETECT))),
            Crew(_N_FETCHES, _limits_of_fetching(settings.limits), partial(self.jobs.take, (FETCH,))),
        ]
        self._learner = Learner(
            settings.limits, settings.workers, partial(self.jobs.take, (ADAPT,)), self._say
        )
        threading.Thread(target=self._warm_up, daemon=True).start()

    def close(self) -> None:
        """End all workers; jobs that they were at are begun again by the next server."""
        self.hub.close()
        self.jobs.close()
        for crew in self._crews:
            crew.close()
        self._learner.close()
        self.errands.close()
        self.corrections.close()
        self.database.close()
        self._lock.__exit__(None, None, None)

    def public(self, text: str) -> str:
        """Return a message without the places of folders, which are nobody's business."""
        for folder in (self.settings.store, self.settings.folder):
            if folder is not None:
                for written in {str(folder), str(folder.absolute()), str(folder.resolve())}:
                    text = text.replace(f"{written}/", "")
        return text

    # -- recordings --------------------------------------------------------------------------------

    def add(self, name: str, kind: str, place: str, model: str | None, size: int | None) -> str:
        """Add a recording whose file is there, or is to be fetched, and its jobs; return its id."""
        chosen = self.models.check(model)
        with self.database.transaction():
            self.jobs.check_room(_N_JOBS)
            made = self.recordings.add(name, kind, place, chosen, size)
            if kind == FETCHED:
                self.jobs.add(FETCH, made, None, awaited=True)
            else:
                self._begin(made, chosen)
        self.tell(made)
        return made

    def receive(self, upload: str, model: str | None) -> str:
        """Make a recording of an upload that is complete, and its jobs; return its id, which is the upload's.

        All or nothing; if it was done before, that is how it stays.
        """
        chosen = self.models.check(model)
        try:
            with self.database.transaction():
                if self.recordings.is_known(upload):
                    return upload
                row = self.uploads.check_done(upload)
                self.jobs.check_room(_N_JOBS)
                self.recordings.add(row["name"], UPLOADED, "", chosen, row["size"], upload)
                self._begin(upload, chosen)
                self.uploads.move(upload, self.recordings.uploaded(upload))
        except EarmarkError:
            self.uploads.mend(self.recordings.uploaded)
            raise
        self.tell(upload)
        return upload

    def prepare(self) -> None:
        """Have workers ready by the time a recording is there."""
        tasks: list[Task] = [Prepare(self.models.opened_by(self.models.default))] * self.settings.workers
        self.jobs.loose(DETECT, list(tasks))

    def remove(self, recording: str) -> None:
        """Remove a recording with all that is kept of it."""
        with self.database.transaction():
            self.recordings.get(recording)
            self.jobs.cancel_all(recording)
            self.timelines.remove(recording)
            self.recordings.remove(recording)
        self.recordings.clear(recording)
        self.corrections.changed()
        for name in (DETECTED, EDITED):
            self._shares.pop((recording, name), None)
        self.hub.publish("removed", {"recording": recording})

    def view(self, recording: str, *, with_jobs: bool = False) -> dict[str, Any]:
        """Return what clients see of a recording, with its jobs if wanted."""
        row, jobs = self.recordings.get(recording), self.jobs.of(recording)
        return {
            **self._view(row, jobs, self.timelines.all_of(recording)),
            **({"jobs": jobs} if with_jobs else {}),
        }

    def views(self, words: str, most: int) -> list[dict[str, Any]]:
        """Return what clients see of the newest recordings whose names hold some words."""
        jobs, timelines = self.jobs.by_recording(), self.timelines.by_recording()
        return [
            self._view(row, jobs.get(row["id"], []), timelines.get(row["id"], []))
            for row in self.recordings.find(words, most)
        ]

    def tell(self, recording: str) -> None:
        """Tell everybody how a recording is now."""
        with suppress(Refusal):
            self.hub.publish("recording", self.view(recording))

    def levels(self, recording: str, name: str) -> Levels:
        """Return the levels of a recording's picture; raises `Refusal` if there are none yet."""
        self.recordings.get(recording)
        try:
            return Levels(self.recordings.home(recording) / name)
        except FileNotFoundError as err:
            raise Refusal(404, "it is not drawn yet; wait for the event 'recording'") from err

    def evidence(self, recording: str, model: str | None) -> Path:
        """Return the folder of a model's posteriors; raises `Refusal` if there are none yet."""
        wanted = model or self.recordings.get(recording)["model"]
        self.recordings.get(recording)
        folder = self.recordings.evidence(recording, wanted)
        if not MODEL_NAME.fullmatch(wanted) or not folder.is_dir():
            raise Refusal(404, f"'{wanted}' has not heard this recording yet")
        return folder

    def remove_timeline(self, recording: str, name: str, client: str | None) -> None:
        """Remove a timeline; with one that a model made, its posteriors."""
        self.recordings.get(recording)
        found = {each["name"]: each for each in self.timelines.all_of(recording)}
        self.timelines.remove(recording, name)
        self._shares.pop((recording, name), None)
        if found[name]["origin"] == MODEL:
            shutil.rmtree(self.recordings.evidence(recording, found[name]["model"]), ignore_errors=True)
        self.told_timeline(recording, name, None, None, client)

    def told_timeline(
        self, recording: str, name: str, version: int | None, edit: Any, client: str | None
    ) -> None:
        """Tell everybody that a timeline has changed; a version of None: it was removed."""
        told = {"recording": recording, "name": name, "version": version, "edit": edit, "by": client}
        self.hub.publish("timeline", told)
        if name == EDITED:
            self.corrections.changed()

    # -- what jobs are, and what comes of them -----------------------------------------------------

    def _task_of(self, row: Any) -> Task | Adapt:
        if row["kind"] == ADAPT:
            model, timelines = self.models.opened_by(self.models.default), self.corrections.folder / TIMELINES
            return Adapt(row["id"], model, timelines, self.models.path(row["model"]))
        recording = self.recordings.get(row["recording"])
        bounds = self.settings.bounds
        home, name = self.recordings.home(recording["id"]), recording["name"]
        if row["kind"] == FETCH:
            return Fetch(
                recording["place"], name, self.recordings.uploaded(recording["id"]), bounds.upload_bytes
            )
        source = str(self.recordings.source(recording))
        if row["kind"] == PICTURE:
            return Draw(source, name, home, bounds.duration_s)
        evidence = self.recordings.evidence(recording["id"], row["model"])
        evidence.parent.mkdir(exist_ok=True)
        return Mark(source, name, self.models.opened_by(row["model"]), evidence, bounds.duration_s)

    def _settle(self, row: Any, value: Any) -> dict[str, Any] | None:
        recording = row["recording"]
        if row["kind"] == FETCH:
            self.recordings.note(recording, size=value)
            self._begin(recording, self.recordings.get(recording)["model"])
        elif row["kind"] == PICTURE:
            self.recordings.drawn(recording, value["duration"], value["warnings"])
        elif row["kind"] == DETECT:
            name = self._timeline_name(recording, row["model"])
            self.recordings.note(recording, duration=value.duration)
            version = self.timelines.put(recording, name, value, origin=MODEL, model=row["model"])
            self.told_timeline(recording, name, version, None, None)
            return {"timeline": name, "version": version}
        elif row["kind"] == ADAPT:
            return {**value, "notes": [self.public(note) for note in value["notes"]]}
        return None

    def _begin(self, recording: str, model: str) -> None:
        """Have a recording drawn and marked."""
        self.jobs.add(PICTURE, recording, None, awaited=True)
        self.jobs.add(DETECT, recording, model, awaited=True)

    def _say(self, task: Adapt, stage: str) -> None:
        self.jobs.say(task.job, stage)

    def _timeline_name(self, recording: str, model: str) -> str:
        """Return how a model's timeline is called: ``detected``, or after another model than the first."""
        if model == self.recordings.get(recording)["model"]:
            return DETECTED
        taken = {each["name"]: each["origin"] for each in self.timelines.all_of(recording)}
        return model if taken.get(model, MODEL) == MODEL and model != EDITED else f"{model}.model"

    def _view(self, row: Any, jobs: list[dict[str, Any]], timelines: list[dict[str, Any]]) -> dict[str, Any]:
        versions = {each["name"]: each["version"] for each in timelines}
        main = next((job for job in reversed(jobs) if job["kind"] == DETECT), None)
        main = main or next((job for job in reversed(jobs) if job["kind"] == FETCH), None)
        failed = next((job for job in reversed(jobs) if job["kind"] == PICTURE and job["error"]), None)
        # What the file says, as soon as there is something to see.
        drawing = next((job["total"] for job in jobs if job["kind"] == PICTURE and job["total"]), None)
        state = main["state"] if main else "queued"
        if main and main["kind"] == FETCH and state == "done":
            state = "queued"
        if state == "queued":
            # What waits may be drawn meanwhile.
            drawn = next((job for job in jobs if job["kind"] == PICTURE and job["state"] == "running"), None)
            main, state = (drawn, "running") if drawn else (main, state)
        return {
            "id": row["id"],
            "name": row["name"],
            "kind": row["kind"],
            "size": row["size"],
            "duration": drawing if row["duration"] is None else row["duration"],
            "created": row["created"],
            "model": row["model"],
            "models": [each["model"] for each in timelines if each["origin"] == MODEL],
            "state": state,
            "stage": main["kind"] if main else None,
            "job": next((job["id"] for job in reversed(jobs) if job["state"] in ACTIVE), None),
            "progress": main["progress"] if main else 0.0,
            "error": (main and main["error"]) or (failed and failed["error"]),
            "peaks": bool(row["drawn"]),
            "warnings": json.loads(row["warnings"]),
            "timelines": versions,
            "shares": self._shares_of(row["id"], versions),
        }

    def _shares_of(self, recording: str, versions: Mapping[str, int]) -> dict[str, float] | None:
        """Return the shares of the edited timeline, or else of the detected one."""
        name = EDITED if EDITED in versions else DETECTED
        if name not in versions:
            return None
        version, shares = self._shares.get((recording, name), (None, {}))
        if version != versions[name]:
            kept = self.timelines.get(recording, name)
            shares = {each: round(share, 4) for each, share in kept.timeline.shares().items()}
            self._shares[recording, name] = (kept.version, shares)
        return shares

    def _warm_up(self) -> None:
        with suppress(Exception):
            self.models.described()


def _limits_of_fetching(limits: Limits) -> Limits:
    """Return limits that also end what waits for headers: from there on, `fetch` looks at the time."""
    longest = LONGEST_S + _GRACE_S
    return replace(limits, seconds=min(longest, limits.seconds or longest))
