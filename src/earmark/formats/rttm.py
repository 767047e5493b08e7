"""RTTM, NIST's rich transcription.

A line is ``SPEAKER <recording> 1 <start> <duration> <NA> <NA> <label> <confidence> <NA>``; times have 3
decimals.  The name of the recording is the source's file name without suffix and with ``_`` for white
space.  The file does not hold the recording's duration, nor labels without a segment.

Read are ``SPEAKER`` lines (a speaker that is not named counts as ``speech``) and ``NON-SPEECH`` lines,
whose subtype is ``music``, ``noise`` or another; other types are left out with a warning, ``;;`` begins
a comment.  Confidences outside 0 to 1, such as log likelihoods, are left out with a warning.

References
----------
NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", appendix A.
"""

from __future__ import annotations

import re

from earmark.formats.base import Format
from earmark.formats.reading import Rows, is_confidence, split_lines
from earmark.formats.writing import NOT_IN_LINES, check_labels, decimal, refusal, stem_of, to_units
from earmark.timeline import Timeline

_PER_SECOND = 1_000
_UNKNOWN = "<NA>"
_OTHER_TYPES = (
    "SEGMENT",
    "NOSCORE",
    "NO_RT_METADATA",
    "LEXEME",
    "NON-LEX",
    "FILLER",
    "EDIT",
    "SU",
    "IP",
    "CB",
    "A/P",
    "SPKR-INFO",
)


def write(timeline: Timeline) -> str:
    """Return a timeline as RTTM.

    Raises
    ------
    AnnotationError
        If a label holds white space.
    """
    labels = {s.label for s in timeline}
    check_labels(labels, "rttm", NOT_IN_LINES)
    for label in labels:
        if " " in label or label == _UNKNOWN:
            raise refusal(label, "rttm", "a field may neither hold blanks nor be <NA>")
    recording = re.sub(r"\s+", "_", stem_of(timeline.source)) or "recording"
    lines = []
    for start, end, segment in to_units(timeline, _PER_SECOND):
        confidence = _UNKNOWN if segment.confidence is None else f"{segment.confidence:.3f}"
        times = f"{decimal(start, _PER_SECOND)} {decimal(end - start, _PER_SECOND)}"
        lines.append(
            f"SPEAKER {recording} 1 {times} {_UNKNOWN} {_UNKNOWN} {segment.label} {confidence} {_UNKNOWN}\n"
        )
    return "".join(lines)


def read(text: str, origin: str) -> Timeline:
    """Read the RTTM of one recording.

    Raises
    ------
    AnnotationError
        If a line is wrong, or a second recording begins.
    """
    rows = Rows(origin)
    recording: str | None = None
    for line, content in enumerate(split_lines(text), start=1):
        fields = re.split("[ \t]+", content.strip(" \t"))
        if not fields[0] or fields[0].startswith(";;"):
            continue
        kind = fields[0].upper()
        if kind not in ("SPEAKER", "NON-SPEECH"):
            if kind not in _OTHER_TYPES:
                raise rows.error(line, f"'{fields[0][:40]}' is no RTTM type; lines begin with SPEAKER")
            rows.skip(line, f"a line of type {kind}")
            continue
        if len(fields) < 8:
            raise rows.error(
                line, f"{len(fields)} fields; an RTTM line has 10 (type, recording, channel, start, ...)"
            )
        if recording is None:
            recording = fields[1]
        elif fields[1] != recording:
            raise rows.error(
                line, f"a second recording, '{fields[1]}', after '{recording}'; give one file per recording"
            )
        _segment(rows, line, kind, fields)
    return rows.timeline(source=recording)


def _segment(rows: Rows, line: int, kind: str, fields: list[str]) -> None:
    start, duration = rows.number(line, "start", fields[3]), rows.number(line, "duration", fields[4])
    label = fields[7] if kind == "SPEAKER" else fields[6]
    if label == _UNKNOWN:
        label = "speech" if kind == "SPEAKER" else "other"
    confidence = None
    if len(fields) > 8 and fields[8] != _UNKNOWN:
        confidence = rows.number(line, "confidence", fields[8], usual=f"0 to 1, or {_UNKNOWN}")
        if not is_confidence(confidence):
            rows.skip(line, "a confidence outside 0 to 1")
            confidence = None
    # The sum is rounded so that segments that touch in the file do so here.
    rows.add(line, start, round(start + duration, 9), label, confidence)


FORMAT = Format("rttm", (".rttm",), "NIST rich transcription, SPEAKER lines", read, write)
