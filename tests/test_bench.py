"""Benchmarks on made-up sources and a model that knows tones: low is speech, high is music."""

import csv
import json
import os
import sys
from itertools import pairwise

import av
import numpy as np
import pytest

from earmark.audio import open_audio
from earmark.bench import signals, speed
from earmark.bench.clips import read_clips, score_clips
from earmark.bench.detector import CONDITIONS, score_detector
from earmark.bench.goals import read_goals, with_goals
from earmark.bench.processes import Run, run_measured
from earmark.bench.programmes import PARTS, Studio, plan_part, programme_lengths
from earmark.bench.report import Figure, Goal, figures_table, groups_table, write_report
from earmark.bench.tools import check_tools
from earmark.cli.app import run
from earmark.detector import Detector
from earmark.errors import ConfigError, EarmarkError
from earmark.sources import read_index

HZ = {"speech": 500, "music": 4500, "noise": 1800}
COLUMNS = ["path", "content", "detail", "vocals", "seconds", "fold", "source", "group", "language", "licence"]


def write_wav(path, samples, rate=16_000):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            (samples * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_tone(seconds, hz):
    return (0.2 * np.sin(2 * np.pi * hz * np.arange(int(16_000 * seconds)) / 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Index of two speakers, three pieces of music (one sung), two noises and five benchmark clips."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = [
        ("s0", "speech", "", "", 0, "talk"),
        ("s1", "speech", "", "", 1, "talk"),
        ("m0", "music", "", "", 0, "tunes"),
        ("m1", "music", "", "", 1, "tunes"),
        ("v0", "music", "", "solo singing", 0, "songs"),
        ("n0", "noise", "", "", 0, "sounds"),
        ("n1", "noise", "suspect label", "", 0, "sounds"),
        ("b0", "benchmark", "speech", "", 0, "set"),
        ("b1", "benchmark", "rock", "", 0, "set"),
        ("b2", "benchmark", "rock", "", 1, "set"),
        ("b3", "field recording", "noise", "", 1, "field"),
        ("b4", "field recording", "speech", "", 2, "field"),
    ]
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, content, detail, vocals, fold, origin in rows:
            kind = content if content in HZ else detail if detail in HZ else "music"
            # b4 is labelled speech and sounds like music: what is reported must show that.
            write_wav(folder / f"{name}.wav", make_tone(6, HZ["music" if name == "b4" else kind]))
            writer.writerow([f"{name}.wav", content, detail, vocals, 6.0, fold, origin, name, "", "CC0"])
    return folder / "index.csv"


@pytest.fixture(scope="module")
def tiny(tiny_model_path):
    return Detector(tiny_model_path)


def test_a_detector_that_knows_the_sounds_scores_high_everywhere(index, tiny):
    figures, details = score_detector(read_index(index), tiny, 0.03, seed=3)
    value = {f.key: f.value for f in figures}
    assert set(CONDITIONS) | set(PARTS) == {f.group for f in figures} == set(details)
    for condition in CONDITIONS:
        # A telephone passes no music of this pitch.
        if condition != "telephone 8 kHz":
            assert value[f"{condition}: music F"] > 0.9
            assert value[f"{condition}: four-state accuracy"] > 0.85
        assert value[f"{condition}: speech F"] > 0.9
    # Faded ends are heard for longer than the model reacts.
    assert value["clean: speech boundary F (0.5 s)"] > 0.5
    assert value["telephone 8 kHz: music F"] < 0.1
    assert value["singing: speech reported"] == 0
    assert value["singing, accompanied: music missed"] < 0.05
    assert value["noise: either reported"] < 0.05
    assert value["plain speech: speech missed"] < 0.05


def test_parts_without_sources_have_no_figures(index, tiny):
    speech = [s for s in read_index(index) if s.content == "speech"]
    figures, _ = score_detector(speech, tiny, 0.005, seed=0)
    assert {f.group for f in figures} == {*CONDITIONS, "plain speech"}
    fewer, _ = score_detector(speech, tiny, 0.005, seed=0, codecs=False)
    assert fewer == [f for f in figures if f.group in ("clean", "plain speech")]
    overlap = next(f for f in figures if f.key == "clean: overlap F")
    assert (overlap.value, overlap.text) == (None, "–")


def test_accompaniment_sounds_under_the_whole_song(index):
    sources = read_index(index)
    (planned,) = plan_part(sources, PARTS["singing, accompanied"], [40.0], np.random.default_rng(1))
    backing = sorted((e.start, e.end) for e in planned.events if not sources[e.source].sung)
    assert backing[0][0] == 0
    assert backing[-1][1] == pytest.approx(40)
    assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(backing))
    samples, reference = Studio(sources).make(planned)
    assert len(samples) == 40 * 16_000
    assert reference.durations()["music"] == pytest.approx(40, abs=0.1)


def test_every_recording_of_a_part_has_its_turn(index):
    sources = read_index(index)
    planned = plan_part(sources, PARTS["noise"], [120.0] * 3, np.random.default_rng(1))
    heard = [e.source for programme in planned for e in programme.events]
    wanted = {i for i, source in enumerate(sources) if source.content == "noise"}
    counts = [heard.count(i) for i in wanted]
    assert set(heard) == wanted
    assert max(counts) - min(counts) <= 1


def test_programmes_are_at_most_ten_minutes():
    assert programme_lengths(3600) == [600.0] * 6
    assert programme_lengths(610) == [305.0, 305.0]


def test_no_hours_are_refused(index, tiny):
    with pytest.raises(ConfigError, match="above 0"):
        score_detector(read_index(index), tiny, 0, seed=0)


def test_bench_detector_repeats_with_its_seed_and_writes_what_it_did(
    index, tiny_model_path, tmp_path, capsys
):
    goals = tmp_path / "goals.json"
    goals.write_text(
        '{"clean: four-state accuracy": {"at_least": 0.5}, "noise: either reported": {"at_most": -0.5}}'
    )
    reports = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        out = tmp_path / "new" / f"{name}.json"
        arguments = ["bench", "detector", "--index", index, "--hours", 0.005, "--seed", seed]
        arguments += ["--origin", "talk", "--origin", "tunes", "--origin", "sounds", "--fold", 0]
        arguments += ["--model", tiny_model_path, "--goals", goals, "--out", out]
        assert run([str(a) for a in arguments]) == 0
        reports.append(json.loads(out.read_text(encoding="utf-8")))
    first, again, other = reports
    assert first == again
    assert first["figures"] != other["figures"]
    assert first["config"]["model"]["name"] == "tiny"
    assert len(first["config"]["model"]["sha256"]) == 64
    assert first["config"]["seed"] == 5
    assert first["details"]["sources"] == 3  # fold 0 without the suspect noise and the song
    met = {f"{f['group']}: {f['name']}": f["met"] for f in first["figures"]}
    assert met["clean: four-state accuracy"] is True
    assert met["noise: either reported"] is False
    assert met["clean: music F"] is None
    table = capsys.readouterr().out
    assert "≥ 50.0 %" in table
    assert "≤ -50.0 %" in table


def test_clips_show_what_is_reported_by_class(index, tiny):
    tables = score_clips(read_clips(index), tiny.detect)
    assert set(tables) == {"set: speech", "set: rock", "field: noise", "field: speech"}
    assert tables["set: speech"].reported()["speech"] > 0.95
    assert tables["set: rock"].cells.sum() == 1200
    assert tables["field: noise"].reported()["neither"] > 0.95
    assert tables["field: speech"].reported("speech")["music"] > 0.95
    assert tables["field: speech"].accuracy < 0.05


def test_clips_are_chosen_by_fold_and_collection(index):
    assert [c.detail for c in read_clips(index, folds={1})] == ["rock", "noise"]
    assert [c.fold for c in read_clips(index, origins={"field"})] == [1, 2]
    with pytest.raises(ConfigError, match="set fold 1"):
        read_clips(index, folds={7})


def test_an_index_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_clips(tmp_path / "no.csv")
    (tmp_path / "bad.csv").write_text("path,content\na.wav,benchmark\n")
    with pytest.raises(ConfigError, match="no column detail, fold, source"):
        read_clips(tmp_path / "bad.csv")


def test_bench_clips_prints_a_class_a_row(index, tiny_model_path, tmp_path, capsys):
    out = tmp_path / "clips.json"
    arguments = ["bench", "clips", "--index", index, "--fold", 0, "--model", tiny_model_path, "-o", out]
    assert run([str(a) for a in arguments]) == 0
    printed = capsys.readouterr().out
    assert "set: speech" in printed
    assert "[bold]" not in printed
    assert set(json.loads(out.read_text(encoding="utf-8"))["details"]["cells"]) == {
        "set: speech",
        "set: rock",
    }


@pytest.mark.parametrize("kind", signals.FORMATS, ids=lambda kind: kind.suffix)
def test_made_up_recordings_have_their_format_and_length(kind, tmp_path):
    path = signals.encode(tmp_path / f"x{kind.suffix}", kind, signals.material(1.0), times=3)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (kind.sample_rate, kind.channels)
        n_samples = sum(frame.samples for frame in container.decode(stream))
    assert n_samples / kind.sample_rate == pytest.approx(3.0, abs=0.1)


def test_joined_recordings_last_as_long_as_their_pieces(tmp_path):
    piece = signals.encode(tmp_path / "piece.mp3", signals.MP3, signals.material(1.0))
    with av.open(str(signals.join(tmp_path / "long.mp3", piece, 20))) as container:
        seconds = sum(f.samples / f.sample_rate for f in container.decode(audio=0))
    assert seconds == pytest.approx(20, abs=2)


def test_made_up_video_has_pictures_as_long_as_its_sound(tmp_path):
    kind = signals.FORMATS[-1]
    path = signals.encode(tmp_path / "x.mp4", kind, signals.material(1.5), times=2)
    with av.open(str(path)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times == pytest.approx(np.arange(75) / 25)
    with open_audio(path) as audio:
        assert sum(map(len, audio)) / 16_000 == pytest.approx(3.0, abs=0.1)
        assert audio.warnings == []


def test_speed_is_measured_beside_its_floor(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "_SHORT_S", 5.0)
    monkeypatch.setattr(speed, "_PIECE_S", 5.0)
    monkeypatch.setattr(speed, "_CLIPS", 3)
    monkeypatch.setattr(speed, "usable_cores", lambda: 2)
    monkeypatch.setattr(speed, "first_result_cpu_s", lambda path, model, repeats: 0.5)
    path = tmp_path / "x.wav"
    write_wav(path, make_tone(20, 500))
    figures, details = speed.measure_speed([str(path)], str(tiny_model_path), hours=0.005, repeats=1)
    value = {f.key: f.value for f in figures}
    run_of = details["runs"]["x.wav"]
    assert {run["audio_s"] for run in run_of.values()} == {20}
    total, floor = (value[f"x.wav: {name}"] for name in ("whole detection", "floor: decoding"))
    assert 0 < floor < total
    assert value["x.wav: ratio to floor"] == pytest.approx(total / floor)
    assert total == pytest.approx(3600 * run_of["detect"]["cpu_s"] / 20)
    assert value["x.wav: speed"] == pytest.approx(20 / run_of["detect"]["wall_s"])
    assert value["x.wav: two cores: speed"] == pytest.approx(20 / run_of["detect, two cores"]["wall_s"])
    assert 20 < value["x.wav: memory"] < 1000
    clip = "clips of 2 s, WAV 16 kHz mono"
    assert details["runs"][clip]["detect"]["audio_s"] == pytest.approx(6, abs=0.1)
    assert 0 < value[f"{clip}: floor: decoding"] < value[f"{clip}: whole detection"]
    assert 20 < value["peak memory: 10 minutes"] < 1000
    assert value["start: result of 10 s"] == 0.5


def test_runs_take_turns_and_the_least_of_each_cost_counts(tmp_path, monkeypatch):
    taken = []

    def measured(module, *arguments):
        taken.append((module.rpartition(".")[2], arguments[0], *arguments[3:4]))
        if arguments[0] == "broken":
            raise EarmarkError("it needs a key")
        n = len(taken)
        return Run(60.0, cpu_s=10.0 - n, wall_s=10.0 + n, peak_mb=100.0)

    monkeypatch.setattr(speed, "run_measured", measured)
    monkeypatch.setattr(speed, "usable_cores", lambda: 2)
    runs, failures = speed._measure({"x": tmp_path}, {}, "m", 2, ["tool", "broken"], lambda _: None)
    once = [("worker", "floor", 1), ("worker", "detect", 1), ("worker", "detect", 2), ("tools", "tool")]
    assert taken == [*once, ("tools", "broken"), *once]
    assert failures == {"broken": "it needs a key"}
    assert runs["x"]["floor"] == Run(60.0, cpu_s=4.0, wall_s=11.0, peak_mb=100.0)
    assert set(runs["x"]) == {"floor", "detect", "detect, two cores", "tool"}
    assert [f.value for f in speed._tool_figures("broken", runs["x"].get("broken"))] == [None] * 3


def test_another_tool_is_measured_in_its_own_process(tmp_path, monkeypatch):
    # A stand-in with webrtcvad's interface, found before any that is installed.
    (tmp_path / "webrtcvad.py").write_text(
        "print('loading')\n"
        "class Vad:\n"
        "    def __init__(self, mode): assert mode == 2\n"
        "    def is_speech(self, data, rate): assert (len(data), rate) == (960, 16000)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    write_wav(tmp_path / "x.wav", make_tone(2.5, 500))
    run_of = run_measured("earmark.bench.tools", "webrtcvad", tmp_path / "x.wav")
    assert run_of.audio_s == 2.5
    assert run_of.cpu_s > 0


def test_tools_that_are_not_there_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("earmark.bench.tools.find_spec", lambda name: None)
    assert check_tools(None) == {}
    assert run(["bench", "speed", "--tool", "silero-vad"]) == 2
    assert "--tool silero-vad: it is not installed here; pip install silero-vad" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="--tool x: there are webrtcvad, silero-vad, ina"):
        check_tools(["x"])


def test_groups_stand_in_rows():
    figures = [Figure("a", "x", 1.5, "s"), Figure("a", "y", None, "MB"), Figure("b", "y", 2.0, "MB")]
    table = groups_table("t", figures)
    assert [column.header for column in table.columns] == ["", "x\ns", "y\nMB"]
    assert [list(column.cells) for column in table.columns] == [["a", "b"], ["1.5", ""], ["–", "2"]]


def test_a_measured_process_that_fails_says_why(tiny_model_path, tmp_path):
    with pytest.raises(EarmarkError, match=r"gone\.wav' does not exist"):
        run_measured("earmark.bench.worker", "floor", tmp_path / "gone.wav", tiny_model_path, 1, 1)


def test_a_start_without_a_result_is_not_timed(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "_START", "pass")
    with pytest.raises(EarmarkError, match="wrote no result"):
        speed.first_result_cpu_s(tmp_path / "x.wav", str(tiny_model_path), repeats=1)


def test_amounts_of_nothing_are_refused(tiny_model_path):
    with pytest.raises(ConfigError, match="above 0"):
        speed.measure_speed([], str(tiny_model_path), repeats=0)


def test_goals_stand_beside_their_figures(tmp_path):
    path = tmp_path / "goals.json"
    path.write_text('{"a: x": {"at_least": 2}, "b: y": {"at_most": 0.1}}')
    figures = with_goals([Figure("a", "x", 1.5, "s"), Figure("b", "y", 0.1)], read_goals(path))
    assert [(f.goal_text, f.verdict) for f in figures] == [("≥ 2 s", "no"), ("≤ 10.0 %", "yes")]
    assert figures_table("t", figures).row_count == 2


@pytest.mark.parametrize(
    "text", ["[]", "no json", '{"a": 3}', '{"a": {"at_least": 1, "at_most": 2}}', '{"a": {"min": 1}}']
)
def test_goals_that_are_none_are_refused_before_anything_runs(text, tmp_path, index, capsys):
    path = tmp_path / "goals.json"
    path.write_text(text)
    assert run(["bench", "clips", "--index", str(index), "--goals", str(path), "--model", "no such"]) == 2
    assert "goal" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot write"):
        write_report(tmp_path, "x", {}, [Figure("a", "b", 1.0, "s", Goal(1))], {})
