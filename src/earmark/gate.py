"""From energies and class probabilities of a whole recording to segments, as inaSpeechSegmenter does it.

1. Frames above a share of the mean energy have energy; a Viterbi search over two states steadies that.
2. In each stretch with energy, a Viterbi search of its own finds the classes.

References
----------
.. [1] D. Doukhan, J. Carrive, F. Vallet, A. Larcher, S. Meignier, "An open-source speaker gender
       detection framework for monitoring gender equality", ICASSP 2018; program inaSpeechSegmenter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from earmark.decodings import GatedViterbi
from earmark.errors import AudioError
from earmark.likeliest import likeliest_segments
from earmark.posteriors import Posteriors
from earmark.timeline import Segment
from earmark.viterbi import viterbi

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]


def energy_gate(log_energy: FloatArray, options: GatedViterbi) -> BoolArray:
    """Tell which frames of a recording have energy.

    Parameters
    ----------
    log_energy : float32, shape=(T,)
        Natural logarithms of all frames' energies; -inf in digital silence, which the mean leaves out.
    options : GatedViterbi
        Threshold and costs.

    Returns
    -------
    bool, shape=(T,)
    """
    finite = np.isfinite(log_energy)
    if not finite.any():
        return finite
    threshold = log_energy[finite].mean(dtype=np.float64) + np.log(options.energy_ratio)
    above = log_energy > threshold
    right, wrong = np.log1p(-options.gate_error), np.log(options.gate_error)
    emissions = np.stack([np.where(above, wrong, right), np.where(above, right, wrong)], axis=1)
    change = -options.gate_change * np.log(10)
    return viterbi(emissions, [[-options.gate_stay_silent, change], [change, 0.0]]) == 1


def decode_gated(
    posteriors: Posteriors, log_energy: FloatArray, frames_per_cell: int, options: GatedViterbi
) -> list[Segment]:
    """Turn a whole recording's class probabilities into segments.

    Parameters
    ----------
    posteriors : Posteriors
        Probabilities of the classes in each cell.
    log_energy : float32, shape=(T,)
        As for `energy_gate`; frame ``i * frames_per_cell`` decides cell ``i``.
    frames_per_cell : int
        Frames of energy in a cell, at least 1.
    options : GatedViterbi
        Threshold and costs.

    Returns
    -------
    list of Segment
        As of `likeliest_segments`.  What has no energy has none.

    Raises
    ------
    AudioError
        If there is not one energy for each cell.
    """
    gate = energy_gate(log_energy, options)[::frames_per_cell]
    if len(gate) != len(posteriors):
        raise AudioError(f"{len(log_energy)} energies do not fit {len(posteriors)} cells")
    return likeliest_segments(posteriors, gate, options.class_change)
