"""What is read of the files of a pair, and which labels of theirs are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earmark.errors import AnnotationError, ConfigError
from earmark.evaluation.pairs import STANDARD_INPUT, Pairing, listed
from earmark.formats import FORMATS, loads, read
from earmark.formats.reading import read_standard_input
from earmark.metrics.score import Rules
from earmark.timeline import Timeline


@dataclass(frozen=True)
class Recording:
    """The timelines of one recording.

    Parameters
    ----------
    name : str
        How tables call it.
    reference : Timeline
        The truth.
    estimate : Timeline or None
        What is to be scored; None if it is missing.
    """

    name: str
    reference: Timeline
    estimate: Timeline | None

    @property
    def timelines(self) -> tuple[Timeline, ...]:
        """What is there of both."""
        return (self.reference,) if self.estimate is None else (self.reference, self.estimate)

    @property
    def warnings(self) -> list[str]:
        """Warnings of both."""
        return [warning for timeline in self.timelines for warning in timeline.warnings]

    @property
    def labels(self) -> set[str]:
        """Labels of both."""
        return {label for timeline in self.timelines for label in timeline.labels}

    def prepared(self, rename: Mapping[str, str], join: bool) -> Recording:
        """Return it with labels renamed and, if wanted, touching segments of a label joined."""
        reference = _prepared(self.reference, rename, join)
        estimate = None if self.estimate is None else _prepared(self.estimate, rename, join)
        return Recording(self.name, reference, estimate)


def read_recordings(
    pairing: Pairing, reference_format: str | None, estimate_format: str | None
) -> list[Recording]:
    """Read all pairs, each side in its format, or in that of its suffix.

    Raises
    ------
    AnnotationError
        If a file cannot be read, or its content is wrong; it tells the first, and how many there are.
    ConfigError
        If no format has the name, or standard input comes without one.
    """
    recordings, errors = [], []
    for pair in pairing.pairs:
        try:
            reference = _read(pair.reference, reference_format)
            estimate = None if pair.estimate is None else _read(pair.estimate, estimate_format)
        except AnnotationError as err:
            errors.append(err)
        else:
            recordings.append(Recording(pair.name, reference, estimate))
    if errors:
        more = f" ({len(errors)} of {len(pairing.pairs)} pairs cannot be read)" if len(errors) > 1 else ""
        raise AnnotationError(f"{errors[0]}{more}") from errors[0]
    return recordings


def check_renamed(rename: Mapping[str, str], recordings: Sequence[Recording]) -> list[str]:
    """Return a warning for each label that is to be renamed and occurs nowhere."""
    there = {label for recording in recordings for label in recording.labels}
    return [f"label '{label}' is to be renamed but in no file" for label in rename if label not in there]


def choose_labels(
    wanted: Sequence[str] | None, recordings: Sequence[Recording]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the labels to score, and warnings about others.

    By default they are those of the references, or if these have none those of the estimates, or else
    the usual ones.

    Raises
    ------
    ConfigError
        If none of the wanted ones occurs, but others do.
    """
    referenced = sorted({label for recording in recordings for label in recording.reference.labels})
    there = sorted({label for recording in recordings for label in recording.labels})
    if wanted is None:
        left_out = [label for label in there if referenced and label not in referenced]
        return tuple(referenced or there or Rules().labels), [
            f"label '{label}' is in no reference and not scored{_advice(label, referenced)}"
            for label in left_out
        ]
    absent = [label for label in wanted if label not in there]
    if there and len(absent) == len(wanted) > 0:
        raise ConfigError(f"no file has a label {listed(absent)}; there are {listed(there)}")
    return tuple(wanted), [f"label '{label}' is in no file; its ratios have no value" for label in absent]


def _read(path: str, format: str | None) -> Timeline:
    if path != STANDARD_INPUT:
        return read(path, format)
    if format is None:
        raise ConfigError(
            "standard input has no suffix to tell its format; add --reference-format or --estimate-format "
            f"NAME, one of {', '.join(FORMATS)}"
        )
    return loads(read_standard_input(), format, "standard input")


def _prepared(timeline: Timeline, rename: Mapping[str, str], join: bool) -> Timeline:
    renamed = timeline.relabel(rename) if rename else timeline
    return renamed.support() if join else renamed


def _advice(label: str, referenced: Sequence[str]) -> str:
    alike = [other for other in referenced if other.casefold() == label.casefold()]
    return f"; rename it if it is '{alike[0]}'" if alike else ""
