"""Measurements in processes of their own, with one thread: what a run of one costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from earmark.errors import EarmarkError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Run:
    """What one process measured.

    Parameters
    ----------
    audio_s, cpu_s, wall_s : float
        Seconds of audio gone through, of processor time and of wall time.
    peak_mb : float
        Most memory held, resident, MB.
    """

    audio_s: float
    cpu_s: float
    wall_s: float
    peak_mb: float

    @property
    def cpu_s_per_hour(self) -> float:
        """Processor seconds per hour of audio."""
        return 3600 * self.cpu_s / self.audio_s

    @property
    def speed(self) -> float:
        """Seconds of audio in a second."""
        return self.audio_s / self.wall_s

    def better(self, other: Run | None) -> Run:
        """Return the least of every cost of two runs of one work: what else a machine does adds to it."""
        if other is None:
            return self
        return Run(
            self.audio_s,
            min(self.cpu_s, other.cpu_s),
            min(self.wall_s, other.wall_s),
            min(self.peak_mb, other.peak_mb),
        )


def run_measured(module: str, *arguments: object) -> Run:
    """Run a module that writes a `Run` as JSON, in a fresh process; for errors see `run_python`."""
    return Run(**json.loads(run_python(["-m", module, *map(str, arguments)])))


def run_python(arguments: Sequence[str]) -> str:
    """Run this interpreter with one thread; return what it wrote to standard output.

    Raises
    ------
    EarmarkError
        If it fails; the message holds the last line it wrote.
    """
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        told = done.returncode == 2  # a message for the user, not a traceback
        raise EarmarkError(lines[-1] if told else f"the measured process failed: {lines[-1]}")
    return done.stdout
