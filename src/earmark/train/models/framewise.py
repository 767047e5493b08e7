"""An ECAPA-TDNN as it is used: every convolution is one product of a matrix with frames as its rows.

It answers as the trained network does.  A batch norm is a scale and a shift of each channel behind a ReLU.
The scale, but for its sign, goes into the weights before the ReLU; the shift, a constant, into the biases of
what comes next, and is added only where a signal is convolved with zeros around it.  The products can be had
in whole numbers (`earmark.train.quantise`); all else is cheap.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.train.models.ecapa import LEAST_VARIANCE, AttentiveStatistics, Blocks, Ecapa, SeRes2Block

_Norm = nn.modules.batchnorm._BatchNorm


class Dense(nn.Module):
    """(B, T, n_in) to (B, T, n_out): what a convolution over time does of a signal plus a constant.

    Parameters
    ----------
    conv : nn.Conv1d
        Of which T stays.
    n_frames : int
        T.
    shift : Tensor, shape=(n_in,), optional
        What is to be added to the signal first; for kernels of one frame.
    scale : Tensor, shape=(n_out,), optional
        What the result is multiplied by.
    """

    frames: Tensor | None

    def __init__(
        self, conv: nn.Conv1d, n_frames: int, shift: Tensor | None = None, scale: Tensor | None = None
    ) -> None:
        super().__init__()
        assert conv.bias is not None  # as all of ECAPA have
        weight, bias = conv.weight.detach(), conv.bias.detach()
        if shift is not None:
            bias = bias + weight[:, :, 0] @ shift
        if scale is not None:
            weight, bias = weight * scale[:, None, None], bias * scale
        (size,), (dilation,) = conv.kernel_size, conv.dilation
        self._n_frames = n_frames
        self.weight = nn.Parameter(weight.permute(0, 2, 1).flatten(1).contiguous())
        self.bias = nn.Parameter(bias.clone())
        self._around = dilation * (size - 1) // 2
        which = torch.arange(n_frames)[:, None] + dilation * torch.arange(size)
        self.register_buffer("frames", which.flatten() if size > 1 else None)

    def forward(self, x: Tensor) -> Tensor:
        if self.frames is not None:  # those that the kernel sees, side by side
            x = functional.pad(x, (0, 0, self._around, self._around)).index_select(1, self.frames)
        rows = x.reshape(-1, self.weight.shape[1])
        return functional.linear(rows, self.weight, self.bias).reshape(-1, self._n_frames, len(self.weight))


class _Rectified(nn.Module):
    """Convolution, ReLU and maybe batch norm, but for the constant `shift`, which is left to be added."""

    sign: Tensor | None

    def __init__(self, layers: nn.Module, n_frames: int, before: Tensor | None = None) -> None:
        super().__init__()
        assert isinstance(layers, nn.Sequential)
        first, _, *norms = layers
        conv = _convolution(first)
        scale, self.shift = _affine(norms[0]) if norms else _nothing(conv.out_channels)
        self.dense = Dense(conv, n_frames, before, scale.abs())
        self.register_buffer("sign", scale.sign() if bool((scale < 0).any()) else None)

    def forward(self, x: Tensor) -> Tensor:
        out = self.dense(x).relu()
        return out if self.sign is None else out * self.sign


class _Last(_Rectified):
    """Convolution, ReLU and maybe batch norm."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.shift.to(x)


class _Affine(nn.Module):
    """Batch norm of the last axis, in use."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        scale, shift = _affine(norm)
        self.scale, self.shift = nn.Parameter(scale), nn.Parameter(shift)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


class _Block(nn.Module):
    """A `SeRes2Block` of a signal, to which the constant `before` is to be added."""

    def __init__(self, block: nn.Module, n_frames: int, before: Tensor | None = None) -> None:
        super().__init__()
        assert isinstance(block, SeRes2Block)
        self.split = _Rectified(block.split, n_frames, before)
        convs = [_Rectified(layers, n_frames) for layers in block.convs]
        self.convs = nn.ModuleList(convs)
        shifts = [conv.shift for conv in convs]
        width = len(shifts[0])
        # What a convolution is given: its split, and what the one before it made.
        behind = torch.cat([torch.zeros(width), *shifts[:-1], torch.zeros(width)])
        self.shift = nn.Parameter(self.split.shift + behind)
        join, _, norm = block.join
        self.join = Dense(_convolution(join), n_frames, torch.cat([*shifts, torch.zeros(width)]))
        scale, shift = _affine(norm)
        self.scale, self.after = nn.Parameter(scale), nn.Parameter(shift)
        _, squeeze, _, spread, _ = block.weigh
        self.squeeze, self.spread = _linear(squeeze), _linear(spread)
        plain = isinstance(block.identity, nn.Identity)
        self.identity = nn.Identity() if plain else Dense(_convolution(block.identity), n_frames, before)
        self.before = None if before is None or not plain else nn.Parameter(before)

    def forward(self, x: Tensor) -> Tensor:
        *splits, passed = (self.split(x) + self.shift).chunk(len(self.convs) + 1, dim=2)
        outputs: list[Tensor] = []
        for conv, split in zip(self.convs, splits, strict=True):
            outputs.append(conv(split + outputs[-1] if outputs else split))
        joined = self.join(torch.cat([*outputs, passed], dim=2)).relu()
        mean = joined.mean(dim=1, keepdim=True) * self.scale + self.after
        weights = self.spread(self.squeeze(mean).relu()).sigmoid()
        added = self.after * weights if self.before is None else self.after * weights + self.before
        return joined * (self.scale * weights) + (self.identity(x) + added)


class _Blocks(nn.Module):
    """One band's first convolution and blocks: (B, T, F) to what each block hands on, and what it stops."""

    def __init__(self, band: nn.Module, n_frames: int) -> None:
        super().__init__()
        assert isinstance(band, Blocks)
        self._channels = band.channels
        self.first = _Rectified(band.first, n_frames)
        self.blocks = nn.ModuleList(_Block(block, n_frames, self.first.shift) for block in band.blocks)

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        total = self.first(x)
        going, stopped = [], []
        for block in self.blocks:
            out = block(total)
            going.append(out[:, :, : self._channels])
            stopped.append(out[:, :, self._channels :])
            total = total + going[-1]
        return going, stopped


class _Statistics(nn.Module):
    """`AttentiveStatistics` of (B, T, C); what is the same for all frames is multiplied once."""

    def __init__(self, pool: AttentiveStatistics, n_frames: int) -> None:
        super().__init__()
        layer, _, norm, _, out, _ = pool.attend
        into = _convolution(layer)
        n, self._n_frames = into.in_channels // 3, n_frames
        each = nn.Conv1d(n, into.out_channels, 1)
        each.weight, each.bias = nn.Parameter(into.weight[:, :n]), into.bias
        self.frame = Dense(each, n_frames)
        self.song = nn.Parameter(into.weight.detach()[:, n:, 0].clone())
        self.norm, self.out = _Affine(norm), Dense(_convolution(out), n_frames)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1, keepdim=True)
        apart = x - mean
        variance = (apart * apart).sum(dim=1, keepdim=True) / (self._n_frames - 1)
        spread = variance.clamp(min=LEAST_VARIANCE).sqrt()
        song = functional.linear(torch.cat([mean, spread], dim=2), self.song)
        weights = self.out(self.norm((self.frame(x) + song).relu()).tanh())
        weights = (weights - weights.amax(dim=1, keepdim=True)).exp()
        total, weighed = weights.sum(dim=1), weights * x
        centre = weighed.sum(dim=1) / total
        about = (weighed * x).sum(dim=1) / total - centre * centre
        return torch.cat([centre, about.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


class Framewise(nn.Module):
    """The trunk of an ECAPA-TDNN in use: (B, F, T) with T as given to (B, D).

    Parameters
    ----------
    trunk : Ecapa
        Trained; it is not changed.
    n_frames : int
        T.
    """

    def __init__(self, trunk: Ecapa, n_frames: int) -> None:
        super().__init__()
        self.n_features = trunk.n_features
        self._rows = trunk.rows
        self.bands = nn.ModuleList(_Blocks(band, n_frames) for band in trunk.bands)
        last = trunk.last
        self.last = (_Block if isinstance(last, SeRes2Block) else _Last)(last, n_frames)
        self.pool, self.norm = _Statistics(trunk.pool, n_frames), _Affine(trunk.norm)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - x.mean(dim=2, keepdim=True)).transpose(1, 2)
        going: list[Tensor] = []
        stopped: list[Tensor] = []
        for band, rows in zip(self.bands, self._rows, strict=True):
            on, off = band(x[:, :, rows])
            going += on
            stopped += off
        last = self.last(torch.cat(going, dim=2))
        return self.norm(self.pool(torch.cat([*stopped, last], dim=2)))


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return what a batch norm in use multiplies by and what it then adds."""
    assert isinstance(norm, _Norm)
    assert norm.running_mean is not None  # as batch norm has by default
    assert norm.running_var is not None
    scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias.detach() - norm.running_mean * scale


def _nothing(channels: int) -> tuple[Tensor, Tensor]:
    return torch.ones(channels), torch.zeros(channels)


def _convolution(layer: nn.Module) -> nn.Conv1d:
    assert isinstance(layer, nn.Conv1d)  # as all that come here are
    return layer


def _linear(layer: nn.Module) -> nn.Linear:
    """Return a convolution of one frame as what it is."""
    conv = _convolution(layer)
    linear = nn.Linear(conv.in_channels, conv.out_channels)
    linear.weight = nn.Parameter(conv.weight.detach()[:, :, 0].clone())
    assert conv.bias is not None
    linear.bias = nn.Parameter(conv.bias.detach().clone())
    return linear
