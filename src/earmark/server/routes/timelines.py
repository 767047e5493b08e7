"""Timelines: read in any format, edited, decoded again, compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from earmark.formats import FORMATS, dumps, format_of
from earmark.server.evidence import settable
from earmark.server.levels import Levels
from earmark.server.problems import Refusal
from earmark.server.routes.common import Body, Id, Marked, Seconds, TheStudio, TimelineName, value_of
from earmark.server.segments import segment_of
from earmark.server.studio import Studio
from earmark.server.tasks import Compare, Read, Redecode
from earmark.server.timelines import DETECTED, EDITED, NAME, PERSON, Kept
from earmark.timeline import Timeline

router = APIRouter(prefix="/api/recordings/{recording}", tags=["timelines"])

_TYPES = {
    "text/csv": "csv",
    "text/vtt": "webvtt",
    "application/x-subrip": "srt",
    "application/json": "json",
    "application/xml": "elan",
    "text/xml": "elan",
}
Client = Annotated[str | None, Header(max_length=64)]


class Edit(Body):
    """Segments to take out, exactly as they are, and others to put in."""

    base: int | None = Field(None, ge=0, description="The version it was made from; for the record.")
    id: str | None = Field(
        None, min_length=1, max_length=64, description="The client's; one that comes again changes nothing."
    )
    remove: list[Marked] = Field(default_factory=list, max_length=20_000)
    add: list[Marked] = Field(default_factory=list, max_length=20_000)


class Decoding(Body):
    """Options of decoding by label, as those of `earmark detect`."""

    model: str | None = Field(None, max_length=64)
    options: dict[str, dict[str, float]] = Field(default_factory=dict)
    save: str | None = Field(None, max_length=64)


@router.get("/timelines")
def listed(recording: Id, studio: TheStudio) -> list[dict[str, Any]]:
    """Return the timelines there are."""
    studio.recordings.get(recording)
    return studio.timelines.all_of(recording)


@router.get("/timelines/{name}", responses={200: {"content": {"text/plain": {}}}, 304: {}})
def read(
    recording: Id,
    name: TimelineName,
    request: Request,
    studio: TheStudio,
    format: Annotated[str | None, Query(max_length=32)] = None,
    start: Seconds = 0,
    end: Seconds = 1e7,
) -> Response:
    """Return a timeline; `format`, or else Accept, names one of the formats of `earmark convert`."""
    row = studio.recordings.get(recording)
    kept = studio.timelines.get(recording, name)
    chosen = _format(format, _accepted(request.headers.get("accept", "")))
    tag = f'"{kept.version}-{name}-{chosen}-{start!r}-{end!r}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    timeline = replace(kept.timeline, source=row["name"])
    if start > 0 or end < timeline.duration:
        timeline = timeline.crop(start, end)
    if format is None and chosen == "json":
        return Response(_json(kept, timeline), media_type="application/json", headers=headers)
    known = format_of("", chosen)
    kind = next((kind for kind, each in _TYPES.items() if each == chosen), "text/plain")
    file = f"{PurePath(row['name']).stem}{known.suffixes[0]}"
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file)}"
    return Response(dumps(timeline, chosen), media_type=f"{kind}; charset=utf-8", headers=headers)


@router.put(
    "/timelines/{name}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/json")},
        }
    },
)
async def write(
    recording: Id,
    name: TimelineName,
    request: Request,
    studio: TheStudio,
    format: Annotated[str | None, Query(max_length=32)] = None,
    if_match: Annotated[str | None, Header(max_length=64)] = None,
    x_client: Client = None,
) -> dict[str, Any]:
    """Write a timeline as a whole, in any format that `earmark convert` reads.

    One that is there is replaced if If-Match names its version.
    """
    data = await request.body()
    given = _format(format, [request.headers.get("content-type", "")])
    return await run_in_threadpool(_write, studio, recording, name, data, given, _version(if_match), x_client)


@router.delete("/timelines/{name}", status_code=204)
def remove(recording: Id, name: TimelineName, studio: TheStudio, x_client: Client = None) -> Response:
    """Remove a timeline, for all."""
    studio.remove_timeline(recording, name, x_client)
    return Response(status_code=204)


@router.post("/timelines/{name}/edits")
def edit(
    recording: Id, name: TimelineName, body: Edit, studio: TheStudio, x_client: Client = None
) -> dict[str, Any]:
    """Take segments out and put others in, all or nothing.

    What a model found is copied to ``edited`` first; the answer says which timeline was changed.
    """
    studio.recordings.get(recording)
    taken, put = (
        [segment_of(each.model_dump()) for each in each_side] for each_side in (body.remove, body.add)
    )
    change = studio.timelines.edit(recording, name, taken, put, x_client, body.id)
    if change.new:
        told = {
            "id": body.id,
            "remove": [each.model_dump() for each in body.remove],
            "add": [each.model_dump() for each in body.add],
        }
        studio.told_timeline(recording, change.name, change.version, told, x_client)
    return {"name": change.name, "version": change.version}


@router.get("/timelines/{name}/edits")
def edits(
    recording: Id, name: TimelineName, studio: TheStudio, since: Annotated[int, Query(ge=0, le=1 << 50)] = 0
) -> list[dict[str, Any]]:
    """Return the edits that made the versions after `since`, the oldest first, with when and by whom."""
    return studio.timelines.edits(recording, name, since)


@router.get("/decode")
def options(
    recording: Id, studio: TheStudio, model: Annotated[str | None, Query(max_length=64)] = None
) -> dict[str, Any]:
    """Return what can be set in decoding: defaults by label; least, greatest value and step by option."""
    folder = studio.evidence(recording, model)
    facts = Levels(folder / "values").facts
    return {
        "model": folder.name,
        "kind": facts["kind"],
        "labels": facts["labels"],
        "options": facts["defaults"],
        "ranges": settable(facts["kind"]),
    }


@router.post("/decode")
def decode(
    recording: Id,
    body: Decoding,
    studio: TheStudio,
    if_match: Annotated[str | None, Header(max_length=64)] = None,
    x_client: Client = None,
) -> dict[str, Any]:
    """Decode the stored posteriors with other options; with `save`, keep the timeline under that name.

    One that is there is replaced if If-Match names its version, but never corrections.
    """
    if body.save is not None and (not NAME.fullmatch(body.save) or body.save in (DETECTED, EDITED)):
        raise Refusal(422, f"'{body.save[:80]}' cannot be the name of a decoding; give another, e.g. strict")
    folder = studio.evidence(recording, body.model)
    timeline: Timeline = value_of(studio.errands.run(Redecode(folder, body.options)))
    if body.save is None:
        return _fields(Kept("", 0, PERSON, folder.name, timeline), timeline)
    version = studio.timelines.put(
        recording, body.save, timeline, origin=PERSON, model=folder.name, base=_version(if_match)
    )
    studio.told_timeline(recording, body.save, version, None, x_client)
    return _fields(Kept(body.save, version, PERSON, folder.name, timeline), timeline)


@router.get("/score")
def score(
    recording: Id,
    studio: TheStudio,
    reference: Annotated[str, Query(max_length=64)],
    estimate: Annotated[str, Query(max_length=64)],
) -> dict[str, Any]:
    """Score a timeline against a reference, as `earmark score` does, and tell where they disagree."""
    studio.recordings.get(recording)
    one, other = (studio.timelines.get(recording, name).timeline for name in (reference, estimate))
    found: dict[str, Any] = value_of(studio.errands.run(Compare(one, other)))
    return found


def _format(given: str | None, kinds: Iterable[str]) -> str:
    """Return the format that is named, or the first that a kind of media stands for; JSON if none does."""
    if given is not None:
        return format_of("", given).name
    for kind in kinds:
        plain = kind.partition(";")[0].strip().lower()
        # Browsers ask for a page, and would take XML, too.
        found = "json" if plain in ("*/*", "application/*", "text/html") else _TYPES.get(plain)
        if found is not None and found in FORMATS:
            return found
    return "json"


def _accepted(accept: str) -> list[str]:
    """Return the kinds of media of a header Accept, the best first."""
    weighed = []
    for each in accept.split(","):
        kind, *parameters = (part.strip() for part in each.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.lower().startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if weight > 0:
            weighed.append((weight, kind))
    return [kind for _, kind in sorted(weighed, key=lambda each: -each[0])]


def _version(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    # As it was sent by ETag, or the bare number.
    found = if_match.removeprefix("W/").strip('"').partition("-")[0]
    if not found.isdecimal() or len(found) > 12:
        raise Refusal(422, f"If-Match: {if_match[:40]}: give the timeline's version, e.g. 3")
    return int(found)


def _write(
    studio: Studio, recording: str, name: str, data: bytes, format: str, base: int | None, client: str | None
) -> dict[str, Any]:
    row = studio.recordings.get(recording)
    if row["duration"] is None:
        raise Refusal(409, "the recording's length is not known yet; wait until it is drawn")
    timeline: Timeline = value_of(studio.errands.run(Read(data, format, row["duration"])))
    version = studio.timelines.put(recording, name, timeline, origin=PERSON, base=base)
    studio.told_timeline(recording, name, version, None, client)
    return {"name": name, "version": version, "warnings": list(timeline.warnings)}


def _fields(kept: Kept, timeline: Timeline) -> dict[str, Any]:
    facts = {"name": kept.name, "version": kept.version, "origin": kept.origin, "model": kept.model}
    return {**facts, **json.loads(dumps(timeline, "json")), "model": kept.model}


def _json(kept: Kept, timeline: Timeline) -> str:
    return json.dumps(_fields(kept, timeline), ensure_ascii=False)
