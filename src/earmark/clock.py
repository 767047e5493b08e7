"""Where decoded sound belongs on the time line of its container."""

from __future__ import annotations

import math
from dataclasses import dataclass

from av.audio.frame import AudioFrame

# Differences between time stamps and counted samples up to this are rounding or drift, seconds.
GAP_S = 0.1
# The same where sound begins, or goes on after damage.
EXACT_S = 0.001
# A longer gap is a clock that was set, not a pause.
_MAX_GAP_S = 3600.0
# Share of a difference that is followed at every frame.
_PULL = 0.01


def hms(seconds: float) -> str:
    """Write a time as hh:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@dataclass
class Spans:
    """Sums up where something was met, seconds."""

    start: float = 0.0
    end: float = 0.0
    total: float = 0.0
    count: int = 0

    def add(self, start: float, end: float, count: int = 1) -> None:
        if not self.count:
            self.start = start
        self.end = end
        self.total += end - start
        self.count += count


class StreamClock:
    """Counts samples and compares them with the time stamps.

    The time line starts with the container's first sound or picture.

    Parameters
    ----------
    video_starts : list of float
        First times of the pictures, seconds in the container's clock.
    follow : bool
        Follow time stamps of a clock that drifts from the samples, as a sound card's does over days.

    Attributes
    ----------
    first : float
        Time of the first sound in the container's clock, seconds.
    length : float
        From there on, with the silence in between, seconds.
    gaps, jumps : Spans
        Where silence was put between sounds, and where the clock was set.
    """

    def __init__(self, video_starts: list[float], *, follow: bool = False) -> None:
        self._pull = _PULL if follow else 0.0
        self._starts = [*video_starts]
        self._zero: float | None = None
        self._next = math.inf
        self.first = 0.0
        self.length = 0.0
        self.gaps = Spans()
        self.jumps = Spans()

    @property
    def now(self) -> float:
        """Where the next frame belongs, seconds."""
        return 0.0 if self._zero is None else self._next - self._zero

    def expect(self, time: float) -> None:
        """Take note of sound that cannot be decoded, at a time in the container's clock."""
        if self._zero is None:
            self._starts.append(time)

    def place(self, frame: AudioFrame, tolerance: float) -> float:
        """Return the seconds of silence that belong before a frame."""
        time, gap = frame.time, 0.0
        seconds = frame.samples / frame.sample_rate
        if time is None:
            time = self._next
        if not -GAP_S <= time - self._next <= tolerance:
            gap = self._gap(time, tolerance)
        elif self._pull:
            self._next += self._pull * (time - self._next)
        self._next += gap + seconds
        self.length += gap + seconds
        return gap

    def _gap(self, time: float, tolerance: float) -> float:
        starting = self._zero is None
        if self._zero is None:
            time = 0.0 if math.isinf(time) else time
            self._zero = self._next = min([time, *self._starts])
            self.first = max(0.0, time)
            self.length = self._next - time  # silence before the first sound is not counted
        gap = time - self._next
        if 0 <= gap <= _MAX_GAP_S:
            if not starting and tolerance == GAP_S:
                self.gaps.add(self.now, self.now + gap)
            return gap if gap > EXACT_S else 0.0
        # Overlaps, and clocks that were set: read on as if nothing had happened.
        if gap > 0:
            self.jumps.add(self.now, self.now)
        self._zero += gap
        self._next += gap
        return 0.0
