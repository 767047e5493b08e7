"""ECAPA-TDNNs in use: frames as rows of products, the same answers; and those products in whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

import onnx  # noqa: E402
import onnxruntime as ort  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from torch import nn  # noqa: E402

from earmark.embeddingcard import EmbeddingCard  # noqa: E402
from earmark.errors import ModelError  # noqa: E402
from earmark.train.export import export_framewise  # noqa: E402
from earmark.train.models.ecapa import Ecapa  # noqa: E402
from earmark.train.models.framewise import Dense, Framewise  # noqa: E402
from earmark.train.quantise import calibrate  # noqa: E402
from earmark.train.studies.cost import use_cost  # noqa: E402

FRAMES = 60
FORMS = [
    {"channels": 32},
    {"channels": 32, "preset": "paper"},
    {"channels": 32, "stop": 16},
    {"channels": 64, "stop": 32, "sub_bands": True},
    {"channels": 64, "stop": 32, "sub_bands": True, "preset": "paper"},
]


def trained(**options):
    """A trunk whose batch norms have seen something, and scale some channels by less than nothing."""
    torch.manual_seed(0)
    trunk = Ecapa((48, FRAMES), **options).eval()
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -0.2, 0.6)
            nn.init.uniform_(module.running_var, 0.2, 1.0)
            nn.init.uniform_(module.weight, -0.4, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return trunk


def card(trunk):
    features = {"name": "heo", "patch_length": FRAMES}
    return EmbeddingCard("net", "1", "A network.", features, {"trunk": trunk.n_features}, "none")


@pytest.mark.parametrize("options", FORMS)
def test_frames_as_rows_answer_as_the_network_does(options):
    trunk, x = trained(**options), torch.randn(3, 48, FRAMES)
    with torch.no_grad():
        torch.testing.assert_close(Framewise(trunk, FRAMES)(x), trunk(x), atol=1e-5, rtol=1e-5)


def test_a_scale_below_nothing_keeps_its_sign():
    trunk = trained(channels=32)
    net = Framewise(trunk, FRAMES)
    assert any(name.endswith("sign") for name, _ in net.named_buffers())
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.weight.data.abs_()
    assert not any(name.endswith("sign") for name, _ in Framewise(trunk, FRAMES).named_buffers())


def test_calibration_sees_the_extremes_of_what_each_product_is_given():
    net = Framewise(trained(channels=32), FRAMES)
    some, others = torch.randn(2, 48, FRAMES), 3 * torch.randn(2, 48, FRAMES)
    ranges = calibrate(net, [some, others])
    assert set(ranges) == {name for name, module in net.named_modules() if isinstance(module, Dense)}
    centred = [x - x.mean(dim=2, keepdim=True) for x in (some, others)]
    low, high = ranges["bands.0.first.dense"]
    assert low == pytest.approx(min(float(x.min()) for x in centred), rel=1e-5)
    assert high == pytest.approx(max(float(x.max()) for x in centred), rel=1e-5)
    assert all(low <= 0 <= high for low, high in ranges.values())  # zeros are put around


@pytest.mark.parametrize("options", FORMS[2:4])
def test_whole_numbers_answer_nearly_as_the_network_does(options, tmp_path):
    trunk, crops = trained(**options), torch.randn(8, 48, FRAMES)
    path = tmp_path / "net.onnx"
    export_framewise(Framewise(trunk, FRAMES), card(trunk), path, [crops])
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = torch.randn(5, 48, FRAMES)
    (found,) = session.run(None, {"patches": x.numpy()})
    with torch.no_grad():
        wanted = trunk(x).numpy()
    assert found.shape == wanted.shape
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.99
    # One window is answered as it is among others.
    (alone,) = session.run(None, {"patches": x[2:3].numpy()})
    np.testing.assert_allclose(alone[0], found[2], atol=1e-4)


def test_every_product_is_in_whole_numbers_and_no_weight_is_kept_twice(tmp_path):
    trunk = trained(channels=64, stop=32, sub_bands=True)
    net, path = Framewise(trunk, FRAMES), tmp_path / "net.onnx"
    export_framewise(net, card(trunk), path, [torch.randn(4, 48, FRAMES)])
    graph = onnx.load(path).graph
    given = {node.output[0]: node.op_type for node in graph.node}
    products = [node for node in graph.node if node.op_type == "Gemm"]
    assert len(products) == sum(isinstance(module, Dense) for module in net.modules())
    assert all(given[name] == "DequantizeLinear" for node in products for name in node.input)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    matrices = {name: value for name, value in weights.items() if name.endswith(".matrix")}
    # Pairs of products with numbers of 8 bits then fit into 16.
    assert {value.dtype for value in matrices.values()} == {np.dtype(np.int8)}
    assert max(np.abs(value.astype(int)).max() for value in matrices.values()) == 64
    assert not any(f"{name.removesuffix('.matrix')}.weight" in weights for name in matrices)


def test_a_graph_that_disagrees_is_not_written(tmp_path):
    """Here one that is right for few windows alone."""
    trunk, path = trained(channels=32), tmp_path / "net.onnx"
    net = Framewise(trunk, FRAMES)

    class Fickle(Framewise):
        def forward(self, x):
            return super().forward(x) * (1 if x.shape[0] < 4 else -1)

    net.__class__ = Fickle
    with pytest.raises(ModelError, match="in whole numbers disagrees"):
        export_framewise(net, card(trunk), path, [torch.randn(4, 48, FRAMES)])
    assert not path.exists()


def test_what_an_hour_costs_is_told_of_both_kinds_of_products():
    found = use_cost("ecapa", 0.1, 0.2)
    assert found["features"] > 0
    plain, whole = (found["products"][kind] for kind in ("float32", "int8"))
    # The runtime takes the products in whole numbers as such, and they are most of the work.
    assert "Gemm" in plain["profile"]
    assert "QGemm" in whole["profile"]
    assert "Gemm" not in whole["profile"]
    for cost in (plain, whole):
        assert 0 < sum(cost["profile"].values()) <= cost["network"]
        # 12 s are five windows; an hour of songs of 30 s has 1920 crops.
        assert cost["crops"] == pytest.approx(cost["network"] * 12 / 3600 / 5 * 1920)
    assert list(use_cost("resnet18", 0.1, 0.1)["products"]) == ["float32"]
