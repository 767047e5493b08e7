"""What an embedder's training minimises, and the score that tells how it goes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from earmark.train.embedder.config import EmbedderTrainConfig
from earmark.train.embedder.network import Answers
from earmark.train.embedder.windows import UNKNOWN, Windows

# Softness of the labels; temperature of the similarities of windows.
_SMOOTHING, _TEMPERATURE = 0.1, 0.1


def loss_of(answers: Answers, batch: Windows, config: EmbedderTrainConfig) -> dict[str, Tensor]:
    """Return the parts of the loss; what is unknown has no say."""
    parts = {}
    for name, weight in (("recordings", config.recordings_weight), ("kinds", config.kinds_weight)):
        if weight:
            logits, classes = getattr(answers, name), getattr(batch, name)
            total = nn.functional.cross_entropy(
                logits, classes, ignore_index=UNKNOWN, label_smoothing=_SMOOTHING, reduction="sum"
            )
            parts[name] = weight * total / (classes != UNKNOWN).sum().clamp(min=1)
    if config.pairs_weight:
        parts["pairs"] = config.pairs_weight * pair_loss(answers.places, batch.recordings)
    if config.contents_weight:
        known = ~torch.isnan(batch.contents)
        parts["contents"] = config.contents_weight * nn.functional.binary_cross_entropy_with_logits(
            answers.contents[known], batch.contents[known]
        )
    return parts


def pair_loss(places: Tensor, recordings: Tensor) -> Tensor:
    """Return the cross-entropy of finding each window's partner among all windows of other recordings.

    T. Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020,
    equation 1; for audio, A. Saeed, D. Grangier, N. Zeghidour, ICASSP 2021.

    Parameters
    ----------
    places : Tensor, shape=(B, P)
        On the unit sphere; 2 i and 2 i + 1 are partners.
    recordings : Tensor, shape=(B,)
        Other windows of the same recording are left out.
    """
    partner = torch.arange(len(places), device=places.device) ^ 1
    same = (recordings[:, None] == recordings[None]) & (recordings[:, None] != UNKNOWN)
    same[torch.arange(len(places)), partner] = False
    same.fill_diagonal_(True)
    similar = (places @ places.T / _TEMPERATURE).masked_fill(same, -torch.inf)
    return nn.functional.cross_entropy(similar, partner)


@torch.no_grad()
def recordings_found(embedder: nn.Module, batches: Sequence[Windows]) -> dict[str, float]:
    """Return for how many windows (0-100) the nearest one of a batch is of the same recording."""
    embedder.eval()
    device = next(embedder.parameters()).device
    found = []
    for batch in batches:
        embedding = nn.functional.normalize(embedder(batch.log_mel.to(device)), dim=1)
        similar = (embedding @ embedding.T).fill_diagonal_(-1.0)
        nearest = similar.argmax(dim=1).cpu()
        found.append((batch.recordings[nearest] == batch.recordings).float().mean())
    return {"recordings_found": 100 * float(torch.stack(found).mean())}
