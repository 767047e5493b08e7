"""What people corrected, and models made of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from earmark.server.corrections import FILE_NAME
from earmark.server.fitting import FUSION
from earmark.server.jobs import FIT
from earmark.server.problems import Refusal
from earmark.server.routes.common import Body, TheStudio
from earmark.server.routes.status import can_train

router = APIRouter(prefix="/api/corrections", tags=["corrections"])


class Wish(Body):
    """How the model is to be called."""

    name: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$")


@router.get("")
def found(studio: TheStudio) -> dict[str, Any]:
    """Return how many recordings were corrected, and the seconds of each class.

    `left_out` are classes that only one recording has; `ready` says whether a model can be made.
    """
    return studio.corrections.write()


@router.post("/fit", status_code=201)
def fit(body: Wish, studio: TheStudio) -> dict[str, Any]:
    """Make a model of the corrections; it is there under its name when the job is done."""
    if not can_train():
        command = f"earmark fit STORE/corrections/{FILE_NAME} -o {body.name}.onnx --fusion {FUSION}"
        why = "the server needs the extra 'train': pip install 'earmark[train]', or do it where that is"
        raise Refusal(409, why, command=command)
    studio.models.check_new(body.name)
    if not studio.corrections.write()["ready"]:
        raise Refusal(409, "correct more: two recordings each must have two classes or more")
    return studio.jobs.add(FIT, None, body.name)
