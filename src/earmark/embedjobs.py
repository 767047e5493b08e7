"""Embeddings as jobs: one recording in, its file out, a record of how it went; many at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from earmark.audio import open_audio
from earmark.embedding import Embedder, Embeddings
from earmark.jobs import fault_of, run_each
from earmark.npzfile import NpzWriter
from earmark.pool import Progress, Work
from earmark.samples import Signal


@dataclass(frozen=True)
class EmbedJob:
    """One recording and where its embeddings go.

    Parameters
    ----------
    source : str
        What `open_audio` takes.
    name : str
        What messages call it.
    output : Path
        The file; .npz or, with the package pyarrow, .parquet.
    """

    source: str
    name: str
    output: Path


@dataclass(frozen=True)
class EmbedSettings:
    """What all jobs of a run share: the arguments of `Embedder`."""

    model: str
    embedding: str | None = None
    hop: float | None = None


@dataclass(frozen=True)
class EmbedRecord:
    """How a job went.

    Parameters
    ----------
    seconds : float
        Of audio.
    n_windows : int
    warnings : tuple of str
        What went wrong while reading.
    error : str or None
        Why it failed, one line.
    hopeless : bool
        The fault lies with the disk written to, so that the other jobs would fail as well.
    """

    seconds: float = 0.0
    n_windows: int = 0
    warnings: tuple[str, ...] = ()
    error: str | None = None
    hopeless: bool = False


def facts_of(embedder: Embedder) -> dict[str, Any]:
    """Return what a file of embeddings says of them."""
    return {
        "model": embedder.card.name,
        "embedding": embedder.embedding,
        "window_s": embedder.window_s,
        "hop_s": embedder.hop_s,
    }


def run_embed_job(embedder: Embedder, job: EmbedJob, progress: Progress) -> EmbedRecord:
    """Embed one recording and write its file; failures are returned, not raised.

    An .npz file holds ``embeddings``, float32, shape=(n, D), and ``times``, float64, shape=(n,): what each
    window is centred on.  ``window_s``, ``hop_s``, ``duration``, ``model`` and ``embedding`` say what they
    are of.  A .parquet file is as in `earmark.parquetfile`.
    """
    try:
        with open_audio(job.source, sample_rate=embedder.sample_rate) as audio:
            signal, n_windows = Signal(audio, embedder.sample_rate), 0

            def parts() -> Iterator[Embeddings]:
                nonlocal n_windows
                for part in embedder.parts(signal):
                    yield part
                    n_windows += len(part.times)
                    progress(signal.seconds, audio.duration)

            write = _write_table if job.output.suffix.lower() == ".parquet" else _write_arrays
            write(embedder, job, signal, parts())
            return EmbedRecord(signal.seconds, n_windows, tuple(audio.warnings))
    except Exception as err:  # a fault on one file must not end the others
        error, hopeless = fault_of(err, job.source, job.name)
        return EmbedRecord(error=error, hopeless=hopeless)


def _write_arrays(embedder: Embedder, job: EmbedJob, signal: Signal, parts: Iterator[Embeddings]) -> None:
    with NpzWriter() as writer:
        for part in parts:
            writer.append("embeddings", part.values)
            writer.append("times", part.times)
        facts = {**facts_of(embedder), "duration": signal.seconds}
        writer.save(job.output, {name: np.array(value) for name, value in facts.items()})


def _write_table(embedder: Embedder, job: EmbedJob, signal: Signal, parts: Iterator[Embeddings]) -> None:
    from earmark.parquetfile import VectorTable

    with VectorTable(job.output, embedder.dimension, facts_of(embedder)) as table:
        for part in parts:
            table.append(job.name, part)


def run_embed_jobs(
    jobs: Sequence[EmbedJob],
    settings: EmbedSettings,
    *,
    processes: int,
    progress: Callable[[int, float, float | None], None],
    embedder: Embedder,
) -> Generator[tuple[int, EmbedRecord]]:
    """Run jobs; yield their places and records, in the order in which they end.

    A single job runs here, with `embedder`, which is made of the same settings; several run in worker
    processes, as in `run_jobs`.
    """
    here, make_work = partial(run_embed_job, embedder), partial(_make_work, settings)
    yield from run_each(jobs, here, make_work, _failed, processes, progress)


def _failed(error: str) -> EmbedRecord:
    return EmbedRecord(error=error)


def _make_work(settings: EmbedSettings) -> Work[EmbedJob, EmbedRecord]:
    return partial(run_embed_job, Embedder(settings.model, settings.embedding, settings.hop))
