"""Classifiers of embeddings: their sizes, what they learn, how files are decided, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earmark.errors import AudioError, ConfigError
from earmark.head import Head, file_scores, fused

RNG = np.random.default_rng(7)


def linear(weight, bias=(0.0, 0.0), low=0.0, span=1.0) -> Head:
    """Return a head of one layer."""
    matrix = np.asarray(weight, np.float32)
    scaling = [np.full(matrix.shape[1], value, np.float32) for value in (low, span)]
    return Head("svm", *scaling, ((matrix, np.asarray(bias, np.float32)),))


def blobs(n: int, d: int = 6, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of `k` classes around points that are far from each other, and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    labels[:k] = range(k)
    centres = 5 * np.eye(k, d) + 100
    return (centres[labels] + rng.standard_normal((n, d))).astype(np.float32), labels


# Running


def test_scores_are_the_softmax_of_scaled_values() -> None:
    head = linear([[1, 0], [0, 2]], (0.5, 0.0), low=10, span=4)
    logits = np.array([[0.25 + 0.5, 1.0], [-1 + 0.5, 2 * 0.25]])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(head.scores([[11, 12], [6, 11]]), expected, rtol=1e-6)


def test_hidden_layers_have_a_relu() -> None:
    hidden = (np.array([[1.0], [-1.0]], np.float32), np.zeros(2, np.float32))
    last = (np.array([[1.0, 1.0], [0.0, 0.0]], np.float32), np.zeros(2, np.float32))
    head = replace(linear([[1.0]], (0.0,)), layers=(hidden, last))
    assert head.n_parameters == 4 + 6
    assert (head.n_features, head.n_classes) == (1, 2)
    np.testing.assert_allclose(np.log(np.divide(*head.scores([[-3.0], [2.0]]).T)), [3, 2], rtol=1e-5)


def test_many_embeddings_are_scored_as_few_are() -> None:
    head = linear(RNG.standard_normal((2, 5)))
    values = RNG.standard_normal((9001, 5)).astype(np.float32)
    np.testing.assert_allclose(head.scores(values)[8999:], head.scores(values[8999:]), rtol=1e-5)
    assert head.scores(np.zeros((0, 5))).shape == (0, 2)
    assert np.isfinite(head.scores(1e6 * values[:9])).all()
    with pytest.raises(AudioError, match=r"shape \(4,\); this classifier takes \(n, 5\)"):
        head.scores(np.zeros(4))


# Files


def test_late_fusion_averages_scores_and_early_fusion_takes_maxima() -> None:
    head = linear([[1, 0], [0, 1]])
    files = [np.array([[4, 0], [0, 1], [0, 1]], np.float32), np.array([[0, 2]], np.float32)]
    late = np.stack([head.scores(f).mean(axis=0) for f in files])
    np.testing.assert_allclose(file_scores(head, files), late, rtol=1e-6)
    np.testing.assert_allclose(file_scores(head, files, "early"), head.scores([[4, 1], [0, 2]]), rtol=1e-6)
    assert file_scores(head, []).shape == (0, 2)


def test_fusions_of_a_constant_embedding_are_equal() -> None:
    head = linear(RNG.standard_normal((4, 3)), np.zeros(4))
    files = [np.repeat(RNG.standard_normal((1, 3)), n, axis=0).astype(np.float32) for n in (1, 7)]
    np.testing.assert_allclose(file_scores(head, files), file_scores(head, files, "early"), rtol=1e-5)


def test_training_rows_are_embeddings_or_maxima() -> None:
    files = [np.array([[1, 5], [2, 3]], np.float32), np.array([[0, 0]], np.float32)]
    rows, labels = fused(files, [1, 0])
    assert rows.tolist() == [[1, 5], [2, 3], [0, 0]]
    assert labels.tolist() == [1, 1, 0]
    rows, labels = fused(files, [1, 0], "early")
    assert rows.tolist() == [[2, 5], [0, 0]]
    assert labels.tolist() == [1, 0]
    with pytest.raises(ConfigError, match="unknown fusion 'middle'; choose one of late, early"):
        fused(files, [1, 0], "middle")
    with pytest.raises(ConfigError, match=r"1 files have no embeddings \(the first: 1\)"):
        fused([files[0], np.zeros((0, 2), np.float32)], [0, 1])


# Fitting


@pytest.mark.parametrize(
    ("kind", "d", "k", "count"),
    [
        ("d128", 512, 3, 66_051), ("d128", 512, 4, 66_180), ("d128", 512, 5, 66_309),
        ("d128", 512, 50, 72_114), ("d512", 512, 3, 328_707), ("d512", 512, 4, 328_836),
        ("d512", 512, 5, 328_965),
        ("d512", 512, 50, 334_770), ("d128", 1024, 5, 131_845), ("d512", 1024, 5, 591_109),
        ("d128", 128, 5, 17_157), ("d512", 128, 5, 132_357), ("d128", 6144, 5, 787_205),
        ("d512", 6144, 5, 3_212_549), ("svm", 20, 3, 63), ("svm", 20, 2, 42),
    ],
)  # fmt: skip
def test_parameters_are_those_published(kind: str, d: int, k: int, count: int) -> None:
    pytest.importorskip("torch")
    if kind == "svm":
        pytest.importorskip("sklearn")
    from earmark.train.head import fit_head

    values = RNG.standard_normal((k, d)).astype(np.float32)
    head = fit_head(kind, values, np.arange(k), seed=0, epochs=1)
    assert head.n_parameters == count
    assert (head.n_features, head.n_classes) == (d, k)


@pytest.mark.parametrize("kind", ["svm", "lda", "d128", "d512"])
@pytest.mark.parametrize("k", [2, 3])
def test_classes_that_lie_apart_are_told_apart(kind: str, k: int) -> None:
    torch = pytest.importorskip("torch")
    if kind == "svm":
        pytest.importorskip("sklearn")
    from earmark.train.head import fit_head

    train, labels = blobs(90, k=k)
    test, truth = blobs(60, k=k, seed=1)
    train[:, 5] = 3  # a value that never changes in training counts for nothing
    state = torch.random.get_rng_state()
    head = fit_head(kind, train, labels, seed=4, epochs=200)
    assert torch.equal(torch.random.get_rng_state(), state)
    scores = head.scores(test)
    assert (scores.argmax(axis=1) == truth).mean() > 0.95
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    again = fit_head(kind, train, labels, seed=4, epochs=200)
    assert np.array_equal(again.scores(test), scores)
    # The scaling is that of the training set.
    np.testing.assert_allclose(head.low[:5], train[:, :5].min(axis=0))
    np.testing.assert_allclose(head.low[:5] + head.span[:5], train[:, :5].max(axis=0), rtol=1e-6)


@pytest.mark.parametrize("kind", ["svm", "lda", "d128"])
def test_weights_of_classes_shift_what_lies_between(kind: str) -> None:
    pytest.importorskip("torch")
    if kind == "svm":
        pytest.importorskip("sklearn")
    from earmark.train.head import fit_head, inverse_frequencies

    rng = np.random.default_rng(3)
    # A rare class among a frequent one.
    values = np.concatenate([rng.normal(0, 1, (190, 1)), rng.normal(1, 1, (10, 1))]).astype(np.float32)
    labels = np.repeat([0, 1], [190, 10])
    weights = inverse_frequencies(labels)
    np.testing.assert_allclose(weights, [200 / 380, 10])
    test = np.linspace(-1, 2, 50)[:, None]
    plain, weighed = (
        fit_head(kind, values, labels, seed=0, class_weights=w, epochs=60).scores(test)[:, 1]
        for w in (None, weights)
    )
    assert (weighed > plain).all()
    assert (weighed > 0.5).sum() > 10 > (plain > 0.5).sum()


@pytest.mark.parametrize(("n", "d"), [(60, 8), (30, 80), (15, 80)])
def test_discriminants_are_those_of_shrunk_covariances(n: int, d: int) -> None:
    sklearn = pytest.importorskip("sklearn.discriminant_analysis")
    from earmark.train.discriminant import fit_discriminant

    x, y = blobs(n, d)
    x = (x - 100) * np.linspace(0.5, 3, d, dtype=np.float32)
    counts = np.bincount(y)
    weight, bias = fit_discriminant(x, y, (n / 3 / counts).astype(np.float32))
    wanted = sklearn.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / 3] * 3).fit(x, y)
    found, others = x @ weight.T + bias, wanted.decision_function(x)
    # Up to what all classes have in common.
    found, others = (each - each.mean(axis=1, keepdims=True) for each in (found, others))
    np.testing.assert_allclose(found, others, rtol=1e-3, atol=1e-3 * np.abs(others).max())


def test_discriminants_of_single_examples_and_constant_values_are_finite() -> None:
    from earmark.train.discriminant import fit_discriminant

    x = np.array([[0, 1, 5], [2, 1, 5], [0, 3, 5]], np.float32)
    weight, bias = fit_discriminant(x, np.arange(3), np.ones(3, np.float32))
    assert (x @ weight.T + bias).argmax(axis=1).tolist() == [0, 1, 2]
    assert np.isfinite(weight).all()


@pytest.mark.filterwarnings("error")
def test_a_support_vector_machine_that_does_not_converge_is_found_another_way(monkeypatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from earmark.train import head as heads

    x, y = blobs(40, d=60)
    x += RNG.normal(0, 8, x.shape).astype(np.float32)
    slow = heads.fit_head("svm", x, y, seed=0)
    monkeypatch.setattr(heads, "_ITERATIONS", 1)
    sure = heads.fit_head("svm", x, y, seed=0)
    np.testing.assert_allclose(sure.scores(x), slow.scores(x), atol=0.01)


def test_the_best_epoch_on_a_validation_set_is_taken() -> None:
    pytest.importorskip("torch")
    from earmark.train.head import fit_head

    train, labels = blobs(40)
    test, truth = blobs(40, seed=1)
    # Where the truth is turned around, the best epoch is among the first: training only makes it worse.
    wrong = (test, (truth + 1) % 3)
    last, best = (
        fit_head("d128", train, labels, seed=0, epochs=30, validation=v).scores(test).argmax(axis=1)
        for v in (None, wrong)
    )
    assert (best == wrong[1]).mean() > (last == wrong[1]).mean()
    with pytest.raises(ConfigError, match="embeddings have 6 values, those to validate with 2"):
        fit_head("d128", train, labels, seed=0, validation=(test[:, :2], truth))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "svn"}, "unknown classifier 'svn'; choose one of svm, lda, d128, d512"),
        ({"labels": [0, 0, 0, 0]}, "all embeddings are of one class; give some of every class"),
        ({"labels": [0, 2, 2, 0]}, "class 1 has no embeddings"),
        ({"labels": [0, 1, 1]}, r"embeddings \(4, 2\) and labels \(3,\)"),
        ({"labels": [0.0, 1.0, 1.0, 0.0]}, "labels must be numbers of classes"),
        ({"embeddings": [[0, np.nan]] * 4}, "NaN or infinite"),
        ({"class_weights": [1.0]}, r"class weights \[1.0\]: give 2 numbers above 0"),
        ({"epochs": 0}, "0 epochs"),
    ],
)
def test_what_cannot_be_fitted_is_refused(given, message) -> None:
    pytest.importorskip("torch")
    from earmark.train.head import fit_head

    arguments = {"kind": "d128", "embeddings": np.eye(4, 2), "labels": [0, 1, 0, 1], "seed": 0} | given
    with pytest.raises(ConfigError, match=message):
        fit_head(**arguments)
