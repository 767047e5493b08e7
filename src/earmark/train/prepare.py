"""Making the bank: training recordings, altered copies of them, sung lines, procedural music and noise."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soxr

from earmark.activity import activity
from earmark.audio import read_audio
from earmark.chains import apply, random_chain
from earmark.errors import AudioError, ConfigError
from earmark.features import FrontEnd, log_mel
from earmark.pool import run_pool
from earmark.sources import Content, Source, read_index, select
from earmark.train.bank import Bank, Entry
from earmark.train.config import DataConfig

FloatArray = npt.NDArray[np.float32]

_RATE = 16_000
# Of validation: another than any training step's, and the same whatever a run's own.
VALIDATION_SEED = 1_000_003
# Seconds of speech turned into one sung or rapped recording, and of a piece of procedural music or noise.
_LINE_S, _MADE_S = 20.0, 20.0
# Share of the altered speech that is spoken by a new voice.
_NEW_VOICE = 0.45


class Piece(NamedTuple):
    """A recording for the bank: its source, frames (T, F) in dB, activity (T,) and active level in dBFS."""

    source: Source
    frames: npt.NDArray[np.float16]
    active: npt.NDArray[np.bool_]
    level_db: float


@dataclass(frozen=True)
class Recipe:
    """What to make of a source: the plain recording, `variants` of it, `sung` and `rapped` lines.

    Instead of a source, ``"music"`` or ``"noise"``: then as many pieces are made by procedures.
    """

    source: Source | Content
    variants: int
    sung: int = 0
    rapped: int = 0
    seed: int = 0


def training_sources(data: DataConfig) -> list[Source]:
    """Return the recordings of the index that a detector is trained on."""
    return select(read_index(data.index), not_origins=(*data.holdout, *data.unused), not_details=data.exclude)


def held_out_bank(data: DataConfig, front_end: FrontEnd, cache: Path, jobs: int) -> Bank:
    """Make the bank that validates: plain recordings of the collections held out, or of all if none is."""
    chosen = select(
        read_index(data.index),
        origins=data.holdout or None,
        not_origins=data.unused,
        not_details=data.exclude,
    )
    plain = replace(
        data,
        holdout=(),
        unused=(),
        variants=0,
        music_variants=0,
        sung_variants=0,
        singing_minutes=0.0,
        rap_minutes=0.0,
        tune_minutes=0.0,
        noise_minutes=0.0,
    )
    return load_bank(chosen, plain, front_end, cache, seed=0, jobs=jobs)


def held_out_name(data: DataConfig) -> str:
    """Say what `held_out_bank` is made of."""
    return "the collections held out" if data.holdout else "the training collections, newly mixed"


def recipes(sources: list[Source], data: DataConfig, seed: int) -> list[Recipe]:
    """List what the bank is made of."""
    rng = np.random.default_rng((seed, 1))
    speech = [i for i, s in enumerate(sources) if s.content == "speech"]
    if not speech and data.singing_minutes + data.rap_minutes > 0:
        raise ConfigError(
            "singing is made from speech, and there is none; set singing_minutes and rap_minutes to 0"
        )
    lines = {i: [0, 0] for i in speech}
    for kind, minutes in enumerate((data.singing_minutes, data.rap_minutes)):
        for i in rng.choice(speech, size=round(60 * minutes / _LINE_S)) if minutes else ():
            lines[int(i)][kind] += 1
    made = []
    for i, source in enumerate(sources):
        variants = data.variants
        if source.content == "music":
            variants = data.sung_variants if source.sung else data.music_variants
        sung, rapped = lines.get(i, (0, 0))
        made.append(Recipe(source, variants, sung, rapped, int(rng.integers(2**31))))
    procedural: dict[Content, float] = {"noise": data.noise_minutes, "music": data.tune_minutes}
    for content, minutes in procedural.items():
        n = round(60 * minutes / _MADE_S)
        made += [Recipe(content, min(10, n - at), seed=int(rng.integers(2**31))) for at in range(0, n, 10)]
    return made


def make_pieces(recipe: Recipe, front_end: FrontEnd) -> list[Piece]:
    """Follow a recipe."""
    return list(_pieces(recipe, front_end, np.random.default_rng(recipe.seed)))


def _pieces(recipe: Recipe, front_end: FrontEnd, rng: np.random.Generator) -> Iterator[Piece]:
    source = recipe.source
    if isinstance(source, str):
        for i in range(recipe.variants):
            samples, kind = _make_sound(source, rng)
            # Styles of music count as collections of their own.
            origin = f"procedural {source}" + (f": {kind}" if source == "music" else "")
            made = Source(f"{source} {recipe.seed}-{i}", source, False, _MADE_S, kind, origin)
            yield _piece(made, samples, samples, front_end)
            if i % 2:
                yield _piece(made, samples, apply(samples, _RATE, random_chain(rng)), front_end)
        return
    samples, _ = read_audio(source.path, sample_rate=_RATE)
    yield _piece(source, samples, samples, front_end)
    for _ in range(recipe.variants):
        clean = samples
        if source.content == "speech" and rng.random() < _NEW_VOICE:
            clean = _new_voice(samples, rng)
        elif rng.random() < 0.6:
            # Faster and higher, or slower and lower, as a tape played at another speed.
            clean = soxr.resample(samples, _RATE, _RATE * float(np.exp(rng.normal(0, 0.1))))
        yield _piece(source, clean, apply(clean, _RATE, random_chain(rng)), front_end)
    for kind, count in (("singing", recipe.sung), ("rap", recipe.rapped)):
        for _ in range(count):
            sung = _line(samples, kind, rng)
            if len(sung) < _RATE:
                continue
            made = replace(source, content="music", sung=True, origin=f"{kind} made from speech")
            altered = apply(sung, _RATE, random_chain(rng)) if rng.random() < 0.6 else sung
            yield _piece(made, sung, altered, front_end)


def _make_sound(content: Content, rng: np.random.Generator) -> tuple[FloatArray, str]:
    from earmark.train.noises import make_noise
    from earmark.train.tunes import make_tune

    return (make_noise if content == "noise" else make_tune)(rng, _MADE_S, _RATE)


def _new_voice(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    from earmark.train.sing import analyse, change_voice

    return change_voice(analyse(_excerpt(samples, rng), _RATE), rng)


def _line(samples: FloatArray, kind: str, rng: np.random.Generator) -> FloatArray:
    from earmark.train.sing import analyse, make_singing, rap

    excerpt = _excerpt(samples, rng)
    try:
        return rap(analyse(excerpt, _RATE), rng) if kind == "rap" else make_singing(excerpt, _RATE, rng)
    except AudioError:  # no syllable in it
        return np.zeros(0, np.float32)


def _excerpt(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    n = int(_LINE_S * _RATE)
    start = int(rng.integers(0, max(1, len(samples) - n)))
    return samples[start : start + n]


def _piece(source: Source, clean: FloatArray, altered: FloatArray, front_end: FrontEnd) -> Piece:
    """Take activity from the clean signal (a room's echoes are not the voice), level from the altered."""
    active = activity(clean, source.content).active
    mel = log_mel(altered[: len(clean)], _RATE, front_end)
    level = activity(altered[: len(clean)], "noise").rms_db
    seconds = mel.shape[1] * front_end.grid.hop_s
    return Piece(
        replace(source, seconds=seconds), mel.T.astype(np.float16), active[: mel.shape[1]], float(level)
    )


def load_bank(
    sources: list[Source],
    data: DataConfig,
    front_end: FrontEnd,
    cache: Path,
    *,
    seed: int,
    jobs: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Bank:
    """Return the bank of a configuration, made now or read from `cache`.

    Parameters
    ----------
    sources : list of Source
        What `training_sources` returned.
    cache : Path
        Folder; a bank is kept under a name that depends on everything that shapes it.
    jobs : int
        Processes.
    report : callable
        Told recipes done and in all.
    """
    todo = recipes(sources, data, seed)
    shape = [asdict(data), asdict(front_end), seed, [s.path for s in sources]]
    folder = cache / hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]
    if not (folder / "entries.json").exists():
        _build(todo, front_end, folder, jobs, report)
    rows = json.loads((folder / "entries.json").read_text(encoding="utf-8"))
    entries = [Entry(Source(**row["source"]), row["start"], row["n_frames"], row["level_db"]) for row in rows]
    active = np.fromfile(folder / "active.bool", dtype=bool)
    frames = np.memmap(folder / "frames.f16", np.float16, "r", shape=(len(active), front_end.n_mels))
    return Bank(entries, frames, active, front_end)


def _build(
    todo: list[Recipe], front_end: FrontEnd, folder: Path, jobs: int, report: Callable[[int, int], None]
) -> None:
    """Make the pieces and write them one behind the other; an interrupted making is taken up again."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "entries.jsonl"
    by_recipe = _read_journal(journal)
    left = [index for index in range(len(todo)) if index not in by_recipe]
    start = sum(int(row["n_frames"]) for rows in by_recipe.values() for row in rows)
    report(len(by_recipe), len(todo))
    with (
        (folder / "frames.f16").open("ab") as frames,
        (folder / "active.bool").open("ab") as active,
        journal.open("a", encoding="utf-8") as log,
    ):
        # What the journal does not know of was cut off.
        frames.truncate(2 * front_end.n_mels * start)
        active.truncate(start)
        wanted = [todo[index] for index in left]
        for event in run_pool(partial(_worker, front_end), wanted, jobs, lambda index, done, total: None):
            if event.result is None:
                raise ConfigError(
                    f"making training material of {wanted[event.index].source} failed: {event.death}"
                )
            rows: list[dict[str, Any]] = []
            for piece in event.result:
                # Too short or silent: nothing to learn from.
                if len(piece.frames) < 25 or not piece.active.any() or not np.isfinite(piece.level_db):
                    continue
                frames.write(piece.frames.tobytes())
                active.write(piece.active.tobytes())
                rows.append(
                    {
                        "source": asdict(piece.source),
                        "start": start,
                        "n_frames": len(piece.frames),
                        "level_db": piece.level_db,
                    }
                )
                start += len(piece.frames)
            by_recipe[left[event.index]] = rows
            frames.flush()
            active.flush()
            log.write(json.dumps([left[event.index], rows]) + "\n")
            log.flush()
            report(len(by_recipe), len(todo))
    # In the order of the recipes, so that a bank does not depend on which process was faster.
    ordered = [row for index in sorted(by_recipe) for row in by_recipe[index]]
    temporary = folder / "entries.part"
    temporary.write_text(json.dumps(ordered), encoding="utf-8")
    os.replace(temporary, folder / "entries.json")
    journal.unlink()


def _read_journal(path: Path) -> dict[int, list[dict[str, Any]]]:
    """Return the rows of the recipes that were followed before; a last line cut short does not count."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return dict(map(json.loads, whole.splitlines()))


def _worker(front_end: FrontEnd) -> Callable[[Recipe, object], list[Piece]]:
    return partial(_make, front_end=front_end)


def _make(recipe: Recipe, note: object, *, front_end: FrontEnd) -> list[Piece]:
    return make_pieces(recipe, front_end)
