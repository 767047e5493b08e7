"""How a network of HEO's is made of the user's recordings, and what it hears."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.errors import ConfigError
from earmark.features.extractor import Extractor
from earmark.features.registry import create_features
from earmark.train.crops.config import CropConfig
from earmark.train.models import PatchNet, create_model
from earmark.train.models.width import narrowed

# The front end of each of them.
FEATURES = {
    **dict.fromkeys(("ecapa", "ecapa-ccs", "ecapa-ccs-fsa", "resnet18", "resnet34", "se-resnet34"), "heo"),
    "vggnet": "heo",
    "bbnn": "bbnn",
}
# Those whose products can be had in whole numbers (`earmark.train.models.framewise`).
QUANTISABLE = ("ecapa", "ecapa-ccs", "ecapa-ccs-fsa")


@dataclass(frozen=True)
class NetworkSettings:
    """How a network is made.

    Parameters
    ----------
    architecture : str
        A key of `FEATURES`.
    training : CropConfig
    width : float
        Share of the published channels, above 0 to 1.
    folds : int or None
        None for 5, or as many as the class with the fewest groups has.
    seed : int
    jobs : int
        Processes that compute features.
    device : str
    bfloat16 : bool
        Multiply in bfloat16 where the device can.
    hop : float or None
        Seconds from one window to the next in use; None for windows that follow each other.
    int8 : bool
        Multiply in whole numbers in use.

    Raises
    ------
    ConfigError
        For an unknown architecture, an impossible width or hop, or int8 where it cannot be had.
    """

    architecture: str
    training: CropConfig
    width: float = 1.0
    folds: int | None = None
    seed: int = 0
    jobs: int = 1
    device: str = "cpu"
    bfloat16: bool = True
    hop: float | None = None
    int8: bool = False

    def __post_init__(self) -> None:
        if self.architecture not in FEATURES:
            raise ConfigError(f"architecture '{self.architecture}': choose one of {', '.join(FEATURES)}")
        if not 0 < self.width <= 1:
            raise ConfigError(f"width {self.width:g}: give a share above 0, at most 1")
        if self.int8 and self.architecture not in QUANTISABLE:
            raise ConfigError(
                f"int8 of '{self.architecture}': only {', '.join(QUANTISABLE)} can be had so; leave it out"
            )
        plain = create_features(FEATURES[self.architecture])
        longest = plain.patch_length * plain.hop_length / plain.sample_rate
        if self.hop is not None and not 0.1 <= self.hop <= longest:
            raise ConfigError(f"hop {self.hop:g}: give 0.1 to {longest:.3g} seconds, the length of a window")

    @property
    def extractor(self) -> Extractor:
        """The front end."""
        plain = create_features(FEATURES[self.architecture])
        return plain if self.hop is None else plain.with_hop(self.hop)

    def network(self, n_classes: int) -> PatchNet:
        """Return the network with random weights."""
        extractor = self.extractor
        net = create_model(
            self.architecture,
            n_classes=n_classes,
            input_shape=[extractor.n_bands, extractor.patch_length],
            options=narrowed(self.architecture, self.width),
        )
        assert isinstance(net, PatchNet)  # as all of `FEATURES` are
        return net
