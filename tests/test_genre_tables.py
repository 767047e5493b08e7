"""HEO's tables on a folder like GTZAN's, Melon from its archives, and what earmark's own row is made of."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from earmark.audio_writer import write_audio  # noqa: E402
from earmark.cli.app import run  # noqa: E402
from earmark.datasets import gtzan_genres  # noqa: E402
from earmark.datasets.melon import read_labels  # noqa: E402
from earmark.datasets.tasks import TASKS  # noqa: E402
from earmark.errors import ConfigError  # noqa: E402
from earmark.train.crops.melon import MelonConfig, deal_songs, train_melon  # noqa: E402
from earmark.train.experiments.paired import sign_flip_p  # noqa: E402
from earmark.train.head import fit_head  # noqa: E402
from earmark.train.tasks import read_task  # noqa: E402
from earmark.train.texture import texture  # noqa: E402

DATASET = gtzan_genres.DATASET
RATE = 22_050
TABLE = """
title = "a table"
source = "HEO"
data = ["genre"]
measures = ["file accuracy", "file accuracy, last epoch"]
compare = "one"
[protocol]
kind = "task"
repetitions = 1
[training]
epochs = 2
steps = 2
batch = 4
[[row]]
name = "one"
features = {name = "heo", patch_length = 40}
model = {model = "ecapa", options = {channels = 8}}
[[row]]
name = "one, crops"
features = {name = "heo", patch_length = 40}
model = {model = "ecapa", options = {channels = 8}}
crops = 3
"""


@pytest.fixture
def gtzan(tmp_path):
    """Ten files of each genre of half a second, and the damaged one."""
    root = tmp_path / "data" / "genres"
    rng = np.random.default_rng(0)
    for genre in gtzan_genres.CLASSES:
        for i in range(10):
            sound = 0.1 * rng.normal(size=RATE // 2)
            write_audio(root / genre / f"{genre}.{i:05}.wav", sound.astype(np.float32), RATE)
    (root / "jazz" / "jazz.00054.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(60))
    return root


def test_the_damaged_file_is_left_out_and_told(gtzan):
    clips = DATASET.read(gtzan)
    assert len(clips) == 100
    assert "jazz.00054" not in {clip.path.stem for clip in clips}
    assert "'jazz.00054.wav' cannot be read, as in most copies; it is left out" in DATASET.check(gtzan)
    (gtzan / "jazz" / "jazz.00054.wav").write_bytes((gtzan / "jazz" / "jazz.00000.wav").read_bytes())
    assert len(DATASET.read(gtzan)) == 101


def test_an_artist_is_never_learned_and_tested_at_once_where_that_is_known(gtzan):
    rows = [f"blues.0000{i}.wav,somebody" for i in range(4)] + ["blues.00099,nobody"]
    (gtzan / "artists.csv").write_text("file,artist\n" + "\n".join(rows) + "\n")
    task = TASKS["genre"]
    # One artist less than folds: some of the genre's other files are groups of their own.
    with pytest.raises(ConfigError, match="class 'blues' has 7 groups for 10 folds"):
        task.split(task.read(gtzan), 0)
    for fold in range(5):
        parts = task.split(task.read(gtzan), fold, n_folds=5)
        mine = [sum(clip.group == "gtzan/somebody" for clip in part) for part in parts]
        assert sum(count > 0 for count in mine) <= 1
    assert any("files that artists.csv names are missing: blues.00099" in x for x in DATASET.check(gtzan))


def test_lists_of_folds_are_taken(gtzan):
    (gtzan / "folds").mkdir()
    for fold in range(10):
        names = [f"{genre}/{genre}.{(fold + 3) % 10:05}.wav" for genre in gtzan_genres.CLASSES]
        (gtzan / "folds" / f"{fold}.txt").write_text("\n".join(names))
    task = TASKS["genre"]
    train, validation, test = task.split(task.read(gtzan), 2)
    assert {clip.path.stem[-5:] for clip in test} == {"00005"}
    assert {clip.path.stem[-5:] for clip in validation} == {"00006"}
    assert len(train) == 80


def test_ten_folds_run_with_one_command(gtzan, tmp_path, capsys):
    table = tmp_path / "heo-tiny.toml"
    table.write_text(TABLE)
    out = tmp_path / "results.json"
    where = ["--data", str(gtzan.parent), "--out", str(out), "--runs", str(tmp_path / "runs"), "--jobs", "1"]
    assert run(["bench", "table", str(table), *where]) == 0
    shown = capsys.readouterr()
    assert "jazz.00054.wav" in shown.err
    results = json.loads(out.read_text())["results"]
    assert [sum(r["row"] == name for r in results) for name in ("one", "one, crops")] == [10, 10]
    assert all(r["examples"] == {"train": 80, "validation": 10, "test": 10} for r in results)
    assert all(r["epochs"] == [2] and "file accuracy, last epoch" in r["figures"] for r in results)
    # What differs in the test alone is trained once.
    assert len({r["checkpoint"] for r in results}) == 10
    assert "against 'one', p = " in " ".join(shown.out.split())
    assert run(["bench", "table", str(table), *where, "--unit", "files"]) == 2


def test_signs_are_flipped_in_all_ways():
    assert sign_flip_p([1.0] * 10) == 2 / 1024
    assert sign_flip_p([1.0, -1.0]) == 1.0
    assert sign_flip_p([0.0, 0.0, 0.0]) == 1.0
    assert sign_flip_p([3.0, 2.0, -1.0]) == 4 / 8
    assert sign_flip_p([1.0] * 30) < 0.001


# Melon


@pytest.fixture
def melon(tmp_path):
    """Forty songs of two classes in two archives, songs of several genres, and genres that are left out."""
    rng = np.random.default_rng(0)
    baskets = [["GN0900"], ["GN9000"]] * 20 + [["GN0900", "GN0100"], [], ["GN1500"], ["GN2500"], ["GN3000"]]
    meta = [{"id": i, "song_gn_gnr_basket": basket} for i, basket in enumerate(baskets)]
    (tmp_path / "song_meta.json").write_text(json.dumps(meta))
    for k in range(2):
        with tarfile.open(tmp_path / f"arena_mel_{k}.tar", "w") as archive:
            for i in range(k, len(baskets), 2):
                file = io.BytesIO()
                song = rng.normal(size=(48, 30)) * (0.2 + (np.arange(48)[:, None] < 24) * (i % 2))
                np.save(file, song.astype(np.float32))
                member = tarfile.TarInfo(f"0/{i}.npy")
                member.size = file.tell()
                file.seek(0)
                archive.addfile(member, file)
    return tmp_path / "song_meta.json"


def test_songs_of_melon_have_one_genre_and_renamed_ones(melon):
    labels, classes = read_labels(melon)
    assert classes == ("GN0900", "GN3000")
    assert len(labels) == 41
    assert labels["44"] == 1
    parts = [deal_songs(labels, fold, seed=0) for fold in range(10)]
    assert sorted(song for *_, test in parts for song in test) == sorted(labels)
    for fold, (train, validation, test) in enumerate(parts):
        assert len(train) + len(validation) + len(test) == 41
        assert validation == parts[(fold + 1) % 10][2]
        assert set(test.values()) == {0, 1}


def test_melon_is_trained_from_its_archives(melon, tmp_path):
    config, run_it = read_task(
        Path(__file__).parents[1] / "configs" / "heo-melon.toml",
        (f'data.index="{melon}"', "channels=32", "stop=16", "train.epochs=2", "train.batch=8",
         "train.length=20", "train.validate_every=1"),
    )  # fmt: skip
    assert run_it is train_melon
    told = []
    path = train_melon(config, tmp_path / "out", cache=tmp_path, on_step=told.append)
    report = json.loads(path.read_text())
    assert report["songs"] == [32, 4, 5]
    assert set(report["figures"]) == {
        f"{epoch} epoch, {how}" for epoch in ("last", "best") for how in ("whole songs", "16 crops")
    }
    assert [one.share for one in told] == [0.5, 1.0]
    assert MelonConfig().network(28) is not None


def test_what_is_no_list_of_songs_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is no list of Melon's songs"):
        read_labels(tmp_path / "song_meta.json")


# Discriminants and textures


def test_discriminants_find_classes_that_vary_alike_in_many_dimensions():
    """Also where there are more dimensions than embeddings, and one that never changes."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(60, 60))
    labels = np.arange(45) % 3
    centres = 3 * rng.normal(size=(3, 60))
    x = (centres[labels] + rng.normal(size=(45, 60))) @ mixing
    x[:, 7] = 5
    head = fit_head("lda", x.astype(np.float32), labels, seed=0)
    fresh = (centres[labels] + rng.normal(size=(45, 60))) @ mixing
    fresh[:, 7] = 5
    assert (head.scores(fresh).argmax(axis=1) == labels).mean() > 0.9
    assert len(head.layers) == 1


def test_textures_tell_rhythms_and_tones_apart():
    rng = np.random.default_rng(0)
    t = np.arange(120) / (RATE / 512)
    noise = rng.normal(0, 2, (128, 120)).astype(np.float32) - 40
    slow, fast = (noise + 10 * np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in (1, 10))
    found = [texture(one) for one in (noise, slow, fast, noise[:, :1])]
    assert all(len(one) == 592 and np.isfinite(one).all() for one in found)
    swings = [one[440:560].reshape(6, 20).mean(axis=1) for one in found]
    assert (swings[1] - swings[0]).argmax() == 0
    assert (swings[2] - swings[0]).argmax() == 4
    tones = noise.copy()
    tones[::16] += 40
    beats = noise.copy()
    beats[:, ::20] += 40
    assert texture(tones)[560:].mean() > texture(beats)[560:].mean() + 5
