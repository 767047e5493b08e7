"""What stands before the server: who may ask, from where, and what browsers may do with answers.

Every request passes here first.

- Its host must be one the server is known by, so that no other site's name can be led here (DNS rebinding).
- What changes something needs a header that pages of other sites cannot send unasked, and must not come from
  such a page (cross-site requests).
- With a token, everything but the page's own files needs it, in a header or a cookie.
- Answers carry a policy that allows the server's own scripts and styles, and nothing from elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from earmark.server.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "earmark"
CSRF_HEADER = "x-earmark"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; media-src 'self' blob:; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_HARMLESS = ("GET", "HEAD", "OPTIONS")
# Of what is not read piece by piece.
_MOST_BYTES = 4 << 20
# What the guard and the application must not read differently.
_SINGLE = (b"host", b"origin", b"content-type")


class Guard:
    """Middleware that lets requests through, or not.

    Parameters
    ----------
    app : callable
        What answers them.
    settings : Settings
    """

    def __init__(self, app: App, settings: Settings) -> None:
        self._app, self._token = app, settings.token
        self._hosts = known_hosts(settings)
        # Bound to all addresses, the machine is called by any of them.
        self._any_address = settings.host in ("0.0.0.0", "::")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                more = {**_HEADERS, **({} if b"cache-control" in present else {"cache-control": "no-store"})}
                headers += [(name.encode(), value.encode()) for name, value in more.items()]
                message = {**message, "headers": headers}
            await send(message)

        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, receive if _streams(scope) else _bounded(receive), with_headers)
            return
        status, why = problem
        body = json.dumps({"error": why}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await with_headers({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _problem(self, scope: Scope) -> tuple[int, str] | None:
        names = [name.lower() for name, _ in scope["headers"]]
        for name in _SINGLE:
            if names.count(name) > 1:
                return 400, f"the header '{name.decode()}' is there twice; send it once"
        headers = _headers(scope)
        host = headers.get("host", "")
        if not self._is_known(host):
            return 421, "the server is not called by this name; start it with --name NAME to allow it"
        if scope["method"] not in _HARMLESS:
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
                return 403, "the request comes from a page of another site"
            if CSRF_HEADER not in headers:
                return 403, "what changes something needs the header 'X-Earmark: 1'"
        if self._token is not None and not _is_open(scope["path"]) and not self._is_allowed(headers):
            return 401, "a token is needed: log in, or send 'Authorization: Bearer TOKEN'"
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        return name in self._hosts or (self._any_address and _is_address(name))

    def _is_allowed(self, headers: MutableMapping[str, str]) -> bool:
        assert self._token is not None
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and is_same(given.strip(), self._token):
            return True
        cookies = (each.strip().partition("=") for each in headers.get("cookie", "").split(";"))
        return any(name == COOKIE and is_same(value, pass_of(self._token)) for name, _, value in cookies)


def known_hosts(settings: Settings) -> set[str]:
    """Return the names that clients may call the server by."""
    names = {settings.host.lower(), "localhost", "127.0.0.1", "::1", *(n.lower() for n in settings.names)}
    return names | {socket.gethostname().lower()} if settings.token is not None else names


def is_same(one: str, other: str) -> bool:
    """Compare secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8"))


def pass_of(token: str) -> str:
    """Return what a browser keeps of a token: it opens the server as long as the token is the same."""
    return hmac.new(token.encode(), b"earmark page", hashlib.sha256).hexdigest()


def _is_open(path: str) -> bool:
    """Tell whether a path needs no token: the page itself, which holds nothing, and its login."""
    return path in ("/", "/api/login", "/favicon.ico") or path.startswith("/page/")


def _streams(scope: Scope) -> bool:
    """Tell whether what is sent is a recording, which is read piece by piece, and counted there."""
    if scope["path"] == "/api/recordings":
        return not _headers(scope).get("content-type", "").startswith("application/json")
    return bool(scope["path"].startswith("/api/uploads/")) and scope["method"] == "PUT"


def _bounded(receive: Receive) -> Receive:
    """Return what gives no more of a request than is good for the memory."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > _MOST_BYTES:
            raise HTTPException(413, f"more than {_MOST_BYTES} bytes")
        return message

    return bounded


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _headers(scope: Scope) -> dict[str, str]:
    pairs: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}
