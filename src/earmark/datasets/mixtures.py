"""Speech over music for training and tests: which files, at which ratio, and their sum.

As Bhattacharjee et al. do it: the mixtures of a fold are as many as its larger class has files, the ratio
of speech to music (SMR) goes round from -5 to +20 dB in steps of 1.

References
----------
Bhattacharjee et al., Clean vs. Overlapped Speech-Music Detection Using Harmonic-Percussive Features and
Multi-Task Learning; the lists and code released with it.  (The paper says that speech is used once and music
up to twice; in the lists, MUSAN's music is the larger class and used once, and speech comes again.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.datasets.silence import FloatArray, normalise
from earmark.errors import AudioError, ConfigError

SMR_LEVELS_DB = tuple(float(level) for level in range(-5, 21))


@dataclass(frozen=True)
class Mixture:
    """A speech file over a music file.

    Parameters
    ----------
    speech, music : str
        The files, by name or path.
    smr_db : float
        Power of the speech over that of the music, dB.
    """

    speech: str
    music: str
    smr_db: float


def list_mixtures(speech: Sequence[str], music: Sequence[str], *, seed: int = 0) -> list[Mixture]:
    """Pair the speech and music files of a fold.

    Parameters
    ----------
    speech, music : sequence of str
        The files of each class.
    seed : int
        Another seed pairs them otherwise.

    Returns
    -------
    list of Mixture
        As many as the larger class has files.  Each of these is used once; those of the other class come in
        shuffled rounds, so that none is used twice more often than another.

    Raises
    ------
    ConfigError
        If a class has no file.
    """
    if not speech or not music:
        raise ConfigError(f"no {'music' if speech else 'speech'} file to mix; each fold needs some of both")
    rng = np.random.default_rng(seed)
    n_mixtures = max(len(speech), len(music))
    pairs = zip(_rounds(speech, n_mixtures, rng), _rounds(music, n_mixtures, rng), strict=True)
    return [
        Mixture(voice, piece, SMR_LEVELS_DB[i % len(SMR_LEVELS_DB)]) for i, (voice, piece) in enumerate(pairs)
    ]


def _rounds(files: Sequence[str], n: int, rng: np.random.Generator) -> Iterator[str]:
    for start in range(0, n, len(files)):
        for i in rng.permutation(len(files))[: n - start]:
            yield files[i]


def scale(speech: npt.ArrayLike, music: npt.ArrayLike, smr_db: float) -> tuple[FloatArray, FloatArray]:
    """Scale speech and music to a ratio of their powers.

    With the gain ``g = sqrt(P_speech / (P_music * 10**(smr_db / 10)))``, speech is divided by ``1 + g`` and
    music multiplied by ``g / (1 + g)``: what peaked at 1 does not exceed 1 in sum.

    Parameters
    ----------
    speech, music : array, shape=(n_samples,)
        Mono signals at one sample rate; the music is repeated or cut to the length of the speech.
    smr_db : float
        Power of the speech over that of the music, dB.

    Returns
    -------
    speech, music : float64, shape=(n_samples,)
        Their sum is the mixture; the ratio of their mean squares is exact but for rounding.

    Raises
    ------
    AudioError
        If a signal is not mono, empty, or silent.
    """
    voice, piece = (_audible(x, name) for x, name in ((speech, "speech"), (music, "music")))
    piece = _audible(np.resize(piece, len(voice)), "part of the music")
    gain = np.sqrt(np.mean(voice**2) / (np.mean(piece**2) * 10 ** (smr_db / 10)))
    return voice / (1 + gain), piece * (gain / (1 + gain))


def mix(speech: npt.ArrayLike, music: npt.ArrayLike, smr_db: float) -> FloatArray:
    """Return speech over music, less its mean and with a peak of 1; see `scale`.

    Both should have gone through `earmark.datasets.silence.prepare` each for itself, so that pauses do not
    count in their powers.
    """
    voice, piece = scale(speech, music, smr_db)
    return normalise(voice + piece)


def _audible(samples: npt.ArrayLike, name: str) -> FloatArray:
    signal = np.asarray(samples, dtype=np.float64)
    if signal.ndim != 1 or not len(signal):
        raise AudioError(f"got {name} of shape {signal.shape}; give one mono channel, shape (n_samples,)")
    if not signal.any():
        raise AudioError(f"the {name} is silent, so that it has no ratio to the other; take it out")
    return signal
