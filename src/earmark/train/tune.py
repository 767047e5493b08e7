"""Decoding options chosen for a trained network, on programmes newly mixed from its training recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from earmark.activity import fill_gaps
from earmark.card import DecodeOptions
from earmark.decode import decode
from earmark.metrics import Counts, boundary_counts, label_counts
from earmark.planner import PlanOptions, plan
from earmark.posteriors import Posteriors
from earmark.render import PAUSES_S
from earmark.sources import CONTENTS
from earmark.timeline import Timeline
from earmark.train.mixture import Mixer

_PROGRAMME_S = 300.0
# Start of the search, and what is tried instead, one option after the other, until nothing helps.
_START = DecodeOptions(threshold=0.5, release=0.4, min_duration=0.3, min_gap=0.5, smooth=0.2)
_CHOICES = {
    "min_gap": (0.2, 0.3, 0.4, 0.5, 0.7, 1.0),
    "min_duration": (0.1, 0.2, 0.3, 0.5, 0.8),
    "smooth": (0.0, 0.1, 0.2, 0.3, 0.5, 0.7),
    "threshold": (0.4, 0.45, 0.5, 0.55, 0.6),
    "release": (0.2, 0.3, 0.35, 0.4, 0.45),
}
# Singing that was not trained on is taken for speech more often than singing that was: of the thresholds of
# speech that are nearly as good, by this much, the strictest is taken.
_STRICTER, _NEARLY = {"speech": (0.65, 0.7, 0.75, 0.8)}, 0.005


class _Programme(NamedTuple):
    """Posteriors of a programme, one label each, and its reference."""

    posteriors: dict[str, Posteriors]
    reference: Timeline


def tune_decoding(
    net: nn.Module, mixer: Mixer, *, n_programmes: int = 24, seed: int = 1_000_004
) -> dict[str, DecodeOptions]:
    """Choose each label's options: those with the best mean of cell F and boundary F (0.5 s).

    Parameters
    ----------
    net : Module
        A trained network, on the CPU.
    mixer : Mixer
        Of the training recordings: what the network is tested on must not choose its options.
    n_programmes, seed : int
        Programmes of five minutes that are mixed for it.
    """
    programmes = [_make(net, mixer, np.random.default_rng((seed, i))) for i in range(n_programmes)]
    return {label: _search(programmes, label) for label in CONTENTS}


@torch.no_grad()
def _make(net: nn.Module, mixer: Mixer, rng: np.random.Generator) -> _Programme:
    hop_s = mixer.front_end.grid.hop_s
    example = mixer.render(plan(mixer.bank.sources, _PROGRAMME_S, rng, PlanOptions()), rng)
    values = net(torch.from_numpy(example.log_mel.T.copy())[None]).logits.sigmoid()[0].numpy()
    heard = example.heard.copy()
    for column, pause in enumerate(PAUSES_S):
        heard[:, column] = fill_gaps(heard[:, column], round(pause / hop_s))
    return _Programme(
        {
            label: Posteriors(np.ascontiguousarray(values[:, i : i + 1]), None, (label,), hop_s)
            for i, label in enumerate(CONTENTS)
        },
        Timeline.from_frames(heard, hop_s, CONTENTS, len(heard) * hop_s),
    )


def _search(programmes: list[_Programme], label: str) -> DecodeOptions:
    best, best_score = _START, _score(programmes, label, _START)
    improved = True
    while improved:
        improved = False
        for options in _neighbours(best):
            score = _score(programmes, label, options)
            if score > best_score:
                best, best_score, improved = options, score, True
    stricter = [
        replace(best, threshold=value) for value in _STRICTER.get(label, ()) if value > best.threshold
    ]
    good = [options for options in stricter if _score(programmes, label, options) >= best_score - _NEARLY]
    return (good or [best])[-1]


def _neighbours(options: DecodeOptions) -> Iterator[DecodeOptions]:
    for name, choices in _CHOICES.items():
        for value in choices:
            changed = {name: value}
            if name == "threshold":
                # Hysteresis keeps its width when the threshold moves.
                changed["release"] = max(0.1, round(options.release_at + value - options.threshold, 2))
            if value != getattr(options, name) and not (name == "release" and value > options.threshold):
                yield replace(options, **changed)


def _score(programmes: list[_Programme], label: str, options: DecodeOptions) -> float:
    cells = boundaries = Counts()
    for programme in programmes:
        found = decode(programme.posteriors[label], {label: options})
        cells += label_counts(programme.reference, found, label)
        boundaries += boundary_counts(programme.reference, found, label)["boundary"]
    return (cells.f1 + boundaries.f1) / 2
