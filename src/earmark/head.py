"""Small classifiers on embeddings, as plain weights: what runs them needs numpy alone.

All have one form: values brought to 0 to 1 by what was measured on training embeddings, dense layers with
ReLU between them, a softmax.  A linear support vector machine is one such layer.  `earmark.train.head` fits
them.

A file has a sequence of embeddings.  Its class is decided in one of two ways::

    late     every embedding is classified, and the scores are averaged
    early    the maximum of each value over the file is classified
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.errors import AudioError, ConfigError

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]

FUSIONS = ("late", "early")
# Embeddings scored at a time.
_BLOCK = 4096


@dataclass(frozen=True)
class Head:
    """A classifier of embeddings.

    Parameters
    ----------
    kind : str
        What it was fitted as, a key of `earmark.train.head.KINDS`.
    low, span : float32, shape=(d,)
        Least value of each dimension, and how far the greatest lies above it, in the training embeddings;
        a span is above 0.
    layers : sequence of (float32, shape=(n_out, n_in); float32, shape=(n_out,))
        Weights and biases, from the embedding to the classes.
    """

    kind: str
    low: FloatArray
    span: FloatArray
    layers: tuple[tuple[FloatArray, FloatArray], ...]

    @property
    def n_features(self) -> int:
        """Dimensions of an embedding, d."""
        return len(self.low)

    @property
    def n_classes(self) -> int:
        """Classes, K."""
        return len(self.layers[-1][1])

    @property
    def n_parameters(self) -> int:
        """Weights and biases; what scales the embeddings is not counted."""
        return sum(weight.size + bias.size for weight, bias in self.layers)

    def scores(self, embeddings: npt.ArrayLike) -> FloatArray:
        """Return the shares of the classes in the decision, float32, shape=(n, K); rows sum to 1.

        Those of a support vector machine are the softmax of its margins, no probabilities.

        Parameters
        ----------
        embeddings : array, shape=(n, d)

        Raises
        ------
        AudioError
            If embeddings have another shape.
        """
        values = np.asarray(embeddings, np.float32)
        if values.ndim != 2 or values.shape[1] != self.n_features:
            raise AudioError(
                f"got embeddings of shape {values.shape}; this classifier takes (n, {self.n_features})"
            )
        out = np.empty((len(values), self.n_classes), np.float32)
        for at in range(0, len(values), _BLOCK):
            out[at : at + _BLOCK] = self._scores(values[at : at + _BLOCK])
        return out

    def _scores(self, values: FloatArray) -> FloatArray:
        x = (values - self.low) / self.span
        for weight, bias in self.layers[:-1]:
            x = np.maximum(x @ weight.T + bias, 0)
        weight, bias = self.layers[-1]
        logits = x @ weight.T + bias
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def fused(
    files: Sequence[FloatArray], labels: Sequence[int], fusion: str = "late"
) -> tuple[FloatArray, IntArray]:
    """Return what a classifier of files is fitted on.

    Parameters
    ----------
    files : sequence of float32, shape=(n_i, d)
        The embeddings of each file, at least one.
    labels : sequence of int
        The class of each file.
    fusion : str
        One of `FUSIONS`: with "late", all embeddings, each of its file's class; with "early", one maximum
        for each file.

    Returns
    -------
    float32, shape=(n, d); int, shape=(n,)

    Raises
    ------
    ConfigError
        For an unknown fusion, or a file without embeddings.
    """
    _check(files, fusion)
    if fusion == "early":
        return _maxima(files), np.asarray(labels, np.intp)
    sizes = [len(embeddings) for embeddings in files]
    return np.concatenate(files).astype(np.float32, copy=False), np.repeat(np.asarray(labels, np.intp), sizes)


def spread(embeddings: FloatArray, most: int) -> FloatArray:
    """Return at most so many embeddings, evenly spread over the file, shape=(n, d)."""
    if len(embeddings) <= most:
        return embeddings
    return embeddings[np.linspace(0, len(embeddings) - 1, most).round().astype(np.intp)]


def file_scores(head: Head, files: Sequence[FloatArray], fusion: str = "late") -> FloatArray:
    """Return the scores of files, float32, shape=(n_files, K); a file is of the class with the greatest.

    Parameters
    ----------
    head : Head
        Fitted on embeddings `fused` in the same way.
    files : sequence of float32, shape=(n_i, d)
        The embeddings of each file, at least one.
    fusion : str
        One of `FUSIONS`.

    Raises
    ------
    ConfigError
        For an unknown fusion, or a file without embeddings.
    """
    _check(files, fusion)
    if not files:
        return np.zeros((0, head.n_classes), np.float32)
    if fusion == "early":
        return head.scores(_maxima(files))
    scores = head.scores(np.concatenate(files))
    starts = np.cumsum([0, *(len(embeddings) for embeddings in files[:-1])])
    sizes = np.array([[len(embeddings)] for embeddings in files], np.float32)
    return np.asarray(np.add.reduceat(scores, starts, axis=0) / sizes)


def _maxima(files: Sequence[FloatArray]) -> FloatArray:
    return np.stack([embeddings.max(axis=0) for embeddings in files]).astype(np.float32, copy=False)


def _check(files: Sequence[FloatArray], fusion: str) -> None:
    if fusion not in FUSIONS:
        raise ConfigError(f"unknown fusion '{fusion}'; choose one of {', '.join(FUSIONS)}")
    empty = [str(i) for i, embeddings in enumerate(files) if not len(embeddings)]
    if empty:
        raise ConfigError(f"{len(empty)} files have no embeddings (the first: {empty[0]}); drop them")
