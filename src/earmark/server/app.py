"""The application: the addresses, behind the guard, and errors in one line."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from earmark import __version__
from earmark.errors import AnnotationError, AudioError, ConfigError, EarmarkError, ModelError
from earmark.server.crew import Cancelled
from earmark.server.problems import Refusal
from earmark.server.routes import corrections, jobs, page, recordings, status, timelines, views
from earmark.server.routes.common import Problem
from earmark.server.safety import Guard
from earmark.server.studio import Studio

_log = logging.getLogger("earmark.server")
_ROUTERS = (
    page.router,
    status.router,
    recordings.router,
    jobs.router,
    views.router,
    timelines.router,
    corrections.router,
)


def make_app(studio: Studio) -> FastAPI:
    """Return the application for a studio, which whoever made it closes."""
    app = FastAPI(
        title="earmark",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # these load scripts from elsewhere
        redoc_url=None,
        responses={"4XX": {"model": Problem}, 422: {"model": Problem}},
    )
    app.state.studio = studio
    for router in _ROUTERS:
        app.include_router(router)
    app.add_middleware(Guard, settings=studio.settings)
    app.add_exception_handler(EarmarkError, _say)
    app.add_exception_handler(RequestValidationError, _say_invalid)
    app.add_exception_handler(HTTPException, _say_http)
    app.add_exception_handler(Cancelled, _say_ending)
    app.add_exception_handler(ClientDisconnect, _say_gone)
    app.add_exception_handler(OSError, _say_unusable)
    app.add_exception_handler(Exception, _say_nothing)
    return app


def _problem(status: int, why: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": why, **more}, status)


async def _say(request: Request, err: Exception) -> JSONResponse:
    why = request.app.state.studio.public(str(err))
    if isinstance(err, Refusal):
        return _problem(err.status, why, **err.more)
    asked = isinstance(err, (AnnotationError, AudioError, ConfigError, ModelError))
    return _problem(422 if asked else 507, why)


async def _say_invalid(request: Request, err: Exception) -> JSONResponse:
    assert isinstance(err, RequestValidationError)
    return _problem(422, recordings.first_problem(err.errors()))


async def _say_http(request: Request, err: Exception) -> JSONResponse:
    assert isinstance(err, HTTPException)
    answer = _problem(err.status_code, str(err.detail).lower())
    answer.headers.update(err.headers or {})
    return answer


async def _say_ending(request: Request, err: Exception) -> JSONResponse:
    return _problem(503, "the server ends; ask again later")


async def _say_gone(request: Request, err: Exception) -> JSONResponse:
    return _problem(400, "the client has gone")


async def _say_unusable(request: Request, err: Exception) -> JSONResponse:
    assert isinstance(err, OSError)
    if isinstance(err, FileNotFoundError):
        return _problem(404, "it was removed just now; ask again")
    _log.error("request %s failed", request.url.path, exc_info=err)
    return _problem(507, f"the store cannot be used ({err.strerror or type(err).__name__}); make room there")


async def _say_nothing(request: Request, err: Exception) -> JSONResponse:
    _log.error("request %s failed", request.url.path, exc_info=err)
    return _problem(500, "something went wrong in the server; its log says what")
