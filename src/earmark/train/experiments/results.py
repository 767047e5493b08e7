"""The file of a table's results, and where the checkpoints lie that they come from."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from earmark.errors import ConfigError
from earmark.train.device import find_device
from earmark.train.experiments.example import Split


@dataclass(frozen=True)
class Workplace:
    """Where and with what an experiment runs.

    Parameters
    ----------
    cache : Path
        Folder of the features.
    runs : Path
        Folder of the checkpoints.  A row that was trained for one table is not trained again for another.
    jobs : int
        Processes that compute features.
    device : str
        ``"cpu"`` or ``"cuda"``.
    bfloat16 : bool
        Train with products in bfloat16 where the processor can.
    drop_features : bool
        Remove features that no later row needs.
    compiled : bool
        Let PyTorch compile the networks that are trained on crops.

    Raises
    ------
    ConfigError
        If there is no such device.
    """

    cache: Path
    runs: Path
    jobs: int = 1
    device: str = "cpu"
    bfloat16: bool = False
    drop_features: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        find_device(self.device)


def checkpoint_name(setup: dict[str, Any], split: Split, repetition: int) -> str:
    """Return the folder, below `Workplace.runs`, of what is trained with a setup on a split.

    It stands for all that a network depends on; how it is scored is no part of that, nor the table.
    """
    trained = {key: value for key, value in setup.items() if key not in ("smr_db", "crops")}
    text = json.dumps([trained, asdict(split), repetition], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def checkpoint_folder(runs: Path, name: str, clips: str) -> Path:
    """Return where what is trained on some clips is kept, beside what of that name was trained on others.

    A folder from before this was told counts as of any clips.

    Parameters
    ----------
    runs : Path
    name : str
        As `checkpoint_name` gives it.
    clips : str
        Which there were; its last word tells them from others.
    """
    folder = runs / name
    told = folder / "clips"
    if told.exists() and told.read_text(encoding="utf-8") != clips:
        folder = runs / f"{name}-{clips.split()[-1]}"
        told = folder / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    told.write_text(clips, encoding="utf-8")
    return folder


def read_results(path: Path, table: str) -> dict[str, Any]:
    """Return what a file holds: ``table`` and ``results``, none if there is no file yet.

    Raises
    ------
    ConfigError
        If it is no file of results, or of another table.
    """
    report: dict[str, Any] = {"table": table, "results": []}
    if not path.exists():
        return report
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        results = found["results"]
        for result in results:
            for key in ("row", "repetition", "setup", "figures"):
                result[key]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        what = f"it lacks {err}" if isinstance(err, KeyError) else err
        raise ConfigError(f"'{path}' is no file of results ({what}); name another one") from err
    if found.get("table") != table:
        raise ConfigError(f"'{path}' holds results of '{found.get('table')}'; name another file")
    return report | {"results": results}


def is_of(result: dict[str, Any], setup: dict[str, Any], clips: str) -> bool:
    """Return whether a result is of a setup and of these clips, see `earmark.datasets.digest`.

    One that does not tell its clips, as none did at first, counts as of any.
    """
    same: bool = result["setup"] == setup and result.get("clips", clips) == clips
    return same


def find_result(
    report: dict[str, Any], row: str, setup: dict[str, Any], clips: str, repetition: int
) -> dict[str, Any] | None:
    """Return the result of a row, a setup, clips and a repetition, if there is one."""
    for result in report["results"]:
        if (result["row"], result["repetition"]) == (row, repetition) and is_of(result, setup, clips):
            found: dict[str, Any] = result
            return found
    return None


def add_result(path: Path, table: str, result: dict[str, Any], lock: Path) -> dict[str, Any]:
    """Add a result to a file, beside what other processes have added; an interruption leaves the old file.

    Returns
    -------
    dict
        As `read_results`.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        report = read_results(path, table)
        report["results"].append(result)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    return report
