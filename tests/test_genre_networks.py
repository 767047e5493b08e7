"""HEO's networks: parameters to the unit, shapes, which channels stop, what presets change."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from torch import nn  # noqa: E402

from earmark.errors import ConfigError  # noqa: E402
from earmark.train.models import count_parameters, create_model  # noqa: E402
from earmark.train.models.ecapa import AttentiveStatistics, Ecapa, SeRes2Block  # noqa: E402
from earmark.train.models.resnet import ResNet  # noqa: E402

CCS, FSA = "ecapa-ccs", "ecapa-ccs-fsa"
# Rows 5 to 15 of Table 2 with ten classes, and those of Table 3 with 28.
COUNTS = [
    (11_179_658, "resnet18", 10, {}),
    (21_287_818, "resnet34", 10, {}),
    (21_606_434, "se-resnet34", 10, {}),
    (14_721_054, "ecapa", 10, {}),
    (13_851_678, CCS, 10, {"channels": 512, "stop": 512}),
    (15_860_766, CCS, 10, {"channels": 768, "stop": 256}),
    (24_386_046, CCS, 10, {"channels": 1024, "stop": 256}),
    (31_424_478, CCS, 10, {"channels": 1024, "stop": 512}),
    (12_218_990, FSA, 10, {"channels": 768, "stop": 256}),
    (19_600_574, FSA, 10, {"channels": 1024, "stop": 256}),
    (21_722_270, FSA, 10, {"channels": 1024, "stop": 512}),
    (11_188_892, "resnet18", 28, {}),
    (21_297_052, "resnet34", 28, {}),
    (21_615_668, "se-resnet34", 28, {}),
    (39_477_980, "vggnet", 28, {}),
    (14_776_404, "ecapa", 28, {}),
    (22_886_196, CCS, 28, {"channels": 1024, "stop": 256, "last": 1536}),
    (15_943_764, CCS, 28, {"channels": 768, "stop": 256, "last": 1536}),
    (15_621_210, CCS, 28, {"channels": 756, "stop": 256, "last": 1536}),
    (11_917_164, CCS, 28, {"channels": 512, "stop": 512, "last": 756}),
    (19_683_572, FSA, 28, {"channels": 1024, "stop": 256}),
    (185_642, "bbnn", 10, {}),
    (186_236, "bbnn", 28, {}),
    (32_450, "bbnn", 28, {"filters": 13}),
]


@pytest.mark.parametrize(("count", "name", "n_classes", "options"), COUNTS)
def test_parameters_are_counted_to_the_unit(count, name, n_classes, options):
    with torch.device("meta"):
        assert count_parameters(create_model(name, n_classes=n_classes, options=options)) == count


def test_with_the_statistics_of_batch_norm_the_count_is_that_of_the_weight_files():
    with torch.device("meta"):
        state = create_model("bbnn", n_classes=10).state_dict()
    assert sum(v.numel() for name, v in state.items() if not name.endswith("num_batches_tracked")) == 190_826


@pytest.mark.parametrize(("channels", "stop", "band", "last"), [
    (768, 256, 779_040, 7_087_952),
    (1024, 256, 1_179_672, 12_464_192),
    (1024, 512, 1_508_688, 12_464_192),
])  # fmt: skip
def test_parts_of_the_sub_band_network_have_the_published_sizes(channels, stop, band, last):
    with torch.device("meta"):
        net = Ecapa((48, 202), channels=channels, stop=stop, sub_bands=True)
    assert [count_parameters(one) for one in net.bands] == [band] * 4
    assert count_parameters(net.last) == last


def test_presets_differ_in_the_last_convolution_alone():
    """With batch norm behind it, and with sub-bands a convolution in place of a block."""
    with torch.device("meta"):
        plain, normed = (Ecapa((48, 202), preset=preset) for preset in ("code", "paper"))
        block, conv = (Ecapa((48, 202), sub_bands=True, stop=512, preset=p) for p in ("code", "paper"))
    assert count_parameters(normed) - count_parameters(plain) == 2 * 1536
    assert isinstance(block.last, SeRes2Block)
    assert count_parameters(conv.last) == 3072 * 1536 + 1536 + 2 * 1536
    assert [type(layer) for layer in normed.last] == [nn.Conv1d, nn.ReLU, nn.BatchNorm1d]


def test_resnets_have_the_published_planes():
    net = ResNet((48, 174)).eval()
    x, shapes = torch.zeros(1, 1, 48, 174), []
    for layer in net.stages[:-1]:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert list(dict.fromkeys(shapes)) == [
        (64, 21, 84), (64, 10, 41), (64, 5, 21), (128, 3, 11), (256, 2, 6), (512, 1, 3), (512, 1, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"stop": 16}, {"stop": 16, "sub_bands": True}])
def test_frames_may_be_any_and_levels_of_bands_do_not_matter(options):
    torch.manual_seed(0)
    net = Ecapa((48, 202), channels=64, **options).eval()
    x = torch.randn(2, 48, 300)
    with torch.no_grad():
        assert net(x[..., :50]).shape == (2, net.n_features)
        torch.testing.assert_close(net(x + torch.randn(1, 48, 1)), net(x), rtol=1e-3, atol=1e-4)


def test_what_stops_is_no_input_of_later_blocks():
    """The pooling sees it; changes of its last weights leave what goes on as it was."""
    torch.manual_seed(0)
    blocks = Ecapa((48, 50), channels=32, stop=16).bands[0].eval()
    x = torch.randn(1, 48, 50)
    with torch.no_grad():
        going, stopped = blocks(x)
        blocks.blocks[0].join[2].bias[32:] += 1
        blocks.blocks[0].identity.bias[32:] += 1
        weigh = blocks.blocks[0].weigh
        weigh[1].weight[:, 32:] = 0
        first, _ = blocks(x)
        blocks.blocks[0].join[2].bias[32:] += 1
        again, other = blocks(x)
    assert going.shape == (1, 96, 50)
    assert stopped.shape == (1, 48, 50)
    torch.testing.assert_close(first, again)
    assert not torch.allclose(stopped[:, :16], other[:, :16])


def test_sub_bands_see_their_own_rows_alone():
    torch.manual_seed(0)
    net = Ecapa((48, 50), channels=64, stop=32, sub_bands=True).eval()
    x = torch.randn(1, 48, 50)
    changed = x.clone()
    changed[:, 40:] += torch.randn(1, 8, 50)
    with torch.no_grad():
        same = [torch.equal(band(x[:, rows])[0], band(changed[:, rows])[0])
                for band, rows in zip(net.bands, net.rows, strict=True)]  # fmt: skip
    assert [(rows.start, rows.stop) for rows in net.rows] == [(0, 18), (10, 28), (20, 38), (30, 48)]
    assert same == [True, True, True, False]


def test_equal_weights_of_frames_give_mean_and_deviation():
    pool = AttentiveStatistics(4).eval()
    nn.init.zeros_(pool.attend[4].weight)
    x = torch.randn(2, 4, 30)
    with torch.no_grad():
        found = pool(x)
    torch.testing.assert_close(found[:, :4], x.mean(dim=2))
    torch.testing.assert_close(found[:, 4:], x.std(dim=2, correction=0))


@pytest.mark.parametrize(("options", "message"), [
    ({"preset": "papers"}, "preset 'papers'"),
    ({"channels": 30, "stop": 4, "sub_bands": True}, "equal shares"),
])  # fmt: skip
def test_what_cannot_be_made_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Ecapa((48, 202), **options)


def test_too_few_bands_for_a_sub_band_are_refused():
    with pytest.raises(ConfigError, match="no sub-band"):
        Ecapa((16, 202), sub_bands=True)
