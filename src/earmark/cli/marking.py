"""Marking many recordings: what is asked for checked, planned, done and told, for any model that marks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.cli.places import check_jobs, check_standard_input, make_folders, shown_name
from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.catalogue import AnyModel
    from earmark.inputs import Input
    from earmark.jobs import Job


def mark(
    inputs: Sequence[str],
    model: str,
    load: Callable[[str], AnyModel],
    changes: Mapping[str, Sequence[str] | None],
    *,
    output: str | None,
    formats: Sequence[str],
    columns: str | None,
    skip_existing: bool,
    posteriors: Path | None,
    jobs: int | None,
    quiet: bool,
    no_color: bool,
) -> None:
    """Mark recordings with a model, which `load` loads.

    `changes` are the options of decoding by name, as they were given: numbers, or LABEL=NUMBER.  The rest is
    what the options of `earmark detect` say.

    Raises
    ------
    ConfigError
        If the options contradict themselves.
    """
    names = _check(output, formats, columns, skip_existing, posteriors, jobs, quiet)
    # Imported late: they bring in numpy, the decoder and the network.
    from earmark.cli.running import Batch, end
    from earmark.cores import usable_cores
    from earmark.detector import Detector
    from earmark.inputs import expand
    from earmark.jobs import Settings
    from earmark.terminal import print_error

    loaded = load(model)
    detector = Detector(loaded, read_overrides(changes, loaded.labels))
    options: dict[str, dict[str, Any]] = {"json": {"model": (loaded.card.name, loaded.card.version)}}
    if columns is not None:
        options["csv"] = {"columns": [name.strip() for name in columns.split(",")]}
    recordings, problems = expand(inputs)
    planned = _plan(recordings, output, names, posteriors)
    todo = [job for job in planned if not (skip_existing and _is_done(job))]
    for problem in problems:
        print_error(str(problem), color=not no_color)
    if todo:
        make_folders(_folders(output, posteriors, todo))
    settings = Settings(model, detector.options, options)
    batch = Batch(settings, output, names, quiet=quiet, color=not no_color)
    batch.tally.skipped = len(planned) - len(todo)
    batch.n_failed = len(problems)
    batch.run(todo, detector, jobs or usable_cores())
    end(batch.n_failed, len(planned) + len(problems), color=not no_color)


def _check(
    output: str | None,
    formats: Sequence[str],
    columns: str | None,
    skip_existing: bool,
    posteriors: Path | None,
    jobs: int | None,
    quiet: bool,
) -> tuple[str, ...]:
    """Refuse what contradicts itself; return the names of the formats to write."""
    from earmark.formats import FORMATS, dumps, format_of
    from earmark.timeline import Timeline

    names = tuple(dict.fromkeys(format_of("", name).name for name in formats))
    if formats and output is None:
        raise ConfigError(f"--format {formats[0]}: say where to, with --output DIR, or - for standard output")
    names = names or (("csv",) if output is not None else ())
    if output == "-" and len(names) > 1:
        raise ConfigError(
            f"--output - holds one format, not {' and '.join(names)}; choose one, or give a folder"
        )
    if columns is not None:
        if "csv" not in names:
            raise ConfigError(
                "--columns belongs to the format csv; add --format csv and --output, or leave it out"
            )
        dumps(Timeline(), "csv", columns=[name.strip() for name in columns.split(",")])
    if skip_existing and (output == "-" or (output is None and posteriors is None)):
        raise ConfigError("--skip-existing: results are not kept; say where to, with --output DIR")
    if quiet and output is None and posteriors is None:
        raise ConfigError("--quiet leaves nothing to do; say where results go, with --output DIR")
    check_jobs(jobs)
    suffixes = [suffix.lower() for known in FORMATS.values() for suffix in known.suffixes]
    is_no_folder = output not in (None, "-") and not os.path.isdir(output)
    if is_no_folder and (not output or os.path.exists(output) or Path(output).suffix.lower() in suffixes):
        raise ConfigError(
            f"--output {output or repr(output)}: give a folder, or - for standard output; "
            "--format tells the format"
        )
    is_no_place = posteriors is not None and (posteriors.suffix.lower() in suffixes or str(posteriors) == "-")
    if posteriors is not None and is_no_place and not posteriors.is_dir():
        raise ConfigError(f"--posteriors {posteriors}: give a file that ends in .npz, or a folder")
    return names


def read_overrides(
    changes: Mapping[str, Sequence[str] | None], labels: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return what the options change, by label; what is given for one label goes before what is for all."""
    found: dict[str, dict[str, float]] = {label: {} for label in labels}
    for name, texts in changes.items():
        option = f"--{name.replace('_', '-')}"
        for text in sorted(texts or (), key=lambda text: "=" in text):
            label, equals, number = text.rpartition("=")
            if equals and label not in labels:
                raise ConfigError(
                    f"{option} {text}: the model has no label '{label}'; it has {', '.join(labels)}"
                )
            try:
                value = float(number)
            except ValueError as err:
                raise ConfigError(
                    f"{option} {text}: give a number, or LABEL=NUMBER ({option} speech=0.5)"
                ) from err
            for changed in (label,) if equals else labels:
                found[changed][name] = value
    return found


def _plan(
    recordings: Sequence[Input], output: str | None, names: Sequence[str], posteriors: Path | None
) -> list[Job]:
    """Decide what is written where, before anything is done."""
    from earmark.formats import FORMATS
    from earmark.inputs import InputError, plan_outputs
    from earmark.jobs import Job

    if output == "-" and len(recordings) > 1:
        raise ConfigError(
            f"--output - holds one recording, not {len(recordings)}; give a folder: --output DIR"
        )
    check_standard_input(recordings)
    outputs: dict[Input, tuple[tuple[str, Path], ...]] = {}
    arrays: dict[Input, Path] = {}
    try:
        if output not in (None, "-"):
            suffixes = [FORMATS[name].suffixes[0] for name in names]
            for item, paths in plan_outputs(recordings, output, suffixes).items():
                outputs[item] = tuple(zip(names, paths, strict=True))
        if posteriors is not None and (posteriors.is_dir() or posteriors.suffix.lower() != ".npz"):
            arrays = {item: path for item, (path,) in plan_outputs(recordings, posteriors, [".npz"]).items()}
        elif posteriors is not None and len(recordings) > 1:
            raise ConfigError(f"--posteriors {posteriors}: for {len(recordings)} recordings, give a folder")
        elif posteriors is not None:
            arrays = dict.fromkeys(recordings, posteriors)
    except InputError as err:
        raise ConfigError(str(err)) from err
    return [
        Job(item.source, shown_name(item), outputs.get(item, ()), arrays.get(item)) for item in recordings
    ]


def _folders(output: str | None, posteriors: Path | None, jobs: Sequence[Job]) -> list[Path]:
    """Return the folders of the results."""
    folders = [] if output in (None, "-") else [Path(str(output))]
    if posteriors is not None:
        folders.append(posteriors.parent if jobs[0].posteriors == posteriors else posteriors)
    return folders


def _is_done(job: Job) -> bool:
    paths = [path for _, path in job.outputs] + ([job.posteriors] if job.posteriors else [])
    return all(path.exists() for path in paths)
