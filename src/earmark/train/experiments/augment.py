"""Training patches altered at random: mixed anew, and coloured as another recording would be.

For features in dB of a power that nothing has scaled since, such as ``detector``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from earmark.datasets.mixtures import SMR_LEVELS_DB
from earmark.errors import ConfigError
from earmark.train.experiments.batches import Batch
from earmark.train.experiments.losses import MUSIC, OVERLAP, SPEECH

# Points of a curve of colour between the lowest and the highest band.
_POINTS = 6


@dataclass(frozen=True)
class Augment:
    """What is done to a batch.

    Parameters
    ----------
    remix : float
        Share of the patches of speech over music that are replaced by sums of a patch of speech and one of
        music of the same batch, at a ratio from -5 to 20 dB: 0 to 1.
    colour_db : float
        Standard deviation of a patch's gain and of a smooth curve over its bands, dB.

    Raises
    ------
    ConfigError
        For a value out of range.
    """

    remix: float = 0.0
    colour_db: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.remix <= 1:
            raise ConfigError(f"remix {self.remix}: it is a share, from 0 to 1")
        if not self.colour_db >= 0:
            raise ConfigError(f"colour_db {self.colour_db}: it must be 0 or more")

    def __call__(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Alter a batch; the one given stays as it is."""
        if self.remix:
            batch = remixed(batch, self.remix, rng)
        if self.colour_db:
            batch = batch._replace(patches=batch.patches + self._colour(batch.patches, rng))
        return batch

    def _colour(self, patches: Tensor, rng: np.random.Generator) -> Tensor:
        n, bands = patches.shape[:2]
        points = torch.from_numpy(rng.normal(0, self.colour_db, (n, 1, _POINTS)).astype(np.float32))
        curves = torch.nn.functional.interpolate(points, bands, mode="linear", align_corners=True)
        gains = torch.from_numpy(rng.normal(0, self.colour_db, (n, 1, 1)).astype(np.float32))
        return (curves.transpose(1, 2) + gains).to(patches.device)


def remixed(batch: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Replace some patches of speech over music by new sums of the batch's speech and music.

    The ratio is that of the mean powers of the two patches.
    """
    labels = batch.labels.cpu().numpy()
    speech, music, both = (np.flatnonzero(labels == c) for c in (SPEECH, MUSIC, OVERLAP))
    chosen = both[rng.random(len(both)) < share]
    if not (len(chosen) and len(speech) and len(music)):
        return batch
    smr_db = rng.uniform(SMR_LEVELS_DB[0], SMR_LEVELS_DB[-1], len(chosen)).astype(np.float32)
    voices, pieces = (10 ** (batch.patches[rng.choice(c, len(chosen))] / 10) for c in (speech, music))
    ratio = voices.mean((1, 2)) / pieces.mean((1, 2))
    gain = ratio / 10 ** (torch.from_numpy(smr_db).to(ratio.device) / 10)
    patches, ratios = batch.patches.clone(), batch.smr_db.clone()
    patches[chosen] = 10 * torch.log10(voices + gain[:, None, None] * pieces)
    ratios[chosen] = torch.from_numpy(smr_db).to(ratios.device)
    return Batch(patches, batch.labels, ratios)
