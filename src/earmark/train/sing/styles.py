"""Styles of singing: what a kind of singer does, and how often."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """Habits of a kind of singer; ranges are drawn from evenly, shares are probabilities.

    Parameters
    ----------
    bpm : (float, float)
        Beats per minute.
    beats : dict of float to float
        Note lengths in beats and their weights.
    scales : tuple of str
        Keys of `SCALES`.
    register : (float, float)
        Semitones between the speaker's median pitch and the middle of the melody.
    span : float
        Semitones that the melody may leave its middle by.
    repeat, leap : float
        Share of notes that repeat the last one, or jump by more than two steps.
    melisma, ornament : float
        Share of syllables with several notes, and of notes with grace notes, turns or oscillation.
    glide_s, vibrato_hz, vibrato_cents : (float, float)
        Portamento, and rate and depth (from middle to peak) of the vibrato.
    scoop : float
        Share of notes that are reached by a slide of their own; half as many fall off at the end.
    vibrato : float
        Share of long notes with vibrato.
    ring_db : (float, float)
        Lift of the singer's formant around 2.5-3.2 kHz.
    breath : float
        Noise added to the aperiodicity above 1 kHz, 0..1.
    drive : float
        Gain into a soft clipper, 0 for none.
    flatten : float
        How far the levels of the vowels are made equal, 0..1.
    talk : float
        Share of the speaker's own pitch movement that is kept around the notes.
    vowel_only : bool
        One vowel through each line, as in "ah" or "ooh".
    hum : bool
        Mouth closed: the spectrum of a nasal murmur.
    """

    bpm: Range = (70, 150)
    beats: tuple[Range, ...] = ((0.25, 2), (0.5, 8), (0.75, 1.5), (1, 2.5), (1.5, 0.5), (2, 0.5))
    scales: tuple[str, ...] = ("major", "minor", "pentatonic", "minor pentatonic", "mixolydian", "dorian")
    register: Range = (2, 8)
    span: float = 8
    repeat: float = 0.2
    leap: float = 0.15
    melisma: float = 0.1
    ornament: float = 0.08
    glide_s: Range = (0.05, 0.2)
    scoop: float = 0.35
    vibrato: float = 0.6
    vibrato_hz: Range = (4.8, 6.5)
    vibrato_cents: Range = (20, 60)
    ring_db: Range = (0, 6)
    breath: float = 0.0
    drive: float = 0.0
    flatten: float = 0.8
    talk: float = 0.04
    vowel_only: bool = False
    hum: bool = False


_SLOW: tuple[Range, ...] = ((0.5, 1), (1, 4), (1.5, 1), (2, 3), (3, 1), (4, 1))
_FLOWING: tuple[Range, ...] = ((0.25, 2), (0.5, 4), (1, 3), (1.5, 1), (2, 1), (3, 0.3))
STYLES: dict[str, Style] = {
    "pop": Style(),
    "ballad": Style(
        bpm=(55, 100), beats=((0.5, 4), (1, 4), (1.5, 1), (2, 1.5), (4, 0.3)), talk=0.05, vibrato=0.8,
        vibrato_cents=(20, 70),
    ),
    "folk": Style(bpm=(70, 130), register=(0, 6), ornament=0.15, vibrato=0.3, vibrato_cents=(15, 40)),
    "rock": Style(
        bpm=(90, 160), register=(5, 12), scales=("minor pentatonic", "blues", "minor", "mixolydian"),
        vibrato=0.4, ring_db=(4, 10), breath=0.12, drive=4.0, leap=0.25,
    ),
    "opera": Style(
        bpm=(50, 110), beats=_SLOW, scales=("major", "minor", "harmonic minor", "chromatic"),
        register=(5, 14), span=10, leap=0.3, glide_s=(0.06, 0.15), scoop=0.15,
        vibrato=1.0, vibrato_hz=(5, 6.8), vibrato_cents=(40, 100), ring_db=(8, 16), flatten=0.95, talk=0.0,
    ),
    "hymn": Style(bpm=(60, 100), beats=((1, 6), (2, 2), (4, 0.5)), scales=("major", "minor", "dorian"),
                  register=(1, 8), span=6, leap=0.08, scoop=0.2, vibrato=0.4, talk=0.0),
    "chant": Style(
        bpm=(60, 110), beats=((0.5, 7), (1, 1.5), (2, 0.3)), scales=("dorian", "major", "minor", "hijaz"),
        register=(-1, 5), span=4, repeat=0.8, leap=0.02, melisma=0.05, vibrato=0.15, glide_s=(0.05, 0.15),
        talk=0.05,
    ),
    "indian": Style(
        bpm=(50, 110), beats=_FLOWING, scales=("bhairav", "todi", "kalyan", "minor", "pentatonic"),
        register=(2, 9), melisma=0.45, ornament=0.55, glide_s=(0.08, 0.3), scoop=0.45, vibrato=0.35,
        vibrato_hz=(4.5, 6),
    ),
    "maqam": Style(
        bpm=(55, 120), beats=_FLOWING, scales=("rast", "bayati", "hijaz"), register=(2, 8), span=6, leap=0.05,
        melisma=0.4, ornament=0.4, glide_s=(0.06, 0.2), vibrato=0.5, vibrato_hz=(5, 7),
    ),
    "falsetto": Style(register=(9, 15), span=6, breath=0.25, vibrato_cents=(20, 50), ring_db=(-4, 0)),
    "vocalise": Style(beats=_SLOW, register=(3, 12), melisma=0.5, vibrato=0.8, ring_db=(0, 8),
                      vowel_only=True, flatten=1.0, talk=0.0),
    "hum": Style(beats=_SLOW, register=(0, 7), melisma=0.2, vowel_only=True, hum=True, flatten=1.0, talk=0.0,
                 glide_s=(0.06, 0.15), vibrato_cents=(15, 40)),
}  # fmt: skip
RAP = Style(flatten=0.35, talk=0.5, glide_s=(0.03, 0.08), scoop=0.1, vibrato=0.0, ring_db=(0, 4))
WEIGHTS = {
    "pop": 0.18, "ballad": 0.08, "folk": 0.1, "rock": 0.1, "opera": 0.07, "hymn": 0.05, "chant": 0.06,
    "indian": 0.05, "maqam": 0.03, "falsetto": 0.05, "vocalise": 0.03, "hum": 0.02, "choir": 0.07,
    "rap": 0.12,
}  # fmt: skip
