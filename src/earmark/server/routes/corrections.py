"""What people corrected, and models made of it."""

from __future__ import annotations

import shlex
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from earmark.server.corrections import FILE_NAME
from earmark.server.fitting import FUSION, HEADS
from earmark.server.jobs import FIT
from earmark.server.problems import Refusal
from earmark.server.routes.common import Body, TheStudio
from earmark.server.routes.status import can_train
from earmark.server.studio import Studio

router = APIRouter(prefix="/api/corrections", tags=["corrections"])


class Wish(Body):
    """How the model is to be called; numbered if it is not said."""

    name: str | None = Field(None, pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$")


@router.get("")
def found(studio: TheStudio) -> dict[str, Any]:
    """Return how many recordings were corrected, and the seconds of each class.

    `left_out` are classes that only one recording has; `ready` says whether a model can be made; `job` is the
    newest that makes, or made, one.
    """
    return {**studio.corrections.write(), "job": studio.jobs.newest(FIT)}


@router.post("/fit", status_code=201)
def fit(studio: TheStudio, body: Wish | None = None) -> dict[str, Any]:
    """Make a model of the corrections; when the job is done, it is there under the name that `model` says."""
    name = studio.models.new_name(None if body is None else body.name)
    if not can_train():
        why = "the server needs the extra 'train': pip install 'earmark[train]', or do it where that is"
        if not studio.settings.is_private:
            why += "; STORE is the server's folder"
        raise Refusal(409, why, command=_command(studio, name))
    if not studio.corrections.write()["ready"]:
        raise Refusal(409, "correct more: two recordings each must have two classes or more")
    return studio.jobs.add(FIT, None, name)


def _command(studio: Studio, name: str) -> str:
    """Return what makes a model of the corrections; only who sits at the machine is told where they lie."""
    labels = studio.corrections.file if studio.settings.is_private else f"STORE/corrections/{FILE_NAME}"
    heads = (option for head in HEADS for option in ("--head", head))
    return shlex.join(["earmark", "fit", str(labels), "-o", f"{name}.onnx", "--fusion", FUSION, *heads])
