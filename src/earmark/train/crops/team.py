"""Several processes that train one network: who is who, and what they add up.

``torchrun --nproc-per-node 8 -m earmark train CONFIG --device cuda`` starts eight, one for each card; without
it there is one.  Each has its part of every batch.  Gradients are averaged, and batch norm measures the whole
batch, so that what is learned is what one process would learn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.train.device import find_device


@dataclass(frozen=True)
class Team:
    """A process among those that train.

    Parameters
    ----------
    device : torch.device
    rank : int
        Which it is, from 0; the first one writes files and tells.
    world : int
        How many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it writes and tells."""
        return self.rank == 0

    def joined(self, net: nn.Module) -> nn.Module:
        """Return a network that learns with those of the others; its weights are those of `net`."""
        if self.world == 1:
            return net
        with_joint_norms(net)
        ids = [self.device] if self.device.type == "cuda" else None
        return cast(nn.Module, nn.parallel.DistributedDataParallel(net, device_ids=ids))

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums of what all of them have."""
        if self.world == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return [float(value) for value in total.cpu()]

    def wait(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def find_team(device: str) -> Iterator[Team]:
    """Join the processes that ``torchrun`` has started, or be alone.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda"``; each process of a machine has a card of its own.

    Raises
    ------
    ConfigError
        If there is no such device, or there are more processes than cards.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    where = find_device(device)
    if world == 1:
        yield Team(where)
        return
    if where.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"{local + 1} processes or more for {torch.cuda.device_count()} cards; start one for each: "
                f"torchrun --nproc-per-node {torch.cuda.device_count()}"
            )
        where = torch.device("cuda", local)
        torch.cuda.set_device(where)
    dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Team(where, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


class JointNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the parts of a batch that all processes have, on any device.

    It takes the place of `norm`, with its weights under its names; in use it is the same.
    """

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of axes."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(input)
        x = input.float()  # as PyTorch's own
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = torch.full_like(self.running_mean, x.numel() / x.shape[1])
        total, n = _summed(torch.stack([x.sum(axes), count]))
        mean = total / n
        shape = [1, -1] + [1] * (x.ndim - 2)
        away = x - mean.view(shape)
        variance = _summed(away.square().sum(axes)) / n
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum or 0.0)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum or 0.0)
        scale = self.weight / (variance + self.eps).sqrt()
        return (away * scale.view(shape) + self.bias.view(shape)).to(input.dtype)


class _Sum(torch.autograd.Function):
    """The sum over all processes; gradients come from, and go to, each of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _summed(values: Tensor) -> Tensor:
    return cast(Tensor, _Sum.apply(values))  # type: ignore[no-untyped-call]


def with_joint_norms(net: nn.Module) -> None:
    """Put `JointNorm` in the place of a network's batch norms."""
    for name, child in list(net.named_children()):
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            setattr(net, name, JointNorm(child))
        else:
            with_joint_norms(child)
