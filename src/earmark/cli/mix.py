"""`earmark mix`: programmes with exact labels, out of recordings of one class each."""

from __future__ import annotations

import json
import math
import platform
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark import __version__
from earmark.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from earmark.activity import Activity
    from earmark.chains import Effect
    from earmark.codecs import CodecSpec
    from earmark.formats import Format
    from earmark.programme import Programme
    from earmark.sources import Source
    from earmark.timeline import Timeline

_SAMPLE_RATE = 16_000
# Decoded recordings kept at hand, samples: half a gigabyte.
_KEPT = 1 << 27

Folder = Annotated[Path | None, typer.Option(metavar="DIR", help="Recordings of this class.")]


def mix(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")],
    index: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV index of the recordings.")] = None,
    speech: Folder = None,
    music: Folder = None,
    noise: Folder = None,
    sung: Folder = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many programmes.")] = 1,
    duration: Annotated[
        float, typer.Option("--duration", "-d", min=1.0, max=21_600.0, help="Length of each, seconds.")
    ] = 300.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes other programmes.")] = 0,
    fold: Annotated[
        list[int] | None, typer.Option(metavar="K", help="Fold of the index to use; may be repeated.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Collection of the index to use; may be repeated."),
    ] = None,
    not_origin: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Collection to leave out; may be repeated.")
    ] = None,
    codec: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KBPS]",
            help="Code and decode each programme, e.g. mp3:32, opus:16, aac:48, mulaw; if repeated, in turn.",
        ),
    ] = None,
    effects: Annotated[
        bool,
        typer.Option("--effects", help="Draw effects: codecs, rooms, narrow lines, old discs, overload."),
    ] = False,
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format", "-f", metavar="NAME", help="Format of the labels; may be repeated. Default: csv."
        ),
    ] = None,
    audio_format: Annotated[str, typer.Option(metavar="NAME", help="wav, flac, mp3 or opus.")] = "wav",
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier mix in the folder.")] = False,
) -> None:
    """Make programmes out of speech, music and noise recordings, with labels exact to 20 ms.

    Recordings come from an index, or from a folder per class. Writes programme-0001.wav and so on, the
    labels beside each, and mix.json: seed, plan, sources with their licences, versions.
    """
    from earmark.audio_writer import AUDIO_FORMATS
    from earmark.codecs import CodecSpec
    from earmark.files import atomic_write
    from earmark.formats import format_of
    from earmark.progress import AudioProgress
    from earmark.sources import SUSPECT, read_folders, read_index, select

    folders = {"speech": speech, "music": music, "noise": noise, "sung": sung}
    if (index is not None) == any(folder is not None for folder in folders.values()):
        raise ConfigError("give either --index FILE, or folders: --speech, --music, --noise, --sung")
    if math.isnan(duration):  # which lies between any bounds
        raise ConfigError(f"--duration {duration}: give 1 to 21600 seconds")
    if codec and effects:
        raise ConfigError("--codec and --effects exclude each other; --effects draws codecs, too")
    if audio_format not in AUDIO_FORMATS:
        raise ConfigError(f"audio format '{audio_format}': choose one of {', '.join(AUDIO_FORMATS)}")
    formats = list(dict.fromkeys(format_of("", name) for name in format or ["csv"]))
    codecs = [CodecSpec.parse(text) for text in codec or ()]
    if (out / "mix.json").exists() and not force:
        raise ConfigError(f"'{out}' holds a mix already; name another folder, or add --force to replace it")
    sources = select(
        read_index(index) if index is not None else read_folders(**folders),
        folds=fold or None,
        origins=origin or None,
        not_origins=not_origin or (),
        not_details=SUSPECT,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(f"cannot make the folder '{out}' ({err.strerror}); name another one") from err
    desk = _Desk(sources)
    earlier, made = _files_of(out / "mix.json"), []
    with AudioProgress([duration] * count) as progress:
        for i in range(count):
            spec = codecs[i % len(codecs)] if codecs else None
            programme, chain = _draw(sources, duration, [seed, i], effects, spec)
            stem = out / f"programme-{i + 1:04d}"
            audio = stem.with_suffix(f".{audio_format}")
            timeline = desk.make(programme, chain, audio)
            references = [_write_labels(timeline, stem, chosen) for chosen in formats]
            made.append(_Made(programme, chain, audio.name, references, timeline))
            progress.finish(i, duration)
    options = {
        "duration": duration,
        "count": count,
        "folds": fold,
        "origins": origin,
        "not_origins": not_origin,
        "codecs": codec,
        "effects": effects,
    }
    text = json.dumps(_record(sources, made, seed, options), indent=1, ensure_ascii=False)
    with atomic_write(out / "mix.json", binary=True) as file:
        file.write(f"{text}\n".encode("utf-8", "replace"))
    for name in earlier - {name for m in made for name in (m.audio, *m.references)}:
        (out / name).unlink(missing_ok=True)
    what = f"{count} programme{'s' * (count > 1)} of {duration:g} s"
    typer.echo(f"{what} in {out}: {_summary([m.timeline for m in made])}")


@dataclass(frozen=True)
class _Made:
    """One programme that was written: its plan, effects, file names and labels."""

    programme: Programme
    chain: tuple[Effect, ...]
    audio: str
    references: list[str]
    timeline: Timeline


class _Desk:
    """Loads recordings, once as far as memory allows, and makes programmes of them."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self._samples: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()
        self._activities: dict[int, Activity] = {}

    def make(self, programme: Programme, chain: Sequence[Effect], path: Path) -> Timeline:
        """Write the waveform of a programme; return its labels."""
        from earmark.activity import activity
        from earmark.audio_writer import write_audio
        from earmark.chains import apply
        from earmark.render import labels, limit_peak, render

        for i in {event.source for event in programme.events} - self._activities.keys():
            self._activities[i] = activity(self._load(self.sources[i]), self.sources[i].content)
        samples = render(
            programme, self.sources, self._load, sample_rate=_SAMPLE_RATE, activities=self._activities
        )
        write_audio(path, limit_peak(apply(samples, _SAMPLE_RATE, chain)), _SAMPLE_RATE)
        return replace(labels(programme, self.sources, self._activities), source=path.name)

    def _load(self, source: Source) -> npt.NDArray[np.float32]:
        from earmark.audio import read_audio

        if source.path not in self._samples:
            self._samples[source.path] = read_audio(source.path, sample_rate=_SAMPLE_RATE)[0]
            while len(self._samples) > 1 and sum(map(len, self._samples.values())) > _KEPT:
                self._samples.popitem(last=False)
        self._samples.move_to_end(source.path)
        return self._samples[source.path]


def _draw(
    sources: Sequence[Source], duration: float, seed: Sequence[int], effects: bool, spec: CodecSpec | None
) -> tuple[Programme, tuple[Effect, ...]]:
    """Draw a plan and what befalls it; the n-th programme is the same however many are made."""
    import numpy as np

    from earmark.chains import Effect, random_chain
    from earmark.planner import plan

    programme = plan(sources, duration, np.random.default_rng([*seed, 0]))
    if spec is not None:
        return programme, (Effect("code", {"codec": spec.name, "kbps": spec.kbps}),)
    return programme, random_chain(np.random.default_rng([*seed, 1])) if effects else ()


def _write_labels(timeline: Timeline, stem: Path, chosen: Format) -> str:
    from earmark.formats import write

    # A reference is certain: where there is a choice, the ratio takes the place of the confidence.
    wanted = {"columns": ("start", "end", "label", "speech_to_music_db")}
    path = stem.with_suffix(chosen.suffixes[0])
    write(timeline, path, chosen.name, **{k: v for k, v in wanted.items() if k in chosen.options})
    return path.name


def _files_of(record: Path) -> set[str]:
    """Return the names of the files that an earlier mix wrote beside its mix.json."""
    try:
        programmes = json.loads(record.read_text(encoding="utf-8"))["programmes"]
        names = {name for row in programmes for name in (row["audio"], *row["references"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if Path(name).name == name}


def _record(
    sources: Sequence[Source], made: Sequence[_Made], seed: int, options: dict[str, Any]
) -> dict[str, Any]:
    """Return what mix.json holds; its events count the sources listed in it."""
    used = sorted({event.source for m in made for event in m.programme.events})
    place = {old: new for new, old in enumerate(used)}
    seconds = [0.0] * len(sources)
    for m in made:
        for event in m.programme.events:
            seconds[event.source] += min(event.end, m.programme.duration) - event.start
    credits: dict[tuple[str, str], float] = {}
    for i in used:
        key = (sources[i].origin, sources[i].licence)
        credits[key] = credits.get(key, 0.0) + seconds[i]
    return {
        "seed": seed,
        "options": options,
        "versions": {
            "earmark": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "av", "soxr")},
        },
        "attribution": [
            {"origin": origin, "licence": licence, "seconds": round(total, 2)}
            for (origin, licence), total in sorted(credits.items())
        ],
        "programmes": [
            {
                "audio": m.audio,
                "references": m.references,
                "seconds": {name: round(value, 2) for name, value in m.timeline.durations().items()},
                "effects": [asdict(effect) for effect in m.chain],
                "events": [{**asdict(event), "source": place[event.source]} for event in m.programme.events],
            }
            for m in made
        ],
        "sources": [asdict(sources[i]) for i in used],
    }


def _summary(timelines: Sequence[Timeline]) -> str:
    total = sum(timeline.duration for timeline in timelines)
    shares: dict[str, float] = {}
    for timeline in timelines:
        for name, share in timeline.shares().items():
            shares[name] = shares.get(name, 0.0) + share * timeline.duration / total
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
