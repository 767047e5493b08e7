"""Pictures of the studies, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.train.studies.separability import Separability

FloatArray = npt.NDArray[np.float32]

# Told apart with any colour vision, and by their marks.
_MARKS = (("#0072b2", "o"), ("#d55e00", "^"))


def draw_separability(path: Path, title: str, classes: Sequence[str], found: Sequence[Separability]) -> None:
    """Draw the maps of all representations beside each other, with their figures."""
    figure = Figure(figsize=(5.2 * len(found), 5.2), layout="constrained")
    figure.suptitle(title)
    for axes, one in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        for label, (name, (colour, mark)) in enumerate(zip(classes, _MARKS, strict=True)):
            points = one.map[one.labels == label]
            axes.scatter(*points.T, s=9, c=colour, marker=mark, alpha=0.6, linewidths=0, label=name)
        axes.set_title(
            f"{one.title}\nnearest neighbours {100 * np.mean(one.accuracy):.1f} %, "
            f"silhouette {one.silhouette:.3f}",
            fontsize="medium",
        )
        axes.set_xticks([])
        axes.set_yticks([])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=2)
    _save(figure, path)


def draw_learned(path: Path, title: str, names: Sequence[str], features: Sequence[FloatArray]) -> None:
    """Draw what a network makes of recordings, one above the other, with the means beside.

    Parameters
    ----------
    path : Path
    title : str
    names : sequence of str
        Of the recordings.
    features : sequence of float, shape=(n, K) each
        Of pieces of 200 ms, 0 to 1.
    """
    figure = Figure(figsize=(9, 0.6 + 2.6 * len(names)), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(len(names), 2, squeeze=False, width_ratios=(6, 1), sharey=True)
    for (axes, beside), name, values in zip(grid, names, features, strict=True):
        n, n_features = values.shape
        extent = (0, 0.2 * n, n_features + 0.5, 0.5)
        image = axes.imshow(
            values.T, aspect="auto", interpolation="nearest", cmap="magma", vmin=0, vmax=1, extent=extent
        )
        axes.set_title(name, fontsize="medium")
        axes.set_ylabel("feature")
        axes.set_yticks(range(1, n_features + 1, 3))
        beside.barh(np.arange(1, n_features + 1), values.mean(axis=0), color="#0072b2")
        beside.set_title("mean", fontsize="medium")
        beside.set_xlim(0, 1)
    axes.set_xlabel("time (s)")
    figure.colorbar(image, ax=grid[:, 1].tolist(), label="share of the 99th percentile")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100)
    except (OSError, ValueError) as err:
        raise ConfigError(f"cannot write '{path}' ({err}); give a path such as picture.png") from err
