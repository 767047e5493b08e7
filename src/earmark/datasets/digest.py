"""Which recordings an experiment was given: how many, and a checksum of what their index tells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from earmark.datasets.recordings import Clip


def digest(clips: Iterable[Clip], roots: Sequence[Path]) -> str:
    """Return the number of clips and a checksum, the same wherever a copy lies and in whatever order.

    Clips count by path, size, label, detail, group, part and fold; what is in the files is not read.

    Parameters
    ----------
    clips : iterable of Clip
    roots : sequence of Path
        Folders of the copies they are of.

    Returns
    -------
    str
        As ``"1228 clips, sha256 0123456789abcdef"``.
    """
    lines = sorted(
        json.dumps([_below(c.path, roots), c.path.stat().st_size, c.label, c.detail, c.group, c.part, c.fold])
        for c in clips
    )
    checksum = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return f"{len(lines)} clips, sha256 {checksum}"


def _below(path: Path, roots: Sequence[Path]) -> str:
    """Return a path below the copy it is of."""
    root = next((root for root in roots if path.is_relative_to(root)), None)
    return path.as_posix() if root is None else path.relative_to(root).as_posix()
