"""What is heard, to be watched in a terminal: lanes of the last minutes, level, shares, last changes."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.live import Live
from rich.text import Text

from earmark.live.rows import Row, Zone
from earmark.terminal import clock, lanes, printable, share_parts
from earmark.timeline import Segment, Timeline

FloatArray = npt.NDArray[np.float32]

_LANES_S, _MINUTE_S, _HOUR_S = 120.0, 60.0, 3600.0
_N_ROWS = 8
_REFRESH_S = 0.2
_LOWEST_DB = -60.0


class View:
    """Draws while listening goes on; use it in a ``with``.

    Shares are of what was heard: gaps count neither as this nor as that.

    Parameters
    ----------
    name : str
        Of the source.
    labels : sequence of str
        Of the model.
    delay_s : float
        How far what is told lies behind what is heard.
    sample_rate : int
        Hz.
    zone : Zone
        How times are written.
    console : Console
        Where to draw.
    """

    def __init__(
        self,
        name: str,
        labels: tuple[str, ...],
        delay_s: float,
        sample_rate: int,
        zone: Zone,
        console: Console,
    ) -> None:
        self._name, self._labels, self._delay_s, self._rate = name, labels, delay_s, sample_rate
        self._zone, self._console = zone, console
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._past: deque[Segment] = deque()
        self._since: dict[str, float] = {}
        self._rows: deque[Row] = deque(maxlen=_N_ROWS)
        self._heard = 0.0
        self._level_db = _LOWEST_DB
        self._drawn = 0.0

    def __enter__(self) -> View:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def row(self, row: Row) -> None:
        """Take note of a row."""
        label = row.label or ""
        if row.event == "start":
            self._since[label] = row.heard
        elif row.event in ("end", "withdrawn") and label in self._since:
            start = self._since.pop(label)
            if row.event == "end" and row.heard > start:
                self._past.append(Segment(start, row.heard, label))
        if row.event != "segment":
            self._rows.append(row)

    def sound(self, samples: FloatArray) -> None:
        """Take what was heard."""
        self._heard += len(samples) / self._rate
        last = samples[-self._rate // 2 :]
        power = float(np.mean(last**2)) if len(last) else 0.0
        self._level_db = max(_LOWEST_DB, 10 * np.log10(max(power, 1e-10)))

    def update(self, time_of_day: float | None) -> None:
        """Draw, if it is time to; None: the source is lost."""
        if time.monotonic() < self._drawn + _REFRESH_S:
            return
        self._drawn = time.monotonic()
        while self._past and self._past[0].end < self._heard - _HOUR_S - _LANES_S:
            self._past.popleft()
        self._live.update(self.draw(time_of_day), refresh=True)

    def draw(self, time_of_day: float | None) -> Text:
        """Return what is shown."""
        ascii_only = self._console.options.ascii_only
        width = max(40, min(self._console.width, 100)) - 1
        margin = max(len(label) for label in (*self._labels, "neither")) + 2
        n_cells = width - margin
        text = Text(no_wrap=True)
        state = "the source is lost" if time_of_day is None else self._zone.iso(time_of_day)
        text.append(printable(self._name), "bold").append(f"  {clock(self._heard, hours=True)} heard  ")
        text.append(f"{state}\n", "red" if time_of_day is None else "dim")
        full, empty = ("#", ".") if ascii_only else ("█", "░")
        n_full = round((1 - self._level_db / _LOWEST_DB) * 30)
        meter = full * min(30, max(0, n_full)) + empty * (30 - min(30, max(0, n_full)))
        text.append(f"{'level':{margin}}{meter} {self._level_db:4.0f} dBFS\n")
        text.append(lanes(self._last(_LANES_S), margin, n_cells, ascii_only))
        text.append(f"{' ' * margin}{'2 minutes ago':<{n_cells - 3}}now\n", "dim")
        text.append(f"{'':{margin}}{'last minute':>12}{'last hour':>12}\n", "dim")
        minute, hour = (self._last(seconds) for seconds in (_MINUTE_S, _HOUR_S))
        for (name, a), (_, b) in zip(share_parts(minute), share_parts(hour), strict=True):
            shares = [100 * s / t.duration if t.duration else 0.0 for s, t in ((a, minute), (b, hour))]
            text.append(f"{name:{margin}}{shares[0]:10.0f} %{shares[1]:10.0f} %\n")
        for row in self._rows:
            note = row.label or printable(row.note or "")
            text.append(f"{self._zone.iso(row.time)}  {row.event:10}{note}"[:width] + "\n", "dim")
        return text

    def _last(self, seconds: float) -> Timeline:
        """Return what was told of the last seconds, as far as anything was heard; the lanes always fill."""
        end = max(0.0, self._heard - self._delay_s)
        start = end - seconds if seconds == _LANES_S else max(0.0, end - seconds)
        open_spans = [Segment(s, end, label) for label, s in self._since.items() if s < end]
        segments = [
            Segment(max(s.start, start) - start, min(s.end, end) - start, s.label)
            for s in (*self._past, *open_spans)
            if s.end > max(start, 0) and s.start < end
        ]
        return Timeline.merged(segments, end - start, self._labels)
