"""Embeddings as jobs: one recording in, its .npz file out, a record of how it went; many at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from earmark.audio import open_audio
from earmark.embedding import Embedder
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
        The .npz file.
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


def run_embed_job(embedder: Embedder, job: EmbedJob, progress: Progress) -> EmbedRecord:
    """Embed one recording and write its file; failures are returned, not raised.

    The file holds ``embeddings``, float32, shape=(n, D), and ``times``, float64, shape=(n,): what each window
    is centred on.  ``window_s``, ``hop_s``, ``duration``, ``model`` and ``embedding`` say what they are of.
    """
    try:
        with open_audio(job.source, sample_rate=embedder.sample_rate) as audio, NpzWriter() as writer:
            signal = Signal(audio, embedder.sample_rate)
            n_windows = 0
            for part in embedder.parts(signal):
                writer.append("embeddings", part.values)
                writer.append("times", part.times)
                n_windows += len(part.times)
                progress(signal.seconds, audio.duration)
            facts = {
                "window_s": np.array(embedder.window_s),
                "hop_s": np.array(embedder.hop_s),
                "duration": np.array(signal.seconds),
                "model": np.array(embedder.card.name),
                "embedding": np.array(embedder.embedding),
            }
            writer.save(job.output, facts)
            return EmbedRecord(signal.seconds, n_windows, tuple(audio.warnings))
    except Exception as err:  # a fault on one file must not end the others
        error, hopeless = fault_of(err, job.source, job.name)
        return EmbedRecord(error=error, hopeless=hopeless)


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
