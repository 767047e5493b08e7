"""A whole training run: sources, bank, network, card, model file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from earmark.card import DecodeOptions, ModelCard
from earmark.planner import PlanOptions
from earmark.sources import Source
from earmark.train.batches import Batch, make_batch
from earmark.train.config import DataConfig, DetectorConfig, TrainConfig
from earmark.train.export import export
from earmark.train.loop import LABELS, Progress, evaluate, train
from earmark.train.mixture import Mixer
from earmark.train.networks import DetectorNet
from earmark.train.prepare import VALIDATION_SEED, held_out_bank, held_out_name, load_bank, training_sources
from earmark.train.tune import tune_decoding

# Batches that validate during training; they steer nothing.
_VALIDATION_BATCHES = 6

DESCRIPTION = (
    "Marks speech, music and noise at 20 ms steps, independently of each other, with the ratio of speech to "
    "music. Singing counts as music; unintelligible babble as noise."
)


def train_detector(
    config: DetectorConfig,
    out: Path,
    *,
    cache: Path,
    device: str = "cpu",
    jobs: int = 2,
    prepare_only: bool = False,
    on_prepare: Callable[[int, int], None] = lambda done, total: None,
    on_step: Callable[[Progress], None] = lambda step: None,
) -> Path | None:
    """Train as a configuration says and return the path of the model file (None if only prepared).

    Parameters
    ----------
    config : DetectorConfig
    out : Path
        Folder of the run; an interrupted run in it is taken up again.
    cache : Path
        Folder of the prepared material.
    device, jobs : str, int
        ``"cpu"`` or ``"cuda"``; processes that prepare and mix.
    on_prepare, on_step : callable
        Told how far the preparation is, and every training step.
    """
    sources = training_sources(config.data)
    bank = load_bank(
        sources, config.data, config.front_end, cache, seed=config.train.seed, jobs=jobs, report=on_prepare
    )
    validation = held_out_batches(config, cache, jobs, _VALIDATION_BATCHES)
    if prepare_only:
        return None
    net = train(
        config,
        bank,
        out,
        validation=validation,
        device=device,
        workers=max(1, jobs // 2),
        report=on_step,
    )
    path = out / f"{config.name}.onnx"
    card = make_card(config, net, sources, tune_decoding(net, Mixer(bank)), evaluate(net, validation))
    export(net, card, path)
    return path


def held_out_batches(config: DetectorConfig, cache: Path, jobs: int, n_batches: int) -> list[Batch]:
    """Mix fixed batches: of the held-out collections, or of plain training material if none is held out."""
    mixer = Mixer(held_out_bank(config.data, config.front_end, cache, jobs))
    fixed = replace(
        config.train, seed=VALIDATION_SEED, batch=TrainConfig().batch, chunk_s=TrainConfig().chunk_s
    )
    return [make_batch(mixer, PlanOptions(), fixed, i) for i in range(n_batches)]


def make_card(
    config: DetectorConfig,
    net: DetectorNet,
    sources: list[Source],
    decoding: dict[str, DecodeOptions],
    scores: dict[str, float],
) -> ModelCard:
    """Describe a trained network: what it was made from, how, and what it scored while training."""
    return ModelCard(
        name=config.name,
        version=config.version,
        description=DESCRIPTION,
        labels=LABELS,
        front_end=config.front_end,
        context=net.context,
        decode=decoding,
        licence="MIT",
        sources=attribution(sources, config.data),
        metrics={
            f"frames mixed from {held_out_name(config.data)}": {
                name: round(value, 2) for name, value in scores.items()
            }
        },
        trained={
            "config": json.loads(json.dumps(asdict(config.network) | asdict(config.train))),
            "parameters": sum(p.numel() for p in net.parameters()),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    )


def attribution(sources: list[Source], data: DataConfig) -> tuple[dict[str, Any], ...]:
    """List the collections trained on, with minutes and licences."""
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for source in sources:
        row = table.setdefault(
            (source.content, source.origin),
            {"name": source.origin, "content": source.content, "minutes": 0.0, "licences": set()},
        )
        row["minutes"] += source.seconds / 60
        row["licences"].add(source.licence or "not stated")
    rows = [
        row | {"minutes": round(row["minutes"], 1), "licences": sorted(row["licences"])}
        for row in table.values()
    ]
    made = {
        "singing made from the speech above": data.singing_minutes,
        "rap made from the speech above": data.rap_minutes,
        "procedural music": data.tune_minutes,
        "procedural noise": data.noise_minutes,
    }
    rows += [
        {
            "name": name,
            "content": "noise" if "noise" in name else "music",
            "minutes": minutes,
            "licences": ["MIT"],
        }
        for name, minutes in made.items()
        if minutes
    ]
    return tuple(sorted(rows, key=lambda row: (row["content"], row["name"])))
