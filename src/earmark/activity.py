"""When a recording of one class sounds: activity on the detector's cells, and its active level.

Energy rules for recordings whose class is known (one speaker, one track, one sound); they are no
detector.  Speech is what rises out of the recording's own floor, music and noise what is not silence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError, ConfigError
from earmark.features import FrontEnd
from earmark.frames import FrameGrid

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

# dBFS.  Below the first, a cell can be no more than rounding; pieces of joined recordings are parted by it.
_DIGITAL_SILENCE = -85.0
_SILENCE = -65.0
# Speech reaches this far below its loud cells, and this share of the way from the floor up to them.
_SPEECH_RANGE_DB = 35.0
_SPEECH_SHARE = 0.35
_SOUND_RANGE_DB = 45.0
_QUIET_RANGE_DB = 20.0
# Seconds.
SPEECH_PAUSE = 0.5
_SOUND_PAUSE = 0.7
_CLOSURE = 0.14
_CLICK = 0.06
_SHORTEST_SPEECH = 0.1
_LOUDNESS_WINDOW = 1.0


class Activity(NamedTuple):
    """Where a recording sounds.

    Parameters
    ----------
    active : bool, shape=(n_cells,)
        Whether each cell belongs to the sound; short pauses inside it do.
    rms_db : float
        Level of the sounding cells (pauses left out), dBFS; -inf where there is none.
    relative_db : float, shape=(n_cells,)
        Level of the second around each cell over `rms_db`, dB.
    """

    active: BoolArray
    rms_db: float
    relative_db: FloatArray


def activity(samples: npt.ArrayLike, content: str, grid: FrameGrid | None = None) -> Activity:
    """Find where a recording sounds, and how loud it is there.

    Parameters
    ----------
    samples : array, shape=(n_samples,)
        Mono signal, nominal range -1 to 1.
    content : str
        ``"speech"``: pauses of more than 0.5 s are inactive, lone clicks under 60 ms are no speech.
        ``"music"`` or ``"noise"``: inactive is what stays 45 dB below the active level, or below
        -65 dBFS (in quiet recordings: below this and 20 dB below the active level), for over 0.7 s.
    grid : FrameGrid, optional
        The cells; by default the detector's (20 ms at 16 kHz).

    Raises
    ------
    AudioError
        If the signal is not mono.
    ConfigError
        If the content is none of the three.
    """
    if content not in ("speech", "music", "noise"):
        raise ConfigError(f"content '{content}': it must be speech, music or noise")
    grid = grid or FrontEnd().grid
    power = cell_power(samples, grid.hop_length)
    level = _decibels(power)
    per_second = 1 / grid.hop_s
    sounding = _speech_cells(level, per_second) if content == "speech" else _sound_cells(level, power)
    if not sounding.any():
        return Activity(sounding, -np.inf, np.zeros(len(sounding)))
    rms_db = float(_decibels(np.mean(power[sounding])))
    relative_db = _decibels(around(power, grid.hop_s)) - rms_db
    if content == "speech":
        joined = fill_gaps(sounding, _cells(SPEECH_PAUSE, per_second))
        active = _drop_short(joined, _cells(_SHORTEST_SPEECH, per_second))
    else:
        active = fill_gaps(sounding, _cells(_SOUND_PAUSE, per_second))
    return Activity(active, rms_db, relative_db)


def around(power: npt.NDArray[np.floating], hop_s: float) -> FloatArray:
    """Return the mean power of the second around each cell (at the ends, of what is there of it)."""
    half = _cells(_LOUDNESS_WINDOW / 2, 1 / hop_s)
    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    cells = np.arange(len(power))
    first, last = np.maximum(cells - half, 0), np.minimum(cells + half + 1, len(power))
    return (sums[last] - sums[first]) / (last - first)


def cell_power(samples: npt.ArrayLike, hop_length: int) -> FloatArray:
    """Return the mean square of each cell, shape=(n_cells,); a last, partial cell counts what it has."""
    signal = np.asarray(samples, dtype=np.float32)
    if signal.ndim != 1:
        raise AudioError(f"got samples of shape {signal.shape}; give one mono channel, shape (n_samples,)")
    whole = len(signal) // hop_length * hop_length
    blocks = signal[:whole].reshape(-1, hop_length)
    power = np.einsum("ij,ij->i", blocks, blocks) / hop_length
    if whole < len(signal):
        power = np.append(power, np.mean(signal[whole:] ** 2))
    return np.asarray(power, dtype=np.float64)


def sounding_cells(samples: npt.ArrayLike, hop_length: int, hop_s: float) -> BoolArray:
    """Tell which cells are not silent, shape=(n_cells,); digital silence up to half a second is a pause."""
    power = cell_power(samples, hop_length)
    return fill_gaps(power > 10 ** (_DIGITAL_SILENCE / 10), _cells(SPEECH_PAUSE, 1 / hop_s))


def _decibels(power: npt.ArrayLike) -> FloatArray:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def _cells(seconds: float, per_second: float) -> int:
    return round(seconds * per_second)


def _speech_cells(level: FloatArray, per_second: float) -> BoolArray:
    """Cells that rise out of the floor of their piece of the recording."""
    audible = level > _DIGITAL_SILENCE
    sounding = np.zeros(len(level), dtype=bool)
    if not audible.any():
        return sounding
    lowest = np.percentile(level[audible], 95) - _SPEECH_RANGE_DB
    # Recordings joined with digital silence each have a floor of their own.
    for start, end in _runs(fill_gaps(audible, _cells(0.08, per_second))).tolist():
        piece = level[start:end]
        floor, loud = np.percentile(piece[audible[start:end]], (5, 95))
        threshold = max(loud - _SPEECH_RANGE_DB, floor + _SPEECH_SHARE * (loud - floor), lowest)
        sounding[start:end] = piece >= threshold
    words = _drop_short(fill_gaps(sounding, _cells(_CLOSURE, per_second)), _cells(_CLICK, per_second))
    return np.asarray(sounding & words)


def _sound_cells(level: FloatArray, power: FloatArray) -> BoolArray:
    """Cells that are not silent, in themselves or beside the rest of the recording."""
    sounding = level > _DIGITAL_SILENCE
    for _ in range(3):
        if not sounding.any():
            break
        mean = float(_decibels(np.mean(power[sounding])))
        # A quiet recording (a forest at -62 dBFS) is not silence: what counts there is its own level.
        sounding = level >= max(mean - _SOUND_RANGE_DB, min(_SILENCE, mean - _QUIET_RANGE_DB))
    return sounding


def _runs(cells: BoolArray) -> IntArray:
    """Return the first cell and the end of each run of active cells, shape=(n_runs, 2)."""
    return np.flatnonzero(np.diff(cells.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)


def fill_gaps(cells: BoolArray, longest: int) -> BoolArray:
    """Fill inner gaps of at most `longest` cells, shape=(n_cells,)."""
    runs = _runs(cells)
    return _paint(len(cells), runs[:-1, 1], runs[1:, 0], runs[1:, 0] - runs[:-1, 1] <= longest) | cells


def _drop_short(cells: BoolArray, shortest: int) -> BoolArray:
    """Drop runs of fewer than `shortest` cells."""
    runs = _runs(cells)
    return _paint(len(cells), runs[:, 0], runs[:, 1], runs[:, 1] - runs[:, 0] >= shortest)


def _paint(n_cells: int, starts: IntArray, ends: IntArray, chosen: BoolArray) -> BoolArray:
    steps = np.zeros(n_cells + 1, dtype=np.int8)
    steps[starts[chosen]] += 1
    steps[ends[chosen]] -= 1
    return np.cumsum(steps[:-1]) > 0
