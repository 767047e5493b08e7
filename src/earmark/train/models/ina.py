"""The convolutional nets of INA's speech and music detection, 2018.

D. Doukhan, E. Lechapt, M. Evrard, J. Carrive, "INA's MIREX 2018 music and speech detection system", and
the models of inaSpeechSegmenter.  KC (section 4.1) and BHA (B1, section III-B) compare with it; which
version KC ran is not published, `InaSm` is the one its reference describes.
"""

from __future__ import annotations

from torch import Tensor, nn

from earmark.train.models.layers import BatchNorm2d, Conv2d, MaxPool2d, dense_block
from earmark.train.models.trunk import Trunk, flat_size

_DROPOUTS = (0.2, 0.3, 0.4, 0.5)


def _conv(n_in: int, n_out: int, kernel: tuple[int, int]) -> list[nn.Module]:
    return [Conv2d(n_in, n_out, kernel, padding="valid"), BatchNorm2d(n_out), nn.ReLU()]


class _Ina(Trunk):
    """Four convolutions, the last pooled over time, then four dense layers of `n_units`."""

    def __init__(self, shape: tuple[int, int], conv: nn.Sequential, n_units: int) -> None:
        super().__init__()
        self.conv = conv
        sizes = [flat_size(conv, (1, *shape)), *([n_units] * len(_DROPOUTS))]
        self.dense = nn.Sequential(
            *(dense_block(n_in, n_units, p) for n_in, p in zip(sizes, _DROPOUTS, strict=False))
        )
        self.n_features = n_units

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.conv(x[:, None]).flatten(1))


class InaSm(_Ina):
    """The speech-music net of MIREX 2018: (B, 21, 68) log-mel patches, z-normalised each, to (B, 512).

    BHA's B1 gives it mel spectrograms of 21 or 240 bands, KC also 128 log-mel bands.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch.
    """

    def __init__(self, input_shape: tuple[int, int]) -> None:
        conv = nn.Sequential(
            *_conv(1, 64, (4, 5)),
            MaxPool2d((2, 2), padding="valid"),
            *_conv(64, 128, (3, 3)),
            *_conv(128, 128, (3, 3)),
            MaxPool2d((2, 2)),
            *_conv(128, 256, (3, 3)),
            MaxPool2d((1, 12), padding="valid"),
        )
        super().__init__(input_shape, conv, 512)


class InaSmn(_Ina):
    """The speech-music-noise net of inaSpeechSegmenter: (B, 21, 68) z-normalised log-mel to (B, 256).

    The package's net for female and male voices has the same layers on 24 bands, as far as is known.

    Parameters
    ----------
    input_shape : tuple of int
        Bands and frames of a patch.
    """

    def __init__(self, input_shape: tuple[int, int]) -> None:
        conv = nn.Sequential(
            *_conv(1, 64, (4, 7)),
            MaxPool2d((2, 4)),
            *_conv(64, 128, (3, 3)),
            *_conv(128, 128, (3, 3)),
            MaxPool2d((2, 2)),
            *_conv(128, 256, (3, 3)),
            MaxPool2d((1, 4), padding="valid"),
        )
        super().__init__(input_shape, conv, 256)
