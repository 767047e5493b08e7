"""What a detector reports on clips of one known class, by class: the benchmark folders of an index.

Such clips are never trained on, so their rows are no sources (`earmark.sources` leaves them out).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from earmark.bench.report import Figure
from earmark.datasets.index import BENCHMARKS
from earmark.errors import ConfigError
from earmark.metrics import STATES, Confusion
from earmark.sources import index_rows
from earmark.timeline import Segment, Timeline

_COLUMNS = ("path", "content", "detail", "fold", "source")
# What a detail is, if not music (a genre, singing, an instrument).
_NOT_MUSIC = {"speech": "speech", "noise": "neither"}


@dataclass(frozen=True)
class Clip:
    """One clip of one class.

    Parameters
    ----------
    path : str
        Absolute path.
    origin, detail : str
        Its collection, and its class there.
    fold : int
        Its part of the collection.
    """

    path: str
    origin: str
    detail: str
    fold: int

    @property
    def kind(self) -> str:
        """Collection and class, the row of the table."""
        return f"{self.origin}: {self.detail}"

    @property
    def truth(self) -> str:
        """The state all of it should be in, one of `earmark.metrics.STATES`."""
        return _NOT_MUSIC.get(self.detail, "music")

    def reference(self, duration: float) -> Timeline:
        """Return the timeline of its class over all of it, `duration` seconds."""
        whole = duration > 0 and self.truth != "neither"
        return Timeline((Segment(0.0, duration, self.truth),) if whole else (), duration)


def read_clips(
    index: str | Path, *, folds: Collection[int] | None = None, origins: Collection[str] | None = None
) -> list[Clip]:
    """Read the benchmark clips of an index.

    Parameters
    ----------
    index : str or Path
        CSV with the columns path (relative to it), content, detail, fold and source.
    folds, origins : collection, optional
        Parts and collections to keep; all by default.

    Raises
    ------
    ConfigError
        If the index cannot be read, or nothing fits.
    """
    folder = Path(index).absolute().parent
    try:
        clips = [
            Clip(str(folder / row["path"]), row["source"], row["detail"], int(row["fold"] or 0))
            for _, row in index_rows(index, _COLUMNS)
            if row["content"] in BENCHMARKS
        ]
    except ValueError as err:
        raise ConfigError(f"index '{index}': fold must be a number ({err})") from err
    kept = [
        clip
        for clip in clips
        if (folds is None or clip.fold in folds) and (origins is None or clip.origin in origins)
    ]
    if not kept:
        there = sorted({f"{clip.origin} fold {clip.fold}" for clip in clips})
        raise ConfigError(
            f"no clip of index '{index}' fits; it has {', '.join(there) or 'no benchmark clip at all'}"
        )
    return kept


def score_clips(
    clips: Iterable[Clip],
    detect: Callable[[str], Timeline],
    on_step: Callable[[int], None] | None = None,
) -> dict[str, Confusion]:
    """Detect each clip and pool what is reported, by class.

    Parameters
    ----------
    clips : iterable of Clip
        What to run on.
    detect : callable
        Path to timeline, e.g. `Detector.detect`.
    on_step : callable, optional
        Called with the number of clips done, after each.
    """
    tables: dict[str, Confusion] = {}
    for done, clip in enumerate(clips, start=1):
        estimate = detect(clip.path)
        table = Confusion.of(clip.reference(estimate.duration), estimate)
        tables[clip.kind] = tables.get(clip.kind, Confusion()) + table
        if on_step:
            on_step(done)
    return tables


def clip_figures(tables: Mapping[str, Confusion]) -> list[Figure]:
    """Return, for each class, the shares of time marked speech, music, both and neither."""
    return [
        Figure(kind, state, share)
        for kind, table in sorted(tables.items())
        for state, share in table.reported().items()
    ]


def clips_table(clips: Sequence[Clip], tables: Mapping[str, Confusion]) -> Table:
    """Lay the shares out, a class a row; what the class should be stands in bold."""
    result = Table(
        title="What is reported on clips of one class",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    result.add_column("class", no_wrap=True)
    for name in ("clips", "minutes", "only speech", "only music", "both", "neither"):
        result.add_column(name, justify="right", no_wrap=True)
    truths = {clip.kind: clip.truth for clip in clips}
    for kind, table in sorted(tables.items()):
        shares = table.reported()
        cells = [
            Text(f"{100 * shares[state]:.1f} %", style="bold" if state == truths[kind] else "")
            for state in (*STATES[1:], STATES[0])
        ]
        minutes = table.cells.sum() * 0.01 / 60
        n_clips = sum(clip.kind == kind for clip in clips)
        result.add_row(Text(kind), str(n_clips), f"{minutes:.1f}", *cells)
    return result
