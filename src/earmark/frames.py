"""The only place where samples, frames and seconds are turned into each other.

Frame ``i`` *decides* the cell ``[i * hop, (i + 1) * hop)`` of the signal; the analysis window is
centred on that cell and reaches beyond it on both sides::

    signal   |----cell 0----|----cell 1----|----cell 2----|
    window 1          [======= win_length =======]
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameGrid:
    """Equally spaced frames over a signal.

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    hop_length : int
        Samples per frame cell.
    win_length : int
        Samples seen by one frame; at least `hop_length`.
    """

    sample_rate: int
    hop_length: int
    win_length: int

    @property
    def hop_s(self) -> float:
        """Length of a cell in seconds."""
        return self.hop_length / self.sample_rate

    @property
    def lead(self) -> int:
        """Samples by which a window starts before its cell."""
        return (self.win_length - self.hop_length) // 2

    def n_frames(self, n_samples: int) -> int:
        """Cells needed to cover `n_samples`; the last one may be partly empty."""
        return -(-n_samples // self.hop_length)

    def start(self, frame: int) -> float:
        """Start of a cell in seconds."""
        return frame * self.hop_length / self.sample_rate

    def frame(self, seconds: float) -> int:
        """Cell that holds a time, counting from 0."""
        return int(seconds * self.sample_rate + 1e-6) // self.hop_length
