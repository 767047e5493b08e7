"""What `earmark train` can train: a configuration's key `task` says which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from earmark.errors import ConfigError
from earmark.train.config import DetectorConfig, build, read_table
from earmark.train.crops.melon import MelonConfig, train_melon
from earmark.train.embedder.config import EmbedderConfig
from earmark.train.embedder.run import train_embedder
from earmark.train.run import train_detector

AnyConfig = DetectorConfig | EmbedderConfig | MelonConfig
# Configuration and training of each.
_TASKS: dict[str, tuple[Any, Callable[..., Path | None]]] = {
    "detector": (DetectorConfig, train_detector),
    "embedder": (EmbedderConfig, train_embedder),
    "melon": (MelonConfig, train_melon),
}


def read_task(path: Path, overrides: tuple[str, ...] = ()) -> tuple[AnyConfig, Callable[..., Path | None]]:
    """Read a configuration, and return it with the function that trains as it says.

    Raises
    ------
    ConfigError
        For a missing file, bad TOML, an unknown task or key, or a value of the wrong type.
    """
    table = read_table(path, overrides)
    task = table.pop("task", "detector")
    if task not in _TASKS:
        raise ConfigError(f"task {task!r} in {path}: choose one of {', '.join(_TASKS)}")
    kind, run = _TASKS[task]
    return build(kind, table, str(path)), run
