"""What datasets consist of: clips of one class, and recordings or spectrograms with a reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError
from earmark.timeline import Timeline


@dataclass(frozen=True)
class Clip:
    """A recording of one class.

    Parameters
    ----------
    path : Path
        The audio file.
    label : str
        ``"speech"``, ``"music"``, ``"noise"``, or ``"speech+music"`` for both at once.
    group : str
        What must stay in one fold: a speaker, a track, a recording.
    detail : str
        What the dataset tells beyond the label: a genre, a gender, the kind of singing; empty where the
        label says all.
    part : str
        The dataset's own part, e.g. ``"train"``; empty where it has none.
    fold : int or None
        Counted from 0; None where none is published, or was made.
    licence : str
        As the dataset states it.
    """

    path: Path
    label: str
    group: str
    detail: str = ""
    part: str = ""
    fold: int | None = None
    licence: str = ""

    @property
    def finest(self) -> str:
        """The finest class there is: the detail, else the label."""
        return self.detail or self.label


@dataclass(frozen=True)
class Annotated:
    """A recording whose speech and music somebody has marked.

    Parameters
    ----------
    path : Path
        The audio file.
    reference : Timeline
        What was marked, over the length of the file; its `labels` are those that were looked for.
    group : str
        What must stay in one fold, e.g. a series.
    detail : str
        The kind of programme; empty where the dataset does not tell.
    fold : int or None
        Counted from 0; None where none was made.
    """

    path: Path
    reference: Timeline
    group: str
    detail: str = ""
    fold: int | None = None


@dataclass(frozen=True)
class Spectrogram:
    """A recording of which only a spectrogram is to be had.

    Parameters
    ----------
    path : Path
        The array, as numpy's .npy.
    reference : Timeline
        What was marked, up to its last end: the length of the recording is not stated.
    group : str
        What must stay in one fold, e.g. a station.
    part : str
        The dataset's own part, e.g. ``"train"``.
    """

    path: Path
    reference: Timeline
    group: str
    part: str

    def load(self) -> npt.NDArray[np.floating]:
        """Return the array as given, shape=(n_bins, n_frames); it is read from the disk as it is used.

        Raises
        ------
        AudioError
            If it cannot be read, or is no array of two dimensions.
        """
        try:
            values = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as err:
            raise AudioError(f"'{self.path}' is no array of numbers ({err}); copy it again") from err
        if values.ndim != 2:
            raise AudioError(f"'{self.path}' has shape {values.shape}; it should be (n_bins, n_frames)")
        return values

    def targets(self, n_frames: int) -> npt.NDArray[np.bool_]:
        """Return which labels each frame has, shape=(n_frames, n_labels), columns as `reference.labels`.

        The frames are spread evenly over the reference, as nothing else relates them to seconds.
        """
        if not self.reference.duration or not n_frames:
            return np.zeros((n_frames, len(self.reference.labels)), dtype=bool)
        return self.reference.to_frames(self.reference.duration / n_frames)[:n_frames]
