"""Listening from end to end: on a simulated clock, over real servers that fail, and as a command."""

from __future__ import annotations

import csv
import http.server
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio import read_audio
from earmark.audio_writer import write_audio
from earmark.bench.listening import _promptness
from earmark.cli.app import run
from earmark.detector import Detector
from earmark.errors import AudioError, ConfigError
from earmark.live.feed import Feed, Item, Lost, Over, Sound
from earmark.live.hearing import Hearing
from earmark.live.listening import Listening
from earmark.live.rows import Row, parse_time
from earmark.live.source import Pcm, Source
from earmark.live.wallclock import WallClock
from earmark.live.watermark import Mark
from earmark.lock import locked
from earmark.model import Model
from earmark.timeline import Segment, Timeline

Tone = Callable[..., np.ndarray]
RATE = 16_000
NOON = parse_time("2026-11-22T12:00:00")
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


class Script:
    """A source that is played: items arrive at their times, and the clock is wherever that is."""

    def __init__(self, items: Sequence[tuple[float, Item]]) -> None:
        self.now = NOON
        self._items = list(items)

    def take(self, timeout_s: float) -> list[Item]:
        if not self._items:
            return [Over()]
        if NOON + self._items[0][0] > self.now + timeout_s:
            self.now += timeout_s
            return []
        at, item = self._items.pop(0)
        self.now = max(self.now, NOON + at)
        return [item]


def paced(
    samples: np.ndarray, start: float = 0.0, lag: float = 0.05, size: int = 800
) -> list[tuple[float, Item]]:
    """Let sound that begins at `start` arrive in blocks, each when it is over and a little later."""
    ends = range(size, len(samples) + size, size)
    times = [start + min(end, len(samples)) / RATE + lag for end in ends]
    blocks = [samples[end - size : end] for end in ends]
    return [(t, Sound(block, NOON + t)) for t, block in zip(times, blocks, strict=True)]


class Played(list[tuple[float, Row]]):
    """What a script brought about: rows with the time at which they came."""

    def __init__(
        self,
        model: Model,
        items: Sequence[tuple[float, Item]],
        *,
        live: bool = True,
        resumed: Mark | None = None,
    ) -> None:
        self.script = Script(items)
        self.hearing = Hearing(model, model.decode)
        self.clock = WallClock(NOON, live=live)
        self.samples = 0
        self.marks: list[Mark] = []
        Listening(
            self.script,
            self.hearing,
            self.clock,
            RATE,
            to_row=lambda row: self.append((self.script.now - NOON, row)),
            to_sound=self._count,
            to_mark=lambda mark, _: self.marks.append(mark),
            resumed=resumed,
            now=lambda: self.script.now,
        ).run("here")

    def _count(self, samples: np.ndarray) -> None:
        self.samples += len(samples)

    def told(self, *events: str) -> list[tuple[str, str | None, float, float]]:
        """Return event, label, start and end (of a start: the start), in seconds since noon."""
        return [
            (r.event, r.label, round(r.start - NOON, 2), round((r.end or r.start) - NOON, 2))
            for _, r in self
            if r.event in events and r.start is not None
        ]

    @property
    def notes(self) -> list[tuple[str, str | None]]:
        return [(r.event, r.note) for _, r in self if r.note or r.event in ("lost", "gap", "stopped")]


@pytest.fixture(scope="module")
def model(tiny_model_path: Path) -> Model:
    return Model.load(tiny_model_path)


# -- on a simulated clock ------------------------------------------------------------------------------


def test_minutes_at_their_own_pace_are_told_in_time_and_without_loss(model: Model, tone: Tone) -> None:
    sound = np.tile(tone(30, 5000, start=3, end=25) + tone(30, 400, start=10, end=16.7), 5)
    played = Played(model, paced(sound))
    assert played.samples == len(sound)
    changes = [(at, r.time - NOON) for at, r in played if r.event in ("start", "end")]
    assert len(changes) == 20
    assert max(at - moment for at, moment in changes) <= 1.5
    offline = Detector(model).detect(sound, RATE)
    lag = 0.05  # which nobody can know
    assert sorted((label, start - lag, end - lag) for _, label, start, end in played.told("segment")) == [
        (s.label, pytest.approx(s.start, abs=0.02), pytest.approx(s.end, abs=0.02))
        for s in sorted(offline, key=lambda s: (s.label, s.start))
    ]


def test_a_connection_that_is_lost_is_a_gap_and_nothing_sounds_in_it(model: Model, tone: Tone) -> None:
    first, second = tone(10, 400, start=4), tone(10, 400, end=5)
    played = Played(
        model, [*paced(first), (10.3, Lost("reset")), (12.0, Lost("refused")), *paced(second, 17.0)]
    )
    close = pytest.approx
    assert played.told("segment", "gap") == [
        ("segment", "speech", close(4.05, abs=0.05), close(10.05, abs=0.02)),
        ("gap", None, close(10.05, abs=0.02), close(17.05, abs=0.02)),
        ("segment", "speech", close(17.05, abs=0.02), close(22.05, abs=0.05)),
    ]
    assert played.notes == [("listening", "here"), ("lost", "reset"), ("gap", "reset"), ("stopped", None)]
    assert played.samples == 20 * RATE


def test_what_a_server_sends_again_is_left_out(model: Model, tone: Tone) -> None:
    sound = tone(30, 400, start=8, end=12)
    again = [(10.5, Sound(block.samples, NOON + 10.5)) for _, block in paced(sound[6 * RATE : 10 * RATE])]  # type: ignore[union-attr]
    rest = paced(sound[10 * RATE :], 10.5, 0.0)
    played = Played(model, [*paced(sound[: 10 * RATE]), (10.2, Lost("reset")), *again, *rest])
    # Half a second passed: of the four that come at once, three and a half were heard.
    assert played.samples == pytest.approx(30.5 * RATE, abs=0.1 * RATE)
    assert played.told("gap") == []  # nothing is missing
    assert max(row.time for _, row in played) == pytest.approx(NOON + 30.5, abs=0.1)


def test_a_connection_that_is_lost_again_at_once_is_two_gaps(model: Model, tone: Tone) -> None:
    moment = paced(tone(0.2, 400), 10.0)
    rest = paced(tone(3, 400), 20.0)
    played = Played(model, [*paced(tone(5, 400)), (5.2, Lost("one")), *moment, (10.4, Lost("two")), *rest])
    assert [each[2:] for each in played.told("gap")] == [
        (pytest.approx(5.05, abs=0.02), pytest.approx(10.05, abs=0.02)),
        (pytest.approx(10.25, abs=0.02), pytest.approx(20.05, abs=0.02)),
    ]
    assert played.samples == 8.2 * RATE


def test_a_source_that_stays_lost_is_a_gap_to_the_end(model: Model, tone: Tone) -> None:
    played = Played(model, [*paced(tone(5, 400)), (5.2, Lost("gone")), (65.0, Lost("still gone"))])
    assert played.told("gap") == [("gap", None, pytest.approx(5.05, abs=0.02), pytest.approx(65.0, abs=0.2))]


def test_sound_missing_by_the_time_stamps_is_a_gap_but_a_moment_is_a_pause(model: Model, tone: Tone) -> None:
    items = paced(tone(5, 400))
    rest = paced(tone(5, 400), 9.0)
    rest[0] = (rest[0][0], Sound(rest[0][1].samples, rest[0][1].arrived, 4.0))  # type: ignore[union-attr]
    end = paced(tone(5, 400), 14.2)
    end[0] = (end[0][0], Sound(end[0][1].samples, end[0][1].arrived, 0.2))  # type: ignore[union-attr]
    played = Played(model, [*items, *rest, *end])
    close = pytest.approx
    assert played.told("segment", "gap") == [
        ("segment", "speech", close(0.05, abs=0.05), close(5.05, abs=0.05)),
        ("gap", None, close(5.05, abs=0.05), close(9.05, abs=0.05)),
        ("segment", "speech", close(9.05, abs=0.05), close(19.25, abs=0.05)),
    ]
    assert played.samples == 15.2 * RATE


def test_a_source_that_stood_still_is_a_gap_where_the_clock_finds_it(model: Model, tone: Tone) -> None:
    played = Played(model, [*paced(tone(120, 400), size=RATE), *paced(tone(200, 400), 130.0, size=RATE)])
    ((_, _, start, end),) = played.told("gap")
    assert end - start == pytest.approx(10.0, abs=0.1)
    assert ("gap", "the source stood still") in played.notes
    assert played.samples == 320 * RATE
    assert played.clock.time(320.0) == pytest.approx(NOON + 330.05, abs=0.05)


def test_what_a_server_has_in_store_is_dated_back(model: Model, tone: Tone) -> None:
    store = [(0.1, Sound(block.samples, NOON + 0.1)) for _, block in paced(tone(5, 400, start=2, end=4))]  # type: ignore[union-attr]
    played = Played(model, [*store, *paced(tone(5, 400), 0.1, 0.0)])
    (start, *_) = played.told("start")
    assert start[2] == pytest.approx(2 - 4.9, abs=0.05)


def test_the_first_rows_wait_until_the_clock_has_settled(model: Model, tone: Tone) -> None:
    store = [(0.1, Sound(block.samples, NOON + 0.1)) for _, block in paced(tone(5, 400))]  # type: ignore[union-attr]
    played = Played(model, [*store, *paced(tone(2, 400), 0.1, 0.0)], resumed=Mark(NOON - 60.0))
    assert [row.event for _, row in played][:2] == ["gap", "listening"]
    (_, _, start, end), begun = played.told("gap")[0], played[1][1].time - NOON
    assert (start, end) == (-60.0, pytest.approx(-4.9, abs=0.05))
    assert begun == pytest.approx(-4.9, abs=0.05)
    assert played.samples == 7 * RATE


def test_what_an_earlier_run_heard_is_not_told_twice(model: Model, tone: Tone) -> None:
    store = [(0.1, Sound(block.samples, NOON + 0.1)) for _, block in paced(tone(5, 400))]  # type: ignore[union-attr]
    before = Mark(NOON - 2.0, (("speech", NOON - 30.0, NOON - 2.0),))
    played = Played(model, [*store, *paced(tone(2, 400), 0.1, 0.0)], resumed=before)
    close = pytest.approx
    assert played.told("segment", "gap") == [
        ("segment", "speech", -30.0, -2.0),
        ("segment", "speech", close(-2.0, abs=0.02), close(2.1, abs=0.05)),
    ]
    assert played.samples == close((2.1 + 2.0) * RATE, abs=0.1 * RATE)


def test_what_a_killed_listener_leaves_has_all_that_was_heard(model: Model, tone: Tone) -> None:
    sound = tone(20, 5000, start=2) + tone(20, 400, start=4, end=6)
    played = Played(model, paced(sound))
    told = [row for _, row in played if row.event == "segment"]
    assert [row.label for row in told] == ["speech", "music"]
    late = next(mark for mark in played.marks if mark.certain_until > NOON + 15)
    ((label, start, end),) = late.held
    assert (label, start - NOON) == ("music", pytest.approx(2.05, abs=0.05))
    assert end == late.certain_until < NOON + 16
    assert all(a.certain_until <= b.certain_until for a, b in itertools.pairwise(played.marks))
    assert played.marks[-1] == Mark(played[-1][1].time)


def test_a_mark_in_a_gap_is_where_the_gap_begins(model: Model, tone: Tone) -> None:
    played = Played(model, [*paced(tone(5, 400)), (5.2, Lost("reset")), *paced(tone(2, 400), 30.0)])
    assert any(mark == Mark(pytest.approx(NOON + 5.05, abs=0.02)) for mark in played.marks)
    assert not any(NOON + 5.1 < mark.certain_until < NOON + 30 for mark in played.marks)


def test_a_recording_leaves_no_mark(model: Model, tone: Tone) -> None:
    played = Played(model, paced(tone(3, 400)), live=False, resumed=Mark(NOON - 60.0))
    assert played.marks == []
    assert played.told("gap") == []


def test_a_recording_counts_from_its_start_however_fast_it_comes(model: Model, tone: Tone) -> None:
    sound = tone(100, 400, start=90, end=95)
    items = [(0.001 * i, item) for i, (_, item) in enumerate(paced(sound, size=5 * RATE))]
    assert Played(model, items, live=False).told("segment") == [
        ("segment", "speech", pytest.approx(90.0, abs=0.05), pytest.approx(95.0, abs=0.05))
    ]


def test_ten_minutes_as_fast_as_they_go_lose_and_keep_nothing(model: Model, tone: Tone) -> None:
    block = (tone(20, 5000) + tone(20, 400, start=5, end=9)).astype(np.float32)
    played = Played(model, [(0.0, Sound(block, NOON))] * 30, live=False)
    assert played.samples == 600 * RATE
    assert len(played.told("segment")) == 31
    assert len(played.hearing._posteriors._mel[0]) < 1000
    assert len(played.clock._knots) == 1


# -- the feed --------------------------------------------------------------------------------------------


class Blocks:
    """Audio of given blocks; raises at the end what it is told to."""

    def __init__(self, blocks: Iterator[np.ndarray], broken: str | None = None) -> None:
        self._blocks = blocks
        self.missing = 0.0
        self.broken = broken
        self.duration: float | None = None

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._blocks


def seconds(n: int) -> Iterator[np.ndarray]:
    return iter([np.full(RATE, i, np.float32) for i in range(n)])


def everything(feed: Feed) -> list[Item]:
    items: list[Item] = []
    while not any(isinstance(item, Over) for item in items):
        items += feed.take(5)
    return items


def test_a_source_that_can_wait_does_so_and_nothing_is_lost() -> None:
    with Feed(lambda: Blocks(seconds(100)), RATE) as feed:
        while feed._n_waiting < 30 * RATE:
            time.sleep(0.001)
        time.sleep(0.02)
        assert feed._n_waiting == 30 * RATE
        items = everything(feed)
    assert [item.samples[0] for item in items if isinstance(item, Sound)] == list(range(100))


def test_a_device_cannot_wait_and_what_is_too_much_is_told_as_missing() -> None:
    taken = threading.Event()

    def blocks() -> Iterator[np.ndarray]:
        yield from seconds(50)
        taken.wait(10)
        yield np.full(RATE, 99, np.float32)

    with Feed(lambda: Blocks(blocks()), RATE, can_wait=False) as feed:
        while feed._n_dropped < 20 * RATE:
            time.sleep(0.001)
        first = feed.take(1)
        taken.set()
        items = [*first, *everything(feed)]
    sounds = [item for item in items if isinstance(item, Sound)]
    assert [sound.missing for sound in sounds] == [0.0] * 30 + [20.0]
    assert sounds[-1].samples[0] == 99


def test_a_source_that_ends_is_opened_again_until_it_answers() -> None:
    answers: list[object] = [seconds(2), AudioError("'radio': refused"), AudioError("no"), seconds(1)]
    waits: list[float] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            return super().wait(0)

    def open_it() -> Blocks:
        answer = answers.pop(0) if answers else AudioError("over")
        if isinstance(answer, AudioError):
            raise answer
        return Blocks(answer, "reset")  # type: ignore[arg-type]

    reopened = Feed(open_it, RATE, may_reopen=True)
    reopened._stopped = Impatient()
    with reopened as feed:
        items: list[Item] = []
        while sum(isinstance(item, Sound) for item in items) < 3:
            items += feed.take(5)
    assert [item.reason for item in items if isinstance(item, Lost)][:3] == [
        "reset",
        "'radio': refused",
        "no",
    ]
    assert waits[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30][: len(waits)]
    assert len(waits) >= 3


def test_a_source_that_never_was_is_an_error() -> None:
    def open_it() -> Blocks:
        raise AudioError("no such radio")

    with pytest.raises(AudioError, match="no such radio"), Feed(open_it, RATE, may_reopen=True):
        pass


# -- what can be listened to -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("16000", "give RATE/FORMAT/CHANNELS"),
        ("16000/s16le", "give RATE/FORMAT/CHANNELS"),
        ("10/s16le/1", "must be 1000 to 768000"),
        ("16000/mp3/1", "'mp3' is none of the formats"),
        ("16000/s16le/0", "0 channels must be 1 to 64"),
    ],
)
def test_raw_samples_are_described_whole(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pcm.parse(text)


@pytest.mark.parametrize("kind", ["s16le", "f32le", "u8"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_raw_samples_are_read_as_described(kind: str, channels: int, tmp_path: Path) -> None:
    wave_form = np.sin(np.arange(RATE) / 20)[:, None] * np.ones(channels) / 2
    coded = {
        "s16le": (wave_form * 32767).astype("<i2"),
        "f32le": wave_form.astype("<f4"),
        "u8": (wave_form * 127 + 128).astype("u1"),
    }[kind]
    (tmp_path / "raw").write_bytes(coded.tobytes())
    with Source.parse(str(tmp_path / "raw"), Pcm(RATE, kind, channels)).open(RATE) as audio:
        heard = np.concatenate(list(audio))
    assert heard == pytest.approx(wave_form[:, 0], abs=0.02)


def test_sources_are_told_apart(tmp_path: Path) -> None:
    assert Source.parse("alsa:default").is_device
    assert Source.parse("http://me:secret@example.org/live").name == "http://example.org/live"
    (tmp_path / "show.wav").touch()
    assert Source.parse(str(tmp_path / "show.wav")).is_recording
    with pytest.raises(ConfigError, match=r"no 'dshow' .* record into a pipe instead"):
        Source.parse("dshow:audio=Microphone")
    with pytest.raises(ConfigError, match="names no device"):
        Source.parse("alsa:")
    with pytest.raises(ConfigError, match="tells that itself"):
        Source.parse("http://example.org/live", Pcm(RATE, "s16le", 1))
    with pytest.raises(AudioError, match="addresses may start with http://"):
        Source.parse("gopher://example.org/live").open(RATE)


# -- servers -------------------------------------------------------------------------------------------


class Radio(http.server.ThreadingHTTPServer):
    """An endless stream that breaks off after each helping, and refuses now and then; or a playlist."""

    def __init__(self, parts: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Station)
        self.parts = parts
        self.requests: list[str] = []
        self.n_refused = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Station(http.server.BaseHTTPRequestHandler):
    server: Radio
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.path == "/live" and len(self.server.requests) == 2:
            self.server.n_refused += 1
            self.send_error(503)
            return
        body = self.server.parts.get(self.path)
        if self.path == "/sliding.m3u8":
            body = self._playlist(sum(path == self.path for path in self.server.requests))
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        kind = "application/vnd.apple.mpegurl" if self.path.endswith(".m3u8") else "audio/mpeg"
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def _playlist(self, n_asked: int) -> bytes:
        """Two pieces at first, one more each time, all of them and the end after that."""
        pieces = [f"#EXTINF:1.0,\n{i}.mp3" for i in range(min(5, 1 + n_asked))]
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", *pieces]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if n_asked > 4 else []), ""]).encode()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def radio(tmp_path: Path, tone: Tone) -> Iterator[Radio]:
    write_audio(tmp_path / "piece.mp3", tone(6, 400, start=1, end=5), RATE)
    write_audio(tmp_path / "second.mp3", tone(1, 400), RATE)
    second = (tmp_path / "second.mp3").read_bytes()
    parts = {"/live": (tmp_path / "piece.mp3").read_bytes()}
    parts |= {f"/{i}.mp3": second for i in range(5)}
    playlist = "".join(f"#EXTINF:1.0,\n{i}.mp3\n" for i in range(5))
    parts["/all.m3u8"] = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{playlist}#EXT-X-ENDLIST\n".encode()
    server = Radio(parts)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_stream_that_drops_is_listened_to_again_and_the_gap_is_told(model: Model, radio: Radio) -> None:
    source = Source.parse(f"{radio.url}/live")
    rows: list[Row] = []
    with Feed(lambda: source.open(RATE), RATE, may_reopen=True, first_wait_s=0.05) as feed:
        assert feed.duration is None
        clock = WallClock(time.time())
        listening = Listening(feed, Hearing(model, model.decode), clock, RATE, to_row=rows.append)

        def enough(row: Row) -> None:
            rows.append(row)
            if sum(r.event == "gap" for r in rows) == 2:
                listening.stop()

        listening._write = enough
        listening.run()
    events = [row.event for row in rows]
    assert events.count("lost") >= 2
    assert radio.n_refused == 1
    speech = [row for row in rows if row.event == "segment" and row.label == "speech"]
    assert speech[0].start is not None
    assert 3.5 < speech[0].time - speech[0].start < 4.5
    told = [row.time for row in rows if row.event in ("listening", "lost", "gap", "stopped")]
    assert told[1:] == sorted(told[1:])


@pytest.mark.parametrize(("path", "lengths"), [("all.m3u8", (4.5, 5.6)), ("sliding.m3u8", (3.5, 5.6))])
def test_a_playlist_is_played_to_its_end(radio: Radio, path: str, lengths: tuple[float, float]) -> None:
    source = Source.parse(f"{radio.url}/{path}")
    with Feed(lambda: source.open(RATE), RATE) as feed:
        items = everything(feed)
    heard = sum(len(item.samples) for item in items if isinstance(item, Sound)) / RATE
    assert lengths[0] <= heard <= lengths[1]
    assert isinstance(items[-1], Over)


# -- the command -----------------------------------------------------------------------------------------


@pytest.fixture
def show(tmp_path: Path, tone: Tone) -> Path:
    path = tmp_path / "show.wav"
    write_audio(path, tone(10, 400, start=2, end=6) + tone(10, 5000, start=4, end=9), RATE)
    return path


def listen(model_path: Path, *arguments: object) -> int:
    return run(["listen", "--model", str(model_path), *map(str, arguments)])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_recording_becomes_rows_and_clips(show: Path, tiny_model_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    began = ["--start", "2026-11-22T23:59:55", "--clips", tmp_path / "clips", "--clip-seconds", "1"]
    assert listen(tiny_model_path, show, "-o", out, "-f", "csv", "-f", "jsonl", *began) == 0
    assert sorted(p.name for p in out.glob("marks-*")) == [
        f"marks-2026-11-{day}.{kind}" for day in (22, 23) for kind in ("csv", "jsonl")
    ]
    rows = rows_of(out / "marks-2026-11-22.csv") + rows_of(out / "marks-2026-11-23.csv")
    offline = Detector(tiny_model_path).detect(read_audio(show)[0], RATE)
    found = {row["label"]: row for row in rows if row["event"] == "segment"}
    start = parse_time("2026-11-22T23:59:55")
    for segment in offline:
        row = found[segment.label]
        assert parse_time(row["start"]) - start == pytest.approx(segment.start, abs=0.001)
        assert float(row["seconds"]) == pytest.approx(segment.duration, abs=0.001)
        assert float(row["confidence"]) == pytest.approx(segment.confidence, abs=0.001)
        assert float(row["speech_to_music_db"]) == pytest.approx(segment.speech_to_music_db, abs=0.01)
    lines = [json.loads(line) for p in sorted(out.glob("*.jsonl")) for line in p.read_text().splitlines()]
    assert [(line["time"], line["event"]) for line in lines] != []
    assert sorted(line["time"] for line in lines) == sorted(row["time"] for row in rows)
    assert len(list((tmp_path / "clips").iterdir())) == 4


def test_two_listeners_on_one_folder_are_refused(
    show: Path, tiny_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with locked(out, "listening.lock"):
        assert listen(tiny_model_path, show, "-o", out) == 2
    assert f"another run is at work in '{out}' (process {os.getpid()} on " in capsys.readouterr().err
    assert list(out.glob("marks*")) == []
    assert listen(tiny_model_path, show, "-o", out) == 0


def test_only_options_that_need_longer_are_warned_of(
    show: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path("detector")  # its own options need longer than the shortest delay
    assert listen(model, show, "-o", tmp_path / "own") == 0
    assert capsys.readouterr().err == ""
    assert listen(model, show, "-o", tmp_path / "one", "--min-duration", "noise=2") == 0
    assert "told later than else: noise 2.1 s after them" in capsys.readouterr().err
    assert listen(model, show, "-o", tmp_path / "longer", "--min-duration", "4") == 0
    assert (
        "told later than else: speech 3.9 s, music 3.95 s, noise 4.1 s after them" in capsys.readouterr().err
    )


def test_a_pipe_gets_the_rows(
    show: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = read_audio(show)[0]

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def isatty(self) -> bool:
            return False

        @property
        def buffer(self) -> Pipe:
            return self

    monkeypatch.setattr(sys, "stdin", Pipe((raw * 32767).astype("<i2").tobytes()))
    code = listen(tiny_model_path, "-", "--pcm", "16000/s16le/1", "--start", "2026-11-22T12:00:00")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["event"] for row in rows if row["event"] != "segment"] == [
        "listening", "start", "start", "end", "end", "stopped",
    ]  # fmt: skip
    assert [row["label"] for row in rows if row["event"] == "segment"] == ["speech", "music"]
    assert rows[0]["note"] == "standard input"
    assert parse_time(rows[-1]["time"]) == NOON + 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to listen to"),
        (["nosuch.wav"], "'nosuch.wav' does not exist"),
        (["http://127.0.0.1:9/radio"], "the server cannot be reached (Connection refused)"),
        (["alsa:nosuch"], "device 'alsa:nosuch' cannot be opened"),
        (["SHOW", "--pcm", "x"], "give RATE/FORMAT/CHANNELS"),
        (["SHOW", "--start", "noon"], "'noon' is no time"),
        (["SHOW", "--utc-offset", "Vienna"], "give hours and minutes"),
        (["SHOW", "--webhook", "foo"], "--webhook foo: give an address"),
        (["SHOW", "--rotate", "week", "-o", "out"], "--rotate week: give one of hour, day, never"),
        (["SHOW", "-f", "xml"], "--format xml: rows are written as csv or jsonl"),
        (["SHOW", "-f", "csv", "-f", "jsonl", "-o", "-"], "standard output holds one format"),
        (["SHOW", "-o", "SHOW"], "cannot be written"),
        (["SHOW", "--clips", "SHOW"], "cannot be written"),
        (["SHOW", "--quiet"], "--quiet leaves nothing to do; give --output DIR for rows, --webhook"),
        (["SHOW", "--timeout", "0"], "--timeout 0: give more than 0 seconds"),
        (["SHOW", "--threshold", "song=1"], "the model has no label 'song'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str],
    message: str,
    show: Path,
    tiny_model_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = listen(tiny_model_path, *(str(show) if a == "SHOW" else a for a in arguments))
    out, err = capsys.readouterr()
    assert code in (1, 2)
    assert out == ""
    assert message in err
    assert err.startswith("earmark: ")
    assert err.count("\n") == 1


def command(model_path: Path, *arguments: object) -> list[str]:
    code = "from earmark.cli.app import main; main()"
    return [sys.executable, "-c", code, "listen", "--model", str(model_path), *map(str, arguments)]


def wait_for(path: Path, text: str, times: int = 1) -> None:
    for _ in range(6000):
        if path.exists() and path.read_text().count(text) >= times:
            return
        time.sleep(0.01)
    raise AssertionError(f"'{text}' never came")


def test_quiet_with_clips_alone_writes_clips_and_nothing_else(
    show: Path, tiny_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listen(tiny_model_path, show, "-q", "--clips", tmp_path / "clips") == 0
    assert capsys.readouterr() == ("", "")
    assert len(list((tmp_path / "clips").iterdir())) == 4


@posix
def test_after_a_kill_the_rows_are_whole_and_the_time_without_is_a_gap(
    tiny_model_path: Path, tmp_path: Path, tone: Tone
) -> None:
    out = tmp_path / "out"
    arguments = command(tiny_model_path, "-", "--pcm", "16000/s16le/1", "-o", out, "--rotate", "never", "-q")
    for ending, length in ((signal.SIGKILL, 3.0), (signal.SIGTERM, 1.2)):
        block = (tone(length, 400) * 32767).astype("<i2").tobytes()
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdin is not None
            before = (out / "marks.csv").read_text().count("start,speech") if out.exists() else 0
            process.stdin.write(block)
            process.stdin.flush()
            wait_for(out / "marks.csv", "start,speech", before + 1)
            wait_for(out / "listening.json", "speech")
            process.send_signal(ending)
            process.stdin.close()
            assert process.stderr is not None
            assert process.stderr.read() == b""
            assert process.wait(20) == (-9 if ending == signal.SIGKILL else 0)
        time.sleep(1.3)  # what comes at once is dated back: it is not to reach back to what was heard
    rows = rows_of(out / "marks.csv")
    assert all(None not in row.values() for row in rows)
    assert [row["event"] for row in rows] == [
        "listening", "start", "segment", "gap", "listening", "start", "end", "segment", "stopped",
    ]  # fmt: skip
    assert [rows[2]["note"], rows[3]["note"]] == ["cut off", "nobody listened"]
    # What sounded when it was killed goes up to the gap: nothing that was heard shows as silence.
    assert rows[2]["start"] == rows[1]["start"]
    assert 2.0 < float(rows[2]["seconds"]) < 3.0
    gap, end, again = (parse_time(t) for t in (rows[3]["start"], rows[3]["end"], rows[4]["time"]))
    assert parse_time(rows[2]["end"]) == gap < end == again


# -- the benchmark -----------------------------------------------------------------------------------------


def test_the_benchmark_compares_with_detect(tiny_model_path: Path, tmp_path: Path, tone: Tone) -> None:
    write_audio(tmp_path / "show.wav", tone(4, 400, start=0.5, end=2.5), RATE)
    out = tmp_path / "out.json"
    arguments = ["--minutes", "0.1", "--hours", "0.02", "--model", tiny_model_path, "--out", out]
    assert run(["bench", "listen", *map(str, [tmp_path / "show.wav", *arguments])]) == 0
    report = json.loads(out.read_text())
    figures = {f"{f['group']}: {f['name']}": f["value"] for f in report["figures"]}
    for pace in ("paced", "fast"):
        assert figures[f"{pace}: sound not heard"] == 0
        assert figures[f"{pace}: gaps"] == 0
        assert figures[f"{pace}: segments as of detect"] == 1
    assert figures["speech: of detect: told at all"] == 1
    assert figures["speech: starts and ends told"] == figures["speech and music: starts and ends told"] == 4
    assert figures["speech: told, then corrected"] == 0
    assert figures["music: starts and ends told"] == 0
    assert figures["music: told within 1.5 s"] is None
    assert figures["told at once as detect: speech"] > 0.98
    assert 0.7 <= figures["speech: sound needed: median"] <= 1.05
    assert [change["event"] for change in report["details"]["changes"]] == ["start", "end"] * 2


def test_the_benchmark_counts_each_label_and_what_is_corrected() -> None:
    def row(event: str, label: str, heard: float, came: float) -> dict[str, object]:
        return {"event": event, "label": label, "heard": heard, "came": came, "sound": came, "time": heard}

    rows = [
        row("start", "speech", 1.0, 2.0),
        row("end", "speech", 3.0, 4.0),
        row("start", "speech", 3.0, 5.0),  # the end was none
        row("end", "speech", 6.0, 7.2),
        row("start", "music", 2.0, 4.0),
        row("withdrawn", "music", 4.0, 5.0),
    ]
    offline = Timeline([Segment(1.0, 6.1, "speech")], 10.0, ("speech", "music"))
    found, changes = _promptness(rows, offline)
    figures = {(f.group, f.name): f.value for f in found}
    assert figures["speech", "told after: median"] == pytest.approx(1.1)
    assert figures["speech", "told within 1.5 s"] == 0.75
    assert figures["speech", "told, then corrected"] == 0.25
    assert figures["speech", "of detect: told within 1.5 s"] == 1.0
    assert figures["music", "told, then corrected"] == 1.0
    assert figures["music", "of detect: told at all"] is None
    assert figures["speech and music", "told within 1.5 s"] == 0.6
    assert figures["speech and music", "told, then corrected"] == 0.4
    assert [change["told_after_s"] for change in changes] == [1.0, pytest.approx(1.1)]


def test_the_benchmark_refuses_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "listen", "--minutes", "0", "--hours", "0"]) == 2
    assert "give 0 or more, and one above 0" in capsys.readouterr().err
