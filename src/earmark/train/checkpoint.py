"""Checkpoints of a table's trainings: to go on from, and to take the best weights of."""

from __future__ import annotations

import math
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from earmark.errors import ConfigError, EarmarkError
from earmark.files import atomic_write


class State:
    """How far a training is, and the weights of its best epoch."""

    def __init__(self, best: dict[str, Tensor]) -> None:
        self.best = best
        self.best_merit = -math.inf
        self.epoch = self.best_epoch = 0
        self.cpu_s = self.seconds = 0.0

    def save(self, path: Path, net: nn.Module, optimiser: torch.optim.Optimizer, training: str) -> None:
        """Write a checkpoint; `training` says what it belongs to.  Errors are those of `write_tensors`."""
        whole: dict[str, Any] = vars(self) | {
            "training": training,
            "net": net.state_dict(),
            "optimiser": optimiser.state_dict(),
            "rng": torch.get_rng_state(),
        }
        write_tensors(path, whole)

    def load(self, path: Path, net: nn.Module, optimiser: torch.optim.Optimizer, training: str) -> None:
        """Go on from a checkpoint of the same training.

        Raises
        ------
        ConfigError
            If it is of another one, or no checkpoint.
        """
        whole = _read(path)
        if whole["training"] != training:
            raise ConfigError(f"'{path}' belongs to another training; remove it or name another folder")
        net.load_state_dict(whole["net"])
        optimiser.load_state_dict(whole["optimiser"])
        torch.set_rng_state(whole["rng"])
        for name in vars(self):
            setattr(self, name, whole[name])


def write_tensors(path: Path, whole: dict[str, Any]) -> None:
    """Write what `torch.load` reads, whole or not at all; an older file stays until then.

    Raises
    ------
    EarmarkError
        If it cannot be written.
    """
    try:
        with atomic_write(path, binary=True) as file:
            torch.save(whole, file)
    except RuntimeError as err:  # torch's, of a disk that is full
        fault = err.__context__
        if not isinstance(fault, OSError):
            raise
        raise EarmarkError(
            f"'{path}' cannot be written: {fault.strerror or fault}; free some space there or write elsewhere"
        ) from fault


def best_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights of the best epoch that a checkpoint keeps.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no checkpoint.
    """
    if not path.exists():
        raise ConfigError(
            f"the checkpoint '{path}' is gone; name the folder it is in with --runs, or train the row again "
            "into another --out"
        )
    weights: dict[str, Tensor] = _read(path)["best"]
    return weights


def _read(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds.

    Raises
    ------
    ConfigError
        If it cannot be read, or is no checkpoint of a training.
    """
    try:
        whole: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"training", "best", "net", "optimiser", "rng"} - whole.keys()
        if missing:
            raise KeyError(*missing)
    except (OSError, UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, AttributeError) as err:
        raise ConfigError(
            f"'{path}' is no checkpoint, or damaged; remove it, and the row is trained anew"
        ) from err
    return whole
