"""Listening in a process of its own: ``python -m earmark.bench.listenworker PCM SECONDS PACE MODEL``.

PCM is a file of 16-bit samples at the model's rate, gone through again and again for so many seconds,
at its own pace (``paced``) or as fast as it goes (``fast``).  A thread writes it into a pipe, and listening
reads that as any other.  Writes one line of JSON to standard output: the rows with
the time at which they came, all in seconds since the first sample, what was heard, and what it cost.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

import numpy as np

from earmark.audio import open_audio
from earmark.bench.worker import peak_memory_mb
from earmark.errors import ConfigError, EarmarkError
from earmark.live.feed import Feed
from earmark.live.hearing import Hearing
from earmark.live.listening import Listening
from earmark.live.rows import Row
from earmark.live.source import Pcm, Source
from earmark.live.wallclock import WallClock
from earmark.model import Model

# Written at a time: 50 ms at its own pace, a second else.
_PACED_S, _FAST_S = 0.05, 1.0
# Heard by then, a listener holds all it ever needs.
_WARM_S = 600.0


class _Player(threading.Thread):
    """Writes the sound into a pipe."""

    def __init__(self, file: int, path: str, rate: int, seconds: float, is_paced: bool) -> None:
        super().__init__(daemon=True)
        self.began = 0.0
        self._file, self._path, self._rate, self._seconds = file, path, rate, seconds
        self._is_paced = is_paced

    def run(self) -> None:
        n_bytes = 2 * round((_PACED_S if self._is_paced else _FAST_S) * self._rate)
        left = 2 * round(self._seconds * self._rate)
        sent_s = 0.0
        self.began = time.time()
        with os.fdopen(self._file, "wb", buffering=0) as pipe, open(self._path, "rb") as sound:
            while left:
                part = sound.read(min(n_bytes, left))
                if not part:
                    sound.seek(0)
                    continue
                sent_s += len(part) / 2 / self._rate
                # A block can be sent when its last sample has sounded.
                if self._is_paced and (early := self.began + sent_s - time.time()) > 0:
                    time.sleep(early)
                left -= len(part)
                while part:
                    part = part[pipe.write(part) :]


def main(path: str, seconds: str, pace: str, model_name: str) -> None:
    """Listen once."""
    model = Model.load(model_name)
    rate = model.sample_rate
    access = Source.parse("-", Pcm(rate, "s16le", 1)).access
    reader, writer = os.pipe()
    player = _Player(writer, path, rate, float(seconds), pace == "paced")
    rows: list[tuple[float, float, Row]] = []
    warm_mb = 0.0
    n_heard = 0

    def count(block: np.ndarray) -> None:
        nonlocal n_heard, warm_mb
        n_heard += len(block)
        if not warm_mb and n_heard >= min(_WARM_S, float(seconds) / 2) * rate:
            warm_mb = peak_memory_mb()

    hearing = Hearing(model, model.decode)
    cpu, wall = time.process_time(), time.perf_counter()
    player.start()
    with (
        os.fdopen(reader, "rb", buffering=0) as pipe,
        Feed(lambda: open_audio(pipe, sample_rate=rate, access=access), rate) as feed,
    ):
        clock = WallClock(player.began, live=pace == "paced")
        listening = Listening(
            feed,
            hearing,
            clock,
            rate,
            to_row=lambda row: rows.append((time.time(), hearing.heard, row)),
            to_sound=count,
        )
        listening.run()
    if listening.problem is not None:
        raise ConfigError(listening.problem)
    result = {
        "rows": [_row(at - player.began, sound, row, player.began) for at, sound, row in rows],
        "heard_s": n_heard / rate,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "warm_mb": warm_mb,
        "peak_mb": peak_memory_mb(),
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _row(came: float, sound: float, row: Row, zero: float) -> dict[str, Any]:
    """Return what a row says, when it came, and how much sound had been heard by then."""
    return {
        "event": row.event,
        "label": row.label,
        "heard": row.heard,
        "time": round(row.time - zero, 4),
        "came": came,
        "sound": sound,
    }


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except EarmarkError as err:
        sys.stderr.write(f"{err}\n")
        sys.exit(2)
