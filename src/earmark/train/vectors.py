"""Embeddings of recordings, computed once, kept on disk and found again by content.

A file's vectors are kept as soon as they are there, so that an interruption costs the files under work and no
more.  They are found by the SHA-256 of the file's bytes and of the model's: a file may be moved or renamed.
The folder may be removed at any time; what was in it is computed again::

    files.jsonl                   path, size, time and SHA-256 of the files seen, so that none is read twice
    1f0c36a8b2d95e47/             a model, one of its embeddings and a hop
        3b/3b0c...e1.npy          a whole file, float32, shape=(n, D)
        3b/3b0c...e1-500-2750.npy from 0.5 to 2.75 seconds of it
        3b/3b0c...e1.json         what a user should know of it, if there is anything
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from earmark import __version__
from earmark.activity import sounding_cells
from earmark.audio import AudioStream, open_audio
from earmark.embedding import Embedder, Embeddings, FloatArray
from earmark.embedjobs import EmbedSettings
from earmark.errors import AudioError, EarmarkError
from earmark.files import atomic_write
from earmark.jobs import fault_of, run_each
from earmark.modelfile import read_model
from earmark.pool import Progress, Work
from earmark.samples import Signal
from earmark.train.digests import FileDigests
from earmark.train.excerpts import Excerpt, Reader, passes

# Files that are done, and of how many.
Report = Callable[[int, int], None]

# Regions may end this much behind the recording, whose length headers round, seconds.
_LATE_S = 0.5


class Problem(NamedTuple):
    """A recording that has no vectors, and why, one line."""

    excerpt: Excerpt
    why: str


class Remarks(NamedTuple):
    """What a user should know of a recording.

    rate : Hz, if that is below the model's, else 0.
    silent : whether it holds nothing but digital silence.
    warnings : what went wrong while reading.
    """

    rate: int = 0
    silent: bool = False
    warnings: Sequence[str] = ()


class _Job(NamedTuple):
    """A file, what is wanted of it, and where the vectors go."""

    path: str
    wanted: dict[Excerpt, Path]


class _Outcome(NamedTuple):
    """Why regions have no vectors; `fault` is that of all that are in neither, and of the other files, too,
    if it is hopeless."""

    failed: dict[Excerpt, str]
    fault: str = ""
    hopeless: bool = False


class VectorStore:
    """Vectors of recordings by one model, kept in a folder; several processes may use it at a time.

    Parameters
    ----------
    folder : str or Path
        Made when something is kept; see `earmark.folders.cache_folder`.
    settings : EmbedSettings
        Which model, embedding and hop.

    Attributes
    ----------
    embedder : Embedder

    Raises
    ------
    ModelError, ConfigError
        As `Embedder` does.
    """

    def __init__(self, folder: str | Path, settings: EmbedSettings) -> None:
        self.embedder = Embedder(settings.model, settings.embedding, settings.hop)
        self._settings = settings
        self._root = Path(folder)
        model = hashlib.sha256(read_model(settings.model)).hexdigest()
        identity = json.dumps([__version__, model, self.embedder.embedding, self.embedder.hop_s])
        self.folder = self._root / hashlib.sha256(identity.encode()).hexdigest()[:16]
        self._digests = FileDigests(self._root)

    def digest(self, path: str) -> str:
        """Return the SHA-256 of a file's bytes; see `FileDigests`."""
        return self._digests(path)

    def add(
        self, excerpts: Iterable[Excerpt], jobs: int = 1, report: Report = lambda done, total: None
    ) -> list[Problem]:
        """Compute and keep the vectors that are missing.

        Parameters
        ----------
        excerpts : iterable of Excerpt
            Those of one file are read together, once if they do not overlap.
        jobs : int
            Processes.
        report : callable
            Called with the number of files that are done, and of how many.

        Returns
        -------
        list of Problem
            What has no vectors; all else has.

        Raises
        ------
        EarmarkError
            If the folder cannot be written.
        """
        problems: list[Problem] = []
        wanted = list(dict.fromkeys(excerpts))
        by_file: dict[str, dict[Excerpt, Path]] = defaultdict(dict)
        for excerpt in wanted:
            try:
                place = self._place(excerpt)
            except AudioError as err:
                problems.append(Problem(excerpt, fault_of(err, excerpt.path, excerpt.path)[0]))
                continue
            if not place.exists():
                by_file[excerpt.path][excerpt] = place
        todo = [_Job(path, places) for path, places in by_file.items()]
        here, make_work = partial(_run, self.embedder), partial(_make_work, self._settings)
        with closing(
            run_each(todo, here, make_work, partial(_Outcome, {}), jobs, lambda *_: None)
        ) as results:
            for done, (which, outcome) in enumerate(results, start=1):
                if outcome.hopeless:
                    raise EarmarkError(outcome.fault)
                for excerpt, place in todo[which].wanted.items():
                    if not place.exists():
                        problems.append(Problem(excerpt, outcome.failed.get(excerpt, outcome.fault)))
                report(done, len(todo))
        order = {excerpt: i for i, excerpt in enumerate(wanted)}
        return sorted(problems, key=lambda problem: order[problem.excerpt])

    def get(self, excerpt: Excerpt) -> FloatArray:
        """Return the vectors of a recording that was added, float32, shape=(n, D), n at least 1.

        Raises
        ------
        EarmarkError
            If they are not there.
        """
        return self._load(excerpt)

    def _load(self, excerpt: Excerpt, mode: Literal["r"] | None = None) -> FloatArray:
        try:
            return np.asarray(np.load(self._place(excerpt), mmap_mode=mode, allow_pickle=False))
        except (OSError, ValueError, EOFError) as err:
            raise EarmarkError(
                f"no vectors of '{excerpt}' in '{self._root}' ({err}); start again to compute them"
            ) from err

    def count(self, excerpt: Excerpt) -> int:
        """Return how many vectors there are of a recording that was added; they are not read.

        Raises `EarmarkError` if they are not there.
        """
        return len(self._load(excerpt, "r"))

    def remarks(self, excerpt: Excerpt) -> Remarks:
        """Return what there is to be known of a recording that was added."""
        try:
            return Remarks(*json.loads(_beside(self._place(excerpt)).read_bytes()))
        except (OSError, ValueError, TypeError):
            return Remarks()

    def _place(self, excerpt: Excerpt) -> Path:
        digest = self.digest(excerpt.path)
        name = digest
        if excerpt.start or excerpt.end is not None:
            end = "" if excerpt.end is None else round(1000 * excerpt.end)
            name = f"{digest}-{round(1000 * excerpt.start)}-{end}"
        return self.folder / digest[:2] / f"{name}.npy"


def _run(embedder: Embedder, job: _Job, progress: Progress) -> _Outcome:
    """Embed what is wanted of a file; failures are returned, not raised."""
    failed: dict[Excerpt, str] = {}
    try:
        for regions in passes(job.wanted):
            with open_audio(job.path, sample_rate=embedder.sample_rate) as audio:
                reader = Reader(iter(audio))
                for excerpt in regions:
                    if why := _keep(embedder, audio, reader, excerpt, job.wanted[excerpt]):
                        failed[excerpt] = why
    except Exception as err:  # a fault on one file must not end the others
        return _Outcome(failed, *fault_of(err, job.path, job.path))
    return _Outcome(failed)


def _keep(embedder: Embedder, audio: AudioStream, reader: Reader, excerpt: Excerpt, place: Path) -> str:
    """Write the vectors of the region that comes next; return why there are none."""
    rate, sounds = embedder.sample_rate, False
    start, end = round(excerpt.start * rate), None if excerpt.end is None else round(excerpt.end * rate)

    def heard() -> Iterator[FloatArray]:
        nonlocal sounds
        for block in reader.span(start, end):
            cells = sounding_cells(block, embedder.extractor.window_hop, embedder.hop_s)
            sounds = sounds or bool(cells.any())
            yield block

    vectors = Embeddings.concatenate(list(embedder.parts(Signal(heard(), rate)))).values
    if (end is not None and reader.n_samples < end - _LATE_S * rate) or not len(vectors):
        return f"the recording ends at {reader.n_samples / rate:.2f} s, before the end of the region"
    low = audio.native_rate if audio.native_rate < rate else 0
    remarks = Remarks(low, not sounds, audio.warnings)
    if any(remarks):  # first, so that vectors never lie there without
        with atomic_write(_beside(place)) as file:
            json.dump(remarks, file)
    with atomic_write(place, binary=True) as file:
        np.save(file, vectors)
    return ""


def _beside(place: Path) -> Path:
    """Return where the remarks on a recording lie, whose vectors lie at a place."""
    return place.with_suffix(".json")


def _make_work(settings: EmbedSettings) -> Work[_Job, _Outcome]:
    return partial(_run, Embedder(settings.model, settings.embedding, settings.hop))
