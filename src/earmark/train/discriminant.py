"""Linear discriminant analysis that learns from few examples of many values.

All classes are taken to have one covariance: the mean of their own, by how much each class counts.  A class
has fewer examples than an embedding has values, so its covariance is shrunk towards its variances, by as much
as O. Ledoit and M. Wolf find best ("A well-conditioned estimator for large-dimensional covariance matrices",
Journal of Multivariate Analysis 88, 2004).  Nothing is left to choose.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from earmark.head import FloatArray, IntArray

Float64Array = npt.NDArray[np.float64]

# Variances are at least this share of their mean.
_LEAST_VARIANCE = 0.01


def fit_discriminant(x: FloatArray, labels: IntArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return weights, (K, d), and biases, (K,), whose products are log probabilities up to a constant.

    Parameters
    ----------
    x : float32, shape=(n, d)
    labels : int, shape=(n,)
        Classes, counted from 0; each of them occurs.
    weights : float32, shape=(K,)
        How much an example of each class counts.
    """
    counts = np.bincount(labels)
    counted = counts * weights.astype(np.float64)
    priors = counted / counted.sum()
    means = np.stack([x[labels == k].mean(axis=0, dtype=np.float64) for k in range(len(counts))])
    rest = x - means[labels]
    diagonal = np.zeros(x.shape[1])
    for k, prior in enumerate(priors):
        own = labels == k
        variances = np.square(rest[own]).mean(axis=0)
        share = _shrinkage(rest[own] / np.sqrt(np.where(variances > 0, variances, 1)))
        diagonal += prior * share * variances
        rest[own] *= np.sqrt(prior * (1 - share) / counts[k])
    # The covariance is now this diagonal and the products of what is left of the examples.
    least = _LEAST_VARIANCE * diagonal.mean()
    scale = np.sqrt(np.maximum(diagonal, least) if least else np.ones_like(diagonal))
    solved = _solved(rest / scale, (means / scale).T)
    biases = np.log(priors) - 0.5 * (solved * (means / scale).T).sum(axis=0)
    return (solved / scale[:, None]).T.astype(np.float32), biases.astype(np.float32)


def _shrinkage(examples: Float64Array) -> float:
    """Return the share of the variances in the covariance of centred examples of variance 1, 0 to 1."""
    n, d = examples.shape
    lengths = np.square(examples).sum(axis=1)
    square = np.square(_products(examples)).sum() / n**2
    spread = square - lengths.mean() ** 2 / d
    if spread <= 0:
        return 1.0
    return float(np.clip((np.square(lengths).mean() - square) / n / spread, 0, 1))


def _solved(rest: Float64Array, right: Float64Array) -> Float64Array:
    """Solve (1 + rest' rest) x = right, in as few dimensions as there are; shape=(d, K)."""
    n, d = rest.shape
    products = _products(rest)
    products[np.diag_indices_from(products)] += 1
    if n >= d:
        return np.asarray(np.linalg.solve(products, right), np.float64)
    return np.asarray(right - rest.T @ np.linalg.solve(products, rest @ right), np.float64)


def _products(rows: Float64Array) -> Float64Array:
    """Return the products of columns, or of rows if those are fewer."""
    return rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
