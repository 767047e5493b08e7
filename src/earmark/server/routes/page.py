"""The page and its files, which lie in the package."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from earmark.server.problems import missing

router = APIRouter(include_in_schema=False)

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
    "png": "image/png",
    "woff2": "font/woff2",
}


@cache
def page_files() -> dict[str, tuple[bytes, str, str]]:
    """Return content, type and tag of each file by its name; nothing else is ever served as one."""
    folder = files("earmark.server") / "page"
    found = {}
    for file in folder.iterdir() if folder.is_dir() else ():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if file.is_file() and kind is not None:
            content = file.read_bytes()
            found[file.name] = (content, kind, f'"{hashlib.sha256(content).hexdigest()[:16]}"')
    return found


@router.get("/")
def index(request: Request) -> Response:
    return _answer("index.html", request)


@router.get("/favicon.ico")
def favicon(request: Request) -> Response:
    return _answer("icon.svg", request)


@router.get("/page/{name}")
def file(name: str, request: Request) -> Response:
    return _answer(name, request)


def _answer(name: str, request: Request) -> Response:
    if name not in page_files():
        raise missing("file", name[:100])
    content, kind, tag = page_files()[name]
    # Asked for again each time, and sent again only if it has changed.
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)
