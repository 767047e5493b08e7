"""All front ends of published systems by name.

>>> from earmark.features.registry import create_features
>>> extractor = create_features("lmhps-ef", n_mels=60, l_harm=31, patch_length=100)
>>> extractor.sample_rate, extractor.n_bands, extractor.options
(16000, 120, ('patch_length', 'patch_hop', 'l_harm', 'l_perc', 'n_mels'))

A table of a TOML file is given as ``create_features(**table)``: ``name``, ``variant`` and any of the options.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from earmark.errors import ConfigError
from earmark.features.commonmel import CommonMel
from earmark.features.detectormel import DetectorMel
from earmark.features.extractor import VARIANTS, Extractor
from earmark.features.genremel import GenreMel
from earmark.features.graphmel import GraphMel
from earmark.features.librosamel import LibrosaMel
from earmark.features.logmagnitude import AveragedLogMagnitude, LogMagnitude, LogMelMagnitude
from earmark.features.mfcc import KehlingMfcc, SwishnetMfcc
from earmark.features.openl3 import OpenL3Linear, OpenL3Mel
from earmark.features.pcen import PcenMel
from earmark.features.sidekit import SidekitMel
from earmark.features.spectrogram import (
    MelSpectrogram,
    SeparatedMelSpectrogram,
    SeparatedSpectrogram,
    Spectrogram,
)
from earmark.features.vggish import VggishMel

_HARMONIC, _PERCUSSIVE = ("harmonic",), ("percussive",)


class Entry(NamedTuple):
    """A front end as its paper has it, the variants there are of it, and what it is in a few words."""

    extractor: Extractor
    variants: tuple[str, ...]
    summary: str


_ENTRIES = (
    Entry(Spectrogram(name="s"), VARIANTS, "magnitudes"),
    Entry(Spectrogram(name="ls", n_fft=512, decibels=True), VARIANTS, "dB"),
    Entry(MelSpectrogram(name="ms", n_mels=21), VARIANTS, "mel energies"),
    Entry(MelSpectrogram(name="lms", decibels=True), VARIANTS, "mel energies in dB"),
    Entry(SeparatedMelSpectrogram(name="mhs", parts=_HARMONIC), VARIANTS, "harmonic mel bands"),
    Entry(SeparatedMelSpectrogram(name="mps", parts=_PERCUSSIVE), VARIANTS, "percussive mel bands"),
    Entry(SeparatedMelSpectrogram(name="mhps-ef"), VARIANTS, "harmonic and percussive mel bands"),
    Entry(
        SeparatedMelSpectrogram(name="lmhs", parts=_HARMONIC, decibels=True),
        VARIANTS,
        "harmonic mel bands in dB",
    ),
    Entry(
        SeparatedMelSpectrogram(name="lmps", parts=_PERCUSSIVE, decibels=True),
        VARIANTS,
        "percussive mel bands in dB",
    ),
    Entry(
        SeparatedMelSpectrogram(name="lmhps-ef", decibels=True),
        VARIANTS,
        "harmonic and percussive mel bands in dB",
    ),
    Entry(SeparatedSpectrogram(name="hps-ef"), VARIANTS, "harmonic and percussive magnitudes"),
    Entry(
        SeparatedSpectrogram(name="lhps-ef", n_fft=512, decibels=True),
        VARIANTS,
        "harmonic and percussive spectrum in dB",
    ),
    Entry(SidekitMel(name="ina"), ("paper",), "log-mel bands of inaSpeechSegmenter"),
    Entry(CommonMel(name="kc-mel"), ("paper",), "mel energies in dB, 22.05 kHz"),
    Entry(KehlingMfcc(name="kc-mfcc"), ("paper",), "22 MFCC, 16 frames a second"),
    Entry(SwishnetMfcc(name="swishnet-mfcc"), ("paper",), "20 MFCC, 100 frames a second"),
    Entry(GraphMel(name="allconv-mel"), VARIANTS, "mel amplitudes in dB below the peak of 200 ms"),
    Entry(AveragedLogMagnitude(name="gro-t1"), ("paper",), "log magnitudes averaged over 10 frames"),
    Entry(LogMagnitude(name="gro-t1-cnn"), ("paper",), "log magnitudes"),
    Entry(
        LogMelMagnitude(name="gro-t2", hop_length=512, patch_length=43, n_mels=128),
        ("paper",),
        "log mel magnitudes, patches of 1 s",
    ),
    Entry(LogMelMagnitude(name="gro-t3"), ("paper",), "log mel magnitudes"),
    Entry(
        AveragedLogMagnitude(name="gro-t4", sample_rate=44_100, averaged=1),
        ("paper",),
        "log magnitudes at 44.1 kHz",
    ),
    Entry(DetectorMel(name="detector"), ("paper",), "log-mel bands of the embedded detector"),
    Entry(PcenMel(name="tvsm"), ("paper",), "mel energies with per-channel normalisation"),
    Entry(OpenL3Mel(name="openl3-mel256"), ("paper",), "mel bands in dB below the peak of 1 s"),
    Entry(OpenL3Mel(name="openl3-mel128", n_mels=128), ("paper",), "mel bands in dB below the peak of 1 s"),
    Entry(OpenL3Linear(name="openl3-linear"), ("paper",), "spectrum in dB below the peak of 1 s"),
    Entry(VggishMel(name="vggish"), ("paper",), "logarithms of mel magnitudes"),
    Entry(LibrosaMel(name="kumar"), ("paper",), "mel energies in dB, 44.1 kHz"),
    Entry(
        LibrosaMel(
            name="bbnn",
            sample_rate=22_050,
            win_length=2048,
            hop_length=1024,
            n_fft=2048,
            patch_length=647,
            patch_hop=None,
        ),
        ("paper",),
        "mel energies in dB, 22.05 kHz",
    ),
    Entry(GenreMel(name="heo"), ("paper",), "logarithms of 48 mel bands"),
)
FEATURES = {entry.extractor.name: entry for entry in _ENTRIES}


def create_features(name: str, variant: str = "paper", **options: object) -> Extractor:
    """Return a front end by name.

    Parameters
    ----------
    name : str
        One of `FEATURES`.
    variant : str
        "paper" or, where there is one, "corrected"; the classes say what differs.
    **options
        Values in place of the paper's, e.g. ``n_mels=60``; each front end lists its own as `options`.

    Raises
    ------
    ConfigError
        For an unknown name, variant or option, or a value of the wrong type or out of range.
    """
    if name not in FEATURES:
        raise ConfigError(f"unknown features '{name}'; {_hint(name, FEATURES)}")
    base, variants, _ = FEATURES[name]
    if variant not in variants:
        raise ConfigError(f"features '{name}' have no variant '{variant}'; {_hint(variant, variants)}")
    for key, value in options.items():
        if key not in base.options:
            raise ConfigError(f"unknown option '{key}' of features '{name}'; {_hint(key, base.options)}")
        expected = str if isinstance(getattr(base, key), str) else int
        if type(value) is not expected:
            raise ConfigError(f"{key} {value!r} of features '{name}': it must be {expected.__name__}")
    return replace(base, variant=variant, **options)  # type: ignore[arg-type]  # checked just above


def _hint(given: str, allowed: Iterable[str]) -> str:
    known = list(allowed)
    near = difflib.get_close_matches(given, known, 1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"choose one of {', '.join(known)}" if known else "it has none"
