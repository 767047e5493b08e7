"""A whole training of an embedder: bank, network, card, model file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from earmark.embeddingcard import EmbeddingCard
from earmark.features.detectormel import DetectorMel
from earmark.features.registry import create_features
from earmark.train.device import find_device
from earmark.train.embedder.config import EmbedderConfig
from earmark.train.embedder.network import EmbedderTasks, Embeddings
from earmark.train.embedder.objective import loss_of, recordings_found
from earmark.train.embedder.windows import CONTENTS, WindowMaker, Windows
from earmark.train.export import export_embeddings
from earmark.train.loop import Progress, train_steps
from earmark.train.mixture import Mixer
from earmark.train.optimiser import Optimiser
from earmark.train.prepare import (
    VALIDATION_SEED,
    held_out_bank,
    held_out_name,
    load_bank,
    training_sources,
)
from earmark.train.run import attribution

# Batches that validate during training; they steer nothing.
_VALIDATION_BATCHES = 4
_FEATURES = "detector"


def train_embedder(
    config: EmbedderConfig,
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

    Parameters are those of `earmark.train.run.train_detector`.
    """
    t = config.train
    extractor = create_features(_FEATURES, patch_length=t.window, patch_hop=t.hop)
    assert isinstance(extractor, DetectorMel)
    sources = training_sources(config.data)
    bank = load_bank(
        sources, config.data, extractor.front_end, cache, seed=t.seed, jobs=jobs, report=on_prepare
    )
    validation = _held_out(config, extractor, cache, jobs)
    if prepare_only:
        return None
    maker = WindowMaker(Mixer(bank), t)
    torch.manual_seed(t.seed)
    net = EmbedderTasks(
        config.network, extractor.n_bands, len(maker.recordings), len(maker.kinds), len(CONTENTS)
    ).to(find_device(device))
    train_steps(
        net,
        Optimiser(net, t, (), nn.Conv2d),
        maker.batch,
        lambda answers, batch: loss_of(answers, batch, t),
        t,
        out,
        described=json.dumps(asdict(config)),
        evaluate=lambda averaged: recordings_found(averaged.get_submodule("embedder"), validation),
        workers=max(1, jobs // 2),
        report=on_step,
    )
    embedder = net.cpu().eval().embedder
    outputs = Embeddings(embedder)
    card = EmbeddingCard(
        name=config.name,
        version=config.version,
        description=f"Embeddings of windows of {extractor.window_length / extractor.sample_rate:.3g} s: "
        "alike are windows of one voice, instrument or noise.",
        features={"name": _FEATURES, "patch_length": t.window, "patch_hop": t.hop},
        embeddings={str(size): size for size in outputs.sizes},
        licence="MIT",
        sources=attribution(sources, config.data),
        metrics={
            f"windows of {held_out_name(config.data)}": {
                name: round(value, 2) for name, value in recordings_found(embedder, validation).items()
            }
        },
        trained={
            "config": json.loads(json.dumps(asdict(config.network) | asdict(t))),
            "recordings": len(maker.recordings),
            "kinds": len(maker.kinds),
            "parameters": sum(p.numel() for p in embedder.parameters()),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    )
    path = out / f"{config.name}.onnx"
    export_embeddings(outputs, card, path, half=True)
    return path


def _held_out(config: EmbedderConfig, extractor: DetectorMel, cache: Path, jobs: int) -> list[Windows]:
    """Draw fixed batches: of the held-out collections, or of plain training material if none is held out."""
    mixer = Mixer(held_out_bank(config.data, extractor.front_end, cache, jobs))
    maker = WindowMaker(mixer, replace(config.train, seed=VALIDATION_SEED, choirs=0.0))
    return [maker.batch(i) for i in range(_VALIDATION_BATCHES)]
