"""Telling a server of every change, without ever waiting for it."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from earmark.errors import ConfigError

_TIMEOUT_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_MOST_WAITING = 1000
# What a server says that may be otherwise later; any other refusal stays one.
_TRY_AGAIN = (408, 425, 429)


class Webhook:
    """Posts JSON to an address, one after the other, from a thread of its own.

    What cannot be delivered is tried again after 1, 2, 4 ... 60 s, and holds back what follows; of more than
    a thousand that wait, the oldest are dropped, and the next to be delivered says how many: ``missed``.

    Parameters
    ----------
    url : str
        http or https.
    warn : callable
        Told, from that thread, what goes wrong, once for each series of failures.
    first_wait_s : float
        Before it is tried again.

    Raises
    ------
    ConfigError
        If the address is none.
    """

    def __init__(self, url: str, warn: Callable[[str], None], *, first_wait_s: float = _FIRST_WAIT_S) -> None:
        parts = urlsplit(url)
        try:
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits:
            raise ConfigError(f"--webhook {url}: give an address, e.g. https://example.org/radio")
        self._url, self._name, self._warn = url, f"{parts.scheme}://{parts.hostname}", warn
        self._first_wait_s = first_wait_s
        self._waiting: deque[dict[str, Any]] = deque()
        self._missed = 0
        self._changed = threading.Condition()
        self._closing: float | None = None
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def post(self, message: Mapping[str, Any]) -> None:
        """Let a message be delivered; returns at once."""
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self._waiting.popleft()
                self._missed += 1
            self._waiting.append(dict(message))
            self._changed.notify()

    def close(self, patience_s: float = 5.0) -> int:
        """Give what waits so many seconds more; return how many messages were not delivered."""
        with self._changed:
            self._closing = time.monotonic() + patience_s
            self._changed.notify()
        self._thread.join(patience_s)
        return len(self._waiting)

    def _run(self) -> None:
        wait_s = self._first_wait_s
        while True:
            with self._changed:
                while not self._waiting and self._closing is None:
                    self._changed.wait()
                if not self._waiting or (self._closing is not None and time.monotonic() > self._closing):
                    return
                message, missed = self._waiting[0], self._missed
            problem, final = self._deliver({**message, "missed": missed} if missed else message)
            if problem and not self._failing:
                what = "it is dropped" if final else "it is tried again, and what follows waits"
                self._warn(f"webhook {self._name}: {problem}; {what}")
            self._failing = bool(problem)
            with self._changed:
                if not problem or final:
                    # It may have been dropped meanwhile.
                    if self._waiting and self._waiting[0] is message:
                        self._waiting.popleft()
                    self._missed -= missed if not problem else 0
                    wait_s = self._first_wait_s
                    continue
                if self._closing is None:
                    self._changed.wait_for(lambda: self._closing is not None, wait_s)
                else:
                    self._changed.wait(min(wait_s, 0.2))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _deliver(self, message: Mapping[str, Any]) -> tuple[str | None, bool]:
        """Post a message; return what went wrong, and whether that is final."""
        data = json.dumps(message, ensure_ascii=False).encode("utf-8")
        headers = {"Content-Type": "application/json", "User-Agent": "earmark"}
        try:
            request = urllib.request.Request(self._url, data, headers, method="POST")
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                answer.read(1 << 16)
            return None, False
        except urllib.error.HTTPError as err:
            err.close()
            again = err.code >= 500 or err.code in _TRY_AGAIN
            return f"the server answers {err.code}", not again
        except (OSError, ValueError, http.client.HTTPException) as err:
            reason = getattr(err, "reason", err)
            return f"the server cannot be reached ({getattr(reason, 'strerror', None) or reason})", False
