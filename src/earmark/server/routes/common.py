"""What the addresses share: the studio behind them, and what parameters and answers look like."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from earmark.server.levels import Piece
from earmark.server.problems import Refusal
from earmark.server.studio import Studio
from earmark.server.tasks import Outcome

MOST_BINS = 20_000
_MOST_S = 1e7


def studio_of(request: Request) -> Studio:
    """Return the studio behind the server."""
    studio: Studio = request.app.state.studio
    return studio


TheStudio = Annotated[Studio, Depends(studio_of)]
Id = Annotated[str, Path(pattern="^[0-9a-f]{12}$")]
TimelineName = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]
Seconds = Annotated[float, Query(ge=0, le=_MOST_S, allow_inf_nan=False)]
Bins = Annotated[int, Query(ge=1, le=MOST_BINS)]


class Body(BaseModel):
    """What clients send: nothing but what is known."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Problem(BaseModel):
    """Why something cannot be done, in one line."""

    model_config = ConfigDict(extra="allow")
    error: str


class Marked(Body):
    """A segment."""

    start: float = Field(ge=0, le=_MOST_S)
    end: float = Field(ge=0, le=_MOST_S)
    label: str = Field(min_length=1, max_length=64)
    confidence: float | None = Field(None, ge=0, le=1)
    speech_to_music_db: float | None = None


def value_of(outcome: Outcome) -> Any:
    """Return what came of an errand; raises `Refusal` if it failed."""
    if outcome.error is not None:
        raise Refusal(422 if outcome.asked else 409, outcome.error)
    return outcome.value


def raw(piece: Piece, **headers: str) -> Response:
    """Answer with the rows of a level."""
    said = {"X-Start": f"{piece.start:.6f}", "X-End": f"{piece.end:.6f}", "X-Bins": str(piece.n_rows)}
    return Response(piece.data, media_type="application/octet-stream", headers={**said, **headers})


def check_span(start: float, end: float) -> None:
    """Raise `Refusal` unless a span has a length."""
    if not start < end:
        raise Refusal(422, f"from {start:g} to {end:g} s: the end must come after the start")


BINARY: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
