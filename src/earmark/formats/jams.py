"""JAMS (JSON annotated music specification): one ``segment_open`` annotation per label.

Times have up to 6 decimals.  The duration, the source, confidences and labels without a segment are
kept; the level of speech over music and warnings are not.

When reading, every annotation whose values are texts counts, whatever its namespace; others, such as
beats or melodies, are left out with a warning, and so are confidences that are not in 0 to 1.

References
----------
Humphrey et al., "JAMS: a JSON annotated music specification for reproducible MIR research", ISMIR 2014.
"""

from __future__ import annotations

import json
from typing import Any

from earmark.formats.base import Format
from earmark.formats.jsonfile import duration_of, member, parse
from earmark.formats.reading import Rows, is_confidence, shown
from earmark.formats.writing import NOT_IN_JSON, by_label, refusal, stem_of, to_units, units_of_duration
from earmark.timeline import Timeline

_PER_SECOND = 1_000_000
_SCHEMA_VERSION = "0.3.4"


def write(timeline: Timeline) -> str:
    """Return a timeline as JAMS.

    Raises
    ------
    AnnotationError
        If a label has no UTF-8 form.
    """
    cells = to_units(timeline, _PER_SECOND)
    duration = units_of_duration(timeline, cells, _PER_SECOND) / _PER_SECOND
    annotations = []
    for label, of_label in by_label(timeline, cells).items():
        if NOT_IN_JSON.search(label):
            raise refusal(label, "jams", "it holds half a character (a lone surrogate)")
        data = [
            {
                "time": start / _PER_SECOND,
                "duration": (end - start) / _PER_SECOND,
                "value": label,
                "confidence": None if segment.confidence is None else round(float(segment.confidence), 6),
            }
            for start, end, segment in of_label
        ]
        annotations.append(
            {
                "annotation_metadata": {
                    "curator": {"name": "", "email": ""},
                    "annotator": {},
                    "version": "",
                    "corpus": "",
                    "annotation_tools": "earmark",
                    "annotation_rules": "",
                    "validation": "",
                    "data_source": "",
                },
                "namespace": "segment_open",
                "data": data,
                "sandbox": {"label": label},
                "time": 0,
                "duration": duration,
            }
        )
    whole = {
        "annotations": annotations,
        "file_metadata": {
            "title": stem_of(timeline.source),
            "artist": "",
            "release": "",
            "duration": duration,
            "identifiers": {},
            "jams_version": _SCHEMA_VERSION,
        },
        "sandbox": {"source": timeline.source},
    }
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read(text: str, origin: str) -> Timeline:
    """Read JAMS.

    Raises
    ------
    AnnotationError
        If the file is no JAMS, or a value in it is wrong.
    """
    rows = Rows(origin)
    whole = parse(rows, text)
    labels: list[str] = []
    for index, annotation in enumerate(member(rows, None, whole, "annotations", list), start=1):
        where = f"annotation {index}"
        if not isinstance(annotation, dict):
            raise rows.error(where, f"{shown(annotation)} is no object; it must hold namespace and data")
        labels += _annotation(rows, where, annotation)
    metadata = member(rows, None, whole, "file_metadata", dict, default={})
    duration = metadata.get("duration")
    source = member(rows, None, whole, "sandbox", dict, default={}).get("source")
    return rows.timeline(
        None if duration is None else duration_of(rows, duration),
        labels,
        source if isinstance(source, str) else metadata.get("title") or None,
    )


def _annotation(rows: Rows, where: str, annotation: dict[str, Any]) -> list[str]:
    """Read an annotation; return its labels, or the one it is empty of."""
    data = annotation.get("data")
    texts = isinstance(data, list) and all(
        isinstance(o, dict) and isinstance(o.get("value"), str) for o in data
    )
    if not isinstance(data, list) or not texts:
        rows.skip(where, f"an annotation of namespace {shown(annotation.get('namespace'))}")
        return []
    for index, observation in enumerate(data, start=1):
        place = f"{where} observation {index}"
        start, duration = (rows.number(place, name, observation.get(name)) for name in ("time", "duration"))
        confidence = observation.get("confidence")
        if confidence is not None:
            usable = isinstance(confidence, int | float) and is_confidence(confidence)
            if not usable:
                rows.skip(place, "a confidence outside 0 to 1")
            confidence = float(confidence) if usable else None
        # The sum is rounded so that segments that touch in the file do so here.
        rows.add(place, start, round(start + duration, 9), observation["value"], confidence)
    named = member(rows, where, annotation, "sandbox", dict, default={}).get("label")
    return [named] if isinstance(named, str) else [o["value"] for o in data]


FORMAT = Format("jams", (".jams",), "JAMS, segment_open annotations", read, write)
