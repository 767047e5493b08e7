"""How a network answers to the same mixtures at other speech-to-music ratios (BHA, section III-G)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from earmark.errors import ConfigError
from earmark.train.experiments.batches import PatchSet
from earmark.train.experiments.fit import predict
from earmark.train.experiments.scores import IntArray, answers_by_ratio
from earmark.train.experiments.store import FeatureStore, Report


def score_ratios(
    net: nn.Module,
    test: PatchSet,
    levels_db: Sequence[float],
    store: FeatureStore,
    jobs: int,
    device: str,
    report: Report,
) -> dict[float, IntArray]:
    """Mix all mixtures of a test anew at each ratio and count the answers to their patches.

    Their features are used once and not kept: each ratio has as many as the test has of mixtures.

    Parameters
    ----------
    net : nn.Module
    test : PatchSet
        Its mixtures and its scaling are taken.
    levels_db : sequence of float
        Speech-to-music ratios.
    store : FeatureStore
        Computes the features.
    jobs : int
        Processes that do so.
    device : str
    report : callable
        Told how many mixtures are done, and of how many.

    Returns
    -------
    dict of float to int array, shape=(K,)
        By ratio, as `earmark.train.experiments.scores.PatchScores.mixtures`.

    Raises
    ------
    ConfigError
        If a recording cannot be read.
    """
    mixed = [example for example in test.examples if example.music is not None]
    wanted = [replace(example, smr_db=level) for level in levels_db for example in mixed]
    counts: dict[float, IntArray] = {}
    for done, (example, found) in enumerate(store.compute(wanted, jobs), start=1):
        if isinstance(found, str):
            raise ConfigError(f"no features of '{example.key}': {found}; mend or remove it, then start again")
        patches = store.extractor.cut(found.T)
        one = PatchSet([example], {example: patches}.__getitem__, test.scaling)
        for level, answers in answers_by_ratio(predict(net, one, device), one.smr_db).items():
            counts[level] = counts.get(level, np.zeros_like(answers)) + answers
        report(done, len(wanted))
    return dict(sorted(counts.items()))
