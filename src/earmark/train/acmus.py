"""The released networks of ACMus-Models, baselines of Grollmisch et al., with their scaling.

References
----------
.. [1] S. Grollmisch, E. Cano, F. Mora Ángel, G. López Gil, "Ensemble size classification in Colombian
       Andean string music recordings", CMMR 2019; program ACMus-Models (MIT).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from torch import nn

from earmark.errors import ConfigError, ModelError
from earmark.features.registry import create_features
from earmark.features.scaling import Scaling
from earmark.train.keras import load_keras
from earmark.train.models import create_model

# By network and name of the files: the front end, and the classes in the order of the logits.
NETWORKS = {
    "gro-t3": ("gro-t3", ("speech", "choir", "solo singing", "instrumental")),
    "gro-t1": ("gro-t1-cnn", ("1", "2", "3", "4", "5 or more")),
}


def load_acmus(network: str, weights: str | Path, scaling: str | Path) -> tuple[nn.Module, Scaling]:
    """Read a released network and what its patches are scaled by.

    Parameters
    ----------
    network : str
        ``"gro-t3"`` (speech_music.h5) or ``"gro-t1"`` (ensemble.h5); `NETWORKS` names its front end.
    weights : str or Path
        The .h5 file.
    scaling : str or Path
        The .npz file of the same name.

    Returns
    -------
    net : nn.Module
        Scaled patches, (B, F, T), to logits, (B, K); ready to be used.
    scaling : Scaling
        A shift and a divisor for each cell of a patch.  A recording is of the class with the greatest mean
        probability over its patches.

    Raises
    ------
    ConfigError
        If there is no such network.
    ModelError
        If a file cannot be read or belongs to another network.
    """
    if network not in NETWORKS:
        raise ConfigError(f"no network '{network}' of ACMus-Models; there are: {', '.join(NETWORKS)}")
    net = create_model(network)
    load_keras(net, weights)
    return net.eval(), _read_scaling(network, scaling)


def _read_scaling(network: str, path: str | Path) -> Scaling:
    extractor = create_features(NETWORKS[network][0])
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            cells = np.asarray(arrays["normMat"], np.float32)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as err:
        raise ModelError(f"'{path}' does not hold the scaling of ACMus-Models ({err})") from err
    # Mean and standard deviation, (time, bands, 1) each.
    wanted = (2, extractor.patch_length, extractor.n_bands, 1)
    if cells.shape != wanted:
        raise ModelError(f"'{path}' has shape {cells.shape}, '{network}' needs {wanted}; give its own file")
    if not (np.isfinite(cells).all() and cells[1].min() > 0):
        raise ModelError(f"'{path}' holds NaN, or deviations that are not above 0; the file is damaged")
    return Scaling(cells[0, :, :, 0].T, cells[1, :, :, 0].T)
