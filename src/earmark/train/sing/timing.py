"""Where in the speech the singer is at every frame of a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from earmark.train.sing.curves import FRAME_S, Array, wander
from earmark.train.sing.melody import Line
from earmark.train.sing.voice import Syllable

# Frames before the first note of a line: room for its consonants.
LEAD = 50
# Longest onset and coda taken along with a vowel, frames; beyond lies a pause of the speaker.
_ONSET, _CODA = 30, 16


def time_map(
    line: Line, sung: Sequence[Syllable], lag_s: float, rng: np.random.Generator
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Position in the speech (frames, -1 for silence) and whether a vowel is held, for every frame sung."""
    first, last = line.notes[0], line.notes[-1]
    starts = np.array([note.start for note in line.notes if note.begins_syllable]) - first.start
    starts = np.sort(starts + rng.normal(0, 1, len(starts)) * lag_s)
    begins = LEAD + np.rint(starts / FRAME_S).astype(int)
    begins = np.maximum.accumulate(np.maximum(begins, LEAD // 2) - 8 * np.arange(len(begins)))
    begins += 8 * np.arange(len(begins))
    end = max(LEAD + round((last.start + last.duration - first.start) / FRAME_S), int(begins[-1]) + 8)
    where = np.full(end + 2 * _CODA, -1.0)
    held = np.zeros(len(where), dtype=bool)
    onset = float(min(sung[0].vowel_start - sung[0].start, _ONSET, begins[0]))
    squeeze = 1.0
    for k, syllable in enumerate(sung):
        coda = min(syllable.end - syllable.vowel_end, _CODA)
        following = sung[k + 1] if k + 1 < len(sung) else None
        next_onset = float(min(following.vowel_start - following.start, _ONSET)) if following else 0.0
        room = (begins[k + 1] if following else end) - begins[k]
        tail = coda + next_onset if following else 0.0
        next_squeeze = min(1.0, 0.5 * room / max(tail, 1.0))
        stop = begins[k] + room - round(tail * next_squeeze)
        first_core, last_core = _core(syllable)
        attack, release = first_core - syllable.vowel_start, syllable.vowel_end - 1 - last_core
        pace = min(1.0, 0.6 * (stop - begins[k]) / max(attack + release, 1))
        out = [begins[k] - onset * squeeze, begins[k], begins[k] + attack * pace, stop - release * pace]
        out += [stop, stop + max(coda * next_squeeze, 1.0)]
        source = [syllable.vowel_start - onset, syllable.vowel_start, first_core, last_core]
        source += [syllable.vowel_end - 1, syllable.vowel_end - 1 + coda]
        frames = np.arange(max(int(np.ceil(out[0])), 0), min(int(np.ceil(out[-1])), len(where)))
        where[frames] = np.interp(frames, out, source)
        # The tongue is never quite still: drift inside the vowel while it is held.
        steady = np.arange(min(int(np.ceil(out[2])), stop), max(int(out[3]), begins[k]))
        sway = 0.15 * (last_core - first_core) * wander(len(steady), 0.15, rng)
        sway *= np.sin(np.pi * np.linspace(0, 1, len(steady))) ** 0.5
        where[steady] = np.clip(where[steady] + sway, syllable.vowel_start, syllable.vowel_end - 1)
        held[begins[k] : stop] = True
        onset, squeeze = next_onset, next_squeeze
    return where, held


def line_times(line: Line, n_frames: int) -> Array:
    """Seconds of the frames of a line in its melody."""
    return np.asarray((np.arange(n_frames) - LEAD) * FRAME_S + line.notes[0].start, dtype=np.float64)


def _core(syllable: Syllable) -> tuple[int, int]:
    """First and last frame of the part of a vowel that is stretched."""
    edge = (syllable.vowel_end - syllable.vowel_start) // 4
    return syllable.vowel_start + edge, syllable.vowel_end - 1 - edge
