"""What a batch does with each of its recordings, and where: settled by its first run, kept by all others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from earmark.batch.parts import check_split
from earmark.detector import Detector
from earmark.errors import ConfigError
from earmark.modelfile import read_model

RESULTS = ("json", "parquet")


@dataclass(frozen=True)
class Plan:
    """What a batch does with each of its recordings, from its first run to its last.

    Parameters
    ----------
    folder : str
        Of the batch, as all workers see it.
    model : str
        Name or path.
    name, version : str
        By the model's card.
    sha256 : str
        Of the model's file.
    overrides : mapping of str to mapping
        By label, how to decode it where that differs from the model's card.
    results : {"json", "parquet"}
        A JSON file for each recording, or shards of many.
    split_s : float or None
        Recordings of more seconds are split into parts of about so many.
    """

    folder: str
    model: str
    name: str
    version: str
    sha256: str
    overrides: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    results: str = "json"
    split_s: float | None = None

    @property
    def results_folder(self) -> Path:
        """Where the results go."""
        return Path(self.folder, "results")

    @property
    def workshop(self) -> Path:
        """Where files are until they are whole; what lies there at the start of a run is rubbish."""
        return Path(self.folder, "tmp")

    @property
    def parts_folder(self) -> Path:
        """Where the posteriors of parts wait to be joined."""
        return Path(self.folder, "parts")

    def to_facts(self) -> dict[str, Any]:
        """Return what the ledger keeps of it; its folder may be moved."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}

    @classmethod
    def from_facts(cls, folder: Path, facts: Mapping[str, Any]) -> Plan:
        """Return the plan of a ledger's facts."""
        return cls(os.path.abspath(folder), **facts)


def make_plan(
    folder: Path,
    model: str,
    overrides: Mapping[str, Mapping[str, float]],
    results: str,
    split_s: float | None,
) -> Plan:
    """Return a plan that can be carried out.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    ConfigError
        If a value is not allowed.
    """
    if results not in RESULTS:
        raise ConfigError(f"--results {results}: give {' or '.join(RESULTS)}")
    if os.path.isfile(model):
        model = os.path.abspath(model)
    detector = Detector(model, overrides)
    if split_s is not None:
        check_split(detector, split_s)
    card = detector.model.card
    digest = sha256(read_model(model)).hexdigest()
    kept = {label: dict(changes) for label, changes in overrides.items() if changes}
    return Plan(os.path.abspath(folder), model, card.name, card.version, digest, kept, results, split_s)


def check_same(plan: Plan, begun: Plan) -> None:
    """Refuse to go on with a batch in another way than it was begun.

    Raises
    ------
    ConfigError
        If anything differs.
    """
    old, new = begun.to_facts(), plan.to_facts()
    changed = [name for name in old if old[name] != new[name] and name not in ("name", "version")]
    if "model" in changed and old["sha256"] == new["sha256"]:  # the same file elsewhere
        changed.remove("model")
    if changed:
        name = changed[0]
        was, now = (str(facts[name])[:60] for facts in (old, new))
        raise ConfigError(
            f"the batch in '{plan.folder}' was begun with {name} {was}, not {now}; go on with the same, "
            "or begin another in another folder"
        )
