"""Recordings: uploaded, chosen in the folder, or fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, ValidationError

from earmark.server.fetch import check_url
from earmark.server.problems import Refusal
from earmark.server.recordings import CHOSEN, FETCHED
from earmark.server.routes.common import Body, Id, TheStudio
from earmark.server.studio import Studio
from earmark.server.uploads import CHUNK_BYTES

router = APIRouter(prefix="/api", tags=["recordings"])

_BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class Begun(Body):
    """An upload to come."""

    name: str = Field(min_length=1, max_length=1000)
    size: int = Field(ge=0, le=1 << 50)


class Wanted(Body):
    """With which model; the server's own if none is named."""

    model: str | None = Field(None, max_length=64)


class Named(Wanted):
    """A recording in the folder, or at an address."""

    path: str | None = Field(None, max_length=4000)
    url: str | None = Field(None, max_length=4000)


@router.get("/recordings")
def find(
    studio: TheStudio,
    q: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> list[dict[str, Any]]:
    """Return the recordings, the newest first; `q` are words of their names."""
    return studio.views(q, limit)


@router.post(
    "/recordings",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": Named.model_json_schema()}, **_BYTES},
        }
    },
)
async def add(
    request: Request,
    studio: TheStudio,
    name: Annotated[str | None, Query(min_length=1, max_length=1000)] = None,
    model: Annotated[str | None, Query(max_length=64)] = None,
) -> dict[str, Any]:
    """Add a recording: JSON with `path` or `url`, or the bytes of a file, and its `name` in the address."""
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
        try:
            body = Named.model_validate_json(await request.body())
        except ValidationError as err:
            raise Refusal(422, first_problem(err.errors())) from err
        return await run_in_threadpool(_add_named, studio, body)
    if name is None:
        raise Refusal(422, "name is missing: give the file's name, ?name=show.mp3")
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdigit() else None
    if size is not None:
        studio.uploads.check_size(size)
    await run_in_threadpool(studio.models.check, model)
    upload = studio.uploads.begin(name, studio.settings.bounds.upload_bytes)
    try:
        received = await studio.uploads.append(upload, 0, _stream(request))
        studio.uploads.check_size(received)
        studio.uploads.end_at(upload, received)
        return await run_in_threadpool(_finish, studio, upload, model)
    except BaseException:
        await run_in_threadpool(_drop, studio, upload)
        raise


@router.get("/recordings/{recording}")
def details(recording: Id, studio: TheStudio) -> dict[str, Any]:
    """Return a recording with its jobs."""
    return studio.view(recording, with_jobs=True)


@router.delete("/recordings/{recording}", status_code=204)
def remove(recording: Id, studio: TheStudio) -> Response:
    """Remove a recording with all that the store holds of it; a file in the folder stays."""
    studio.remove(recording)
    return Response(status_code=204)


@router.get("/folder")
def look(studio: TheStudio, path: Annotated[str, Query(max_length=4000)] = "") -> dict[str, Any]:
    """Return the folders and recordings at a place in the folder."""
    if studio.recordings.folder is None:
        raise Refusal(404, "the server was started without a folder; upload the recording")
    return {"path": path.strip("/"), "entries": studio.recordings.folder.entries(path)}


@router.post("/uploads", status_code=201)
def begin(body: Begun, studio: TheStudio) -> dict[str, Any]:
    """Begin an upload in pieces."""
    studio.recordings.check_room()
    made = studio.uploads.begin(body.name, body.size)
    studio.prepare()
    return {"upload": made, "chunk_bytes": CHUNK_BYTES}


@router.get("/uploads/{upload}")
def received(upload: Id, studio: TheStudio) -> dict[str, Any]:
    """Return how many bytes are there, and how many to send at a time."""
    return {"received": studio.uploads.received(upload), "chunk_bytes": CHUNK_BYTES}


@router.put("/uploads/{upload}", openapi_extra={"requestBody": {"required": True, "content": _BYTES}})
async def append(
    upload: Id,
    request: Request,
    studio: TheStudio,
    offset: Annotated[int, Query(ge=0, le=1 << 50)] = 0,
) -> dict[str, Any]:
    """Send the bytes that belong at an offset."""
    return {"received": await studio.uploads.append(upload, offset, _stream(request))}


@router.delete("/uploads/{upload}", status_code=204)
def drop(upload: Id, studio: TheStudio) -> Response:
    """Give an upload up."""
    studio.uploads.drop(upload)
    return Response(status_code=204)


@router.post("/uploads/{upload}/done", status_code=201)
def done(upload: Id, studio: TheStudio, body: Wanted | None = None) -> dict[str, Any]:
    """Make a recording of the same id of an upload that is complete; asked again, return what it is."""
    return _finish(studio, upload, None if body is None else body.model)


def first_problem(errors: Any) -> str:
    """Return the first thing that is wrong with what was sent, in one line."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{where or 'the request'}: {first['msg']}"


def _add_named(studio: Studio, body: Named) -> dict[str, Any]:
    if (body.path is None) == (body.url is None):
        raise Refusal(422, "give either path, in the folder, or url")
    if body.path is not None:
        if studio.recordings.folder is None:
            raise Refusal(409, "the server was started without a folder; upload the recording")
        file = studio.recordings.folder.file(body.path)
        made = studio.add(file.name, CHOSEN, body.path, body.model, file.stat().st_size)
        return studio.view(made)
    assert body.url is not None
    if not studio.settings.allow_urls:
        raise Refusal(403, "this server fetches nothing; upload the recording, or have --allow-urls set")
    check_url(body.url)
    made = studio.add(unquote(urlsplit(body.url).path), FETCHED, body.url, body.model, None)
    return studio.view(made)


def _finish(studio: Studio, upload: str, model: str | None) -> dict[str, Any]:
    return studio.view(studio.receive(upload, model))


def _drop(studio: Studio, upload: str) -> None:
    try:
        studio.uploads.drop(upload)
    except Refusal:
        return  # it is a recording by now


async def _stream(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece
