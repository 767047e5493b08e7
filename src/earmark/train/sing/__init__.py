"""Sung and rapped lines made from open speech with the WORLD vocoder, for training only.

Open corpora hold little singing, and a detector that heard none takes it for speech.  Here speech is
analysed into pitch, spectral envelope and aperiodicity; its syllables are laid on the notes of a random
melody (consonants keep their length, the steady part of the vowel is held), and it is synthesised with
the pitch contour of a singer::

    speech   | k |  a  | t |  i  | n |           consonants, vowels
             |   |  :  |   |  :  |   |
    sung   | k |   a a a a a | t |   i i i |n|   a vowel begins with its note
               |---- note ---|    |- note -|

M. Morise, F. Yokomori, K. Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system for
real-time applications", IEICE Trans. E99-D(7), 2016.  T. Saitou et al., "Speech-to-singing synthesis:
converting speaking voices to singing voices by controlling acoustic features unique to singing voices",
WASPAA 2007 (portamento, vibrato, fine fluctuation, singer's formant).
"""

from earmark.train.sing.curves import FRAME_S, SAMPLE_RATE
from earmark.train.sing.flow import rap
from earmark.train.sing.melody import SCALES, Line, Melody, Note, compose
from earmark.train.sing.singer import perform
from earmark.train.sing.songs import choir, make_singing, sing
from earmark.train.sing.styles import STYLES, Style
from earmark.train.sing.voice import Syllable, Voice, analyse, change_voice, syllables

__all__ = [
    "FRAME_S",
    "SAMPLE_RATE",
    "SCALES",
    "STYLES",
    "Line",
    "Melody",
    "Note",
    "Style",
    "Syllable",
    "Voice",
    "analyse",
    "change_voice",
    "choir",
    "compose",
    "make_singing",
    "perform",
    "rap",
    "sing",
    "syllables",
]
