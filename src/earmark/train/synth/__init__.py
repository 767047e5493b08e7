"""Building blocks of made sounds, for the procedural noises and tunes that a detector is trained on."""
