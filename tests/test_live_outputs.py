"""What listening leaves: rows, files that survive kills and full disks, webhooks, clips, the view."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from earmark.audio import read_audio
from earmark.errors import ConfigError, EarmarkError
from earmark.live.clips import Clips
from earmark.live.rowfiles import RowFiles
from earmark.live.rows import COLUMNS, FORMATS, Row, Zone, parse_time
from earmark.live.view import View
from earmark.live.watermark import Mark, Watermark
from earmark.live.webhook import Webhook
from earmark.terminal import make_console

NOON = parse_time("2026-11-22T12:00:00")
UTC = Zone()
SEGMENT = Row("segment", NOON + 2.5, "music", NOON, NOON + 2.5, 0.98765, 3.14159, heard=2.5)


def no_warning(message: str) -> None:
    raise AssertionError(message)


# -- rows and times ------------------------------------------------------------------------------------


def test_a_row_as_csv_and_json() -> None:
    line = FORMATS["csv"][0](SEGMENT, UTC)
    assert line == (
        "2026-11-22T12:00:02.500+00:00,segment,music,2026-11-22T12:00:00.000+00:00,"
        "2026-11-22T12:00:02.500+00:00,2.5,0.988,3.14,\n"
    )
    assert json.loads(FORMATS["jsonl"][0](Row("lost", NOON, note='the "server" is gone'), UTC)) == {
        "time": "2026-11-22T12:00:00.000+00:00",
        "event": "lost",
        "note": 'the "server" is gone',
    }


def test_times_have_the_offset_asked_for() -> None:
    assert Zone("+02:00").iso(NOON) == "2026-11-22T14:00:00.000+02:00"
    assert Zone("-03:30").iso(NOON) == "2026-11-22T08:30:00.000-03:30"
    assert parse_time(Zone("local").iso(NOON)) == NOON
    assert parse_time("2026-11-22T14:00:00+02:00") == parse_time("2026-11-22T12:00:00Z") == NOON
    for wrong in ("2", "+25:00", "+01:75", "Vienna"):
        with pytest.raises(ConfigError, match="give hours and minutes"):
            Zone(wrong)
    with pytest.raises(ConfigError, match="is no time"):
        parse_time("noon")


# -- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rotate", "names"),
    [
        ("hour", ["marks-2026-11-22T12.csv", "marks-2026-11-22T13.csv", "marks-2026-11-23T00.csv"]),
        ("day", ["marks-2026-11-22.csv", "marks-2026-11-23.csv"]),
        ("never", ["marks.csv"]),
    ],
)
def test_files_by_hour_and_day(tmp_path: Path, rotate: str, names: list[str]) -> None:
    files = RowFiles(tmp_path, ["csv"], rotate, UTC, no_warning)
    for hours in (0, 0.5, 1, 12):
        files.write(Row("start", NOON + 3600 * hours, "music"))
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    rows = [row for name in names for row in csv.DictReader((tmp_path / name).open())]
    assert [row["time"][11:16] for row in rows] == ["12:00", "12:30", "13:00", "00:00"]
    assert tuple(rows[0]) == COLUMNS


def test_hours_begin_where_the_offset_says(tmp_path: Path) -> None:
    RowFiles(tmp_path, ["jsonl"], "day", Zone("+14:00"), no_warning).write(SEGMENT)
    assert [p.name for p in tmp_path.iterdir()] == ["marks-2026-11-23.jsonl"]


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_what_a_kill_left_of_a_row_is_cut_off_and_nothing_else(tmp_path: Path, cut: int) -> None:
    for _ in range(2):
        RowFiles(tmp_path, ["csv"], "never", UTC, no_warning).write(SEGMENT)
    path = tmp_path / "marks.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    RowFiles(tmp_path, ["csv"], "never", UTC, no_warning).write(SEGMENT)
    assert path.read_bytes() == whole


def test_a_header_that_was_cut_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text("time,eve")
    RowFiles(tmp_path, ["csv"], "never", UTC, no_warning).write(SEGMENT)
    assert (tmp_path / "marks.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


def test_a_full_disk_makes_rows_wait_and_none_is_half_or_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    files = RowFiles(tmp_path, ["csv", "jsonl"], "never", UTC, warnings.append)
    files.write(SEGMENT)
    before = (tmp_path / "marks.csv").read_bytes()
    monkeypatch.setattr("earmark.live.rowfiles._RETRY_S", 0.0)
    write, full = os.write, True

    def short(file: int, data: bytes) -> int:
        return write(file, data[:7]) if full else write(file, data)

    monkeypatch.setattr(os, "write", short)
    for _ in range(3):
        files.write(SEGMENT)
    assert (tmp_path / "marks.csv").read_bytes() == before
    assert len(warnings) == 1
    assert "cannot be written: no space left" in warnings[0].lower()
    full = False
    files.flush()
    assert len((tmp_path / "marks.csv").read_text().splitlines()) == 5
    assert len((tmp_path / "marks.jsonl").read_text().splitlines()) == 4
    assert warnings[1].endswith("can be written again")


def test_rows_that_wait_are_bounded_and_what_is_dropped_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.live.rowfiles._MOST_WAITING", 10)
    monkeypatch.setattr("earmark.live.rowfiles._RETRY_S", 0.0)
    warnings: list[str] = []
    files = RowFiles(tmp_path, ["jsonl"], "never", UTC, warnings.append)

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        for i in range(15):
            files.write(Row("start", NOON + i, "music"))
    files.flush()
    lines = (tmp_path / "marks.jsonl").read_text().splitlines()
    assert [json.loads(line)["time"][17:19] for line in lines] == [f"{i:02d}" for i in range(5, 15)]
    assert "5 rows were too many to wait" in warnings[1]


def test_folders_and_names_that_do_not_do_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EarmarkError, match=r"cannot be written: .*choose another folder"):
        RowFiles(tmp_path / "file", ["csv"], "day", UTC, no_warning)
    with pytest.raises(ConfigError, match="--format xml: rows are written as csv or jsonl"):
        RowFiles(tmp_path, ["xml"], "day", UTC, no_warning)
    with pytest.raises(ConfigError, match="--rotate week: give one of hour, day, never"):
        RowFiles(tmp_path, ["csv"], "week", UTC, no_warning)


def test_the_watermark_is_kept_and_believed_only_if_whole(tmp_path: Path) -> None:
    mark = Watermark(tmp_path / "listening.json")
    assert mark.read() is None
    mark.write(Mark(NOON))
    mark.write(Mark(NOON + 4))  # too soon
    assert Watermark(tmp_path / "listening.json").read() == Mark(NOON)
    later = Mark(NOON + 6, (("music", NOON - 60, NOON + 6),))
    mark.write(later, now=True)
    assert mark.read() == later
    for damaged in ('{"certain', '{"certain_until": 5}', '{"certain_until": 5, "held": [1]}', "[]"):
        (tmp_path / "listening.json").write_text(damaged)
        assert mark.read() is None


# -- webhooks --------------------------------------------------------------------------------------------


class Hook(ThreadingHTTPServer):
    """Answers with the codes it is given, then with 204; keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.codes: list[int] = []
        self.got: list[dict[str, object]] = []
        self.hold = threading.Event()
        self.hold.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hold.wait(10)
        code = self.server.codes.pop(0) if self.server.codes else 204
        if code < 300:
            assert self.headers["Content-Type"] == "application/json"
            self.server.got.append(json.loads(body))
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    server.server_close()


def test_messages_arrive_in_order_although_the_server_fails_at_first(hook: Hook) -> None:
    hook.codes = [500, 503, 429]
    warnings: list[str] = []
    webhook = Webhook(hook.url, warnings.append, first_wait_s=0.01)
    for i in range(5):
        webhook.post({"i": i})
    assert webhook.close() == 0
    assert [message["i"] for message in hook.got] == [0, 1, 2, 3, 4]
    assert warnings == [
        "webhook http://127.0.0.1: the server answers 500; it is tried again, and what follows waits"
    ]


def test_what_a_server_refuses_for_good_is_dropped(hook: Hook) -> None:
    hook.codes = [400]
    warnings: list[str] = []
    webhook = Webhook(hook.url, warnings.append, first_wait_s=0.01)
    webhook.post({"i": 0})
    webhook.post({"i": 1})
    assert webhook.close() == 0
    assert hook.got == [{"i": 1}]
    assert "answers 400; it is dropped" in warnings[0]


def test_posting_never_waits_and_what_is_too_much_is_counted(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.live.webhook._MOST_WAITING", 10)
    hook.hold.clear()
    webhook = Webhook(hook.url, no_warning)
    webhook.post({"i": 0})
    while not webhook._waiting:
        time.sleep(0.001)
    before = time.monotonic()
    for i in range(1, 100):
        webhook.post({"i": i})
    assert time.monotonic() - before < 5  # the server answers after ten
    hook.hold.set()
    assert webhook.close() == 0
    assert [message["i"] for message in hook.got][-10:] == list(range(90, 100))
    assert sum(int(str(message.get("missed", 0))) for message in hook.got) >= 89


def test_a_server_that_is_not_there_is_given_up_at_the_end() -> None:
    warnings: list[str] = []
    webhook = Webhook("http://127.0.0.1:9/", warnings.append, first_wait_s=0.01)
    webhook.post({})
    assert webhook.close(0.2) == 1
    assert "cannot be reached" in warnings[0]


@pytest.mark.parametrize("url", ["foo", "ftp://example.org", "http://", "https://host:port/", ""])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"--webhook .*: give an address"):
        Webhook(url, no_warning)


# -- clips -----------------------------------------------------------------------------------------------


def test_a_clip_holds_the_seconds_around_a_change(tmp_path: Path) -> None:
    clips = Clips(tmp_path, 2.0, "wav", 1000, UTC, no_warning)
    ramp = np.arange(60_000, dtype=np.float32) / 65_536
    for at in range(0, 60_000, 50):
        clips.sound(ramp[at : at + 50])
        if at == 31_000:
            clips.row(Row("start", NOON, "mu/sic", heard=30.0))
    assert [p.name for p in tmp_path.iterdir()] == ["2026-11-22T12-00-00.000+0000-start-mu_sic.wav"]
    samples, _ = read_audio(next(tmp_path.iterdir()), sample_rate=1000)
    assert samples == pytest.approx(ramp[28_000:32_000], abs=1e-4)
    assert clips._n_kept <= (2 * 2 + 10 + 0.1) * 1000


def test_a_clip_at_the_end_is_as_long_as_there_is_sound(tmp_path: Path) -> None:
    clips = Clips(tmp_path, 5.0, "flac", 8000, UTC, no_warning)
    clips.sound(np.zeros(8 * 8000, np.float32))
    clips.row(Row("end", NOON, "music", heard=6.5))
    clips.close()
    assert len(read_audio(next(tmp_path.iterdir()), sample_rate=8000)[0]) == 6.5 * 8000


def test_clips_that_cannot_be_written_are_told_once(tmp_path: Path) -> None:
    warnings: list[str] = []
    clips = Clips(tmp_path / "clips", 1.0, "wav", 1000, UTC, warnings.append)
    (tmp_path / "clips").rmdir()
    (tmp_path / "clips").touch()
    for second in range(6):
        clips.sound(np.zeros(1000, np.float32))
        clips.row(Row("start", NOON + second, "music", heard=second + 0.5))
    assert len(warnings) == 1
    with pytest.raises(ConfigError, match="--clip-seconds 0"):
        Clips(tmp_path, 0, "wav", 1000, UTC, no_warning)
    with pytest.raises(ConfigError, match="--clip-format ogg: give flac or wav"):
        Clips(tmp_path, 1, "ogg", 1000, UTC, no_warning)


# -- the view --------------------------------------------------------------------------------------------


def test_the_view_shows_lanes_level_shares_and_changes() -> None:
    view = View("radio", ("speech", "music"), 1.0, 1000, UTC, make_console(io.StringIO(), width=80))
    view.sound(np.full(31_000, 0.1, np.float32))
    view.row(Row("start", NOON, "speech", heard=15.0))
    view.row(Row("end", NOON, "speech", heard=22.5))
    view.row(Row("start", NOON, "music", heard=15.0))
    view.row(Row("start", NOON, "speech", heard=29.9))
    view.row(Row("withdrawn", NOON, "speech", heard=29.9))
    text = view.draw(NOON).plain
    assert text.splitlines()[0] == "radio  0:00:31 heard  2026-11-22T12:00:00.000+00:00"
    assert " -20 dBFS" in text
    shares = {line.split()[0]: line.split()[1] for line in text.splitlines() if line.endswith("%")}
    assert shares == {"speech": "25", "music": "50", "both": "25", "neither": "50"}
    assert "withdrawn speech" in text
    assert "the source is lost" in view.draw(None).plain
