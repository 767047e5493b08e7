"""Timelines drawn for the eye: known drawings, every width, with and without colour."""

from __future__ import annotations

import io

import pytest

from earmark.progress import AudioProgress
from earmark.terminal import Tally, clock, make_console, print_error, render, stretches
from earmark.timeline import Segment, Timeline

SHOW = Timeline(
    (
        Segment(0.0, 12.5, "speech"),
        Segment(10.0, 30.0, "music"),
        Segment(25.0, 40.0, "speech"),
        Segment(45.2, 60.0, "music"),
    ),
    60.0,
    ("speech", "music", "noise"),
)


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def lines(timeline: Timeline, width: int = 80, **options: object) -> list[str]:
    return render(timeline, "show.wav", width=width, **options).plain.splitlines()  # type: ignore[arg-type]


def test_a_timeline_is_drawn_as_strips_shares_and_segments() -> None:
    # 60 cells of a second each beside a margin of 9.
    assert render(SHOW, "show.wav", width=69).plain == (
        "show.wav  1:00.00\n"
        "speech   ████████████▄            ███████████████\n"
        "music              ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓               ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓\n"
        "noise\n"
        "         ┬─────────┬─────────┬─────────┬─────────┬─────────┬─────────\n"
        "         0:00      0:10      0:20      0:30      0:40      0:50\n"
        "\n"
        "speech    45.8 %  0:00:28   music     58.0 %  0:00:35\n"
        "both      12.5 %  0:00:08   neither    8.7 %  0:00:05\n"
        "noise      0.0 %  0:00:00\n"
        "\n"
        "     from       to   length\n"
        "  0:00.00  0:10.00  0:10.00  speech\n"
        "  0:10.00  0:12.50  0:02.50  speech + music\n"
        "  0:12.50  0:25.00  0:12.50  music\n"
        "  0:25.00  0:30.00  0:05.00  speech + music\n"
        "  0:30.00  0:40.00  0:10.00  speech\n"
        "  0:45.20  1:00.00  0:14.80  music\n"
    )


def test_without_unicode_the_drawing_is_ascii_and_labels_still_differ() -> None:
    drawn = lines(SHOW, 69, ascii_only=True, max_rows=2)
    assert "".join(drawn).isascii()
    assert drawn[1] == "speech   ############:            ###############"
    assert set(drawn[2]) - set("music ") == {"%"}
    assert drawn[-1] == "... 4 more; -f csv -o - (or -o DIR) gives all"


@pytest.mark.parametrize("width", [20, 60, 100, 160, 400])
@pytest.mark.parametrize("duration", [0.03, 0.7, 59.99, 5025.0, 86_400.0, 4e7])
def test_strips_and_axis_fit_every_width_and_duration(width: int, duration: float) -> None:
    timeline = Timeline((Segment(0, duration, "speech"), Segment(duration / 2, duration, "ads")), duration)
    drawn = lines(timeline, width)
    strips, axis = drawn[1:3], drawn[3]
    room = max(width, 19)  # ten cells are drawn in any case
    assert all(len(line) <= room for line in [*strips, *drawn[3:5]])
    assert len(axis) == min(room, 9 + 160) == len(strips[1])
    assert strips[1].endswith("█" * (len(axis) - 9))
    assert drawn[4].split()[0] in ("0:00", "0:00.0")


def test_a_moment_in_a_long_recording_is_visible() -> None:
    day = Timeline((Segment(40_000.0, 40_001.0, "speech"),), 86_400.0, ("speech", "music"))
    assert lines(day)[1].count("▁") == 1


def test_times_of_ticks_do_not_run_into_each_other() -> None:
    for width in range(20, 200, 7):
        times = lines(Timeline((), 360_000.0, ("speech",)), width)[3].split()
        assert all(time.count(":") in (1, 2) and len(time) <= 8 for time in times)


def test_all_rows_are_listed_unless_a_limit_is_set() -> None:
    many = Timeline(tuple(Segment(i, i + 0.5, "music") for i in range(50)), 50.0)
    assert sum(line.endswith("  music") for line in lines(many)) == 50
    limited = lines(many, max_rows=5)
    assert sum(line.endswith("  music") for line in limited) == 5
    assert limited[-1] == "… 45 more; -f csv -o - (or -o DIR) gives all"


def test_stretches_cut_where_any_label_changes_and_leave_silence_out() -> None:
    timeline = Timeline((Segment(1, 4, "music"), Segment(2, 3, "speech"), Segment(6, 7, "speech")), 9.0)
    assert stretches(timeline) == [
        (1, 2, ("music",)),
        (2, 3, ("music", "speech")),
        (3, 4, ("music",)),
        (6, 7, ("speech",)),
    ]


def test_labels_without_speech_and_music_get_their_own_shares() -> None:
    drawn = lines(Timeline((Segment(0, 3, "ads"),), 10.0, ("ads",)))
    assert "ads       30.0 %  0:00:03   none      70.0 %  0:00:07" in drawn


def test_empty_timelines_are_said_to_be_empty() -> None:
    assert lines(Timeline((), 3.0, ("speech", "music")))[-1] == "nothing found"
    assert lines(Timeline()) == ["show.wav  0:00.00", "  no audio"]


def test_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert render(SHOW, "a\x1b[2Jb\n\udcff.wav").plain.startswith("a?[2Jb??.wav  1:00.00\n")
    print_error("'a\x1b[31m'\n  is no file")
    assert capsys.readouterr().err == "earmark: 'a?[31m' is no file\n"


def test_error_lines_are_never_wrapped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_error("word " * 30)
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def test_colours_appear_on_a_terminal_only_and_can_be_refused(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(stream: io.StringIO, color: bool = True) -> str:
        make_console(stream, color=color).print(render(SHOW, "show.wav"))
        return stream.getvalue()

    cyan, magenta = "\x1b[36m", "\x1b[35m"
    assert "\x1b" not in drawn(io.StringIO())
    coloured = drawn(terminal)
    assert cyan in coloured
    assert magenta in coloured
    assert cyan not in drawn(Terminal(), color=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert cyan not in drawn(Terminal())


@pytest.mark.parametrize(
    ("seconds", "options", "text"),
    [
        (0, {}, "0:00"),
        (59.6, {}, "1:00"),
        (3725, {}, "1:02:05"),
        (5, {"hours": True}, "0:00:05"),
        (0.29, {"decimals": 2}, "0:00.29"),
        (59.996, {"decimals": 2}, "1:00.00"),
        (360_000, {}, "100:00:00"),
    ],
)
def test_clock(seconds: float, options: dict[str, int], text: str) -> None:
    assert clock(seconds, **options) == text  # type: ignore[arg-type]


def test_a_run_is_told_in_one_line() -> None:
    tally = Tally()
    for _ in range(40):
        tally.add(SHOW)
    assert tally.line(2.2) == (
        "40 files, 0:40:00 of audio in 2.2 s (1100x real time): "
        "speech 46 %, music 58 %, both 12 %, neither 9 %, noise 0 %"
    )
    tally.skipped = 1
    assert tally.line(41).startswith("40 files, 0:40:00 of audio in 41 s (59x real time): ")
    assert tally.line(41).endswith("; 1 file skipped")
    assert Tally(skipped=3).line(0.1) == "nothing done; 3 files skipped"


def test_progress_is_shown_on_a_terminal_for_work_that_lasts(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", terminal)
    now = 100.0
    monkeypatch.setattr("earmark.progress.time.perf_counter", lambda: now)
    with AudioProgress([100, 300]) as progress:
        progress.advance(1, 60.0, 120.0)
        assert terminal.getvalue() == ""
        now = 110.0
        progress.advance(1, 60.0, 120.0)
        progress.finish(0, 40.0)
        with progress.hidden():
            pass
    shown = terminal.getvalue()
    # 100 bytes and half of 300 are done in 10 s.
    assert "1 of 2 files  0:01:40 of audio  10x real time" in shown
    assert "62%" in shown
    assert "0:06 left" in shown


def test_progress_is_silent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("earmark.progress._PATIENCE", 0)
    with AudioProgress([1.0]) as progress:
        progress.advance(0, 1.0, None)
        progress.finish(0, 2.0)
    assert (stream.getvalue(), progress.audio, progress.finished) == ("", 2.0, 1)
