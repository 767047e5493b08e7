"""Windows that an embedder learns from: pairs of one recording, altered as recordings and programmes are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from earmark.errors import ConfigError
from earmark.sources import Source
from earmark.train.embedder.config import EmbedderTrainConfig
from earmark.train.mixture import FloatArray, Mixer

# What is behind a label that does not count.
UNKNOWN = -100
CONTENTS = ("speech", "instruments", "noise", "singing", "many voices")
_SINGING, _MANY = CONTENTS.index("singing"), CONTENTS.index("many voices")
# How often a window is of speech, instruments, noise, singing.
_SHARES = (0.22, 0.34, 0.16, 0.28)
# A recording's weight in its collection grows with the root of its length, up to this many seconds.
_LONGEST_S = 600.0
# Places in a recording that are tried until a window sounds for this share of its time.
_TRIES, _SOUNDING = 4, 0.3
_LEVEL_DB = -23.0
# What is behind counts as content, too, if it is no farther below, dB.
_AUDIBLE_DB = 12.0
# The words of a collection's remark that say what is heard: no numbers of clips, no further remarks.
_REMARK = re.compile(r"[:;(]| \d")


@dataclass(frozen=True)
class Windows:
    """A batch.

    log_mel : (B, F, L) in dB; recordings, kinds : (B,), classes or `UNKNOWN`; contents : (B, 5), 1, 0 or nan.
    Windows 2 i and 2 i + 1 are of one recording.
    """

    log_mel: Tensor
    recordings: Tensor
    kinds: Tensor
    contents: Tensor

    def to(self, device: torch.device) -> Windows:
        """Copy to a device."""
        return Windows(*(t.to(device) for t in (self.log_mel, self.recordings, self.kinds, self.contents)))


class WindowMaker:
    """Draws batches of windows from a bank.

    Parameters
    ----------
    mixer : Mixer
    config : EmbedderTrainConfig

    Attributes
    ----------
    recordings : list of (str, bool, str)
        The classes of recordings: content, whether sung, and speaker, track or recording.
    kinds : list of str
        The classes of kinds of sound.

    Raises
    ------
    ConfigError
        If no recording is as long as a window.
    """

    def __init__(self, mixer: Mixer, config: EmbedderTrainConfig) -> None:
        self.mixer, self.config = mixer, config
        sources = mixer.bank.sources
        fits = [i for i, entry in enumerate(mixer.bank.entries) if entry.n_frames >= config.window]
        if not fits:
            raise ConfigError(f"no recording has the {config.window} frames of a window; give longer ones")
        self.recordings = sorted({_recording_of(sources[i]) for i in fits})
        self.kinds = sorted({_kind_of(sources[i]) for i in fits})
        number = {name: i for i, name in enumerate(self.recordings)}
        self._members: list[list[int]] = [[] for _ in self.recordings]
        for i in fits:
            self._members[number[_recording_of(sources[i])]].append(i)
        kind = {name: i for i, name in enumerate(self.kinds)}
        self._kind_of = {i: kind[_kind_of(sources[i])] for i in fits}
        self._fits = np.array(fits)
        shares = self._probabilities(sources)
        self._shares = np.cumsum(shares)
        sung = np.array([sources[members[0]].sung for members in self._members])
        self._singing = shares * sung / max(shares[sung].sum(), 1e-9)

    def batch(self, step: int) -> Windows:
        """Make the batch of a step; it depends on the seed and the step alone, so a run can be resumed."""
        rng = np.random.default_rng((self.config.seed, step))
        rows = []
        for _ in range(self.config.batch // 2):
            recording = int(np.searchsorted(self._shares, rng.random() * self._shares[-1]))
            rows += [self._window(recording, rng) for _ in range(2)]
        log_mel, recordings, kinds, contents = zip(*rows, strict=True)
        return Windows(
            torch.from_numpy(np.stack(log_mel).swapaxes(1, 2).copy()),
            torch.tensor(recordings),
            torch.tensor(kinds),
            torch.from_numpy(np.stack(contents)),
        )

    def _probabilities(self, sources: Sequence[Source]) -> npt.NDArray[np.float64]:
        """Share of every recording: within a content, a collection's is the root of its length."""
        first = [sources[members[0]] for members in self._members]
        content = np.array([_content_of(source) for source in first])
        seconds = np.array([sum(sources[i].seconds for i in members) for members in self._members])
        weight = np.sqrt(np.minimum(seconds, _LONGEST_S))
        collection = np.unique([f"{_content_of(s)} {s.origin}" for s in first], return_inverse=True)[1]
        weight *= (np.sqrt(np.bincount(collection, seconds)) / np.bincount(collection, weight))[collection]
        shares = np.zeros(len(content))
        for i, share in enumerate(_SHARES):
            which = content == i
            shares[which] = share * weight[which] / max(weight[which].sum(), 1e-9)
        return shares

    def _window(self, recording: int, rng: np.random.Generator) -> tuple[FloatArray, int, int, FloatArray]:
        """Draw a window: its frames (L, F), recording, kind and contents."""
        members = self._members[recording]
        source = members[rng.integers(len(members))]
        mel = self._part(source, rng)
        content = _content_of(self.mixer.bank.sources[source])
        contents = np.zeros(len(CONTENTS), np.float32)
        contents[content] = 1
        contents[_MANY] = 0 if content == _SINGING else np.nan
        kind = self._kind_of[source]
        if content == _SINGING and rng.random() < self.config.choirs:
            for _ in range(rng.integers(1, 6)):
                voice = self._members[int(rng.choice(len(self._members), p=self._singing))]
                part = self._part(voice[rng.integers(len(voice))], rng)
                mel = _added(mel, part - rng.uniform(0, 8))
            contents[_MANY], recording, kind = 1, UNKNOWN, UNKNOWN
        if rng.random() < self.config.mixed:
            other, below = int(rng.choice(self._fits)), rng.uniform(3, 30)
            mel = _added(mel, self._part(other, rng) - below)
            if below < _AUDIBLE_DB:
                contents[_content_of(self.mixer.bank.sources[other])] = 1
        return self._recorded(mel, rng), recording, kind, contents

    def _part(self, source: int, rng: np.random.Generator) -> FloatArray:
        """Take a place of a recording where it sounds, brought to a common level and coloured."""
        entry, n = self.mixer.bank.entries[source], self.config.window
        for _ in range(_TRIES):
            offset = rng.uniform(0, max(0.0, entry.source.seconds - n * self.mixer.front_end.grid.hop_s))
            mel, active, _ = self.mixer.take(source, offset, n, rng)
            if active.mean() > _SOUNDING:
                break
        return mel + (_LEVEL_DB - entry.level_db) + self.mixer.event_curve(rng)

    def _recorded(self, mel: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Alter a window as recordings are: level, colour, band limits, noise; and hide parts of it."""
        mel = mel + rng.normal(0, 8)
        if rng.random() < 0.5:
            mel = mel + self.mixer.colour(rng, 1.5, 4.0)
        if rng.random() < 0.25:
            mel = mel + self.mixer.band_limit(rng)
        if rng.random() < 0.75:
            floor = rng.uniform(-115, -45) - rng.uniform(0, 3) * self.mixer.octaves
            gamma = rng.standard_gamma(4.0, size=mel.shape) / 4
            mel = _added(mel, floor + 10 * np.log10(gamma + 1e-12))
        mean = mel.mean()
        for axis, longest in ((1, 12), (0, 20)):
            if rng.random() < 0.3:
                length = int(rng.integers(3, longest))
                start = int(rng.integers(0, max(1, mel.shape[axis] - length)))
                np.moveaxis(mel, axis, 0)[start : start + length] = mean
        return np.maximum(mel, self.mixer.front_end.floor_db).astype(np.float32)


def _content_of(source: Source) -> int:
    """Return the place in `CONTENTS` of what a recording holds."""
    return _SINGING if source.sung else ("speech", "music", "noise").index(source.content)


def _recording_of(source: Source) -> tuple[str, bool, str]:
    return source.content, source.sung, source.group


def _kind_of(source: Source) -> str:
    words = _REMARK.split(source.detail)[0].strip()
    return " ".join(filter(None, ("sung" if source.sung else source.content, source.origin, words)))


def _added(mel: FloatArray, other: npt.NDArray[np.floating]) -> FloatArray:
    """Add powers in dB."""
    return np.asarray(np.logaddexp2(mel * _BITS, other * _BITS) / _BITS, np.float32)


# Powers of two in a decibel.
_BITS = float(np.log2(10) / 10)
