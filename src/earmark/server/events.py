"""What happens, told to everybody who listens (server-sent events)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

# Who is further behind than that is sent away; a browser comes back and reads all anew.
_MOST_WAITING = 1000
_BEAT_S = 15.0


class Hub:
    """Events from any thread to listeners in the server's loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}
        self._closed = False

    def publish(self, event: str, data: Any) -> None:
        """Tell everybody; `data` must be fit for JSON."""
        message = f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
        self._put(message)

    def close(self) -> None:
        """Send everybody away, now and later."""
        self._closed = True
        self._put(None)

    async def listen(self) -> AsyncIterator[str]:
        """Yield events as they are sent over the wire, and a sign of life where there are none."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(_MOST_WAITING)
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield "retry: 1000\n\nevent: hello\ndata: {}\n\n"
            while not self._closed:
                try:
                    message = await asyncio.wait_for(queue.get(), _BEAT_S)
                except asyncio.TimeoutError:
                    yield "event: ping\ndata: {}\n\n"  # pages see no comments
                    continue
                if message is None:
                    return
                yield message
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def _put(self, message: str | None) -> None:
        with self._lock:
            for queue, loop in list(self._listeners.items()):
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_offer, queue, message)


def _offer(queue: asyncio.Queue[str | None], message: str | None) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        message = None
    queue.put_nowait(message)
