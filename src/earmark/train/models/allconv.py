"""The all-convolutional net (ALL): convolutions that learn to pool, and dense layers as convolutions.

Its parent is A. Pankajakshan et al., "All-conv net for bird activity detection: significance of learned
pooling", Interspeech 2018.
"""

from __future__ import annotations

from torch import Tensor, nn

from earmark.train.models.layers import BatchNorm2d, Conv2d, Dense
from earmark.train.models.trunk import Trunk, flat_size, initialise_normal

_MAPS, _UNITS = 16, 196
_POOLS = (5, 2, 2, 2)
_STD = 0.05


class AllConv(Trunk):
    """(B, 40, 5) mel spectrograms in dB, 200 ms of sound, to (B, 196).

    Four convolutions of 5 x 5, each followed by one that pools its bands (by 5, 2, 2 and 2), one over
    all frames, and a layer of 196 units with a sigmoid.  The published code pools 40 ms steps, hence 5
    frames where the paper says 10; give (40, 10) for 20 ms.  Kernels start from N(0, 0.05).

    Every band is normalised first.  The paper's layer does so by the mean and deviation of the batch at
    hand, also when it is used, so that an answer depends on what else is in the batch.  Here it is
    those of all batches seen in training, unless `batch_statistics` asks for the paper's way.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch.
    batch_statistics : bool
        Normalise by the batch at hand, always.
    """

    def __init__(self, input_shape: tuple[int, int], *, batch_statistics: bool = False) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(
            input_shape[0],
            momentum=None,  # equal weight to all batches
            affine=False,
            track_running_stats=not batch_statistics,
        )
        layers: list[nn.Module] = []
        for i, pool in enumerate(_POOLS):
            layers += [
                Conv2d(_MAPS if i else 1, _MAPS, (5, 5)),
                nn.ReLU(),
                BatchNorm2d(_MAPS),
                nn.Dropout(0.25),
                Conv2d(_MAPS, _MAPS, (pool, 1), stride=(pool, 1)),
                nn.ReLU(),
                nn.Dropout(0.5),
            ]
        self.conv = nn.Sequential(*layers)
        flat = flat_size(self.conv, (1, *input_shape))
        # A convolution over all there is, of one position: a dense layer.
        self.time = nn.Sequential(Dense(flat, _MAPS), nn.ReLU(), nn.Dropout(0.5))
        self.dense = nn.Sequential(Dense(_MAPS, _UNITS), nn.Sigmoid(), nn.Dropout(0.5))
        self.n_features = _UNITS
        initialise_normal(self, _STD)

    def init_output(self, layer: nn.Linear) -> None:
        """Start the output layer as the others."""
        initialise_normal(layer, _STD)

    def describe(self, x: Tensor) -> Tensor:
        """Return the 16 values a patch is classified by, (B, 16), those of the paper's Fig. 2."""
        return self.time(self.conv(self.normalise(x)[:, None]).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.describe(x))
