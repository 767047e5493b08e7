"""Networks that have learnt on other data before: what is frozen stays, what was learnt is shared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from earmark import load_model  # noqa: E402
from earmark.audio_writer import write_audio  # noqa: E402
from earmark.datasets import DATASETS  # noqa: E402
from earmark.errors import ConfigError  # noqa: E402
from earmark.features.patches import Patches  # noqa: E402
from earmark.train.experiments import (  # noqa: E402
    Workplace,
    experiment_table,
    export_row,
    read_experiment,
    run_experiment,
    transfer,
)
from earmark.train.experiments.batches import PatchSet  # noqa: E402
from earmark.train.experiments.example import Example  # noqa: E402
from earmark.train.experiments.fit import fit, predict  # noqa: E402
from earmark.train.experiments.fitconfig import FitConfig  # noqa: E402
from earmark.train.experiments.prepared import prepare  # noqa: E402
from earmark.train.experiments.scores import PatchScores  # noqa: E402
from earmark.train.experiments.store import FeatureStore  # noqa: E402
from earmark.train.experiments.transfer import Transferred, embedded  # noqa: E402
from earmark.train.models import create_model  # noqa: E402
from earmark.train.studies.trained import load_trained  # noqa: E402

RATE = 16_000
TABLE = """
title = "A test"
source = "Nobody, Table 2"
data = ["singer", "speech-music"]
measures = ["pooled accuracy"]
protocol = {kind = "hold-out", repetitions = 2, shares = [0.6, 0.2, 0.2], balanced = true}
signal = {kind = "peak"}
fit = {batch = 8, epochs = 2}
pretrain = {sources = ["musan", "speech-music", "corpus"], fit = {batch = 8, epochs = 2}}
"""
NET = """
[[row]]
name = "NAME"
features = {name = "kc-mel", patch_length = 16}
model = {model = "swishnet-slim"}
"""
ROWS = {
    "scratch": "",
    "frozen": 'frozen = ["all"]\npaper = {speech-music = [92.3, 2.7]}\n',
    "intermediate": 'frozen = ["pairs", "gated.0"]\n',
    "full": "frozen = []\n",
}
WHOLE = TABLE + "".join(NET.replace("NAME", name) + more for name, more in ROWS.items())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return GTZAN speech/music of twelve short files, and a corpus of sixteen, both of chords and pulses."""
    root = tmp_path_factory.mktemp("data")
    rng, t = np.random.default_rng(0), np.arange(round(0.9 * RATE)) / RATE
    lines = ["path,content,detail,vocals,seconds,fold,source,group,language,licence"]

    def write(path: Path, content: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == "music":
            samples = sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(200, 900, 3)) / 5
        else:
            samples = np.sin(2 * np.pi * rng.uniform(90, 200) * t) ** 9 * (np.sin(40 * t) > -0.5)
        write_audio(path, samples + 1e-3 * rng.standard_normal(len(t)), RATE)

    for content in ("music", "speech"):
        for i in range(6):
            write(root / "gtzan-speech-music" / f"{content}_wav" / f"{i}.wav", content)
        for i in range(8):
            write(root / "corpus" / f"{content}{i}.wav", content)
            lines.append(f"{content}{i}.wav,{content},,,0.9,{i % 2},made,{content}{i},en,CC0")
    (root / "corpus" / "index.csv").write_text("\n".join(lines) + "\n")
    return root


def table(tmp_path: Path, text: str = WHOLE) -> Path:
    path = tmp_path / "test.toml"
    path.write_text(text)
    return path


def patches_of(seed: int, shape: tuple[int, int], n: int = 24) -> PatchSet:
    """Return random patches of two classes, in six recordings, one of which has none."""
    rng = np.random.default_rng(seed)
    sizes = [n // 4, n // 4, 0, n // 4, n // 8, n // 8]
    parts = {}
    for i, size in enumerate(sizes):
        values = rng.normal(i % 2, 1, (shape[0], max(1, size) * shape[1])).astype(np.float32)
        parts[str(i)] = Patches(values, np.arange(size) * shape[1], shape[1])
    return PatchSet([Example(str(i), i % 2) for i in range(len(sizes))], lambda e: parts[e.path])


def state_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize(
    ("frozen", "still"),
    [(["first"], ["first"]), (["all"], ["first", "second", "dense"]), ([], [])],
)
def test_frozen_layers_keep_their_weights_and_their_statistics(frozen, still):
    shape = (24, 10)
    net = create_model("vgg-like", n_classes=2, input_shape=shape)
    own = Transferred(net, frozen, 3)
    before = {name: state_of(part) for name, part in own.trunk.named_children()}
    head = state_of(own.classifier)
    fit(own, patches_of(0, shape), patches_of(1, shape), FitConfig(batch=8, epochs=2, patience=2), seed=0)
    own.train()
    assert {name: part[1].training for name, part in own.trunk.named_children()} == {
        name: name not in still for name in before
    }
    for name, part in own.trunk.named_children():
        same = {key: torch.equal(value, before[name][key]) for key, value in part.state_dict().items()}
        assert all(same.values()) if name in still else not any(same.values()), name
    # The statistics of a batch norm are among what was compared.
    assert "1.running_mean" in before["first"]
    assert not any(torch.equal(value, head[key]) for key, value in own.classifier.state_dict().items())


def test_what_is_frozen_is_run_once_and_answers_the_same():
    shape = (24, 10)
    own = Transferred(create_model("vgg-like", n_classes=2, input_shape=shape), ["all"], 2)
    patches = patches_of(0, shape)
    vectors = embedded(own.trunk, patches, "cpu")
    assert (len(vectors), vectors.labels.tolist()) == (len(patches), patches.labels.tolist())
    assert vectors.owner.tolist() == patches.owner.tolist()
    whole, quick = predict(own, patches), predict(own.classifier, vectors)
    assert np.allclose(whole, quick, atol=1e-5)
    assert whole.std() > 1e-4


def test_rows_share_what_was_learnt_and_the_target_is_no_source(data, tmp_path, monkeypatch):
    learnt, whole = [], transfer.fit
    monkeypatch.setattr(transfer, "fit", lambda *args, **named: (learnt.append(1), whole(*args, **named))[1])
    experiment = read_experiment(table(tmp_path))
    prepared = prepare(experiment, data, "speech-music")
    assert {name: len(clips) for name, clips in prepared.sources.items()} == {"corpus": 16}
    assert "the source corpus: noise: no recording in fold 0, 1" in prepared.problems
    first = prepared.split_sources()
    assert {Path(e.path).parent.name for e in first.all} == {"corpus"}
    assert sorted(e.label for e in first.all) == [0] * 8 + [1] * 8
    place, out = Workplace(tmp_path / "cache", tmp_path / "runs"), tmp_path / "out.json"
    report = run_experiment(experiment, data, out, place)
    assert [r["row"] for r in report["results"]] == 2 * list(ROWS)
    assert learnt == [1]
    scratch, frozen, intermediate, full = report["results"][:4]
    # Of 16 values: a dense layer of 128, and the output.
    assert frozen["parameters"] == 17 * 128 + 129 * 2
    assert frozen["parameters"] < intermediate["parameters"] < full["parameters"]
    assert "frozen" not in scratch["setup"]
    assert "sources" not in scratch["setup"]
    assert intermediate["setup"]["sources"] == ["corpus"]
    assert intermediate["setup"]["frozen"] == ["pairs", "gated.0"]
    told = []
    assert run_experiment(experiment, data, out, place, tell=told.append) == report
    assert told == []
    shown = experiment_table(experiment, report)
    words = "on speech-music of gtzan-speech-music, networks trained before on corpus"
    assert words in str(shown.title).replace("\n", " ")
    assert [list(column.cells) for column in shown.columns][2] == ["–", "92.30 ± 2.70", "–", "–"]
    # Another boundary, and another training of what comes first.
    changed = WHOLE.replace('["pairs", "gated.0"]', '["pairs"]')
    run_experiment(read_experiment(table(tmp_path, changed)), data, out, place, quick=True)
    assert len(learnt) == 2
    for result in (frozen, intermediate):
        check_export(experiment, prepared, result, data, out, place)
    for done in place.runs.glob("*/done"):
        (done.parent / "net.pt").unlink()
    with pytest.raises(ConfigError, match=r"the checkpoint '.*net\.pt' is gone; name the folder"):
        export_row(experiment, "frozen", data, out, place, tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match=r"row 'full' .* was transferred; choose one trained from scratch"):
        load_trained(out, "full", place.runs)
    # A source that has been replaced is learnt from anew.
    with (data / "corpus" / "music0.wav").open("ab") as file:
        file.write(b"x")
    experiment = read_experiment(table(tmp_path, changed))
    run_experiment(experiment, data, out, place, rows=["frozen"], quick=True)
    assert len(learnt) == 3


def check_export(experiment, prepared, result, data, out, place):
    """A transferred row's model answers the test part as the row did, and says what it learnt from."""
    (row,) = prepared.rows([result["row"]])
    target = out.with_name(f"{row.name}.onnx")
    card = export_row(experiment, row.name, data, out, place, target)
    store = FeatureStore(place.cache, row.extractor, row.signal)
    split = prepared.split(0)
    store.add(split.test, 1)
    test = PatchSet(split.test, store.patches)
    values = load_model(target).run(test.raw(np.arange(len(test))))
    assert PatchScores.of(values, test.labels, test.owner, test.smr_db).patches.tolist() == result["patches"]
    heard = {(one["name"], one["content"]): one["recordings"] for one in card.sources}
    own, first = DATASETS["gtzan-speech-music"].title, DATASETS["corpus"].title
    n_first = Counter(e.label for e in prepared.split_sources().train)
    assert heard == {
        (own, "speech"): sum(e.label == 0 for e in split.train),
        (own, "music"): sum(e.label == 1 for e in split.train),
        (first, "speech"): n_first[0],
        (first, "music"): n_first[1],
    }
    assert card.trained["frozen"] == list(row.frozen)


def test_without_a_source_rows_stay_open(data, tmp_path):
    text = WHOLE.replace('"musan", "speech-music", "corpus"]', '"musan"]')
    experiment = read_experiment(table(tmp_path, text))
    warned, place = [], Workplace(tmp_path / "cache", tmp_path / "runs")
    report = run_experiment(
        experiment, data, tmp_path / "out.json", place, rows=["frozen", "full"], warn=warned.append
    )
    assert report["results"] == []
    assert warned[-1] == "'frozen', 'full' stay open: none of the sources is there: musan"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"gated.0"]',
            '"gated.9"]',
            "the network has no layer 'gated.9' to freeze; it has pairs, gated",
        ),
        ('model = "swishnet-slim"}\nfrozen', 'model = "swishnet-slim", head = "binary"}\nfrozen', "one head"),
        ("sources = [", "sauces = [", "unknown key 'sauces' in pretrain of .*; did you mean 'sources'"),
        ('sources = ["musan", "speech-music", "corpus"], ', "", "has 'frozen'; name sources in .pretrain."),
        ('data = ["singer", "speech-music"]', 'data = ["musan"]', "only tables of tasks transfer networks"),
    ],
)
def test_a_transfer_that_makes_no_sense_is_refused(tmp_path, old, new, message):
    text = WHOLE.replace(old, new)
    assert text != WHOLE
    if "musan" in new:
        text = text.replace("protocol = {", 'protocol = {classes = ["speech", "music"], ')
        text = text.replace("paper = {speech-music = [92.3, 2.7]}\n", "")
    with pytest.raises(ConfigError, match=message):
        read_experiment(table(tmp_path, text))
