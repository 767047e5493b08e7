"""`earmark embed`: what a network makes of every window of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.cli.places import check_jobs, check_standard_input, make_folders, shown_name
from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.embedding import Embedder
    from earmark.embedjobs import EmbedJob, EmbedSettings
    from earmark.inputs import Input
    from earmark.parquetfile import Collection

_INPUTS = "Audio or video files, folders, patterns, http(s) addresses, or - for standard input."
# What somebody might take for a format.
_OTHER_SUFFIXES = (".csv", ".h5", ".json", ".npy", ".txt")
_OUTPUT = "A folder for a file of each recording; one .npz file for one; one .parquet file for all."
_FORMAT = (
    "npz or parquet; by default what --output ends in, or npz. "
    "[dim]parquet needs: pip install 'earmark\\[batch]'[/dim]"
)


def embed(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help=_INPUTS, show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT|DIR", help=_OUTPUT)],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="A model for embeddings (see: earmark models). [dim]\\[default: embedder][/dim]",
        ),
    ] = None,
    embedding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which one, of a model that has several.")
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(metavar="S", help="From one window to the next, seconds; the model's own if not given."),
    ] = None,
    format: Annotated[str | None, typer.Option("--format", "-f", metavar="NAME", help=_FORMAT)] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out recordings whose results exist already.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", metavar="N", help="Recordings at a time. [dim]\\[default: one per core][/dim]"
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; so does the variable NO_COLOR.")
    ] = False,
) -> None:
    """Turn recordings into embeddings: a vector for every window, with the windows' times."""
    check_jobs(jobs)
    suffix = _suffix(output, format)
    # Imported late: they bring in numpy, the decoder and the network.
    from earmark.cli.running import end
    from earmark.cores import usable_cores
    from earmark.embedding import Embedder
    from earmark.embedjobs import EmbedSettings
    from earmark.inputs import expand
    from earmark.modelfile import DEFAULT_EMBEDDER
    from earmark.terminal import print_error

    if suffix == ".parquet":
        import pyarrow  # noqa: F401  # a missing extra is told before any work
    settings = EmbedSettings(model or DEFAULT_EMBEDDER, embedding, hop)
    embedder = Embedder(settings.model, embedding, hop)
    recordings, problems = expand(inputs)
    check_standard_input(recordings)
    with ExitStack() as resources:
        collection = None
        if suffix == ".parquet" and _is_file(output, suffix):
            names = [shown_name(item) for item in recordings]
            collection = resources.enter_context(_collection(output, names, embedder, skip_existing))
        planned = _plan(recordings, output, suffix, collection)
        if collection is not None:
            todo = [job for job in planned if job.name not in collection.done]
        else:
            todo = [job for job in planned if not (skip_existing and job.output.exists())]
        for problem in problems:
            print_error(str(problem), color=not no_color)
        make_folders({job.output.parent for job in todo})
        n_failed = len(problems)
        if todo or not n_failed:
            n_skipped = len(planned) - len(todo)
            n_failed += _run(
                todo, settings, embedder, collection, jobs or usable_cores(), n_skipped, quiet, not no_color
            )
    end(n_failed, len(planned) + len(problems), color=not no_color)


def _is_file(output: Path, suffix: str) -> bool:
    return output.suffix.lower() == suffix and not output.is_dir()


def _suffix(output: Path, format: str | None) -> str:
    """Refuse formats and outputs that do not go together; return the suffix of the files."""
    known = ("npz", "parquet")
    if format is not None and format not in known:
        raise ConfigError(f"--format {format}: choose npz or parquet")
    named = next((name for name in known if _is_file(output, f".{name}")), None)
    if format is not None and named not in (None, format):
        raise ConfigError(f"--format {format}: --output {output} ends in .{named}; leave one of them out")
    is_other = output.suffix.lower() in _OTHER_SUFFIXES or output.exists()
    if named is None and is_other and not output.is_dir():
        raise ConfigError(f"--output {output}: give a file that ends in .npz or .parquet, or a folder")
    return f".{format or named or 'npz'}"


def _collection(output: Path, names: Sequence[str], embedder: Embedder, resume: bool) -> Collection:
    from earmark.embedjobs import facts_of
    from earmark.parquetfile import Collection

    make_folders([output.parent])
    return Collection(output, names, embedder.dimension, facts_of(embedder), resume=resume)


def _plan(
    recordings: Sequence[Input], output: Path, suffix: str, collection: Collection | None
) -> list[EmbedJob]:
    """Decide what is written where, before anything is done."""
    from earmark.embedjobs import EmbedJob
    from earmark.inputs import InputError, plan_outputs

    if collection is not None:
        named = [(item.source, shown_name(item)) for item in recordings]
        return [EmbedJob(source, name, collection.part(name)) for source, name in named]
    if _is_file(output, suffix):
        if len(recordings) > 1:
            raise ConfigError(f"--output {output}: for {len(recordings)} recordings, give a folder")
        return [EmbedJob(item.source, shown_name(item), output) for item in recordings]
    try:
        places = plan_outputs(recordings, output, [suffix])
    except InputError as err:
        raise ConfigError(str(err)) from err
    return [EmbedJob(item.source, shown_name(item), path) for item, (path,) in places.items()]


def _run(
    todo: Sequence[EmbedJob],
    settings: EmbedSettings,
    embedder: Embedder,
    collection: Collection | None,
    processes: int,
    n_skipped: int,
    quiet: bool,
    color: bool,
) -> int:
    """Do the jobs and tell how they go; return how many failed."""
    from earmark.cli.running import in_order, working
    from earmark.embedjobs import run_embed_jobs
    from earmark.terminal import Tally, make_console, print_error, print_warning

    tally, n_failed, n_windows = Tally(skipped=n_skipped), 0, 0
    with working(todo, show=not quiet, color=color) as progress:
        records = run_embed_jobs(
            todo, settings, processes=processes, progress=progress.advance, embedder=embedder
        )
        with closing(records):
            for job, record in in_order(todo, records, progress):
                with progress.hidden():
                    for warning in record.warnings:
                        print_warning(f"{job.name}: {warning}", color=color)
                    if record.error is not None:
                        n_failed += 1
                        print_error(f"{job.name}: {record.error}", color=color)
                        continue
                if collection is not None:
                    collection.add(job.name)
                tally.files += 1
                tally.audio += record.seconds
                n_windows += record.n_windows
    if not quiet and (tally.files or tally.skipped):
        made = f"{n_windows} vectors of {embedder.dimension}"
        make_console(color=color).print(tally.line(progress.elapsed, made), soft_wrap=True)
    return n_failed
