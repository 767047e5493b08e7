"""Regions of recordings, and how those of one recording are read together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError

FloatArray = npt.NDArray[np.float32]

_LONGEST_S = 1e7


@dataclass(frozen=True)
class Excerpt:
    """A recording, or a region of one.

    Parameters
    ----------
    path : str
    start : float
        Seconds.
    end : float or None
        Seconds; None is the end of the recording.

    Raises
    ------
    ConfigError
        If the region is empty or starts before the recording.
    """

    path: str
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < (_LONGEST_S if self.end is None else self.end) <= _LONGEST_S:
            raise ConfigError(f"'{self}': a region starts at 0 or later and ends behind its start")

    def __str__(self) -> str:
        if self.start == 0 and self.end is None:
            return self.path
        return f"{self.path} [{self.start:g}-{'' if self.end is None else f'{self.end:g}'} s]"


class Reader:
    """The blocks of a recording, from which spans that follow each other are cut."""

    def __init__(self, blocks: Iterator[FloatArray]) -> None:
        self._blocks = blocks
        self._block = np.empty(0, np.float32)
        self.n_samples = 0  # read or skipped so far

    def span(self, start: int, end: int | None) -> Iterator[FloatArray]:
        """Yield the samples from `start`, which is not passed yet, to `end`."""
        while end is None or self.n_samples < end:
            if not len(self._block):
                block = next(self._blocks, None)
                if block is None:
                    return
                self._block = block
                continue
            limit = start if self.n_samples < start else end
            size = len(self._block) if limit is None else min(len(self._block), limit - self.n_samples)
            part, self._block = self._block[:size], self._block[size:]
            wanted = self.n_samples >= start
            self.n_samples += size
            if wanted:
                yield part


def passes(excerpts: Iterable[Excerpt]) -> list[list[Excerpt]]:
    """Deal the regions of a recording to as few passes as can be read without going back."""
    dealt: list[list[Excerpt]] = []
    for excerpt in sorted(excerpts, key=lambda excerpt: excerpt.start):
        for one in dealt:
            last = one[-1].end
            if last is not None and last <= excerpt.start:
                one.append(excerpt)
                break
        else:
            dealt.append([excerpt])
    return dealt
