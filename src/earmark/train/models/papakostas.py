"""The spectrogram CNN of Papakostas and Giannakopoulos, as BHA built it (B2, section III-B).

M. Papakostas, T. Giannakopoulos, "Speech-music discrimination using deep visual feature extractors",
Expert Systems with Applications 114, 2018.  Theirs takes images of 200 x 200 pixels, groups the second
convolution and has no batch norm; BHA's, which is the one here, takes 201 bins and 68 frames.
"""

from __future__ import annotations

from torch import Tensor, nn

from earmark.train.models.layers import Conv2d, MaxPool2d, dense_block
from earmark.train.models.trunk import Trunk, flat_size, initialise_normal

_STD, _BIAS = 0.01, 0.1
_UNITS = 4096


def _local_response_norm() -> nn.LocalResponseNorm:
    """Divide by ``(1 + 1e-4 * sum(x ** 2)) ** 0.75``, the sum over 5 channels on either side.

    This is TensorFlow's form; PyTorch divides its `alpha` by the number of channels.
    """
    return nn.LocalResponseNorm(11, alpha=11e-4, beta=0.75, k=1.0)


class Papakostas(Trunk):
    """(B, 201, 68) spectrograms to (B, 4096); 402 rows for harmonic and percussive part together.

    Kernels start from N(0, 0.01), biases at 0.1, the output layer's too.

    Parameters
    ----------
    input_shape : tuple of int
        Bins and frames of a patch.
    """

    def __init__(self, input_shape: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            Conv2d(1, 96, (5, 5), stride=(2, 2), padding="valid"),
            _local_response_norm(),
            nn.ReLU(),
            MaxPool2d((3, 3), (2, 2)),
            Conv2d(96, 384, (3, 3), stride=(2, 2), padding="valid"),
            _local_response_norm(),
            nn.ReLU(),
            MaxPool2d((3, 3), (2, 2)),
            Conv2d(384, 512, (3, 3)),
            nn.ReLU(),
            MaxPool2d((3, 3), (2, 2)),
        )
        flat = flat_size(self.conv, (1, *input_shape))
        self.dense = nn.Sequential(dense_block(flat, _UNITS, 0.5), dense_block(_UNITS, _UNITS, 0.5))
        self.n_features = _UNITS
        initialise_normal(self, _STD, _BIAS)

    def init_output(self, layer: nn.Linear) -> None:
        """Start the output layer as the others."""
        initialise_normal(layer, _STD, _BIAS)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.conv(x[:, None]).flatten(1))
