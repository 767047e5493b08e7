"""Serving: the address taken, the page opened, and an end that waits for nobody who only listens."""

from __future__ import annotations

import logging
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from earmark.errors import ConfigError
from earmark.modelfile import read_model
from earmark.server.app import make_app
from earmark.server.settings import Settings
from earmark.server.studio import Studio

# What is still being answered when the server ends gets so long, seconds.
_GRACE_S = 3
_MOST_CONNECTIONS = 1000


class _Server(uvicorn.Server):
    """Sends those who listen to events away when it ends; they would stay for ever."""

    def __init__(self, config: uvicorn.Config, studio: Studio) -> None:
        super().__init__(config)
        self._studio = studio

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._studio.hub.close()
        await super().shutdown(sockets)


def serve(settings: Settings, ready: Callable[[str], None], *, browser: bool = False) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    settings : Settings
    ready : callable
        Called with the server's address once it answers.
    browser : bool
        Open the page in a browser.

    Raises
    ------
    ConfigError
        If the address is taken or cannot be had, or another server is at work in the store.
    ModelError
        If there is no such model.
    """
    read_model(settings.model)  # one that is not there is refused now, not job by job
    with take_address(settings) as listener:
        studio = Studio(settings)
        try:
            address = address_of(settings, listener)
            config = uvicorn.Config(
                make_app(studio),
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_S,
                limit_concurrency=_MOST_CONNECTIONS,
                proxy_headers=False,
            )
            logging.getLogger("uvicorn").setLevel(logging.WARNING)
            server = _Server(config, studio)
            ready(address)
            if browser:
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            with suppress(KeyboardInterrupt):  # to be ended is how it ends
                server.run(sockets=[listener])
        finally:
            studio.close()


def take_address(settings: Settings) -> socket.socket:
    """Return a socket that listens; raises `ConfigError` if the address cannot be had."""
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as err:
        raise ConfigError(f"host {settings.host}: no such address ({err.strerror or err})") from err
    family, kind, protocol, _, place = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(512)
    except OSError as err:
        listener.close()
        raise ConfigError(
            f"port {settings.port} at {settings.host} cannot be had ({err.strerror or err}); choose another "
            "with --port, or 0 for any that is free"
        ) from err
    return listener


def address_of(settings: Settings, listener: socket.socket) -> str:
    """Return what to open in a browser."""
    port = listener.getsockname()[1]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}/"
