"""Training of the embedder: windows, losses, network, model file."""

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from earmark.audio_writer import write_audio  # noqa: E402
from earmark.embedding import Embedder as Runner  # noqa: E402
from earmark.errors import ConfigError  # noqa: E402
from earmark.features import FrontEnd  # noqa: E402
from earmark.sources import Source  # noqa: E402
from earmark.train.bank import Bank, Entry  # noqa: E402
from earmark.train.embedder.config import EmbedderConfig, EmbedderNetworkConfig, EmbedderTrainConfig  # noqa: E402
from earmark.train.embedder.network import Answers, Embedder, EmbedderTasks, Embeddings  # noqa: E402
from earmark.train.embedder.objective import loss_of, pair_loss, recordings_found  # noqa: E402
from earmark.train.embedder.run import train_embedder  # noqa: E402
from earmark.train.embedder.windows import CONTENTS, UNKNOWN, WindowMaker, Windows  # noqa: E402
from earmark.train.loop import train_steps  # noqa: E402
from earmark.train.mixture import Mixer  # noqa: E402
from earmark.train.optimiser import Optimiser  # noqa: E402
from earmark.train.tasks import read_task  # noqa: E402

SMALL = EmbedderNetworkConfig(widths=(4, 8), size=16, projected=8)
QUICK = EmbedderTrainConfig(batch=8, steps=40, max_minutes=10.0, validate_every=20, bfloat16=False, window=32)
SPEECH, INSTRUMENTS, NOISE, SINGING, MANY = range(len(CONTENTS))


@pytest.fixture(scope="module")
def mixer() -> Mixer:
    """Twelve recordings, each loud in bands of its own, in two copies."""
    rng = np.random.default_rng(0)
    entries, frames = [], []
    for i in range(24):
        content = ("speech", "music", "music", "noise")[i % 4]
        place = i % 12
        bands = np.abs(np.arange(64) - 5 * place) < 3
        mel = np.where(bands, -20, -80) + rng.normal(0, 2, (200, 64))
        detail = f"00{place} - Thing {place}-123-A"
        source = Source(f"{i}", content, i % 4 == 2, 4.0, f"{place}", f"shop {i % 4}", detail=detail)
        entries.append(Entry(source, 200 * i, 200, -20.0))
        frames.append(mel.astype(np.float16))
    return Mixer(Bank(entries, np.concatenate(frames), np.ones(4800, bool), FrontEnd(n_mels=64)))


def test_a_batch_is_of_pairs_and_depends_on_seed_and_step_alone(mixer):
    maker = WindowMaker(mixer, QUICK)
    batch = maker.batch(3)
    assert batch.log_mel.shape == (8, 64, 32)
    assert len(maker.recordings) == 12
    assert maker.kinds[0] == "music shop 1 001 - Thing"
    again = WindowMaker(mixer, QUICK).batch(3)
    for name in ("log_mel", "recordings", "kinds"):
        assert torch.equal(getattr(batch, name), getattr(again, name))
    assert not torch.equal(batch.log_mel, maker.batch(4).log_mel)
    single = WindowMaker(mixer, replace(QUICK, choirs=0.0)).batch(3).recordings.reshape(-1, 2)
    assert torch.equal(single[:, 0], single[:, 1])


def test_contents_follow_what_is_heard(mixer):
    plain = WindowMaker(mixer, replace(QUICK, batch=64, mixed=0.0, choirs=0.0)).batch(0)
    contents = [mixer.bank.sources[i] for i in range(12)]
    names = WindowMaker(mixer, QUICK).recordings
    for row, recording in zip(plain.contents, plain.recordings, strict=True):
        content, sung, group = names[recording]
        assert contents[int(group)].content == content
        wanted = SINGING if sung else {"speech": SPEECH, "music": INSTRUMENTS, "noise": NOISE}[content]
        assert row[wanted] == 1
        assert row[:MANY].sum() == 1
        assert row[MANY] == 0 if sung else math.isnan(row[MANY])
    choirs = WindowMaker(mixer, replace(QUICK, batch=64, mixed=0.0, choirs=1.0)).batch(0)
    sung = choirs.contents[:, SINGING] == 1
    assert sung.any()
    assert (choirs.contents[sung, MANY] == 1).all()
    assert (choirs.recordings[sung] == UNKNOWN).all()
    assert (choirs.kinds[sung] == UNKNOWN).all()
    mixed = WindowMaker(mixer, replace(QUICK, batch=64, mixed=1.0, choirs=0.0)).batch(0)
    assert (mixed.contents[:, :MANY].sum(1) == 2).any()


def test_pair_loss_by_hand():
    places = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    # Window 0 sees its partner at 0 and both others at 1; if these are of its recording, its partner alone.
    wanted = -math.log(1 / (1 + 2 * math.exp(10)))
    losses = [pair_loss(places, torch.tensor(names)) for names in ([5, 5, 7, 7], [5, 5, 5, 5])]
    others = [-math.log(1 / 3), -math.log(math.e**10 / (2 * math.e**10 + 1)), 0.0]
    assert losses[0] == pytest.approx((wanted + others[0] + 2 * others[1]) / 4, rel=1e-5)
    assert losses[1] == pytest.approx(0.0, abs=1e-6)


def test_what_is_unknown_has_no_say_and_a_weight_of_0_leaves_a_task_out():
    def batch(kind: int, many: float) -> Windows:
        contents = torch.tensor([[1.0, 0, 0, 0, many]] * 2)
        return Windows(torch.zeros(2, 4, 4), torch.tensor([0, 0]), torch.tensor([kind, 1]), contents)

    places = torch.nn.functional.normalize(torch.ones(2, 3), dim=1)
    kinds, contents = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.ones(2, 5)
    answers = Answers(places, torch.zeros(2, 3), kinds, contents)
    known, unknown = (loss_of(answers, b, QUICK) for b in (batch(1, 1.0), batch(UNKNOWN, math.nan)))
    assert unknown["kinds"] < known["kinds"]
    assert torch.isfinite(unknown["contents"])
    few = replace(QUICK, recordings_weight=0.0, kinds_weight=0.0, contents_weight=0.0)
    assert set(loss_of(answers, batch(1, 1.0), few)) == {"pairs"}


def test_training_tells_recordings_apart(mixer, tmp_path):
    # The rate rises over the first 200 steps.
    config = replace(QUICK, batch=32, steps=80, learning_rate=2e-2, average=0.9)
    maker = WindowMaker(mixer, config)
    torch.manual_seed(0)
    net = EmbedderTasks(SMALL, 64, len(maker.recordings), len(maker.kinds), len(CONTENTS))
    held_out = WindowMaker(mixer, replace(QUICK, seed=9, batch=128, choirs=0.0)).batch(0)

    def right() -> float:
        with torch.no_grad():
            answers = net.eval()(held_out.log_mel)
        return float((answers.recordings.argmax(dim=1) == held_out.recordings).float().mean())

    assert right() < 0.3
    train_steps(
        net,
        Optimiser(net, config, ()),
        maker.batch,
        lambda answers, batch: loss_of(answers, batch, config),
        config,
        tmp_path,
        described="x",
    )
    assert right() > 0.6


def test_a_recording_is_found_by_the_nearest_window():
    log_mel = torch.tensor([[[1.0, 0.0]], [[1.0, 0.1]], [[0.0, 1.0]], [[0.1, 1.0]]])
    batch = Windows(log_mel, torch.tensor([4, 4, 5, 6]), torch.zeros(4), torch.zeros(4, 5))
    same = torch.nn.Flatten()
    same.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    assert recordings_found(same, [batch]) == {"recordings_found": 50.0}


def test_the_second_embedding_has_what_the_layers_before_the_last_hold():
    torch.manual_seed(0)
    outputs = Embeddings(Embedder(SMALL, 64).eval())
    log_mel = torch.randn(3, 64, 40) - 60
    with torch.no_grad():
        own, more = outputs(log_mel)
        first, last = outputs.embedder.layers(log_mel)
    assert outputs.sizes == (own.shape[1], more.shape[1]) == (16, 24)
    assert torch.equal(more[:, :16], own)
    assert torch.equal(own, outputs.embedder(log_mel))
    assert torch.equal(own, outputs.embedder.embed(last))
    torch.testing.assert_close(more[:, 16:20], first.mean(dim=(2, 3)))
    deviation = (first.var(dim=3, correction=0) + 1e-5).sqrt().mean(dim=2)
    torch.testing.assert_close(more[:, 20:], deviation)


def test_a_run_writes_a_model_that_embeds(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["path,content,detail,vocals,seconds,fold,source,group,language,licence"]
    for i, content in enumerate(("speech", "music", "noise")):
        samples = 0.1 * rng.normal(size=3 * 16_000).astype(np.float32)
        write_audio(tmp_path / f"{i}.wav", samples, 16_000)
        rows.append(f"{i}.wav,{content},,,3,0,here,{i},,CC0-1.0")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n")
    config = tmp_path / "embedder.toml"
    data = "variants = 0\nmusic_variants = 0\nsung_variants = 0\nsinging_minutes = 0\nrap_minutes = 0\n"
    config.write_text(
        f'task = "embedder"\n[data]\nindex = "{tmp_path / "index.csv"}"\n{data}tune_minutes = 0\n'
        "noise_minutes = 0\n[network]\nwidths = [4, 8]\nsize = 16\n"
        "[train]\nbatch = 4\nsteps = 2\nvalidate_every = 2\nwindow = 40\nhop = 20\n"
    )
    settings, run = read_task(config)
    assert isinstance(settings, EmbedderConfig)
    assert run is train_embedder
    path = run(settings, tmp_path / "run", cache=tmp_path / "cache", jobs=1)
    assert b".py" not in path.read_bytes()  # no word of where it was made
    embedder = Runner(path)
    assert embedder.hop_s == pytest.approx(0.4)
    values, times = embedder.embed(tmp_path / "0.wav")
    assert values.shape == (len(times), 16)
    assert (values >= 0).all()
    more, _ = Runner(path, "24").embed(tmp_path / "0.wav")
    assert more.shape == (len(times), 24)
    np.testing.assert_array_equal(more[:, :16], values)
    assert {row["name"] for row in embedder.card.sources} == {"here"}
    assert embedder.card.sources[0]["licences"] == ["CC0-1.0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('task = "embeder"', "choose one of detector, embedder"),
        ('task = "embedder"\n[train]\nbatch = 7', "windows come in pairs"),
        ('task = "embedder"\n[train]\nwindow = 0', "at least 1"),
        ('task = "embedder"\n[plan]\nsong = 0.1', "unknown key 'plan'"),
    ],
)
def test_a_wrong_configuration_is_told(tmp_path, text, message):
    path = tmp_path / "embedder.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_task(path)


def test_a_bank_without_a_whole_window_is_refused(mixer):
    with pytest.raises(ConfigError, match="400 frames of a window"):
        WindowMaker(mixer, replace(QUICK, window=400))


def test_muon_steps_two_dimensional_kernels_whichever_way_they_lie():
    moved = []
    for layout in (torch.channels_last, torch.contiguous_format):
        torch.manual_seed(1)
        net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 6, 3)).to(memory_format=layout)
        optimiser = Optimiser(net, EmbedderTrainConfig(muon_rate=0.02, weight_decay=0.0), (), torch.nn.Conv2d)
        before = net[1].weight.detach().clone()
        net(torch.randn(8, 1, 9, 9)).square().mean().backward()
        optimiser.step(1.0)
        moved.append((net[1].weight.detach() - before).flatten(1))
    sizes = torch.linalg.svdvals(moved[0])
    assert sizes.max() < 2.5 * sizes.min()
    assert torch.allclose(torch.linalg.svdvals(moved[0]), torch.linalg.svdvals(moved[1]), rtol=0.05)
