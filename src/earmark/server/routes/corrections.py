"""What people corrected, and models adapted to it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from earmark.modelfile import DEFAULT_MODEL
from earmark.server.corrections import TIMELINES
from earmark.server.jobs import ADAPT
from earmark.server.problems import Refusal
from earmark.server.routes.common import Body, TheStudio
from earmark.server.routes.status import can_adapt
from earmark.server.studio import Studio

router = APIRouter(prefix="/api/corrections", tags=["corrections"])


class Wish(Body):
    """How the model is to be called; numbered if it is not said."""

    name: str | None = Field(None, pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$")


@router.get("")
def found(studio: TheStudio) -> dict[str, Any]:
    """Return how many recordings were corrected, and for how many seconds each label is marked in them.

    `job` is the newest that learns, or has learned, from them.
    """
    return {**studio.corrections.write(), "job": studio.jobs.newest(ADAPT)}


@router.post("/adapt", status_code=201)
def adapt(studio: TheStudio, body: Wish | None = None) -> dict[str, Any]:
    """Adapt the server's model to the corrections.

    When the job is done, its `result` says whether a model was `made`, which is there under the name that
    `model` says, and the F of each label `before` and `after`, on recordings that were left out in learning:
    empty if there is only one.
    """
    name = studio.models.new_name(None if body is None else body.name)
    if not can_adapt():
        why = "the server needs the extra 'train': pip install 'earmark[train]', or do it where that is"
        if not studio.settings.is_private:
            why += "; STORE is the server's folder"
        raise Refusal(409, why, command=_command(studio, name))
    if not studio.corrections.write()["recordings"]:
        raise Refusal(409, "nothing is corrected yet: correct a recording, then the model can learn from it")
    return studio.jobs.add(ADAPT, None, name)


def _command(studio: Studio, name: str) -> str:
    """Return what adapts the model elsewhere; only who sits at the machine is told where things lie."""
    folder, model = studio.corrections.folder, studio.models.opened_by(studio.models.default)
    if not studio.settings.is_private:
        folder, model = Path("STORE/corrections"), Path(model).name
    given = [] if model == DEFAULT_MODEL else ["--model", model]
    return shlex.join(["earmark", "adapt", str(folder / TIMELINES), "-o", f"{name}.onnx", *given])
