"""Folders of the user that programs keep things in: data, and what can be computed again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """Return earmark's folder for data; it need not exist.

    It is ``earmark`` in ``~/.local/share`` or XDG_DATA_HOME, on macOS in ``~/Library/Application Support``,
    on Windows in LOCALAPPDATA.
    """
    if sys.platform == "win32":
        data = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "earmark"


def cache_folder() -> Path:
    """Return earmark's folder for what can be computed again; it need not exist.

    It is what the variable EARMARK_CACHE says, or ``earmark`` in ``~/.cache`` or XDG_CACHE_HOME, on macOS in
    ``~/Library/Caches``; on Windows ``cache`` in the folder for data.
    """
    own = os.environ.get("EARMARK_CACHE")
    if own:
        return Path(own)
    if sys.platform == "win32":
        return data_folder() / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "earmark"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "earmark"
