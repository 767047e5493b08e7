"""CPU time of harmonic-percussive separation beside librosa's, on one minute: python benchmarks/hpss.py

Needs librosa.  Both separate the spectrogram of the example at the settings of "s" (25 ms every 10 ms at
16 kHz, medians of 21 frames and 11 bins), in turn, one thread each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np

from earmark.audio import read_audio
from earmark.features.hpss import harmonic_percussive
from earmark.features.stft import Framing, magnitudes

EXAMPLE = Path(__file__).parent.parent / "examples" / "programme.opus"
ROUNDS = 7


def cpu_seconds(separate: Callable[[], object]) -> float:
    start = time.process_time()
    separate()
    return time.process_time() - start


def main() -> None:
    samples, _ = read_audio(EXAMPLE, sample_rate=16_000)
    spectra = magnitudes(samples[: 60 * 16_000], Framing(400, 160, 400))
    spectrogram = np.ascontiguousarray(np.concatenate(list(spectra)).T)
    sides: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
        "earmark": lambda: harmonic_percussive(spectrogram, l_harm=21, l_perc=11),
        "librosa": lambda: librosa.decompose.hpss(spectrogram, kernel_size=(21, 11)),
    }
    ours, theirs = (separate() for separate in sides.values())
    difference = max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
    rounds = [[cpu_seconds(separate) for separate in sides.values()] for _ in range(ROUNDS)]
    least, middle = np.min(rounds, axis=0), np.median(rounds, axis=0)
    for i, name in enumerate(sides):
        print(f"{name:8} {1000 * least[i]:7.1f} ms CPU, least of {ROUNDS}; median {1000 * middle[i]:7.1f} ms")
    print(f"ratio    {least[1] / least[0]:7.1f} of the least, {middle[1] / middle[0]:.1f} of the medians")
    print(f"greatest difference {difference:.1e} of magnitudes up to {spectrogram.max():.1f}")


if __name__ == "__main__":
    main()
