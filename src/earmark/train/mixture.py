"""Programmes rendered by adding mel powers: some hundred times cheaper than adding waveforms.

Powers of unrelated sounds add up to their cross term, which is drawn at random as narrow bands show
it.  What a waveform effect would do afterwards to the whole programme is done to its bands: levels,
tilt and equalisation, band limits, gain riding, a noise floor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from earmark.activity import fill_gaps
from earmark.features import mel_filters
from earmark.programme import Event, Programme
from earmark.render import FAINTEST_DB, MASKED_DB, PAUSES_S
from earmark.train.bank import Bank

FloatArray = npt.NDArray[np.float32]

_SILENT_DB = -200.0
# No verdict on what is this close to the limits of what is heard.
_UNSURE_DB = 3.0
# Share of music that is two pieces, or two voices, at once.
_LAYERED = 0.15
# How often a recording is played faster or slower and shifted, and the deviations: of the logarithm of its
# rate, and in bands.  There is little singing to learn from, and every voice has a range of its own.
_VARIED, _VARIED_SONG = (0.5, 0.07, 1.0), (0.8, 0.15, 2.5)
# Noise so far below speech or music is not asked for.
_FAINT_NOISE_DB = 15.0


@dataclass(frozen=True)
class Example:
    """A rendered programme.

    Parameters
    ----------
    log_mel : float32, shape=(T, F)
        dB.
    labels : float32, shape=(T, 3)
        Speech, music, noise: 1, 0, or nan where the frame should not count.
    ratio_db : float32, shape=(T,)
        Speech-to-music ratio, nan where not both sound.
    sung : float32, shape=(T,)
        1 where the music has a voice, nan where there is no music.
    heard : bool, shape=(T, 3)
        The classes by the rule alone, where labels may leave a frame open.
    """

    log_mel: FloatArray
    labels: FloatArray
    ratio_db: FloatArray
    sung: FloatArray
    heard: npt.NDArray[np.bool_]


class Mixer:
    """Renders plans from a bank of log-mel recordings.

    Parameters
    ----------
    bank : Bank
        Recordings with their activity and level.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        f = self.front_end = bank.front_end
        filters = mel_filters(f.sample_rate, f.n_fft, f.n_mels, f.fmin, f.fmax)
        # Bins that share a band: the cross term of two sounds averages over them.
        self._bins = np.maximum(1.0, filters.sum(axis=1) ** 2 / np.maximum((filters**2).sum(axis=1), 1e-12))
        hz = (filters * np.fft.rfftfreq(f.n_fft, 1 / f.sample_rate)).sum(axis=1) / filters.sum(axis=1)
        self.octaves = np.log2(hz / 1000).astype(np.float32)
        self._sung = [i for i, s in enumerate(bank.sources) if s.sung]
        self._instrumental = [i for i, s in enumerate(bank.sources) if s.content == "music" and not s.sung]

    def render(self, programme: Programme, rng: np.random.Generator) -> Example:
        """Add the events of a plan and alter the whole as broadcasting and recording do."""
        f = self.front_end
        hop = f.grid.hop_s
        n_frames = round(programme.duration / hop)
        n_mels = f.n_mels
        power = np.zeros((n_frames, n_mels), np.float32)
        levels = np.full((n_frames, 4), _SILENT_DB, np.float32)  # speech, instrumental, noise, sung
        for event in (*programme.events, *self._layers(programme, rng)):
            first = round(event.start / hop)
            n = min(round(event.duration / hop), n_frames - first)
            if n <= 0:
                continue
            entry = self.bank.entries[event.source]
            times = (np.arange(n, dtype=np.float32) + 0.5) * hop
            level = np.interp(times, event.times, event.levels).astype(np.float32)
            mel, active, relative = self.take(event.source, event.offset, n, rng)
            mel += (level - entry.level_db)[:, None] + self.event_curve(rng)
            added = np.exp2(mel * (np.log2(10) / 10))
            part = power[first : first + n]
            if rng.random() < 0.7:
                spread = np.sqrt(2 / self._bins).astype(np.float32)
                cross = rng.standard_normal((n, n_mels), dtype=np.float32) * spread * np.sqrt(part * added)
                np.maximum(cross, -0.9 * (part + added), out=cross)
                part += cross
            part += added
            column = 3 if entry.sung else ("speech", "music", "noise").index(entry.content)
            heard = np.where(active, level + relative, _SILENT_DB)
            slot = levels[first : first + n, column]
            np.maximum(slot, heard, out=slot)
        return Example(self._finish(power, rng), *_targets(levels, hop))

    def _layers(self, programme: Programme, rng: np.random.Generator) -> list[Event]:
        """Lay other music over some of the music, which makes more and denser music of little."""
        layers = []
        for event in programme.events:
            source = self.bank.sources[event.source]
            if source.content == "music" and rng.random() < _LAYERED:
                other = int(rng.choice(self._sung if source.sung else self._instrumental))
                at = rng.uniform(0, max(0.0, self.bank.sources[other].seconds - event.duration))
                below = float(rng.uniform(0, 8))
                levels = tuple(level - below for level in event.levels)
                layers.append(replace(event, source=other, offset=float(at), levels=levels))
        return layers

    def take(
        self, source: int, offset: float, n: int, rng: np.random.Generator
    ) -> tuple[FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.float16]]:
        """Take `n` frames of a recording, played a little faster or slower and shifted along the bands.

        Parameters
        ----------
        source : int
            Which recording of the bank.
        offset : float
            Where in it, seconds; what lies beyond its end is taken from its start.
        n : int
        rng : Generator

        Returns
        -------
        float32, shape=(n, n_mels)
            dB.
        bool, shape=(n,)
            Where it sounds.
        float16, shape=(n,)
            Its level there over its own, dB.
        """
        entry = self.bank.entries[source]
        often, faster, higher = _VARIED_SONG if entry.sung else _VARIED
        rate = float(np.exp(rng.normal(0, faster))) if rng.random() < often else 1.0
        at = offset / self.front_end.grid.hop_s + np.arange(n) * rate
        index = (at.astype(np.int64)) % entry.n_frames
        mel = self.bank.frames[entry.start + index].astype(np.float32)
        if rate != 1.0:
            following = self.bank.frames[entry.start + (index + 1) % entry.n_frames]
            weight = (at % 1).astype(np.float32)[:, None]
            mel += weight * (following.astype(np.float32) - mel)
        if rng.random() < often:
            mel = _shift_bands(mel, float(rng.normal(0, higher)))
        index += entry.start
        return mel, self.bank.active[index], self.bank.relative_db[index]

    def event_curve(self, rng: np.random.Generator) -> FloatArray:
        """Draw a source's own colour, dB by band: tilt, a bump, sometimes a band limit."""
        curve = np.zeros_like(self.octaves)
        if rng.random() < 0.6:
            curve += self.colour(rng, 1.5, 4.0)
        if rng.random() < 0.12:
            curve += self.band_limit(rng)
        return curve

    def colour(self, rng: np.random.Generator, tilt_db: float, bump_db: float) -> FloatArray:
        """Draw a tilt, dB an octave, and a bump, dB, with these deviations; dB by band."""
        octaves = self.octaves
        centre, width = rng.uniform(-4, 3), rng.uniform(0.5, 2)
        bump = rng.normal(0, bump_db) * np.exp(-(((octaves - centre) / width) ** 2))
        return (rng.normal(0, tilt_db) * octaves + bump).astype(np.float32)

    def band_limit(self, rng: np.random.Generator) -> FloatArray:
        """Draw a steep low-pass (2-7.5 kHz), a high-pass (80-500 Hz), or both as a telephone has them."""
        curve = np.zeros_like(self.octaves)
        kind = rng.integers(4)
        slope = rng.uniform(20, 90)
        if kind != 2:
            edge = (
                3400 * np.exp2(rng.normal(0, 0.12))
                if kind == 3
                else np.exp(rng.uniform(np.log(2000), np.log(7500)))
            )
            curve -= slope * np.maximum(0, self.octaves - np.log2(edge / 1000))
        if kind >= 2:
            edge = (
                300 * np.exp2(rng.normal(0, 0.2))
                if kind == 3
                else np.exp(rng.uniform(np.log(80), np.log(500)))
            )
            curve -= rng.uniform(12, 40) * np.maximum(0, np.log2(edge / 1000) - self.octaves)
        return np.maximum(curve, -90).astype(np.float32)

    def _finish(self, power: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Alter the whole programme and return it in dB."""
        n_frames = len(power)
        mel = 10 * np.log10(power + 1e-12)
        if rng.random() < 0.3:
            mel += self._ride(power, rng)[:, None]
        curve = np.full_like(self.octaves, rng.normal(0, 6))
        if rng.random() < 0.5:
            curve += self.colour(rng, 1.2, 3.0)
        if rng.random() < 0.25:
            curve += self.band_limit(rng)
        mel += curve
        if rng.random() < 0.75:
            # The recording's own noise: white to pink, digital silence to shellac.
            floor_db = rng.uniform(-115, -50) if rng.random() < 0.9 else rng.uniform(-50, -38)
            floor = floor_db - rng.uniform(0, 3) * self.octaves
            gamma = rng.standard_gamma(4.0, size=mel.shape).astype(np.float32) / 4
            mel = 10 * np.log10(
                np.exp2(mel * (np.log2(10) / 10)) + np.exp2(floor * (np.log2(10) / 10)) * gamma
            )
        if rng.random() < 0.15:
            width = int(rng.integers(2, 8))
            band = int(rng.integers(0, mel.shape[1] - width))
            mel[:, band : band + width] -= rng.uniform(10, 60)
        if rng.random() < 0.1:
            start = int(rng.integers(0, n_frames))
            mel[start : start + int(rng.integers(2, 25))] = self.front_end.floor_db
        return np.maximum(mel, self.front_end.floor_db).astype(np.float32)

    def _ride(self, power: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Follow the level slowly towards a constant one, as a compressor or an engineer's hand does."""
        energy = 10 * np.log10(power.sum(axis=1) + 1e-9)
        window = int(rng.uniform(10, 150))
        kernel = np.ones(window, np.float32) / window
        slow = np.convolve(np.maximum(energy, energy.max() - 40), kernel, mode="same")
        return np.clip(rng.uniform(0.2, 0.8) * (np.median(slow) - slow), -12, 20).astype(np.float32)


def _targets(
    levels: FloatArray, hop_s: float
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Turn levels, (T, 4) dBFS of speech, instrumental, noise and sung, into the targets of an example.

    A class is there by the rule of `earmark.render.label_cells`; close to its limits there is no verdict.
    `hop_s` is the length of a frame, seconds.
    """
    speech, noise, sung_music = levels[:, 0], levels[:, 2], levels[:, 3]
    music = np.maximum(levels[:, 1], sung_music)
    classes = np.stack([speech, music, noise], axis=1)
    others = np.stack(
        [np.maximum(music, noise), np.maximum(speech, noise), np.maximum(speech, music)], axis=1
    )
    margin = np.minimum(classes - FAINTEST_DB, classes - others + MASKED_DB)
    heard = np.stack(
        [fill_gaps(on, round(pause / hop_s)) for on, pause in zip(margin.T > 0, PAUSES_S, strict=True)],
        axis=1,
    )
    labels = np.where(np.abs(margin) < _UNSURE_DB, np.nan, heard).astype(np.float32)
    # Noise that is there, yet faint beside the rest, need not be found.
    labels[(labels[:, 2] == 1) & (noise < others[:, 2] - _FAINT_NOISE_DB), 2] = np.nan
    with_music = music > FAINTEST_DB
    both = with_music & (speech > FAINTEST_DB)
    ratio = np.where(both, np.clip(speech - music, -25, 30), np.nan).astype(np.float32)
    voice = (sung_music > FAINTEST_DB) & (sung_music > levels[:, 1] - 12)
    return labels, ratio, np.where(with_music, voice, np.nan).astype(np.float32), heard


def _shift_bands(mel: FloatArray, bands: float) -> FloatArray:
    """Shift along the bands by a fraction, repeating the outermost one."""
    n = mel.shape[1]
    at = np.clip(np.arange(n) - bands, 0, n - 1)
    low = np.minimum(at.astype(int), n - 2)
    weight = (at - low).astype(np.float32)
    return mel[:, low] * (1 - weight) + mel[:, low + 1] * weight
