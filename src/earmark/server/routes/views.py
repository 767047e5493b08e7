"""What is seen and heard of a recording: peaks, spectrogram, posteriors, sound."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi import Path as InPath

from earmark.server.excerpt import LONGEST_S
from earmark.server.levels import Levels, Piece
from earmark.server.problems import Refusal
from earmark.server.routes.common import (
    BINARY,
    Bins,
    Id,
    Seconds,
    TheStudio,
    check_span,
    raw,
    value_of,
)
from earmark.server.tasks import Play

router = APIRouter(prefix="/api/recordings/{recording}", tags=["views"])

TILE_FRAMES, N_BANDS = 256, 64


@router.get("/peaks", responses=BINARY)
def peaks(
    recording: Id, studio: TheStudio, start: Seconds = 0, end: Seconds = 1e7, bins: Bins = 2000
) -> Response:
    """Return the lowest and highest samples, int8, of at least `bins` cells, as far as they are known.

    No cell is shorter than 2 ms: what is finer is seen in the sound itself.  The headers X-Start, X-End and
    X-Bins say what is sent; X-Complete is 0 while more is to come.
    """
    levels = studio.levels(recording, "peaks")
    end = min(end, levels.seconds)
    check_span(start, max(end, start + 1e-9))
    piece = levels.span(start, end, bins) if start < end else Piece(b"", start, start, 0)
    return raw(piece, **{"X-Complete": "1" if levels.done else "0"})


@router.get("/spectrogram/{level}/{tile}", responses=BINARY)
def spectrogram(
    recording: Id,
    level: Annotated[int, InPath(ge=0, le=16)],
    tile: Annotated[int, InPath(ge=0, le=1 << 24)],
    studio: TheStudio,
) -> Response:
    """Return 256 frames (the last tile: fewer) of 64 mel bands, uint8: 0 is -100 dB, 255 is 0 dB.

    A frame of level L is the maximum over 2^L of 10 ms.  X-Complete is 0 while more of the tile is to come,
    which can be all of it.
    """
    levels = studio.levels(recording, "spectrogram")
    done = levels.done  # asked first: what is read after that is all
    first = tile * TILE_FRAMES
    data = levels.read(level, first, first + TILE_FRAMES)
    if done and not data:
        raise Refusal(404, f"level {level} has {-(-levels.count(level) // TILE_FRAMES)} tiles")
    n_frames, row_s = len(data) // N_BANDS, levels.row_s(level)
    # A tile that is whole never changes.
    whole = done or n_frames == TILE_FRAMES
    said = {
        "X-Complete": "1" if whole else "0",
        "Cache-Control": "private, max-age=3600" if whole else "no-store",
    }
    return raw(Piece(data, first * row_s, (first + n_frames) * row_s, n_frames), **said)


@router.get("/posteriors", responses=BINARY)
def posteriors(
    recording: Id,
    studio: TheStudio,
    start: Seconds = 0,
    end: Seconds = 1e7,
    bins: Bins = 2000,
    model: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Return means of the posteriors, uint8, labels side by side; the header X-Labels names them."""
    levels = Levels(studio.evidence(recording, model) / "curves")
    end = min(end, levels.seconds)
    check_span(start, max(end, start + 1e-9))
    piece = levels.span(start, end, bins) if start < end else Piece(b"", start, start, 0)
    labels = ",".join(levels.facts["labels"]).encode("utf-8").decode("latin-1")
    return raw(piece, **{"X-Labels": labels})


@router.get("/audio", responses={200: {"content": {"audio/wav": {}}}})
def audio(
    recording: Id,
    studio: TheStudio,
    start: Seconds = 0,
    duration: Annotated[float, Query(gt=0, le=LONGEST_S, allow_inf_nan=False)] = 10.0,
) -> Response:
    """Return a piece as 16-bit WAV, mono or stereo, which ends where the recording does."""
    row = studio.recordings.get(recording)
    source = str(studio.recordings.source(row))
    data = value_of(studio.errands.run(Play(source, row["name"], start, duration)))
    return Response(data, media_type="audio/wav", headers={"Cache-Control": "private, max-age=600"})
