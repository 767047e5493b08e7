"""A singer: pitch contour, dynamics and timbre of the lines of a melody."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from earmark.train.sing.curves import (
    FRAME,
    FRAME_S,
    SAMPLE_RATE,
    Array,
    FloatArray,
    hann,
    hertz,
    midi,
    rise,
    wander,
)
from earmark.train.sing.melody import Line, Melody
from earmark.train.sing.styles import Style
from earmark.train.sing.timing import LEAD, line_times, time_map
from earmark.train.sing.voice import Syllable, Voice, finish, parameters_at, synthesise, text_of


def perform(
    voice: Voice,
    melody: Melody,
    style: Style,
    rng: np.random.Generator,
    *,
    shift: float = 0.0,
    lag_s: float = 0.0,
) -> FloatArray:
    """Sing a melody with the syllables of a voice, over and over where they run out.

    Parameters
    ----------
    voice : Voice
        Whose syllables are sung.
    melody : Melody
        What is sung.
    style : Style
        How: glides, vibrato, singer's formant, noise, distortion.
    rng : numpy.random.Generator
        Source of every choice.
    shift : float
        Semitones added to every note.
    lag_s : float
        Standard deviation of a vowel's start around its note's, seconds.

    Raises
    ------
    AudioError
        If the voice has no syllable.
    """
    text = text_of(voice)
    out = np.zeros(int((melody.duration + 1.0) * SAMPLE_RATE))
    singer = Singer(voice, text, style, rng)
    for line in melody.lines:
        if style.vowel_only:
            slurred = (replace(note, begins_syllable=False) for note in line.notes[1:])
            line = replace(line, notes=(line.notes[0], *slurred))
        where, held = time_map(line, singer.words(line), lag_s, rng)
        pitch = singer.contour(melody, line, len(where)) + shift
        piece = singer.voice_line(where, held, pitch, singer.dynamics(line, len(where)))
        begin = round(line.notes[0].start * SAMPLE_RATE) - LEAD * FRAME
        piece = piece[max(0, -begin) :]
        begin = max(begin, 0)
        piece = piece[: len(out) - begin]
        out[begin : begin + len(piece)] += piece
    return finish(out, style.drive)


class Singer:
    """A voice, its syllables and what stays the same from line to line."""

    def __init__(self, voice: Voice, text: tuple[Syllable, ...], style: Style, rng: np.random.Generator):
        self.voice, self.text, self.style, self.rng = voice, text, style, rng
        n_bins = voice.envelope.shape[1]
        level = 10 * np.log10(voice.envelope.sum(axis=1) + 1e-30)
        self.level = level - np.median([level[s.vowel_start : s.vowel_end].max() for s in text])
        self.rate = float(rng.uniform(*style.vibrato_hz))
        self.depth = float(rng.uniform(*style.vibrato_cents)) / 100
        hz = np.linspace(1.0, SAMPLE_RATE / 2, n_bins)
        self.octaves = np.log2(np.maximum(hz, 500) / 500)
        # Shapes along a warped frequency axis that the timbre of a held vowel wanders by.
        warped = np.log1p(hz / 700) / np.log1p(hz[-1] / 700)
        self.shapes = np.cos(np.pi * np.arange(1, 6)[:, None] * warped)
        # Trained singers are steady and clear, untrained ones are not.
        self.sloppiness = float(np.exp(rng.uniform(-1, 0.9)))
        self.clarity = float(rng.uniform(0.45, 1.0))
        ring = rng.uniform(*style.ring_db) * np.exp(-(((hz - rng.uniform(2500, 3200)) / 500) ** 2))
        murmur = 10 * np.log10(1 + (hz / rng.uniform(350, 600)) ** 4) if style.hum else 0.0 * hz
        self.colour = ring - np.minimum(murmur, 50)
        self.breath = style.breath * np.clip(self.octaves / 2, 0, 1)
        spoken = np.flatnonzero(voice.f0 > 0)
        own = np.clip(midi(voice.f0[spoken]) - voice.register, -7, 7)  # creak falls by octaves
        # Own pitch movement in semitones, bridged over unvoiced frames.
        self.talk = np.interp(np.arange(len(voice.f0)), spoken, own)

    def words(self, line: Line) -> list[Syllable]:
        """Syllables of a line, in order of its notes that begin one."""
        count = sum(note.begins_syllable for note in line.notes)
        if not self.style.vowel_only:
            return [self.text[(line.first_syllable + k) % len(self.text)] for k in range(count)]
        longest = sorted(self.text, key=lambda s: s.vowel_start - s.vowel_end)[: 1 + len(self.text) // 4]
        vowel = longest[int(self.rng.integers(len(longest)))]
        return [replace(vowel, start=vowel.vowel_start, end=vowel.vowel_end)] * count

    def contour(self, melody: Melody, line: Line, n_frames: int) -> Array:
        """Pitch of a line in MIDI note numbers: notes, glides, scoops, vibrato, drift and jitter."""
        style, rng = self.style, self.rng
        time = line_times(line, n_frames)
        off = 0.1 * self.sloppiness
        tuned = [melody.pitch(note.degree) + off * float(rng.normal()) for note in line.notes]
        pitch = np.full(n_frames, tuned[0])
        for (before, after), (low, high) in zip(pairwise(line.notes), pairwise(tuned), strict=True):
            glide = min(float(rng.uniform(*style.glide_s)), 0.5 * min(before.duration, after.duration))
            # Most of a glide is sung before the new note's beat; it swings past its goal a little.
            since = np.maximum(time - after.start, 0.0)
            swing = 0.12 * np.sin(2 * np.pi * 5 * since) * np.exp(-since / 0.06)
            pitch += (high - low) * (rise((time - after.start) / glide + 0.65) + swing)
        for note in line.notes:
            since = np.maximum(time - note.start, 0.0)
            inside = (time >= note.start) & (time < note.start + note.duration)
            if note.duration > 0.15 and rng.random() < style.scoop:
                # Sung up to the note from below, at times from above.
                depth = rng.uniform(0.3, 2.0) * rng.choice([1, 1, 1, -0.5]) * min(1.0, note.duration / 0.4)
                pitch -= inside * depth * np.exp(-since / rng.uniform(0.025, 0.06))
            if note.duration > 0.4 and rng.random() < style.vibrato:
                delay = rng.uniform(0.1, 0.35) * min(note.duration, 1.2)
                swell = rise((since - delay) / 0.25) * rise((note.start + note.duration - time) / 0.1)
                rate = self.rate * (1 + 0.04 * wander(n_frames, 0.3, rng))
                phase = 2 * np.pi * np.cumsum(rate) * FRAME_S + rng.uniform(0, 6)
                pitch += self.depth * rng.uniform(0.7, 1.2) * swell * np.sin(phase)
            if note.duration > 0.25 and rng.random() < 0.5 * style.scoop:
                # The end of a note falls off.
                pitch -= inside * rng.uniform(0.3, 2.5) * rise((since - note.duration) / 0.12 + 1) ** 2
        drift = 0.12 * wander(n_frames, 0.13, rng) + 0.05 * wander(n_frames, 0.03, rng)
        return pitch + self.sloppiness * drift

    def dynamics(self, line: Line, n_frames: int) -> Array:
        """Level of a line in dB: an arc, accents, and notes that swell or die away."""
        rng = self.rng
        time = line_times(line, n_frames)
        level = 1.5 * wander(n_frames, 0.6, rng)
        level += float(rng.uniform(-3, 3)) * np.sin(np.pi * np.linspace(0, 1, n_frames))
        for note in line.notes:
            passed = (time - note.start) / note.duration
            inside = (passed >= 0) & (passed < 1)
            shape = rng.uniform(-7, 1) * passed + rng.uniform(-2, 4) * np.sin(np.pi * np.clip(passed, 0, 1))
            level += inside * (shape * min(1.0, note.duration / 0.4) + 1.5 * float(rng.normal()))
        return np.asarray(np.convolve(np.pad(level, 12, mode="edge"), hann(25), mode="valid"))

    def voice_line(self, where: Array, held: npt.NDArray[np.bool_], pitch: Array, dynamics: Array) -> Array:
        """Waveform of a line from its time map, pitch (MIDI note numbers) and dynamics (dB)."""
        style, rng, n = self.style, self.rng, len(where)
        active = where >= 0
        spoken, envelope, aperiodicity = parameters_at(self.voice, np.maximum(where, 0))
        rows = np.rint(np.clip(where, 0, len(self.level) - 1)).astype(int)
        voiced = active & (held | (spoken > 0))
        frames = np.arange(n)
        # Consonants keep their level relative to the vowels on both sides.
        lift = np.interp(frames, frames[held], -style.flatten * self.level[rows[held]])
        begin, end = (int(i) for i in np.flatnonzero(active)[[0, -1]])
        release = rng.uniform(0.06, 0.3) / FRAME_S
        fade = 40 * rise((begin + 6 - frames) / 6) + 40 * rise((frames - end + release) / release) ** 2
        tilt = 0.3 * dynamics - 0.15 * fade + 0.8 * wander(n, 0.4, rng)
        swings = np.stack([wander(n, 0.07, rng) for _ in self.shapes], axis=1)
        gain = (lift + dynamics - fade)[:, None] + tilt[:, None] * self.octaves + self.colour
        envelope = envelope * 10 ** ((gain + 1.6 * held[:, None] * (swings @ self.shapes)) / 10)
        envelope[~active] = 1e-12
        if rng.random() < 0.4 and begin > 20:
            # An audible breath before the line.
            shape = np.sin(np.pi * np.arange(begin - 4) / (begin - 4)) ** 2
            mean = self.voice.envelope[self.voice.f0 > 0].mean(axis=0) ** 0.3
            power = envelope[held].sum(axis=1).mean() * 10 ** rng.uniform(-4.2, -2.5)
            envelope[: len(shape)] = np.outer(shape * power, mean / mean.sum())
        aperiodicity[held] *= self.clarity
        aperiodicity += self.breath * (1 - aperiodicity)
        # Consonants between vowels pull the pitch down.
        pull = np.convolve(active & ~held, hann(9), mode="same") * np.abs(wander(n, 0.15, rng))
        pitch = pitch + style.talk * (0.5 + self.sloppiness) * self.talk[rows] - self.sloppiness * pull
        if style.drive:
            pitch = pitch + 0.15 * rng.normal(size=n)
        f0 = np.where(voiced, np.clip(hertz(pitch), 45, 1400), 0.0)
        return synthesise(f0, envelope, aperiodicity)
