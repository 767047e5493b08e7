"""Results of the transfer beside the paper's Table V."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from earmark.train.studies.transfer import DETECTED

_MEASURES = ("accuracy", "precision", "recall", "F1")
_PUBLISHED_ON = "dafx12"
_PAPER = {
    "test-swiss": {
        "music": (96.37, 97.53, 98.20, 97.86),
        "speech": (97.58, 95.08, 94.37, 94.72),
        "speech+music": (95.04, 71.39, 64.86, 67.97),
    },
    "test-austrian": {
        "music": (93.68, 94.96, 97.48, 96.21),
        "speech": (95.91, 94.55, 93.36, 93.95),
        "speech+music": (91.19, 74.12, 73.03, 73.57),
    },
}


def transfer_table(dataset: str, trained: dict[str, Any], quick: bool, report: dict[str, Any]) -> Table:
    """Lay out a report of `earmark.train.studies.transfer.transfer`.

    The title says so where the data is not the paper's, or a run was quick.
    """
    title = f"BHA, Table V: multi-task network tuned to broadcasts\n{trained['row']} of {trained['data']}, "
    title += f"on {'programmes made of ' * (dataset == 'corpus')}{dataset}"
    if dataset != _PUBLISHED_ON:
        title += f",\nnot on the paper's {_PUBLISHED_ON}: figures cannot be equal"
    if quick or trained["quick"]:
        title += "\nQUICK: a few recordings and epochs, no result"
    table = Table(title=title, box=box.HORIZONTALS)
    for name in ("part", "detects", "measure"):
        table.add_column(name)
    for name in ("paper", "ours", "ours, median filter"):
        table.add_column(name, justify="right")
    for part, variants in report["figures"].items():
        for name in DETECTED:
            paper = _PAPER.get(part, {}).get(name)
            for i, measure in enumerate(_MEASURES):
                ours = [f"{variants[variant][name][measure]:.2f}" for variant in ("plain", "median")]
                table.add_row(
                    part if name == DETECTED[0] and i == 0 else "",
                    name if i == 0 else "",
                    measure,
                    f"{paper[i]:.2f}" if paper else "–",
                    *ours,
                    end_section=i == len(_MEASURES) - 1,
                )
    return table
