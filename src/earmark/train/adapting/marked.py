"""Recordings and what is right about them: read from a folder or a CSV file.

In a folder, a recording has its timeline beside it, with the same stem, in any format of `earmark convert`;
folders below are searched, too.  A CSV file has the columns ``path`` and ``timeline`` (relative to it), and
perhaps ``group``: what must not be learned and tested at once.  What has no group is one of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from earmark.timeline import Timeline


@dataclass(frozen=True)
class Marked:
    """A recording, its timeline, and what it is left out together with.

    Parameters
    ----------
    path : Path
    timeline : Timeline
        A duration of 0 stands for the whole recording, in which nothing is marked; what lies behind any other
        is left out.
    group : str
    """

    path: Path
    timeline: Timeline
    group: str


def read_marked(data: str | Path) -> tuple[list[Marked], list[str]]:
    """Read recordings and timelines.

    Parameters
    ----------
    data : str or Path
        Folder or CSV file; see the module's first lines.

    Returns
    -------
    marked : list of Marked
    problems : list of str
        What was left out and why, one line each.

    Raises
    ------
    ConfigError
        If there is neither, or nothing in it can be used.
    """
    raise NotImplementedError
