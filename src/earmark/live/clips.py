"""What was heard around every change, as files: the seconds before and after."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from earmark.audio_writer import write_audio
from earmark.errors import ConfigError, EarmarkError
from earmark.live.rows import Row, Zone

FloatArray = npt.NDArray[np.float32]

CLIP_FORMATS = ("flac", "wav")
_MOST_S = 60.0
# A change is told this much after it at the latest, as a rule.
_TOLD_S = 10.0


class Clips:
    """Keeps the last seconds heard, and writes those around starts and ends.

    Parameters
    ----------
    folder : Path
        Of the clips, ``2026-11-22T14-03-05.250+0000-start-music.flac``; made as needed.
    seconds : float
        Before and after a change.
    format : str
        One of `CLIP_FORMATS`.
    sample_rate : int
        Of the sound, Hz.
    zone : Zone
        How times are written.
    warn : callable
        Told, once for each series of failures, that clips cannot be written.

    Raises
    ------
    ConfigError
        If the length or the format is not allowed.
    EarmarkError
        If the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float,
        format: str,
        sample_rate: int,
        zone: Zone,
        warn: Callable[[str], None],
    ) -> None:
        if not 0 < seconds <= _MOST_S:
            raise ConfigError(f"--clip-seconds {seconds:g}: give more than 0, at most {_MOST_S:g}")
        if format not in CLIP_FORMATS:
            raise ConfigError(f"--clip-format {format}: give {' or '.join(CLIP_FORMATS)}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise EarmarkError(
                f"'{folder}' cannot be written: {err.strerror}; choose another folder"
            ) from err
        self._folder, self._seconds, self._format = folder, seconds, format
        self._rate, self._zone, self._warn = sample_rate, zone, warn
        self._blocks: deque[FloatArray] = deque()
        self._n_kept = self._n_heard = 0
        self._due: deque[Row] = deque()
        self._failed = False

    def row(self, row: Row) -> None:
        """Take note of a row; a change becomes a clip when what follows was heard."""
        if row.event in ("start", "end"):
            self._due.append(row)

    def sound(self, samples: FloatArray) -> None:
        """Take what was heard."""
        self._blocks.append(samples)
        self._n_kept += len(samples)
        self._n_heard += len(samples)
        self._write(self._seconds)
        most = round((2 * self._seconds + _TOLD_S) * self._rate)
        while self._n_kept - len(self._blocks[0]) >= most:
            self._n_kept -= len(self._blocks.popleft())

    def close(self) -> None:
        """Write the clips whose end was not heard yet."""
        self._write(0.0)

    def _write(self, after_s: float) -> None:
        while self._due and self._n_heard >= (self._due[0].heard + after_s) * self._rate:
            row = self._due.popleft()
            stamp = self._zone.at(row.time)
            name = f"{stamp:%Y-%m-%dT%H-%M-%S}.{stamp.microsecond // 1000:03d}{stamp:%z}"
            label = re.sub(r"[^\w-]", "_", row.label or "")
            path = self._folder / f"{name}-{row.event}-{label}.{self._format}"
            try:
                write_audio(path, self._around(row.heard), self._rate)
                self._failed = False
            except EarmarkError as err:
                if not self._failed:
                    self._warn(str(err))
                self._failed = True

    def _around(self, heard: float) -> FloatArray:
        first = self._n_heard - self._n_kept
        start, end = (round((heard + s) * self._rate) - first for s in (-self._seconds, self._seconds))
        kept = np.concatenate([*self._blocks, np.empty(0, np.float32)])
        return kept[max(0, start) : max(0, end)]
