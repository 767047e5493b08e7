"""Layers that pad, start and normalise as Keras's do: most networks here were published as Keras models.

What PyTorch does otherwise: Keras starts kernels with Glorot's uniform distribution and biases at 0;
its batch norm keeps 0.99 of the old statistics and adds 1e-3 to the variance; 'same' padding gives
``ceil(n / stride)`` steps and puts the odd one at the end; an L2 regulariser adds ``l2 * sum(w ** 2)``
of the kernel (not of the bias) to the loss, see `penalty`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Padding = Literal["same", "valid"]


def same_padding(n: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return the padding before and after an axis of `n` steps that leaves ``ceil(n / stride)`` of them."""
    total = max((-(-n // stride) - 1) * stride + (kernel - 1) * dilation + 1 - n, 0)
    return total // 2, total - total // 2


def _pad_plane(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], value: float = 0.0) -> Tensor:
    rows = same_padding(x.shape[-2], kernel[0], stride[0])
    columns = same_padding(x.shape[-1], kernel[1], stride[1])
    return nn.functional.pad(x, (*columns, *rows), value=value)


class Penalised(nn.Module):
    """A layer whose kernel costs ``l1 * sum(abs(w)) + l2 * sum(w ** 2)``."""

    weight: Tensor
    l1: float = 0.0
    l2: float = 0.0

    def penalty(self) -> Tensor:
        """Return the cost of the kernel, a scalar."""
        return self.l1 * self.weight.abs().sum() + self.l2 * self.weight.square().sum()


def penalty(net: nn.Module) -> Tensor:
    """Return what the regularisers of a network add to its loss, a scalar; 0 if it has none."""
    parts = [m.penalty() for m in net.modules() if isinstance(m, Penalised) and (m.l1 or m.l2)]
    return torch.stack(parts).sum() if parts else torch.zeros(())


def _start(layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> None:
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class Dense(nn.Linear, Penalised):
    """A fully connected layer, (..., n_in) to (..., n_out)."""

    def __init__(self, n_in: int, n_out: int, *, l2: float = 0.0) -> None:
        super().__init__(n_in, n_out)
        self.l2 = l2

    def reset_parameters(self) -> None:
        _start(self)


class Conv2d(nn.Conv2d, Penalised):
    """A convolution over (B, C, F, T)."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: Padding = "same",
        l2: float = 0.0,
    ) -> None:
        pads = padding == "same" and stride != (1, 1)  # which PyTorch does not do for itself
        super().__init__(n_in, n_out, kernel, stride, padding="valid" if pads else padding)
        self._pads = pads
        self.l2 = l2

    def reset_parameters(self) -> None:
        _start(self)

    def forward(self, x: Tensor) -> Tensor:
        if self._pads:
            x = _pad_plane(x, (self.kernel_size[0], self.kernel_size[1]), (self.stride[0], self.stride[1]))
        return super().forward(x)


class Conv1d(nn.Conv1d, Penalised):
    """A convolution over (B, C, T) that keeps T; a causal one sees no later step."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int,
        *,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        causal: bool = False,
    ) -> None:
        padding = "valid" if causal else "same"
        super().__init__(n_in, n_out, kernel, padding=padding, dilation=dilation, groups=groups, bias=bias)
        self._lead = (kernel - 1) * dilation if causal else 0

    def reset_parameters(self) -> None:
        _start(self)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(x, (self._lead, 0)) if self._lead else x)

    def on_plane(self, x: Tensor) -> Tensor:
        """Do the same over (B, C, 1, T); PyTorch is faster at that where channels are last in memory."""
        if self._lead:
            x = nn.functional.pad(x, (self._lead, 0))
        kernel = self.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        padding = "valid" if self._lead else "same"
        return nn.functional.conv2d(
            x, kernel, self.bias, padding=padding, dilation=(1, self.dilation[0]), groups=self.groups
        )


class MaxPool2d(nn.Module):
    """Maxima over (B, C, F, T); by default windows do not overlap.  Padded steps never win."""

    def __init__(
        self, size: tuple[int, int], stride: tuple[int, int] | None = None, padding: Padding = "same"
    ) -> None:
        super().__init__()
        self.size, self.stride, self.padding = size, stride or size, padding

    def forward(self, x: Tensor) -> Tensor:
        if self.padding == "same":
            x = _pad_plane(x, self.size, self.stride, value=float("-inf"))
        return nn.functional.max_pool2d(x, self.size, self.stride)


class BatchNorm1d(nn.BatchNorm1d):
    """Batch norm over (B, C) or (B, C, T)."""

    def __init__(self, n: int) -> None:
        super().__init__(n, eps=1e-3, momentum=0.01)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm over (B, C, F, T)."""

    def __init__(self, n: int) -> None:
        super().__init__(n, eps=1e-3, momentum=0.01)


def dense_block(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return dense layer, batch norm, ReLU, dropout."""
    return nn.Sequential(Dense(n_in, n_out), BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(dropout))
