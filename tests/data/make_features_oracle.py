"""Compute features of a made-up signal with librosa 0.11.0 and store them as features_oracle.npz.

The signal is not stored, the tests make it again.  librosa is no dependency of the tests; to repeat::

    python -m venv oracle && oracle/bin/pip install librosa==0.11.0
    oracle/bin/python tests/data/make_features_oracle.py
"""

from pathlib import Path

import librosa
import numpy as np


def signal(rate: int) -> np.ndarray:
    """Return 0.3 s of tones and clicks over faint noise that every numpy makes the same."""
    i = np.arange(int(0.3 * rate))
    noise = (i * 7919 % 1009) / 1009 - 0.5
    x = 0.2 * np.sin(2 * np.pi * 440 / rate * i) + 0.1 * np.sin(2 * np.pi * 2900 / rate * i) + 0.01 * noise
    x[:: rate // 20] += 0.6
    return (x + 0.05).astype(np.float32)


def power(samples: np.ndarray, n_fft: int, win: int, hop: int, *, whole: bool) -> np.ndarray:
    """Return the power spectrum, with frames inside the signal, or around it, mirrored."""
    return np.abs(librosa.stft(
        samples, n_fft=n_fft, win_length=win, hop_length=hop, center=not whole, pad_mode="reflect"
    )) ** 2  # fmt: skip


def standardised(values: np.ndarray) -> np.ndarray:
    """Give bands mean 0 and standard deviation 1; those that do not vary are 0."""
    spread = values.std(axis=1, keepdims=True, dtype=np.float64)
    constant = np.ptp(values, axis=1, keepdims=True) == 0
    centred = values - values.mean(axis=1, keepdims=True, dtype=np.float64)
    return np.where(constant, 0, centred / np.where(constant, 1, spread))


def main() -> None:
    db = librosa.power_to_db
    mel = librosa.filters.mel
    x = signal(16_000)
    x = x - x.mean()
    x = x / np.abs(x).max()
    s, s512 = (power(x, n, 400, 160, whole=True) for n in (400, 512))
    at_16k, at_22k = (mel(sr=rate, n_fft=400, n_mels=40) for rate in (16_000, 22_050))
    h, p = librosa.decompose.hpss(np.sqrt(s), kernel_size=(21, 11))
    h512, p512 = librosa.decompose.hpss(np.sqrt(s512), kernel_size=(21, 11))
    y = signal(22_050)
    y = y / np.abs(y).max()
    common = mel(sr=22_050, n_fft=2048, n_mels=128) @ power(y, 2048, 2048, 512, whole=False)
    coarse = mel(sr=22_050, n_fft=2048, n_mels=128) @ power(y, 2048, 2048, 1378, whole=False)
    field = mel(sr=22_050, n_fft=1024, n_mels=80) @ np.sqrt(power(y, 1024, 1024, 342, whole=False))
    z = signal(12_000)
    z = z / np.abs(z).max()
    frames = librosa.util.frame(signal(16_000), frame_length=400, hop_length=160)
    spectra = np.fft.rfft(frames * librosa.filters.get_window("hann", 400)[:, None], 512, axis=0)
    short = mel(sr=16_000, n_fft=512, n_mels=32) @ np.abs(spectra) ** 2
    bands = mel(sr=16_000, n_fft=1024, n_mels=128, htk=True, norm=None)
    tvsm = bands @ power(signal(16_000), 1024, 1024, 512, whole=False)
    by_recording = {
        "s paper": np.sqrt(s),
        "ls paper": db(s512),
        "ms paper": at_16k @ s,
        "lms paper": db((at_16k @ s) ** 2),
        "lms corrected": db(at_16k @ s),
        "mhps-ef paper": np.concatenate([at_22k @ h, at_22k @ p]),
        "mhps-ef corrected": np.concatenate([at_16k @ h**2, at_16k @ p**2]),
        "lmhps-ef paper": np.concatenate([db((at_22k @ h) ** 2), db((at_22k @ p) ** 2)]),
        "lmhps-ef corrected": np.concatenate([db(at_16k @ h**2), db(at_16k @ p**2)]),
        "hps-ef paper": np.concatenate([h, p]),
        "lhps-ef paper": np.concatenate([db(h512**2), db(p512**2)]),
    }
    unscaled = {
        "kc-mel paper": db(common, top_db=None),
        "kc-mfcc paper": librosa.feature.mfcc(S=db(coarse), n_mfcc=22),
        "swishnet-mfcc paper": librosa.feature.mfcc(S=db(short), n_mfcc=20),
        "gro-t3 paper": np.log(1 + field),
        "gro-t1-cnn paper": np.log(1 + np.sqrt(power(z, 512, 512, 512, whole=False))),
        "tvsm paper, before normalisation": tvsm,
    }
    arrays = {name: standardised(a) for name, a in by_recording.items()} | unscaled
    # Every seventh frame is enough of the larger ones.
    thinned = {name: a[:, ::7] if a.size > 2000 else a for name, a in arrays.items()}
    stored = {name: np.asarray(a, np.float32) for name, a in thinned.items()}
    np.savez_compressed(Path(__file__).with_name("features_oracle.npz"), **stored)


if __name__ == "__main__":
    main()
