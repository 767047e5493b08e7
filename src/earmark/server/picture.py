"""What is seen of a recording: its waveform's peaks and its spectrogram, made in one pass.

Peaks are the lowest and the highest sample of 2 ms and more, as int8.  The spectrogram has 64 mel bands every
10 ms and, in coarser levels, the maximum over twice as many frames each, as uint8: 0 is -100 dB, 255 is 0 dB.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from earmark.audio import open_audio
from earmark.clock import hms
from earmark.errors import AudioError
from earmark.features import FrontEnd, MelStream
from earmark.server.levels import LevelWriter

FloatArray = npt.NDArray[np.float32]
# Seconds that are done, and of how many (None: not known).
Progress = Callable[[float, float | None], None]

RATE = 16_000
_PEAK_SAMPLES, _PEAK_FACTOR, _PEAK_LEVELS = 32, 4, 8
_FRONT_END = FrontEnd(RATE, win_length=400, hop_length=160, n_fft=512, n_mels=64)
_MEL_LEVELS = 17
_FLOOR_DB = _FRONT_END.floor_db


def draw(source: str, folder: Path, max_s: float, progress: Progress) -> dict[str, Any]:
    """Write the levels ``peaks`` and ``spectrogram`` of a recording into a folder.

    Parameters
    ----------
    source : str
        A file.
    folder : Path
        What an earlier attempt left there is removed.
    max_s : float
        Seconds that a recording may last.
    progress : callable
        Called with the seconds done so far, and of how many.

    Returns
    -------
    dict
        ``duration``, seconds, and ``warnings``.

    Raises
    ------
    AudioError
        If the recording cannot be read, or is longer than allowed.
    """
    places = {name: folder / name for name in ("peaks", "spectrogram")}
    for place in places.values():
        shutil.rmtree(place, ignore_errors=True)
    n_samples, rest, mel = 0, np.empty(0, np.float32), MelStream(_FRONT_END)
    with (
        LevelWriter(places["peaks"], _PEAK_SAMPLES / RATE, _PEAK_FACTOR, _PEAK_LEVELS, _extremes) as peaks,
        LevelWriter(
            places["spectrogram"], _FRONT_END.grid.hop_s, 2, _MEL_LEVELS, _loudest, {"bands": 64}
        ) as spectrogram,
        open_audio(source, sample_rate=RATE) as audio,
    ):
        refuse_long(audio.name, audio.duration, max_s)
        for block in audio:
            n_samples += len(block)
            refuse_long(audio.name, n_samples / RATE, max_s)
            rest = np.concatenate([rest, block])
            whole = len(rest) // _PEAK_SAMPLES * _PEAK_SAMPLES
            peaks.add(peak_rows(rest[:whole], _PEAK_SAMPLES))
            rest = rest[whole:]
            spectrogram.add(_levels_of(mel.push(block)))
            progress(n_samples / RATE, audio.duration)
        if len(rest):
            peaks.add(peak_rows(rest, len(rest)))
        spectrogram.add(_levels_of(mel.flush()))
        duration = n_samples / RATE
        for levels in (peaks, spectrogram):
            levels.close({"duration": duration})
        return {"duration": duration, "warnings": list(audio.warnings)}


def refuse_long(name: str, seconds: float | None, max_s: float) -> None:
    """Raise `AudioError` if a recording is longer than the server allows."""
    if seconds is not None and seconds > max_s:
        raise AudioError(
            f"'{name}' is longer than the server allows, {hms(max_s)}; cut it, or have --max-hours raised"
        )


def peak_rows(samples: FloatArray, n_samples: int) -> npt.NDArray[np.int8]:
    """Return the lowest and the highest of each `n_samples` samples, int8, shape=(n, 2)."""
    low = high = samples
    while n_samples % 2 == 0:  # by halves: numpy is slow along short rows
        low, high = np.minimum(low[::2], low[1::2]), np.maximum(high[::2], high[1::2])
        n_samples //= 2
    lowest, highest = low.reshape(-1, n_samples).min(axis=1), high.reshape(-1, n_samples).max(axis=1)
    rows = np.stack([np.floor(127 * lowest), np.ceil(127 * highest)], axis=1)
    return np.clip(rows, -127, 127).astype(np.int8)


def _extremes(groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.stack([groups[:, :, 0].min(axis=1), groups[:, :, 1].max(axis=1)], axis=1)


def _loudest(groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return groups.max(axis=1)


def _levels_of(log_mel: FloatArray) -> npt.NDArray[np.uint8]:
    steps = (log_mel.T - _FLOOR_DB) * np.float32(-255 / _FLOOR_DB)
    return np.clip(np.rint(steps), 0, 255).astype(np.uint8)
