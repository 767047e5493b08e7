"""The time of day at every moment of a source that is counted in samples.

A sound card's second is not a second: after weeks its samples are minutes away from the clock on the wall.
So every piece of sound is compared with the time at which it arrived.  What arrives last was late the least;
the least lateness of the last minute or two is what the clock is steered towards, so gently that it never
jumps and never runs backwards::

    time of day  |                    . :     arrivals, late by what lies above the line
                 |             .  :_-'
                 |     : .  _.-'              the clock, steered along their lower edge
                 |   : _.-'
                 +------------------------- samples heard
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque

# Every so many seconds of sound the clock is steered, by so much a second at most.
_STEER_S = 60.0
_MOST = 0.005
# What a source that is opened has in store comes at once: for so long after its first sound, it only arrives.
SETTLE_S = 0.5
# Sound that is late by more than this for two minutes was held up, and the time between is missing.
_LATE_S = 2.0
# Sound that comes this far ahead of its time is no live sound.
_AHEAD_S = 30.0
# Turns of the clock that are remembered, two weeks of them.
_MOST_KNOTS = 20_000


class WallClock:
    """Turns seconds of sound heard into seconds since 1970, UTC.

    Parameters
    ----------
    start : float
        Time of the first sound, as far as is known.
    live : bool
        Whether sound comes as it happens; else it is a recording, which counts from `start`.

    Attributes
    ----------
    live : bool
        False, too, as soon as the source turns out to be faster than time.
    lost, repeated : float
        Seconds that were lost when the source was last opened again, and that came again, at the beginning,
        and are to be left out; known when that has settled.
    """

    def __init__(self, start: float, *, live: bool = True) -> None:
        self.live = live
        self.lost = self.repeated = 0.0
        # (seconds of sound, time, time per second of sound from there on)
        self._knots: deque[tuple[float, float, float]] = deque([(0.0, start, 1.0)], maxlen=_MOST_KNOTS)
        self._is_first, self._is_steered = True, False
        self._settled = not live
        self._opened: float | None = None  # when the first sound since the last opening arrived
        self._from = 0.0  # what was heard before that
        self._steered = 0.0
        self._least = self._least_before = math.inf

    def time(self, heard: float) -> float:
        """Return the time of day at a moment, in seconds of sound heard."""
        at = max(0, bisect_right(self._knots, heard, key=lambda knot: knot[0]) - 1)
        start, time, rate = self._knots[at]
        return time + (heard - start) * rate

    def arrived(self, heard: float, now: float) -> float:
        """Note that with sound that arrived so many seconds are heard; return the seconds lost before it."""
        if not self.live:
            return 0.0
        if self._opened is None:
            self._opened = now
        late = now - self.time(heard)
        # Later on, it is the machine's clock that was set back.
        if late < -_AHEAD_S and not self._is_steered:
            self.live, self._settled = False, True
            self._turn(heard, 1.0)
            return 0.0
        self._least = min(self._least, late)
        return self._steer(heard) if self._settled and heard >= self._steered + _STEER_S else 0.0

    def settled(self, now: float) -> bool:
        """Return whether what the source had in store has arrived, so that times can be told."""
        if not self._settled and self._opened is not None and now >= self._opened + SETTLE_S:
            # Times that were told already stay.
            if not self._is_first:
                self.lost, self.repeated = max(0.0, self._least), max(0.0, -self._least)
            self._turn(self._from, 1.0, self._least if self._is_first else self.lost)
            self._settled, self._is_first, self._steered = True, False, self._from
            self._least = math.inf
        return self._settled

    def skip(self, heard: float, seconds: float) -> None:
        """Note that so much sound is missing at a moment."""
        self._turn(heard, 1.0, seconds)

    def reopened(self, heard: float) -> None:
        """Note that the source had to be opened again: when it sounds again tells how much is missing."""
        if self.live:
            self._settled, self._opened, self._from = False, None, heard
            self._least = self._least_before = math.inf

    def _steer(self, heard: float) -> float:
        self._is_steered = True
        late = min(self._least, self._least_before)
        self._least_before, self._least, self._steered = self._least, math.inf, heard
        if late > _LATE_S:
            self._least_before = math.inf
            self._turn(heard, 1.0, late)
            return late
        self._turn(heard, 1 + min(_MOST, max(-_MOST, late / _STEER_S)))
        return 0.0

    def _turn(self, heard: float, rate: float, skipped: float = 0.0) -> None:
        """Go on from a moment at another rate, some seconds later than before."""
        time = self.time(heard) + skipped
        while self._knots and self._knots[-1][0] >= heard:
            self._knots.pop()
        self._knots.append((heard, time, rate))
