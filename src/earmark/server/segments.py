"""Segments as JSON holds them, and what may be a label."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from earmark.errors import AnnotationError
from earmark.server.problems import Refusal
from earmark.timeline import Segment, Timeline

MOST_SEGMENTS, MOST_LABELS = 100_000, 1000
_LABEL_LENGTH = 64
# What reaches further beyond the recording is no rounding, seconds.
_OVERHANG_S = 1.0


def fields_of(segment: Segment) -> dict[str, Any]:
    """Return a segment as JSON writes it."""
    return {
        "start": segment.start,
        "end": segment.end,
        "label": segment.label,
        "confidence": segment.confidence,
        "speech_to_music_db": segment.speech_to_music_db,
    }


def segment_of(fields: Mapping[str, Any]) -> Segment:
    """Return a segment of what JSON says; raises `Refusal` if it is none."""
    try:
        confidence, ratio = (
            None if fields.get(name) is None else float(fields[name])
            for name in ("confidence", "speech_to_music_db")
        )
        if (confidence is not None and not 0 <= confidence <= 1) or (
            ratio is not None and not math.isfinite(ratio)
        ):
            raise AnnotationError("confidence must be 0 to 1, and speech_to_music_db finite")
        return Segment(float(fields["start"]), float(fields["end"]), fields["label"], confidence, ratio)
    except AnnotationError as err:
        raise Refusal(422, str(err)) from err


def to_json(segments: Iterable[Segment]) -> str:
    """Return segments as JSON."""
    return json.dumps([fields_of(segment) for segment in segments], ensure_ascii=False)


def check_label(label: str) -> None:
    """Raise `Refusal` if a label cannot be shown, or is too long."""
    if (why := _fault_of(label)) is not None:
        raise Refusal(422, why)


def fitted(timeline: Timeline, seconds: float) -> Timeline:
    """Return a timeline that somebody sent as one of a recording of so many seconds.

    Raises
    ------
    AnnotationError
        If it reaches beyond, has too many segments or labels, or a label that cannot be shown.
    """
    for what, n, most in (
        ("segments", len(timeline), MOST_SEGMENTS),
        ("labels", len(timeline.labels), MOST_LABELS),
    ):
        if n > most:
            raise AnnotationError(f"{n} {what}; a timeline holds up to {most}")
    for label in timeline.labels:
        if (why := _fault_of(label)) is not None:
            raise AnnotationError(why)
    last = max((segment.end for segment in timeline), default=0.0)
    if last > seconds + _OVERHANG_S:
        raise AnnotationError(f"a segment ends at {last:g} s, after the recording's {seconds:g} s")
    return replace(timeline.crop(0, seconds), duration=seconds)


def _fault_of(label: str) -> str | None:
    if 0 < len(label) <= _LABEL_LENGTH and label.isprintable() and label == label.strip():
        return None
    return f"label {label[:80]!r}: give 1 to {_LABEL_LENGTH} printable characters"
