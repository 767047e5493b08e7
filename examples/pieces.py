"""Five short pieces of music, written out as notes and played by `instruments`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import instruments as play
import numpy as np

Instrument = Callable[[float, float, float, np.random.Generator], play.Signal]
Drum = Callable[..., play.Signal]

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def pitch(name: str) -> float:
    """Return the frequency of a note such as ``F#4``, Hz."""
    letter, sign, octave = re.fullmatch(r"([A-G])([#b]?)(\d)", name).groups()  # type: ignore[union-attr]
    midi = 12 * (int(octave) + 1) + _STEPS[letter] + {"#": 1, "b": -1, "": 0}[sign]
    return float(440 * 2 ** ((midi - 69) / 12))


@dataclass
class Band:
    """Collects the notes of a piece; times are in beats, played a little unevenly as people do.

    Parameters
    ----------
    beats_per_minute : float
        Tempo.
    rng : numpy.random.Generator
        Of the unevenness and of the instruments.
    swing : float
        Beats by which the second half of each beat comes late.
    """

    beats_per_minute: float
    rng: np.random.Generator
    swing: float = 0.0
    _sounds: list[tuple[float, play.Signal]] = field(default_factory=list)

    def seconds(self, beats: float) -> float:
        """Turn beats into seconds."""
        return beats * 60 / self.beats_per_minute

    def _place(self, beat: float, sound: play.Signal, level: float) -> None:
        late = self.swing if abs(beat % 1 - 0.5) < 0.01 else 0.0
        at = self.seconds(beat + late) + 0.02 + self.rng.normal(0, 0.005)
        self._sounds.append((max(0.0, at), level * sound))

    def note(
        self, instrument: Instrument, name: str, beat: float, beats: float, level: float, force: float = 0.7
    ) -> None:
        """Play one note."""
        force = float(np.clip(force * self.rng.normal(1, 0.07), 0.2, 1))
        self._place(beat, instrument(pitch(name), self.seconds(beats), force, self.rng), level)

    def line(
        self, instrument: Instrument, text: str, beat: float, level: float, legato: float = 0.96
    ) -> float:
        """Play ``NAME:BEATS`` one after the other, ``-:BEATS`` for a rest; return the beat after the last."""
        for word in text.split():
            name, _, length = word.partition(":")
            if name != "-":
                force = 0.8 if beat % 1 == 0 else 0.66
                self.note(instrument, name, beat, legato * float(length), level, force)
            beat += float(length)
        return beat

    def chord(
        self, instrument: Instrument, names: str, beat: float, beats: float, level: float, spread: float = 0.0
    ) -> None:
        """Play notes together, or `spread` beats apart."""
        for i, name in enumerate(names.split()):
            self.note(instrument, name, beat + i * spread, beats - i * spread, level, 0.62)

    def drum(self, drum: Drum, beats: Sequence[float], level: float, **options: float) -> None:
        """Strike at these beats."""
        for beat in beats:
            force = 0.9 if beat % 1 == 0 else 0.65
            self._place(beat, drum(force * self.rng.uniform(0.85, 1.1), self.rng, **options), level)

    def mix(self, beats: float, ring: float, hall: float, wet: float) -> play.Signal:
        """Return the piece, `beats` long with `ring` seconds to fade away, in a room of `hall` seconds."""
        samples = np.zeros(round((self.seconds(beats) + ring) * play.RATE))
        for at, sound in self._sounds:
            start = round(at * play.RATE)
            part = sound[: max(0, len(samples) - start)]
            samples[start : start + len(part)] += part
        samples = play.room(samples, self.rng, hall, wet)
        fade = round(ring * play.RATE)
        if fade:
            samples[-fade:] *= np.linspace(1, 0, fade) ** 1.5
        # Mastering: a little brighter, and a limiter that leans in softly.
        samples = play.shape(samples, {40: -4, 150: -1, 1000: 1, 4000: 5, 12000: 7})
        return np.tanh(samples * 0.5 / np.sqrt(np.mean(samples**2)))


def jingle(rng: np.random.Generator) -> play.Signal:
    """A fanfare for orchestra and drums in D, three bars."""
    band = Band(128, rng)
    band.line(
        play.brass, "D4:.5 D4:.25 D4:.25 A4:1 B4:.5 A4:.5 G4:.5 E4:.5 F#4:.5 G4:.5 A4:1 C#5:1 D5:3", 0, 0.9
    )
    band.line(
        play.brass, "A3:.5 A3:.25 A3:.25 F#4:1 G4:.5 F#4:.5 D4:.5 B3:.5 D4:.5 E4:.5 F#4:1 E4:1 F#4:3", 0, 0.7
    )
    for beat, beats, chord in (
        (0, 2, "D3 A3 D4 F#4"),
        (2, 2, "G3 B3 D4 G4"),
        (4, 2, "E3 G3 B3 E4"),
        (6, 2, "A3 C#4 E4 G4"),
        (8, 3, "D3 A3 D4 F#4 A4 D5"),
    ):
        band.chord(play.strings, chord, beat, beats, 0.6)
    band.line(play.bell, "-:4 F#6:.5 G6:.5 A6:1 E6:.5 C#6:.5 A5:1 D6:.5 F#6:.5 A6:.5 D7:1.5", 0, 0.35, 2.5)
    band.line(play.bass, "D2:2 G2:2 E2:2 A2:2 D2:3", 0, 0.8)
    band.drum(play.kick, [0, 2, 4, 6, 8], 0.8)
    band.drum(play.snare, [1, 3, 5, 7, 7.25, 7.5, 7.75], 0.6)
    band.drum(play.cymbal, [b / 2 for b in range(16)], 0.35, ring=0.03)
    band.drum(play.cymbal, [0, 8], 0.5, ring=0.7)
    return band.mix(11, 0.8, 1.4, 0.3)


def lounge(rng: np.random.Generator) -> play.Signal:
    """A bed: electric piano, flute, double bass, guitar and brushes, twelve bars in C, swung."""
    band = Band(96, rng, swing=0.12)
    bars = [
        ("F3 A3 C4 E4", "D2:1 F2:1 A2:1 Ab2:1"),
        ("F3 A3 B3 E4", "G2:1 B2:1 D3:1 Db3:1"),
        ("E3 G3 B3 D4", "C3:1 B2:1 A2:1 G2:1"),
        ("G3 C4 E4 G4", "A2:1 E2:1 G2:1 Eb2:1"),
    ] * 3
    for i, (chord, walk) in enumerate(bars):
        at = 4.0 * i
        band.chord(play.electric_piano, chord, at, 1.4, 0.5)
        band.chord(play.electric_piano, chord, at + 1.5, 2.3, 0.42)
        band.line(play.bass, walk, at, 0.7, 1.05)
        band.chord(play.guitar, chord, at + 2.5, 1.0, 0.13, 0.03)
        band.drum(play.cymbal, [at, at + 1, at + 1.5, at + 2, at + 3, at + 3.5], 0.3, ring=0.22)
        band.drum(play.brush, [at + 1, at + 3], 0.8)
        band.drum(play.brush, [at + 0.5, at + 2.5], 0.4)
        band.drum(play.kick, [at, at + 2.5], 0.4)
    melody = (
        "-:1 E5:.5 G5:.5 A5:1.5 G5:.5  B5:1 A5:.5 F5:.5 D5:2",
        "-:.5 E5:.5 D5:.5 B4:.5 G4:1 E5:1  C5:2.5 -:1.5",
        "-:1 A5:.5 C6:.5 E6:1 D6:.5 C6:.5  B5:1.5 A5:.5 F5:1 E5:.5 D5:.5",
        "G5:1.5 E5:.5 D5:1 B4:1  C5:3 -:1",
    )
    end = band.line(play.flute, " ".join(melody), 0, 0.55)
    band.line(play.electric_piano, "-:1 E5:.5 G5:.5 A5:1.5 G5:.5 B5:1 A5:.5 F5:.5 D5:2", end, 0.4, 1.6)
    return band.mix(48, 1.5, 0.9, 0.2)


def song(rng: np.random.Generator) -> play.Signal:
    """A folk tune: strummed and picked guitars, bass, drums and a flute, eight bars in G."""
    band = Band(112, rng)
    bars = [
        ("G2 B2 D3 G3 B3 G4", "G2"),
        ("D3 A3 D4 F#4", "D3"),
        ("E2 B2 E3 G3 B3 E4", "E2"),
        ("C3 E3 G3 C4 E4", "C3"),
    ] * 2
    for i, (chord, root) in enumerate(bars):
        at = 4.0 * i
        for beat, level in ((0, 0.34), (1, 0.26), (1.5, 0.2), (2.5, 0.24), (3, 0.28), (3.5, 0.2)):
            band.chord(play.guitar, chord, at + beat, 1.3, level, 0.02)
        names = chord.split()
        for beat in range(8):
            band.note(
                play.guitar, names[(1, 3, 2, -1, 3, 2, -1, 2)[beat] % len(names)], at + beat / 2, 1.2, 0.3
            )
        band.line(play.bass, f"{root}:1.5 {root}:.5 {root}:1 {root}:.5 {root}:.5", at, 0.6)
        band.chord(play.strings, " ".join(names[-3:]), at, 4, 0.3)
        band.drum(play.kick, [at, at + 1.5, at + 2], 0.8)
        band.drum(play.snare, [at + 1, at + 3], 0.75)
        band.drum(play.cymbal, [at + b / 2 for b in range(8)], 0.42, ring=0.035)
    band.drum(play.cymbal, [0, 16], 0.4, ring=0.6)
    band.drum(play.snare, [31, 31.25, 31.5, 31.75], 0.5)
    tune = (
        "B4:.5 D5:.5 G5:1 F#5:.5 E5:.5 D5:1  A4:1 D5:.5 F#5:.5 A5:1.5 G5:.5",
        "G5:1 F#5:.5 E5:.5 B4:2  C5:.5 E5:.5 G5:1 E5:.5 D5:.5 C5:1",
        "B4:.5 D5:.5 G5:1 A5:.5 B5:.5 D6:1  C6:.5 B5:.5 A5:1 F#5:1 D5:1",
        "E5:.5 G5:.5 B5:1 A5:.5 G5:.5 E5:1  D5:.5 E5:.5 G5:3",
    )
    band.line(play.flute, " ".join(tune), 0, 0.8)
    return band.mix(32, 1.2, 1.1, 0.2)


def parade(rng: np.random.Generator) -> play.Signal:
    """A brass band in the open: a polka in B flat, four bars."""
    band = Band(116, rng)
    bars = [
        ("Bb1", "F2", "D4 F4 Bb4"),
        ("F2", "C2", "Eb4 F4 A4"),
        ("Eb2", "Bb1", "Eb4 G4 Bb4"),
        ("F2", "Bb1", "D4 F4 Bb4"),
    ]
    for i, (low, fifth, chord) in enumerate(bars):
        at = 4.0 * i
        for beat, name in enumerate((low, fifth, low, fifth)):
            band.note(play.brass, name, at + beat, 0.45, 1.0, 0.5)
            band.chord(play.brass, chord, at + beat + 0.5, 0.3, 0.5)
        off_beats = [at + 0.5, at + 1.5, at + 2.5, at + 3.5]
        band.drum(play.kick, [at, at + 1, at + 2, at + 3], 0.7)
        band.drum(play.snare, off_beats, 0.4)
        band.drum(play.cymbal, off_beats, 0.4, ring=0.09)
    tune = (
        "F5:.5 D5:.25 F5:.25 Bb5:1 A5:.5 Bb5:.5 D6:.5 Bb5:.5",
        "C6:.5 A5:.25 C6:.25 Eb6:1 D6:.5 C6:.5 A5:1",
        "G5:.5 Bb5:.5 Eb6:.5 D6:.5 C6:.5 Bb5:.5 G5:1",
        "F5:.5 A5:.5 C6:.5 D6:.5 Bb5:2",
    )
    band.line(play.clarinet, " ".join(tune), 0, 1.0)
    band.line(play.brass, " ".join(tune), 0, 0.35)
    return band.mix(16, 0.8, 0.5, 0.12)


def prelude(rng: np.random.Generator) -> play.Signal:
    """A slow piano piece with strings, six bars in A minor."""
    band = Band(76, rng)
    bars = [
        "A2 E3 A3 C4 E4",
        "F2 C3 F3 A3 C4",
        "C3 G3 C4 E4 G4",
        "G2 D3 G3 B3 D4",
        "A2 E3 A3 C4 E4",
        "E2 B2 E3 G#3 B3",
    ]
    for i, chord in enumerate(bars):
        names = chord.split()
        for beat, step in enumerate((0, 1, 2, 3, 4, 3, 2, 1)):
            band.note(play.piano, names[step], 4 * i + beat / 2, 2.0, 0.4, 0.5)
        band.chord(play.strings, " ".join(names[1:4]), 4.0 * i, 4.2, 0.28)
    tune = (
        "-:1 E5:1 A5:1 B5:1  C6:1.5 B5:.5 A5:1 F5:1  G5:2 E5:1 C5:1",
        "D5:1.5 E5:.5 B4:2  -:.5 A4:.5 C5:.5 E5:.5 A5:1 G5:1  G#5:3 -:1",
    )
    band.line(play.piano, " ".join(tune), 0, 0.7, 1.5)
    band.chord(play.piano, "A2 E3 A3 C4 E4 A4", 24, 4, 0.5, 0.06)
    return band.mix(27, 1.5, 1.8, 0.3)
