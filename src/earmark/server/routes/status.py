"""What the server is, who may use it, and what happens."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from earmark import __version__
from earmark.formats import FORMATS
from earmark.server.problems import Refusal
from earmark.server.routes.common import Body, TheStudio
from earmark.server.safety import COOKIE, is_same, pass_of

router = APIRouter(prefix="/api", tags=["server"])

# Whoever guesses tokens is told so late.
_PENALTY_S = 0.5


class Login(Body):
    """The token."""

    token: str = Field(max_length=1000)


@router.get("/status")
def status(studio: TheStudio) -> dict[str, Any]:
    """Version, models, formats, limits, and what is allowed."""
    settings = studio.settings
    bounds = settings.bounds
    return {
        "version": __version__,
        "models": studio.models.described(),
        "folder": settings.folder is not None,
        "formats": [{"name": each.name, "suffix": each.suffixes[0]} for each in FORMATS.values()],
        "limits": {
            "upload_bytes": bounds.upload_bytes,
            "duration_s": bounds.duration_s,
            "recordings": bounds.recordings,
        },
        "fetch": settings.allow_urls,
        "adapt": can_adapt(),
        "user": None,
    }


@router.post("/login", status_code=204)
async def login(body: Login, request: Request, studio: TheStudio) -> Response:
    """Exchange the token for a cookie, for browsers."""
    token = studio.settings.token
    if token is not None and not is_same(body.token, token):
        await asyncio.sleep(_PENALTY_S)
        raise Refusal(403, "that is not the token")
    answer = Response(status_code=204)
    if token is not None:
        answer.set_cookie(
            COOKIE,
            pass_of(token),
            max_age=30 * 86_400,
            httponly=True,
            samesite="strict",
            secure=request.headers.get("x-forwarded-proto") == "https",  # behind a proxy that speaks TLS
        )
    return answer


@router.get("/events", responses={200: {"content": {"text/event-stream": {}}}})
async def events(studio: TheStudio) -> StreamingResponse:
    """Server-sent events: `job`, `recording`, `timeline`, `removed`."""
    return StreamingResponse(studio.hub.listen(), media_type="text/event-stream")


def can_adapt() -> bool:
    """Tell whether there is what adapting a model needs of the extra `train`."""
    return find_spec("onnx") is not None
