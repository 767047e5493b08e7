"""Programmes as plans: which source sounds when, from where, how loud.

A plan is plain numbers, so the same plan can be rendered as a waveform (`earmark.render`) or, far
cheaper, by adding mel powers (`earmark.train.mixture`), and its labels follow from it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One source sounding for a while.

    Parameters
    ----------
    source : int
        Index of the source in the list the plan was made from.
    start, duration : float
        When it sounds in the programme, seconds.
    offset : float
        Where in the source it begins, seconds; a source that ends earlier is repeated.
    times, levels : tuple of float
        Breakpoints of the level: seconds from `start`, and dBFS of the source's active RMS at that
        time; linear in dB between them, constant outside.
    """

    source: int
    start: float
    duration: float
    offset: float
    times: tuple[float, ...]
    levels: tuple[float, ...]

    @property
    def end(self) -> float:
        """Seconds at which it stops."""
        return self.start + self.duration


@dataclass(frozen=True)
class Programme:
    """A plan of `duration` seconds."""

    duration: float
    events: tuple[Event, ...]
