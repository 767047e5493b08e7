"""How right a detector is: made-up programmes with exact labels, and recordings of one class.

Programmes are made one by one and held in memory only while they are scored; all scores are pooled
over programmes.  The parts:

- radio-like programmes, as they are and through codecs (`CONDITIONS`);
- recordings of one class (`PARTS`): is singing taken for speech, alone or over accompaniment; is noise
  taken for speech or music; what of plain talk is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from earmark.bench.programmes import PARTS, SAMPLE_RATE, Part, Studio, plan_part, programme_lengths
from earmark.bench.report import Figure
from earmark.chains import Effect, apply
from earmark.detector import Detector
from earmark.errors import ConfigError
from earmark.metrics import Counts, Rules, Score, label_counts
from earmark.planner import plan
from earmark.sources import Source

Step = Callable[[str], None]

COLLAR_S = 0.5
CONDITIONS: Mapping[str, tuple[Effect, ...]] = {
    "clean": (),
    "MP3 32 kbit/s": (Effect("code", {"codec": "mp3", "kbps": 32}),),
    "Opus 16 kbit/s": (Effect("code", {"codec": "opus", "kbps": 16}),),
    "telephone 8 kHz": (
        Effect("band_limit", {"low_hz": 300.0, "high_hz": 3400.0}),
        Effect("code", {"codec": "mulaw"}),
    ),
}

_LABELS = ("speech", "music")
_RULES = Rules(_LABELS, (COLLAR_S,))
# Each part of one class is this share as long as the programmes.
_PART = 0.25


def score_detector(
    sources: Sequence[Source],
    detector: Detector,
    hours: float,
    seed: int,
    *,
    codecs: bool = True,
    on_step: Step | None = None,
) -> tuple[list[Figure], dict[str, Any]]:
    """Score a detector on all parts.

    Parameters
    ----------
    sources : sequence of Source
        What programmes are made from; a part whose sources are missing has no figures.
    detector : Detector
        What is scored.
    hours : float
        Length of the programmes together; each other part is a quarter as long.
    seed : int
        Of every random choice; the same seed and sources give the same programmes.
    codecs : bool
        Whether the programmes are also heard through codecs, which takes four times as long.
    on_step : callable, optional
        Told what is being done.

    Returns
    -------
    figures : list of Figure
        In the groups of `CONDITIONS`, "singing", "singing, accompanied", "noise" and "plain speech".
    details : dict
        The counts behind them, by part.

    Raises
    ------
    ConfigError
        If `hours` is not positive, or no programme can be made from the sources.
    """
    if not hours > 0:
        raise ConfigError(f"hours {hours}: give a length above 0")
    tell = on_step or (lambda _: None)
    studio = Studio(sources)
    conditions = CONDITIONS if codecs else {"clean": ()}
    scores = _score_programmes(studio, detector, 3600 * hours, seed, conditions, tell)
    figures = [figure for name, score in scores.items() for figure in _figures(name, score)]
    details: dict[str, Any] = {name: _details(score) for name, score in scores.items()}
    for number, (name, part) in enumerate(PARTS.items(), start=1):
        if not part.possible(sources):
            continue
        tables = _score_part(studio, detector, name, 3600 * hours * _PART, [seed, number], tell)
        details[name] = {
            asked: {"cells": counts.n_reference, "reported": counts.tp} for asked, counts in tables.items()
        }
        figures += [_part_figure(name, part, asked, counts) for asked, counts in tables.items()]
    return figures, details


def _score_programmes(
    studio: Studio,
    detector: Detector,
    seconds: float,
    seed: int,
    conditions: Mapping[str, tuple[Effect, ...]],
    tell: Step,
) -> dict[str, Score]:
    """Score the same programmes under every condition."""
    scores: dict[str, Score] = {}
    lengths = programme_lengths(seconds)
    for i, length in enumerate(lengths):
        samples, reference = studio.make(plan(studio.sources, length, np.random.default_rng([seed, 0, i])))
        for name, chain in conditions.items():
            tell(f"programme {i + 1} of {len(lengths)}, {name}")
            estimate = detector.detect(apply(samples, SAMPLE_RATE, chain), SAMPLE_RATE)
            score = Score.of(reference, estimate, _RULES)
            scores[name] = scores[name] + score if name in scores else score
    return scores


def _score_part(
    studio: Studio, detector: Detector, name: str, seconds: float, seed: Sequence[int], tell: Step
) -> dict[str, Counts]:
    """Count, for each label asked of a part, the cells of its own label in which that is reported."""
    part = PARTS[name]
    tables = dict.fromkeys(part.asked, Counts())
    lengths = programme_lengths(seconds)
    programmes = plan_part(studio.sources, part, lengths, np.random.default_rng(seed))
    for i, programme in enumerate(programmes, start=1):
        tell(f"{name}, programme {i} of {len(lengths)}")
        samples, reference = studio.make(programme)
        estimate = detector.detect(samples, SAMPLE_RATE)
        for asked in part.asked:
            names = _LABELS if asked == "either" else (asked,)
            reported = estimate.relabel(dict.fromkeys(names, "reported"))
            tables[asked] += label_counts(reference, reported, part.label, estimate_label="reported")
    return tables


def _part_figure(name: str, part: Part, asked: str, counts: Counts) -> Figure:
    """Return the share of the part's time in which its own label is missed, or another reported."""
    missed = asked == part.label
    share = counts.missed_share if missed else counts.recall
    return Figure(
        name, f"{asked} {'missed' if missed else 'reported'}", share if counts.n_reference else None
    )


def _segments(score: Score) -> dict[str, Counts]:
    """Return the cells of each label, and those with both at once."""
    found = {label: part.segments for label, part in score.labels.items()}
    return found if score.overlap is None else {**found, "both": score.overlap}


def _boundaries(score: Score) -> dict[str, Counts]:
    return {label: part.collars[COLLAR_S].boundaries for label, part in score.labels.items()}


def _figures(group: str, score: Score) -> list[Figure]:
    """Return F of speech, music and overlap, accuracy of the four states, and F of the boundaries."""
    names = {"speech": "speech F", "music": "music F", "both": "overlap F"}
    found = [Figure(group, names[label], _f1(counts)) for label, counts in _segments(score).items()]
    if score.states is not None:
        found.append(Figure(group, "four-state accuracy", score.states.accuracy))
    return found + [
        Figure(group, f"{label} boundary F ({COLLAR_S:g} s)", _f1(counts))
        for label, counts in _boundaries(score).items()
    ]


def _details(score: Score) -> dict[str, Any]:
    """Return the counts, fit for JSON."""
    return {
        "hours": score.seconds / 3600,
        "states": None if score.states is None else score.states.cells.tolist(),
        "segments": {label: _ratios(counts) for label, counts in _segments(score).items()},
        "boundaries": {label: _ratios(counts) for label, counts in _boundaries(score).items()},
    }


def _f1(counts: Counts) -> float | None:
    return None if "f1" in counts.undefined else counts.f1


def _ratios(counts: Counts) -> dict[str, Any]:
    """Return counts and their ratios; None where one has no value."""
    names = ("precision", "recall", "f1")
    return asdict(counts) | {n: None if n in counts.undefined else getattr(counts, n) for n in names}
