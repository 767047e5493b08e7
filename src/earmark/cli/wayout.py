"""A way out of where Python hears no signal: in FFmpeg, that waits for a server or for a pipe."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from earmark.terminal import print_error

_ENDING = tuple(
    int(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
# Seconds for an orderly end: before a second signal counts, and without one.
_GRACE_S, _PATIENCE_S = 1.0, 8.0


@contextmanager
def way_out(*, color: bool) -> Iterator[None]:
    """Let a signal that should have ended the program, but has not, end it; or a second one, at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    # The system's side of signals writes here, whatever Python is doing.
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(ours, color), name="earmark-way-out", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        theirs.close()


def _watch(signals: socket.socket, color: bool) -> None:
    with signals:
        if not _comes(signals):
            return
        time.sleep(_GRACE_S)
        signals.settimeout(_PATIENCE_S - _GRACE_S)
        try:
            if not _comes(signals):
                return
        except TimeoutError:
            pass
        print_error("interrupted", color=color)
        os._exit(130)


def _comes(signals: socket.socket) -> bool:
    """Wait for a signal that ends programs; return whether one came before the other end was closed."""
    while number := signals.recv(1):
        if number[0] in _ENDING:
            return True
    return False
