"""What listening writes down: rows with the time of day, as CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

from earmark.errors import ConfigError

COLUMNS = (
    "time",
    "event",
    "label",
    "start",
    "end",
    "seconds",
    "confidence",
    "speech_to_music_db",
    "note",
)
# How often a new file begins, and what of the time its name holds.
ROTATIONS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "never": ""}


@dataclass(frozen=True)
class Row:
    """One row; times are seconds since 1970, UTC.

    Parameters
    ----------
    event : str
        ``"listening"`` begins and ``"stopped"`` ends; ``"start"``, ``"end"``, ``"withdrawn"`` and
        ``"segment"`` are those of `earmark.live.hearing.Told`; the source is ``"lost"``; ``"gap"``:
        nothing was heard from start to end.
    time : float
        The moment it tells of.
    label : str or None
    start, end : float or None
    confidence, speech_to_music_db : float or None
        As of a `Segment`.
    note : str or None
        In words, e.g. why the source was lost.
    heard : float
        The moment in seconds of sound heard; it is not written.
    """

    event: str
    time: float
    label: str | None = None
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    speech_to_music_db: float | None = None
    note: str | None = None
    heard: float = 0.0

    def fields(self, zone: Zone) -> dict[str, str | float]:
        """Return what is written, by column; what is not known is left out."""
        seconds = None if self.start is None or self.end is None else self.end - self.start
        values = (
            zone.iso(self.time),
            self.event,
            self.label,
            None if self.start is None else zone.iso(self.start),
            None if self.end is None else zone.iso(self.end),
            None if seconds is None else round(seconds, 3),
            None if self.confidence is None else round(self.confidence, 3),
            None if self.speech_to_music_db is None else round(self.speech_to_music_db, 2),
            self.note,
        )
        return {name: value for name, value in zip(COLUMNS, values, strict=True) if value is not None}


class Zone:
    """How times of day are written.

    Parameters
    ----------
    text : str
        ``"local"``, or hours and minutes ahead of UTC, e.g. ``"+02:00"``.

    Raises
    ------
    ConfigError
        If it is something else.
    """

    def __init__(self, text: str = "+00:00") -> None:
        self._zone: tzinfo | None = None  # the system's, as it is at each time
        if text == "local":
            return
        parts = re.fullmatch(r"([+-])(\d\d):?(\d\d)", text)
        minutes = 60 * int(parts[2]) + int(parts[3]) if parts else 0
        if parts is None or int(parts[3]) > 59 or minutes > 14 * 60:
            raise ConfigError(f"--utc-offset {text}: give hours and minutes, e.g. +02:00, or local")
        self._zone = timezone(timedelta(minutes=-minutes if parts[1] == "-" else minutes))

    def at(self, time: float) -> datetime:
        """Return a time, seconds since 1970, rounded to milliseconds."""
        return datetime.fromtimestamp(round(time, 3), timezone.utc).astimezone(self._zone)

    def iso(self, time: float) -> str:
        """Write a time by ISO 8601, with milliseconds and the offset."""
        return self.at(time).isoformat(timespec="milliseconds")


def parse_time(text: str) -> float:
    """Read a time by ISO 8601; one without an offset is UTC.  Raises `ConfigError` if it is none."""
    try:
        time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip()))
    except ValueError as err:
        raise ConfigError(
            f"'{text}' is no time; write it as 2026-11-22T14:00:00 (UTC), or with an offset: "
            "2026-11-22T14:00:00+02:00"
        ) from err
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


def csv_header() -> str:
    """Return the first line of a CSV file."""
    return ",".join(COLUMNS) + "\n"


def csv_line(row: Row, zone: Zone) -> str:
    """Write a row as a line of CSV."""
    text, fields = io.StringIO(), row.fields(zone)
    csv.writer(text, lineterminator="\n").writerow([fields.get(name, "") for name in COLUMNS])
    return text.getvalue()


def json_line(row: Row, zone: Zone) -> str:
    """Write a row as a line of JSON."""
    return json.dumps(row.fields(zone), ensure_ascii=False) + "\n"


# By name, which is the files' suffix too: how a row is written, and what a file begins with.
FORMATS: dict[str, tuple[Callable[[Row, Zone], str], str]] = {
    "csv": (csv_line, csv_header()),
    "jsonl": (json_line, ""),
}
