"""From labelled recordings to a report and a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark.classifiercard import ClassifierCard
from earmark.embedjobs import EmbedSettings
from earmark.folders import cache_folder
from earmark.head import Head
from earmark.train.classifier import write_classifier
from earmark.train.fitting.candidates import (
    Material,
    candidates,
    compare,
    fit_candidate,
    learning_curve,
)
from earmark.train.fitting.examples import Examples, check_classes, distinct, read_examples
from earmark.train.fitting.folds import N_FOLDS, IntArray, deal_examples
from earmark.train.fitting.report import Report, make_report
from earmark.train.vectors import VectorStore

# Of what a fold can learn; all of it is known from the comparison.
_SHARES = (0.1, 0.25, 0.5)
# For a first look: folds, and what is compared.
_QUICK_FOLDS, _QUICK_HEADS = 3, ("svm", "lda")


@dataclass(frozen=True)
class FitSettings:
    """How a classifier is made.

    Parameters
    ----------
    embedding : EmbedSettings
        Backbone, which of its embeddings, and the hop.
    heads, fusions : tuple of str
        What is compared; all if empty.
    folds : int or None
        None for 5, or as many as the class with the fewest groups has.
    seed : int
    quick : bool
        A first look: three folds, no networks.
    jobs : int
        Processes that embed.
    """

    embedding: EmbedSettings
    heads: tuple[str, ...] = ()
    fusions: tuple[str, ...] = ()
    folds: int | None = None
    seed: int = 0
    quick: bool = False
    jobs: int = 1


class Fitted:
    """A report, and the classifier fitted on everything.

    Attributes
    ----------
    report : Report
    head : Head
    """

    def __init__(self, report: Report, head: Head, store: VectorStore, settings: FitSettings) -> None:
        self.report, self.head = report, head
        self._store, self._settings = store, settings

    def write(self, path: Path) -> None:
        """Write the model file, named after the file; see `write_classifier` for errors."""
        embedder, report = self._store.embedder, self.report
        backbone = embedder.card
        card = ClassifierCard(
            name=path.stem,
            version="1",
            description=f"Tells {', '.join(report.labels)} apart by embeddings of {backbone.name}.",
            classes=report.labels,
            features=backbone.features,
            backbone=backbone.name,
            embedding=embedder.embedding,
            dimension=embedder.dimension,
            fusion=report.chosen.fusion,
            head=report.chosen.head,
            licence=f"{backbone.licence} (backbone); the classifier is its maker's",
            context=backbone.context,
            hop=self._settings.embedding.hop,
            sources=backbone.sources,
            metrics=report.metrics(),
            trained={
                **report.learned(),
                "lowest_rate": report.settings["lowest_rate"],
                "seed": self._settings.seed,
            },
        )
        write_classifier(path, self._settings.embedding.model, embedder.embedding, self.head, card)


def fit_classifier(
    data: str | Path,
    settings: FitSettings,
    *,
    tell: Callable[[str], None] = lambda text: None,
    warn: Callable[[str], None] = lambda text: None,
) -> Fitted:
    """Learn to tell classes apart, and estimate how right new recordings will be.

    Parameters
    ----------
    data : str or Path
        As `read_examples` takes it.
    settings : FitSettings
    tell, warn : callable
        Called with what is being done, and with what the user should know as soon as it is.

    Raises
    ------
    ConfigError
        If the recordings are not fit; one line says why.
    ModelError
        If the backbone is missing or gives no embeddings.
    """
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        warn(text)

    wanted = candidates(settings.heads or (_QUICK_HEADS if settings.quick else ()), settings.fusions)
    examples = read_examples(data)
    alone = {item.excerpt for item in examples.items if not item.group}
    store = VectorStore(cache_folder() / "vectors", settings.embedding)
    examples = _embedded(examples, store, settings, tell)
    if examples.skipped:
        n_all = len(examples.items) + len(examples.skipped)
        for line in examples.skipped:
            warn(f"left out: {line}")
        note(f"{len(examples.skipped)} of {n_all} recordings were left out")
    check_classes(examples)
    for line in _remarks(examples, store, warn):
        note(line)
    if not examples.grouped:
        note(
            "no groups are given: each file counts as one of its own; if several come of one recording, "
            "artist or session, the figures are too good"
        )
    elif n_alone := sum(item.excerpt in alone for item in examples.items):
        note(
            f"{n_alone} of {len(examples.items)} recordings have no group: each of their files counts as one "
            "of its own"
        )
    labels, folds = _deal(examples, settings, note)
    vectors = [store.get(item.excerpt) for item in examples.items]
    material = Material(vectors, labels, folds, [item.group for item in examples.items])
    compared = compare(wanted, material, settings.seed, tell)
    best = wanted[compared.best]
    curve = list(learning_curve(best, material, _SHARES, settings.seed, tell))
    learned = float(np.mean([len(material.split(fold)[0]) for fold in range(material.n_folds)]))
    curve.append((1.0, learned, compared.scores[compared.best]))
    embedder = store.embedder
    facts = {
        "data": str(data),
        "backbone": embedder.card.name,
        "embedding": embedder.embedding,
        "dimension": embedder.dimension,
        "window_s": embedder.window_s,
        "hop_s": embedder.hop_s,
        "windows": sum(len(one) for one in material.vectors),
        "lowest_rate": min(
            store.remarks(item.excerpt).rate or embedder.sample_rate for item in examples.items
        ),
        "folds": material.n_folds,
        "grouped": examples.grouped,
        "seed": settings.seed,
        "quick": settings.quick,
    }
    report = make_report(facts, examples, material, compared, curve, tuple(notes))
    tell(f"fitting {best} on all files")
    head = fit_candidate(best, material.vectors, material.labels, settings.seed)
    return Fitted(report, head, store, settings)


def _embedded(
    examples: Examples, store: VectorStore, settings: FitSettings, tell: Callable[[str], None]
) -> Examples:
    """Check the recordings, and embed those that are not yet; leave out what cannot be."""
    tell("reading files")
    examples = distinct(examples, store.digest)
    check_classes(examples)
    _deal(examples, settings, lambda text: None)  # folds that cannot be are refused before the work

    def report(done: int, total: int) -> None:
        tell(f"embedding: {done} of {total} files")

    problems = store.add([item.excerpt for item in examples.items], settings.jobs, report)
    examples = examples.without({problem.excerpt: problem.why for problem in problems})
    silent = [item.excerpt for item in examples.items if store.remarks(item.excerpt).silent]
    # As in use, where it has no class.
    return examples.without(dict.fromkeys(silent, "holds nothing but digital silence"))


def _remarks(examples: Examples, store: VectorStore, warn: Callable[[str], None]) -> Iterator[str]:
    """Warn of each damaged recording; yield lines on what all of them are like."""
    found = {item.excerpt: store.remarks(item.excerpt) for item in examples.items}
    damaged = {excerpt: own.warnings for excerpt, own in found.items() if own.warnings}
    for excerpt, lines in damaged.items():
        for line in lines:
            warn(f"{excerpt}: {line}")
    if damaged:
        yield f"{len(damaged)} of {len(found)} recordings were read with warnings"
    if low := [own.rate for own in found.values() if own.rate]:
        yield (
            f"{len(low)} of {len(found)} recordings have a lower sample rate than the backbone, which hears "
            f"{store.embedder.sample_rate} Hz (the lowest: {min(low)}): nothing is above half of it; if "
            "classes differ in that, it is what is learned"
        )


def _deal(
    examples: Examples, settings: FitSettings, note: Callable[[str], None]
) -> tuple[IntArray, IntArray]:
    """Return the examples' classes, counted from 0, and their folds."""
    usual = _QUICK_FOLDS if settings.quick else N_FOLDS
    return deal_examples(examples, settings.folds, settings.seed, note, usual)
