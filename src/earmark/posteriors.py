"""Posteriors: what the network says of every frame, before anything is decided."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from earmark.errors import AnnotationError
from earmark.npzfile import NpzWriter

FloatArray = npt.NDArray[np.float32]

# A saved duration may have lost its last digits, and a resampled signal ends up to half a sample off.
_TIME_TOLERANCE_S = 1e-3


@dataclass(frozen=True, eq=False, init=False)
class Posteriors:
    """Probability of every label in every frame; labels are independent of each other.

    Parameters
    ----------
    values : float32, shape=(n_frames, n_labels)
        0 to 1; a row need not sum to 1.
    speech_to_music_db : float32, shape=(n_frames,), or None
        Level of the speech over the music, dB; means something only where both sound.  None where the
        model does not tell.
    labels : iterable of str
        Names of the columns.
    hop_s : float
        Length of a frame's cell, seconds; frame ``i`` decides ``[i * hop_s, (i + 1) * hop_s)``.
    duration : float, optional
        Length of the signal in seconds; by default the end of the last cell, which it may cut short.

    Raises
    ------
    AnnotationError
        If the shapes, the range or the duration do not fit together.
    """

    values: FloatArray
    speech_to_music_db: FloatArray | None
    labels: tuple[str, ...]
    hop_s: float
    duration: float

    def __init__(
        self,
        values: npt.ArrayLike,
        speech_to_music_db: npt.ArrayLike | None,
        labels: Iterable[str],
        hop_s: float,
        duration: float | None = None,
    ) -> None:
        matrix = np.asarray(values, dtype=np.float32)
        names = tuple(str(label) for label in labels)
        if matrix.ndim != 2 or matrix.shape[1] != len(names):
            raise AnnotationError(
                f"posteriors of shape {matrix.shape} do not fit {len(names)} labels; "
                f"give (n_frames, {len(names)})"
            )
        # A NaN fails both comparisons.
        if matrix.size and not (matrix.min() >= 0 and matrix.max() <= 1):
            raise AnnotationError(
                f"posteriors reach from {matrix.min():.4g} to {matrix.max():.4g}; "
                "they must be numbers from 0 to 1"
            )
        ratio = None if speech_to_music_db is None else np.asarray(speech_to_music_db, dtype=np.float32)
        if ratio is not None and (ratio.shape != matrix.shape[:1] or not np.isfinite(ratio).all()):
            raise AnnotationError(
                f"speech_to_music_db of shape {ratio.shape}: give one finite number a frame, ({len(matrix)},)"
            )
        if not hop_s > 0:
            raise AnnotationError(f"hop_s {hop_s}: it must be above 0 seconds")
        covered = len(matrix) * hop_s
        end = covered if duration is None else float(duration)
        lowest = max(0.0, covered - hop_s)
        if not lowest - _TIME_TOLERANCE_S <= end <= covered + _TIME_TOLERANCE_S:
            raise AnnotationError(
                f"{len(matrix)} frames of {hop_s:g} s cover {covered:.3f} s, "
                f"which does not fit a duration of {end:.3f} s; "
                f"give one from {lowest:.3f} to {covered:.3f}"
            )
        object.__setattr__(self, "values", matrix)
        object.__setattr__(self, "speech_to_music_db", ratio)
        object.__setattr__(self, "labels", names)
        object.__setattr__(self, "hop_s", hop_s)
        object.__setattr__(self, "duration", end)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.values)

    def crop(self, start: float, end: float) -> Posteriors:
        """Keep the cells that touch ``[start, end)`` seconds; time 0 moves to the first one's start.

        Raises
        ------
        AnnotationError
            If `end` is before `start`, or `start` is negative.
        """
        if not 0 <= start <= end:
            raise AnnotationError(f"crop from {start} to {end} s: times must satisfy 0 <= start <= end")
        first = min(len(self), int(start / self.hop_s + 1e-6))
        return self.frames(first, int(np.ceil(end / self.hop_s - 1e-6)))

    def frames(self, first: int, last: int | None) -> Posteriors:
        """Keep the cells from `first` on, and before `last`; time 0 moves to the first one's start."""
        first = min(len(self), first)
        last = len(self) if last is None else max(first, min(len(self), last))
        ratio = self.speech_to_music_db
        seconds = (last - first) * self.hop_s
        if last == len(self) and last > first:
            seconds = max(0.0, self.duration - first * self.hop_s)
        return Posteriors(
            self.values[first:last],
            None if ratio is None else ratio[first:last],
            self.labels,
            self.hop_s,
            seconds,
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Posteriors]) -> Posteriors:
        """Join parts that follow each other; all but the last must end with a whole cell.

        Raises
        ------
        AnnotationError
            If there are none, or they differ in labels, hop, or in whether they tell
            `speech_to_music_db`.
        """
        if not parts:
            raise AnnotationError("no posteriors to join; give at least one part")
        first = parts[0]
        before = 0
        for part in parts:
            if part.labels != first.labels or part.hop_s != first.hop_s:
                raise AnnotationError(
                    f"parts with labels {', '.join(first.labels)} every {first.hop_s:g} s and with "
                    f"{', '.join(part.labels)} every {part.hop_s:g} s cannot be joined; "
                    "they must be of one model"
                )
            if (part.speech_to_music_db is None) != (first.speech_to_music_db is None):
                raise AnnotationError("only some of the parts tell speech_to_music_db; all or none must")
            before += len(part)
        for part in parts[:-1]:
            if abs(part.duration - len(part) * part.hop_s) > _TIME_TOLERANCE_S:
                raise AnnotationError("a part that ends within a cell can only be joined as the last one")
        before -= len(parts[-1])
        ratios = [part.speech_to_music_db for part in parts if part.speech_to_music_db is not None]
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate(ratios) if ratios else None,
            first.labels,
            first.hop_s,
            round(before * first.hop_s + parts[-1].duration, 9),
        )

    def save(self, path: str | Path) -> None:
        """Write to an .npz file, under exactly this name, whole or not at all.

        Raises
        ------
        EarmarkError
            If the file cannot be written.
        """
        with PosteriorWriter() as writer:
            writer.add(self)
            writer.save(path)

    @classmethod
    def load(cls, path: str | Path) -> Posteriors:
        """Read what `save` wrote.

        Raises
        ------
        AnnotationError
            If the file is missing, or does not hold posteriors.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(
                    arrays["values"],
                    arrays.get("speech_to_music_db"),
                    tuple(arrays["labels"].tolist()),
                    float(arrays["hop_s"]),
                    float(arrays["duration"]),
                )
        except FileNotFoundError as err:
            raise AnnotationError(f"no posteriors at '{path}'; give the .npz file that was saved") from err
        except OSError as err:
            raise AnnotationError(f"cannot read '{path}' ({err.strerror or err}); check the file") from err
        except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as err:
            why = str(err).splitlines()[0] if str(err) else "it is empty"
            raise AnnotationError(
                f"'{path}' does not hold posteriors ({why}); give an .npz file that Posteriors.save wrote"
            ) from err
        except AnnotationError as err:
            raise AnnotationError(f"'{path}' does not hold posteriors ({err})") from err


class PosteriorWriter:
    """Writes posteriors that come part by part to one .npz file, in memory that does not grow.

    Raises `EarmarkError` if there is no room for them.
    """

    def __init__(self) -> None:
        self._file = NpzWriter()
        self._last: Posteriors | None = None
        self._n_frames = 0
        self._duration = 0.0

    def __enter__(self) -> PosteriorWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, part: Posteriors) -> None:
        """Take the part that follows."""
        self._last = part
        self._duration = round(self._n_frames * part.hop_s + part.duration, 9)
        self._n_frames += len(part)
        self._file.append("values", part.values)
        if part.speech_to_music_db is not None:
            self._file.append("speech_to_music_db", part.speech_to_music_db)

    def save(self, path: str | Path) -> None:
        """Write what was added, under exactly this name, whole or not at all; at least one part."""
        part = self._last
        if part is None:
            raise AnnotationError("no posteriors to write; add at least one part")
        small = {
            "labels": np.array(part.labels, dtype=str),
            "hop_s": np.array(part.hop_s),
            "duration": np.array(self._duration),
        }
        self._file.save(path, small)
