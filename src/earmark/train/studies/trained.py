"""A network that a table has trained, with all that is needed to use it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from earmark.errors import ConfigError
from earmark.features.extractor import Extractor
from earmark.features.registry import FEATURES
from earmark.features.scaling import Scaling
from earmark.train.checkpoint import best_weights
from earmark.train.experiments.nets import load_scaling, row_network
from earmark.train.models import PatchNet


@dataclass(frozen=True)
class Trained:
    """A network of patches, trained.

    Parameters
    ----------
    net : PatchNet
        In evaluation mode.
    extractor : Extractor
        Its front end.
    scaling : Scaling or None
        What was measured on its training patches, for front ends that leave that to be done.
    origin : dict
        Row, dataset, repetition and checkpoint, and whether the training was quick.
    """

    net: PatchNet
    extractor: Extractor
    scaling: Scaling | None
    origin: dict[str, Any]


def load_trained(results: Path, row: str, checkpoints: Path, repetition: int = 0) -> Trained:
    """Load the network of a table's row.

    Parameters
    ----------
    results : Path
        What `earmark bench TABLE --out` wrote.
    row : str
        Name of the row; of several results, the last one is taken.
    checkpoints : Path
        Folder of the checkpoints.
    repetition : int
        Which of the repetitions, from 0.

    Raises
    ------
    ConfigError
        If there is no such result, its checkpoint is missing, or its network is fused.
    """
    result = _find(results, row, repetition)
    setup, name = result["setup"], result["checkpoint"]
    if "frozen" in setup:
        raise ConfigError(f"row '{row}' in '{results}' was transferred; choose one trained from scratch")
    if setup["model"].get("fusion", "none") != "none":
        raise ConfigError(f"row '{row}' in '{results}' is a fused network; choose one that is not")
    folder = checkpoints / name
    if not (folder / "net.pt").is_file():
        raise ConfigError(
            f"row '{row}' in '{results}' has its checkpoint in '{folder}', which is not there; "
            "name the folder it was trained in with --runs"
        )
    features: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in setup["features"].items()
    }
    extractor = replace(FEATURES[setup["features"]["name"]].extractor, **features)
    net = row_network(setup["model"], extractor, len(setup["protocol"]["classes"]))
    assert isinstance(net, PatchNet)  # the experiments have no others
    net.load_state_dict(best_weights(folder / "net.pt"))
    origin = {"row": row, "repetition": repetition, "checkpoint": name}
    origin |= {key: setup[key] for key in ("data", "quick")}
    return Trained(net.eval(), extractor, load_scaling(folder), origin)


def _find(results: Path, row: str, repetition: int) -> dict[str, Any]:
    try:
        found: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))["results"]
        names = sorted({str(r["row"]) for r in found})
        own = [r for r in found if (r["row"], r["repetition"]) == (row, repetition) and "checkpoint" in r]
    except FileNotFoundError as err:
        raise ConfigError(
            f"no results '{results}'; train the row first: earmark bench TABLE --row '{row}' --out FILE"
        ) from err
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ConfigError(f"'{results}' is no file of results ({err}); name another one") from err
    if not own:
        there = f"it has {', '.join(names)}" if names else "it is empty"
        raise ConfigError(f"'{results}' has no trained row '{row}'; {there}")
    return own[-1]
