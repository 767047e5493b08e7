"""Datasets for telling speech from music: where to get them, whether a copy is complete, what is in it.

``DATASETS`` maps names to datasets; each lies in a module of its own.

Examples
--------
>>> from earmark.datasets import DATASETS
>>> DATASETS["musan"].labels
('music', 'speech', 'noise')
>>> print(DATASETS["musan"].source)
Get musan.tar.gz (11 GB) at https://www.openslr.org/17/ and unpack it.
>>> clips = DATASETS["musan"].read("data/musan")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from earmark.datasets import (
    acmusif,
    acmusvf,
    acmusyt,
    avaspeech,
    corpus,
    dafx12,
    dbmtc,
    esc50,
    gtzan,
    gtzan_genres,
    isa_engine,
    isa_metal_balls,
    isa_pucks,
    melon,
    musan,
    muspeak,
    openbmat,
    scheirer_slaney,
    sefire,
)
from earmark.datasets.dataset import Copy, Dataset, Layout
from earmark.datasets.recordings import Annotated, Clip, Spectrogram

__all__ = ["DATASETS", "Annotated", "Clip", "Copy", "Dataset", "Layout", "Spectrogram"]

DATASETS: dict[str, Dataset[Any]] = {
    module.DATASET.name: module.DATASET
    for module in (
        musan,
        gtzan,
        sefire,
        acmusyt,
        scheirer_slaney,
        muspeak,
        avaspeech,
        openbmat,
        dafx12,
        gtzan_genres,
        melon,
        acmusif,
        acmusvf,
        dbmtc,
        isa_engine,
        isa_metal_balls,
        isa_pucks,
        esc50,
        corpus,
    )
}
