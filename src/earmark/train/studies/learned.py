"""What the all-convolutional net has learned: 16 values for 200 ms of sound (ALL, Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from earmark.audio import read_audio
from earmark.errors import AudioError, ConfigError
from earmark.train.models.allconv import AllConv
from earmark.train.studies.trained import Trained

FloatArray = npt.NDArray[np.float32]

_BATCH = 256


def learned_features(trained: Trained, path: str) -> FloatArray:
    """Return the learned features of a recording, shape=(n, 16), one row for each 200 ms.

    Raises
    ------
    AudioError
        If the recording cannot be read, or is empty.
    ConfigError
        If the network is another one.
    """
    trunk = trained.net.trunk
    if not isinstance(trunk, AllConv):
        raise ConfigError(
            f"row '{trained.origin['row']}' is no all-convolutional net; train one: 'earmark bench all-1'"
        )
    samples, _ = read_audio(path, sample_rate=trained.extractor.sample_rate)
    patches = trained.extractor.cut(trained.extractor(samples))
    if not len(patches):
        raise AudioError(f"'{path}' holds no sound; give another recording")
    parts = []
    for at in range(0, len(patches), _BATCH):
        values = patches[at : at + _BATCH]
        scaled = values if trained.scaling is None else trained.scaling(values)
        with torch.no_grad():
            parts.append(trunk.describe(torch.from_numpy(scaled)).numpy())
    return np.concatenate(parts)


def scaled(features: Sequence[FloatArray]) -> list[FloatArray]:
    """Divide each feature by its 99th percentile over all recordings, 1 at most, shape=(n, K) each.

    Not by its greatest value: that is often of digital silence, which is like nothing a network has learnt.
    """
    top = np.percentile(np.concatenate(features), 99, axis=0)
    top[top == 0] = np.inf
    return [np.minimum(values / top, 1).astype(np.float32) for values in features]


def preferences(features: Sequence[FloatArray]) -> list[int]:
    """Return, for each feature, the recording whose mean of it is the highest, from 0; -1 where all are 0."""
    means = np.stack([values.mean(axis=0) for values in features])
    chosen: list[int] = np.where(means.any(axis=0), means.argmax(axis=0), -1).tolist()
    return chosen
