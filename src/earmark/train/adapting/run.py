"""A detector adapted to recordings and their timelines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.train.adapting.marked import Marked
from earmark.train.adapting.report import AdaptReport


@dataclass(frozen=True)
class Adapted:
    """An adapted model, not yet written.

    Parameters
    ----------
    report : AdaptReport
    """

    report: AdaptReport

    def write(self, path: Path, name: str | None = None) -> None:
        """Write the model file, called by its file's stem if no name is given.

        Raises
        ------
        ConfigError
            If nothing was changed (see `AdaptReport`) and there is no new label.
        ModelError
            If the file would not answer as it must.
        """
        raise NotImplementedError


def adapt(
    model: str | Path,
    marked: Sequence[Marked],
    *,
    jobs: int = 1,
    tell: Callable[[str], None] = lambda text: None,
) -> Adapted:
    """Fit a model's last layer to what is marked.

    Parameters
    ----------
    model : str or Path
        Name or path of a detector.
    marked : sequence of Marked
    jobs : int
        Recordings heard at a time.
    tell : callable
        Told what is being done.

    Raises
    ------
    ModelError
        If the model is no detector whose last layer can be fitted.
    ConfigError
        If nothing can be learned: no recording can be used, or no label is the model's.
    """
    raise NotImplementedError
