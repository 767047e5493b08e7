"""Where results go, and what recordings are called: what commands over many recordings share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.errors import ConfigError
from earmark.files import make_folder

if TYPE_CHECKING:
    from earmark.inputs import Input


def make_folders(folders: Iterable[Path]) -> None:
    """Make the folders of the results, or say that they cannot be written, before hours of work."""
    for folder in folders:
        make_folder(folder)


def check_jobs(jobs: int | None) -> None:
    """Refuse an impossible number of jobs."""
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs {jobs}: give 1 or more")


def check_standard_input(recordings: Sequence[Input]) -> None:
    """Refuse standard input among other recordings."""
    if len(recordings) > 1 and any(item.source == "-" for item in recordings):
        raise ConfigError(
            "standard input (-) can be read only alone; give the other recordings in a run of their own"
        )


def shown_name(item: Input) -> str:
    """Return what messages call a recording."""
    if item.source == "-":
        return "standard input"
    # An address may hold a password.
    return re.sub(r"(?<=://)[^/]*@", "", item.source)
