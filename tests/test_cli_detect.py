"""`earmark detect`: every option, every refusal, many files at once, and what is left after trouble."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from earmark.cli.app import run
from earmark.cli.running import in_order
from earmark.errors import EarmarkError
from earmark.formats import FORMATS, read
from earmark.jobs import Job, Record
from earmark.posteriors import Posteriors
from earmark.progress import AudioProgress

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
Tone = Callable[..., np.ndarray]


def write_wav(path: Path, samples: np.ndarray, missing: int = 0) -> Path:
    """Write 16-bit WAV, the last `missing` bytes left out."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    if missing:
        path.write_bytes(path.read_bytes()[:-missing])
    return path


@pytest.fixture
def show(tmp_path: Path, tone: Tone) -> Path:
    """Ten seconds: a low tone ("speech") from 2 to 6 s, a high one ("music") from 4 to 9 s."""
    return write_wav(tmp_path / "show.wav", tone(10, 400, start=2, end=6) + tone(10, 5000, start=4, end=9))


class Detect:
    """Runs `earmark detect` here, with the small model."""

    def __init__(self, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.model = model
        self.capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        self.capsys.readouterr()
        code = run(["detect", "--model", str(self.model), *map(str, arguments)])
        return code, *self.capsys.readouterr()


@pytest.fixture
def detect(
    tiny_model_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Detect:
    monkeypatch.setenv("COLUMNS", "80")
    return Detect(tiny_model_path, capsys)


def subprocess_command(model: Path, *arguments: object) -> list[str]:
    code = "from earmark.cli.app import main; main()"
    return [sys.executable, "-c", code, "detect", "--model", str(model), *map(str, arguments)]


# -- results -------------------------------------------------------------------------------------------


def test_without_output_the_timeline_is_drawn_in_plain_text(detect: Detect, show: Path) -> None:
    code, out, err = detect(show)
    assert (code, err) == (0, "")
    assert out.startswith(f"{show}  0:10.00\nspeech ")
    assert "both      20.6 %" in out
    assert "  0:03.98  0:06.04  0:02.06  speech + music\n" in out
    assert "\x1b" not in out


def test_csv_is_the_default_in_a_folder_that_is_made(detect: Detect, show: Path, tmp_path: Path) -> None:
    code, out, err = detect(show, "-o", tmp_path / "new" / "folder")
    assert (code, err) == (0, "")
    assert out.startswith("1 file, 0:00:10 of audio in ")
    found = read(tmp_path / "new" / "folder" / "show.csv")
    assert [s.label for s in found] == ["speech", "music"]
    assert [t for s in found for t in (s.start, s.end)] == pytest.approx([2, 6, 4, 9], abs=0.05)


def test_several_formats_at_once(detect: Detect, show: Path, tmp_path: Path) -> None:
    assert detect(show, "-o", tmp_path, *(x for name in FORMATS for x in ("-f", name)))[0] == 0
    for form in FORMATS.values():
        found = read(tmp_path / f"show{form.suffixes[0]}", form.name)
        assert {s.label: s.duration for s in found} == pytest.approx({"speech": 4, "music": 5}, abs=0.1)
    stored = json.loads((tmp_path / "show.json").read_text())
    assert stored["model"] == {"name": "tiny", "version": "1"}
    assert stored["source"] == str(show)
    assert stored["overlaps"][0]["speech_to_music_db"] is not None


def test_standard_output_holds_the_result_alone(detect: Detect, show: Path) -> None:
    code, out, err = detect(show, "-o", "-", "--columns", "label,duration")
    assert (code, out, err) == (0, "label,duration\nspeech,4.060\nmusic,5.040\n", "")
    assert detect(show, "-o", "-", "-f", "audacity")[1].splitlines()[0] == "1.980000\t6.040000\tspeech"


def test_standard_input_is_read(detect: Detect, show: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(show.read_bytes())))
    code, out, _ = detect("-", "-o", "-", "-f", "json")
    assert code == 0
    assert json.loads(out)["source"] == "standard input"
    assert json.loads(out)["duration"] == 10


def test_thresholds_are_set_for_all_labels_or_for_one(detect: Detect, show: Path) -> None:
    def labels(*options: str) -> list[str]:
        return detect(show, "-o", "-", "--columns", "label", *options)[1].split()[1:]

    # The small model's posteriors stay below 0.998.
    assert labels("--threshold", "0.99") == ["speech", "music"]
    assert labels("--threshold", "0.999") == []
    assert labels("--threshold", "music=0.999") == ["speech"]
    assert labels("--threshold", "music=0.5", "--threshold", "0.999") == ["music"]


def test_gaps_durations_release_and_smoothing_are_set(detect: Detect, tmp_path: Path, tone: Tone) -> None:
    loud = tone(12, 400, start=1, end=3) + tone(12, 400, start=4, end=9)
    path = write_wav(tmp_path / "a.wav", loud + tone(12, 400, level=0.0005))

    def segments(*options: str) -> int:
        return len(detect(path, "-o", "-", *options)[1].splitlines()) - 1

    assert segments() == 2
    assert segments("--min-gap", "1.5") == 1
    assert segments("--min-gap", "music=1.5") == 2
    assert segments("--min-duration", "3") == 1
    assert segments("--smooth", "2.5", "--threshold", "0.6", "--min-gap", "0") == 1
    # Of the faint tone between the loud ones, the posterior is 0.002.
    assert segments("--release", "0.001") == 1


def test_posteriors_are_saved_to_a_file_or_below_a_folder(detect: Detect, show: Path, tmp_path: Path) -> None:
    code, out, _ = detect(show, "--posteriors", tmp_path / "p.npz", "-q")
    assert (code, out) == (0, "")
    saved = Posteriors.load(tmp_path / "p.npz")
    assert saved.values.shape == (500, 3)
    assert saved.labels == ("speech", "music", "noise")
    assert detect(show, "--posteriors", tmp_path / "folder", "-q")[0] == 0
    assert np.array_equal(Posteriors.load(tmp_path / "folder" / "show.npz").values, saved.values)
    assert not list(tmp_path.rglob(".*"))


def test_quiet_prints_no_summary(detect: Detect, show: Path, tmp_path: Path) -> None:
    assert detect(show, "-o", tmp_path, "-q") == (0, "", "")


# -- refusals, before any work ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-f", "csv"], "--format csv: say where to, with --output DIR, or - for standard output"),
        (["-o", "-", "-f", "csv", "-f", "json"], "--output - holds one format, not csv and json; "),
        (["-o", "x", "-f", "xls"], "unknown format 'xls'; choose one of csv, json, rttm, "),
        (["--columns", "start"], "--columns belongs to the format csv; add --format csv and --output, or "),
        (["-o", "x", "-f", "json", "--columns", "start"], "--columns belongs to the format csv; "),
        (["-o", "x", "--columns", "start,when"], "columns 'start,when': give some of start,end,label,"),
        (["--skip-existing"], "--skip-existing: results are not kept; say where to, with --output DIR"),
        (["-o", "-", "--skip-existing"], "--skip-existing: results are not kept; "),
        (["--quiet"], "--quiet leaves nothing to do; say where results go, with --output DIR"),
        (["--jobs", "0"], "--jobs 0: give 1 or more"),
        (["-o", "x.csv"], "--output x.csv: give a folder, or - for standard output; --format tells "),
        (["-o", __file__], "give a folder, or - for standard output"),
        (["-o", ""], "--output '': give a folder, or - for standard output"),
        (["--posteriors", "x.json"], "--posteriors x.json: give a file that ends in .npz, or a folder"),
        (["--posteriors", "-"], "--posteriors -: give a file that ends in .npz, or a folder"),
        (["--threshold", "high"], "--threshold high: give a number, or LABEL=NUMBER (--threshold speech="),
        (["--threshold", "speech="], "--threshold speech=: give a number, "),
        (["--threshold", "speach=0.6"], "the model has no label 'speach'; it has speech, music, noise"),
        (["--threshold", "0"], "threshold 0.0: it must lie between 0 and 1; try 0.5"),
        (["--threshold", "music=1"], "threshold 1.0: it must lie between 0 and 1; try 0.5"),
        (["--threshold", "nan"], "threshold nan: it must lie between 0 and 1; try 0.5"),
        (["--release", "0.7"], "release 0.7: it must be above 0 and at most the threshold (0.5)"),
        (["--min-gap", "-1"], "min_gap -1.0: it must be 0 to 600 seconds; try 0.3"),
        (["--min-duration", "-0.1"], "min_duration -0.1: it must be 0 to 600 seconds; try 0.3"),
        (["--smooth", "music=-2"], "smooth -2.0: it must be 0 to 600 seconds; try 0.1"),
        (["--model", "no.onnx"], "no model 'no.onnx' (No such file or directory); give "),
        (["--model", __file__], "is no ONNX model that can be run"),
        (["--colour"], "no such option: --colour"),
        (["--jobs", "two"], "invalid value for '--jobs' / '-j': "),
        (["--output"], "option '--output' requires an argument; see 'earmark detect --help'"),
    ],
)  # fmt: skip
def test_contradictions_are_one_line_and_nothing_is_done(
    detect: Detect, show: Path, options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(show.parent)
    code, out, err = detect("show.wav", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.lower().startswith("earmark: ")
    assert message in err
    assert os.listdir(show.parent) == ["show.wav"]


def test_several_recordings_have_no_place_in_one_file(detect: Detect, show: Path, tmp_path: Path) -> None:
    other = write_wav(tmp_path / "other.wav", np.zeros(1600, np.float32))
    assert detect(show, other, "-o", "-") == (
        2, "", "earmark: --output - holds one recording, not 2; give a folder: --output DIR\n"
    )  # fmt: skip
    assert detect(show, other, "--posteriors", "p.npz") == (
        2, "", "earmark: --posteriors p.npz: for 2 recordings, give a folder\n"
    )  # fmt: skip


def test_standard_input_is_read_alone(detect: Detect, show: Path, tmp_path: Path) -> None:
    code, _, err = detect(show, "-", "-o", tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("earmark: standard input (-) can be read only alone; ")


def test_results_that_would_share_a_file_are_refused(detect: Detect, show: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = write_wav(tmp_path / "b" / "show.wav", np.zeros(1600, np.float32))
    code, _, err = detect(show, other, "-o", tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert f"would both be written to '{tmp_path / 'out' / 'show.csv'}'" in err


def test_an_input_is_needed(detect: Detect) -> None:
    assert detect() == (2, "", "earmark: missing argument 'INPUT'; see 'earmark detect --help'\n")


# -- files that fail -----------------------------------------------------------------------------------


def test_a_file_that_fails_is_one_line_and_the_others_go_on(
    detect: Detect, show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.wav").touch()
    code, out, err = detect("missing.mp3", "show.wav", "./empty.wav", "-o", "out", "--jobs", "1")
    assert code == 1
    assert err.splitlines() == [
        "earmark: 'missing.mp3' does not exist; check the path",
        "earmark: ./empty.wav: is empty (0 bytes); copy or export it again",
        "earmark: 2 of 3 files failed",
    ]
    assert out.startswith("1 file, 0:00:10 of audio in ")
    assert os.listdir(tmp_path / "out") == ["show.csv"]


def test_a_single_file_that_fails_needs_no_count(detect: Detect, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound\n" * 50)
    code, out, err = detect(text)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"earmark: {text}: cannot be read: it is no audio or video")


def test_faults_of_ours_fail_one_file_in_one_line(
    detect: Detect, show: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("earmark.audio.open_audio", fail)
    code, out, err = detect(show)
    assert (code, out) == (1, "")
    assert err == (
        f"earmark: {show}: unexpected ZeroDivisionError (division by zero); please report it with the file\n"
    )


def test_a_file_that_breaks_off_gives_a_warning_and_its_timeline(
    detect: Detect, show: Path, tmp_path: Path, tone: Tone
) -> None:
    cut = write_wav(tmp_path / "cut.wav", tone(10, 400), missing=160_000)
    code, _, err = detect(cut, "-o", tmp_path)
    assert code == 0
    assert err.startswith(f"earmark: {cut}: breaks off at ")
    assert err.count("\n") == 1
    assert read(tmp_path / "cut.csv").durations()["speech"] == pytest.approx(5, abs=0.1)


def test_existing_results_are_skipped_only_if_all_are_there(
    detect: Detect, show: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert detect(show, "-o", out)[0] == 0
    (out / "show.csv").write_text("by hand")
    code, printed, _ = detect(show, "-o", out, "--skip-existing")
    assert (code, printed) == (0, "nothing done; 1 file skipped\n")
    assert (out / "show.csv").read_text() == "by hand"
    assert detect(show, "-o", out, "--skip-existing", "-f", "csv", "-f", "rttm")[0] == 0
    assert (out / "show.csv").read_text() != "by hand"


def test_a_place_that_cannot_be_written_is_told_before_any_work(
    detect: Detect, show: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.cli.running.run_jobs", None)
    for option, folder in (
        (["-o", show / "below"], show / "below"),
        (["--posteriors", show / "p.npz", "-q"], show),
        (["--posteriors", show / "below", "-q"], show / "below"),
    ):
        code, out, err = detect(show, *option)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert err.startswith(f"earmark: '{folder}' cannot be written: ")


def test_a_result_that_cannot_be_written_is_told_in_one_line(
    detect: Detect, show: Path, tmp_path: Path
) -> None:
    (tmp_path / "out" / "show.csv").mkdir(parents=True)
    code, out, err = detect(show, "-o", tmp_path / "out")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"earmark: {show}: '{tmp_path / 'out' / 'show.csv'}' cannot be written: ")
    (tmp_path / "p.npz").mkdir()
    (tmp_path / "p.npz" / "show.npz").mkdir()
    code, out, err = detect(show, "--posteriors", tmp_path / "p.npz", "-q")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "show.npz' cannot be written: " in err
    assert not list(tmp_path.rglob(".*"))


def test_a_full_disk_ends_the_run(
    detect: Detect, show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        error = OSError(errno.ENOSPC, "No space left on device")
        raise EarmarkError(f"'{path}' cannot be written: {error.strerror}; free some space") from error

    monkeypatch.setattr("earmark.jobs.atomic_write", full)
    target = tmp_path / "out" / "show.csv"
    assert detect(show, "-o", tmp_path / "out") == (
        1, "", f"earmark: {show}: '{target}' cannot be written: No space left on device; free some space\n"
    )  # fmt: skip


def test_what_was_done_before_the_disk_was_full_is_told() -> None:
    jobs = [Job(f"{name}.wav", f"{name}.wav") for name in "abc"]
    records = iter([(1, Record(None, "is empty")), (2, Record(None, "no space left", hopeless=True))])
    told = []
    with pytest.raises(EarmarkError, match=r"^c\.wav: no space left$"):  # noqa: PT012
        for job, record in in_order(jobs, records, AudioProgress([1.0] * 3)):
            told.append((job.name, record.error))
    assert told == [("b.wav", "is empty")]


@posix
def test_standard_output_that_is_full_or_closed_ends_quietly_enough(
    show: Path, tiny_model_path: Path
) -> None:
    command = subprocess_command(tiny_model_path, show)
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, b"earmark: cannot write: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@posix
def test_a_closed_standard_output_is_told_only_if_it_is_needed(
    show: Path, tiny_model_path: Path, tmp_path: Path
) -> None:
    for output, code, message in (
        ("-", 1, b"earmark: standard output is closed; give a folder: --output DIR\n"),
        (tmp_path, 0, b""),
    ):
        command = shlex.join(subprocess_command(tiny_model_path, show, "-o", output))
        ended = subprocess.run(["sh", "-c", f"{command} >&-"], stderr=subprocess.PIPE, timeout=60)
        assert (ended.returncode, ended.stderr) == (code, message)


# -- many at once ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, tone: Tone) -> Path:
    """Recordings of 1, 2, 3 and 4 s of low tone, one of them in a folder below."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for seconds, name in enumerate(("a.wav", "b.wav", "c.wav", "sub/a.wav"), start=1):
        write_wav(tmp_path / "in" / name, tone(seconds, 400))
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_number_of_jobs_changes_nothing(detect: Detect, folder: Path, tmp_path: Path) -> None:
    printed = []
    for jobs in (1, 3):
        code, out, err = detect(folder, "-o", tmp_path / str(jobs), "-f", "csv", "-f", "json", "--jobs", jobs)
        assert (code, err) == (0, "")
        printed.append(out.partition(" in ")[0])
    assert printed == ["4 files, 0:00:10 of audio"] * 2
    one, three = contents(tmp_path / "1"), contents(tmp_path / "3")
    assert one == three
    assert sorted(one) == sorted(
        f"{name}.{suffix}" for name in ("a", "b", "c", os.path.join("sub", "a")) for suffix in ("csv", "json")
    )


def test_drawings_come_in_the_order_of_the_inputs(detect: Detect, folder: Path) -> None:
    code, out, _ = detect(folder / "c.wav", folder / "a.wav", "--jobs", "2")
    assert code == 0
    assert [line for line in out.splitlines() if ".wav" in line] == [
        f"{folder / 'c.wav'}  0:03.00",
        f"{folder / 'a.wav'}  0:01.00",
    ]


@posix
def test_a_worker_that_dies_costs_its_own_file_only(detect: Detect, folder: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def kill_its_reader() -> None:
        with open(pipe, "wb"):  # opens when the worker does
            (worker,) = multiprocessing.active_children()
            os.kill(int(worker.pid or 0), signal.SIGKILL)

    killer = threading.Thread(target=kill_its_reader)
    killer.start()
    code, out, err = detect(folder / "a.wav", pipe, folder / "b.wav", "-o", tmp_path / "out", "--jobs", "1")
    killer.join()
    assert code == 1
    assert err.splitlines() == [
        f"earmark: {pipe}: the process working on it died (SIGKILL); it may be damaged: convert it first",
        "earmark: 1 of 3 files failed",
    ]
    assert out.startswith("2 files, 0:00:03 of audio")
    assert sorted(contents(tmp_path / "out")) == ["a.csv", "b.csv"]


def _listen() -> None:
    """Undo that signals are ignored, as they are where these tests run under nohup or in the background."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interruption_keeps_finished_results_and_leaves_no_others(
    folder: Path, tmp_path: Path, tiny_model_path: Path, name: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = subprocess_command(
        tiny_model_path, folder / "a.wav", pipe, "-o", tmp_path / "out", "--jobs", "1"
    )
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_listen,
    )
    with open(pipe, "wb"):  # opens when the worker has come to it
        if name == "SIGTERM":
            process.terminate()
        else:
            os.killpg(process.pid, getattr(signal, name))  # as a terminal does
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"earmark: interrupted: 1 of 2 files are done\n")
    assert list(contents(tmp_path / "out")) == ["a.csv"]


@posix
def test_a_second_signal_ends_what_waits_for_a_server(tiny_model_path: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/show.mp3"
        process = subprocess.Popen(
            subprocess_command(tiny_model_path, address, "-o", tmp_path / "out"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_listen,
        )
        with server.accept()[0] as silent:
            silent.recv(1)  # the request is there
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=15)
    assert (process.returncode, out, err) == (130, b"", b"earmark: interrupted\n")
    assert contents(tmp_path / "out") == {}


# -- the program ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["detect", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from earmark.cli.app import run; run(sys.argv[1:]); "
        "print(sorted({'numpy', 'av', 'onnxruntime', 'torch', 'soxr'} & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )
    assert ended.stderr == "[]\n"
    assert ended.stdout.strip()


def test_the_package_runs_as_the_program() -> None:
    command = [sys.executable, "-m", "earmark", "detect", "--unknown"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "earmark: no such option: --unknown; see 'earmark detect --help'\n"


def test_unknown_commands_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detekt"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("earmark: no such command 'detekt'")


@pytest.mark.parametrize("command", ["train", "bench"])
def test_a_missing_extra_is_named(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("earmark.cli.app.import_module", missing)
    assert run([command]) == 2
    assert capsys.readouterr().err == (
        "earmark: this needs the package 'torch', which is not installed; run: pip install 'earmark[train]'\n"
    )
