"""Plans of radio-like programmes: scenes of talk, music, talk over music, song, noise and silence.

A plan only draws numbers (see `earmark.programme`).  Scenes follow each other by a hard cut, a short
pause or a crossfade; talk over music knows beds, ducking, talk-ups and fades, at speech-to-music
ratios of -5 to 20 dB (the range of Bhattacharjee et al., section 4.2 of their paper, and radio practice).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.errors import ConfigError
from earmark.programme import Event, Programme
from earmark.sources import Source

# Active level of the leading voice or music, dBFS; radio is mixed about there.
_LEVEL = -23.0


@dataclass(frozen=True)
class PlanOptions:
    """What a programme is made of.

    Parameters
    ----------
    speech, music, talk_over, song, noise, speech_in_noise, music_in_noise, silence : float
        Relative frequency of each kind of scene.
    scene_s : (float, float)
        Shortest and longest scene, seconds (drawn log-uniformly).
    smr_db : (float, float)
        Speech-to-music ratio of talk over music, dB.
    balance : float
        How collections share the drawing: 0 all alike, 1 by their minutes.
    """

    speech: float = 0.22
    music: float = 0.17
    talk_over: float = 0.25
    song: float = 0.12
    noise: float = 0.08
    speech_in_noise: float = 0.07
    music_in_noise: float = 0.05
    silence: float = 0.04
    scene_s: tuple[float, float] = (2.5, 40.0)
    smr_db: tuple[float, float] = (-5.0, 20.0)
    balance: float = 0.5


SCENES = ("speech", "music", "talk_over", "song", "noise", "speech_in_noise", "music_in_noise", "silence")


def plan(
    sources: Sequence[Source],
    duration: float,
    rng: np.random.Generator,
    options: PlanOptions | None = None,
) -> Programme:
    """Draw a programme.

    Parameters
    ----------
    sources : sequence of Source
        What may sound; events refer to it by index.
    duration : float
        Length of the programme, seconds.
    rng : numpy.random.Generator
        Source of every random choice.
    options : PlanOptions, optional
        Frequencies of the scenes and their ranges.

    Raises
    ------
    ConfigError
        If no source fits any wanted scene, or the duration is not positive.
    """
    if not 0 < duration < math.inf:
        raise ConfigError(f"programme of {duration} s: give a duration above 0")
    return _Planner(sources, duration, rng, options or PlanOptions()).run()


class _Planner:
    """State of one drawing: the pools of sources, the events so far and the time reached."""

    def __init__(
        self, sources: Sequence[Source], duration: float, rng: np.random.Generator, options: PlanOptions
    ) -> None:
        self.sources, self.duration, self.rng, self.options = sources, duration, rng, options
        self.events: list[Event] = []
        self.pools = {
            "speech": self._pool(lambda s: s.content == "speech"),
            "music": self._pool(lambda s: s.content == "music" and not s.sung),
            "sung": self._pool(lambda s: s.content == "music" and s.sung),
            "noise": self._pool(lambda s: s.content == "noise"),
        }
        needs = {
            "speech": ("speech",),
            "music": ("music",),
            "talk_over": ("speech", "music"),
            "song": ("sung",),
            "noise": ("noise",),
            "speech_in_noise": ("speech", "noise"),
            "music_in_noise": ("music", "noise"),
            "silence": (),
        }
        weights = [
            getattr(options, name) * all(self.pools[pool] is not None for pool in needs[name])
            for name in SCENES
        ]
        if sum(weights[:-1]) <= 0:
            raise ConfigError("no source fits a wanted scene; give speech, music or noise recordings")
        self.weights = np.array(weights) / sum(weights)
        self.level = _LEVEL + float(rng.normal(0, 4))

    def _pool(self, wanted: Callable[[Source], bool]) -> tuple[np.ndarray, np.ndarray] | None:
        """Indices that fit and their probabilities: a collection's weight is its minutes to a power."""
        indices = np.array([i for i, s in enumerate(self.sources) if wanted(s)], dtype=int)
        if not len(indices):
            return None
        minutes: dict[str, float] = {}
        for i in indices:
            minutes[self.sources[i].origin] = (
                minutes.get(self.sources[i].origin, 0.0) + self.sources[i].seconds
            )
        weights = np.array(
            [
                self.sources[i].seconds * minutes[self.sources[i].origin] ** (self.options.balance - 1)
                for i in indices
            ]
        )
        return indices, np.cumsum(weights / weights.sum())

    def run(self) -> Programme:
        at = 0.0
        while at < self.duration:
            name = SCENES[int(self.rng.choice(len(SCENES), p=self.weights))]
            length = self._log_uniform(*self.options.scene_s)
            end = getattr(self, f"_{name}")(at, length)
            draw = self.rng.random()
            if draw < 0.45:
                at = end
            elif draw < 0.75:
                at = end + self._log_uniform(0.08, 2.0)
            else:
                at = max(at + 1.0, end - self._log_uniform(0.3, 3.0))
        if self.pools["noise"] is not None and self.rng.random() < 0.2:
            floor = self.level - self.rng.uniform(12, 35)
            self._add("noise", 0.0, self.duration, floor, fades=(1.0, 1.0))
        events = tuple(
            sorted((e for e in self.events if e.start < self.duration), key=lambda e: (e.start, e.source))
        )
        return Programme(self.duration, events)

    # -- scenes: each adds events from `at` on and returns its end -------------------------------

    def _speech(self, at: float, length: float) -> float:
        return self._talk(at, length, self.level + self.rng.normal(0, 2.5))

    def _music(self, at: float, length: float) -> float:
        length = max(length, 4.0)
        level = self.level + self.rng.normal(0, 4)
        return self._add("music", at, length, level, fades=self._fades())

    def _song(self, at: float, length: float) -> float:
        length = max(length, 5.0)
        level = self.level + self.rng.normal(0, 3)
        alone = self.pools["music"] is None or self.rng.random() < 0.4
        t, end = at, at + length
        while t < end:
            line = self._log_uniform(4, 20)
            t = self._add("sung", t, min(line, end - t + 1), level, fades=(0.0, 0.0))
            t += self.rng.choice([0.0, 0.3, 1.5, 4.0]) if not alone else self.rng.choice([0.0, 0.2, 0.5])
        if not alone:
            backing = level - self.rng.uniform(-8, 9)
            lead_in = self.rng.uniform(0, 4)
            self._add("music", max(0.0, at - lead_in), t - at + lead_in + 2, backing, fades=self._fades())
        return t

    def _talk_over(self, at: float, length: float) -> float:
        """Talk over music: an intro, the bed under the talk, and what follows."""
        length = max(length, 4.0)
        talk_level = self.level + self.rng.normal(0, 2)
        intro = self.rng.choice([0.0, self._log_uniform(0.5, 8.0)])
        talk_end = self._talk(at + intro, length, talk_level, most_pause=1.5)
        bed = talk_level - self.rng.uniform(*self.options.smr_db)
        kind = self.rng.choice(["bed", "duck", "fade_out", "fade_in", "cut"], p=[0.35, 0.35, 0.12, 0.08, 0.1])
        outro = float(self.rng.choice([0.0, 0.4, self._log_uniform(1.0, 10.0)]))
        ramp = self._log_uniform(0.15, 2.0)
        loud = max(bed, self.level + self.rng.normal(0, 3)) if kind == "duck" else bed
        start, end = at, talk_end + outro
        first, last = at + intro, talk_end
        if kind == "fade_out":
            end = at + intro + (talk_end - at - intro) * self.rng.uniform(0.3, 0.9)
            points = [(start, loud), (max(first, end - 3 * ramp), bed), (end, bed - 45)]
        elif kind == "fade_in":
            start = at + intro + (talk_end - at - intro) * self.rng.uniform(0.1, 0.7)
            points = [(start, bed - 40), (start + 2 * ramp, bed)]
        elif kind == "cut":
            start = at + (talk_end - at) * self.rng.uniform(0.0, 0.6)
            end = start + self._log_uniform(1.0, 8.0)
            points = [(start, bed)]
        else:
            points = [(start, loud), (max(start, first - ramp / 2), loud), (first + ramp / 2, bed)]
            points += [
                (last, bed),
                (last + ramp, loud),
                (end, loud if self.rng.random() < 0.6 else loud - 40),
            ]
        self._add_points("music", start, end - start, points)
        return max(end, talk_end)

    def _noise(self, at: float, length: float) -> float:
        end = self._add("noise", at, length, self.level + self.rng.normal(-4, 6), fades=self._fades())
        if self.rng.random() < 0.3:
            self._add(
                "noise",
                at,
                length * self.rng.uniform(0.3, 1),
                self.level + self.rng.normal(-6, 6),
                (0.05, 0.1),
            )
        return end

    def _speech_in_noise(self, at: float, length: float) -> float:
        level = self.level + self.rng.normal(0, 2)
        end = self._talk(at, length, level)
        lead, tail = self.rng.uniform(0, 3, size=2)
        self._add(
            "noise",
            max(0.0, at - lead),
            end - at + lead + tail,
            level - self.rng.uniform(-2, 25),
            self._fades(),
        )
        return end + tail

    def _music_in_noise(self, at: float, length: float) -> float:
        level = self.level + self.rng.normal(0, 3)
        end = self._add("music", at, max(length, 4.0), level, self._fades())
        lead, tail = self.rng.uniform(0, 3, size=2)
        self._add(
            "noise",
            max(0.0, at - lead),
            end - at + lead + tail,
            level - self.rng.uniform(0, 25),
            self._fades(),
        )
        return end + tail

    def _silence(self, at: float, length: float) -> float:
        return at + min(length, 8.0)

    # -- building blocks -------------------------------------------------------------------------

    def _talk(self, at: float, length: float, level: float, most_pause: float = 4.0) -> float:
        """Add turns of one to three speakers for about `length` seconds."""
        speakers = [self._draw("speech") for _ in range(int(self.rng.choice([1, 1, 1, 2, 3])))]
        levels = level + self.rng.normal(0, 1.5, size=len(speakers))
        t, end = at, at
        while t < at + length:
            who = int(self.rng.integers(len(speakers)))
            source = self.sources[speakers[who]]
            turn = min(self._log_uniform(1.0, 20.0), source.seconds, max(1.0, at + length - t))
            offset = self.rng.uniform(0, max(0.0, source.seconds - turn))
            end = t + turn
            self.events.append(Event(speakers[who], t, turn, float(offset), (0.0,), (float(levels[who]),)))
            pause = self.rng.choice([0.0, 0.25, self._log_uniform(0.5, most_pause)], p=[0.35, 0.35, 0.3])
            t = end + float(pause)
        return end

    def _draw(self, pool: str) -> int:
        found = self.pools[pool]
        if found is None:
            raise ConfigError(f"a scene needs {pool}, and there is none")
        indices, cumulative = found
        return int(indices[min(int(np.searchsorted(cumulative, self.rng.random())), len(indices) - 1)])

    def _add(
        self, pool: str, start: float, duration: float, level: float, fades: tuple[float, float] = (0.0, 0.0)
    ) -> float:
        """Add one event at a constant level, with fades in and out of so many seconds."""
        fade_in, fade_out = (min(f, duration / 3) for f in fades)
        points = []
        if fade_in:
            points.append((start, level - 45))
        points += [(start + fade_in, level), (start + duration - fade_out, level)]
        if fade_out:
            points.append((start + duration, level - 45))
        return self._add_points(pool, start, duration, points)

    def _add_points(
        self, pool: str, start: float, duration: float, points: Sequence[tuple[float, float]]
    ) -> float:
        index = self._draw(pool)
        seconds = self.sources[index].seconds
        offset = self.rng.uniform(0, max(0.0, seconds - duration)) if self.rng.random() < 0.8 else 0.0
        start = max(0.0, start)
        pairs = sorted((max(0.0, t - start), level) for t, level in points)
        times, levels = (tuple(float(v) for v in column) for column in zip(*pairs, strict=True))
        self.events.append(
            Event(index, float(start), float(max(duration, 0.3)), float(offset), times, levels)
        )
        return start + max(duration, 0.3)

    def _fades(self) -> tuple[float, float]:
        """Fade-in and fade-out lengths: mostly none, sometimes short, sometimes long."""
        choices = [0.0, self._log_uniform(0.05, 0.5), self._log_uniform(0.5, 6.0)]
        first, last = self.rng.choice(3, p=[0.6, 0.15, 0.25]), self.rng.choice(3, p=[0.4, 0.2, 0.4])
        return choices[first], choices[last]

    def _log_uniform(self, low: float, high: float) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))
