"""A network of HEO's trained on the user's own recordings: an honest estimate by folds, and a model file.

Each fold is answered by a network that learned from the others, with the weights of its last epoch, so that
nothing is chosen by what is tested.  The model is a network trained in the same way on everything.  A
recording is heard as `earmark classify` hears it: in windows that overlap by half.
"""

from __future__ import annotations

import copy
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from earmark import __version__
from earmark.classifiercard import ClassifierCard
from earmark.embeddingcard import EmbeddingCard
from earmark.errors import ConfigError
from earmark.features.extractor import Extractor
from earmark.features.registry import create_features
from earmark.folders import cache_folder
from earmark.head import FloatArray, Head
from earmark.train.classifier import write_classifier
from earmark.train.crops.config import CropConfig
from earmark.train.crops.loop import Trained, train_on_crops
from earmark.train.crops.songs import SongCrops, Songs
from earmark.train.crops.team import Team
from earmark.train.device import find_device
from earmark.train.digests import FileDigests
from earmark.train.experiments.example import Example
from earmark.train.experiments.signals import Signal
from earmark.train.experiments.store import FeatureStore
from earmark.train.export import export_embeddings
from earmark.train.fitting.candidates import Candidate, Compared, Material
from earmark.train.fitting.examples import Examples, check_classes, distinct, read_examples
from earmark.train.fitting.figures import corrected
from earmark.train.fitting.folds import deal_groups, fold_number
from earmark.train.fitting.report import Report, make_report
from earmark.train.models import PatchNet, create_model
from earmark.train.models.width import narrowed

Tell = Callable[[str], None]

# What each of them hears.
FEATURES = {
    **dict.fromkeys(("ecapa", "ecapa-ccs", "ecapa-ccs-fsa", "resnet18", "resnet34", "se-resnet34"), "heo"),
    "vggnet": "heo",
    "bbnn": "bbnn",
}
_EMBEDDING = "trunk"
# Windows answered at a time.
_BATCH = 64


@dataclass(frozen=True)
class NetworkSettings:
    """How a network is made.

    Parameters
    ----------
    architecture : str
        A key of `FEATURES`.
    training : CropConfig
    width : float
        Share of the published channels, above 0 to 1.
    folds : int or None
        None for 5, or as many as the class with the fewest groups has.
    seed : int
    jobs : int
        Processes that compute features.
    device : str
    bfloat16 : bool
        Multiply in bfloat16 where the device can.

    Raises
    ------
    ConfigError
        For an unknown architecture, or an impossible width.
    """

    architecture: str
    training: CropConfig
    width: float = 1.0
    folds: int | None = None
    seed: int = 0
    jobs: int = 1
    device: str = "cpu"
    bfloat16: bool = True

    def __post_init__(self) -> None:
        if self.architecture not in FEATURES:
            raise ConfigError(f"architecture '{self.architecture}': choose one of {', '.join(FEATURES)}")
        if not 0 < self.width <= 1:
            raise ConfigError(f"width {self.width:g}: give a share above 0, at most 1")

    @property
    def extractor(self) -> Extractor:
        """The front end, with windows that overlap by half."""
        plain = create_features(FEATURES[self.architecture])
        return replace(plain, patch_hop=plain.patch_length // 2)

    def network(self, n_classes: int) -> PatchNet:
        """Return the network with random weights."""
        extractor = self.extractor
        net = create_model(
            self.architecture,
            n_classes=n_classes,
            input_shape=[extractor.n_bands, extractor.patch_length],
            options=narrowed(self.architecture, self.width),
        )
        assert isinstance(net, PatchNet)  # as all of `FEATURES` are
        return net


class FittedNetwork:
    """A report, and the network trained on everything.

    Attributes
    ----------
    report : Report
    net : PatchNet
    """

    def __init__(self, report: Report, net: PatchNet, settings: NetworkSettings) -> None:
        self.report, self.net = report, net
        self._settings = settings

    def write(self, path: Path) -> None:
        """Write the model file, named after the file; see `write_classifier` for errors."""
        settings, report, trunk = self._settings, self.report, self.net.trunk
        extractor = settings.extractor
        features = {"name": extractor.name, "patch_hop": extractor.patch_hop}
        description = f"Tells {', '.join(report.labels)} apart by the network {settings.architecture}."
        backbone = EmbeddingCard(
            name=settings.architecture,
            version="1",
            description=description,
            features=features,
            embeddings={_EMBEDDING: trunk.n_features},
            licence="its maker's",
        )
        card = ClassifierCard(
            name=path.stem,
            version="1",
            description=description,
            classes=report.labels,
            features=features,
            backbone=settings.architecture,
            embedding=_EMBEDDING,
            dimension=trunk.n_features,
            fusion="late",
            head="linear",
            licence="its maker's",
            metrics={
                "accuracy": asdict(report.accuracy),
                "estimate": report.estimate,
                "mean_recall": report.mean_recall,
                "recall": {one.label: one.recall for one in report.classes},
            },
            trained={
                "files": {one.label: one.n_files for one in report.classes},
                "groups": {one.label: one.n_groups for one in report.classes},
                "training": asdict(settings.training),
                "width": settings.width,
                "seed": settings.seed,
                "earmark": __version__,
            },
        )
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "trunk.onnx"
            export_embeddings(trunk.cpu(), backbone, place)
            write_classifier(path, place, _EMBEDDING, head_of(self.net), card)


def head_of(net: PatchNet) -> Head:
    """Return the output layer of a trained network, with the batch norm behind it, as plain weights."""
    layer, norm = net.head.classes, net.head.norm
    assert isinstance(layer, nn.Linear)
    weight, bias = layer.weight.detach().double().cpu(), layer.bias.detach().double().cpu()
    if isinstance(norm, nn.modules.batchnorm._BatchNorm):
        assert norm.running_mean is not None  # as batch norm has by default
        assert norm.running_var is not None
        own = [
            t.detach().double().cpu() for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        ]
        scale = own[0] / (own[3] + norm.eps).sqrt()
        weight, bias = weight * scale[:, None], (bias - own[2]) * scale + own[1]
    n = weight.shape[1]
    return Head(
        "linear",
        np.zeros(n, np.float32),
        np.ones(n, np.float32),
        ((weight.float().numpy(), bias.float().numpy()),),
    )


def fit_network(
    data: str | Path,
    settings: NetworkSettings,
    *,
    tell: Tell = lambda text: None,
    warn: Tell = lambda text: None,
) -> FittedNetwork:
    """Train a network to tell classes apart, and estimate how right new recordings will be.

    What is trained is kept after every epoch; the next run with the same settings goes on from there.

    Parameters
    ----------
    data : str or Path
        As `read_examples` takes it, whole files.
    settings : NetworkSettings
    tell, warn : callable
        Called with what is being done, and with what the user should know as soon as it is.

    Raises
    ------
    ConfigError
        If the recordings are not fit; one line says why.
    """
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        warn(text)

    store = FeatureStore(cache_folder() / "features", settings.extractor, Signal())
    digests = FileDigests(cache_folder() / "vectors")
    examples = _readable(read_examples(data), store, digests, settings.jobs, tell)
    for line in examples.skipped:
        warn(f"left out: {line}")
    if examples.skipped:
        n_all = len(examples.items) + len(examples.skipped)
        note(f"{len(examples.skipped)} of {n_all} recordings were left out")
    check_classes(examples)
    if not examples.grouped:
        note(
            "no groups are given: each file counts as one of its own; if several come of one recording, "
            "artist or session, the figures are too good"
        )
    classes = examples.classes
    labels = np.array([classes.index(item.label) for item in examples.items], np.intp)
    groups = [item.group for item in examples.items]
    n_folds = fold_number(labels, groups, settings.folds, classes, note, grouped=examples.grouped)
    folds = deal_groups(labels, groups, n_folds, settings.seed, classes)
    material = Material((), labels, folds, groups)
    parts = [
        Example(item.excerpt.path, int(label)) for item, label in zip(examples.items, labels, strict=True)
    ]
    content = [digests(item.excerpt.path) for item in examples.items]
    team = Team(find_device(settings.device))

    def train(which: Sequence[int], what: str) -> Trained:
        songs = Songs(labels[which].tolist(), lambda at: store.features(parts[which[at]]))
        torch.manual_seed(settings.seed)
        return train_on_crops(
            settings.network(len(classes)),
            SongCrops(songs, settings.training, settings.extractor.patch_length, settings.seed),
            settings.training,
            team,
            seed=settings.seed,
            checkpoint=_place(settings, [(content[i], classes[labels[i]]) for i in which]),
            bfloat16=settings.bfloat16,
            report=lambda told: tell(f"{what}: epoch {told.epoch} of {told.epochs}, loss {told.loss:.3f}"),
        )

    scores = np.zeros((len(labels), len(classes)), np.float32)
    for fold in range(n_folds):
        learned, tested = material.split(fold)
        net = train(learned.tolist(), f"fold {fold + 1} of {n_folds}").net
        for i in tested.tolist():
            scores[i] = heard(net, np.asarray(store.patches(parts[i])), team.device)
    candidate = Candidate(settings.architecture, "late")
    choice = corrected((scores.argmax(axis=1) == labels)[None], groups, settings.seed)
    compared = Compared((candidate,), scores[None], 0, choice)
    mean_learned = float(np.mean([len(material.split(fold)[0]) for fold in range(n_folds)]))
    extractor = settings.extractor
    facts = {
        "data": str(data),
        "backbone": settings.architecture,
        "embedding": _EMBEDDING,
        "dimension": settings.network(len(classes)).trunk.n_features,
        "window_s": extractor.window_length / extractor.sample_rate,
        "hop_s": extractor.window_hop / extractor.sample_rate,
        "windows": sum(len(store.patches(part)) for part in parts),
        "folds": n_folds,
        "grouped": examples.grouped,
        "seed": settings.seed,
        "quick": False,
    }
    report = make_report(facts, examples, material, compared, [(1.0, mean_learned, scores)], tuple(notes))
    trained = train(list(range(len(labels))), "all files")
    net = copy.deepcopy(trained.net).cpu()
    assert isinstance(net, PatchNet)
    return FittedNetwork(report, net, settings)


@torch.no_grad()
def heard(net: nn.Module, windows: FloatArray, device: torch.device) -> FloatArray:
    """Return each class's mean softmax over windows, (n, F, L), float32, shape=(K,)."""
    parts = [
        net(torch.from_numpy(windows[at : at + _BATCH]).to(device)).float().softmax(dim=1).cpu()
        for at in range(0, len(windows), _BATCH)
    ]
    return np.asarray(torch.cat(parts).mean(dim=0).numpy())


def _readable(
    examples: Examples, store: FeatureStore, digests: FileDigests, jobs: int, tell: Tell
) -> Examples:
    """Check the recordings, and compute the features of those that have none; leave out what cannot be."""
    tell("reading files")
    regions = [item.excerpt for item in examples.items if str(item.excerpt) != item.excerpt.path]
    if regions:
        raise ConfigError(f"'{regions[0]}' is a region; networks learn whole files: cut it out, or drop it")
    examples = distinct(examples, digests)
    check_classes(examples)
    failed = store.add_readable(
        [Example(item.excerpt.path, 0) for item in examples.items],
        jobs,
        lambda done, total: tell(f"features: {done} of {total} files"),
    )
    return examples.without(
        {item.excerpt: failed[item.excerpt.path] for item in examples.items if item.excerpt.path in failed}
    )


def _place(settings: NetworkSettings, learned: Sequence[tuple[str, str]]) -> Path:
    """Return the checkpoint of a training."""
    kept = {k: v for k, v in asdict(settings).items() if k not in ("folds", "jobs", "device")}
    text = json.dumps([__version__, kept, learned], sort_keys=True)
    return cache_folder() / "networks" / hashlib.sha256(text.encode()).hexdigest()[:16] / "net.pt"
