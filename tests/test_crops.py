"""Training on crops: what is drawn, resuming, several processes, shards, whole songs."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from earmark.errors import ConfigError, EarmarkError  # noqa: E402
from earmark.train.checkpoint import write_tensors  # noqa: E402
from earmark.train.crops.answers import accuracy, song_scores, views  # noqa: E402
from earmark.train.crops.config import CropConfig  # noqa: E402
from earmark.train.crops.loop import train_on_crops  # noqa: E402
from earmark.train.crops.shards import ShardCrops, ahead, read_shard  # noqa: E402
from earmark.train.crops.songs import SongCrops, Songs, crop  # noqa: E402
from earmark.train.crops.team import JointNorm, Team, find_team  # noqa: E402
from earmark.train.models import create_model  # noqa: E402

ALONE = Team(torch.device("cpu"))
LENGTH, BANDS = 20, 28
CONFIG = CropConfig(epochs=4, batch=8, cycle=2, learning_rate=2e-3)


def make_songs(n: int = 12, seed: int = 0) -> Songs:
    """Songs of two classes: which half of the bands moves."""
    rng = np.random.default_rng(seed)
    songs = []
    for i in range(n):
        song = 0.1 * rng.normal(size=(BANDS, int(rng.integers(15, 60))))
        half = slice(0, 14) if i % 2 else slice(14, 28)
        song[half] += rng.normal(size=(14, song.shape[1]))
        songs.append(song.astype(np.float16))
    return Songs([i % 2 for i in range(n)], songs.__getitem__)


def make_net(**options):
    torch.manual_seed(0)
    return create_model(
        "ecapa-ccs-fsa",
        n_classes=2,
        input_shape=(BANDS, LENGTH),
        options={"channels": 32, "stop": 16, **options},
    )


def train(songs: Songs, config=CONFIG, **more):
    crops = SongCrops(songs, config, LENGTH, seed=1)
    validate = partial(validated, songs)
    return train_on_crops(make_net(), crops, config, ALONE, seed=1, validate=validate, **more)


def validated(songs: Songs, net) -> float:
    return accuracy(net, songs.part(), LENGTH, ALONE)


# Crops


def test_a_crop_lies_in_the_song_and_short_songs_are_repeated():
    song = np.arange(30.0)[None].repeat(2, axis=0)
    assert crop(song, 0.0, 10)[0].tolist() == list(range(10))
    assert crop(song, 0.999, 10)[0].tolist() == list(range(20, 30))
    assert crop(song, 0.7, 30)[0].tolist() == list(range(30))
    assert crop(song[:, :4], 0.9, 10)[1].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]


def test_an_epoch_has_every_song_as_often_and_another_one_other_crops():
    songs = Songs(list(range(12)), lambda i: np.full((2, 30), i))
    crops = SongCrops(songs, CropConfig(batch=4, cycle=3), 5, seed=0)
    assert crops.steps == 9
    seen = [torch.cat([y for _, y in crops.epoch(number)]) for number in (0, 0, 1)]
    assert torch.bincount(seen[0]).tolist() == [3] * 12
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    for x, y in crops.epoch(0):
        assert torch.equal(x[:, 0, 0].long(), y)


def test_the_parts_of_several_processes_are_the_batches_of_one():
    crops = SongCrops(make_songs(), CONFIG, LENGTH, seed=0)
    parts = [list(crops.epoch(2, rank, 2)) for rank in range(2)]
    for whole, *own in zip(crops.epoch(2), *parts, strict=True):
        for one, joined in zip(whole, map(torch.cat, zip(*own, strict=True)), strict=True):
            assert torch.equal(one, joined)


def test_rates_fall_along_a_cosine_or_step_by_step():
    cosine, step = CropConfig(), CropConfig(schedule="step")
    assert [cosine.rate(e) for e in (0, 40, 80)] == pytest.approx([1e-3, (1e-3 + 1e-6) / 2, 1e-6])
    assert [step.rate(e) for e in (0, 2)] == pytest.approx([1e-3, 1e-3 * 0.95**2])


# Training


def test_training_learns_and_reports_each_epoch():
    told = []
    found = train(make_songs(), CropConfig(epochs=12, batch=8, cycle=6), report=told.append)
    assert [one.epoch for one in told] == list(range(1, 13))
    assert told[-1].loss < told[0].loss / 2
    assert max(one.accuracy for one in told) == told[found.best_epoch - 1].accuracy
    assert validated(make_songs(n=40, seed=5), found.net) > 80


def test_what_was_killed_ends_as_if_it_had_not_been(tmp_path):
    songs = make_songs()
    whole = train(songs)

    def kill(told):
        if told.epoch == 3:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "net.pt"
    with pytest.raises(KeyboardInterrupt):
        train(songs, checkpoint=checkpoint, report=kill)
    told = []
    resumed = train(songs, checkpoint=checkpoint, report=told.append)
    assert [one.epoch for one in told] == [3, 4]  # what was not written is done again
    assert resumed.best_epoch == whole.best_epoch
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[name]), name
    for name, value in whole.best.items():
        assert torch.equal(value, resumed.best[name]), name


def test_a_checkpoint_that_cannot_be_written_is_one_line_and_leaves_the_older_one(tmp_path):
    resource = pytest.importorskip("resource", reason="this system has no limits on files")
    path, older = tmp_path / "net.pt", {"weight": torch.ones(2)}
    write_tensors(path, older)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(EarmarkError, match="cannot be written: File too large; free some space there"):
            write_tensors(path, {"weight": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.equal(torch.load(path, weights_only=True)["weight"], older["weight"])
    assert list(tmp_path.iterdir()) == [path]


def test_the_best_weights_are_no_reference_to_the_last_ones():
    """As in HEO's program, where the last epoch is what is tested."""
    songs, values = make_songs(), iter([50.0, 90.0, 60.0, 70.0])
    crops = SongCrops(songs, CONFIG, LENGTH, seed=1)
    found = train_on_crops(make_net(), crops, CONFIG, ALONE, seed=1, validate=lambda net: next(values))
    assert (found.best_epoch, found.epochs) == (2, 4)
    weight = "trunk.last.join.0.weight"
    assert not torch.equal(found.best[weight], found.net.state_dict()[weight])


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    songs, checkpoint = make_songs(), tmp_path / "net.pt"
    train(songs, checkpoint=checkpoint)
    other = SongCrops(songs, CONFIG, LENGTH, seed=2)
    with pytest.raises(ConfigError, match="belongs to another training"):
        train_on_crops(make_net(), other, CONFIG, ALONE, seed=2, checkpoint=checkpoint)


@pytest.mark.parametrize(("values", "message"), [
    ({"schedule": "linear"}, "unknown schedule 'linear'; choose cosine or step"),
    ({"cycle": 0}, "cycle 0"),
    ({"batch": 1}, "batch 1"),
    ({"final_rate": 1.0}, "final_rate 1 from 0 to the learning_rate"),
])  # fmt: skip
def test_impossible_trainings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        CropConfig(**values)


# Several processes


_MEMBER = """
import sys
sys.path[:0] = sys.argv[1].split("|")
import torch
from test_crops import CONFIG, LENGTH, make_net, make_songs
from earmark.train.crops.answers import accuracy
from earmark.train.crops.loop import train_on_crops
from earmark.train.crops.songs import SongCrops
from earmark.train.crops.team import find_team
torch.set_num_threads(1)
songs, told = make_songs(), []
with find_team("cpu") as team:
    found = train_on_crops(
        make_net(), SongCrops(songs, CONFIG, LENGTH, seed=1), CONFIG, team, seed=1,
        validate=lambda net: accuracy(net, songs.part(team.rank, team.world), LENGTH, team),
        report=told.append,
    )
    if team.is_first:
        torch.save([found.net.state_dict(), [(t.loss, t.accuracy) for t in told]], sys.argv[2])
    else:
        assert not told
"""


def test_two_processes_learn_what_one_learns(tmp_path):
    songs, told = make_songs(), []
    alone = train(songs, report=told.append).net
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    paths, out = "|".join([str(Path(__file__).parent), *sys.path]), tmp_path / "net.pt"
    members = [
        subprocess.Popen(
            [sys.executable, "-c", _MEMBER, paths, str(out)],
            env={**os.environ, **here, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    errors = [member.communicate()[1].decode() for member in members]
    assert [member.returncode for member in members] == [0, 0], errors
    weights, figures = torch.load(out)
    together = make_net()
    together.load_state_dict(weights)
    x = torch.randn(5, BANDS, LENGTH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(together.eval()(x), alone(x), rtol=1e-2, atol=1e-3)
    assert [loss for loss, _ in figures] == pytest.approx([one.loss for one in told], rel=1e-3)
    assert [right for _, right in figures] == pytest.approx([one.accuracy for one in told])


def test_joint_norm_is_batch_norm_where_there_is_one_process(tmp_path):
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/at", rank=0, world_size=1)
    try:
        for x in (torch.randn(6, 3, 7), torch.randn(6, 3), torch.randn(2, 3, 4, 5)):
            own = {2: torch.nn.BatchNorm1d, 3: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d}[x.ndim](3)
            joint = JointNorm(type(own)(3))
            results = []
            for norm in (own, joint):
                given = x.clone().requires_grad_()
                (norm(given) ** 3).sum().backward()
                results.append((given.grad, norm.weight.grad, norm.running_mean, norm.running_var))
            for theirs, ours in zip(*results, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    finally:
        torch.distributed.destroy_process_group()


def test_a_batch_that_cannot_be_parted_is_refused():
    crops = SongCrops(make_songs(), CONFIG, LENGTH, seed=0)
    with pytest.raises(ConfigError, match="batch 8 in 3 processes"):
        train_on_crops(make_net(), crops, CONFIG, Team(torch.device("cpu"), 0, 3), seed=0)


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with find_team("cpu") as team:
        assert (team.rank, team.world, team.is_first) == (0, 1, True)
        assert team.sum([1.0, 2.0]) == [1.0, 2.0]


# Shards


@pytest.fixture
def shards(tmp_path):
    """Three shards of five songs each; each value of a song is its number."""
    paths = []
    for k in range(3):
        path = tmp_path / f"arena_mel_{k}.tar"
        with tarfile.open(path, "w") as archive:
            for song in range(5 * k, 5 * k + 5):
                file = io.BytesIO()
                np.save(file, np.full((4, 12 + song), song, np.float32))
                member = tarfile.TarInfo(f"0/{song}.npy")
                member.size = file.tell()
                file.seek(0)
                archive.addfile(member, file)
        paths.append(str(path))
    return paths


LABELS = {str(song): song for song in range(12)}
SHARDED = CropConfig(batch=4, cycle=2)


def test_shards_are_streamed_song_by_song_and_mixed(shards):
    crops = ShardCrops(shards, LABELS, SHARDED, 8, seed=0, buffer=6)
    assert crops.steps == 6
    epochs = [list(crops.epoch(number)) for number in (0, 0, 1)]
    for x, y in epochs[0]:
        assert x.shape == (4, 4, 8)
        assert torch.equal(x[:, 0, 0].long(), y)
    labels = [torch.cat([y for _, y in epoch]).tolist() for epoch in epochs]
    assert labels[0] == labels[1] != labels[2]
    assert set(labels[0]) <= set(LABELS.values())
    assert len(set(labels[0])) > 8
    steps = np.abs(np.diff(labels[0]))
    assert (steps > 5).any()  # songs of several shards side by side


def test_each_process_has_shards_of_its_own(shards):
    crops = ShardCrops(shards, LABELS, SHARDED, 8, seed=0, buffer=2)
    own = [{int(y) // 5 for _, ys in crops.epoch(0, rank, 2) for y in ys} for rank in range(2)]
    assert own[0].isdisjoint(own[1])
    with pytest.raises(ConfigError, match="4 processes for 3 shards"):
        next(crops.epoch(0, 0, 4))


def test_shards_are_read_from_object_storage(shards):
    handler = partial(_Quiet, directory=str(Path(shards[0]).parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/arena_mel_1.tar"
        there = {name: song.tolist() for name, song in read_shard(address, LABELS)}
        with pytest.raises(ConfigError, match="cannot be read"):
            list(read_shard(f"{address}.gone", LABELS))
        server.shutdown()
    assert there == {name: song.tolist() for name, song in read_shard(shards[1], LABELS)}
    assert list(there) == ["5", "6", "7", "8", "9"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Tell nothing."""


def test_damaged_shards_are_named(shards, tmp_path):
    Path(shards[0]).write_bytes(Path(shards[0]).read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"arena_mel_0.tar"):
        list(read_shard(shards[0], LABELS))
    crops = ShardCrops(shards[:1], LABELS, SHARDED, 8, seed=0)
    with pytest.raises(ConfigError, match=r"arena_mel_0.tar"):  # in the thread that reads, told here
        list(crops.epoch(0))


def test_no_more_is_made_ahead_than_asked_for():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    taken = ahead(items(), 3)
    assert [next(taken) for _ in range(5)] == [0, 1, 2, 3, 4]
    taken.close()
    assert len(made) <= 5 + 3 + 2


# Whole songs


def test_songs_are_heard_whole_or_in_crops_from_first_to_last():
    song, net = np.arange(100.0)[None].repeat(BANDS, axis=0), make_net()
    assert views(net, song, LENGTH, 0).shape == (1, BANDS, 100)
    crops = views(net, song, LENGTH, 16)
    assert crops.shape == (16, BANDS, LENGTH)
    assert (crops[0, 0, 0], crops[-1, 0, -1]) == (0, 99)
    assert views(net, song[:, :7], LENGTH, 16).shape == (1, BANDS, LENGTH)
    fixed = create_model("vggnet", n_classes=2, input_shape=(32, 32))
    assert views(fixed, song[:1].repeat(32, axis=0), 32, 0).shape == (5, 32, 32)


def test_scores_of_crops_are_averaged():
    net = make_net().eval()
    song = make_songs().features(0).astype(np.float32)
    song = np.tile(song, 3)
    with torch.no_grad():
        each = net(torch.from_numpy(views(net, song, LENGTH, 4))).softmax(dim=1)
    found = song_scores(net, song, LENGTH, torch.device("cpu"), 4)
    np.testing.assert_allclose(found, each.mean(dim=0).numpy(), rtol=1e-5)
