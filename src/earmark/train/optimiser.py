"""The optimiser of detectors and embedders: Muon for matrices, AdamW for what is none.

Muon (K. Jordan et al., 2024) makes the update of a matrix orthogonal, so that no direction of it is
learned at the cost of the others.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from earmark.train.config import ScheduleConfig


class Optimiser:
    """Steps the kernels of convolutions between channels with Muon, all else with AdamW.

    Parameters
    ----------
    net : Module
        Its convolutions named in `outputs` are left to AdamW.
    config : ScheduleConfig
        Peak rates and weight decay; `muon_rate` 0 leaves all to AdamW.
    outputs : tuple of str
        Layers that answer: their rows are no directions among others.
    convolutions : type
        Those that Muon steps.
    """

    def __init__(
        self,
        net: nn.Module,
        config: ScheduleConfig,
        outputs: tuple[str, ...],
        convolutions: type[nn.Conv1d] | type[nn.Conv2d] = nn.Conv1d,
    ) -> None:
        last = {id(p) for name in outputs for p in net.get_submodule(name).parameters()}
        kernels = {
            id(m.weight): m.weight
            for m in net.modules()
            if config.muon_rate and isinstance(m, convolutions) and m.groups == 1 and id(m.weight) not in last
        }
        rest = [p for p in net.parameters() if id(p) not in kernels]
        self._kernels = list(kernels.values())
        # Muon takes matrices: the same memory, one row an output channel.
        self._matrices = [nn.Parameter(_matrix(kernel.detach(), kernel)) for kernel in self._kernels]
        parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [
                    {"params": [p for p in rest if p.ndim > 1], "weight_decay": config.weight_decay},
                    {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
                ],
                lr=config.learning_rate,
            )
        ]
        if self._matrices:
            parts.append(
                torch.optim.Muon(
                    self._matrices,
                    lr=config.muon_rate,
                    weight_decay=config.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        self._parts = parts
        self._peaks = [config.learning_rate, config.muon_rate][: len(parts)]

    def step(self, share: float) -> None:
        """Take a step at a share of the peak rates."""
        for matrix, kernel in zip(self._matrices, self._kernels, strict=True):
            matrix.grad = None if kernel.grad is None else _matrix(kernel.grad, kernel)
        for part, peak in zip(self._parts, self._peaks, strict=True):
            for group in part.param_groups:
                group["lr"] = peak * share
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """Return what `load_state_dict` takes up."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Take up a state."""
        for part, own in zip(self._parts, state, strict=True):
            part.load_state_dict(own)


def _matrix(values: Tensor, kernel: Tensor) -> Tensor:
    """Return a kernel's values, or its gradient, as a matrix in the order of the kernel's own memory."""
    return (values if kernel.is_contiguous() else values.movedim(1, -1)).flatten(1)
