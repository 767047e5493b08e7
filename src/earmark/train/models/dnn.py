"""KC's baseline, section 4.1: one dense layer on a flattened patch, or on an embedding."""

from __future__ import annotations

from torch import Tensor, nn

from earmark.train.models.layers import Dense
from earmark.train.models.trunk import Trunk


class Dnn(Trunk):
    """(B, F, T) to (B, n_units): all of a patch in one dense layer with ReLU.

    KC puts the same on the embeddings of its other networks: an embedding of `d` values is a patch of
    shape (d, 1).  The activation is not published.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch.
    n_units : int
        Units of the dense layer.
    """

    def __init__(self, input_shape: tuple[int, int], *, n_units: int = 128) -> None:
        super().__init__()
        self.dense = nn.Sequential(Dense(input_shape[0] * input_shape[1], n_units), nn.ReLU())
        self.n_features = n_units

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x.flatten(1))
