"""JSON: everything a timeline holds, and what follows from it.

``source``, ``duration``, ``labels``, ``segments`` and ``warnings`` are the timeline itself, exact to
the last digit.  ``overlaps`` (where speech and music sound at once, with the level of the speech over
the music in dB) and ``shares`` (of the duration, 0 to 1) are there for readers of the file; so is
``model``, if given.  Unknown keys are ignored.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any

from earmark.formats.base import Format
from earmark.formats.reading import Rows, shown
from earmark.formats.writing import NOT_IN_JSON, refusal
from earmark.timeline import Segment, Timeline


def write(timeline: Timeline, model: tuple[str, str] | None = None) -> str:
    """Return a timeline as JSON, a line per segment.

    Parameters
    ----------
    timeline : Timeline
        What to write.
    model : (str, str) or None
        Name and version of the model that made it.

    Raises
    ------
    AnnotationError
        If a label has no UTF-8 form.
    """
    for label in timeline.labels:
        if NOT_IN_JSON.search(label):
            raise refusal(label, "json", "it holds half a character (a lone surrogate)")
    parts: dict[str, str] = {"source": dump(timeline.source)}
    if model is not None:
        parts["model"] = dump({"name": model[0], "version": model[1]})
    parts["duration"] = dump(float(timeline.duration))
    parts["labels"] = dump(timeline.labels)
    parts["shares"] = dump({name: round(float(share), 4) for name, share in timeline.shares().items()})
    parts["warnings"] = dump(timeline.warnings)
    parts["segments"] = _lines([_fields(s) for s in timeline])
    parts["overlaps"] = _lines(_overlaps(timeline))
    return "{\n" + ",\n".join(f" {dump(key)}: {value}" for key, value in parts.items()) + "\n}\n"


def dump(value: object) -> str:
    """Return JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _lines(items: Sequence[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(f"  {dump(item)}" for item in items) + "\n ]" if items else "[]"


def _fields(s: Segment) -> dict[str, Any]:
    return {
        "start": float(s.start),
        "end": float(s.end),
        "label": s.label,
        "confidence": _float(s.confidence),
        "speech_to_music_db": _float(s.speech_to_music_db),
    }


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _overlaps(timeline: Timeline) -> list[dict[str, Any]]:
    """Return where both sound, with the level that a segment tells which sounds together only there.

    Where both segments overlap several others, it is the mean over the speech.
    """
    spans = timeline.overlap("speech", "music")
    tracks = [timeline[label].segments for label in ("speech", "music")]
    starts = [[segment.start for segment in track] for track in tracks]
    places = [[bisect_right(times, start) - 1 for start, _ in spans] for times in starts]
    of_speech, of_music = (Counter(place) for place in places)
    found = []
    for (start, end), s, m in zip(spans, *places, strict=True):
        told_by = tracks[1][m] if of_music[m] == 1 < of_speech[s] else tracks[0][s]
        ratio = _float(told_by.speech_to_music_db)
        found.append({"start": float(start), "end": float(end), "speech_to_music_db": ratio})
    return found


def parse(rows: Rows, text: str) -> dict[str, Any]:
    """Return the object that JSON text holds.

    Raises
    ------
    AnnotationError
        If the text is no JSON, or no object.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as err:
        raise rows.error(err.lineno, f"no valid JSON ({err.msg}, column {err.colno}); correct it") from err
    except (ValueError, RecursionError) as err:
        raise rows.error(None, f"no usable JSON ({err}); correct it") from err
    if not isinstance(found, dict):
        raise rows.error(None, "the file holds no JSON object; it must begin with {")
    return found


def member(
    rows: Rows, where: str | None, parent: dict[str, Any], key: str, kind: type, default: Any = None
) -> Any:
    """Return a member of an object after checking its type; without a default it must be there."""
    value = parent.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind):
        names: dict[type, str] = {list: "a list", str: "a text", dict: "an object"}
        state = f"is {shown(value)}" if key in parent else "is missing"
        raise rows.error(where, f"'{key}' {state}; it must be {names[kind]}")
    return value


def read(text: str, origin: str) -> Timeline:
    """Read a timeline; only ``segments`` must be there.

    Raises
    ------
    AnnotationError
        If the file is no JSON, or a value in it is wrong.
    """
    rows = Rows(origin)
    whole = parse(rows, text)
    for index, fields in enumerate(member(rows, None, whole, "segments", list), start=1):
        where = f"segment {index}"
        if not isinstance(fields, dict):
            raise rows.error(where, f"{shown(fields)} is no object; it must hold start, end and label")
        start, end = (rows.number(where, name, fields.get(name)) for name in ("start", "end"))
        confidence, ratio = fields.get("confidence"), fields.get("speech_to_music_db")
        rows.add(
            where,
            start,
            end,
            member(rows, where, fields, "label", str),
            None if confidence is None else rows.confidence(where, confidence),
            None if ratio is None else rows.number(where, "speech_to_music_db", ratio, usual="dB, e.g. 6.5"),
        )
    duration = whole.get("duration")
    return rows.timeline(
        None if duration is None else duration_of(rows, duration),
        _texts(rows, whole, "labels"),
        whole["source"] if isinstance(whole.get("source"), str) else None,
        _texts(rows, whole, "warnings"),
    )


def duration_of(rows: Rows, value: object) -> float:
    """Return a duration in seconds from a JSON value."""
    duration = rows.number(None, "duration", value)
    if duration < 0:
        raise rows.error(None, f"duration {duration:g} s is below 0; give seconds, e.g. 12.5")
    return duration


def _texts(rows: Rows, whole: dict[str, Any], key: str) -> list[str]:
    values: list[str] = member(rows, None, whole, key, list, default=[])
    if not all(isinstance(value, str) for value in values):
        raise rows.error(None, f"'{key}' is {shown(values)}; it must be a list of texts")
    return values


FORMAT = Format("json", (".json",), "everything, with shares and overlaps", read, write, ("model",))
