"""Melodies: scales, notes and lines, drawn in a style."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from earmark.train.sing.styles import Style

SCALES: dict[str, tuple[float, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "bhairav": (0, 1, 4, 5, 7, 8, 11),
    "todi": (0, 1, 3, 6, 7, 8, 11),
    "kalyan": (0, 2, 4, 6, 7, 9, 11),
    "rast": (0, 2, 3.5, 5, 7, 9, 10.5),
    "bayati": (0, 1.5, 3, 5, 7, 8, 10),
    "hijaz": (0, 1, 4, 5, 7, 8, 10),
    "chromatic": tuple(range(12)),
}


@dataclass(frozen=True)
class Note:
    """One pitch held for a while; times in seconds, `degree` counts steps of the melody's scale.

    `begins_syllable` is False where the vowel of the note before goes on (melisma, ornament).
    """

    start: float
    duration: float
    degree: int
    begins_syllable: bool = True


@dataclass(frozen=True)
class Line:
    """Notes sung in one breath on the syllables from `first_syllable` on."""

    first_syllable: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Melody:
    """Lines in a scale of semitones above `tonic` (MIDI note number)."""

    tonic: float
    scale: tuple[float, ...]
    lines: tuple[Line, ...]

    def pitch(self, degree: int) -> float:
        """MIDI note number of a scale step; negative steps lie below the tonic."""
        octave, step = divmod(degree, len(self.scale))
        return self.tonic + 12 * octave + self.scale[step]

    @property
    def duration(self) -> float:
        """Seconds at which the last note ends."""
        return max(note.start + note.duration for line in self.lines for note in line.notes)


def compose(n_syllables: int, middle: float, style: Style, rng: np.random.Generator) -> Melody:
    """Draw a melody for so many syllables: a random walk in a scale over a grid of beats.

    Rhythms recur from line to line; a line ends on a longer note and is followed by a breath.

    Parameters
    ----------
    n_syllables : int
        Syllables to be sung, at least 1.
    middle : float
        MIDI note number around which the melody moves.
    style : Style
        Tempo, note lengths, scale and ornaments.
    rng : numpy.random.Generator
        Source of every choice.
    """
    scale = SCALES[str(rng.choice(style.scales))]
    melody = Melody(middle - float(rng.uniform(0, 12)), scale, ())
    beat = 60 / rng.uniform(*style.bpm)
    lengths, weights = np.array(style.beats).T
    rhythms = [rng.choice(lengths, size=rng.integers(4, 13), p=weights / weights.sum()) for _ in range(3)]
    steps = np.arange(-3 * len(scale), 4 * len(scale))
    pitches = np.array([melody.pitch(int(step)) for step in steps])
    low, high = steps[np.abs(pitches - middle) <= style.span][[0, -1]]
    degree = int(rng.integers(low, high + 1))
    lines: list[Line] = []
    time, sung = 0.1, 0
    while sung < n_syllables:
        rhythm = rhythms[int(rng.integers(3))][: n_syllables - sung]
        notes: list[Note] = []
        start = time
        for i, length in enumerate(rhythm):
            seconds = max(float(length) * beat, 0.16)
            if i + 1 == len(rhythm):
                seconds = min(seconds * float(rng.choice([1, 1.5, 2, 3])), max(seconds, 2.5))
            degree = _step(degree, int(low), int(high), style, rng)
            parts = [(degree, seconds)]
            while parts[-1][1] > 0.36 and rng.random() < style.melisma:
                # Another note on the same vowel takes half of what is left.
                degree = _step(degree, int(low), int(high), replace(style, repeat=0.0, leap=0.05), rng)
                parts[-1:] = [(parts[-1][0], parts[-1][1] / 2), (degree, parts[-1][1] / 2)]
            parts = [piece for part in parts for piece in _ornament(*part, style, rng)]
            for j, (step, duration) in enumerate(parts):
                notes.append(Note(time, duration, step, j == 0))
                time += duration
        lines.append(Line(sung, tuple(notes)))
        sung += len(rhythm)
        breath = float(rng.uniform(0.25, 0.9))
        time = max(start + np.ceil((time + breath - start) / beat * 2) * beat / 2, time + breath)
        time = min(time, notes[-1].start + notes[-1].duration + 1.0)
    return replace(melody, lines=tuple(lines))


def transpose(melody: Melody, steps: int) -> Melody:
    """The same lines so many scale steps higher."""
    lines = [
        replace(line, notes=tuple(replace(note, degree=note.degree + steps) for note in line.notes))
        for line in melody.lines
    ]
    return replace(melody, lines=tuple(lines))


def _step(degree: int, low: int, high: int, style: Style, rng: np.random.Generator) -> int:
    """Next scale step of the random walk, turned back at the ends of the range."""
    if rng.random() < style.repeat:
        return degree
    size = int(rng.integers(3, 6)) if rng.random() < style.leap else int(rng.choice([1, 1, 1, 2]))
    up = rng.random() < 0.5 - 0.3 * (2 * (degree - low) / max(high - low, 1) - 1)
    return int(np.clip(degree + (size if up else -size), low, high))


def _ornament(degree: int, seconds: float, style: Style, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Break a note into (step, seconds) of a grace note, a turn or an oscillation, or leave it."""
    if seconds < 0.35 or rng.random() >= style.ornament:
        return [(degree, seconds)]
    kind = str(rng.choice(["grace", "turn", "shake"]))
    side = int(rng.choice([-1, 1]))
    if kind == "grace":
        short = float(rng.uniform(0.06, 0.11))
        return [(degree + side, short), (degree, seconds - short)]
    if kind == "turn":
        short = float(rng.uniform(0.08, 0.13)) * min(1.0, seconds / 0.6)
        steps = (degree + side, degree, degree - side)
        return [*((step, short) for step in steps), (degree, seconds - 3 * short)]
    period = float(rng.uniform(0.09, 0.16))
    count = int(min(seconds * rng.uniform(0.4, 0.8) / period, 9)) // 2 * 2
    shake = [(degree + side * (k % 2), period) for k in range(count)]
    return [*shake, (degree, seconds - count * period)]
