"""What `earmark serve` takes: until waveform and lanes are there, in memory, under load, and of the page."""

from __future__ import annotations

import tempfile
import threading
import time
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench import signals
from earmark.bench.report import Figure
from earmark.bench.served import Client, Served, served, wait_until
from earmark.errors import ConfigError

_MATERIAL_S = 60.0
_LONG_RATE = 8000
_PATIENCE_S = 3600.0
_IDLE_S = 75.0
_ENDED = ("done", "failed", "cancelled")


def measure_serving(
    model: str,
    *,
    minutes: float = 60.0,
    hours: float = 24.0,
    clients: int = 50,
    jobs: int = 500,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[list[Figure], dict[str, Any]]:
    """Measure a server on this machine.

    Parameters
    ----------
    model : str
        Name or path of the model that marks.
    minutes : float
        Of the MP3 that is uploaded; 0 leaves it out.
    hours : float
        Of the recording that is opened in the folder; 0 leaves it out.
    clients, jobs : int
        Clients at a time, and the recordings of a second that they upload together; 0 leaves them out.
    tell : callable
        Told what is being done.

    Returns
    -------
    figures : list of Figure
    details : dict

    Raises
    ------
    ConfigError
        If an amount is out of range.
    EarmarkError
        If the server does not begin, or refuses what it should not.
    """
    if min(minutes, hours, clients, jobs) < 0:
        raise ConfigError("minutes, hours, clients and jobs: give 0 or more")
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="earmark-") as name:
        root = Path(name)
        folder = root / "folder"
        folder.mkdir()
        sound = signals.material(_MATERIAL_S)
        if hours:
            tell(f"writing {hours:g} hours")
            _write_long(folder / "long.wav", sound, hours)
        with served(root / "store", str(folder), "--model", model) as server:
            figures += _page(server)
            wait_until(lambda: server.client().json("GET", "/api/status"), 60)
            if minutes:
                tell(f"a recording of {minutes:g} minutes")
                more, details["upload"] = _upload(server, root, sound, minutes)
                figures += more
            if clients and jobs:
                tell(f"{clients} clients")
                more, details["load"] = _load(server, root, clients, jobs)
                figures += more
            if hours:
                tell(f"a recording of {hours:g} hours")
                more, details["long"] = _long(server, hours)
                figures += more
            figures.append(Figure("end", "after SIGTERM", server.stop(), "s"))
    return figures, details


def _page(server: Served) -> list[Figure]:
    """Ask for the page and what it names, as a browser does."""
    from earmark.server.routes.page import page_files

    client, since = server.client(), time.perf_counter()
    client.ask("GET", "/")
    first = time.perf_counter() - since
    for name in page_files():
        client.ask("GET", f"/page/{name}")
    size = sum(len(content) for content, *_ in page_files().values())
    return [
        Figure("page", "size", size / 1000, "kB"),
        Figure("page", "first answer", first, "s"),
        Figure("page", "all its files", time.perf_counter() - since, "s"),
    ]


def _upload(
    server: Served, root: Path, sound: signals.FloatArray, minutes: float
) -> tuple[list[Figure], dict[str, Any]]:
    piece = signals.encode(root / "piece.mp3", signals.MP3, sound)
    path = signals.join(root / "hour.mp3", piece, max(1, round(60 * minutes / _MATERIAL_S)))
    client = server.client()
    since = time.perf_counter()
    made = client.upload(path)
    sent = time.perf_counter()
    place = f"/api/recordings/{made['id']}"
    first = drawn = marked = None

    def look() -> bool:
        nonlocal first, drawn, marked
        found, now = client.json("GET", place), time.perf_counter()
        if first is None and client.ask("GET", f"{place}/peaks?bins=1000")[0] == 200:
            first = now - sent
        drawn = drawn or (found["peaks"] and now - sent)
        marked = marked or (found["state"] in _ENDED and now - sent)
        return bool(drawn and marked)

    wait_until(look, _PATIENCE_S)
    looks = [_open(client, place) for _ in range(5)]
    decodes = []
    for threshold in (0.4, 0.5, 0.6):
        before = time.perf_counter()
        client.json("POST", f"{place}/decode", {"options": {"speech": {"threshold": threshold}}})
        decodes.append(time.perf_counter() - before)
    group = f"MP3 of {minutes:g} minutes"
    figures = [
        Figure(group, "upload", sent - since, "s"),
        Figure(group, "first of the waveform", first, "s"),
        Figure(group, "whole waveform", drawn, "s"),
        Figure(group, "lanes", marked, "s"),
        Figure(group, "opened when ready", float(np.median(looks)), "s"),
        Figure(group, "decoded again", float(np.median(decodes)), "s"),
        Figure(group, "memory: server", server.peak_mb, "MB"),
        Figure(group, "memory: with workers", server.family_mb, "MB"),
    ]
    return figures, {"bytes": path.stat().st_size, "opened_s": looks, "decoded_s": decodes}


def _open(client: Client, place: str) -> float:
    """Ask for all that the page shows of a recording when it is opened; return the seconds."""
    since = time.perf_counter()
    client.json("GET", place)
    for what in ("peaks?bins=1500", "posteriors?bins=1500", "timelines", "timelines/detected"):
        client.ask("GET", f"{place}/{what}")
    client.ask("GET", f"{place}/spectrogram/10/0")
    return time.perf_counter() - since


def _load(server: Served, root: Path, n_clients: int, n_jobs: int) -> tuple[list[Figure], dict[str, Any]]:
    """Have many clients upload small recordings at once, and another one look on."""
    data = signals.encode(root / "small.flac", signals.FORMATS[4], signals.material(1.0)).read_bytes()
    ids: list[str] = []
    lock, ends, waits = threading.Lock(), threading.Event(), []

    def work(number: int) -> None:
        client = server.client()
        for i in range(number, n_jobs, n_clients):
            made = client.send(f"{i}.flac", data)
            with lock:
                ids.append(made)

    def look_on() -> None:
        client = server.client()
        while not ends.wait(0.05):
            before = time.perf_counter()
            client.json("GET", "/api/recordings?limit=50")
            waits.append(time.perf_counter() - before)

    onlooker = threading.Thread(target=look_on)
    onlooker.start()
    since = time.perf_counter()
    try:
        with ThreadPoolExecutor(n_clients) as pool:
            list(pool.map(work, range(n_clients)))
        sent = time.perf_counter() - since
        client = server.client()
        states: dict[str, str] = {}

        def all_ended() -> bool:
            time.sleep(0.2)
            states.update({each["id"]: each["state"] for each in client.json("GET", "/api/recordings")})
            return all(states.get(each) in _ENDED for each in ids)

        wait_until(all_ended, _PATIENCE_S)
    finally:
        ends.set()
        onlooker.join()
    took = time.perf_counter() - since
    done = sum(states.get(each) == "done" for each in set(ids))
    group = f"{n_clients} clients, {n_jobs} recordings"
    figures = [
        Figure(group, "lost", float(n_jobs - done), ""),
        Figure(group, "all uploaded", sent, "s"),
        Figure(group, "all done", took, "s"),
        Figure(group, "recordings a second", n_jobs / took, ""),
        Figure(group, "list answered: median", float(np.median(waits)), "s"),
        Figure(group, "list answered: 95 %", float(np.quantile(waits, 0.95)), "s"),
        Figure(group, "list answered: slowest", max(waits), "s"),
    ]
    return figures, {"answers": len(waits)}


def _write_long(path: Path, sound: signals.FloatArray, hours: float) -> None:
    import soxr

    mono = soxr.resample(sound.mean(axis=0), 44_100, _LONG_RATE)
    pcm = np.clip(np.rint(mono * 32768), -32768, 32767).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_LONG_RATE)
        for _ in range(max(1, round(3600 * hours / _MATERIAL_S))):
            file.writeframes(pcm)


def _long(server: Served, hours: float) -> tuple[list[Figure], dict[str, Any]]:
    client = server.client()
    server.forget_peak()
    since = time.perf_counter()
    place = f"/api/recordings/{client.json('POST', '/api/recordings', {'path': 'long.wav'})['id']}"

    def ended() -> bool:
        time.sleep(0.5)
        found = client.json("GET", place)
        return found["state"] in _ENDED and found["peaks"]

    wait_until(ended, _PATIENCE_S)
    took, working = time.perf_counter() - since, (server.peak_mb, server.family_mb)
    time.sleep(_IDLE_S)  # until workers without work have gone
    client = server.client()  # the connection has gone as well
    server.forget_peak()
    looks = [_open(client, place) for _ in range(5)]
    for i in range(200):
        start = hours * 3600 * i / 200
        client.ask("GET", f"{place}/peaks?start={start}&end={start + 60}&bins=1500")
        client.ask("GET", f"{place}/spectrogram/{i % 12}/0")
        client.ask("GET", f"{place}/posteriors?start={start}&end={start + 3600}&bins=1500")
    client.ask("GET", f"{place}/audio?start={1800 * hours}&duration=10")
    before = time.perf_counter()
    client.json("POST", f"{place}/decode", {"options": {"speech": {"threshold": 0.4}}})
    decoded = time.perf_counter() - before
    time.sleep(0.5)
    group = f"recording of {hours:g} h"
    figures = [
        Figure(group, "drawn and marked", took, "s"),
        Figure(group, "opened when ready", float(np.median(looks)), "s"),
        Figure(group, "decoded again", decoded, "s"),
        Figure(group, "memory: server, at work", working[0], "MB"),
        Figure(group, "memory: with workers, at work", working[1], "MB"),
        Figure(group, "memory: server, looked at", server.peak_mb, "MB"),
        Figure(group, "memory: with workers, looked at", server.family_mb, "MB"),
    ]
    return figures, {"opened_s": looks}
