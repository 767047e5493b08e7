"""What training minimises, and the scores that tell how it goes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.train.batches import Batch
from earmark.train.config import TrainConfig
from earmark.train.networks import RATIO_DB, Outputs


def loss_of(outputs: Outputs, batch: Batch, config: TrainConfig) -> dict[str, Tensor]:
    """Return the parts of the loss; frames whose target is nan have no say.

    The labels are a multi-label cross-entropy; the ratio (an auxiliary task after BHA, section 4.5) a
    Huber loss in units of `RATIO_DB`; `sung` a cross-entropy.
    """
    parts = {"labels": _masked_bce(outputs.logits, batch.labels)}
    if config.ratio_weight:
        known = ~torch.isnan(batch.ratio_db)
        error = nn.functional.huber_loss(
            outputs.ratio[known], batch.ratio_db[known] / RATIO_DB, reduction="sum", delta=0.5
        )
        parts["ratio"] = config.ratio_weight * error / known.sum().clamp(min=1)
    if config.sung_weight:
        parts["sung"] = config.sung_weight * _masked_bce(outputs.sung, batch.sung)
    return parts


def _masked_bce(logits: Tensor, targets: Tensor) -> Tensor:
    known = ~torch.isnan(targets)
    total = nn.functional.binary_cross_entropy_with_logits(logits[known], targets[known], reduction="sum")
    return total / known.sum().clamp(min=1)


def frame_scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Return speech, music and overlap F and four-state accuracy (all 0-100) over the known frames."""
    known = ~torch.isnan(labels[..., :2]).any(dim=-1)
    found, truth = (logits[known][:, :2] > 0), (labels[known][:, :2] > 0.5)

    def f_score(a: Tensor, b: Tensor) -> float:
        return 200 * float((a & b).sum()) / max(1.0, float(a.sum() + b.sum()))

    return {
        "speech_f": f_score(found[:, 0], truth[:, 0]),
        "music_f": f_score(found[:, 1], truth[:, 1]),
        "overlap_f": f_score(found.all(1), truth.all(1)),
        "four_state": 100 * float((found == truth).all(1).float().mean()),
    }
