"""Features: sound in, bands by frames out, computed in numpy alone.

What the detector hears with is imported here.  The front ends of published systems are in
`earmark.features.registry`, harmonic-percussive separation is in `earmark.features.hpss`.
"""

from earmark.features.logmel import FrontEnd, MelStream, log_mel
from earmark.features.mel import FloatArray, hz_to_mel, mel_filters, mel_to_hz

__all__ = ["FloatArray", "FrontEnd", "MelStream", "hz_to_mel", "log_mel", "mel_filters", "mel_to_hz"]
