"""Procedural instrumental music, for training: rock, metal, percussion, electronic, ambient, raga and more.

Openly licensed music that may be trained on is thin in what is loud, distorted, beaten or bowed without
frets.  `make_tune` composes such pieces from drawn tempos, scales, chords and players.
"""

from earmark.train.tunes.styles import STYLES, make_tune

__all__ = ["STYLES", "make_tune"]
