"""earmark adapt: the last layer cut off and put back, its fit, the choice, reading, the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_CARD, tone, write_model
from onnx import helper

from earmark.audio_writer import write_audio
from earmark.card import DecodeOptions, ModelCard
from earmark.cli.app import run
from earmark.detector import detect
from earmark.errors import ConfigError, ModelError
from earmark.formats import write
from earmark.model import Model
from earmark.modelfile import open_session
from earmark.timeline import Segment, Timeline
from earmark.train.adapting import Marked, adapt, gathering, read_marked
from earmark.train.adapting.choice import choose, deal
from earmark.train.adapting.examples import LabelExamples, targets
from earmark.train.adapting.head import HeadedGraph
from earmark.train.adapting.hearing import Listener, hear_all
from earmark.train.adapting.regression import fit_changes, log_loss

RATE = 16_000
CARD = replace(TINY_CARD, name="banded", context=4)
LABELS = ("speech", "music")
LOW, MIDDLE, HIGH = 300.0, 1500.0, 6000.0


def write_banded_model(path: Path, card: ModelCard = CARD) -> Path:
    """Write a model with a last layer: low tones are speech, high ones music, those between are neither.

    A step answers for two frames; its channels are the levels of eight groups of bands.
    """
    node = helper.make_node
    n_labels, n_channels = len(card.labels), 8
    bands = np.zeros((n_channels, 64, 3), np.float32)
    for channel in range(n_channels):
        bands[channel, 8 * channel : 8 * channel + 8] = 0.01
    last = np.zeros((2, n_labels, n_channels), np.float32)
    last[:, 0, :2], last[:, 1, 6:] = 2.0, 2.0
    nodes = [
        node("Add", ["log_mel", "shift"], ["levels"]),
        node("Relu", ["levels"], ["heard"]),
        node("Conv", ["heard", "bands"], ["grouped"], kernel_shape=[3], strides=[2], pads=[1, 1]),
        node("Relu", ["grouped"], ["hidden"]),
        node("Conv", ["hidden", "last", "bias"], ["rows"], kernel_shape=[1]),
        node("Reshape", ["rows", "apart"], ["split"]),
        node("Transpose", ["split"], ["turned"], perm=[0, 3, 1, 2]),
        node("Reshape", ["turned", "joined"], ["frames"]),
        node("Shape", ["log_mel"], ["length"], start=2, end=3),
        node("Slice", ["frames", "first", "length", "axis"], ["logits"]),
        node("Sigmoid", ["logits"], ["posteriors"]),
    ]
    weights = {
        "shift": np.array([90], np.float32),
        "bands": bands,
        "last": last.reshape(-1, n_channels, 1),
        "bias": np.full(2 * n_labels, -9, np.float32),
        "apart": np.array([1, 2, n_labels, -1], np.int64),
        "joined": np.array([1, -1, n_labels], np.int64),
        "first": np.array([0], np.int64),
        "axis": np.array([1], np.int64),
    }
    return write_model(path, nodes, weights, card, outputs=[("posteriors", (1, "T", n_labels))])


def headed(path: Path) -> HeadedGraph:
    return HeadedGraph(path.read_bytes(), Model.load(path).card, str(path))


def scene(take: int, hertz: Sequence[float], seconds: float = 2.0) -> np.ndarray:
    """Return tones that follow each other, in noise; another noise each take."""
    noise = np.random.default_rng(take).normal(0, 0.002, round(seconds * len(hertz) * RATE))
    return (np.concatenate([tone(seconds, each) for each in hertz]) + noise).astype(np.float32)


def marks(hertz: Sequence[float], names: dict[float, str], seconds: float = 2.0) -> Timeline:
    """Return the timeline of a scene, in which tones of a pitch have a label."""
    found = [
        Segment(seconds * i, seconds * (i + 1), names[each]) for i, each in enumerate(hertz) if each in names
    ]
    return Timeline.merged(found, seconds * len(hertz), LABELS)


@pytest.fixture(scope="module")
def banded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_banded_model(tmp_path_factory.mktemp("models") / "banded.onnx")


def recordings(folder: Path, names: dict[float, str], n: int = 4) -> list[Marked]:
    """Write scenes; tones of a pitch have a label."""
    folder.mkdir(exist_ok=True)
    marked = []
    for take in range(n):
        hertz = np.random.default_rng(take).permutation([LOW, MIDDLE, HIGH, MIDDLE]).tolist()
        path = folder / f"{take}.wav"
        write_audio(path, scene(take, hertz), RATE)
        write(marks(hertz, names), path.with_suffix(".json"))
        marked.append(Marked(path, marks(hertz, names), str(take)))
    return marked


RIGHT = {LOW: "speech", HIGH: "music"}
OTHER = {LOW: "speech", MIDDLE: "speech", HIGH: "music"}


# The graph


def test_a_head_put_back_as_it_was_gives_the_same_posteriors_to_the_bit(banded: Path) -> None:
    graph = headed(banded)
    log_mel = np.random.default_rng(1).uniform(-90, 0, (1, 64, 999)).astype(np.float32)
    found = [
        open_session(data, "a model").run(["posteriors"], {"log_mel": log_mel})[0]
        for data in (banded.read_bytes(), graph.with_head(graph.head, graph.card))
    ]
    assert found[0].std() > 0
    assert np.array_equal(*found)


def test_new_labels_leave_the_others_alone_and_a_graph_can_be_adapted_twice(banded: Path) -> None:
    data, card = banded.read_bytes(), CARD
    for name in ("jingle", "applause"):
        graph = HeadedGraph(data, card, "a model")
        card = replace(card, labels=(*card.labels, name), decode={**card.decode, name: DecodeOptions()})
        changes = np.zeros((len(card.labels), 9))
        changes[-1, -1] = 2.0
        data = graph.with_head(graph.head.changed(changes), card)
    log_mel = np.random.default_rng(1).uniform(-90, 0, (1, 64, 99)).astype(np.float32)
    before, after = (
        open_session(each, "a model").run(["posteriors"], {"log_mel": log_mel})[0]
        for each in (banded.read_bytes(), data)
    )
    np.testing.assert_allclose(after[..., :3], before, atol=1e-6)
    np.testing.assert_allclose(after[..., 3:], 1 / (1 + np.exp(-2.0)), atol=1e-6)


def test_activations_and_head_give_the_posteriors_of_long_recordings(banded: Path, tmp_path: Path) -> None:
    samples = np.concatenate([scene(0, [LOW, HIGH], 65.0), np.zeros(RATE), scene(1, [MIDDLE], 5.0)])
    write_audio(tmp_path / "a.wav", samples.astype(np.float32), RATE)
    graph, model = headed(banded), Model.load(banded)
    ((_, heard),) = hear_all(
        [str(tmp_path / "a.wav")], Listener(graph.cut(), graph.card, 2, 8, 3), 1, lambda n: None
    )
    wanted = model.posteriors(samples, RATE)
    assert heard.seconds == wanted.duration
    assert np.all(heard.frames % 3 == 0)
    found = 1 / (1 + np.exp(-graph.head.logits(heard.hidden, heard.frames)))
    np.testing.assert_allclose(found, wanted.values[heard.frames], atol=1e-3)
    left_out = np.setdiff1d(np.arange(0, len(wanted), 3), heard.frames)
    assert 10 < len(left_out) < 20
    assert not wanted.values[left_out].any()


def test_other_models_are_refused_in_one_line(tiny_model_path: Path, strided_model_path: Path) -> None:
    for path in (tiny_model_path, strided_model_path):
        with pytest.raises(ModelError, match=r"cannot be adapted: .*; give 'detector'") as refused:
            headed(path)
        assert str(path) in str(refused.value)
    with pytest.raises(ModelError, match="'embedder' cannot be adapted"):
        adapt("embedder", [Marked(Path("a.wav"), Timeline([Segment(0, 1, "speech")]), "a")])


# The fit


def test_newton_finds_where_the_gradient_is_zero() -> None:
    rng = np.random.default_rng(0)
    hidden = np.column_stack([rng.normal(0, [1.0, 10.0, 0.0], (500, 3)), np.ones(500)])
    offset = rng.normal(size=500)
    marked = hidden[:, 0] + 0.1 * hidden[:, 1] + rng.normal(size=500) > 0.5
    loose, tight = fit_changes(hidden, offset, marked, (0.1, 1e-3))[[1, 0]]
    for change, penalty in ((loose, 1e-3), (tight, 0.1)):
        p = 1 / (1 + np.exp(-offset - hidden @ change))
        gradient = hidden.T @ (p - marked) / 500 + penalty * change * np.mean(hidden**2, axis=0)
        np.testing.assert_allclose(gradient, 0, atol=0.02)
    assert np.linalg.norm(tight) < np.linalg.norm(loose)
    assert log_loss(offset + hidden @ loose, marked).mean() < log_loss(offset, marked).mean()


def test_what_only_noise_can_teach_is_left_as_it_was() -> None:
    rng = np.random.default_rng(0)
    hidden = np.column_stack([rng.normal(size=(400, 40)), np.ones(400)])
    offset = rng.normal(0, 2, 400)
    marked = rng.uniform(size=400) < 1 / (1 + np.exp(-offset))
    group = np.repeat(np.arange(4), 100)
    found = choose(LabelExamples(hidden, offset, marked, group), deal(group), 0.5, new=False)
    assert found.penalty is None
    assert not found.change.any()
    assert found.before == found.after
    assert found.before is not None
    assert found.before.n_all == 400


def test_groups_are_dealt_to_parts_of_about_one_size() -> None:
    group = np.repeat(np.arange(7), [50, 10, 10, 10, 10, 5, 5])
    part = deal(group, 3)
    assert all(len(set(part[group == one])) == 1 for one in range(7))
    assert sorted(np.bincount(part)) == [25, 25, 50]


def test_targets_are_uncertain_near_edges() -> None:
    timeline = Timeline([Segment(1.0, 2.0, "music")], 3.0, LABELS)
    marked, certain = targets(timeline, LABELS, np.arange(150), 0.02)
    assert np.array_equal(np.flatnonzero(marked[:, 1]), np.arange(50, 100))
    assert np.array_equal(np.flatnonzero(~certain[:, 1]), [*range(45, 55), *range(95, 105)])
    assert not marked[:, 0].any()
    assert certain[:, 0].all()


# The whole


def test_a_detector_learns_what_is_marked(banded: Path, tmp_path: Path) -> None:
    told: list[str] = []
    adapted = adapt(banded, recordings(tmp_path / "in", OTHER), tell=told.append)
    report = adapted.report
    assert (report.recordings, report.seconds, report.changed) == (4, 32.0, True)
    assert (report.labels, report.new_labels) == (CARD.labels, ())
    assert report.before["speech"] < 0.9
    assert report.after["speech"] > 0.95
    assert report.after["music"] >= report.before["music"]
    assert any("'noise' is looked for in no timeline" in note for note in report.notes)
    assert any("speech" in text for text in told)
    adapted.write(tmp_path / "mine.onnx")
    found = detect(scene(9, [MIDDLE, HIGH]), RATE, model=tmp_path / "mine.onnx")
    assert {s.label for s in found} == {"speech", "music"}
    assert found["speech"].durations()["speech"] == pytest.approx(2.0, abs=0.2)


def test_the_same_recordings_give_the_same_file(banded: Path, tmp_path: Path) -> None:
    marked = recordings(tmp_path / "in", OTHER, 2)
    for name in ("a.onnx", "b.onnx"):
        adapt(banded, marked).write(tmp_path / name, "mine")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_the_card_says_what_it_was_adapted_from(banded: Path, tmp_path: Path) -> None:
    base = replace(CARD, sources=({"name": "a corpus", "licences": ["CC0"]},))
    write_banded_model(tmp_path / "base.onnx", base)
    adapt(tmp_path / "base.onnx", recordings(tmp_path / "in", OTHER)).write(tmp_path / "mine.onnx")
    card = Model.load(tmp_path / "mine.onnx").card
    assert card.name == "mine"
    assert card.sources[0] == {"name": "a corpus", "licences": ["CC0"]}
    assert card.trained["adapted from"]["name"] == "banded"
    assert len(card.trained["adapted from"]["sha256"]) == 64
    assert card.metrics["frame F on recordings left out"]["speech"]["after"] > 0.95
    assert card.decode == CARD.decode


def test_a_new_label_becomes_a_lane(banded: Path, tmp_path: Path) -> None:
    adapted = adapt(banded, recordings(tmp_path / "in", {**RIGHT, MIDDLE: "jingle"}))
    assert adapted.report.new_labels == ("jingle",)
    assert "jingle" not in adapted.report.before
    assert adapted.report.after["jingle"] > 0.95
    adapted.write(tmp_path / "mine.onnx")
    found = detect(scene(9, [HIGH, MIDDLE]), RATE, model=tmp_path / "mine.onnx")
    assert found["jingle"].segments[0].start == pytest.approx(2.0, abs=0.2)
    assert Model.load(tmp_path / "mine.onnx").card.decode["jingle"] == DecodeOptions()


def test_one_recording_is_learned_but_not_measured(banded: Path, tmp_path: Path) -> None:
    adapted = adapt(banded, recordings(tmp_path / "in", OTHER, 1))
    assert (adapted.report.before, adapted.report.after, adapted.report.changed) == ({}, {}, True)
    assert "one recording" in adapted.report.notes[0]
    adapted.write(tmp_path / "mine.onnx")
    found = detect(scene(9, [MIDDLE, HIGH]), RATE, model=tmp_path / "mine.onnx")
    assert found.durations()["speech"] > 1.5


def test_what_is_learned_from_is_bounded_and_evenly_spaced(
    banded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "_MOST_FRAMES", 100)
    report = adapt(banded, recordings(tmp_path / "in", OTHER)).report
    assert report.after["speech"] > 0.9
    assert "there is much to learn from: one frame every 0.4 s was taken" in report.notes


def test_a_label_that_is_nowhere_is_told_about(banded: Path, tmp_path: Path) -> None:
    report = adapt(banded, recordings(tmp_path / "in", {HIGH: "music", MIDDLE: "music"})).report
    assert "speech" not in report.before
    assert any("'speech' is nowhere in these recordings" in note for note in report.notes)


def test_unusable_recordings_are_listed_and_the_others_go_on(banded: Path, tmp_path: Path) -> None:
    marked = recordings(tmp_path / "in", OTHER, 3)
    marked[0].path.write_bytes(b"no sound")
    marked[1] = replace(marked[1], timeline=replace(marked[1].timeline, duration=20.0))
    report = adapt(banded, marked).report
    assert report.recordings == 1
    assert list(report.failed) == [str(marked[0].path), str(marked[1].path)]
    assert "ends at 20.00 s, the recording at 8.00 s" in report.failed[str(marked[1].path)]
    with pytest.raises(ConfigError, match="of 2 recordings, none can be learned from; the first"):
        adapt(banded, marked[:2])


def test_labels_that_do_not_fit_are_refused(banded: Path) -> None:
    def one(*labels: str) -> list[Marked]:
        return [Marked(Path("a.wav"), Timeline([Segment(0, 1, label) for label in labels], 2.0), "a")]

    with pytest.raises(ConfigError, match=r"mark Sprache; 'banded' knows .*: none in common"):
        adapt(banded, one("Sprache"))
    with pytest.raises(ConfigError, match="label 'Music' is not 'music'"):
        adapt(banded, one("speech", "Music"))
    with pytest.raises(ConfigError, match="mark nothing"):
        adapt(banded, one())


# Reading, and the command


def test_folders_and_tables_are_read(tmp_path: Path) -> None:
    recordings(tmp_path / "in", RIGHT, 2)
    (tmp_path / "in" / "deep").mkdir()
    write_audio(tmp_path / "in" / "deep" / "alone.wav", scene(0, [LOW]), RATE)
    write(Timeline([Segment(0, 1, "speech")]), tmp_path / "in" / "lost.csv")
    marked, problems = read_marked(tmp_path / "in")
    assert [one.group for one in marked] == ["0.wav", "1.wav"]
    assert marked[0].timeline.duration == 8.0
    assert "alone.wav: it has no timeline" in problems[0]
    assert "lost.csv: there is no recording" in problems[1]
    table = tmp_path / "timelines.csv"
    table.write_text("path,timeline,group\nin/0.wav,in/0.json,a\nin/1.wav,in/1.json,\nin/2.wav,in/2.json,\n")
    marked, problems = read_marked(table)
    assert [one.group for one in marked] == ["a", str(tmp_path / "in" / "1.wav")]
    assert problems == [f"{tmp_path / 'in' / '2.wav'}: no such file (timelines.csv, line 4)"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,label\na.wav,speech\n", "has no column timeline"),
        ("path,timeline\na.wav,\n", "line 2: path or timeline is empty"),
        ("path,timeline\na.wav,a.csv\n", "names no recording and timeline that are there"),
        ("path,timeline\n", "names no recording"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_marked(tmp_path / "t.csv")


def test_two_timelines_of_a_recording_are_refused(tmp_path: Path) -> None:
    recordings(tmp_path, RIGHT, 1)
    write(Timeline([Segment(0, 1, "speech")]), tmp_path / "0.csv")
    with pytest.raises(ConfigError, match="are of one recording; keep one"):
        read_marked(tmp_path)


def test_the_command_writes_a_model_that_the_others_take(
    banded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings(tmp_path / "in", OTHER, 3)
    mine = str(tmp_path / "new" / "mine.onnx")
    assert run(["adapt", str(tmp_path / "in"), "-o", mine, "--model", str(banded), "-j", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["after"]["speech"] > report["before"]["speech"]
    assert run(["models", "show", mine]) == 0
    assert "adapted from.name" in capsys.readouterr().out
    assert run(["detect", str(tmp_path / "in" / "0.wav"), "--model", mine]) == 0
    assert "speech" in capsys.readouterr().out


def test_the_command_ends_with_1_if_something_was_left_out(
    banded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marked = recordings(tmp_path / "in", OTHER, 3)
    marked[2].path.with_suffix(".json").unlink()
    marked[1].path.write_bytes(b"no sound")
    mine = tmp_path / "mine.onnx"
    assert run(["adapt", str(tmp_path / "in"), "-o", str(mine), "--model", str(banded), "-j", "1"]) == 1
    out, err = capsys.readouterr()
    assert "2.wav: it has no timeline" in err
    assert "1.wav" in err
    assert "1 recordings" in out
    assert mine.is_file()


def test_nothing_is_written_if_nothing_is_better(
    banded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapted = adapt(banded, recordings(tmp_path / "in", RIGHT))
    unchanged = replace(adapted, report=replace(adapted.report, changed=False))
    with pytest.raises(ConfigError, match="'banded' was best as it is"):
        unchanged.write(tmp_path / "mine.onnx")
    assert run(["adapt", str(tmp_path / "none"), "-o", str(tmp_path / "a.onnx")]) == 2
    assert run(["adapt", str(tmp_path / "in"), "-o", str(tmp_path / "a.txt")]) == 2
    capsys.readouterr()
