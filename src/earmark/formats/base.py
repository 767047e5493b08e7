"""What an annotation format is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from earmark.timeline import Timeline


@dataclass(frozen=True)
class Format:
    """One annotation format.

    Parameters
    ----------
    name : str
        What users call it, e.g. ``"csv"``.
    suffixes : tuple of str
        File name endings, the usual one first; compared without regard to case.
    description : str
        A few words for lists and help.
    read : callable
        ``read(text, origin) -> Timeline``; `origin` names the file in messages.
    write : callable
        ``write(timeline, **options) -> str``.
    options : tuple of str
        Options that `write` takes.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    read: Callable[[str, str], Timeline]
    write: Callable[..., str]
    options: tuple[str, ...] = ()
