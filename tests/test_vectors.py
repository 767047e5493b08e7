"""The store of vectors: what is computed once, found by content, kept when interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from test_embedding import RATE, noise, write_means

from earmark.audio_writer import write_audio
from earmark.embedding import Embedder
from earmark.embedjobs import EmbedSettings
from earmark.errors import ConfigError, EarmarkError
from earmark.folders import cache_folder
from earmark.train import vectors
from earmark.train.excerpts import Excerpt, Reader, passes
from earmark.train.vectors import VectorStore


@pytest.fixture
def settings(tmp_path: Path) -> EmbedSettings:
    return EmbedSettings(str(write_means(tmp_path / "means.onnx")))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return five seconds of a chirp in noise."""
    path = tmp_path / "a.wav"
    write_audio(path, noise(5.0), RATE)
    return path


def count_decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    opened: list[str] = []
    whole = vectors.open_audio
    monkeypatch.setattr(vectors, "open_audio", lambda path, **k: (opened.append(path), whole(path, **k))[1])
    return opened


def test_vectors_are_those_of_the_model_and_are_computed_once(
    tmp_path: Path, settings: EmbedSettings, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = count_decodings(monkeypatch)
    store, told = VectorStore(tmp_path / "cache", settings), []
    assert store.add([Excerpt(str(recording))], report=lambda *n: told.append(n)) == []
    wanted = Embedder(settings.model).embed(str(recording)).values
    assert np.array_equal(store.get(Excerpt(str(recording))), wanted)
    moved = tmp_path / "elsewhere.wav"
    shutil.copy(recording, moved)
    again = VectorStore(tmp_path / "cache", settings)
    assert again.add([Excerpt(str(moved))]) == []
    assert np.array_equal(again.get(Excerpt(str(moved))), wanted)
    assert (opened, told) == ([str(recording)], [(1, 1)])


def test_another_embedding_hop_or_model_has_vectors_of_its_own(
    tmp_path: Path, settings: EmbedSettings, recording: Path
) -> None:
    whole = Excerpt(str(recording))
    shapes, folders = [], set()
    for embedding, hop in ((None, None), ("mean", 0.25), ("max", None), (None, 0.5)):
        store = VectorStore(tmp_path / "cache", EmbedSettings(settings.model, embedding, hop))
        assert store.add([whole]) == []
        shapes.append(len(store.get(whole)))
        folders.add(store.folder)
    assert shapes == [18, 18, 18, 9]
    assert len(folders) == 3  # the first two are the same


def test_regions_are_cut_to_the_sample_and_read_in_one_pass(
    tmp_path: Path, settings: EmbedSettings, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = count_decodings(monkeypatch)
    name = str(recording)
    parts = [Excerpt(name, 3.0), Excerpt(name, 0.5, 1.75), Excerpt(name, 1.75, 2.0)]
    store = VectorStore(tmp_path / "cache", settings)
    assert store.add(parts) == []
    assert opened == [name]
    model, samples = Embedder(settings.model), noise(5.0)
    for part, (start, end) in zip(parts, ((48_000, None), (8_000, 28_000), (28_000, 32_000)), strict=True):
        wanted = model.embed(samples[start:end], RATE).values
        np.testing.assert_allclose(store.get(part), wanted, atol=1e-3)  # the file has 16 bits
    assert store.add([*parts, Excerpt(name, 1.0, 2.0)]) == []
    assert len(opened) == 2


def test_passes_hold_what_does_not_overlap() -> None:
    a, b, c = Excerpt("x", 0, 2), Excerpt("x", 1, 3), Excerpt("x", 2, 4)
    assert passes([c, b, a, Excerpt("x", 4)]) == [[a, c, Excerpt("x", 4)], [b]]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_spans_do_not_depend_on_blocks(size: int) -> None:
    samples = np.arange(50, dtype=np.float32)
    reader = Reader(iter([samples[i : i + size] for i in range(0, 50, size)]))
    found = [np.concatenate(list(reader.span(*span))) for span in ((3, 9), (9, 10), (20, 45), (48, None))]
    assert [x.tolist() for x in found] == [list(range(*s)) for s in ((3, 9), (9, 10), (20, 45), (48, 50))]
    assert reader.n_samples == 50


def test_unreadable_recordings_are_problems_and_the_others_are_kept(
    tmp_path: Path, settings: EmbedSettings, recording: Path
) -> None:
    broken, absent = tmp_path / "broken.wav", tmp_path / "absent.wav"
    broken.write_bytes(b"RIFF" + bytes(range(200)))
    name = str(recording)
    wanted = [
        Excerpt(str(broken)),
        Excerpt(str(absent)),
        Excerpt(name),
        Excerpt(name, 4.0, 6.0),
        Excerpt(name, 7),
    ]
    store = VectorStore(tmp_path / "cache", settings)
    problems = store.add(wanted, jobs=2)
    assert [problem.excerpt for problem in problems] == [wanted[i] for i in (0, 1, 3, 4)]
    assert [problem.why.splitlines() for problem in problems] == [[problem.why] for problem in problems]
    assert problems[1].why.startswith("cannot be read (No such file")
    assert problems[2].why == "the recording ends at 5.00 s, before the end of the region"
    assert len(store.get(wanted[2])) == 18
    with pytest.raises(EarmarkError, match="no vectors of"):
        store.get(wanted[3])


def test_what_was_done_before_an_interruption_is_not_done_again(
    tmp_path: Path, settings: EmbedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for i in range(3):
        write_audio(tmp_path / f"{i}.wav", (0.1 + 0.2 * i) * noise(1.0), RATE)
        names.append(Excerpt(str(tmp_path / f"{i}.wav")))

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        VectorStore(tmp_path / "cache", settings).add(names, jobs=1, report=interrupt)
    with (tmp_path / "cache" / "files.jsonl").open("a") as log:
        log.write('["cut short')
    store, told = VectorStore(tmp_path / "cache", settings), []
    assert store.add(names, report=lambda *n: told.append(n)) == []
    assert told in ([], [(1, 1)])
    assert [len(store.get(name)) for name in names] == [2, 2, 2]


def test_a_file_that_changed_is_computed_anew(
    tmp_path: Path, settings: EmbedSettings, recording: Path
) -> None:
    store = VectorStore(tmp_path / "cache", settings)
    store.add([Excerpt(str(recording))])
    before = store.get(Excerpt(str(recording)))
    write_audio(recording, noise(3.0), RATE)
    assert store.add([Excerpt(str(recording))]) == []
    assert len(store.get(Excerpt(str(recording)))) < len(before)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 1), (0, float("nan")), (0, float("inf"))])
def test_regions_that_cannot_be_are_refused(start: float, end: float) -> None:
    with pytest.raises(ConfigError, match=r"x.wav .* s\]': a region starts at 0 or later and ends behind"):
        Excerpt("x.wav", start, end)


def test_a_folder_that_cannot_be_written_is_told(settings: EmbedSettings, recording: Path) -> None:
    store = VectorStore(recording / "below-a-file", settings)
    with pytest.raises(EarmarkError, match=r"the cache .* cannot be written .*EARMARK_CACHE"):
        store.add([Excerpt(str(recording))])


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("EARMARK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/earmark")
    monkeypatch.setenv("EARMARK_CACHE", "/y")
    assert cache_folder() == Path("/y")
