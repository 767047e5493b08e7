"""SwishNet: gated causal convolutions with skips, a few thousand parameters.

M. S. Hussain, M. A. Haque, "SwishNet: a fast convolutional neural network for speech, music and noise
classification and segmentation", arXiv:1812.00149, 2018; KC, section 4.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.train.models.layers import Conv1d
from earmark.train.models.trunk import Trunk

_DILATIONS = (3, 2, 2, 2, 2)


class Gated(nn.Module):
    """A causal convolution whose channels' first half, through tanh, is gated by the second's sigmoid."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        signal, gate = self.conv(x).chunk(2, dim=1)
        return torch.tanh(signal) * torch.sigmoid(gate)


class GatedPair(nn.Module):
    """A plain convolution of 3 steps beside a separable one of 6, each gated: n_in to n_out channels."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.plain = Gated(Conv1d(n_in, n_out, 3, causal=True))
        depthwise = Conv1d(n_in, n_in, 6, groups=n_in, bias=False, causal=True)
        self.separable = Gated(nn.Sequential(depthwise, Conv1d(n_in, n_out, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.plain(x), self.separable(x)], dim=1)


class SwishNet(Trunk):
    """(B, F, T) features to (B, 16 * width): T need not be that of `input_shape`.

    The paper draws blocks 4 to 8 with strides of 3 and 2; since their outputs are added and joined, which
    unequal lengths forbid, they are dilated by as much here (this leaves the parameters as they are).
    Its counts of parameters need a convolution of one step before the output that it does not draw; the
    activation there, ReLU, and the mean over time before the output are not published.

    Parameters
    ----------
    input_shape : tuple of int
        Features and frames of a patch: 20 MFCC (SwishNet), 22 MFCC and 16 frames or 128 mel bands (KC).
    width : int
        1 is the paper's slim net, 2 its wide one.
    hidden : bool
        False leaves out the convolution that is not drawn; (B, 40 * width) come out then.
    """

    def __init__(self, input_shape: tuple[int, int], *, width: int = 1, hidden: bool = True) -> None:
        super().__init__()
        w = width
        self.pairs = nn.ModuleList(
            GatedPair(n_in, n_out)
            for n_in, n_out in ((input_shape[0], 16 * w), (16 * w, 8 * w), (8 * w, 8 * w))
        )
        self.gated = nn.ModuleList(
            Gated(Conv1d(8 * w, n_out, 3, dilation=d, causal=True))
            for n_out, d in zip((16 * w, 16 * w, 16 * w, 16 * w, 32 * w), _DILATIONS, strict=True)
        )
        self.hidden = nn.Sequential(Conv1d(40 * w, 16 * w, 1), nn.ReLU()) if hidden else nn.Identity()
        self.n_features = (16 if hidden else 40) * w

    def skips(self, x: Tensor) -> Tensor:
        """Return what blocks 5 to 8 say of every frame, (B, 40 * width, T); no frame sees a later one."""
        x = self.pairs[1](self.pairs[0](x))
        x = x + self.pairs[2](x)
        x = x + self.gated[0](x)
        y5 = self.gated[1](x)
        x = x + y5
        y6 = self.gated[2](x)
        y7 = self.gated[3](x + y6)
        return torch.cat([y5, y6, y7, self.gated[4](y7)], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.hidden(self.skips(x)).mean(dim=2)
