"""From isolated recordings to broadcasts: a multi-task network tuned to two detectors (BHA, Table V).

The trunk and the head for clean music of a trained network become a detector of music, those for clean
speech one of speech; where both find theirs, there is speech over music.  A patch of 68 frames counts as
what most of its frames are; it is answered for every frame.

Where the authors' program differs: patches are 99 frames (the paper: 68), and those of one class are cut
from its frames joined together; here all patches are cut from the recording as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.errors import ConfigError
from earmark.metrics import Counts, count_answers
from earmark.train.device import find_device
from earmark.train.experiments.batches import PatchSet
from earmark.train.experiments.example import Example
from earmark.train.experiments.fit import fit, predict
from earmark.train.experiments.fitconfig import FitConfig
from earmark.train.models import single_task
from earmark.train.studies.joint import Joint
from earmark.train.studies.marked import LABELS, BoolArray, Marked, MarkedStore
from earmark.train.studies.trained import Trained

IntArray = npt.NDArray[np.int64]
Tell = Callable[[str], None]

TUNING = FitConfig(
    optimiser="nadam",
    learning_rate=2e-3,
    epochs=50,
    patience=5,
    min_delta=0.01,
    batch=16,
    per_class=True,
    noise=(5e-3, 1e-3, 5e-4, 1e-4),
)
# Frames from one training patch to the next.  The rarer class of a broadcast is cut three times as densely:
# what is no music, and speech.
_SHIFT, _DENSER = 34, 3
_RARER: Mapping[str, int] = {"music": 0, "speech": 1}
# Answers that the median filter of the second variant looks at.
_MEDIAN = 501
# Of a quick run: epochs, and frames from one answer to the next.
_QUICK_EPOCHS, _QUICK_HOP = 2, 34

DETECTED = (*LABELS, "speech+music")


def percentages(counts: Counts) -> dict[str, float]:
    """Return accuracy, precision, recall and F1 in percent; one with nothing to divide by is 0."""
    return {name: 100 * getattr(counts, name.lower()) for name in ("accuracy", "precision", "recall", "F1")}


class Transferred(NamedTuple):
    """The tuned detectors, and how right they are.

    The report has ``figures`` and ``counts`` by part, variant ("plain", "median") and what is detected, and
    the best ``epochs``.
    """

    joint: Joint
    report: dict[str, Any]


def transfer(
    trained: Trained,
    recordings: Sequence[Marked],
    store: MarkedStore,
    checkpoints: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    quick: bool = False,
    tell: Tell = lambda text: None,
) -> Transferred:
    """Tune a network to both detectors and score them on every part to test on.

    Parameters
    ----------
    trained : Trained
        A multi-task network of BHA's.
    recordings : sequence of Marked
        To train on, to stop by and to test on.
    store : MarkedStore
        Where their features are; it has the network's front end.
    checkpoints : Path
        Folder of the checkpoints; an interrupted training goes on from there.
    seed : int
        Of batches, noise and dropout.
    device : str
        ``"cpu"`` or ``"cuda"``.
    quick : bool
        Two epochs, few answers: whether it runs, not how well.
    tell : callable
        Told what is being done.

    Returns
    -------
    Transferred

    Raises
    ------
    ConfigError
        If the network has not the heads, a part lacks a class, or there is no such device.
    """
    find_device(device)
    config = replace(TUNING, epochs=_QUICK_EPOCHS) if quick else TUNING
    store.add(recordings, tell)
    parts = sorted({r.part for r in recordings} - {"train", "validation"})
    text = json.dumps([trained.origin, asdict(config), seed, sorted((r.key, r.part) for r in recordings)])
    folder = checkpoints / hashlib.sha256(text.encode()).hexdigest()[:16]
    nets, epochs = [], {}
    for task in LABELS:
        net = single_task(trained.net, task)
        train = _training_set(recordings, "train", task, store)
        validation = _training_set(recordings, "validation", task, store)

        def report(epoch: int, what: str, value: float, task: str = task) -> None:
            tell(f"{task}: epoch {epoch}, validation {what} {value:.3f}")

        checkpoint = folder / f"{task}.pt"
        fitted = fit(
            net, train, validation, config, seed=seed, checkpoint=checkpoint, device=device, report=report
        )
        nets.append(fitted.net)
        epochs[task] = fitted.best_epoch
    counts = {part: {v: dict.fromkeys(DETECTED, Counts()) for v in ("plain", "median")} for part in parts}
    tested = [r for r in recordings if r.part in parts]
    for i, recording in enumerate(tested, start=1):
        tell(f"scoring {i} of {len(tested)}")
        patches, truth = _all_patches(recording, store, _QUICK_HOP if quick else 1)
        if not len(patches):
            continue
        found = np.stack([predict(net, patches, device)[:, 1] > 0.5 for net in nets], axis=1)
        for variant, answers in (("plain", found), ("median", median_filtered(found, _MEDIAN))):
            own = counts[recording.part][variant]
            for name, a, b in zip(DETECTED, _with_both(answers), _with_both(truth), strict=True):
                own[name] += count_answers(a, b)
    results = {
        "figures": {
            part: {v: {name: percentages(c) for name, c in own.items()} for v, own in variants.items()}
            for part, variants in counts.items()
        },
        "counts": {
            part: {v: {name: asdict(c) for name, c in own.items()} for v, own in variants.items()}
            for part, variants in counts.items()
        },
        "epochs": epochs,
    }
    return Transferred(Joint(*nets), results)


def majority(marks: BoolArray, starts: IntArray, length: int) -> BoolArray:
    """Return whether more than half of `length` frames from each start are marked."""
    sums = np.concatenate([[0], np.cumsum(marks)])
    return np.asarray(2 * (sums[starts + length] - sums[starts]) > length)


def median_filtered(answers: BoolArray, length: int) -> BoolArray:
    """Return, for each answer, whether more than half of the `length` around it are positive.

    Parameters
    ----------
    answers : bool, shape=(n, K)
        Beyond the ends all are negative.  This is what a median filter of the probabilities leaves above
        the threshold.
    length : int
        Odd.
    """
    around = length // 2
    sums = np.cumsum(np.pad(answers.astype(np.int64), ((around + 1, around), (0, 0))), axis=0)
    return np.asarray(2 * (sums[length:] - sums[:-length]) > length)


def _with_both(columns: BoolArray) -> tuple[BoolArray, BoolArray, BoolArray]:
    music, speech = columns.T
    return music, speech, music & speech


def _training_set(recordings: Sequence[Marked], part: str, task: str, store: MarkedStore) -> PatchSet:
    """Cut the patches of a part; label 1 is what the task detects."""
    length = store.extractor.patch_length
    dense = _SHIFT // _DENSER
    labels: list[IntArray] = []
    own = {r.key: r for r in recordings if r.part == part}

    def cut(example: Example) -> Any:
        features, marks = store.frames(own[example.path])
        at = np.arange(0, max(0, len(marks) - length + 1))
        wanted = majority(marks[:, LABELS.index(task)], at, length)
        rarer = wanted == bool(_RARER[task])
        chosen = at[(rarer & (at % dense == 0)) | (~rarer & (at % _SHIFT == 0))]
        labels.append(wanted[chosen].astype(np.int64))
        return store.extractor.patches_at(features, chosen)

    patches = PatchSet([Example(key, 1) for key in own], cut)
    patches.labels = np.concatenate([np.zeros(0, np.int64), *labels])
    for label, what in enumerate((f"without {task}", f"with {task}")):
        if not (patches.labels == label).any():
            raise ConfigError(f"the part '{part}' has no patch {what}; give longer recordings or more")
    return patches


def _all_patches(recording: Marked, store: MarkedStore, hop: int) -> tuple[PatchSet, BoolArray]:
    """Cut a patch at every frame; return them and what each is, shape=(n, 2)."""
    features, marks = store.frames(recording)
    length = store.extractor.patch_length
    at = np.arange(0, max(0, len(marks) - length + 1), hop)
    truth = np.stack([majority(column, at, length) for column in marks.T], axis=1)
    cut = store.extractor.patches_at(features, at)
    return PatchSet([Example(recording.key, 0)], lambda example: cut), truth
