"""Published systems whose released weights become models of ours."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from earmark.errors import ConfigError, ModelError
from earmark.modelfile import PUBLISHED, user_path
from earmark.patchcard import GatedViterbi, PatchCard
from earmark.train.export import export_patches
from earmark.train.keras import load_keras
from earmark.train.models import create_model


@dataclass(frozen=True)
class System:
    """A published system.

    Parameters
    ----------
    architecture : str
        Its network, for `create_model`.
    load : callable
        Puts the weights of a file into that network.
    card : PatchCard
        Of the model it becomes.
    """

    architecture: str
    load: Callable[[nn.Module, Path], None]
    card: PatchCard


SYSTEMS = {
    "ina": System(
        "ina-smn",
        load_keras,
        PatchCard(
            name="ina-smn",
            version="2018",
            description="inaSpeechSegmenter's speech, music and noise, one at a time.",
            labels=("speech", "music", "noise"),
            features={"name": "ina"},
            decode=GatedViterbi(),
            licence="MIT",
            sources=(
                {
                    "name": "inaSpeechSegmenter",
                    "by": "Institut national de l'audiovisuel",
                    "paper": "D. Doukhan, J. Carrive, F. Vallet, A. Larcher, S. Meignier, ICASSP 2018",
                    "url": "https://github.com/ina-foss/inaSpeechSegmenter",
                    "licence": "MIT",
                },
            ),
        ),
    ),
}


def import_published(system: str, path: Path, out: Path | None = None) -> tuple[str, Path]:
    """Turn a file of published weights into a model file.

    Parameters
    ----------
    system : str
        One of `SYSTEMS`.
    path : Path
        The weights, as published.
    out : Path, optional
        The model file to write; by default the one in the user's folder that has the model's name.

    Returns
    -------
    name : str
        Name of the model.
    path : Path
        The file written.

    Raises
    ------
    ConfigError
        If there is no such system.
    ModelError
        If the file cannot be read or holds other weights, or the model cannot be written.
    """
    if system not in SYSTEMS:
        near = difflib.get_close_matches(system, SYSTEMS, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(SYSTEMS)}"
        raise ConfigError(f"no published system '{system}'; {hint}")
    chosen = SYSTEMS[system]
    net = create_model(chosen.architecture)
    try:
        chosen.load(net, path)
    except ModelError as err:
        wanted = PUBLISHED[chosen.card.name]
        raise ModelError(f"{err}; '{system}' needs '{wanted.file}' from {wanted.home}") from err
    target = out or user_path(chosen.card.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ModelError(
            f"'{target.parent}' cannot be made: {err.strerror or err}; give a file with --out"
        ) from err
    export_patches(net, chosen.card, target)
    return chosen.card.name, target
