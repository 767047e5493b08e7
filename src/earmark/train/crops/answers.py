"""What a network that has learnt on crops says of whole songs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from earmark.train.crops.songs import FloatArray, crop
from earmark.train.crops.team import Team
from earmark.train.models import PatchNet

# Of songs that a network cannot take whole.
_SEGMENTS = 5


def views(net: nn.Module, features: FloatArray, length: int, crops: int = 0) -> npt.NDArray[np.float32]:
    """Return what a network is given of a song, float32, shape=(n, F, L).

    Parameters
    ----------
    net : nn.Module
        Of which the trunk tells whether it takes songs of any length.
    features : shape=(F, T), T at least 1
    length : int
        Frames of a crop in training; shorter songs are repeated to that.
    crops : int
        Evenly spread from the first to the last frame: test-time augmentation, 16 in HEO.  0 gives the whole
        song, or five crops to a network that keeps to its length.
    """
    if features.shape[1] < length:
        return crop(features, 0.0, length)[None]
    if not crops and not (isinstance(net, PatchNet) and net.trunk.keeps_length):
        return np.asarray(features, np.float32)[None]
    starts = np.linspace(0, features.shape[1] - length, crops or _SEGMENTS).astype(np.intp)
    return np.stack([np.asarray(features[:, at : at + length], np.float32) for at in starts])


@torch.no_grad()
def song_scores(
    net: nn.Module, features: FloatArray, length: int, device: torch.device, crops: int = 0
) -> npt.NDArray[np.float32]:
    """Return each class's mean softmax over the `views` of a song, float32, shape=(K,).

    Parameters
    ----------
    net : nn.Module
        As in use, (B, F, T) to logits (B, K).
    features : shape=(F, T), T at least 1
    length, crops : int
        As in `views`.
    device : torch.device
        Where the network is.
    """
    logits: Tensor = net(torch.from_numpy(views(net, features, length, crops)).to(device))
    return np.asarray(logits.float().softmax(dim=1).mean(dim=0).cpu().numpy())


def accuracy(
    net: nn.Module, songs: Iterable[tuple[FloatArray, int]], length: int, team: Team, crops: int = 0
) -> float:
    """Return the share of songs that are told right, in percent, of those of all processes.

    Parameters
    ----------
    net : nn.Module
        It is left as in use.
    songs : iterable of (F, T) features and int
        Of this process, with their classes.
    length, crops : int
        As in `views`.
    team : Team
    """
    net.eval()
    found = [
        song_scores(net, features, length, team.device, crops).argmax() == label for features, label in songs
    ]
    right, n = team.sum([float(sum(found)), float(len(found))])
    return 100 * right / max(n, 1.0)
