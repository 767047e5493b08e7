"""What cross-validation found: as values, as JSON and as a table of every file."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from earmark import __version__
from earmark.environment import environment
from earmark.files import atomic_write
from earmark.head import FloatArray
from earmark.train.fitting.candidates import Candidate, Compared, Material
from earmark.train.fitting.examples import Example, Examples
from earmark.train.fitting.figures import (
    ClassFigures,
    Share,
    accuracy,
    by_class,
    confusion,
    effective_number,
    interval,
    worst,
)
from earmark.train.fitting.folds import IntArray, groups_of_classes

_MOST_ERRORS = 20


class Row(NamedTuple):
    """A candidate, how right it is, and in which share of the draws it was the best."""

    candidate: Candidate
    accuracy: Share
    best_in: float


class Point(NamedTuple):
    """A point of the learning curve: share and number of files learned, and how right the rest was."""

    share: float
    n_files: float
    accuracy: Share


class Answer(NamedTuple):
    """What was answered about an example that was not learned."""

    example: Example
    fold: int
    found: str
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Report:
    """How well classes can be told apart.

    Parameters
    ----------
    settings : mapping
        What was asked for: the data, backbone, embedding, hop, folds, seed.
    accuracy : Share
        Of what is to be expected, corrected for the choice among several candidates.
    mean_recall : float
        Mean of the classes' recalls: what the accuracy would be if all had as many files.
    chosen : Candidate
        What all below is of, but the other rows.
    rows : tuple of Row
        All candidates.
    classes : tuple of ClassFigures
    confusion : int, shape=(K, K)
        Files of a class (row) taken for another (column).
    curve : tuple of Point
    answers : tuple of Answer
        In the order of the examples.
    errors : tuple of Answer
        The wrong ones, the worst first.
    notes, skipped : tuple of str
        What the user should know, and what was left out.
    """

    settings: Mapping[str, Any]
    accuracy: Share
    mean_recall: float
    chosen: Candidate
    rows: tuple[Row, ...]
    classes: tuple[ClassFigures, ...]
    confusion: IntArray
    curve: tuple[Point, ...]
    answers: tuple[Answer, ...]
    errors: tuple[Answer, ...]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names."""
        return tuple(one.label for one in self.classes)

    @property
    def estimate(self) -> str:
        """What the accuracy is one of, in words."""
        files = f"{len(self.answers)} files"
        n_groups = len({answer.example.group for answer in self.answers})
        groups = f" in {n_groups} groups" if n_groups < len(self.answers) else ""
        choice = ""
        if len(self.rows) > 1:
            own = next(row.accuracy.value for row in self.rows if row.candidate == self.chosen)
            choice = f"; corrected for the choice of the best of {len(self.rows)} kinds, {100 * own:.1f} %"
        return f"95 % interval, {files}{groups}, {self.settings['folds']} folds{choice}"

    def metrics(self) -> dict[str, Any]:
        """Return what a model's card says of how right it is."""
        return {
            "accuracy": asdict(self.accuracy),
            "estimate": self.estimate,
            "mean_recall": self.mean_recall,
            "recall": {one.label: one.recall for one in self.classes},
        }

    def learned(self) -> dict[str, Any]:
        """Return what a model's card says of how much it has learned from."""
        return {
            "files": {one.label: one.n_files for one in self.classes},
            "groups": {one.label: one.n_groups for one in self.classes},
            "earmark": __version__,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all of it but the answers, for JSON."""
        return {
            "settings": dict(self.settings),
            "accuracy": asdict(self.accuracy),
            "estimate": self.estimate,
            "mean_recall": self.mean_recall,
            "chosen": asdict(self.chosen),
            "candidates": [
                {**asdict(row.candidate), "accuracy": asdict(row.accuracy), "best_in": row.best_in}
                for row in self.rows
            ],
            "classes": [asdict(one) for one in self.classes],
            "confusion": self.confusion.tolist(),
            "learning_curve": [
                {"share": p.share, "files": p.n_files, "accuracy": asdict(p.accuracy)} for p in self.curve
            ],
            "errors": [
                {
                    "file": str(one.example.excerpt),
                    "label": one.example.label,
                    "answer": one.found,
                    "confidence": max(one.scores),
                }
                for one in self.errors
            ],
            "notes": list(self.notes),
            "skipped": list(self.skipped),
            "environment": environment(),
        }


def make_report(
    settings: Mapping[str, Any],
    examples: Examples,
    material: Material,
    compared: Compared,
    curve: list[tuple[float, float, FloatArray]],
    notes: tuple[str, ...],
) -> Report:
    """Put together what was found; `curve` holds shares, numbers of files and answers."""
    labels, groups, classes = material.labels, material.groups, examples.classes

    def right(scores: FloatArray) -> Share:
        return accuracy(scores.argmax(axis=1) == labels, groups)

    scores = compared.scores[compared.best]
    found = scores.argmax(axis=1)
    counts = confusion(labels, found, len(classes))
    figures = by_class(counts, classes, groups_of_classes(labels, groups))
    answers = tuple(
        Answer(item, int(material.folds[i]), classes[found[i]], tuple(scores[i].tolist()))
        for i, item in enumerate(examples.items)
    )
    return Report(
        settings,
        interval(compared.choice.accuracy, effective_number(found == labels, groups)),
        float(np.mean([one.recall for one in figures])),
        compared.candidates[compared.best],
        tuple(
            Row(candidate, right(those), best_in)
            for candidate, those, best_in in zip(
                compared.candidates, compared.scores, compared.choice.best_in, strict=True
            )
        ),
        figures,
        counts,
        tuple(Point(share, n_files, right(those)) for share, n_files, those in curve),
        answers,
        tuple(answers[i] for i in worst(labels, scores, _MOST_ERRORS)),
        notes,
        examples.skipped,
    )


def write_json(path: Path, report: Report) -> None:
    """Write the report as JSON."""
    with atomic_write(path) as file:
        json.dump(report.to_dict(), file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def write_answers(path: Path, report: Report) -> None:
    """Write a row for every file: what it is, what was answered, and each class's score."""
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["path", "start", "end", "group", "fold", "label", "answer", "confidence", *report.labels]
        )
        for example, fold, found, scores in report.answers:
            excerpt = example.excerpt
            end = "" if excerpt.end is None else excerpt.end
            figures = [f"{score:.4f}" for score in (max(scores), *scores)]
            writer.writerow(
                [excerpt.path, excerpt.start, end, example.group, fold, example.label, found, *figures]
            )
