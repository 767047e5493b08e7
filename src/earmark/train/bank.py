"""The training recordings as log-mel frames, with their activity, level and origin."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from earmark.activity import around
from earmark.features import FrontEnd, mel_filters
from earmark.sources import Source


@dataclass(frozen=True)
class Entry:
    """One recording of the bank, plain or altered.

    Parameters
    ----------
    source : Source
        Where it comes from; its `seconds` are those of the stored frames.
    start, n_frames : int
        Where its frames lie.
    level_db : float
        RMS over its active frames, dBFS.
    """

    source: Source
    start: int
    n_frames: int
    level_db: float

    @property
    def content(self) -> str:
        """``"speech"``, ``"music"`` or ``"noise"``."""
        return self.source.content

    @property
    def sung(self) -> bool:
        """Whether a voice sings in it."""
        return self.source.sung


@dataclass(frozen=True)
class Bank:
    """Recordings side by side.

    Parameters
    ----------
    entries : list of Entry
    frames : float16, shape=(n_frames, n_mels)
        dB.
    active : bool, shape=(n_frames,)
        Whether the recording sounds.
    front_end : FrontEnd
        Constants the frames were made with.

    Attributes
    ----------
    relative_db : float16, shape=(n_frames,)
        Level of the second around each frame over the recording's own, dB.
    """

    entries: list[Entry]
    frames: npt.NDArray[np.float16]
    active: npt.NDArray[np.bool_]
    front_end: FrontEnd
    sources: list[Source] = field(init=False)
    relative_db: npt.NDArray[np.float16] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", [entry.source for entry in self.entries])
        f = self.front_end
        # Bands hold densities; by its width, a band's share of the power.
        widths = 1 / mel_filters(f.sample_rate, f.n_fft, f.n_mels, f.fmin, f.fmax).max(axis=1)
        relative_db = np.zeros(len(self.active), np.float16)
        for entry in self.entries:
            span = slice(entry.start, entry.start + entry.n_frames)
            power = np.exp2(self.frames[span].astype(np.float32) * (np.log2(10) / 10)) @ widths
            level = np.maximum(around(power, f.grid.hop_s) / power[self.active[span]].mean(), 1e-12)
            relative_db[span] = 10 * np.log10(level)
        object.__setattr__(self, "relative_db", relative_db)
