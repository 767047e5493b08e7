"""A trivial baseline: statistics of a file and a support vector machine.  What stays below it is no result.

A file is described by 504 values: mean and deviation of 30 cepstra and of their differences from frame to
frame, and three percentiles of each of 128 mel bands, all over the whole file.  The machine has a radial
kernel, C = 10, and values brought to mean 0 and deviation 1 on the training files.  Nothing of it was tuned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from earmark.audio import read_audio
from earmark.errors import AudioError, ConfigError
from earmark.features.mfcc import cepstrum
from earmark.features.registry import create_features
from earmark.pool import Progress, Work, run_pool

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]

_FEATURES = "kc-mel"
_N_CEPSTRA = 30
_PERCENTILES = (10, 50, 90)
_C = 10.0


def statistics(log_mel: FloatArray) -> FloatArray:
    """Describe a file.

    Parameters
    ----------
    log_mel : float32, shape=(n_mels, T)
        dB, at least one frame.

    Returns
    -------
    float32, shape=(120 + 3 * n_mels,)
        Mean and deviation of the cepstra, then of their differences, then each percentile of all bands.
    """
    cepstra = cepstrum(log_mel, _N_CEPSTRA)
    # One frame differs from none.
    steps = np.diff(cepstra, axis=1) if cepstra.shape[1] > 1 else np.zeros_like(cepstra)
    moments = [f(x, axis=1, dtype=np.float64) for x in (cepstra, steps) for f in (np.mean, np.std)]
    return np.concatenate([*moments, *np.percentile(log_mel, _PERCENTILES, axis=1)]).astype(np.float32)


def describe(
    files: Sequence[str],
    jobs: int = 1,
    report: Callable[[int, int], None] = lambda done, total: None,
    of: Callable[[FloatArray], FloatArray] = statistics,
) -> FloatArray:
    """Describe files.

    Parameters
    ----------
    files : sequence of str
    jobs : int
        Processes.
    report : callable
        Told how many files are done, and of how many.
    of : callable
        Describes one by its mel bands in dB, (128, T); `statistics` gives 504 values.

    Returns
    -------
    float32, shape=(n_files, d)

    Raises
    ------
    ConfigError
        If a file cannot be read, or holds no sound.
    """
    rows: dict[int, FloatArray] = {}
    for event in run_pool(partial(_make, of), files, jobs, lambda *_: None):
        if event.result is None or isinstance(event.result, str):
            why = event.death or event.result
            raise ConfigError(f"'{files[event.index]}' cannot be described: {why}; mend or remove it")
        rows[event.index] = event.result
        report(len(rows), len(files))
    return np.stack([rows[i] for i in range(len(files))])


def predict(known: FloatArray, labels: npt.ArrayLike, others: FloatArray) -> IntArray:
    """Return the classes of described files, by those of others.

    Parameters
    ----------
    known, others : float32, shape=(n, d), shape=(m, d)
    labels : int, shape=(n,)

    Returns
    -------
    int, shape=(m,)
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), SVC(C=_C)).fit(known, np.asarray(labels))
    return np.asarray(machine.predict(others), np.intp)


def cross_validate(described: FloatArray, labels: npt.ArrayLike, folds: npt.ArrayLike) -> IntArray:
    """Return the class of each file by the files of the other folds, int, shape=(n,).

    Parameters
    ----------
    described : float32, shape=(n, d)
    labels, folds : int, shape=(n,)
    """
    truth, fold_of = np.asarray(labels), np.asarray(folds)
    found = np.empty(len(truth), np.intp)
    for fold in np.unique(fold_of):
        test = fold_of == fold
        found[test] = predict(described[~test], truth[~test], described[test])
    return found


def _make(of: Callable[[FloatArray], FloatArray]) -> Work[str, FloatArray | str]:
    return partial(_describe, of)


def _describe(of: Callable[[FloatArray], FloatArray], file: str, progress: Progress) -> FloatArray | str:
    extractor = create_features(_FEATURES)
    try:
        samples, _ = read_audio(file, sample_rate=extractor.sample_rate)
    except AudioError as err:
        return str(err)
    return of(extractor(samples)) if len(samples) else "it holds no sound"
