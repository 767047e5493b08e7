"""A server in a process of its own, asked as clients ask it, and what it and its workers hold in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from earmark.errors import EarmarkError

_START_S = 60.0
_LOOK_S = 0.1
_TIMEOUT_S = 120.0
_COMMAND = "import sys; from earmark.cli.app import main; sys.argv[0] = 'earmark'; main()"


class Client:
    """One client with a connection of its own.

    Parameters
    ----------
    address : str
        Of the server.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Return the status of an answer and what it holds."""
        self._connection.request(method, path, body, {"X-Earmark": "1", **headers})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """Return an answer of JSON; raises `EarmarkError` if it is a refusal."""
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data is not None else {}
        status, answer = self.ask(method, path, data, **kind)
        if status >= 400:
            raise EarmarkError(f"{method} {path}: the server says {status} {answer.decode()[:200]}")
        return json.loads(answer) if answer else None

    def upload(self, path: Path) -> dict[str, Any]:
        """Upload a recording in pieces, as the page does."""
        begun = self.json("POST", "/api/uploads", {"name": path.name, "size": path.stat().st_size})
        place, offset = f"/api/uploads/{begun['upload']}", 0
        with path.open("rb") as file:
            while piece := file.read(begun["chunk_bytes"]):
                status, answer = self.ask("PUT", f"{place}?offset={offset}", piece)
                if status != 200:
                    raise EarmarkError(f"the upload was refused: {answer.decode()[:200]}")
                offset += len(piece)
        made: dict[str, Any] = self.json("POST", f"{place}/done", {})
        return made

    def send(self, name: str, data: bytes) -> str:
        """Upload a small recording at once; return its id."""
        status, answer = self.ask("POST", f"/api/recordings?name={quote(name)}", data)
        if status != 201:
            raise EarmarkError(f"the upload was refused: {answer.decode()[:200]}")
        return str(json.loads(answer)["id"])


class Served:
    """A running server.

    Attributes
    ----------
    address : str
    peak_mb, family_mb : float
        Most memory seen so far of the server, and of it with its workers, MB.
    """

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.address = address
        self.peak_mb = self.family_mb = 0.0
        self._process = process
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def client(self) -> Client:
        """Return a new client."""
        return Client(self.address)

    def forget_peak(self) -> None:
        """Look for the most memory anew."""
        self.peak_mb = self.family_mb = 0.0

    def stop(self) -> float:
        """End the server; return the seconds that took."""
        self._ends.set()
        self._thread.join()
        since = time.perf_counter()
        self._process.terminate()
        self._process.wait(30)
        return time.perf_counter() - since

    def _watch(self) -> None:
        while not self._ends.wait(_LOOK_S):
            own = _resident_mb(self._process.pid)
            self.peak_mb = max(self.peak_mb, own)
            self.family_mb = max(self.family_mb, own + sum(map(_resident_mb, _children(self._process.pid))))


@contextmanager
def served(store: Path, *options: str) -> Iterator[Served]:
    """Run `earmark serve` with a store and other options; raises `EarmarkError` if it does not begin."""
    arguments = ["serve", *options, "--store", str(store), "--port", "0", "--no-browser"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "http" not in line:
                raise EarmarkError("the server does not begin; run 'earmark serve' to see why")
            running = Served(process, line.split()[-1])
            yield running
            if process.poll() is None:
                running.stop()
        finally:
            process.kill()


def wait_until(look: Callable[[], Any], seconds: float) -> Any:
    """Return what `look` returns as soon as that is something; raises `EarmarkError` if it takes too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    raise EarmarkError(f"the server was not done after {seconds:g} s")


def _resident_mb(pid: int) -> float:
    """Return the memory of a process, of what it shares with others its part; 0 if it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    except (OSError, ValueError):
        pass
    return 0.0


def _children(pid: int) -> list[int]:
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        texts = [(task / "children").read_text(encoding="ascii") for task in tasks]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]
