"""Reports of batches by day, programme and station, from a table or paths, as CSV, Parquet and HTML."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from earmark.batch.items import Item
from earmark.batch.ledger import Ledger
from earmark.batch.page import make_page
from earmark.batch.report import make_report, pattern_of
from earmark.batch.task import Outcome
from earmark.batch.tasks import Tasks
from earmark.cli.app import run
from earmark.errors import ConfigError

HOUR = 3600.0
PLAN = {"name": "tiny", "version": "1", "results": "json"}


def write_ledger(folder: Path, *rows: tuple[str, dict[str, str], Outcome | None]) -> Path:
    with Ledger.create(folder, {"plan": PLAN}) as ledger:
        ledger.add(Item(name, f"/{name}", facts) for name, facts, _ in rows)
        tasks = Tasks(ledger)
        for _, _, outcome in rows:
            if outcome is not None:
                ledger.settle(next(tasks), outcome)
    return folder


def heard(speech: float, music: float, both: float, hours: float = 1.0) -> Outcome:
    """Return an outcome; all in hours."""
    shares = {"speech": speech, "music": music, "both": both, "neither": hours - speech - music + both}
    return Outcome(duration=hours * HOUR, shares={name: value * HOUR for name, value in shares.items()})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_ledger(
        tmp_path / "batch",
        ("a", {"date": "20240501", "station": "One"}, heard(0.5, 0.25, 0.125)),
        ("b", {"date": "2024-05-01 20:15", "station": "Two"}, heard(1, 0, 0, 2.0)),
        ("c", {"date": "2024-05-02", "station": "One"}, Outcome("damaged")),
        ("d", {"date": "", "station": "<b>"}, heard(0, 1, 0)),
        ("e", {"date": "2024-05-03", "station": "One"}, None),
    )


def test_hours_are_summed_by_what_a_table_tells(archive: Path) -> None:
    report = make_report(archive)
    assert (report.total.done, report.total.failed, report.total.open) == (3, 1, 1)
    assert report.total.duration == 4 * HOUR
    assert list(report.groups) == ["day", "station"]  # nothing tells the programme
    assert list(report.groups["day"]) == ["2024-05-01", "2024-05-02", "2024-05-03", "unknown"]
    first = report.groups["day"]["2024-05-01"]
    assert (first.done, first.duration, first.seconds["speech"]) == (2, 3 * HOUR, 1.5 * HOUR)
    one = report.groups["station"]["One"]
    assert (one.done, one.failed, one.open, one.seconds["both"]) == (1, 1, 1, 0.125 * HOUR)


def test_paths_tell_by_a_pattern(tmp_path: Path) -> None:
    folder = write_ledger(
        tmp_path,
        ("One/2024-05-01/news-0800.mp3", {}, heard(1, 0, 0)),
        ("One/2024-05-01/songs-0900.mp3", {}, heard(0, 1, 0)),
        ("Two/2024-05-02/news-0800.mp3", {}, heard(1, 1, 1)),
        ("elsewhere.mp3", {}, heard(0, 0, 0)),
    )
    report = make_report(folder, pattern="{station}/{day}/{programme}-*.mp3")
    assert {
        key: {value: sums.done for value, sums in part.items()} for key, part in report.groups.items()
    } == {
        "day": {"2024-05-01": 2, "2024-05-02": 1, "unknown": 1},
        "programme": {"news": 2, "songs": 1, "unknown": 1},
        "station": {"One": 2, "Two": 1, "unknown": 1},
    }
    assert list(make_report(folder).groups) == ["day"]  # dates are found without one


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("{a}.wav", "x.wav", {"a": "x"}),
        ("**/{a}.wav", "p/q/x.wav", {"a": "x"}),
        ("**/{a}.wav", "x.wav", {"a": "x"}),
        ("{a}/*_{b}.wav", "p/1_x.wav", {"a": "p", "b": "x"}),
        ("{a}.wav", "p/x.wav", None),
        ("{a}+(1).wav", "x+(1).wav", {"a": "x"}),
    ],
)
def test_patterns_mean_what_they_say(pattern: str, path: str, found: dict[str, str] | None) -> None:
    match = pattern_of(pattern).fullmatch(path)
    assert (match.groupdict() if match else None) == found


@pytest.mark.parametrize("pattern", ["*.wav", "{a}/{a}.wav"])
def test_patterns_that_mean_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"names nothing|give each name once"):
        pattern_of(pattern)


class _Page(HTMLParser):
    """Counts the parts of a page, and refuses what would have to be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "b")
        assert not {name for name, _ in attrs} & {"src", "href", "onload"}
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_command_writes_a_table_and_a_page(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["batch", "report", str(archive)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"wrote {archive / name}" for name in ("report.csv", "report.html")
    ]
    with (archive / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["by"], row["value"]): row for row in csv.DictReader(file)}
    assert rows["all", ""]["hours"] == "4.0"
    assert rows["day", "2024-05-01"]["speech_hours"] == "1.5"
    assert rows["station", "One"]["failed"] == "1"
    text = (archive / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.counts["svg"] == 2
    assert page.counts["h2"] == 2
    assert "2024-05-01: speech only 1.38 h" in text
    assert "http" not in re.sub(r"&\w+;", "", text)
    assert "&lt;b&gt;" in text


def test_parquet_holds_what_csv_holds(archive: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "new"
    assert run(["batch", "report", str(archive), "-f", "parquet", "--by", "station", "--out", str(out)]) == 0
    rows = pq.read_table(out / "report.parquet").to_pylist()
    assert [(row["by"], row["value"], row["hours"]) for row in rows] == [
        ("all", "", 4.0),
        ("station", "<b>", 1.0),
        ("station", "One", 1.0),
        ("station", "Two", 2.0),
    ]


def test_what_nothing_tells_is_refused(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["batch", "report", str(archive), "--by", "language"]) == 2
    assert (
        "--by language: no column of the batch and nothing in a pattern is called that; there are date"
        in (capsys.readouterr().err)
    )
    assert run(["batch", "report", str(archive), "-f", "xls"]) == 2


def test_minutes_of_sound_are_not_told_as_no_hours(tmp_path: Path) -> None:
    short = heard(0.005, 0, 0, 0.01)
    folder = write_ledger(tmp_path, ("2024-05-01.wav", {}, short), ("2024-05-02.wav", {}, short))
    report = make_report(folder)
    assert next(report.lines())["hours"] == 0.02
    page = make_page(report, "x")
    assert "2 recordings, 1.2 minutes" in page
    assert "2024-05-01: speech only 0.30 min" in page
    assert "<th class=n>speech, min</th>" in page
    empty = make_page(make_report(write_ledger(tmp_path / "e", ("a", {}, None))), "x")
    assert "0 recordings, 0.0 hours; 1 are not done yet" in empty
