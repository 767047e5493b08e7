"""The training recordings as log-mel frames, with their activity, level and origin."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

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
    """

    entries: list[Entry]
    frames: npt.NDArray[np.float16]
    active: npt.NDArray[np.bool_]
    sources: list[Source] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", [entry.source for entry in self.entries])
