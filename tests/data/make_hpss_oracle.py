"""Separate made-up spectrograms with librosa 0.11.0 and store spectrograms and parts as hpss_oracle.npz.

librosa is no dependency of the tests; to repeat::

    python -m venv oracle && oracle/bin/pip install librosa==0.11.0
    oracle/bin/python tests/data/make_hpss_oracle.py
"""

from pathlib import Path

import librosa
import numpy as np

# Name: bins, frames, and what librosa calls kernel_size, power and margin.
CASES = {
    "paper": ((41, 50), (21, 11), 2.0, (1.0, 1.0)),
    "long": ((24, 60), (51, 31), 2.0, (1.0, 1.0)),
    "margins": ((24, 40), (11, 7), 2.0, (2.0, 3.0)),
    "linear": ((24, 40), (5, 3), 1.0, (1.0, 1.0)),
    "root": ((24, 40), (7, 9), 0.5, (1.0, 1.5)),
    "shorter than the medians": ((4, 6), (21, 11), 2.0, (1.0, 1.0)),
}


def main() -> None:
    rng = np.random.default_rng(11)
    arrays = {}
    for name, (shape, kernel_size, power, margin) in CASES.items():
        spectrogram = rng.gamma(0.5, 1.0, shape).astype(np.float32)
        # A tone, a click, and silence, in which both medians are 0.
        spectrogram[shape[0] // 2] += 3
        spectrogram[:, shape[1] // 3] += 2
        spectrogram[:, -shape[1] // 3 :] = 0
        parts = librosa.decompose.hpss(spectrogram, kernel_size=kernel_size, power=power, margin=margin)
        arrays[f"{name}: spectrogram"] = spectrogram
        arrays[f"{name}: options"] = np.array([*kernel_size, power, *margin])
        arrays[f"{name}: harmonic"], arrays[f"{name}: percussive"] = parts
    np.savez_compressed(Path(__file__).with_name("hpss_oracle.npz"), **arrays)


if __name__ == "__main__":
    main()
