"""Rows that train no network of patches: small classifiers on embeddings, and the trivial baseline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from earmark.environment import environment
from earmark.errors import ConfigError
from earmark.files import atomic_write
from earmark.head import fused
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

# Recordings that are described before what there is of them is kept.
_CHUNK = 200


def run_vectors(
    row: VectorRow, split: Split, seed: int, place: Workplace, kept: Path, title: str, tell: Tell
) -> tuple[PatchScores, dict[str, Any]]:
    """Fit a classifier on the embeddings of a split and score it.

    Each dimension is brought to 0 to 1 on the training part, classes count by inverse frequency, and of the
    networks' epochs the best on the validation part is taken (GRO, section III).

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
    store = VectorStore(place.cache / "vectors", row.embedding.settings())
    excerpts = [Excerpt(example.path) for example in split.all]
    problems = store.add(
        excerpts, place.jobs, lambda done, total: tell(f"{title}: embeddings {done} of {total}")
    )
    if problems:
        first = f"'{problems[0].excerpt}' has no embeddings: {problems[0].why}"
        more = f" ({len(problems)} recordings have none)" if len(problems) > 1 else ""
        raise ConfigError(f"{first}{more}; mend or remove it, then start again")

    beside = _beside(row, split, place, title, tell)

    def part(examples: Sequence[Example]) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        files = [store.get(Excerpt(example.path)) for example in examples]
        x, y = fused(files, [example.label for example in examples], row.head.fusion)
        described = [np.stack([one[e.path] for e in examples]) for one in beside]
        return np.concatenate([x, *described], axis=1), y

    fitted = _read(kept)
    if fitted is None:
        tell(f"{title}: fitting")
        began, cpu = time.monotonic(), time.process_time()
        x, y = part(split.train if row.validates else split.train + split.validation)
        head = fit_head(
            row.head.kind,
            x,
            y,
            seed=seed,
            class_weights=inverse_frequencies(y),
            validation=part(split.validation) if row.validates else None,
            epochs=row.head.epochs,
        )
        values, _ = part(split.test)
        told = {
            "parameters": head.n_parameters,
            "epochs": [row.head.epochs] if KINDS[row.head.kind] else [],
            "cpu_s": round(time.process_time() - cpu, 1),
            "seconds": round(time.monotonic() - began, 1),
            "environment": environment("scikit-learn" if row.head.kind == "svm" else "torch"),
        }
        fitted = head.scores(values), told
        _write(kept, *fitted)
    answers, told = fitted
    sizes = [1 if row.head.fusion == "early" else len(store.get(Excerpt(e.path))) for e in split.test]
    return _scores(answers, split.test, sizes), told


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


def _write(folder: Path, answers: FloatArray, told: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "answers.npz", binary=True) as file:
        np.savez(file, answers=answers, told=json.dumps(told))


def _read(folder: Path) -> tuple[FloatArray, dict[str, Any]] | None:
    """Return what `_write` wrote, None if there is nothing."""
    file = folder / "answers.npz"
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["answers"], json.loads(str(arrays["told"]))
    except (OSError, ValueError, KeyError, EOFError) as err:
        raise ConfigError(f"'{file}' is damaged ({err}); remove it, and the row is fitted anew") from err
