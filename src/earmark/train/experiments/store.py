"""Features of examples, computed once, kept on disk and read back patch by patch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from earmark.errors import AudioError, ConfigError
from earmark.features.extractor import Extractor
from earmark.features.patches import Patches
from earmark.pool import run_pool
from earmark.train.experiments.example import Example
from earmark.train.experiments.signals import Signal

FloatArray = npt.NDArray[np.float32]
Report = Callable[[int, int], None]


class _Rows(NamedTuple):
    start: int
    n_frames: int


@dataclass(frozen=True)
class _Work:
    """Computes the features of an example in a worker process, shape=(T, F)."""

    extractor: Extractor
    signal: Signal

    def __call__(self, example: Example, note: object) -> npt.NDArray[np.float16] | str:
        try:
            samples = self.signal.samples(example, self.extractor.sample_rate)
            return np.ascontiguousarray(self.extractor(samples).T, np.float16)
        except AudioError as err:
            return str(err)


class FeatureStore:
    """Features of examples in one growing file, half precision.

    An interrupted `add` is taken up again by the next one; those of a recording that has changed since are
    computed anew.

    Parameters
    ----------
    cache : Path
        Folder; each front end and kind of signal has a folder of its own in it.
    extractor : Extractor
        Front end.
    signal : Signal
        How recordings become signals.
    content : callable, optional
        Names what an example's recordings hold: its features are kept by that.  By default they are kept by
        the recordings' names, sizes and dates.
    """

    def __init__(
        self,
        cache: Path,
        extractor: Extractor,
        signal: Signal,
        content: Callable[[Example], str] | None = None,
    ) -> None:
        self.extractor, self.signal, self._content = extractor, signal, content
        # Patches are cut when they are read.
        shape = {k: v for k, v in asdict(extractor).items() if k not in ("patch_length", "patch_hop")}
        text = json.dumps([shape, asdict(signal)], sort_keys=True)
        self.folder = cache / f"{extractor.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self._rows: dict[str, _Rows] = {}
        self._stamps: dict[str, str] = {}
        self._frames: npt.NDArray[np.float16] = np.zeros((0, extractor.n_bands), np.float16)

    def add(self, examples: Sequence[Example], jobs: int, report: Report = lambda done, total: None) -> None:
        """Compute the features of the examples that are not kept yet, after any other process that does so.

        Raises
        ------
        ConfigError
            If a recording cannot be read, or is too short for a frame; the others are kept.
        """
        failed = self.add_readable(examples, jobs, report)
        if failed:
            key, why = next(iter(failed.items()))
            more = f" ({len(failed)} recordings fail)" if len(failed) > 1 else ""
            raise ConfigError(f"no features of '{key}': {why}{more}; mend or remove it, then start again")

    def add_readable(
        self, examples: Sequence[Example], jobs: int, report: Report = lambda done, total: None
    ) -> dict[str, str]:
        """Do what `add` does; return what is wrong with examples that have no features, by `Example.key`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "lock"):
            return self._add(examples, jobs, report)

    def _add(self, examples: Sequence[Example], jobs: int, report: Report) -> dict[str, str]:
        self._load()
        by_key = {self._key(e): e for e in examples}
        stamps = {key: self._stamp(e) for key, e in by_key.items()}
        wanted = [e for key, e in by_key.items() if not self._has(key, stamps[key])]
        if not wanted:
            return {}
        start = self._end
        failed: dict[str, str] = {}
        with (
            (self.folder / "frames.f16").open("ab") as frames,
            (self.folder / "rows.jsonl").open("a", encoding="utf-8") as log,
            (self.folder / "stamps.jsonl").open("a", encoding="utf-8") as seen,
        ):
            frames.truncate(2 * self.extractor.n_bands * start)  # what has no row was cut off
            for done, (example, found) in enumerate(self.compute(wanted, jobs), start=1):
                if isinstance(found, str):
                    failed[example.key] = found
                    continue
                frames.write(found.tobytes())
                frames.flush()
                log.write(json.dumps([self._key(example), start, len(found)]) + "\n")
                log.flush()
                seen.write(json.dumps([self._key(example), stamps[self._key(example)]]) + "\n")
                seen.flush()
                start += len(found)
                report(done, len(wanted))
        self._load()
        return failed

    def compute(
        self, examples: Sequence[Example], jobs: int
    ) -> Iterator[tuple[Example, npt.NDArray[np.float16] | str]]:
        """Yield examples, as they are done, with their features, shape=(T, F), without keeping these.

        In place of features that cannot be had comes what is wrong.
        """
        make = partial(_Work, self.extractor, self.signal)
        for event in run_pool(make, examples, jobs, lambda *_: None):
            example, found = examples[event.index], event.result
            if found is None or isinstance(found, str) or not len(found):
                why = found if isinstance(found, str) else "too short for a frame"
                yield example, event.death or why
            else:
                yield example, found

    def features(self, example: Example) -> FloatArray:
        """Return the features of an example, float16, shape=(F, T); they are read as they are used."""
        start, n_frames = self._rows[self._key(example)]
        return cast(FloatArray, self._frames[start : start + n_frames].T)

    def patches(self, example: Example) -> Patches:
        """Return the patches of an example, as its front end cuts them."""
        return self.extractor.cut(self.features(example))

    def _key(self, example: Example) -> str:
        return self._content(example) if self._content is not None else example.key

    def _stamp(self, example: Example) -> str:
        return _stamp(example) if self._content is None else ""

    @property
    def _end(self) -> int:
        """Frames in the file, those of recordings that have changed since included."""
        return max((rows.start + rows.n_frames for rows in self._rows.values()), default=0)

    def _has(self, key: str, stamp: str) -> bool:
        """Return whether the features of a recording as it is now are kept; older rows have no stamp."""
        return key in self._rows and self._stamps.get(key, stamp) == stamp

    def _load(self) -> None:
        """Read the rows, without a last one that was cut short, and those whose frames are not there."""
        frames, log = self.folder / "frames.f16", self.folder / "rows.jsonl"
        self._stamps = dict(map(json.loads, _whole_lines(self.folder / "stamps.jsonl")))
        held = frames.stat().st_size // (2 * self.extractor.n_bands) if frames.exists() else 0
        lines = _whole_lines(log)
        self._rows = {}
        for i, line in enumerate(lines):
            key, start, n = json.loads(line)
            if start + n > held:  # none that follow are there
                log.write_text("".join(lines[:i]), encoding="utf-8")
                break
            self._rows[key] = _Rows(start, n)
        if self._end:
            shape = (self._end, self.extractor.n_bands)
            self._frames = np.memmap(frames, np.float16, "r", shape=shape)


def _whole_lines(path: Path) -> list[str]:
    """Return the lines of a file, none if there is none; a last one that was cut short is removed from it."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return whole.splitlines(keepends=True)


def _stamp(example: Example) -> str:
    """Return what changes with the recordings of an example; empty where they cannot be had."""
    try:
        found = [Path(path).stat() for path in (example.path, example.music) if path is not None]
    except OSError:
        return ""
    return " ".join(f"{one.st_size}|{one.st_mtime_ns}" for one in found)
