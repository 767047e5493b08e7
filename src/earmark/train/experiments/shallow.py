"""Rows that train no network of patches: small classifiers on embeddings, and the trivial baseline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from earmark.embedjobs import EmbedSettings
from earmark.environment import environment
from earmark.errors import ConfigError
from earmark.files import atomic_write
from earmark.head import IntArray, fused, spread
from earmark.modelfile import read_model
from earmark.train import trivial
from earmark.train.excerpts import Excerpt
from earmark.train.experiments.example import Example, Split
from earmark.train.experiments.results import Workplace
from earmark.train.experiments.rows import TrivialRow, VectorRow
from earmark.train.experiments.scores import PatchScores
from earmark.train.head import KINDS, fit_head, inverse_frequencies
from earmark.train.texture import texture
from earmark.train.vectors import VectorStore

FloatArray = npt.NDArray[np.float32]
Tell = Callable[[str], None]

# That fit what is no network.
_PACKAGES: dict[str, tuple[str, ...]] = {"svm": ("scikit-learn",), "lda": ()}
# Recordings that are described before what there is of them is kept.
_CHUNK = 200
# Of embeddings that are learned; those who learn hold several times as much.
_MOST_BYTES = 256 << 20


def run_vectors(
    row: VectorRow, split: Split, seed: int, place: Workplace, kept: Path, title: str, tell: Tell
) -> tuple[PatchScores, dict[str, Any]]:
    """Fit a classifier on the embeddings of a split and score it.

    Each dimension is brought to 0 to 1 on the training part, classes count by inverse frequency, and of the
    networks' epochs the best on the validation part is taken (GRO, section III).  Of files fused late, no
    more windows are learned than memory is meant for, evenly spread over each.

    Parameters
    ----------
    row : VectorRow
    split : Split
    seed : int
    place : Workplace
    kept : Path
        Folder of the answers: what is there is not fitted again.
    title : str
        Of what is told.
    tell : callable

    Returns
    -------
    PatchScores
        "Patches" are windows, or with early fusion files.
    dict
        What else a result says.

    Raises
    ------
    ConfigError
        If a recording has no embeddings.
    """
    fitted = _read(kept)
    if fitted is None:
        store = _embedded(row, split, place, title, tell)
        fitted = _fitted(row, split, seed, store, _beside(row, split, place, title, tell), title, tell)
        _write(kept, *fitted)
    return _scores(fitted[0], split.test, fitted[1]), fitted[2]


def _embedded(row: VectorRow, split: Split, place: Workplace, title: str, tell: Tell) -> VectorStore:
    """Return the store that has the embeddings of all recordings."""
    settings = row.embedding.settings()
    store = _store(place.cache / "vectors", settings, read_model(settings.model))
    excerpts = [Excerpt(example.path) for example in split.all]
    problems = store.add(
        excerpts, place.jobs, lambda done, total: tell(f"{title}: embeddings {done} of {total}")
    )
    if problems:
        first = f"'{problems[0].excerpt}' has no embeddings: {problems[0].why}"
        more = f" ({len(problems)} recordings have none)" if len(problems) > 1 else ""
        raise ConfigError(f"{first}{more}; mend or remove it, then start again")
    return store


@lru_cache(maxsize=1)
def _store(folder: Path, settings: EmbedSettings, model: bytes) -> VectorStore:
    """Return the store that the last split had, if it is of the same model."""
    return VectorStore(folder, settings)


def _fitted(
    row: VectorRow,
    split: Split,
    seed: int,
    store: VectorStore,
    beside: Sequence[Mapping[str, FloatArray]],
    title: str,
    tell: Tell,
) -> tuple[FloatArray, list[int], dict[str, Any]]:
    """Return the answers to the test part, how many each file has, and what else a result says."""
    tell(f"{title}: fitting")
    began, cpu = time.monotonic(), time.process_time()
    fusion = row.head.fusion
    x, y = _learned(store, beside, split.train if row.validates else split.train + split.validation, fusion)
    is_network = bool(KINDS[row.head.kind])
    head = fit_head(
        row.head.kind,
        x,
        y,
        seed=seed,
        class_weights=inverse_frequencies(y),
        validation=_learned(store, beside, split.validation, fusion) if is_network else None,
        epochs=row.head.epochs,
    )
    # One by one, as there may be many.
    answers = [head.scores(_heard(store, beside, example, fusion)) for example in split.test]
    told = {
        "parameters": head.n_parameters,
        "epochs": [row.head.epochs] if is_network else [],
        "cpu_s": round(time.process_time() - cpu, 1),
        "seconds": round(time.monotonic() - began, 1),
        "environment": environment(*_PACKAGES.get(row.head.kind, ("torch",))),
    }
    return np.concatenate(answers), [len(each) for each in answers], told


def _learned(
    store: VectorStore, beside: Sequence[Mapping[str, FloatArray]], examples: Sequence[Example], fusion: str
) -> tuple[FloatArray, IntArray]:
    """Return what a classifier learns: files, or windows, with the classes of their files."""
    sizes = [1 if fusion == "early" else store.count(Excerpt(example.path)) for example in examples]
    most = _most_of_file(sizes, store.embedder.dimension)
    heard = [spread(_heard(store, beside, example, fusion), most) for example in examples]
    return fused(heard, [example.label for example in examples], fusion)


def _heard(
    store: VectorStore, beside: Sequence[Mapping[str, FloatArray]], example: Example, fusion: str
) -> FloatArray:
    """Return a file's windows, or with early fusion one row: their maxima, and what is taken beside them."""
    vectors = store.get(Excerpt(example.path))
    if fusion == "late":
        return vectors
    return np.concatenate([vectors.max(axis=0), *(one[example.path] for one in beside)])[None]


def _most_of_file(sizes: Sequence[int], dimension: int) -> int:
    """Return how many windows of each file can be learned, at least one."""
    n_rows, ordered = _MOST_BYTES // (4 * dimension), np.sort(sizes)
    # If files are cut to the size of the i-th, what of all is left.
    left = np.cumsum(ordered) + ordered * np.arange(len(ordered) - 1, -1, -1)
    n_whole = int(np.searchsorted(left, n_rows, side="right"))
    if n_whole == len(ordered):
        return int(ordered[-1])
    return max(1, int((n_rows - ordered[:n_whole].sum()) // (len(ordered) - n_whole)))


def _beside(
    row: VectorRow, split: Split, place: Workplace, title: str, tell: Tell
) -> list[dict[str, FloatArray]]:
    """Return what a row takes beside the embeddings, by path."""
    if not row.statistics:
        return []
    paths = [example.path for example in split.all]
    kinds = {"trivial": trivial.statistics, "texture": texture}
    return [
        describe_kept(
            paths,
            place.cache / name,
            place.jobs,
            lambda done, total: tell(f"{title}: statistics {done} of {total}"),
            of,
        )
        for name, of in kinds.items()
    ]


def run_trivial(
    row: TrivialRow, split: Split, place: Workplace, title: str, tell: Tell
) -> tuple[PatchScores, dict[str, Any]]:
    """Answer for each recording of the test part by what the trivial baseline learns of the training part.

    Parameters and what is returned are those of `run_vectors`.

    Raises
    ------
    ConfigError
        If a recording cannot be read.
    """
    paths = [example.path for example in split.all]
    described = describe_kept(
        paths,
        place.cache / "trivial",
        place.jobs,
        lambda done, total: tell(f"{title}: statistics {done} of {total}"),
    )
    began, cpu = time.monotonic(), time.process_time()
    train, test = (np.stack([described[e.path] for e in part]) for part in (split.train, split.test))
    labels = np.array([example.label for example in split.train])
    found = trivial.predict(train, labels, test)
    told = {
        "cpu_s": round(time.process_time() - cpu, 1),
        "seconds": round(time.monotonic() - began, 1),
        "environment": environment("scikit-learn"),
    }
    n_classes = 1 + max(example.label for example in split.all)
    return _scores(np.eye(n_classes)[found], split.test, [1] * len(found)), told


def describe_kept(
    paths: Sequence[str],
    folder: Path,
    jobs: int,
    report: Callable[[int, int], None] = lambda done, total: None,
    of: Callable[[FloatArray], FloatArray] = trivial.statistics,
) -> dict[str, FloatArray]:
    """Return what `of` tells of recordings, by path; what is new is kept in a folder, some hundred at a time.

    Raises
    ------
    ConfigError
        If a recording cannot be read, or what was kept is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "statistics.npz"
    with FileLock(folder / "lock"):
        stamps = {path: _stamp(path) for path in dict.fromkeys(paths)}
        known = _known(file)
        wanted = [path for path, stamp in stamps.items() if stamp not in known]
        for at in range(0, len(wanted), _CHUNK):
            chunk = wanted[at : at + _CHUNK]
            found = trivial.describe(chunk, jobs, partial(_report_from, at, len(wanted), report), of)
            known |= dict(zip((stamps[path] for path in chunk), found, strict=True))
            with atomic_write(file, binary=True) as out:
                np.savez(out, stamps=np.array(list(known)), values=np.stack(list(known.values())))
    return {path: known[stamp] for path, stamp in stamps.items()}


def _report_from(first: int, total: int, report: Callable[[int, int], None], done: int, _: int) -> None:
    report(first + done, total)


def _known(file: Path) -> dict[str, FloatArray]:
    if not file.exists():
        return {}
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return dict(zip(arrays["stamps"].tolist(), arrays["values"], strict=True))
    except (OSError, ValueError, KeyError, EOFError) as err:
        raise ConfigError(f"'{file}' is damaged ({err}); remove it, and it is made again") from err


def _stamp(path: str) -> str:
    """Return what changes with a recording."""
    try:
        found = Path(path).stat()
    except OSError as err:
        raise ConfigError(f"'{path}' cannot be read ({err.strerror or err}); check the path") from err
    return f"{Path(path).resolve()}|{found.st_size}|{found.st_mtime_ns}"


def _scores(answers: npt.NDArray[np.floating], test: Sequence[Example], sizes: Sequence[int]) -> PatchScores:
    owner = np.repeat(np.arange(len(test)), sizes)
    labels = np.array([example.label for example in test], np.int64)[owner]
    return PatchScores.of(answers, labels, owner, np.full(len(owner), np.nan))


def _write(folder: Path, answers: FloatArray, sizes: Sequence[int], told: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "answers.npz", binary=True) as file:
        np.savez(file, answers=answers, sizes=np.array(sizes), told=json.dumps(told))


def _read(folder: Path) -> tuple[FloatArray, list[int], dict[str, Any]] | None:
    """Return what `_write` wrote, None if there is nothing, or not all of it."""
    file = folder / "answers.npz"
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if "sizes" not in arrays:
                return None
            return arrays["answers"], arrays["sizes"].tolist(), json.loads(str(arrays["told"]))
    except (OSError, ValueError, KeyError, EOFError) as err:
        raise ConfigError(f"'{file}' is damaged ({err}); remove it, and the row is fitted anew") from err
