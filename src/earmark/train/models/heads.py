"""Heads: what is asked of a trunk's vector.  One question, or BHA's four at once (section II-C).

::

    multi-task                              cascaded
    t -+------------------> classes         t -+------------------> classes
       +- hidden ---------> speech             +- hidden -+-------> speech
       +- hidden ---------> music              +- hidden -|-+-----> music
       +- hidden ---------> ratio              +- hidden -+-+-----> ratio
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.train.models.layers import BatchNorm1d, Dense
from earmark.train.models.trunk import Trunk

_HIDDEN = 16
_DROPOUT = 0.4
_L2 = 0.01


class MultiTaskOutputs(NamedTuple):
    """What a multi-task network says of a batch of patches.

    logits : (B, K) of the classes, for a softmax.
    speech, music : (B,) logits of clean speech and of clean music against all the rest.  Speech over
        music is in neither.
    ratio : (B, 2) estimated shares of music and of speech, in this order; linear.  Their targets: the
        stronger has 1, the weaker ``10 ** (-d / 10)``, `d` dB below it, or 0 if it is not there.
    """

    logits: Tensor
    speech: Tensor
    music: Tensor
    ratio: Tensor


class ClassHead(nn.Module):
    """One dense layer: (B, n_features) to logits (B, n_classes), normalised where the trunk asks for it."""

    def __init__(self, trunk: Trunk, n_classes: int) -> None:
        super().__init__()
        self.classes = Dense(trunk.n_features, n_classes)
        trunk.init_output(self.classes)
        self.norm = trunk.output_norm(n_classes)

    def forward(self, t: Tensor) -> Tensor:
        return self.norm(self.classes(t))


def _hidden(n_features: int) -> nn.Sequential:
    return nn.Sequential(
        Dense(n_features, _HIDDEN, l2=_L2), BatchNorm1d(_HIDDEN), nn.ReLU(), nn.Dropout(_DROPOUT)
    )


class BinaryHead(nn.Module):
    """A hidden layer of 16 and one logit: (B, n_features) to (B, 1)."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.hidden = _hidden(trunk.n_features)
        self.output = Dense(_HIDDEN, 1)

    def forward(self, t: Tensor) -> Tensor:
        return self.output(self.hidden(t))


class MultiTaskHead(nn.Module):
    """Classes, clean speech, clean music and the speech-to-music ratio, each from the trunk alone.

    BHA, section II-C and Fig. 3a: the classes straight from the trunk; the others through a hidden layer
    of 16 (L2 0.01), batch norm, ReLU and dropout 0.4.  All four losses weigh 1.
    """

    def __init__(self, trunk: Trunk, n_classes: int) -> None:
        super().__init__()
        self.classes = ClassHead(trunk, n_classes)
        self.speech = BinaryHead(trunk)
        self.music = BinaryHead(trunk)
        self.ratio = nn.Sequential(_hidden(trunk.n_features), Dense(_HIDDEN, 2))

    def forward(self, t: Tensor) -> MultiTaskOutputs:
        """Take a trunk's vectors, (B, n_features)."""
        return MultiTaskOutputs(
            self.classes(t), self.speech(t).squeeze(1), self.music(t).squeeze(1), self.ratio(t)
        )


class InformedHead(nn.Module):
    """A hidden layer of 16 that, joined by the two ratio outputs and normalised, gives one logit."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.hidden = _hidden(trunk.n_features)
        self.output = nn.Sequential(BatchNorm1d(_HIDDEN + 2), Dense(_HIDDEN + 2, 1))

    def forward(self, t: Tensor, ratio: Tensor) -> Tensor:
        return self.output(torch.cat([self.hidden(t), ratio], dim=1))


class CascadedHead(nn.Module):
    """The four tasks of `MultiTaskHead`, where clean speech and clean music also see the estimated ratio.

    BHA, section II-C and Fig. 3b.  Gradients of speech and music flow back through the ratio; the classes
    see the trunk alone, as before.
    """

    def __init__(self, trunk: Trunk, n_classes: int) -> None:
        super().__init__()
        self.classes = ClassHead(trunk, n_classes)
        self.ratio = nn.Sequential(_hidden(trunk.n_features), Dense(_HIDDEN, 2))
        self.speech = InformedHead(trunk)
        self.music = InformedHead(trunk)

    def forward(self, t: Tensor) -> MultiTaskOutputs:
        """Take a trunk's vectors, (B, n_features)."""
        ratio = self.ratio(t)
        speech, music = self.speech(t, ratio), self.music(t, ratio)
        return MultiTaskOutputs(self.classes(t), speech.squeeze(1), music.squeeze(1), ratio)


class PatchNet(nn.Module):
    """A trunk and a head: patches (B, F, T), or for a fused trunk a pair of them, in.

    Out come logits (B, n_classes), or `MultiTaskOutputs`, as the head says.
    """

    def __init__(self, trunk: Trunk, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head

    def forward(self, x: Tensor | Sequence[Tensor]) -> Tensor | MultiTaskOutputs:
        outputs: Tensor | MultiTaskOutputs = self.head(self.trunk(x))
        return outputs


def single_task(net: PatchNet, task: Literal["speech", "music"]) -> PatchNet:
    """Copy the trunk and one auxiliary head of a trained multi-task network, to be tuned for that task.

    The copy gives logits (B, 1).  BHA, section III-H (B3-MTL-Sp and B3-MTL-Mu).

    Raises
    ------
    ConfigError
        If the network has no such head of its own: only multi-task ones that are not cascaded do.
    """
    if not isinstance(net.head, MultiTaskHead):
        raise ConfigError(f"a network with the head 'mtl' can be cut to '{task}', no other")
    return PatchNet(copy.deepcopy(net.trunk), copy.deepcopy(getattr(net.head, task)))
