"""What a worker is given, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """What a worker is to do: a whole recording, a part of one, or to join the parts.

    Parameters
    ----------
    number : int
        Of the item.
    id, source : str
        Of the item.
    part : int or None
        Which part, counting from 0; the number of parts means that they are to be joined.
    n_parts : int
        0 if the recording is not split.
    """

    number: int
    id: str
    source: str
    part: int | None = None
    n_parts: int = 0

    @property
    def joins(self) -> bool:
        """Whether the parts are to be joined."""
        return self.part is not None and self.part == self.n_parts


@dataclass(frozen=True)
class Outcome:
    """How a task went.

    Parameters
    ----------
    error : str or None
        Why it failed, one line.
    fault : {"item", "store", "disk"}
        Where the fault lies: a store that cannot be reached or a full disk would meet the others, too.
    duration : float
        Of the recording, seconds.
    shares : mapping of str to float
        Seconds of the recording by what they hold: ``speech``, ``music``, ``both``, ``neither``, others.
    warnings : tuple of str
        What went wrong while reading.
    seconds : float
        What it took.
    text : str or None
        The result, where it is kept in the ledger for now.
    n_parts : int
        The recording is not done, but to be split into so many.
    """

    error: str | None = None
    fault: str = "item"
    duration: float = 0.0
    shares: Mapping[str, float] | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    text: str | None = None
    n_parts: int = 0
