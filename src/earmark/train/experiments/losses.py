"""What a network of patches is trained for: classes, one class against the rest, or BHA's four tasks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from earmark.train.experiments.batches import Batch
from earmark.train.models import MultiTaskOutputs

# Classes of BHA, in their order.
MUSIC, SPEECH, OVERLAP = range(3)


@dataclass(frozen=True)
class TaskWeights:
    """Weights of BHA's four losses (section III-C; 1 each in the paper)."""

    classes: float = 1.0
    speech: float = 1.0
    music: float = 1.0
    ratio: float = 1.0


def ratio_targets(labels: Tensor, smr_db: Tensor) -> Tensor:
    """Return the shares of music and speech, (B, 2): the stronger has 1.

    Music alone is [1, 0], speech alone [0, 1]; a mixture of ``v`` dB is [10^(-v/10), 1], or
    [1, 10^(v/10)] where the music is stronger.
    """
    ratio = 10 ** (-smr_db / 10)
    shares = []
    for alone, level in ((MUSIC, ratio), (SPEECH, 1 / ratio)):
        mixed = torch.where(labels == OVERLAP, level.clamp(max=1), 0.0)
        shares.append(torch.where(labels == alone, 1.0, mixed))
    return torch.stack(shares, dim=1)


def loss_of(
    outputs: Tensor | MultiTaskOutputs,
    batch: Batch,
    weights: TaskWeights,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the loss of a batch, a scalar.

    Parameters
    ----------
    outputs : Tensor, shape=(B, K), or MultiTaskOutputs
        Logits; with one column, of class 1 against the rest.
    batch : Batch
        Its labels and ratios are the targets.
    weights : TaskWeights
        Of the tasks, where there are four.
    class_weights : Tensor, shape=(K,), optional
        How much a patch of each class counts in the loss of the classes; by default all alike.
    """
    if isinstance(outputs, Tensor):
        return _of_classes(outputs, batch.labels, class_weights)
    return (
        weights.classes * _of_classes(outputs.logits, batch.labels, class_weights)
        + weights.speech * _against_rest(outputs.speech, batch.labels == SPEECH)
        + weights.music * _against_rest(outputs.music, batch.labels == MUSIC)
        + weights.ratio * functional.mse_loss(outputs.ratio, ratio_targets(batch.labels, batch.smr_db))
    )


def _of_classes(logits: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    if class_weights is None:
        return functional.cross_entropy(logits, labels)
    # The mean is over the batch, not over the weights in it, as Keras does.
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return (class_weights[labels] * losses).mean()


def _against_rest(logits: Tensor, wanted: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, wanted.float())


def probabilities(outputs: Tensor | MultiTaskOutputs) -> Tensor:
    """Return class probabilities, (B, K); of one logit, those of the rest and of the class."""
    logits = outputs if isinstance(outputs, Tensor) else outputs.logits
    if logits.shape[1] == 1:
        positive = logits.sigmoid()
        return torch.cat([1 - positive, positive], dim=1)
    return logits.softmax(dim=1)
