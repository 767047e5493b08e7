"""Listening: sound in, rows with the time of day out, for as long as there is any.

Gaps are told as gaps: what was lost with a connection, what a device could not get rid of, what the time
stamps or the clock say is missing.  Whatever sounds is taken to end there, and what follows is new.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from earmark.live.feed import Item, Lost, Over, Sound
from earmark.live.hearing import Hearing, Told
from earmark.live.rows import Row
from earmark.live.wallclock import WallClock
from earmark.live.watermark import Mark

FloatArray = npt.NDArray[np.float32]

# Less than this is a pause like any other: silence is put there.
_PAUSE_S = 0.5
_PATIENCE_S = 0.1
# A shorter gap is none: times are written in milliseconds.
_LEAST_S = 0.001


class Taker(Protocol):
    """Where sound comes from: a `Feed`."""

    def take(self, timeout_s: float) -> list[Item]: ...


class Listening:
    """Hears a source to its end.

    Parameters
    ----------
    feed : Feed
        Where sound comes from, at the model's rate.
    hearing : Hearing
        What hears it.
    clock : WallClock
        What tells the time.
    sample_rate : int
        Hz.
    to_row : callable
        Gets every row, as soon as it is known.
    to_sound : callable
        Gets the samples, after what they brought about was told.
    to_clock : callable
        Called some times a second with the time up to which everything was heard, or None in a gap.
    to_mark : callable
        Gets what a listener that is killed leaves, and whether rows came since; not of a recording.
    resumed : Mark or None
        What an earlier run left.
    now : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        feed: Taker,
        hearing: Hearing,
        clock: WallClock,
        sample_rate: int,
        *,
        to_row: Callable[[Row], None],
        to_sound: Callable[[FloatArray], None] = lambda _: None,
        to_clock: Callable[[float | None], None] = lambda _: None,
        to_mark: Callable[[Mark, bool], None] = lambda *_: None,
        resumed: Mark | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.problem: str | None = None
        self._feed, self._hearing, self._clock, self._rate = feed, hearing, clock, sample_rate
        self._write, self._to_sound, self._to_clock, self._now = to_row, to_sound, to_clock, now
        self._to_mark, self._resumed = to_mark, resumed
        self._note: str | None = None
        self._has_begun = self._has_told = False
        self._waiting: list[Sound] = []
        self._arrived_s = 0.0
        self._lost: tuple[float, str] | None = None  # when the source was lost, and why
        self._is_over = False

    def run(self, note: str | None = None) -> None:
        """Listen until the source is over or `stop` is called; `problem` says if that was not meant to be."""
        self._note = note
        while not self._is_over:
            for item in self._feed.take(_PATIENCE_S):
                self._take(item)
            self._hear()
            self._to_clock(None if self._lost else self._clock.time(self._hearing.heard))
            self._mark()
        self._hear(at_once=True)
        self._begin()
        self._tell(self._hearing.close())
        heard = self._hearing.heard
        end = self._clock.time(heard)
        if self._lost:
            start, reason = self._lost
            end = max(start, self._now())
            self._tell_gap(start, end, reason)
        self._to_row(Row("stopped", end, note=self.problem, heard=heard))
        if self._clock.live:
            self._to_mark(Mark(end), True)

    def stop(self) -> None:
        """Let `run` come to an end; may be called at any moment, from a signal handler too."""
        self._is_over = True

    def _begin(self) -> None:
        """Tell that it begins, and what was missed since an earlier run; once."""
        if self._has_begun:
            return
        self._has_begun = True
        mark = self._resumed if self._clock.live else None
        if mark is not None:
            for label, start, end in mark.held:
                self._to_row(Row("segment", end, label, start, end, note="cut off"))
            again = mark.certain_until - self._clock.time(0.0)
            # What a server has in store may reach back to what was heard then.
            if 0 < again <= sum(len(sound.samples) for sound in self._waiting) / self._rate:
                self._clock.skip(0.0, again)
                self._leave_out(round(again * self._rate))
            self._tell_gap(mark.certain_until, self._clock.time(0.0), "nobody listened")
        self._to_row(Row("listening", self._clock.time(0.0), note=self._note))

    def _mark(self) -> None:
        """Note what is certain, so that a run that follows knows."""
        if not (self._has_begun and self._clock.live):
            return
        until, held = self._hearing.known
        time_of = self._clock.time
        # In a gap, times may belong to what follows.
        upto = self._lost[0] if self._lost else time_of(until)
        mark = Mark(upto, tuple((s.label, time_of(s.start), time_of(s.end)) for s in held))
        self._to_mark(mark, self._has_told)
        self._has_told = False

    def _take(self, item: Item) -> None:
        if isinstance(item, Over):
            self.problem, self._is_over = item.problem, True
        elif isinstance(item, Lost):
            if self._lost is None or self._waiting:
                self._lose(item.reason)
        else:
            if 0 < item.missing < _PAUSE_S:
                silence = np.zeros(round(item.missing * self._rate), np.float32)
                item = Sound(np.concatenate([silence, item.samples]), item.arrived)
            self._arrived_s += len(item.samples) / self._rate
            held_up = self._clock.arrived(self._arrived_s, item.arrived)
            if held_up:
                self._hear()
                self._gap(held_up, "the source stood still")
            self._waiting.append(item)

    def _hear(self, *, at_once: bool = False) -> None:
        """Hear what waits, if the clock can tell the time of it."""
        if not self._waiting or not self._clock.settled(math.inf if at_once else self._now()):
            return
        self._begin()
        if self._lost:
            start, reason = self._lost
            self._lost = None
            self._tell_gap(start, start + self._clock.lost, reason)
            self._leave_out(round(self._clock.repeated * self._rate))
        waiting, self._waiting = self._waiting, []
        pieces: list[FloatArray] = []
        for sound in waiting:
            if sound.missing:
                self._push(pieces)
                pieces = []
                self._gap(sound.missing, "sound is missing in the source")
                self._clock.skip(self._hearing.heard, sound.missing)
            pieces.append(sound.samples)
        self._push(pieces)

    def _leave_out(self, n_samples: int) -> None:
        """Drop the first samples that wait: what a server has in store when it is called again was heard."""
        self._arrived_s -= n_samples / self._rate
        for i, sound in enumerate(self._waiting):
            dropped, n_samples = min(n_samples, len(sound.samples)), max(0, n_samples - len(sound.samples))
            if dropped:
                self._waiting[i] = Sound(sound.samples[dropped:], sound.arrived)

    def _push(self, pieces: list[FloatArray]) -> None:
        if pieces:
            samples = np.concatenate(pieces)
            self._tell(self._hearing.push(samples))
            self._to_sound(samples)

    def _tell(self, told: list[Told]) -> None:
        for each in told:
            start = self._clock.time(each.start)
            end = None if each.end is None else self._clock.time(each.end)
            self._to_row(
                Row(
                    each.event,
                    start if end is None else end,
                    each.label,
                    start,
                    end,
                    each.confidence,
                    each.speech_to_music_db,
                    heard=each.start if each.end is None else each.end,
                )
            )

    def _lose(self, reason: str) -> None:
        self._hear(at_once=True)
        self._begin()
        self._tell(self._hearing.close())
        heard = self._hearing.heard
        self._lost = self._clock.time(heard), reason
        self._to_row(Row("lost", self._lost[0], note=reason, heard=heard))
        self._clock.reopened(heard)

    def _gap(self, seconds: float, note: str) -> None:
        """Tell of seconds that are missing after what was heard."""
        self._tell(self._hearing.close())
        start = self._clock.time(self._hearing.heard)
        self._tell_gap(start, start + seconds, note)

    def _tell_gap(self, start: float, end: float, note: str) -> None:
        """Tell of a gap, if there is one that shows in milliseconds."""
        if end - start >= _LEAST_S:
            self._to_row(Row("gap", end, None, start, end, note=note, heard=self._hearing.heard))

    def _to_row(self, row: Row) -> None:
        self._has_told = True
        self._write(row)
