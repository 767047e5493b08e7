"""Scores of annotation files against references, file by file and pooled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from earmark.errors import AnnotationError, ConfigError
from earmark.evaluation.pairs import check_pairing, find_pairs
from earmark.evaluation.recordings import Recording, check_renamed, choose_labels, read_recordings
from earmark.metrics.score import Rules, Score
from earmark.timeline import Timeline

_PathOrTimeline = str | os.PathLike[str] | Timeline
_DEFAULT = Rules()


@dataclass(frozen=True)
class FileScore:
    """The score of one recording.

    Parameters
    ----------
    name : str
        How tables call it.
    score : Score
        Its counts.
    missing : bool
        Whether there was no estimate, and an empty one was scored.
    """

    name: str
    score: Score
    missing: bool = False


@dataclass(frozen=True)
class Report:
    """Scores of all recordings.

    Parameters
    ----------
    files : tuple of FileScore
        At least one, sorted by name.
    warnings : tuple of str
        What was left out or taken for granted.
    """

    files: tuple[FileScore, ...]
    warnings: tuple[str, ...] = ()

    @property
    def rules(self) -> Rules:
        """What was compared."""
        return self.files[0].score.rules

    @property
    def pooled(self) -> Score:
        """Sum over the recordings."""
        return reduce(add, (file.score for file in self.files))

    def to_dict(self, *, per_file: bool = False) -> dict[str, Any]:
        """Return everything fit for JSON; its layout is in docs/score.md.

        Parameters
        ----------
        per_file : bool
            Add the scores of every recording.
        """
        rules = self.rules
        found: dict[str, Any] = {
            "rules": {
                "labels": list(rules.labels),
                "collars": [float(collar) for collar in rules.collars],
                "cell": float(rules.hop_s),
                "offset_share": float(rules.offset_share),
            },
            "missing": [file.name for file in self.files if file.missing],
            "warnings": list(self.warnings),
            "pooled": self.pooled.to_dict(),
        }
        if per_file:
            found["files"] = [{"name": file.name, **file.score.to_dict()} for file in self.files]
        return found


def score(
    reference: _PathOrTimeline,
    estimate: _PathOrTimeline,
    *,
    labels: Sequence[str] | None = None,
    collars: Sequence[float] = _DEFAULT.collars,
    hop_s: float = _DEFAULT.hop_s,
    offset_share: float = _DEFAULT.offset_share,
    rename: Mapping[str, str] | None = None,
    join: bool = False,
    allow_missing: bool = False,
    reference_format: str | None = None,
    estimate_format: str | None = None,
) -> Report:
    """Score an annotation against a reference, or the files of a folder against those of another.

    Parameters
    ----------
    reference, estimate : path or Timeline
        Two files (one may be ``"-"``, standard input), two folders, or two timelines.  Files of folders
        are paired by their path below the folder, without suffix.
    labels : sequence of str, optional
        Labels to score; by default those of the references, or if they have none those of the estimates,
        or else "speech" and "music".
    collars : sequence of float
        Seconds an event or a boundary may lie off; each is scored for itself.
    hop_s : float
        Length of the cells of the segment scores, seconds.
    offset_share : float
        An event may end off by this share of its length, if that is more than the collar.
    rename : mapping of str to str, optional
        Labels to call otherwise on both sides before anything is compared.
    join : bool
        Join segments of a label that touch, as rows of frame by frame output do.
    allow_missing : bool
        Score a reference without estimate as if nothing had been reported; the report says so.
    reference_format, estimate_format : str, optional
        Formats of the files, keys of `earmark.formats.FORMATS`; by default their suffixes decide.

    Returns
    -------
    Report
        Each recording is compared over its duration: the longer of both files, which is what the file
        states (json, textgrid, elan, jams) or else its last end.

    Raises
    ------
    ConfigError
        If an option is out of range, a file is given against a folder, or no file has any of the labels.
    AnnotationError
        If a file cannot be read, its content is wrong, or an estimate is missing.

    Examples
    --------
    >>> from earmark.timeline import Segment
    >>> truth, guess = (Timeline((Segment(0, end, "speech"),)) for end in (10, 8))
    >>> score(truth, guess).pooled.labels["speech"].segments.recall
    0.8
    """
    rules = Rules(collars=tuple(collars), hop_s=hop_s, offset_share=offset_share)
    if isinstance(reference, Timeline) and isinstance(estimate, Timeline):
        recordings, notes = [Recording(reference.source or "reference", reference, estimate)], []
    elif isinstance(reference, Timeline) or isinstance(estimate, Timeline):
        raise ConfigError("a timeline is scored against a timeline; read the file first (earmark.formats)")
    else:
        pairing = find_pairs(reference, estimate, reference_format, estimate_format)
        notes = check_pairing(pairing, allow_missing)
        recordings = read_recordings(pairing, reference_format, estimate_format)
    notes += [warning for recording in recordings for warning in recording.warnings]
    notes += check_renamed(rename or {}, recordings)
    recordings = [recording.prepared(rename or {}, join) for recording in recordings]
    chosen, unusual = choose_labels(labels, recordings)
    rules = replace(rules, labels=chosen)
    return Report(tuple(_scored(recording, rules) for recording in recordings), (*notes, *unusual))


def _scored(recording: Recording, rules: Rules) -> FileScore:
    missing = recording.estimate is None
    estimate = Timeline() if recording.estimate is None else recording.estimate
    try:
        return FileScore(recording.name, Score.of(recording.reference, estimate, rules), missing)
    except AnnotationError as err:
        raise AnnotationError(f"'{recording.name}': {err}") from err
