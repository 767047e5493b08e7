"""Published architectures: parameters to the unit, shapes, wiring, starting values, registry, list."""

from __future__ import annotations

import copy
import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from torch import nn  # noqa: E402

from earmark.cli.app import run  # noqa: E402
from earmark.errors import ConfigError, ModelError  # noqa: E402
from earmark.features import mel_filters  # noqa: E402
from earmark.train.config import tomllib  # noqa: E402
from earmark.train.models import (  # noqa: E402
    ARCHITECTURES,
    LateFusion,
    MultiTaskOutputs,
    PatchNet,
    count_parameters,
    create_model,
    load_tvsm,
    penalty,
    single_task,
)
from earmark.train.models.allconv import AllConv  # noqa: E402
from earmark.train.models.dnn import Dnn  # noqa: E402
from earmark.train.models.gro import GroCnn  # noqa: E402
from earmark.train.models.heads import ClassHead, MultiTaskHead  # noqa: E402
from earmark.train.models.jang import Jang, MelKernels  # noqa: E402
from earmark.train.models.kumar import CONTEXT  # noqa: E402
from earmark.train.models.layers import Conv1d, Conv2d, MaxPool2d, same_padding  # noqa: E402
from earmark.train.models.openl3 import OpenL3  # noqa: E402
from earmark.train.models.papakostas import Papakostas  # noqa: E402
from earmark.train.models.swishnet import SwishNet  # noqa: E402
from earmark.train.models.tcn import PatchTcn  # noqa: E402

GOLDEN = Path(os.environ.get("EARMARK_GOLDEN") or Path(__file__).parents[2] / "shared" / "golden")
PATCH = [name for name, a in ARCHITECTURES.items() if a.output == "patch"]
FRAMES = [name for name, a in ARCHITECTURES.items() if a.output == "frames"]
# Published as programs for PyTorch, with its batch norm.
OF_PYTORCH = ("kumar", "ecapa", "ecapa-ccs", "ecapa-ccs-fsa", "resnet18", "resnet34", "se-resnet34")
B3_MTL = {80: 213_623, 120: 214_903, 240: 218_743}
B3_CASCADED = {80: 213_699, 120: 214_979, 240: 218_819}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def spec(count, model, shape=None, n_classes=None, head="classes", fusion="none", **options):
    """Return a row of the table of published parameters: the count, and what to give `create_model`."""
    given = {"input_shape": shape, "n_classes": n_classes, "head": head, "fusion": fusion}
    given = {key: value for key, value in given.items() if value not in (None, "classes", "none")}
    words = [model, *map(str, given.values()), *(f"{key}={value}" for key, value in options.items())]
    return pytest.param({"model": model, **given, "options": options}, count, id=" ".join(words))


COUNTS = [
    spec(785_603, "ina-smn"),
    spec(785_346, "ina-smn", n_classes=2),
    spec(1_444_291, "ina-sm"),
    spec(1_443_778, "ina-sm", n_classes=2),
    spec(4_851_650, "ina-sm", (128, 68), 2),
    spec(2_554_818, "ina-smn", (128, 68), 2),
    spec(4_899, "swishnet-slim", hidden=False),
    spec(15_819, "swishnet-wide", hidden=False),
    spec(5_483, "swishnet-slim"),
    spec(18_267, "swishnet-wide"),
    spec(5_606, "swishnet-slim", (22, 16), 2),
    spec(5_623, "swishnet-slim", (22, 16), 3),
    spec(18_502, "swishnet-wide", (22, 16), 2),
    spec(18_535, "swishnet-wide", (22, 16), 3),
    spec(13_026, "swishnet-slim", (128, 16), 2),
    spec(13_043, "swishnet-slim", (128, 16), 3),
    spec(32_706, "swishnet-wide", (128, 16), 2),
    spec(32_739, "swishnet-wide", (128, 16), 3),
    spec(102_562, "vgg-like"),
    spec(16_770, "dnn", (128, 1)),
    spec(164_226, "dnn"),
    spec(262_530, "dnn", (128, 16)),
    spec(65_922, "dnn", (512, 1)),
    spec(33_154, "dnn", (256, 1)),
    spec(105_668, "gro-t3"),
    spec(105_733, "gro-t1"),
    spec(527_365, "gro-t1-dnn"),
    spec(171_045, "gro-t2"),
    spec(1_439_973, "han", n_classes=5),
    spec(1024 * 512 + 512 + 3 * 513, "gro-t4"),
    spec(105_733, "gro-t6"),
    spec(44_084_547, "papakostas"),
    spec(73_444_675, "papakostas", (402, 68)),
    spec(108_963, "lemaire-b3"),
    spec(110_243, "lemaire-b3", (120, 68)),
    spec(114_083, "lemaire-b3", (240, 68)),
    *(spec(count, "lemaire-b3", (n, 68), head="mtl") for n, count in B3_MTL.items()),
    *(spec(count, "lemaire-b3", (n, 68), head="c-mtl") for n, count in B3_CASCADED.items()),
    spec(438_295, "lemaire-b3", (120, 68), head="mtl", fusion="intermediate"),
    spec(142_433, "lemaire-b3", (240, 68), head="binary"),
    spec(2 * 214_903, "lemaire-b3", (120, 68), head="mtl", fusion="late"),
    spec(21_084_977, "jang"),
    spec(128_817, "jang-nofc", pool="same"),
    spec(125_745, "jang-nofc"),
    spec(8_546_967, "ina-sm", (240, 68), head="mtl"),
    spec(73_641_495, "papakostas", (402, 68), head="mtl"),
    spec(1_871_591, "jang-hp", head="mtl"),
    spec(73_046_503, "jang-hp", head="mtl", dense=True),
    spec(543_634, "lemaire-ctcn"),
    spec(649_714, "lemaire-nctcn"),
    spec(27_993_810, "lemaire-final2"),
    spec(695_698, "lemaire-final3"),
    spec(27_694, "all-conv"),
    spec(28_974, "all-conv", (40, 10)),
    spec(831_890, "tvsm-crnn"),
    *(spec(4_687_042, f"openl3-{name}") for name in ("mel256", "mel128", "linear")),
    spec(4_687_042, "openl3-mel256", embedding=6144),
    spec(4_687_042 + 513 * 2, "openl3-mel128", n_classes=2),
    spec(72_141_184, "vggish"),
    spec(5_002_047, "kumar"),
]


@pytest.mark.parametrize(("given", "count"), COUNTS)
def test_parameters_are_those_published(given, count):
    with torch.device("meta"):
        assert count_parameters(create_model(**given)) == count


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"model": "ina-smn"}, 788_803),
        ({"model": "all-conv", "options": {"batch_statistics": True}}, 27_822),
        ({"model": "openl3-mel128"}, 4_689_860),
        ({"model": "kumar"}, 5_007_103),
    ],
)
def test_with_the_statistics_of_batch_norm_the_counts_are_those_of_the_weight_files(given, count):
    state = create_model(**given).state_dict()
    assert sum(v.numel() for name, v in state.items() if not name.endswith("num_batches_tracked")) == count


def patches(name, batch=2, frames=None, seed=0):
    rows, length = ARCHITECTURES[name].shape
    return torch.randn(batch, rows, frames or length, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", PATCH)
def test_a_patch_gets_logits_and_every_parameter_a_gradient(name):
    net = create_model(name)
    logits = net(patches(name, 3))
    assert logits.shape == (3, ARCHITECTURES[name].n_classes)
    (logits * torch.randn_like(logits)).sum().backward()
    lacking = [n for n, p in net.named_parameters() if n.endswith("weight") and not p.grad.abs().sum() > 0]
    assert lacking == []


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_gets_logits_and_every_parameter_a_gradient(name):
    net = create_model(name, n_classes=3)
    logits = net(patches(name, 2, frames=37))
    assert logits.shape == (2, 37, 3)
    (logits * torch.randn_like(logits)).sum().backward()
    lacking = [n for n, p in net.named_parameters() if "weight" in n and not p.grad.abs().sum() > 0]
    assert lacking == []


@pytest.mark.parametrize(
    "name",
    ["swishnet-slim", "vgg-like", "dnn", "lemaire-b3", "all-conv", "ina-smn", "gro-t3", "gro-t2", "gro-t4"],
)
def test_a_small_network_learns_one_batch(name):
    net = create_model(name, n_classes=2)
    for module in net.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    x = patches(name, 8)[..., :16] if name == "swishnet-slim" else patches(name, 8)
    truth = torch.arange(8) % 2
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(net(x), truth)
        losses.append(loss.item())
        if losses[-1] < 0.3:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.3 < losses[0]


# Embeddings


@pytest.fixture
def _light(monkeypatch):
    """Make VGGish's dense layers small: they hold 67 of its 72 million parameters."""
    monkeypatch.setattr("earmark.train.models.vggish._UNITS", 64)


@pytest.mark.usefixtures("_light")
@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("openl3-mel256", {}, (512, 32, 24)),
        ("openl3-mel256", {"embedding": 6144}, (512, 32, 24)),
        ("openl3-linear", {"embedding": 6144}, (512, 32, 24)),
        ("openl3-mel128", {"embedding": 6144}, (512, 16, 24)),
        ("vggish", {}, (512, 4, 6)),
    ],
)
def test_embeddings_have_the_size_and_the_maps_that_are_published(name, options, shape):
    net = create_model(name, options=options).eval()
    with torch.no_grad():
        x = patches(name, 1)
        assert net(x).shape == (1, net.n_features)
        assert net.n_features == options.get("embedding", 128 if name == "vggish" else 512)
        assert net.conv(x[:, None]).shape == (1, *shape)


def test_the_embeddings_of_openl3_are_the_greatest_of_its_maps():
    net = create_model("openl3-mel128", options={"embedding": 6144}).eval()
    with torch.no_grad():
        x = patches("openl3-mel128", 1)
        maps, found = net.maps(x), net(x)
        # Bands, then frames, then maps.
        wanted = [maps[0, c, 4 * i : 4 * i + 4, 8 * j : 8 * j + 8].max() for i in range(4) for j in range(3)
                  for c in (0, 511)]  # fmt: skip
        assert found.reshape(12, 512)[:, [0, 511]].flatten().tolist() == [v.item() for v in wanted]
        small = OpenL3((128, 199)).eval()
        small.conv = net.conv
        assert torch.equal(small(x), found.reshape(12, 512).amax(dim=0, keepdim=True))


@pytest.mark.usefixtures("_light")
def test_vggish_flattens_frames_bands_maps_and_rectifies_on_request():
    net = create_model("vggish", options={"final_relu": True}).eval()
    with torch.no_grad():
        x = patches("vggish", 1)
        maps = net.conv(x[:, None])
        flat = torch.stack([maps[0, :, f, t] for t in range(6) for f in range(4)]).flatten()
        found = net(x)
        assert torch.allclose(found[0], net.dense(flat), atol=1e-6)
        assert torch.equal(found, net.dense[:-1](flat)[None].relu())


@pytest.mark.parametrize(("frames", "segments"), [(128, 1), (191, 1), (192, 2), (256, 3), (864, 12)])
def test_kumar_has_a_segment_for_64_frames(frames, segments):
    net = create_model("kumar").eval()
    with torch.no_grad():
        vectors = net.trunk.segments(patches("kumar", 1, frames))
        assert vectors.shape == (1, segments, 1024)
        assert torch.allclose(net.trunk(patches("kumar", 1, frames)), vectors.mean(1))


def test_a_segment_of_kumars_reaches_as_far_as_said():
    net = create_model("kumar").trunk.eval()
    x = patches("kumar", 1, 640).requires_grad_()
    net.segments(x)[0, 4].sum().backward()
    seen = torch.nonzero(x.grad[0].abs().sum(dim=0)).flatten()
    # Segment 4 begins with frame 256.
    assert 256 - CONTEXT <= seen.min() < 256 - CONTEXT + 32
    assert 383 + CONTEXT - 32 < seen.max() <= 383 + CONTEXT


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"model": "openl3-mel256", "options": {"embedding": 1024}}, "embedding 1024 of OpenL3: choose 512"),
        ({"model": "openl3-mel256", "input_shape": (7, 199)}, "7 bands x 199 frames are too small"),
        ({"model": "openl3-mel256", "input_shape": (24, 199), "options": {"embedding": 6144}},
         "24 bands x 199 frames are too small for embedding 6144"),
        ({"model": "kumar", "input_shape": (128, 127)}, "128 bands x 127 frames are too small"),
        ({"model": "vggish", "fusion": "intermediate"}, "'vggish' has no classes of its own to fuse"),
    ],
)  # fmt: skip
def test_embeddings_that_cannot_be_made_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        create_model(**arguments)


@pytest.mark.usefixtures("_light")
def test_networks_of_embeddings_start_as_published():
    with torch.no_grad():
        openl3, vggish = create_model("openl3-mel128"), create_model("vggish")
    for layer in (m for m in openl3.modules() if isinstance(m, nn.Conv2d) and m.in_channels > 1):
        std = math.sqrt(2 / (9 * layer.in_channels))
        assert layer.weight.std().item() == pytest.approx(std, rel=0.05)
        assert layer.weight.abs().max() <= 2 * std / 0.879
        assert not layer.bias.any()
        assert layer.l2 == 1e-5
    for layer in (m for m in vggish.modules() if isinstance(m, nn.Conv2d | nn.Linear)):
        assert layer.weight.std().item() == pytest.approx(0.0088, rel=0.06)
        assert layer.weight.abs().max() <= 0.02


# Layers


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "dilation", "expected"),
    [(5, 2, 2, 1, (0, 1)), (62, 4, 4, 1, (1, 1)), (99, 3, 2, 1, (1, 1)), (32, 3, 2, 1, (0, 1)),
     (40, 5, 5, 1, (0, 0)), (41, 5, 5, 1, (2, 2)), (68, 4, 1, 1, (1, 2)), (68, 3, 1, 128, (128, 128))],
)  # fmt: skip
def test_same_padding_puts_the_odd_step_at_the_end(n, kernel, stride, dilation, expected):
    assert same_padding(n, kernel, stride, dilation) == expected


def test_a_padded_maximum_is_never_the_padding():
    x = -torch.arange(1.0, 26).reshape(1, 1, 5, 5)
    pooled = MaxPool2d((2, 2))(x)
    assert pooled.tolist() == [[[[-1, -3, -5], [-11, -13, -15], [-21, -23, -25]]]]
    assert MaxPool2d((2, 2), padding="valid")(x).tolist() == [[[[-1, -3], [-11, -13]]]]
    assert MaxPool2d((3, 3), (2, 2))(x).shape == (1, 1, 3, 3)


def test_a_strided_convolution_pads_at_the_end():
    conv = Conv2d(1, 1, (3, 2), stride=(2, 2))
    nn.init.ones_(conv.weight)
    x = torch.ones(1, 1, 4, 5)
    assert conv(x).tolist() == [[[[6, 6, 3], [4, 4, 2]]]]


def test_layers_start_as_keras_starts_them():
    net = create_model("ina-sm")
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            n_in = layer.weight[0].numel()
            n_out = layer.weight.numel() // layer.weight.shape[1]
            limit = math.sqrt(6 / (n_in + n_out))
            assert layer.weight.abs().max() <= limit
            assert layer.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.05)
            assert not layer.bias.any()


@pytest.mark.parametrize(
    "name", [name for name in PATCH if ARCHITECTURES[name].paper != "earmark" and name not in OF_PYTORCH]
)
def test_batch_norm_forgets_and_rounds_as_keras_does(name):
    with torch.device("meta"):
        net = create_model(name, head="mtl")
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) and m.affine]
    assert norms
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.01)}


@pytest.mark.parametrize(
    ("trunk", "std", "bias"), [(Papakostas((60, 40)), 0.01, 0.1), (AllConv((40, 5)), 0.05, 0.0)]
)
def test_some_papers_start_from_a_normal_distribution(trunk, std, bias):
    net = PatchNet(trunk, MultiTaskHead(trunk, 300))
    layers = [m for m in trunk.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    for layer in (*layers, net.head.classes.classes):
        assert layer.weight.std().item() == pytest.approx(std, rel=0.15)
        assert (layer.bias == bias).all()
    assert not net.head.speech.output.bias.any()


def test_local_response_norm_is_tensorflows():
    norm = next(m for m in Papakostas((60, 40)).modules() if isinstance(m, nn.LocalResponseNorm))
    x = 50 * torch.randn(1, 20, 2, 2, generator=torch.Generator().manual_seed(1))
    expected = torch.empty_like(x)
    for c in range(20):
        energy = x[:, max(0, c - 5) : c + 6].square().sum(1)
        expected[:, c] = x[:, c] / (1 + 1e-4 * energy) ** 0.75
    assert torch.allclose(norm(x), expected, rtol=1e-5)


# Penalties


def test_the_heads_hidden_kernels_cost_their_squares():
    trunk = Dnn((4, 3), n_units=8)
    net = PatchNet(trunk, MultiTaskHead(trunk, 3))
    hidden = [net.head.speech.hidden[0], net.head.music.hidden[0], net.head.ratio[0][0]]
    assert penalty(net).item() == pytest.approx(0.01 * sum(h.weight.square().sum().item() for h in hidden))
    penalty(net).backward()
    assert torch.allclose(hidden[0].weight.grad, 0.02 * hidden[0].weight)
    assert hidden[0].bias.grad is None
    assert trunk.dense[0].weight.grad is None


def test_mel_kernels_and_convolutions_cost_what_the_papers_say():
    def costs(layers, l1, l2):
        return sum((l1 * m.weight.abs().sum() + l2 * m.weight.square().sum()).item() for m in layers)

    plain = Jang((257, 68), dense=False)
    assert penalty(plain).item() == pytest.approx(costs(plain.mel, 0.01, 0.01))
    everywhere = Jang((514, 68), streams=2, n_mels=120, dense=False, penalty="all")
    convolutions = [m for m in everywhere.conv if isinstance(m, Conv2d)]
    assert penalty(everywhere).item() == pytest.approx(costs([*everywhere.mel, *convolutions], 0, 0.01))
    gro = create_model("gro-t3")
    kernels = [m for m in gro.trunk.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len(kernels) == 5
    assert penalty(gro).item() == pytest.approx(costs(kernels, 0, 1e-3))
    assert penalty(create_model("lemaire-b3")).item() == 0


# Wiring


def changes(function, x, frame, *, before):
    """Tell which frames of the answer, (B, C, T), change when the input changes before, or after, a frame."""
    changed = x.clone()
    changed[..., slice(0, frame) if before else slice(frame, None)] += 1
    with torch.no_grad():
        return (function(x) != function(changed)).any(dim=1)[0]


@pytest.mark.parametrize("name", ["swishnet-slim", "lemaire-ctcn"])
def test_a_causal_network_does_not_see_the_future(name):
    net = create_model(name).eval()
    see = net.trunk.skips if name == "swishnet-slim" else lambda x: net(x).transpose(1, 2)
    x = patches(name, 1, frames=80)
    assert changes(see, x, 40, before=False).tolist() == [False] * 40 + [True] * 40
    assert changes(see, x, 40, before=True)[40:48].all()


@pytest.mark.parametrize("name", ["lemaire-b3", "lemaire-nctcn", "lemaire-final3"])
def test_the_other_tcns_see_both_ways(name):
    net = create_model(name).eval()
    see = net.trunk.tcn if name == "lemaire-b3" else lambda x: net(x).transpose(1, 2)
    x = patches(name, 1, frames=68)
    assert changes(see, x, 34, before=False)[26:34].any()
    assert changes(see, x, 34, before=True)[34:42].any()


def test_residual_blocks_of_the_tcn_add_to_their_input():
    tcn = PatchTcn((80, 68)).eval().tcn
    x = patches("lemaire-b3")
    for block in tcn.blocks:
        nn.init.zeros_(block.pointwise.weight)
    assert torch.equal(tcn(x), torch.relu(tcn.entry(x)))
    nn.init.ones_(tcn.blocks[0].pointwise.weight)
    assert not torch.equal(tcn(x), torch.relu(tcn.entry(x)))


def test_a_residual_block_divides_by_its_strongest_channel():
    block = PatchTcn((80, 68), filters=4).eval().tcn.blocks[0]
    nn.init.zeros_(block.pointwise.weight)
    block.pointwise.weight.data[:, :, 0] = torch.eye(4)
    x = torch.randn(2, 4, 30, generator=torch.Generator().manual_seed(0))
    heard = (block.dilated(x) > 0.05).any(dim=1)
    assert heard.float().mean() > 0.8
    plane = x.unsqueeze(2)
    added = (block(plane) - plane).squeeze(2)
    assert torch.allclose(added.amax(dim=1)[heard], torch.ones(1), atol=1e-3)
    nn.init.zeros_(block.dilated.bias)
    louder = (block(100 * plane) - 100 * plane).squeeze(2)
    assert torch.allclose(louder.amax(dim=1)[heard], torch.ones(1), atol=1e-3)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 4), (19, 2), (3, 64)])
def test_a_convolution_on_a_plane_is_the_same(kernel, dilation, causal):
    layer = Conv1d(6, 4, kernel, dilation=dilation, causal=causal)
    nn.init.uniform_(layer.bias)
    x = torch.randn(2, 6, 50, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(layer.on_plane(x.unsqueeze(2)).squeeze(2), layer(x), atol=1e-5)


def test_swishnets_skips_lead_around_its_blocks():
    net = SwishNet((20, 98))
    heard, said = {}, {}

    def listen(name):
        def hook(_, inputs, output):
            heard[name], said[name] = inputs[0], output

        return hook

    for number, block in enumerate((*net.pairs, *net.gated), start=1):
        block.register_forward_hook(listen(number))
    x = patches("swishnet-slim")
    skips = net.skips(x)
    assert torch.equal(heard[1], x)
    assert torch.equal(heard[2], said[1])
    assert torch.equal(heard[3], said[2])
    for number in (4, 5, 6, 7):
        assert torch.equal(heard[number], heard[number - 1] + said[number - 1])
    assert torch.equal(heard[8], said[7])
    assert torch.equal(skips, torch.cat([said[5], said[6], said[7], said[8]], dim=1))
    assert [block.conv.dilation for block in net.gated] == [(3,), (2,), (2,), (2,), (2,)]
    assert torch.equal(net(x), net.hidden(skips).mean(dim=2))
    assert net.hidden(skips).min() == 0


def test_a_gate_multiplies_a_tanh_by_a_sigmoid():
    block = SwishNet((20, 98)).gated[4]
    x = torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(0))
    a, b = block.conv(x).detach().numpy().reshape(2, 16, 12)
    assert np.allclose(block(x)[0].detach().numpy(), np.tanh(a) / (1 + np.exp(-b)), atol=1e-6)


def test_mel_kernels_start_as_mel_filters_over_five_frames():
    spectrum = torch.rand(257, generator=torch.Generator().manual_seed(0))
    kernels = MelKernels(257, 64, 16_000)
    bands = kernels(spectrum[None, :, None].expand(1, 257, 11)).detach()
    expected = 5 * mel_filters(16_000, 512, 64, 0.0, 8000.0) @ spectrum.numpy()
    for each in bands[0, :, :, 5]:
        assert np.allclose(each.numpy(), expected, rtol=1e-4)
    assert bands.shape == (1, 3, 64, 11)
    assert torch.allclose(bands[0, 0, :, 0], bands[0, 0, :, 5] * 3 / 5)  # two of the five lie outside


def test_harmonic_and_percussive_rows_have_kernels_of_their_own():
    trunk = Jang((514, 68), streams=2, n_mels=120, dense=False).eval()
    nn.init.zeros_(trunk.mel[0].weight)
    x = torch.randn(1, 514, 68)
    harmonic, percussive = x.clone(), x.clone()
    harmonic[:, :257] += 1
    percussive[:, 257:] += 1
    with torch.no_grad():
        assert torch.equal(trunk(x), trunk(harmonic))
        assert not torch.equal(trunk(x), trunk(percussive))


def test_the_all_conv_net_normalises_by_training_or_by_the_batch():
    x = 40 * torch.randn(64, 40, 5, generator=torch.Generator().manual_seed(0)) - 60
    learned = AllConv((40, 5))
    for part in x.split(16):
        learned(part)
    learned.eval()
    assert torch.allclose(learned.normalise.running_mean, x.mean(dim=(0, 2)), atol=1e-3)
    assert torch.allclose(learned.normalise(x[:1]), learned.normalise(x)[:1], atol=1e-6)
    exact = AllConv((40, 5), batch_statistics=True).eval()
    assert not torch.allclose(exact.normalise(x[:1]), exact.normalise(x)[:1], atol=0.1)
    normal = exact.normalise(x)
    assert torch.allclose(normal.mean(dim=(0, 2)), torch.zeros(40), atol=1e-5)
    assert torch.allclose(normal.std(dim=(0, 2), correction=0), torch.ones(40), atol=1e-4)
    assert exact.describe(x).shape == (64, 16)


def test_noise_is_added_in_training_alone():
    noise = GroCnn((80, 140)).noise
    x = torch.zeros(50, 80, 20)
    assert noise(x).std().item() == pytest.approx(0.1, rel=0.02)
    assert torch.equal(noise.eval()(x), x)


@pytest.mark.parametrize("name", PATCH)
def test_an_answer_does_not_depend_on_the_batch(name):
    net = create_model(name).eval()
    x = patches(name)
    with torch.no_grad():
        assert torch.allclose(net(x)[:1], net(x[:1]), rtol=1e-4, atol=1e-5)


# Heads


@pytest.mark.parametrize("name", [n for n in PATCH if n not in ("papakostas", "jang")])
@pytest.mark.parametrize("head", ["mtl", "c-mtl"])
def test_any_trunk_bears_the_multi_task_heads(name, head):
    outputs = create_model(name, head=head)(patches(name))
    assert isinstance(outputs, MultiTaskOutputs)
    assert [tuple(part.shape) for part in outputs] == [(2, 3), (2,), (2,), (2, 2)]


@pytest.mark.parametrize(("head", "informed"), [("mtl", False), ("c-mtl", True)])
def test_the_ratio_informs_speech_and_music_in_the_cascade_alone(head, informed):
    net = create_model("dnn", input_shape=(8, 4), head=head).eval()
    x = torch.randn(5, 8, 4)
    before = net(x)
    (before.speech.sum() + before.music.sum()).backward()
    reached = net.head.ratio[1].weight.grad
    assert (reached is not None and bool(reached.abs().sum() > 0)) is informed
    net.head.ratio[1].bias.data += 1
    after = net(x)
    assert torch.allclose(after.ratio, before.ratio + 1, atol=1e-6)
    assert torch.equal(after.logits, before.logits)
    assert torch.equal(after.speech, before.speech) is not informed
    assert torch.equal(after.music, before.music) is not informed


@pytest.mark.parametrize(("task", "other"), [("speech", "music"), ("music", "speech")])
def test_one_task_of_a_trained_network_is_a_network(task, other):
    net = create_model("lemaire-b3", input_shape=(240, 68), head="mtl").eval()
    x = torch.randn(3, 240, 68)
    alone = single_task(net, task)
    assert count_parameters(alone) == 142_433
    assert torch.equal(alone(x)[:, 0], getattr(net(x), task))
    assert not torch.equal(alone(x)[:, 0], getattr(net(x), other))
    assert alone.state_dict().keys() == create_model("lemaire-b3", head="binary").state_dict().keys()
    before = net(x)
    for p in alone.parameters():
        p.data += 1
    assert torch.equal(net(x).logits, before.logits)
    with pytest.raises(ConfigError, match="'mtl'"):
        single_task(create_model("lemaire-b3", head="c-mtl"), task)


# Fusion


def test_intermediate_fusion_hears_both_streams_through_trunks_of_their_own():
    net = create_model("lemaire-b3", input_shape=(120, 68), head="mtl", fusion="intermediate")
    first, second = torch.randn(2, 4, 120, 68)
    net((first, second)).logits.square().sum().backward()
    for trunk in (net.trunk.first, net.trunk.second):
        assert trunk.tcn.entry.weight.grad.abs().sum() > 0
    net.eval()
    with torch.no_grad():
        assert not torch.equal(net((first, second)).logits, net([second, first]).logits)
    joined = net.trunk((first, second)).detach()
    assert joined.shape == (4, 4352)
    net.trunk.norm.weight.data.zero_()
    assert not net.trunk((first, second)).any()


def test_late_fusion_is_the_mean_of_the_class_probabilities():
    nets = [create_model("dnn", input_shape=(8, 4), head="mtl").eval() for _ in range(2)]
    streams = torch.randn(2, 5, 8, 4)
    logits = LateFusion(*nets)(tuple(streams))
    fused = logits.softmax(1)
    assert torch.allclose(logits.exp(), fused, atol=1e-6)
    each = [net(x).logits.softmax(1) for net, x in zip(nets, streams, strict=True)]
    assert torch.allclose(fused, (each[0] + each[1]) / 2, atol=1e-6)
    assert create_model("dnn", fusion="late")(tuple(torch.randn(2, 5, 128, 10))).shape == (5, 2)


@pytest.mark.parametrize("fusion", ["intermediate", "late"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_fusion_takes_a_pair(fusion, count):
    net = create_model("dnn", input_shape=(8, 4), fusion=fusion)
    x = torch.zeros(2, 8, 4)
    with pytest.raises(ValueError, match="pair of streams, got"):
        net((x,) * count if count else x)


# The registry


def test_a_toml_table_makes_a_network():
    table = tomllib.loads(
        """
        model = "lemaire-ctcn"
        n_classes = 3
        input_shape = [64, 100]
        options = {filters = [8, 4], kernel = 3, dilations = [1, 2], stacks = 2, dropout = 0}
        """
    )
    net = create_model(**table)
    assert net(torch.zeros(2, 64, 100)).shape == (2, 100, 3)
    assert [tcn.entry.out_channels for tcn in net.tcns] == [8, 4]
    assert net.tcns[0].blocks[0].drop.p == 0
    wide = create_model("swishnet-slim", options={"width": 2})
    assert count_parameters(wide) == 18_267


def test_dropout_does_not_change_the_parameters_but_the_answers():
    counts = {count_parameters(create_model("lemaire-b3", options={"dropout": p})) for p in (0.05, 0.5)}
    assert counts == {108_963}
    net = create_model("lemaire-b3", options={"dropout": 0.5})
    x = patches("lemaire-b3")
    assert not torch.equal(net(x), net(x))
    assert {m.p for m in create_model("lemaire-b3").modules() if isinstance(m, nn.Dropout2d)} == {0.2}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "swishnet-slm"}, "unknown model 'swishnet-slm'; did you mean 'swishnet-slim'"),
        ({"model": "transformer"}, "see 'earmark models --architectures'"),
        ({"model": "dnn", "head": "mlt"}, "unknown head 'mlt' of model 'dnn'; choose from classes, mtl"),
        ({"model": "dnn", "fusion": "early"}, "unknown fusion 'early'"),
        ({"model": "dnn", "input_shape": (128,)}, "give rows and frames"),
        ({"model": "dnn", "input_shape": (128, 0)}, "give rows and frames"),
        ({"model": "dnn", "input_shape": 128}, "'input_shape' in model 'dnn' must be a list of int"),
        ({"model": "dnn", "n_classes": 0}, "at least 1"),
        ({"model": "dnn", "n_classes": "two"}, "'n_classes' in model 'dnn' must be int"),
        ({"model": "dnn", "head": "binary", "fusion": "late"}, "needs at least 2"),
        ({"model": "dnn", "n_classes": 1, "fusion": "late"}, "needs at least 2"),
        ({"model": "dnn", "head": "binary", "n_classes": 2}, "has 1 class, not 2"),
        ({"model": "tvsm-crnn", "head": "mtl"}, "answers every frame"),
        ({"model": "lemaire-ctcn", "fusion": "late"}, "answers every frame"),
        ({"model": "tvsm-crnn", "input_shape": (7, 100)}, "7 bands are too few"),
        ({"model": "ina-sm", "input_shape": (21, 40)}, "patches of 21 bands x 40 frames are too small"),
        ({"model": "gro-t3", "input_shape": (7, 40)}, "patches of 7 bands x 40 frames are too small"),
        ({"model": "vgg-like", "options": {"units": 3}}, "unknown key 'units'.*did you mean 'n_units'"),
        ({"model": "ina-sm", "options": {"width": 3}}, "unknown key 'width'.*it has none"),
        ({"model": "tvsm-crnn", "options": {"n_classes": 3}}, "unknown key 'n_classes'"),
        ({"model": "swishnet-slim", "options": {"width": "wide"}}, "'width' in the options.*must be int"),
        ({"model": "swishnet-slim", "options": {"width": 0}}, "'width' in the options.*at least 1"),
        ({"model": "lemaire-b3", "options": {"dropout": 1.0}}, "below 1"),
        ({"model": "lemaire-b3", "options": {"dilations": []}}, "at least 1"),
        ({"model": "jang", "options": {"pool": "some"}}, "pool 'some' is unknown"),
        ({"model": "jang", "options": {"penalty": "some"}}, "penalty 'some' is unknown"),
        ({"model": "jang", "options": {"streams": 2}}, "257 rows cannot be parted into 2 streams"),
        ({"model": "jang", "options": {"n_mels": 300}}, "some cover none"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_in_one_line(given, message):
    with pytest.raises(ConfigError, match=message) as caught:
        create_model(**given)
    assert "\n" not in str(caught.value)


def test_measuring_a_network_leaves_no_trace_in_it():
    net = create_model("vgg-like")
    assert net.training
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.training and not m.num_batches_tracked for m in norms)


def test_a_class_head_alone_fits_any_trunk():
    trunk = GroCnn((80, 140))
    assert ClassHead(trunk, 7)(trunk(patches("gro-t3"))).shape == (2, 7)


# The published weights


def test_the_published_weights_of_tvsm_fit():
    path = GOLDEN / "tvsm" / "tvsm_pseudo_crnn.pt"
    if not path.exists():
        pytest.skip(f"'{path}' is not there; EARMARK_GOLDEN names the folder of published weights")
    net = load_tvsm(path)
    assert not net.training
    state = torch.load(path, weights_only=True)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    with torch.no_grad():
        logits = net(patches("tvsm-crnn", 1, frames=100))
    assert logits.shape == (1, 100, 2)
    assert logits.isfinite().all()


def test_weights_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        load_tvsm(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ModelError, match="is not a PyTorch state dict"):
        load_tvsm(tmp_path / "text.pt")
    torch.save(create_model("dnn").state_dict(), tmp_path / "other.pt")
    with pytest.raises(ModelError, match="does not hold the weights"):
        load_tvsm(tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ModelError, match="does not hold the weights"):
        load_tvsm(tmp_path / "list.pt")
    own = create_model("tvsm-crnn")
    torch.save(own.state_dict(), tmp_path / "own.pt")
    x = patches("tvsm-crnn", 1, frames=20)
    assert torch.equal(load_tvsm(tmp_path / "own.pt")(x), copy.deepcopy(own).eval()(x))


# The list


def test_architectures_are_listed_as_json(capsys):
    assert run(["models", "--architectures", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(listed) == list(ARCHITECTURES)
    b3 = listed["lemaire-b3"]
    assert (b3["input"], b3["output"], b3["classes"]) == ("(80, 68) log-mel", "patch", 3)
    assert b3["paper"] == "Lemaire & Holzapfel 2019 (BHA B3)"
    assert b3["parameters"] == 108_963
    assert b3["parameters_by_head"] == {
        "classes": 108_963,
        "mtl": 213_623,
        "c-mtl": 213_699,
        "binary": 108_963 - 6_531 + 34_881,
    }
    assert listed["tvsm-crnn"]["input"] == "(128, T) mel, PCEN"
    assert listed["tvsm-crnn"]["parameters_by_head"] == {"classes": 831_890}


def test_architectures_are_listed_to_be_read(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["models", "--architectures"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "paper", "input", "output", "classes", "parameters"]
    assert len(rows) == len(ARCHITECTURES)
    assert rows[0].split()[-3:] == ["patch", "3", "1,444,291"]


@pytest.mark.parametrize("arguments", [["--json"], ["--architectures", "show", "detector"]])
def test_options_that_do_not_go_together_are_refused(arguments, capsys):
    assert run(["models", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--architectures stands alone" in err


def test_without_torch_the_way_out_is_named(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("earmark.train.models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(["models", "--architectures"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "earmark: this needs the package 'torch', which is not installed; run: pip install 'earmark[train]'\n"
    )
