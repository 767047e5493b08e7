"""Programmes rendered: the waveform of a plan, and the labels that follow from it.

Both sides count in cells of 20 ms and share the rule of repetition, so that a label is where its sound
is.  A source that is too short repeats with a period of whole cells, two fewer than it has; the cell
after the seam is a crossfade::

    source    |0|1|2|3|4|5|6|7|          8 cells, the last perhaps partly empty
    event     |0|1|2|3|4|5|x|1|2|3|4|5|x|1|     x: cell 6 fades out, cell 0 fades in
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.activity import Activity, activity, fill_gaps
from earmark.errors import ConfigError
from earmark.features import FrontEnd
from earmark.frames import FrameGrid
from earmark.programme import Event, Programme
from earmark.sources import CONTENTS, Source
from earmark.timeline import Timeline

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

HOP_S = FrontEnd().grid.hop_s
# What is fainter over a second than this, or than the loudest other event by so much, is not there to a
# listener.
FAINTEST_DB = -55.0
MASKED_DB = 25.0
SHORTEST_S = 0.1
# Pauses up to this long belong to speech, to music and to noise.
PAUSES_S = (0.5, 0.7, 0.7)

_PEAK = 0.99
_DECLICK_S = 0.005
_BLOCK = 1 << 20
# Shares of a cell by which rounding may be off.
_EPS = 1e-6


class CellLabels(NamedTuple):
    """Labels and levels of a programme on its cells; columns are speech, music, noise.

    Parameters
    ----------
    active : bool, shape=(n_cells, 3)
        Whether the class is heard.
    level_db : float32, shape=(n_cells, 3)
        Planned level of the heard events of the class together, dBFS; -inf where there is none, as in its
        pauses.
        Speech less music is the speech-to-music ratio.
    """

    active: BoolArray
    level_db: FloatArray


# -- labels --------------------------------------------------------------------------------------


def active_cells(event: Event, activity: Activity, n_cells: int, hop_s: float = HOP_S) -> BoolArray:
    """Tell in which cells of a programme an event sounds by itself.

    Parameters
    ----------
    event : Event
        The event.
    activity : Activity
        That of its source.
    n_cells : int
        Cells of the programme.
    hop_s : float
        Length of a cell, seconds; the activity's, too.

    Returns
    -------
    bool, shape=(n_cells,)
        On where the source is active (repeated and offset as the waveform is) and its level over a second
        is at least `FAINTEST_DB`.  A cell belongs to the event if half of it does.
    """
    cells = np.zeros(n_cells, dtype=bool)
    first, on, *_ = _event_cells(event, activity, n_cells, hop_s)
    cells[first : first + len(on)] = on
    return cells


def label_cells(
    programme: Programme,
    activities: Mapping[int, Activity] | Sequence[Activity],
    contents: Mapping[int, str] | Sequence[str],
    hop_s: float = HOP_S,
) -> CellLabels:
    """Tell which classes are heard in each cell of a programme, and how loud they are meant to be.

    A class is heard where an event of it sounds (`active_cells`) and is over a second at most `MASKED_DB`
    below the loudest other event that sounds; and through the pauses of `PAUSES_S`.

    Parameters
    ----------
    programme : Programme
        The plan.
    activities, contents : mapping or sequence
        Activity and content of each source the plan names, by its index.
    hop_s : float
        Length of a cell, seconds.
    """
    n_cells = _n_cells(programme.duration, hop_s)
    loudest = np.full(n_cells, -np.inf, np.float32)
    second = loudest.copy()
    which = np.full(n_cells, -1)
    found = []
    for i, event in enumerate(programme.events):
        first, on, planned, level = _event_cells(event, activities[event.source], n_cells, hop_s)
        heard = np.where(on, level, -np.inf)
        span = slice(first, first + len(on))
        louder = heard > loudest[span]
        second[span] = np.where(louder, loudest[span], np.maximum(second[span], heard))
        loudest[span] = np.maximum(loudest[span], heard)
        which[span][louder] = i
        found.append((span, on, planned, level, CONTENTS.index(contents[event.source])))
    active = np.zeros((n_cells, len(CONTENTS)), dtype=bool)
    power = np.zeros((n_cells, len(CONTENTS)))
    for i, (span, on, planned, level, column) in enumerate(found):
        other = np.where(which[span] == i, second[span], loudest[span])
        heard = on & (level >= other - MASKED_DB)
        active[span, column] |= heard
        power[span, column] += np.where(heard, 10 ** (planned / 10), 0)
    for column, pause in enumerate(PAUSES_S):
        active[:, column] = fill_gaps(active[:, column], round(pause / hop_s))
    with np.errstate(divide="ignore"):
        return CellLabels(active, (10 * np.log10(power)).astype(np.float32))


def labels(
    programme: Programme,
    sources: Sequence[Source],
    activities: Mapping[int, Activity] | Sequence[Activity],
) -> Timeline:
    """Return the reference timeline of a programme.

    Runs of less than `SHORTEST_S` are dropped; segments of speech and music carry the planned
    speech-to-music ratio.

    Parameters
    ----------
    programme : Programme
        The plan.
    sources : sequence of Source
        What it was made from.
    activities : mapping or sequence of Activity
        Of each source the plan names, by its index.
    """
    cells = label_cells(programme, activities, [s.content for s in sources])
    timeline = Timeline.from_frames(cells.active, HOP_S, CONTENTS, programme.duration)
    both = np.isfinite(cells.level_db[:, 0]) & np.isfinite(cells.level_db[:, 1])
    ratio = np.zeros(len(both))
    ratio[both] = cells.level_db[both, 0] - cells.level_db[both, 1]
    segments = []
    for segment in timeline:
        if segment.duration < SHORTEST_S - 1e-9:
            continue
        span = slice(round(segment.start / HOP_S), _n_cells(segment.end, HOP_S))
        if segment.label in CONTENTS[:2] and both[span].any():
            segment = replace(segment, speech_to_music_db=float(ratio[span][both[span]].mean()))
        segments.append(segment)
    return replace(timeline, segments=tuple(segments))


def _event_cells(
    event: Event, activity: Activity, n_cells: int, hop_s: float
) -> tuple[int, BoolArray, FloatArray, FloatArray]:
    """Return an event's first cell, and for its cells whether it sounds, its planned and its real level."""
    first, last = (int(np.floor(t / hop_s + 0.5 + _EPS)) for t in (event.start, event.end))
    first, last = max(first, 0), min(last, n_cells)
    since = (np.arange(first, last) + 0.5) * hop_s - event.start
    planned = np.interp(since, event.times, event.levels).astype(np.float32)
    at = np.floor((event.offset + since) / hop_s + _EPS).astype(np.intp)
    n_source = len(activity.active)
    period = _period(event, n_source, hop_s)
    at = np.clip(at, 0, n_source - 1) if period is None else at % period
    level = planned + activity.relative_db[at].astype(np.float32)
    return first, activity.active[at] & (level >= FAINTEST_DB), planned, level


def _n_cells(seconds: float, hop_s: float) -> int:
    return int(np.ceil(seconds / hop_s - _EPS))


def _period(event: Event, n_source: int, hop_s: float) -> int | None:
    """Cells after which a source of `n_source` cells starts again; None if the event fits into it."""
    if n_source == 0:
        raise ConfigError("a source of the programme holds no samples; take it out")
    if _n_cells(event.offset + event.duration, hop_s) <= n_source:
        return None
    return max(1, n_source - 2)


# -- waveform ------------------------------------------------------------------------------------


def render(
    programme: Programme,
    sources: Sequence[Source],
    load: Callable[[Source], FloatArray],
    *,
    sample_rate: int = 16_000,
    activities: Mapping[int, Activity] | Sequence[Activity] | None = None,
) -> FloatArray:
    """Add up the events of a programme.

    Parameters
    ----------
    programme : Programme
        The plan.
    sources : sequence of Source
        What it was made from.
    load : callable
        Returns the samples of a source, float32, shape=(n,), at `sample_rate`.
    sample_rate : int
        Hz; a multiple of 50, so that cells hold whole samples.
    activities : mapping or sequence of Activity, optional
        Of each source the plan names, by its index; found from the samples where not given.

    Returns
    -------
    float32, shape=(n_samples,)
        Scaled down as a whole where the peak would exceed 0.99.

    Raises
    ------
    ConfigError
        If the sample rate is no multiple of 50, or a source is empty.
    """
    hop = round(HOP_S * sample_rate)
    if abs(hop - HOP_S * sample_rate) > _EPS or hop == 0:
        raise ConfigError(f"sample rate {sample_rate} Hz: cells of 20 ms need a multiple of 50; try 16000")
    grid = FrameGrid(sample_rate, hop, hop)
    mix = np.zeros(round(programme.duration * sample_rate), np.float32)
    for event in programme.events:
        source = sources[event.source]
        samples = load(source)
        known = (
            activities[event.source] if activities is not None else activity(samples, source.content, grid)
        )
        if np.isfinite(known.rms_db):
            _add(mix, event, samples, known.rms_db, grid)
    return limit_peak(mix)


def limit_peak(samples: FloatArray, peak: float = _PEAK) -> FloatArray:
    """Scale a signal down as a whole, if any sample exceeds `peak`."""
    highest = float(np.max(np.abs(samples), initial=0.0))
    return samples if highest <= peak else samples * np.float32(peak / highest)


def _add(mix: FloatArray, event: Event, samples: FloatArray, rms_db: float, grid: FrameGrid) -> None:
    rate, hop = grid.sample_rate, grid.hop_length
    first, last = round(event.start * rate), round(event.end * rate)
    offset = round(event.offset * rate)
    period = _period(event, grid.n_frames(len(samples)), grid.hop_s)
    ramp = max(1, min(round(_DECLICK_S * rate), (last - first) // 2))
    times, levels = np.asarray(event.times), np.asarray(event.levels)
    for start in range(max(first, 0), min(last, len(mix)), _BLOCK):
        end = min(start + _BLOCK, last, len(mix))
        since = np.arange(start - first, end - first)
        level = np.interp(since / rate, times, levels)
        gain = (10 ** ((level - rms_db) / 20)).astype(np.float32)
        edge = np.minimum(since + 0.5, last - first - since - 0.5) / ramp
        gain *= np.minimum(edge, 1).astype(np.float32)
        mix[start:end] += gain * _take(samples, offset + since, None if period is None else period * hop, hop)


def _take(samples: FloatArray, at: npt.NDArray[np.intp], period: int | None, fade: int) -> FloatArray:
    """Return the samples at increasing positions; beyond the end silence, or repeats with a crossfade."""
    n = len(samples)
    if period is None or period < 2 * fade:
        # Too short to fade: of a cell or two, repeated as they are.
        at = at if period is None else at % period
        return np.where(at < n, samples[np.minimum(at, n - 1)], np.float32(0))
    taken = samples[at % period]
    seam = np.flatnonzero((at >= period) & (at % period < fade))
    phase = (at[seam] % period + 0.5) * (np.pi / 2 / fade)
    outgoing = samples[period + at[seam] % period]
    taken[seam] = taken[seam] * np.sin(phase).astype(np.float32) + outgoing * np.cos(phase).astype(np.float32)
    return taken
