"""One measurement in a process: ``python -m earmark.bench.worker (floor|detect) FILE MODEL CORES TIMES``.

Writes one line of JSON to standard output: seconds of audio, of processor time and of wall time, and
the process's peak memory.  What happens once per process (imports, the model, the first call of every
library) is done before the clock starts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

from earmark.audio import open_audio
from earmark.catalogue import load_model
from earmark.detector import Detector
from earmark.errors import EarmarkError

# Goes through a recording; returns its seconds.
Work = Callable[[], float]


def read_only(path: str) -> float:
    """Decode and resample a recording and throw it away; return its seconds."""
    with open_audio(path) as stream:
        return sum(len(block) for block in stream) / stream.sample_rate


def peak_memory_mb() -> float:
    """Return the most memory this process has held so far, resident, in MB (1e6 bytes)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux its maximum is handed down from the process that started this one.
        line = next(x for x in status.read_text(encoding="ascii").splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def keep_to(n_cores: int) -> None:
    """Use so many cores and no others, where the system lets a process choose."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-n_cores:])


def measure(work: Work, out: TextIO, times: int = 1) -> None:
    """Do some work so many times; write what it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    seconds = sum(work() for _ in range(times))
    result = {
        "audio_s": seconds,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": peak_memory_mb(),
    }
    out.write(json.dumps(result) + "\n")


def _warm_up(mode: str, path: str, model: str, threaded: bool) -> Work:
    """Return the work to be measured, after everything it needs was used once."""
    if mode == "floor":
        with open_audio(path) as stream:
            next(iter(stream), None)
        return lambda: read_only(path)
    detector = Detector(load_model(model))
    noise = np.random.default_rng(0).normal(0, 0.01, 16_000).astype(np.float32)
    detector.detect(noise, 16_000)
    with open_audio(path) as stream:
        next(iter(stream), None)
    return lambda: detector.detect(path, threaded=threaded).duration


def main(mode: str, path: str, model: str, cores: int, times: int) -> None:
    """Measure one way of going through a file."""
    keep_to(cores)
    measure(_warm_up(mode, path, model, cores > 1), sys.stdout, times)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    except EarmarkError as err:
        sys.stderr.write(f"{err}\n")
        sys.exit(2)
