"""From a trained row of a table to a model file that `earmark detect` runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from earmark.datasets import DATASETS
from earmark.datasets.tasks import dataset_of
from earmark.decodings import Decoding, GatedViterbi, LikeliestClasses
from earmark.errors import ConfigError
from earmark.features.extractor import Extractor
from earmark.features.registry import FEATURES
from earmark.features.scaling import Scaling
from earmark.features.sidekit import SidekitMel
from earmark.patchcard import PatchCard
from earmark.train.checkpoint import best_weights
from earmark.train.experiments.example import Example
from earmark.train.experiments.losses import probabilities
from earmark.train.experiments.nets import load_scaling, row_network, trained_parts
from earmark.train.experiments.prepared import Prepared, prepare
from earmark.train.experiments.results import Workplace, find_result, read_results
from earmark.train.experiments.rows import NetworkRow, TransferRow
from earmark.train.experiments.run import Tell
from earmark.train.experiments.table import Experiment
from earmark.train.experiments.transfer import restored
from earmark.train.export import export_patches

# A cell lasts about this long in use, however far apart a row's patches are in training, seconds.
_CELL_S = 0.1
# What a change of class costs for each patch that sees a moment, decades: inaSpeechSegmenter's 80 for 34.
_CHANGE = 80 / 34


class _Classifier(nn.Module):
    """Class probabilities (B, K) of patches as the front end cuts them, (B, F, L)."""

    shift: Tensor
    divisor: Tensor

    def __init__(self, net: nn.Module, scaling: Scaling | None) -> None:
        super().__init__()
        self.net = net
        self.is_scaled = scaling is not None
        if scaling is not None:
            self.register_buffer("shift", torch.from_numpy(scaling.shift))
            self.register_buffer("divisor", torch.from_numpy(scaling.divisor))

    def forward(self, x: Tensor) -> Tensor:
        return probabilities(self.net((x - self.shift) / self.divisor if self.is_scaled else x))


def export_row(
    experiment: Experiment,
    name: str,
    data: Path,
    out: Path,
    place: Workplace,
    path: Path,
    *,
    repetition: int = 0,
    on: str | None = None,
    quick: bool = False,
    tell: Tell = lambda text: None,
) -> PatchCard:
    """Write a row that `run_experiment` has trained as a model file.

    Parameters
    ----------
    experiment : Experiment
    name : str
        Of the row.
    data, out, place, on, quick, tell
        As `run_experiment` had them.
    path : Path
        The model file.
    repetition : int
        Counted from 0.

    Returns
    -------
    PatchCard
        What is inside the file, beside the network.

    Raises
    ------
    ConfigError
        If the row was not trained, its checkpoint is gone, or its answer depends on what else is in a batch.
    ModelError
        If the file cannot be written.
    """
    prepared = prepare(experiment, data, on, quick)
    experiment = prepared.experiment
    (row,) = prepared.rows([name])
    if not isinstance(row, NetworkRow):
        raise ConfigError(f"'{name}' is no network of patches; make a model of embeddings with: earmark fit")
    prepared.check_repetition(repetition)
    if row.extractor.scaling == "batch":
        raise ConfigError(
            f"'{name}' normalises each batch by itself, so its answer depends on what else is in the batch; "
            "export a row with the variant 'corrected' of its features"
        )
    setup = prepared.setup(row)
    result = find_result(read_results(out, experiment.name), name, setup, prepared.digest, repetition)
    if result is None:
        raise ConfigError(
            f"'{out}' has no result of '{name}', repetition {repetition + 1}, on {prepared.data}; "
            "run the row first, without --export"
        )
    folder = place.runs / result["checkpoint"]
    net = _trained(row, prepared, place, folder)
    card = _card(prepared, row, repetition, result)
    tell(f"{name}: writing {path}")
    export_patches(_Classifier(net, load_scaling(folder)), card, path)
    return card


def _trained(row: NetworkRow, prepared: Prepared, place: Workplace, folder: Path) -> nn.Module:
    """Return a row's network as its best epoch left it."""
    experiment = prepared.experiment
    n_classes = len(experiment.protocol.classes)
    if isinstance(row, TransferRow):
        sources = prepared.split_sources()
        return restored(row, experiment.pretrain.fit, sources, place, folder / "net.pt", n_classes)
    net = row_network(row.model, row.extractor, n_classes)
    for name, part in trained_parts(net).items():
        part.load_state_dict(best_weights(folder / f"{name}.pt"))
    return net


def _card(prepared: Prepared, row: NetworkRow, repetition: int, result: dict[str, Any]) -> PatchCard:
    experiment = prepared.experiment
    train = prepared.split(repetition, row.share).train
    first = prepared.split_sources().train if isinstance(row, TransferRow) else ()
    setup = ("signal", "model", "fit", "frozen", "pretrain")
    measured = ("parameters", "epochs", "best_epoch", "cpu_s", "environment")
    quick = "; a quick run, no result" if prepared.quick else ""
    return PatchCard(
        name=f"{experiment.name} {row.name}",
        version=str(repetition + 1),
        description=f"{experiment.source}: {row.name}, trained on {prepared.data}, repetition "
        f"{repetition + 1} of {experiment.protocol.repetitions}{quick}.",
        classes=experiment.protocol.classes,
        **in_use(row.extractor),
        licence="not stated; see that of each source",
        sources=_sources(prepared, train, first),
        metrics={f"patches of the test part, {prepared.data}, percent": result["figures"]},
        trained={key: result["setup"][key] for key in setup if key in result["setup"]}
        | {key: result[key] for key in measured},
    )


def in_use(extractor: Extractor) -> dict[str, Any]:
    """Return what a card says of how recordings are heard: ``features`` and ``decode``.

    Patches follow each other closely enough to tell when a class begins.
    """
    if isinstance(extractor, SidekitMel):  # its decoding counts on the program's hop
        extractor = replace(extractor, patch_hop=SidekitMel.patch_hop)
    elif "patch_hop" in extractor.options:
        frames = round(_CELL_S * extractor.sample_rate / extractor.hop_length)
        extractor = replace(extractor, patch_hop=max(1, min(extractor.patch_length, frames)))
    return {"features": _features(extractor), "decode": _decoding(extractor)}


def _features(extractor: Extractor) -> dict[str, Any]:
    """Return the keywords of `create_features` that make a front end."""
    base = FEATURES[extractor.name].extractor
    changed = [
        name for name in ("variant", *extractor.options) if getattr(extractor, name) != getattr(base, name)
    ]
    return {"name": extractor.name, **{name: getattr(extractor, name) for name in changed}}


def _decoding(extractor: Extractor) -> Decoding:
    if isinstance(extractor, SidekitMel):
        return GatedViterbi()
    return LikeliestClasses(round(_CHANGE * extractor.patch_length / extractor.step, 2))


def _sources(
    prepared: Prepared, train: Iterable[Example], first: Iterable[Example]
) -> tuple[dict[str, Any], ...]:
    """List what a row was trained on, and on what `first`: recordings and licences by class, whom to cite."""
    used, before = _paths(train), _paths(first)
    heard = [(prepared.origin(clip.label), clip) for clip in prepared.clips if str(clip.path) in used]
    for name, clips in prepared.sources.items():
        heard += [(DATASETS[dataset_of(name)], clip) for clip in clips if str(clip.path) in before]
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for dataset, clip in heard:
        empty = {
            "name": dataset.title,
            "content": clip.label,
            "recordings": 0,
            "licences": [],
            "citation": dataset.citation,
        }
        row = rows.setdefault((clip.label, dataset.name), empty)
        row["recordings"] += 1
        row["licences"] = sorted({*row["licences"], clip.licence or dataset.licence})
    return tuple(row for _, row in sorted(rows.items()))


def _paths(examples: Iterable[Example]) -> set[str]:
    """Return the recordings of examples, those of mixtures too."""
    return {path for example in examples for path in (example.path, example.music) if path is not None}
