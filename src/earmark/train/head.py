"""Fitting small classifiers to embeddings, as Grollmisch et al. do (GRO, section III-B).

======  =====================================================================================
svm     a linear support vector machine, C = 1, one class against the rest
d128    a layer of 128 with ReLU and dropout 0.5, then the classes
d512    layers of 512 and of 128, each with ReLU and dropout 0.5, then the classes
lda     linear discriminants, the covariance of each class shrunk by Ledoit and Wolf's rule; not GRO's
======  =====================================================================================

The networks are trained with Adam at 1e-3 on batches of 256 for 500 epochs.  Each dimension of the embeddings
is first brought to 0 to 1 on the training set.  GRO weigh classes by their inverse frequency.

Not published: how the margins of the support vector machine become scores that can be averaged (here by a
softmax), and which epoch is taken (here the last, or the best on a validation set if one is given).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from earmark.errors import ConfigError
from earmark.head import FloatArray, Head, IntArray
from earmark.train.models.layers import Dense

# Units of the hidden layers.
KINDS: dict[str, tuple[int, ...]] = {"svm": (), "d128": (128,), "d512": (512, 128), "lda": ()}
# Those of the paper.
GRO_KINDS = ("svm", "d128", "d512")
EPOCHS = 500
_BATCH, _DROPOUT, _LEARNING_RATE = 256, 0.5, 1e-3
# Keras's.
_EPSILON = 1e-7
_C, _ITERATIONS = 1.0, 10_000
_LEAST_VARIANCE = 1e-6


def inverse_frequencies(labels: npt.ArrayLike) -> FloatArray:
    """Return a weight for each class that makes all count alike, float32, shape=(K,); their mean is 1 if
    all classes have as many."""
    counts = np.bincount(np.asarray(labels, np.intp))
    return (counts.sum() / (len(counts) * np.maximum(counts, 1))).astype(np.float32)


def fit_head(
    kind: str,
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    seed: int,
    class_weights: Sequence[float] | FloatArray | None = None,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    epochs: int = EPOCHS,
) -> Head:
    """Fit a classifier.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    embeddings : array, shape=(n, d)
    labels : int, shape=(n,)
        Classes, counted from 0; each of them must occur.
    seed : int
        Of weights, batches and dropout.  The same input and seed give the same head on the same machine.
    class_weights : sequence of float, optional
        How much an embedding of each class counts, see `inverse_frequencies`; by default all alike.
    validation : tuple of array, shape=(m, d), and int, shape=(m,), optional
        The epoch with the best accuracy on these is taken, the first of equal ones.  Nothing is chosen for
        a support vector machine.
    epochs : int
        Of the networks.

    Raises
    ------
    ConfigError
        For an unknown kind, shapes that do not fit, values that are not finite, fewer than two classes, a
        class without embeddings, or weights that are not above 0.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown classifier '{kind}'; choose one of {', '.join(KINDS)}")
    if epochs < 1:
        raise ConfigError(f"{epochs} epochs: there must be at least 1")
    x, y = _checked(embeddings, labels)
    n_classes = int(y.max()) + 1
    empty = np.flatnonzero(np.bincount(y) == 0)
    if n_classes < 2 or len(empty):
        what = f"class {empty[0]} has no embeddings" if len(empty) else "all embeddings are of one class"
        raise ConfigError(f"{what}; give some of every class, two classes at least")
    weights = np.ones(n_classes, np.float32) if class_weights is None else np.array(class_weights, np.float32)
    if weights.shape != (n_classes,) or not (weights > 0).all():
        raise ConfigError(f"class weights {weights.tolist()}: give {n_classes} numbers above 0, one a class")
    low = x.min(axis=0)
    span = x.max(axis=0) - low
    constant = span == 0
    span[constant] = 1
    scaled = (x - low) / span
    if kind == "svm":
        return Head(kind, low, span, (_support_vectors(scaled, y, weights, seed),))
    if kind == "lda":
        return Head(kind, low, span, (_discriminants(scaled, y),))
    held_out = None
    if validation is not None:
        values, truth = _checked(*validation)
        if values.shape[1] != x.shape[1]:
            raise ConfigError(
                f"embeddings have {x.shape[1]} values, those to validate with {values.shape[1]}"
            )
        held_out = (torch.from_numpy((values - low) / span), torch.from_numpy(truth))
    # What others have drawn, or will, is not touched.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _network(x.shape[1], KINDS[kind], n_classes)
        examples = (torch.from_numpy(scaled), torch.from_numpy(y))
        _train(net, *examples, torch.from_numpy(weights), held_out, epochs)
    dense = [layer for layer in net if isinstance(layer, Dense)]
    layers = [(m.weight.detach().numpy().copy(), m.bias.detach().numpy().copy()) for m in dense]
    # What never changed in training was 0 there, and its weights are as they were drawn: none of them counts.
    layers[0][0][:, constant] = 0
    return Head(kind, low, span, tuple(layers))


def _checked(embeddings: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    x, y = np.asarray(embeddings, np.float32), np.asarray(labels)
    if x.ndim != 2 or y.shape != (len(x),) or not x.size:
        raise ConfigError(f"embeddings {x.shape} and labels {y.shape}: give (n, d) and (n,), none empty")
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
        raise ConfigError("labels must be numbers of classes, counted from 0")
    if not np.isfinite(x).all():
        raise ConfigError("the embeddings hold NaN or infinite values; drop those")
    return x, y.astype(np.int64)


def _support_vectors(
    scaled: FloatArray, labels: IntArray, weights: FloatArray, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Return weights (K, d) and biases (K,) whose products are the margins of each class against the rest."""
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        C=_C, class_weight=dict(enumerate(weights.tolist())), random_state=seed, max_iter=_ITERATIONS
    )
    machine.fit(scaled, labels)
    weight, bias = machine.coef_.astype(np.float32), machine.intercept_.astype(np.float32)
    if len(weight) == 1:  # of two classes, the second against the first
        return np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
    return weight, bias


def _discriminants(x: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return weights and biases of linear discriminants; all classes are as likely.

    Values are standardised, and what the classes vary by is the mean of their covariances, each shrunk
    towards a sphere as far as its number of embeddings calls for: O. Ledoit, M. Wolf, "A well-conditioned
    estimator for large-dimensional covariance matrices", Journal of Multivariate Analysis 88(2), 2004.
    """
    values = x.astype(np.float64)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    spread[spread == 0] = 1
    values = (values - mean) / spread
    classes = range(int(labels.max()) + 1)
    centres = np.stack([values[labels == k].mean(axis=0) for k in classes])
    own = [_shrunk(values[labels == k] - centres[k]) for k in classes]
    weight = np.linalg.solve(np.mean(own, axis=0), centres.T).T
    bias = -0.5 * (weight * centres).sum(axis=1)
    weight = weight / spread
    return weight.astype(np.float32), (bias - weight @ mean).astype(np.float32)


def _shrunk(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the shrunk covariance of values with the mean 0, shape=(d, d)."""
    n, d = values.shape
    covariance = values.T @ values / n
    level = np.trace(covariance) / d
    away = (covariance**2).sum() - d * level**2
    noise = ((values**2).sum(axis=1) ** 2).mean() - (covariance**2).sum()
    share = min(1.0, noise / n / away) if away > 0 else 1.0
    covariance *= 1 - share
    # A class of one embedding, or of equal ones, varies by next to nothing.
    covariance[np.diag_indices(d)] += max(share * level, _LEAST_VARIANCE)
    return np.asarray(covariance)


def _network(n_features: int, units: Sequence[int], n_classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in zip((n_features, *units), units, strict=False):
        layers += [Dense(n_in, n_out), nn.ReLU(), nn.Dropout(_DROPOUT)]
    return nn.Sequential(*layers, Dense(units[-1], n_classes))


def _train(
    net: nn.Sequential,
    x: Tensor,
    y: Tensor,
    weights: Tensor,
    held_out: tuple[Tensor, Tensor] | None,
    epochs: int,
) -> None:
    """Train a network in place; it ends with the weights of the epoch that is taken."""
    optimiser = torch.optim.Adam(net.parameters(), lr=_LEARNING_RATE, eps=_EPSILON)
    best, kept = -1.0, None
    for _ in range(epochs):
        net.train()
        order = torch.randperm(len(x))
        for at in range(0, len(x), _BATCH):
            batch = order[at : at + _BATCH]
            # Each term is weighed, and the mean is over the batch, as Keras does.
            losses = nn.functional.cross_entropy(net(x[batch]), y[batch], reduction="none")
            loss = (weights[y[batch]] * losses).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if held_out is not None:
            net.eval()
            with torch.no_grad():
                accuracy = (net(held_out[0]).argmax(dim=1) == held_out[1]).float().mean().item()
            if accuracy > best:
                best, kept = accuracy, {name: value.clone() for name, value in net.state_dict().items()}
    if kept is not None:
        net.load_state_dict(kept)
