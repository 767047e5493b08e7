"""Pictures of a report as PNG: confusions and the learning curve."""

from __future__ import annotations

import io
import warnings

import numpy as np
from matplotlib.figure import Figure

from earmark.train.fitting.report import Report

_BLUE = "#0072b2"
# More classes than these are drawn without numbers in the cells.
_MOST_NUMBERS = 25


def draw_confusion(report: Report) -> bytes:
    """Draw which classes are taken for which: shares of the row as shades, files as numbers."""
    counts = report.confusion
    n = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(14.0, 2.4 + 0.55 * n)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    # A name is no formula.
    names = [label.replace("$", r"\$") for label in report.labels]
    axes.set_xticks(range(n), names, rotation=45, ha="right")
    axes.set_yticks(range(n), names)
    axes.set_xlabel("answer")
    axes.set_ylabel("class")
    if n <= _MOST_NUMBERS:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                shade = "white" if shares[i, j] > 0.5 else "black"
                axes.text(j, i, str(count), ha="center", va="center", color=shade)
    figure.colorbar(image, ax=axes, label="share of the class's files", shrink=0.8)
    return _png(figure)


def draw_curve(report: Report) -> bytes:
    """Draw the accuracy over the number of files learned, with its intervals."""
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    files = [point.n_files for point in report.curve]
    shares = [point.accuracy for point in report.curve]
    values = np.array([[100 * one.value, 100 * one.low, 100 * one.high] for one in shares]).T
    axes.fill_between(
        files, values[1], values[2], color=_BLUE, alpha=0.15, linewidth=0, label="95 % interval"
    )
    axes.plot(files, values[0], "o-", color=_BLUE, label=str(report.chosen))
    chance = 100 * max(one.n_files for one in report.classes) / len(report.answers)
    axes.axhline(chance, color="grey", linestyle=":", label="always the most frequent class")
    axes.set_xlabel("files learned")
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 101)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of a writing that the font lacks
        figure.savefig(data, format="png", dpi=120, metadata={"Software": None})
    return data.getvalue()
