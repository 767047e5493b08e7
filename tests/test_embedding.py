"""Embeddings of signals and recordings: where windows lie, streams, files, the command, what is refused."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_model, write_tiny_model
from onnx import helper

from earmark import Embedder, EmbeddingCard, Embeddings
from earmark.audio_writer import write_audio
from earmark.cli.app import run
from earmark.download import download
from earmark.errors import AudioError, ConfigError, EarmarkError, ModelError
from earmark.npzfile import NpzWriter
from earmark.releases import BY_SYSTEM, Release, find_system

RATE = 16_000
CARD = EmbeddingCard(
    name="means",
    version="1",
    description="Means and maxima of log-mel bands.",
    features={"name": "vggish", "patch_length": 50, "patch_hop": 25},
    embeddings={"mean": 64, "max": 64},
    licence="CC0-1.0",
)
# Means over two halves of a patch of two steps, which also see three frames on each side.
SEEING = replace(
    CARD, features={"name": "kumar", "patch_length": 8, "patch_hop": 4}, embeddings={"mean": 128}, context=3
)


def noise(seconds: float, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(5)
    t = np.arange(round(seconds * rate)) / rate
    return (rng.normal(0, 0.05, len(t)) + 0.2 * np.sin(2 * np.pi * (300 + 50 * t) * t)).astype(np.float32)


def write_means(path: Path, card: EmbeddingCard = CARD) -> Path:
    """Write a model whose embeddings are the means and the maxima of a patch's bands."""
    nodes = [
        helper.make_node("ReduceMean", ["patches"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["patches"], ["max"], axes=[2], keepdims=0),
    ]
    shapes = [("mean", ("B", 64)), ("max", ("B", 64))]
    return write_model(path, nodes, {}, card, inputs=[("patches", ("B", 64, 50))], outputs=shapes)  # type: ignore[arg-type]


def write_seeing(path: Path, card: EmbeddingCard = SEEING) -> Path:
    """Write a model with context: a smoothed course of the bands, then its means over patches."""
    kernel = np.full((128, 1, 7), 1 / 7, np.float32)
    nodes = [
        helper.make_node("Conv", ["patches", "kernel"], ["smooth"], group=128, pads=[3, 3]),
        helper.make_node("AveragePool", ["smooth"], ["means"], kernel_shape=[8], strides=[4]),
        helper.make_node("Transpose", ["means"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Squeeze", ["turned", "axis"], ["mean"]),
    ]
    weights = {"kernel": kernel, "axis": np.array([0], np.int64)}
    inputs, outputs = [("patches", (1, 128, "T"))], [("mean", ("n", 128))]
    return write_model(path, nodes, weights, card, inputs=inputs, outputs=outputs)  # type: ignore[arg-type]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a user's folder with both models."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("EARMARK_MODELS", str(folder))
    write_means(folder / "means.onnx")
    write_seeing(folder / "seeing.onnx")
    return folder


# Windows


def test_a_vector_is_the_network_s_answer_to_its_window(models: Path) -> None:
    samples = noise(2.0)
    model = Embedder("means")
    found = model.embed(samples, RATE)
    features = model.extractor(samples)
    starts = range(0, features.shape[1] - 49, 25)
    np.testing.assert_allclose(
        found.values, [features[:, i : i + 50].mean(axis=1) for i in starts], atol=1e-5
    )
    np.testing.assert_allclose(found.times, [(i + 24.5) * 0.01 + 0.0125 for i in starts])
    assert (found.values.dtype, found.times.dtype) == (np.float32, np.float64)
    greatest = Embedder("means", "max", hop=0.5).embed(samples, RATE)
    np.testing.assert_array_equal(
        greatest.values, [features[:, i : i + 50].max(axis=1) for i in range(0, features.shape[1] - 49, 50)]
    )
    assert (model.window_s, model.hop_s, model.dimension) == (0.515, 0.25, 64)


@pytest.mark.parametrize(("name", "rate"), [("means", RATE), ("seeing", 44_100), ("means", 22_050)])
def test_embeddings_do_not_depend_on_how_a_signal_is_cut(
    models: Path, monkeypatch: pytest.MonkeyPatch, name: str, rate: int
) -> None:
    samples, model = noise(9.3, rate), Embedder(name)
    samples = 0.2 * samples + np.random.default_rng(6).normal(0, 0.2, len(samples)).astype(np.float32)
    whole = model.embed(samples, rate)
    for n_blocks in (2, 31):
        found = Embeddings.concatenate(list(model.stream(np.array_split(samples, n_blocks), rate)))
        assert np.array_equal(found.values, whole.values)
        assert np.array_equal(found.times, whole.times)
    monkeypatch.setattr("earmark.windows._PIECE_S", 1.0)
    parts = list(model.stream([samples], rate))
    assert len(parts) > 5
    found = Embeddings.concatenate(parts)
    # Kumar's bands are cut 80 dB below the greatest value of a piece: this signal has none so low.
    np.testing.assert_allclose(found.values, whole.values, atol=1e-4)
    np.testing.assert_allclose(found.times, whole.times)


def test_windows_that_follow_each_other_closely_come_in_shorter_pieces(models: Path) -> None:
    samples, model = noise(13.0), Embedder("means", hop=0.01)
    parts = list(model.stream([samples], RATE))
    assert [len(part.times) for part in parts] == [600, 600, 49]
    features = model.extractor(samples)
    wanted = np.lib.stride_tricks.sliding_window_view(features, 50, axis=1).mean(axis=2).T
    np.testing.assert_allclose(Embeddings.concatenate(parts).values, wanted, atol=1e-5)


@pytest.mark.parametrize("n_samples", [0, 1, 399, 8_239, 8_240, 12_239, 12_240])
def test_short_signals_are_filled_with_silence_to_one_window(models: Path, n_samples: int) -> None:
    samples, model = noise(1.0)[:n_samples], Embedder("means")
    found = model.embed(samples, RATE)
    assert len(found.values) == len(found.times) == (0 if n_samples == 0 else 1 + (n_samples >= 12_240))
    if 0 < n_samples < 8_240:
        filled = model.extractor(np.pad(samples, (0, 8_240 - n_samples)))
        np.testing.assert_allclose(found.values[0], filled[:, :50].mean(axis=1), atol=1e-5)


def test_openl3_windows_begin_half_a_second_before_the_signal(tmp_path: Path, monkeypatch: Any) -> None:
    card = replace(CARD, features={"name": "openl3-linear"}, embeddings={"mean": 257})
    node = helper.make_node("ReduceMean", ["patches"], ["mean"], axes=[2], keepdims=0)
    shapes = {"inputs": [("patches", ("B", 257, 197))], "outputs": [("mean", ("B", 257))]}
    path = write_model(tmp_path / "o.onnx", [node], {}, card, **shapes)  # type: ignore[arg-type]
    model, samples = Embedder(path, hop=0.2), noise(5.05, 48_000)
    whole = model.embed(samples, 48_000)
    assert len(whole.times) == 24
    np.testing.assert_allclose(whole.times, 0.2 * np.arange(24))
    monkeypatch.setattr("earmark.windows._PIECE_S", 1.0)
    found = Embeddings.concatenate(list(model.stream([samples], 48_000)))
    assert np.array_equal(found.times, whole.times)
    np.testing.assert_allclose(found.values, whole.values, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("means", "median"), ConfigError, "model 'means' has no embedding 'median'; choose mean or max"),
        (("means", None, 0.0), ConfigError, r"hop 0: it must be 0\.01 to 60 seconds"),
        (("seeing", None, 0.1), ConfigError, "hop 0.1: model 'seeing' has a window every 0.0464 s and no"),
        (("detector",), ModelError, "marks recordings and gives no embeddings; use it with: earmark detect"),
        (("vggish",), ModelError, "not imported yet; run: earmark import-weights vggish --download"),
    ],
)
def test_embedders_that_cannot_be_made_are_refused(
    models: Path, arguments: Any, error: Any, match: str
) -> None:
    if arguments == ("detector",):
        arguments = (write_tiny_model(models / "tiny.onnx"),)
    with pytest.raises(error, match=match):
        Embedder(*arguments)


def test_models_and_signals_that_do_not_fit_are_refused(models: Path) -> None:
    other = write_means(models / "other.onnx", replace(CARD, embeddings={"median": 64}))
    with pytest.raises(ModelError, match="it must take 'patches' and return median"):
        Embedder(other)
    wide = write_means(models / "wide.onnx", replace(CARD, embeddings={"mean": 65}))
    with pytest.raises(ModelError, match=r"returned shape \(1, 64\); by its card it must return \(1, 65\)"):
        Embedder(wide)
    narrow = write_seeing(models / "narrow.onnx", replace(SEEING, features={"name": "vggish"}))
    with pytest.raises(ModelError, match="does not run on its card's input"):
        Embedder(narrow)
    for samples, rate, match in (
        (noise(1), None, "without a sample rate"),
        (np.zeros((2, 9), np.float32), RATE, "give one mono channel"),
        (np.full(9, np.nan, np.float32), RATE, "NaN"),
        ("x.wav", RATE, "a recording states its own"),
    ):
        with pytest.raises(AudioError, match=match):
            Embedder("means").embed(samples, rate)  # type: ignore[arg-type]


def test_a_card_survives_and_tells_what_follows_from_the_front_end() -> None:
    text = CARD.to_json()
    assert EmbeddingCard.describes(text)
    assert EmbeddingCard.from_json(text, "x") == CARD
    fields = json.loads(text)
    assert (fields["kind"], fields["sample_rate"], fields["hop_s"]) == ("embedding", RATE, 0.25)
    assert fields["window_s"] == pytest.approx(0.515)
    for changed in (
        {**fields, "kind": "patches"},
        {**fields, "embeddings": {}},
        {**fields, "features": {}},
        3,
    ):
        with pytest.raises(ModelError, match="the card in 'x' cannot be read"):
            EmbeddingCard.from_json(json.dumps(changed), "x")


# The command


def test_recordings_become_files_of_vectors(models: Path, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    samples = noise(3.0)
    write_audio(folder / "a.wav", samples, RATE)
    write_audio(folder / "sub" / "b.wav", samples[:RATE], RATE)
    out = tmp_path / "out"
    assert run(["embed", str(folder), "-o", str(out), "--model", "means", "-j", "1"]) == 0
    printed = capsys.readouterr()
    assert (printed.err, printed.out.count("\n")) == ("", 1)
    assert printed.out.startswith("2 files, 0:00:04 of audio in ")
    assert printed.out.endswith(": 12 vectors of 64\n")
    with np.load(out / "a.npz") as arrays, np.load(out / "sub" / "b.npz") as other:
        wanted = Embedder("means").embed(folder / "a.wav")
        assert np.array_equal(arrays["embeddings"], wanted.values)
        assert np.array_equal(arrays["times"], wanted.times)
        assert (float(arrays["duration"]), float(arrays["hop_s"])) == (3.0, 0.25)
        assert (str(arrays["model"]), str(arrays["embedding"])) == ("means", "mean")
        assert other["embeddings"].shape == (2, 64)
    (out / "a.npz").unlink()
    arguments = ["embed", str(folder), "-o", str(out), "--model", "means", "--skip-existing"]
    assert run(arguments) == 0
    assert "1 file, " in (printed := capsys.readouterr().out)
    assert "1 file skipped" in printed
    assert run([*arguments, "-q"]) == 0
    assert capsys.readouterr().out == ""


def test_one_recording_becomes_one_file(models: Path, tmp_path: Path, capsys: Any) -> None:
    write_audio(tmp_path / "a.wav", noise(2.0), RATE)
    one = tmp_path / "new" / "one.npz"
    arguments = ["embed", str(tmp_path / "a.wav"), "-o", str(one), "--model", "means"]
    assert run([*arguments, "--embedding", "max", "--hop", "0.5"]) == 0
    with np.load(one) as arrays:
        assert arrays["embeddings"].shape == (3, 64)
        assert (str(arrays["embedding"]), float(arrays["hop_s"])) == ("max", 0.5)
    capsys.readouterr()


def test_files_that_fail_are_told_and_counted(models: Path, tmp_path: Path, capsys: Any) -> None:
    write_audio(tmp_path / "a.wav", noise(2.0), RATE)
    (tmp_path / "b.wav").write_bytes(b"no sound" * 99)
    names = [str(tmp_path / name) for name in ("a.wav", "b.wav", "c.wav")]
    assert run(["embed", *names, "-o", str(tmp_path / "out"), "--model", "means", "-j", "1"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert "c.wav' does not exist" in errors[0]
    assert errors[2] == "earmark: 2 of 3 files failed"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["a.wav", "b.wav", "-o", "x.npz"], "for 2 recordings, give a folder"),
        (["a.wav", "-o", "x.csv"], "give a file that ends in .npz or .parquet, or a folder"),
        (["-", "a.wav", "-o", "out"], "standard input (-) can be read only alone"),
        (["a.wav", "-o", "out", "-j", "0"], "--jobs 0: give 1 or more"),
    ],
)
def test_commands_that_contradict_themselves_are_refused(
    models: Path, tmp_path: Path, capsys: Any, monkeypatch: Any, arguments: list[str], match: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav"):
        write_audio(tmp_path / name, noise(0.1), RATE)
    assert run(["embed", *arguments, "--model", "means"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert match in err
    assert not (tmp_path / "out").exists()


def test_rows_are_written_as_numpy_reads_them(tmp_path: Path) -> None:
    rows = np.arange(12.0).reshape(4, 3)
    with NpzWriter() as writer:
        writer.append("a", rows[:1])
        writer.append("a", rows[1:])
        writer.append("b", np.zeros((0, 2), np.float32))
        writer.save(tmp_path / "x.npz", {"name": np.array("ä")})
    with np.load(tmp_path / "x.npz") as arrays:
        assert np.array_equal(arrays["a"], rows)
        assert (arrays["b"].shape, arrays["b"].dtype, str(arrays["name"])) == ((0, 2), np.float32, "ä")


# Downloads

CONTENT = bytes(range(256)) * 1000


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, also from a place on; '/cut' breaks off half-way, '/none' is not there."""

    asked: list[str | None] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.headers["Range"])
        if self.path == "/none":
            self.send_error(404, "Not Found")
            return
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        half = self.path == "/cut" and not start
        self.wfile.write(CONTENT[start : len(CONTENT) // 2 if half else None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Server.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_download_is_taken_up_where_it_broke_off(address: str, tmp_path: Path) -> None:
    import hashlib

    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    release = Release("w.bin", f"{address}/cut", digest)
    seen: list[tuple[int, int | None]] = []
    with pytest.raises(EarmarkError, match=r"cannot be downloaded \(.*128000.* run the command again"):
        download(release, tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["w.bin.part"]
    path = download(release, tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["w.bin"]
    assert seen[-1] == (256_000, 256_000)
    assert Server.asked == [None, "bytes=128000-"]
    assert download(release, tmp_path / "new") == path
    assert len(Server.asked) == 2


def test_what_is_not_the_published_file_is_removed(address: str, tmp_path: Path) -> None:
    release = Release("w.bin", f"{address}/w.bin", "md5:" + "0" * 32)
    with pytest.raises(EarmarkError, match=r"'w\.bin' from .* has not the checksum md5:0+; it was removed"):
        download(release, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_reached_is_told_in_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EarmarkError, match="the server says 404 Not Found"):
        download(Release("w.bin", f"{address}/none"), tmp_path)
    monkeypatch.setenv("EARMARK_MODELS", str(tmp_path))
    (release,) = BY_SYSTEM["kumar"].files
    closed = release._replace(url="http://127.0.0.1:9/w.pkl")
    monkeypatch.setitem(BY_SYSTEM, "kumar", BY_SYSTEM["kumar"]._replace(files=(closed,)))
    assert run(["import-weights", "kumar", "--download"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("earmark: http://127.0.0.1:9/w.pkl cannot be downloaded (")
    assert "get 'mx-h64-1024_0d3-1.17.pkl' on a machine with a connection and give its path" in err


def test_published_systems_are_found_by_name() -> None:
    assert find_system("openl3").files[0].name == "openl3_audio_mel256_music-v0_4_0.h5.gz"
    assert find_system("openl3-linear-env").command == "earmark import-weights openl3-linear-env --download"
    with pytest.raises(ConfigError, match="no published system 'vgish'; did you mean 'vggish'"):
        find_system("vgish")
