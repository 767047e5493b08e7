"""What a network is trained and tested on: recordings of one class each, and their parts in an experiment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A recording, or speech mixed with music, and its class.

    Parameters
    ----------
    path : str
        The recording; of a mixture, the speech.
    label : int
        Class, counted from 0.
    group : str
        Speaker, track or recording: what must stay in one part.
    music : str, optional
        Of a mixture, the music.
    smr_db : float, optional
        Of a mixture, the speech-to-music ratio, dB.
    """

    path: str
    label: int
    group: str = ""
    music: str | None = None
    smr_db: float | None = None

    @property
    def key(self) -> str:
        """What its features are kept under: they do not depend on the class."""
        return self.path if self.music is None else f"{self.path}|{self.music}|{self.smr_db:g}"


@dataclass(frozen=True)
class Split:
    """Examples to train on, to stop by and to score."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]

    @property
    def all(self) -> tuple[Example, ...]:
        """The three parts together."""
        return self.train + self.validation + self.test
