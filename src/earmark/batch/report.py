"""What an archive holds: hours of speech, music and both, by day, programme, station or any other column.

The values to group by come from the columns of the table the batch was made from, or from a pattern over the
ids (for a folder: the paths below it), as ``{station}/{day}/{programme}-*.mp3``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earmark.batch.reader import LedgerReader
from earmark.errors import ConfigError
from earmark.files import atomic_write

KEYS = ("day", "programme", "station")
UNKNOWN = "unknown"
_OTHER_NAMES = {
    "day": ("date", "datetime", "start", "broadcast"),
    "programme": ("program", "show", "title"),
    "station": ("channel", "source_station", "broadcaster"),
}
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d\d)")
_FIELD = re.compile(r"\{(\w+)\}|\*\*/|\*|\?")


@dataclass
class Sums:
    """Sums over recordings.

    Parameters
    ----------
    done, failed, open : int
        Recordings that are done, that failed, and that are not done yet.
    duration : float
        Seconds of those that are done.
    seconds : dict of str to float
        By label, and of ``both`` and ``neither``.
    """

    done: int = 0
    failed: int = 0
    open: int = 0
    duration: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one more recording, as a ledger has it."""
        if row["state"] == "failed":
            self.failed += 1
        elif row["state"] != "done":
            self.open += 1
        else:
            self.done += 1
            self.duration += row["duration"]
            for name, seconds in row["shares"].items():
                self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@dataclass(frozen=True)
class Report:
    """Sums of a batch, in all and by each value of some keys.

    Parameters
    ----------
    total : Sums
    groups : mapping of str to mapping of str to Sums
        By key and value; values sorted.
    labels : tuple of str
        What was looked for, ``both`` and ``neither`` included.
    """

    total: Sums
    groups: Mapping[str, Mapping[str, Sums]]
    labels: tuple[str, ...]

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield a line for the whole and for each group, hours to a hundredth of a second."""
        yield self._line("all", "", self.total)
        for key, sums in self.groups.items():
            for value, part in sums.items():
                yield self._line(key, value, part)

    def _line(self, key: str, value: str, sums: Sums) -> dict[str, Any]:
        return {
            "by": key,
            "value": value,
            "recordings": sums.done,
            "failed": sums.failed,
            "not_done": sums.open,
            "hours": round(sums.duration / 3600, 6),
            **{f"{label}_hours": round(sums.seconds.get(label, 0.0) / 3600, 6) for label in self.labels},
        }


def make_report(folder: Path, by: Sequence[str] = (), pattern: str | None = None) -> Report:
    """Sum up a batch, in memory that grows with the groups only.

    Parameters
    ----------
    folder : Path
        Of the batch.
    by : sequence of str
        Columns, or names in the pattern; by default `KEYS`, those of them that are known.
    pattern : str, optional
        ``{name}`` is what stands there up to the next ``/``, ``*`` anything up to it, ``**/`` any folders.

    Raises
    ------
    ConfigError
        If the folder holds no batch, or nothing tells the values of a key that was asked for.
    """
    matcher = pattern_of(pattern) if pattern is not None else None
    with LedgerReader.open(folder) as ledger:
        known = {*ledger.names("facts"), *(matcher.groupindex if matcher else ())}
        groups: dict[str, dict[str, Sums]] = {key: {} for key in by or KEYS}
        for key in by:
            if key not in KEYS and key not in known:
                raise ConfigError(
                    f"--by {key}: no column of the batch and nothing in a pattern is called that; there are "
                    f"{', '.join(sorted(known | set(KEYS)))}"
                )
        total = Sums()
        for row in ledger.rows():
            total.add(row)
            values = dict(row["facts"])
            if matcher is not None and (found := matcher.fullmatch(row["id"])):
                values |= found.groupdict()
            for key, sums in groups.items():
                sums.setdefault(_value_of(key, values, row["id"]), Sums()).add(row)
    kept = {key: dict(sorted(sums.items())) for key, sums in groups.items() if by or set(sums) - {UNKNOWN}}
    return Report(total, kept, tuple(total.seconds))


def pattern_of(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression.

    Raises
    ------
    ConfigError
        If it names nothing, or a name twice.
    """
    text, at = "", 0
    for found in _FIELD.finditer(pattern):
        text += re.escape(pattern[at : found.start()])
        wild = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
        text += wild.get(found.group(), "") or f"(?P<{found.group(1)}>[^/]+?)"
        at = found.end()
    try:
        compiled = re.compile(text + re.escape(pattern[at:]), re.DOTALL)
    except re.error as err:
        raise ConfigError(f"--pattern {pattern}: {err.msg}; give each name once") from err
    if not compiled.groupindex:
        raise ConfigError(
            f"--pattern {pattern}: it names nothing; write e.g. '{{station}}/{{day}}/{{programme}}.mp3'"
        )
    return compiled


def write_csv(report: Report, path: Path) -> None:
    """Write a report as CSV.

    Raises
    ------
    EarmarkError
        If it cannot be written.
    """
    rows = list(report.lines())
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(report: Report, path: Path) -> None:
    """Write a report as a Parquet table; needs the package pyarrow, the extra ``batch``.

    Raises
    ------
    EarmarkError
        If it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic_write(path, binary=True) as file:
        pq.write_table(pa.Table.from_pylist(list(report.lines())), file)


def _value_of(key: str, values: Mapping[str, str], item_id: str) -> str:
    named = (values.get(name) for name in (key, *_OTHER_NAMES.get(key, ())))
    value = next((text for text in named if text), None)
    if key != "day":
        return value or UNKNOWN
    found = _DAY.search(item_id if value is None else value)
    if found is None:
        return value or UNKNOWN
    return f"{found[1]}-{found[3]}-{found[4]}"
