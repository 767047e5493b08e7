"""Training on crops of songs, testing on whole ones (HEO): songs or shards → crops → loop → answers.

The same configuration runs in one process, on a graphics card, or in many processes under ``torchrun``.
"""
