"""Models small enough to be made on the spot, and signals they react to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from earmark.card import METADATA_KEY, DecodeOptions, ModelCard
from earmark.features import FrontEnd

TINY_CARD = ModelCard(
    name="tiny",
    version="1",
    description="Marks low tones as speech, high tones as music and nothing as noise.",
    labels=("speech", "music", "noise"),
    front_end=FrontEnd(win_length=512, n_fft=512, n_mels=64),
    context=4,
    decode={label: DecodeOptions() for label in ("speech", "music", "noise")},
    licence="CC0-1.0",
)


def write_model(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    card: ModelCard | None,
    *,
    inputs: Sequence[tuple[str, Sequence[int | str]]] = (("log_mel", (1, 64, "T")),),
    outputs: Sequence[tuple[str, Sequence[int | str]]] = (("posteriors", (1, "T", 3)),),
) -> Path:
    """Write an ONNX file of the given nodes, with `card` inside unless it is None."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if card is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, card.to_json()
    path.write_bytes(model.SerializeToString())
    return path


def write_tiny_model(path: Path, card: ModelCard | None = TINY_CARD, *, ratio: bool = True) -> Path:
    """Write a model whose 'speech' is a tone below 1 kHz and whose 'music' is one above 3 kHz.

    Tones must be louder than -50 dB.  Posteriors cross 0.5 where a tone starts and ends; `ratio` adds
    the level of the low over the high tone.
    """
    node = helper.make_node
    nodes = [
        node("Slice", ["log_mel", "first", "low_end", "bands"], ["low_bands"]),
        node("Slice", ["log_mel", "high_start", "last", "bands"], ["high_bands"]),
        node("ReduceMax", ["low_bands"], ["low"], axes=[1], keepdims=1),
        node("ReduceMax", ["high_bands"], ["high"], axes=[1], keepdims=1),
        node("Mul", ["low", "zero"], ["nothing"]),
        node("Add", ["nothing", "floor"], ["none"]),
        node("Concat", ["low", "high", "none"], ["levels"], axis=1),
        node("Add", ["levels", "level_shift"], ["shifted"]),
        node("Clip", ["shifted", "lower", "upper"], ["clipped"]),
        node("Conv", ["clipped", "average"], ["logits"], group=3, kernel_shape=[9], pads=[4, 4]),
        node("Sigmoid", ["logits"], ["by_label"]),
        node("Transpose", ["by_label"], ["posteriors"], perm=[0, 2, 1]),
    ]
    weights = {
        **{
            name: np.array([value], np.int64)
            for name, value in (("first", 0), ("low_end", 15), ("high_start", 40), ("last", 64), ("bands", 1))
        },
        "zero": np.zeros(1, np.float32),
        "floor": np.array([-100], np.float32),
        "level_shift": np.array([50], np.float32),
        "lower": np.array(-6, np.float32),
        "upper": np.array(6, np.float32),
        "average": np.full((3, 1, 9), 1 / 9, np.float32),
    }
    outputs: list[tuple[str, Sequence[int | str]]] = [("posteriors", (1, "T", 3))]
    if ratio:
        nodes += [
            node("Sub", ["low", "high"], ["difference"]),
            node("Squeeze", ["difference", "bands"], ["speech_to_music_db"]),
        ]
        outputs.append(("speech_to_music_db", (1, "T")))
    return write_model(path, nodes, weights, card, outputs=outputs)


def write_strided_model(path: Path, seed: int = 0) -> Path:
    """Write a random network that quarters the frame rate inside, as wide in context as its card says."""
    rng = np.random.default_rng(seed)
    node = helper.make_node
    nodes = [
        node("Mul", ["log_mel", "gain"], ["x"]),
        node("Conv", ["x", "w1"], ["h1"], kernel_shape=[5], strides=[2], pads=[2, 2]),
        node("Tanh", ["h1"], ["a1"]),
        node("Conv", ["a1", "w2"], ["h2"], kernel_shape=[5], strides=[2], pads=[2, 2]),
        node("Tanh", ["h2"], ["a2"]),
        node("Conv", ["a2", "w3"], ["h3"], kernel_shape=[5], dilations=[2], pads=[4, 4]),
        node("Resize", ["h3", "", "scales"], ["long"], mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
        node("Shape", ["log_mel"], ["length"], start=2, end=3),
        node("Slice", ["long", "first", "length", "axis"], ["logits"]),
        node("Sigmoid", ["logits"], ["by_label"]),
        node("Transpose", ["by_label"], ["posteriors"], perm=[0, 2, 1]),
    ]  # fmt: skip
    weights = {
        "gain": np.array([0.02], np.float32),
        "w1": rng.normal(0, 0.1, (8, 64, 5)).astype(np.float32),
        "w2": rng.normal(0, 0.3, (8, 8, 5)).astype(np.float32),
        "w3": rng.normal(0, 0.6, (3, 8, 5)).astype(np.float32),
        "scales": np.array([1, 1, 4], np.float32),
        "first": np.array([0], np.int64),
        "axis": np.array([2], np.int64),
    }
    return write_model(path, nodes, weights, replace(TINY_CARD, name="strided", context=26))


def tone(
    seconds: float,
    hz: float,
    level: float = 0.3,
    *,
    start: float = 0,
    end: float | None = None,
    rate: int = 16_000,
) -> np.ndarray:
    """Return a sine that sounds from `start` to `end` seconds in otherwise digital silence, float32."""
    t = np.arange(round(seconds * rate)) / rate
    sounds = (t >= start) & (t < (seconds if end is None else end))
    return (level * np.sin(2 * np.pi * hz * t) * sounds).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a model that marks tones below 1 kHz as speech and above 3 kHz as music."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="session")
def strided_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a random network that quarters the frame rate inside."""
    return write_strided_model(tmp_path_factory.mktemp("models") / "strided.onnx")


@pytest.fixture(name="tone")
def tone_fixture() -> Callable[..., np.ndarray]:
    """Return `tone`: (seconds, hz, level=0.3, *, start=0, end=None, rate=16000) gives a sine in silence."""
    return tone


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def batch(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return what runs `earmark batch` and returns its exit code and what it printed and told."""

    def call(*arguments: object) -> tuple[int, str, str]:
        from earmark.cli.app import run

        code = run(["batch", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return call
