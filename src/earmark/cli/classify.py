"""`earmark classify`: which of a user's own classes recordings are of, or where each is heard in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.cli.options import (
    Columns,
    Inputs,
    Jobs,
    NoColor,
    Posteriors,
    Quiet,
    SkipExisting,
    decoding_option,
    output_option,
)
from earmark.cli.places import check_jobs, check_standard_input, make_folders, shown_name
from earmark.errors import ConfigError
from earmark.files import write_standard_output

if TYPE_CHECKING:
    from earmark.classifier import Classified, Classifier
    from earmark.classifyjobs import ClassifyJob, ClassifyRecord
    from earmark.classrows import RowFile

_MODEL = "A classifier: what earmark fit wrote, or its name."
_OUTPUT = "File for the rows, or - for standard output; with --timeline, folder for the results, or -."
_FORMAT = "csv or json; with --timeline, any format of earmark detect, and several."
_TIMELINE = "Mark the classes along each recording, one at a time, instead of telling one for all of it."
_CROPS = "Hear so many windows of each recording, evenly spread, in place of all: faster on long ones."
_THRESHOLD = "No class holds where the likeliest one's score is below this, 0 to 1. For all classes, or one."
_MIN_DURATION = "A segment lasts at least this long, seconds. Default of the three: the length of a window."
_MIN_GAP = "So does a stretch without a class between segments."
_SMOOTH = "Moving average over the scores, seconds; 0 for none."
# Classes counted in the last line.
_MOST_COUNTED = 6


def classify(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL, show_default=False)],
    inputs: Inputs,
    output: Annotated[str | None, output_option(_OUTPUT, "--output", "-o", metavar="FILE|DIR|-")] = None,
    formats: Annotated[list[str] | None, output_option(_FORMAT, "--format", "-f", metavar="NAME")] = None,
    skip_existing: SkipExisting = False,
    crops: Annotated[int | None, typer.Option("--crops", metavar="N", min=1, help=_CROPS)] = None,
    timeline: Annotated[bool, output_option(_TIMELINE, "--timeline")] = False,
    columns: Columns = None,
    posteriors: Posteriors = None,
    threshold: Annotated[list[str] | None, decoding_option(_THRESHOLD, "P")] = None,
    min_duration: Annotated[list[str] | None, decoding_option(_MIN_DURATION, "S")] = None,
    min_gap: Annotated[list[str] | None, decoding_option(_MIN_GAP, "S")] = None,
    smooth: Annotated[list[str] | None, decoding_option(_SMOOTH, "S")] = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Tell which of your own classes recordings are of, by a model that earmark fit made.

    Without --output, a line for each recording is printed: its class, the score, and the next class.
    """
    changes = {
        "threshold": threshold, "min_duration": min_duration, "min_gap": min_gap, "smooth": smooth
    }  # fmt: skip
    if timeline and crops is not None:
        raise ConfigError("--crops is of whole recordings; leave it out, or leave out --timeline")
    if timeline:
        from earmark.cli.marking import mark

        mark(
            inputs,
            model,
            _load,
            changes,
            output=output,
            formats=formats or (),
            columns=columns,
            skip_existing=skip_existing,
            posteriors=posteriors,
            jobs=jobs,
            quiet=quiet,
            no_color=no_color,
        )
        return
    alone = {**changes, "columns": columns, "posteriors": posteriors}
    for option, value in alone.items():
        if value is not None:
            dashed = option.replace("_", "-")
            raise ConfigError(f"--{dashed} belongs to timelines; add --timeline, or leave it out")
    name = _format(output, formats or (), skip_existing, quiet)
    check_jobs(jobs)
    # Imported late: they bring in numpy, the decoder and the network.
    from earmark.classifyjobs import ClassifyJob
    from earmark.cli.running import end
    from earmark.cores import usable_cores
    from earmark.inputs import expand
    from earmark.terminal import print_error

    classifier = _load(model)
    recordings, problems = expand(inputs)
    check_standard_input(recordings)
    named = [ClassifyJob(item.source, shown_name(item), crops) for item in recordings]
    for problem in problems:
        print_error(str(problem), color=not no_color)
    n_failed = len(problems)
    if named:
        rows = _Rows(output, name, classifier, resume=skip_existing, color=not no_color)
        n_failed += rows.run(named, model, jobs or usable_cores(), quiet=quiet)
    end(n_failed, len(named) + len(problems), color=not no_color)


def _load(model: str) -> Classifier:
    from earmark.classifier import Classifier

    return Classifier(model)


def _format(output: str | None, formats: Sequence[str], skip_existing: bool, quiet: bool) -> str | None:
    """Refuse what contradicts itself; return the format of the rows, None to print them to be read."""
    known = ("csv", "json")
    suffix = Path(output or "").suffix.lower().removeprefix(".")
    is_file = output not in (None, "-")
    for given in formats:
        if given not in known:
            raise ConfigError(f"--format {given}: choose csv or json, or add --timeline for the others")
    if len(set(formats)) > 1:
        raise ConfigError("--format csv and json: give one; the rows are written to one file")
    if output == "" or (output is not None and os.path.isdir(output)):
        raise ConfigError(
            f"--output {output or repr(output)}: give a file, or - for standard output; "
            "a folder takes timelines: --timeline"
        )
    if is_file and not formats and suffix not in known:
        raise ConfigError(f"--output {output}: give a file that ends in .csv or .json, or add --format")
    if skip_existing and not is_file:
        raise ConfigError("--skip-existing: results are not kept; say where to, with --output FILE")
    if quiet and output is None and not formats:
        raise ConfigError("--quiet leaves nothing to do; say where results go, with --output FILE")
    if formats:
        return formats[0]
    return suffix if is_file else "csv" if output == "-" else None


class _Rows:
    """Classifies recordings, writes or prints a row for each, and tells what fails.

    Parameters
    ----------
    output : str or None
        A file; ``"-"`` or None for standard output.
    name : str or None
        Format of the rows; None to be read.
    classifier : Classifier
    resume : bool
        Keep the rows that are in the file.
    color : bool
    """

    def __init__(
        self, output: str | None, name: str | None, classifier: Classifier, *, resume: bool, color: bool
    ) -> None:
        from earmark.classrows import RowFile, layout
        from earmark.modelfile import read_model
        from earmark.terminal import make_console

        self._classifier, self._name, self._color = classifier, name, color
        self._console = make_console(color=color)
        self._file: RowFile | None = None
        self._layout = None if name is None else layout(name, classifier.labels)
        self._n_printed = 0
        if name is not None and output not in (None, "-"):
            path = Path(str(output))
            make_folders([path.parent])
            used = read_model(classifier.origin)
            self._file = RowFile(path, name, classifier.labels, model=used, resume=resume)

    def run(self, jobs: Sequence[ClassifyJob], model: str, processes: int, *, quiet: bool) -> int:
        """Do the jobs; return how many failed."""
        from earmark.classifyjobs import run_classify_jobs
        from earmark.cli.running import in_order, working
        from earmark.terminal import Tally, print_error, print_warning

        file = self._file
        todo = [job for job in jobs if file is None or job.name not in file]
        tally, found, n_failed = Tally(skipped=len(jobs) - len(todo)), dict[str, int](), 0
        try:
            with working(todo, show=not quiet, color=self._color) as progress:
                records = run_classify_jobs(
                    todo, model, processes=processes, progress=progress.advance, classifier=self._classifier
                )
                with closing(records):
                    for job, record in in_order(todo, self._kept(todo, records), progress):
                        result = record.result
                        says = file is None or result is None or result.warnings
                        with progress.hidden() if says else nullcontext():
                            for warning in result.warnings if result is not None else ():
                                print_warning(f"{job.name}: {warning}", color=self._color)
                            if result is None:
                                n_failed += 1
                                print_error(f"{job.name}: {record.error}", color=self._color)
                                continue
                            if file is None:
                                self._print(job.name, result)
                        tally.files += 1
                        tally.audio += record.seconds
                        found[result.label] = found.get(result.label, 0) + 1
        finally:
            self._close([job.name for job in jobs])
        if file is not None and not quiet and (tally.files or tally.skipped):
            self._console.print(tally.line(progress.elapsed, _counts(found)), soft_wrap=True)
        return n_failed

    def _kept(
        self, todo: Sequence[ClassifyJob], records: Iterator[tuple[int, ClassifyRecord]]
    ) -> Iterator[tuple[int, ClassifyRecord]]:
        """Write rows into the file as soon as they are there, before they are put in order."""
        for index, record in records:
            if self._file is not None and record.result is not None:
                self._file.add(todo[index].name, record.result)
            yield index, record

    def _print(self, path: str, result: Classified) -> None:
        from earmark.classrows import row

        if self._layout is None or self._name is None:
            self._draw(path, result)
            return
        before = self._layout.between if self._n_printed else self._layout.head
        self._put(before + row(self._name, path, result))
        self._n_printed += 1

    def _draw(self, path: str, result: Classified) -> None:
        """Print a line to be read: the class, its score, the next class with its, and the recording."""
        from rich.text import Text

        from earmark.terminal import printable

        width = max(map(len, self._classifier.labels)) + 2
        second, score = sorted(result.scores.items(), key=lambda item: -item[1])[1]
        line = Text().append(f"{printable(result.label):{width}}", "bold")
        line.append(f"{result.confidence:.2f}   ")
        line.append(f"{printable(second):{width}}{score:.2f}   ", "dim")
        self._console.print(line.append(printable(path)), soft_wrap=True)

    def _close(self, order: Sequence[str]) -> None:
        if self._file is not None:
            self._file.close(order)
        elif self._layout is not None:
            self._put((self._layout.head if not self._n_printed else "") + self._layout.tail)

    def _put(self, text: str) -> None:
        write_standard_output(text.encode("utf-8"), "give a file: --output FILE")


def _counts(found: dict[str, int]) -> str:
    """Return how many recordings are of each class, the most frequent ones first."""
    ordered = sorted(found.items(), key=lambda item: -item[1])
    shown = [f"{label} {n}" for label, n in ordered[:_MOST_COUNTED]]
    others = sum(n for _, n in ordered[_MOST_COUNTED:])
    return ", ".join([*shown, *([f"others {others}"] if others else [])])
