"""Configuration of the detector's training: frozen dataclasses, read from TOML, unknown keys refused."""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from earmark.errors import ConfigError
from earmark.features import FrontEnd
from earmark.planner import PlanOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    Parameters
    ----------
    index : str
        Corpus index (CSV); relative to the working directory.
    holdout : tuple of str
        Collections kept out of training, to measure on.
    unused : tuple of str
        Collections that serve neither.
    exclude : tuple of str
        Rows whose `detail` contains one of these are dropped (suspected labels).
    variants : int
        Altered copies of every speech and noise recording (new voices, codecs, rooms, bands, levels).
    music_variants, sung_variants : int
        The same for instrumental and for sung music.
    singing_minutes, rap_minutes : float
        Sung and rapped lines made from the training speech.
    tune_minutes : float
        Procedural instrumental music.
    noise_minutes : float
        Procedural noise.
    """

    index: str = "corpus/index.csv"
    holdout: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ("suspect label",)
    variants: int = 3
    music_variants: int = 2
    sung_variants: int = 6
    singing_minutes: float = 120.0
    rap_minutes: float = 20.0
    tune_minutes: float = 60.0
    noise_minutes: float = 60.0


@dataclass(frozen=True)
class NetworkConfig:
    """Which network; see `earmark.train.networks`."""

    front: str = "conv"
    block: str = "residual"
    width: int = 128
    maps: int = 16
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 1, 2, 4, 8, 16, 32)
    dropout: float = 0.1
    hpss: tuple[int, ...] = ()
    cascade: bool = False


@dataclass(frozen=True)
class ScheduleConfig:
    """How long and how fast any network is trained.

    Parameters
    ----------
    seed : int
        Of weights and of all that is drawn.
    batch : int
        Examples of a step.
    steps : int
        Optimiser steps; the learning rate follows one cycle over them.
    max_minutes : float
        The schedule is shortened so that training ends within this time.
    learning_rate, muon_rate, weight_decay : float
        Peak rates of AdamW and of Muon, which steps the kernels of 1-D convolutions (0: AdamW does), and
        the decay of both.
    average : float
        Decay of the moving average of the weights that is exported.
    validate_every : int
        Steps between validations.
    bfloat16 : bool
        Multiply in bfloat16 where the processor can (about twice as fast); sums stay in float32.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    seed: int = 1
    batch: int = 16
    steps: int = 12_000
    max_minutes: float = 75.0
    learning_rate: float = 2e-3
    muon_rate: float = 0.0
    weight_decay: float = 1e-2
    average: float = 0.999
    validate_every: int = 500
    bfloat16: bool = True

    def __post_init__(self) -> None:
        for name in ("batch", "steps", "max_minutes", "learning_rate", "validate_every"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} {getattr(self, name)}: it must be above 0")
        for name in ("seed", "muon_rate", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} {getattr(self, name)}: it must be 0 or more")
        if not 0 <= self.average < 1:
            raise ConfigError(f"average {self.average}: it must be 0 or more, and below 1; usually 0.999")


@dataclass(frozen=True)
class TrainConfig(ScheduleConfig):
    """How a detector is trained.

    Parameters
    ----------
    chunk_s : float
        Seconds of an example.
    ratio_weight, sung_weight : float
        Weights of the auxiliary losses; 0 leaves the task out.
    """

    chunk_s: float = 24.0
    ratio_weight: float = 0.2
    sung_weight: float = 0.2


@dataclass(frozen=True)
class DetectorConfig:
    """A whole training run."""

    name: str = "detector"
    version: str = "1"
    data: DataConfig = field(default_factory=DataConfig)
    front_end: FrontEnd = field(default_factory=FrontEnd)
    plan: PlanOptions = field(default_factory=PlanOptions)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigError(f"configuration '{path}' cannot be read: {err.strerror}") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"configuration '{path}' is not valid TOML: {err}") from err


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> DetectorConfig:
    """Read a detector's configuration, as `read_table` does.

    Raises
    ------
    ConfigError
        For a missing file, bad TOML, an unknown key or a value of the wrong type.
    """
    config: DetectorConfig = build(DetectorConfig, read_table(path, overrides), str(path))
    return config


def read_table(path: Path, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a TOML file; `overrides` are ``section.key=value`` with TOML values.

    Raises
    ------
    ConfigError
        For a missing file or bad TOML.
    """
    values = read_toml(path)
    for override in overrides:
        key, _, text = override.partition("=")
        try:
            value = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError:
            value = text
        *sections, leaf = key.strip().split(".")
        table = values
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise ConfigError(f"--set {override}: '{section}' is a value, and holds no others")
        table[leaf] = value
    return values


def build(kind: Any, values: dict[str, Any], where: str) -> Any:
    """Fill a dataclass from a table, recursively, checking keys and types."""
    return kind(**checked_values(get_type_hints(kind), values, where))


def checked_values(hints: Mapping[str, Any], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values of a table with the types of their hints: tuples for lists, dataclasses for tables.

    Raises
    ------
    ConfigError
        For a key that has no hint, or a value of another type; the text names `where`.
    """
    filled: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            allowed = f"allowed are {', '.join(hints)}" if hints else "it has none"
            hint = f"did you mean '{near[0]}'?" if near else allowed
            raise ConfigError(f"unknown key '{key}' in {where}; {hint}")
        hint_type = hints[key]
        if dataclasses.is_dataclass(hint_type):
            if not isinstance(value, dict):
                raise ConfigError(f"'{key}' in {where} must be a table, got {value!r}")
            filled[key] = build(hint_type, value, f"[{key}] of {where}")
        elif getattr(hint_type, "__origin__", None) is tuple:
            item = hint_type.__args__[0]
            if item is float and isinstance(value, list):
                value = [float(v) if type(v) is int else v for v in value]
            if not isinstance(value, list | tuple) or not all(type(v) is item for v in value):
                raise ConfigError(f"'{key}' in {where} must be a list of {item.__name__}, got {value!r}")
            filled[key] = tuple(value)
        else:
            if hint_type is float and type(value) is int:
                value = float(value)
            if type(value) is not hint_type:
                raise ConfigError(f"'{key}' in {where} must be {hint_type.__name__}, got {value!r}")
            filled[key] = value
    return filled
