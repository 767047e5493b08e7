"""Jobs: asked for, looked at, cancelled."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from earmark.server.jobs import DETECT
from earmark.server.routes.common import Body, Id, TheStudio

router = APIRouter(prefix="/api", tags=["jobs"])


class Asked(Body):
    """What is to be done."""

    kind: Literal["detect"] = "detect"
    model: str | None = Field(None, max_length=64)


@router.post("/recordings/{recording}/jobs", status_code=201)
def ask(recording: Id, body: Asked, studio: TheStudio) -> dict[str, Any]:
    """Mark a recording again; with another model, the timeline is called after it."""
    studio.recordings.get(recording)
    return studio.jobs.add(DETECT, recording, studio.models.check(body.model))


@router.get("/jobs/{job}")
def state(job: Id, studio: TheStudio) -> dict[str, Any]:
    """Return a job: queued, running, done, failed or cancelled."""
    return studio.jobs.get(job)


@router.delete("/jobs/{job}")
def cancel(job: Id, studio: TheStudio) -> dict[str, Any]:
    """Cancel a job that waits or runs."""
    return studio.jobs.cancel(job)
