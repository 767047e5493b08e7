"""Training: mixtures by mel powers, networks, loss, resuming, export."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from earmark.audio_writer import write_audio  # noqa: E402
from earmark.card import DecodeOptions, ModelCard  # noqa: E402
from earmark.errors import ConfigError  # noqa: E402
from earmark.features import FrontEnd  # noqa: E402
from earmark.model import Model  # noqa: E402
from earmark.planner import PlanOptions, plan  # noqa: E402
from earmark.programme import Event, Programme  # noqa: E402
from earmark.sources import Source  # noqa: E402
from earmark.train.bank import Bank, Entry  # noqa: E402
from earmark.train.batches import Batch, make_batch  # noqa: E402
from earmark.train.config import DataConfig, DetectorConfig, NetworkConfig, TrainConfig, load_config  # noqa: E402
from earmark.train.export import export  # noqa: E402
from earmark.train.loop import LABELS, train  # noqa: E402
from earmark.train.mixture import Mixer  # noqa: E402
from earmark.train.networks import DetectorNet, Outputs, harmonic_percussive  # noqa: E402
from earmark.train.objective import frame_scores, loss_of  # noqa: E402
from earmark.train.optimiser import Optimiser  # noqa: E402
from earmark.train.prepare import load_bank  # noqa: E402
from earmark.train.tune import tune_decoding  # noqa: E402

SMALL = NetworkConfig(width=8, maps=4, dilations=(1, 2), dropout=0.0)
QUICK = TrainConfig(chunk_s=2.0, batch=4, steps=6, validate_every=3, max_minutes=10.0, bfloat16=False)


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Speech has energy in the low bands, music in the high ones, noise everywhere."""
    rng = np.random.default_rng(0)
    shapes = {"speech": np.arange(64) < 24, "music": np.arange(64) >= 40, "noise": np.ones(64, bool)}
    entries, frames = [], []
    for i in range(12):
        content = ("speech", "music", "noise")[i % 3]
        mel = np.where(shapes[content], -20, -80) + rng.normal(0, 2, (400, 64))
        source = Source(f"{i}", content, content == "music" and i > 6, 8.0, f"{i}", content)
        entries.append(Entry(source, 400 * i, 400, -20.0))
        frames.append(mel.astype(np.float16))
    return Bank(entries, np.concatenate(frames), np.ones(4800, bool), FrontEnd(n_mels=64))


def test_powers_of_two_events_add_up_and_labels_follow(bank):
    events = (
        Event(0, 0.0, 4.0, 0.0, (0.0,), (-30.0,)),
        Event(1, 2.0, 4.0, 0.0, (0.0,), (-40.0,)),
    )
    example = Mixer(bank).render(Programme(8.0, events), np.random.default_rng(1))
    assert example.log_mel.shape == (400, 64)
    assert example.labels[50].tolist() == [1, 0, 0]
    assert example.labels[150].tolist() == [1, 1, 0]
    assert example.labels[250].tolist() == [0, 1, 0]
    assert example.labels[350].tolist() == [0, 0, 0]
    assert np.allclose(example.ratio_db[110:190], 10.0, atol=0.3)
    assert np.isnan(example.ratio_db[50])
    assert np.isnan(example.sung[50])
    assert example.sung[250] == 0


def test_what_is_masked_is_not_asked_for_and_what_nearly_is_gets_no_verdict(bank):
    def music_under_talk(level):
        events = (Event(0, 0.0, 4.0, 0.0, (0.0,), (-15.0,)), Event(1, 0.0, 4.0, 0.0, (0.0,), (level,)))
        labels = Mixer(bank).render(Programme(4.0, events), np.random.default_rng(1)).labels
        assert (labels[:, 0] == 1).all()
        return labels[:, 1]

    assert (music_under_talk(-50.0) == 0).all()
    assert np.isnan(music_under_talk(-40.0)).all()
    assert (music_under_talk(-30.0) == 1).all()


def test_short_pauses_between_turns_are_speech(bank):
    def turns(pause):
        events = (
            Event(0, 0.0, 2.0, 0.0, (0.0,), (-20.0,)),
            Event(3, 2.0 + pause, 2.0, 0.0, (0.0,), (-20.0,)),
        )
        example = Mixer(bank).render(Programme(6.0, events), np.random.default_rng(1))
        return example.labels[100 : round(50 * (2 + pause)), 0], example.heard[100:110, 0]

    for labels in turns(0.4):
        assert (labels == 1).all()
    assert (turns(0.8)[0] == 0).all()


def test_some_music_is_two_pieces_or_two_voices_at_once(bank):
    def layers(source):
        programme = Programme(4.0, (Event(source, 0.0, 4.0, 0.0, (0.0,), (-30.0,)),))
        return mixer._layers(programme, rng)

    mixer, rng = Mixer(bank), np.random.default_rng(2)
    assert 30 < sum(len(layers(1)) for _ in range(400)) < 90
    assert not any(layers(source) for source in (0, 2) for _ in range(50))  # talk, noise
    for source, alike in ((1, (1, 4)), (10, (7, 10))):  # instruments, songs
        for layer in [layer for _ in range(80) for layer in layers(source)]:
            assert layer.source in alike
            assert -38 <= layer.levels[0] <= -30


def test_a_batch_depends_on_seed_and_step_alone(bank):
    mixer = Mixer(bank)
    first, again, other = (make_batch(mixer, PlanOptions(), QUICK, step) for step in (5, 5, 6))
    assert torch.equal(first.log_mel, again.log_mel)
    assert not torch.equal(first.log_mel, other.log_mel)
    assert first.log_mel.shape == (4, 64, 100)
    assert first.labels.shape == (4, 100, 3)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        dataclasses.replace(SMALL, block="norm_relu"),
        dataclasses.replace(SMALL, block="gated"),
        dataclasses.replace(SMALL, front="allconv"),
        dataclasses.replace(SMALL, cascade=True),
        dataclasses.replace(SMALL, hpss=(5, 3)),
    ],
)
def test_a_network_answers_every_frame_and_sees_no_further_than_its_context(config):
    torch.manual_seed(0)
    net = DetectorNet(config, 64, 3).eval()
    x = torch.randn(1, 64, 301) * 20 - 45
    far = x.clone()
    far[..., 150 + net.context + 1 :] += 30
    far[..., : 150 - net.context] -= 30
    with torch.no_grad():
        a, b = net(x), net(far)
    assert a.logits.shape == (1, 301, 3)
    assert a.ratio.shape == a.sung.shape == (1, 301)
    assert torch.allclose(a.logits[:, 150], b.logits[:, 150], atol=1e-5)
    assert not torch.allclose(a.logits[:, 0], b.logits[:, 0], atol=1e-5)


def test_medians_part_a_tone_from_a_click():
    plane = torch.zeros(1, 20, 40)
    plane[:, 7, :] = 5
    plane[:, :, 20] = 5
    harmonic, percussive = harmonic_percussive(plane, 9, 9)
    assert harmonic[0, 7].min() == 5
    assert harmonic[0, 3].max() == 0
    assert percussive[0, :, 20].min() == 5
    assert percussive[0, :, 10].max() == 0


def test_frames_without_a_verdict_have_no_gradient():
    logits = torch.zeros(1, 4, 3, requires_grad=True)
    labels = torch.tensor([[[1.0, 0, 0], [torch.nan, 0, 0], [0, 1, 0], [0, 0, torch.nan]]])
    nothing = torch.full((1, 4), torch.nan)
    batch = Batch(torch.zeros(1, 64, 4), labels, nothing, nothing)
    parts = loss_of(Outputs(logits, torch.zeros(1, 4), torch.zeros(1, 4)), batch, TrainConfig())
    torch.stack(list(parts.values())).sum().backward()
    assert logits.grad[0, 1, 0] == 0
    assert logits.grad[0, 3, 2] == 0
    assert logits.grad[0, 0, 0] < 0
    assert parts["labels"].item() == pytest.approx(np.log(2))
    assert parts["ratio"].item() == parts["sung"].item() == 0


def test_frame_scores_by_hand():
    labels = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [torch.nan, 0, 0]])
    logits = torch.tensor([[1.0, -1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0], [1, 1, 0]])
    scores = frame_scores(logits, labels)
    assert scores["speech_f"] == 100
    assert scores["music_f"] == pytest.approx(200 / 3)
    assert scores["overlap_f"] == 0
    assert scores["four_state"] == 75


def run(bank: Bank, out: Path, steps: int = 6, config: TrainConfig = QUICK) -> dict[str, torch.Tensor]:
    settings = DetectorConfig(network=SMALL, train=config)
    stop_at = steps

    class Stop(Exception):
        pass

    def report(progress):
        if progress.step == stop_at < config.steps:
            raise Stop

    try:
        return train(settings, bank, out, report=report).state_dict()
    except Stop:
        return {}


def test_a_run_that_was_stopped_ends_as_one_that_was_not(bank, tmp_path):
    timeless = dataclasses.replace(QUICK, max_minutes=1e9, muon_rate=0.01)
    whole = run(bank, tmp_path / "whole", config=timeless)
    assert run(bank, tmp_path / "parts", steps=4, config=timeless) == {}
    resumed = run(bank, tmp_path / "parts", config=timeless)
    assert resumed.keys() == whole.keys()
    assert all(torch.allclose(resumed[name], whole[name], atol=1e-6) for name in whole)
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts/metrics.jsonl").read_text().splitlines()]
    assert steps == [3, 6]


@pytest.mark.parametrize("muon_rate", [0.0, 0.02])
def test_muon_steps_kernels_in_all_directions_alike(muon_rate):
    torch.manual_seed(0)
    net = DetectorNet(SMALL, 64, 3)
    config = dataclasses.replace(QUICK, learning_rate=0.01, muon_rate=muon_rate, weight_decay=0.0)
    optimiser = Optimiser(net, config, ("labels", "ratio", "sung"))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    sum(output.square().mean() for output in net(torch.randn(2, 64, 40))).backward()
    optimiser.step(0.5)
    kernels = {name: value.detach() for name, value in net.named_parameters() if value.ndim > 1}
    moved = {name: (value - before[name]).flatten(1) for name, value in kernels.items()}
    assert all(change.any() for change in moved.values())
    sizes = torch.linalg.svdvals(moved["trunk.0.layers.0.weight"])
    if muon_rate:
        # As large as AdamW's usual ones: 0.2 a weight.
        assert sizes.mean() == pytest.approx(0.5 * muon_rate * 0.2 * 24**0.5, rel=0.2)
        assert sizes.max() < 2.5 * sizes.min()
    else:
        assert sizes.max() > 2.5 * sizes.min()
    assert moved["labels.weight"].abs().max() == pytest.approx(0.5 * 0.01, rel=0.01)


def test_a_checkpoint_of_another_configuration_is_refused(bank, tmp_path):
    run(bank, tmp_path, config=dataclasses.replace(QUICK, max_minutes=1e9))
    with pytest.raises(ConfigError, match="another configuration"):
        run(bank, tmp_path, config=dataclasses.replace(QUICK, seed=2))


def test_a_small_network_learns_simple_classes(bank, tmp_path):
    config = DetectorConfig(
        network=dataclasses.replace(SMALL, width=16),
        train=dataclasses.replace(QUICK, steps=120, learning_rate=1e-2, validate_every=1000, average=0.9),
    )
    plain = PlanOptions(noise=0, speech_in_noise=0, music_in_noise=0)
    net = train(dataclasses.replace(config, plan=plain), bank, tmp_path)
    batch = make_batch(Mixer(bank), plain, dataclasses.replace(QUICK, seed=77, batch=16), 0)
    with torch.no_grad():
        scores = frame_scores(net(batch.log_mel).logits, batch.labels)
    assert scores["speech_f"] > 75
    assert scores["music_f"] > 75


def test_the_exported_graph_is_a_model_with_its_card(tmp_path):
    net = DetectorNet(SMALL, 64, 3)
    card = ModelCard(
        "small",
        "1",
        "Test.",
        LABELS,
        FrontEnd(n_mels=64),
        net.context,
        {label: DecodeOptions() for label in LABELS},
        "MIT",
    )
    export(net, card, tmp_path / "small.onnx")
    model = Model.load(tmp_path / "small.onnx")
    assert model.card == card
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 5).astype(np.float32)
    posteriors = model.posteriors(noise, 16_000)
    assert posteriors.values.shape == (250, 3)
    assert posteriors.speech_to_music_db is not None


def test_a_plan_over_bank_sources_uses_all_kinds(bank):
    programme = plan(bank.sources, 120.0, np.random.default_rng(0))
    assert {bank.entries[e.source].content for e in programme.events} == set(LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nstepps = 3\n", "did you mean 'steps'"),
        ("[train]\nsteps = 'many'\n", "must be int"),
        ("[network]\ndilations = 3\n", "must be a list of int"),
        ("train = 3\n", "must be a table"),
        ("[train\n", "not valid TOML"),
    ],
)
def test_a_wrong_configuration_is_told_apart(tmp_path, text, message):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_overrides_change_single_values(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[train]\nsteps = 3\n")
    config = load_config(path, ("train.steps=9", "network.dilations=[1, 2]", "data.index=x.csv"))
    assert (config.train.steps, config.network.dilations, config.data.index) == (9, (1, 2), "x.csv")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.steps=-1", "steps -1: it must be above 0"),
        ("train.validate_every=0", "validate_every 0: it must be above 0"),
        ("train.max_minutes=nan", "max_minutes nan: it must be above 0"),
        ("train.weight_decay=-0.1", "weight_decay -0.1: it must be 0 or more"),
        ("train.average=1", "average 1.0: it must be 0 or more, and below 1"),
        ("train.steps.x=1", "--set train.steps.x=1: 'steps' is a value, and holds no others"),
    ],
)
def test_values_out_of_range_are_refused_before_any_work(tmp_path, override, message):
    path = tmp_path / "c.toml"
    path.write_text("[train]\nsteps = 3\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path, (override,))


def test_an_interrupted_preparation_goes_on_where_it_was(tmp_path):
    rng = np.random.default_rng(3)
    sources = []
    for i, content in enumerate(("speech", "music", "noise", "music")):
        path = tmp_path / f"{i}.wav"
        write_audio(path, rng.normal(0, 0.1, 16_000 + 3200 * i), 16_000)
        sources.append(Source(str(path), content, False, 1.0 + 0.2 * i, f"{i}", content))
    data = DataConfig(
        variants=0,
        music_variants=0,
        sung_variants=0,
        singing_minutes=0,
        rap_minutes=0,
        tune_minutes=0,
        noise_minutes=0,
    )

    def prepare(cache, report):
        return load_bank(sources, data, FrontEnd(), cache, seed=0, jobs=1, report=report)

    seen = []

    def stop_after_two(done, total):
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "cache", stop_after_two)
    assert seen == [(0, 4), (1, 4), (2, 4)]
    (folder,) = (tmp_path / "cache").iterdir()
    # Killed while writing: frames without an entry, half an entry.
    for name, junk in (("frames.f16", b"xxx"), ("active.bool", b"x"), ("entries.jsonl", b"[2, [")):
        with (folder / name).open("ab") as file:
            file.write(junk)
    resumed = prepare(tmp_path / "cache", lambda done, total: seen.append((done, total)))
    assert seen[3:] == [(2, 4), (3, 4), (4, 4)]
    whole = prepare(tmp_path / "other", lambda done, total: None)
    assert resumed.entries == whole.entries
    assert np.array_equal(resumed.frames, whole.frames)
    assert np.array_equal(resumed.active, whole.active)


class Flickering(torch.nn.Module):
    """Hears the bank's sounds, loses talk for 0.3 s every two seconds and adds 0.1 s of it every three."""

    def forward(self, log_mel):
        low, high = log_mel[:, :24].mean(1), log_mel[:, 40:].mean(1)
        middle = log_mel[:, 24:40].mean(1)
        logits = 10 * torch.stack([low > -45, high > -45, middle > -45], dim=-1).float() - 5
        at = torch.arange(log_mel.shape[-1])
        logits[:, at % 100 < 15, 0] = -5
        logits[:, at % 150 < 5, 0] = 5
        return Outputs(logits, low, low)


def test_decoding_is_tuned_to_what_the_network_gets_wrong(bank):
    options = tune_decoding(Flickering(), Mixer(bank), n_programmes=2)
    assert set(options) == set(LABELS)
    assert options["speech"].min_gap >= 0.3 or options["speech"].smooth >= 0.7
    assert options["speech"].min_duration >= 0.2 or options["speech"].smooth >= 0.3
