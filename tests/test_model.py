"""Model: what is refused on loading, and chunks that equal one run over everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr
from conftest import TINY_CARD, write_model, write_tiny_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from earmark import posteriorstream
from earmark.card import ModelCard
from earmark.errors import AudioError, ConfigError, ModelError
from earmark.features import FrontEnd, log_mel
from earmark.model import Model
from earmark.modelfile import embedded_models
from earmark.posteriors import Posteriors
from earmark.posteriorstream import PosteriorStream

Tone = Callable[..., np.ndarray]
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tiny(tiny_model_path: Path) -> Model:
    return Model.load(tiny_model_path)


@pytest.fixture(scope="module")
def strided(strided_model_path: Path) -> Model:
    return Model.load(strided_model_path)


def random_mel(n_frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-90, 0, (64, n_frames)).astype(np.float32)


def streamed(model: Model, mel: np.ndarray, cuts: list[int]) -> Posteriors:
    stream = PosteriorStream(model)
    parts = [stream.push(block) for block in np.split(mel, cuts, axis=1)]
    return Posteriors.concatenate([*parts, stream.flush()])


# -- loading -------------------------------------------------------------------------------------


def test_a_model_carries_its_card(tiny: Model, tiny_model_path: Path) -> None:
    assert tiny.labels == ("speech", "music", "noise")
    assert tiny.card == TINY_CARD
    assert tiny.origin == str(tiny_model_path)


def refuse(path: Path | str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as refused:
        Model.load(path)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused_and_the_built_in_models_named(tmp_path: Path) -> None:
    refuse(tmp_path / "none.onnx", "no model .*built-in model")
    refuse("no such model", "no model")
    refuse(tmp_path, "no model")


def test_a_damaged_file_is_refused(tiny_model_path: Path, tmp_path: Path) -> None:
    for i, data in enumerate((b"", b"not a model", tiny_model_path.read_bytes()[:900])):
        path = tmp_path / f"{i}.onnx"
        path.write_bytes(data)
        refuse(path, "no ONNX model that can be run .* get it again")


def test_a_file_without_a_card_is_refused(tmp_path: Path) -> None:
    refuse(write_tiny_model(tmp_path / "a.onnx", None), "has no model card")


def test_a_broken_card_is_refused(tmp_path: Path) -> None:
    class Broken(ModelCard):
        def to_json(self) -> str:
            return '{"name": "half a card"'

    card = Broken(**{name: getattr(TINY_CARD, name) for name in TINY_CARD.__dataclass_fields__})
    refuse(write_tiny_model(tmp_path / "a.onnx", card), "card in .* cannot be read")


def test_a_card_with_other_bands_or_labels_is_refused(tmp_path: Path) -> None:
    bands = replace(TINY_CARD, front_end=FrontEnd(n_mels=80))
    refuse(
        write_tiny_model(tmp_path / "bands.onnx", bands), "shape .*1, 64, 'T'.* its card says 80 mel bands"
    )
    labels = replace(TINY_CARD, labels=("speech", "music"))
    refuse(
        write_tiny_model(tmp_path / "labels.onnx", labels),
        r"returned shapes \(1, 5, 3\).*must return \(1, 5, 2\)",
    )


def test_other_inputs_and_outputs_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Sigmoid", ["x"], ["y"])]
    path = write_model(
        tmp_path / "a.onnx",
        nodes,
        {},
        TINY_CARD,
        inputs=[("x", (1, 64, "T"))],
        outputs=[("y", (1, 64, "T"))],
    )
    refuse(path, "inputs x and outputs y; it must take 'log_mel' and return 'posteriors'")


def test_a_network_without_a_sigmoid_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["log_mel", "w"], ["h"], kernel_shape=[1]),
        helper.make_node("Transpose", ["h"], ["posteriors"], perm=[0, 2, 1]),
    ]
    path = write_model(tmp_path / "a.onnx", nodes, {"w": np.ones((3, 64, 1), np.float32)}, TINY_CARD)
    refuse(path, "no probabilities")


def test_no_thread_is_refused(tiny_model_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        Model.load(tiny_model_path, threads=0)


def test_embedded_models_are_found_by_name(
    tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "small.onnx").write_bytes(tiny_model_path.read_bytes())
    (tmp_path / "assets" / "README.md").touch()
    monkeypatch.setattr("earmark.modelfile.files", lambda package: tmp_path)
    assert embedded_models() == ["small"]
    assert Model.load("small").card.name == "tiny"


# -- chunks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 2999, 3000, 3001, 3028, 3029, 9005])
def test_chunks_equal_one_run(strided: Model, n_frames: int) -> None:
    mel = random_mel(n_frames)
    whole, _ = strided.run(mel)
    chunked = streamed(strided, mel, [])
    assert chunked.values.shape == (n_frames, 3)
    np.testing.assert_allclose(chunked.values, whole, atol=1e-5)
    assert np.std(whole[:, 0]) > 0.01 or n_frames < 10


@SLOW
@given(data=st.data(), n_frames=st.integers(1, 400))
def test_chunks_do_not_depend_on_how_the_frames_arrive(
    strided: Model, monkeypatch: pytest.MonkeyPatch, data: st.DataObject, n_frames: int
) -> None:
    monkeypatch.setattr(posteriorstream, "CORE_FRAMES", 60)
    mel = random_mel(n_frames, n_frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, n_frames), max_size=12)))
    found = streamed(strided, mel, cuts)
    assert np.array_equal(found.values, streamed(strided, mel, []).values)
    np.testing.assert_allclose(found.values, strided.run(mel)[0], atol=1e-5)


def test_too_little_margin_would_show(strided_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posteriorstream, "CORE_FRAMES", 60)
    monkeypatch.setattr(posteriorstream, "_PAUSE_S", 0.0)
    model = Model.load(strided_model_path)
    model.card = replace(model.card, context=4)
    mel = random_mel(400)
    assert np.abs(streamed(model, mel, []).values - model.run(mel)[0]).max() > 1e-3


def test_the_frames_held_do_not_grow(tiny: Model) -> None:
    stream = PosteriorStream(tiny)
    held = []
    for _ in range(40):
        stream.push(random_mel(500))
        held.append(stream._mel.shape[1])
    assert max(held) <= posteriorstream.CORE_FRAMES + 2 * 4 + 500


def test_frames_of_another_front_end_are_refused(tiny: Model) -> None:
    for mel in (np.zeros((80, 10), np.float32), np.zeros(64, np.float32)):
        with pytest.raises(ModelError, match="64 mel bands"):
            PosteriorStream(tiny).push(mel)


# -- signals -------------------------------------------------------------------------------------


def test_a_signal_gives_the_posteriors_of_its_log_mel(tiny: Model, tone: Tone) -> None:
    x = tone(3.01, 440, start=1, end=2) + tone(3.01, 5000, start=1.5)
    x += np.random.default_rng(0).normal(0, 1e-4, len(x)).astype(np.float32)
    found = tiny.posteriors(x, 16_000)
    values, ratio = tiny.run(log_mel(x, 16_000, tiny.card.front_end))
    np.testing.assert_allclose(found.values, values, atol=1e-6)
    assert found.speech_to_music_db is not None
    assert ratio is not None
    np.testing.assert_allclose(found.speech_to_music_db, ratio, atol=1e-4)
    assert found.duration == pytest.approx(3.01)
    wanted = [[1, 0, 0], [1, 1, 0], [0, 1, 0]]
    np.testing.assert_allclose(found.values[[60, 90, 120]], wanted, atol=0.01)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 96_000])
def test_an_empty_signal_has_no_frames(tiny: Model, rate: int) -> None:
    found = tiny.posteriors([], rate)
    assert found.values.shape == (0, 3)
    assert found.duration == 0


def test_digital_silence_has_no_label_but_faint_sound_has(tiny: Model) -> None:
    x = np.zeros(16_000, np.float32)
    assert not tiny.posteriors(x, 16_000).values.any()
    x[8000] = 0.01
    values = tiny.posteriors(x, 16_000).values
    assert values[25].min() > 0
    assert not values[:20].any()


def test_digital_silence_of_half_a_second_is_left_to_the_network(tiny: Model) -> None:
    x = np.random.default_rng(2).normal(0, 0.01, 6 * 16_000).astype(np.float32)
    x[16_000:24_000] = 0
    x[40_000:52_000] = 0
    x[-4000:] = 0
    silent = np.flatnonzero(~tiny.posteriors(x, 16_000).values.any(axis=1))
    assert silent[0] == pytest.approx(125, abs=2)
    runs = np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)
    assert [len(run) for run in runs] == pytest.approx([36, 12], abs=3)


def test_a_model_without_the_ratio_tells_none(tmp_path: Path, tone: Tone) -> None:
    model = Model.load(write_tiny_model(tmp_path / "a.onnx", ratio=False))
    assert model.posteriors(tone(0.1, 440), 16_000).speech_to_music_db is None


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 22_050.5])
def test_other_rates_are_resampled(tiny: Model, tone: Tone, rate: float) -> None:
    x = np.random.default_rng(1).normal(0, 0.1, round(20.3 * rate)).astype(np.float32)
    found = tiny.posteriors(x, rate)
    wanted = tiny.posteriors(soxr.resample(x, rate, 16_000), 16_000)
    assert np.array_equal(found.values, wanted.values)
    assert found.duration == pytest.approx(len(x) / rate, abs=1e-9)


@pytest.mark.parametrize("rate", [16_000, 11_025])
@pytest.mark.parametrize("seconds", [0.5, 5.99, 6.0, 6.01, 6.7, 7.2, 9.0, 13.333])
def test_parts_of_a_signal_are_what_is_there_in_the_whole(
    strided: Model, monkeypatch: pytest.MonkeyPatch, seconds: float, rate: int
) -> None:
    monkeypatch.setattr(posteriorstream, "CORE_FRAMES", 60)
    monkeypatch.setattr("earmark.features.logmel._FRAMES_PER_BLOCK", 16)
    assert strided.chunk_s == pytest.approx(1.2)
    x = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32)
    wanted = strided.posteriors(x, rate)
    for length in (1, 2, 5):
        n_parts = 12 // length
        parts = [
            Posteriors.concatenate(
                list(strided.stream_part([x], rate, part * length, length if part < n_parts - 1 else None))
            )
            for part in range(n_parts)
        ]
        found = Posteriors.concatenate([part for part in parts if len(part)])
        assert np.array_equal(found.values, wanted.values)
        assert found.duration == wanted.duration
        assert [len(part) for part in parts[:-1]] == [
            min(60 * length, max(0, len(wanted) - 60 * length * part)) for part in range(n_parts - 1)
        ]


@SLOW
@given(data=st.data(), rate=st.sampled_from([16_000, 11_025]))
def test_the_result_does_not_depend_on_how_the_signal_is_cut(
    strided: Model, monkeypatch: pytest.MonkeyPatch, data: st.DataObject, rate: int
) -> None:
    monkeypatch.setattr(posteriorstream, "CORE_FRAMES", 60)
    n = data.draw(st.integers(0, 5 * rate))
    x = np.random.default_rng(n).normal(0, 0.1, n).astype(np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=10)))
    parts = list(strided.stream(np.split(x, cuts), rate))
    found, wanted = Posteriors.concatenate(parts), strided.posteriors(x, rate)
    assert np.array_equal(found.values, wanted.values)
    assert found.duration == wanted.duration == pytest.approx(n / rate, abs=1e-9)


def test_a_reused_buffer_is_read_before_it_changes(tiny: Model, tone: Tone) -> None:
    x = tone(20, 440, start=3, end=7)
    buffer = np.empty(1000, np.float32)

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(x), 1000):
            buffer[:] = x[start : start + 1000]
            yield buffer

    found = Posteriors.concatenate(list(tiny.stream(blocks(), 16_000)))
    assert np.array_equal(found.values, tiny.posteriors(x, 16_000).values)


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (np.zeros((2, 100)), 16_000, r"shape \(2, 100\); give one mono channel"),
        (np.zeros(100, np.int16), 16_000, "int16 samples; give floating point"),
        (np.array([0.0, 0.0, np.nan]), 2000, "NaN or infinite values, first at 0.001 s"),
        (np.array([0.0, -np.inf]), 16_000, "NaN or infinite"),
        (np.zeros(10), 0, "sample rate 0 Hz"),
        (np.zeros(10), -8000, "sample rate -8000 Hz"),
        (np.zeros(10), float("nan"), "sample rate nan Hz"),
    ],
)
def test_signals_that_cannot_be_meant_are_refused(
    tiny: Model, samples: np.ndarray, rate: float, says: str
) -> None:
    with pytest.raises(AudioError, match=says) as refused:
        tiny.posteriors(samples, rate)
    assert "\n" not in str(refused.value)
