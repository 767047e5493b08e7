"""ELAN annotation document (.eaf): one tier per label, times in whole milliseconds.

The duration (as a property of the header, which ELAN keeps), the source (as linked media) and labels
without a segment (as empty tiers) are kept; confidences are not.

When reading, the label of an annotation is its value or, where that is empty, its tier; a tier
without annotations names a label that does not occur.  Annotations that have no times of their own
(on dependent tiers, or between unaligned slots) are left out with a warning.

References
----------
Max Planck Institute for Psycholinguistics, "ELAN Annotation Format", schema version 3.0.
"""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from urllib.parse import quote, unquote

from earmark.formats.base import Format
from earmark.formats.reading import Rows, shown
from earmark.formats.writing import NOT_IN_TEXT, by_label, check_labels, to_units, units_of_duration
from earmark.timeline import Timeline

_PER_SECOND = 1_000
_DURATION = "earmark.duration_ms"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def write(timeline: Timeline) -> str:
    """Return a timeline as an ELAN document.

    Raises
    ------
    AnnotationError
        If a label cannot be written.
    """
    check_labels(timeline.labels, "elan", NOT_IN_TEXT)
    cells = to_units(timeline, _PER_SECOND)
    document = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "earmark",
            # The schema asks for a date; a fixed one, so that equal timelines give equal files.
            "DATE": "1970-01-01T00:00:00+00:00",
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _XSI,
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    header = ET.SubElement(document, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if timeline.source:
        ET.SubElement(header, "MEDIA_DESCRIPTOR", _media(timeline.source))
    duration = ET.SubElement(header, "PROPERTY", {"NAME": _DURATION})
    duration.text = str(units_of_duration(timeline, cells, _PER_SECOND))
    # Slots in order of time; at the same time an end comes before a start, so that tiers stay in order.
    slots = sorted(
        edge for c in cells for edge in ((c.start, 1, c.segment.label), (c.end, 0, c.segment.label))
    )
    slot_of = {edge: f"ts{number}" for number, edge in enumerate(slots, start=1)}
    order = ET.SubElement(document, "TIME_ORDER")
    for edge, slot in slot_of.items():
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(edge[0])})
    annotation_ids = itertools.count(1)
    for label, of_label in by_label(timeline, cells).items():
        tier = ET.SubElement(document, "TIER", {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": label})
        for cell in of_label:
            attributes = {
                "ANNOTATION_ID": f"a{next(annotation_ids)}",
                "TIME_SLOT_REF1": slot_of[cell.start, 1, label],
                "TIME_SLOT_REF2": slot_of[cell.end, 0, label],
            }
            annotation = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", attributes)
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = label
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "default-lt", "TIME_ALIGNABLE": "true"}
    ET.SubElement(document, "LINGUISTIC_TYPE", kind)
    ET.indent(document, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(document, encoding="unicode") + "\n"


def _media(source: str) -> dict[str, str]:
    source = NOT_IN_TEXT.sub("?", source)
    mime = "audio/x-wav" if source.lower().endswith(".wav") else "unknown"
    if "://" in source:
        return {"MEDIA_URL": source, "MIME_TYPE": mime}
    if source.startswith("/"):
        return {"MEDIA_URL": "file://" + quote(source), "MIME_TYPE": mime}
    if re.match(r"[A-Za-z]:[\\/]", source):
        return {"MEDIA_URL": "file:///" + quote(source.replace("\\", "/"), safe="/:"), "MIME_TYPE": mime}
    return {"MEDIA_URL": source, "MIME_TYPE": mime, "RELATIVE_MEDIA_URL": f"./{source}"}


def _source(url: str | None) -> str | None:
    if not url or not url.startswith("file:///"):
        return url or None
    path = unquote(url[len("file://") :])
    return path[1:] if re.match("/[A-Za-z]:", path) else path


def read(text: str, origin: str) -> Timeline:
    """Read an ELAN document.

    Raises
    ------
    AnnotationError
        If the file is no ELAN document, or something in it is wrong.
    """
    rows = Rows(origin)
    try:
        document = ET.fromstring(text)
    except ET.ParseError as err:
        raise rows.error(err.position[0], f"no valid XML ({err}); give an ELAN document") from err
    if document.tag != "ANNOTATION_DOCUMENT":
        raise rows.error(
            None, f"XML element {shown(document.tag)}; an ELAN document is an ANNOTATION_DOCUMENT"
        )
    times: dict[str, float | None] = {}
    for slot in document.iterfind("TIME_ORDER/TIME_SLOT"):
        name, value = slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")
        times[name] = None if value is None else _milliseconds(rows, f"time slot {shown(name)}", value)
    labels: list[str] = []
    for tier in document.iterfind("TIER"):
        labels += _tier(rows, tier, times)
    stated = document.find(f"HEADER/PROPERTY[@NAME='{_DURATION}']")
    media = document.find("HEADER/MEDIA_DESCRIPTOR")
    return rows.timeline(
        None if stated is None else _milliseconds(rows, _DURATION, stated.text or ""),
        labels,
        None if media is None else _source(media.get("MEDIA_URL")),
    )


def _milliseconds(rows: Rows, where: str, value: str) -> float:
    milliseconds = rows.number(where, "time", value, usual="milliseconds, e.g. 12500")
    if milliseconds < 0:
        raise rows.error(where, f"time {value} ms is below 0; times count from the recording's start")
    return milliseconds / _PER_SECOND


def _tier(rows: Rows, tier: ET.Element, times: dict[str, float | None]) -> list[str]:
    """Read a tier; return its labels, or its name if it is empty."""
    name = tier.get("TIER_ID", "").strip()
    labels: list[str] = []
    annotations = tier.findall("ANNOTATION/*")
    for annotation in annotations:
        where = f"annotation {shown(annotation.get('ANNOTATION_ID', ''))} of tier {shown(name)}"
        if annotation.tag != "ALIGNABLE_ANNOTATION":
            rows.skip(where, "an annotation without times")
            continue
        references = [annotation.get(f"TIME_SLOT_REF{n}", "") for n in (1, 2)]
        if unknown := [r for r in references if r not in times]:
            raise rows.error(where, f"time slot {shown(unknown[0])} does not exist; add it to TIME_ORDER")
        start, end = (times[r] for r in references)
        if start is None or end is None:
            rows.skip(where, "an annotation without times")
            continue
        label = rows.label(where, (annotation.findtext("ANNOTATION_VALUE") or "").strip() or name)
        rows.add(where, start, end, label)
        labels.append(label)
    return labels if annotations or not name else [name]


FORMAT = Format("elan", (".eaf",), "ELAN document, a tier per label", read, write)
