"""Segments as JSON holds them, and what may be a label."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from earmark.errors import AnnotationError
from earmark.server.problems import Refusal
from earmark.timeline import Segment

_MOST_LABEL = 64


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
    if not (0 < len(label) <= _MOST_LABEL and label.isprintable() and label == label.strip()):
        raise Refusal(422, f"label {label[:80]!r}: give 1 to {_MOST_LABEL} printable characters")
