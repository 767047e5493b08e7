"""Procedural noises with and without pitch and rhythm, none of them speech or music, for training.

Every generator is a function of a random generator, a length and a sample rate; `make_noise` composes
scenes of them.  Pitches are drawn freely, on no scale; some machines repeat, but nothing plays a tune.
"""

from earmark.train.noises.scene import GENERATORS, make_noise

__all__ = ["GENERATORS", "make_noise"]
