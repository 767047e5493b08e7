"""`earmark datasets`: which there are, where to get them, whether a copy is complete."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.datasets.dataset import Dataset

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name, see 'earmark datasets'.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def datasets(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder with copies: DIR/NAME each, or one copy itself."),
    ] = None,
    json: Json = False,
) -> None:
    """List the datasets for telling speech from music; with --data, check the copies there."""
    if context.invoked_subcommand is not None:
        if data is not None or json:
            raise ConfigError(f"--data and --json belong behind '{context.invoked_subcommand}', if anywhere")
        return
    from earmark.datasets import DATASETS

    if data is not None and not data.is_dir():
        raise ConfigError(f"--data {data}: there is no such folder")
    entries = [_entry(dataset, data) for dataset in DATASETS.values()]
    if json:
        _print_json(entries)
        return
    from earmark.terminal import make_console

    console = make_console()
    console.print(_table(entries, with_copies=data is not None))
    if data is None:
        console.print("\nearmark datasets show NAME says where to get one.")


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Print what a dataset is, its licence and citation, and where to get it."""
    dataset = _dataset(name)
    if json:
        _print_json(_entry(dataset, None))
        return
    from rich.table import Table

    from earmark.terminal import make_console

    facts = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=False)
    facts.add_column()
    facts.add_column(overflow="fold")
    rows = {
        "holds": dataset.content,
        "labels": ", ".join(dataset.labels),
        "size": _size(dataset.n_files, dataset.hours),
        "licence": dataset.licence,
        "cite": dataset.citation,
        "get it": dataset.source,
        "layout": "\nor ".join(layout.shape for layout in dataset.layouts),
        "checksums": "\n".join(f"{file} {digest}" for file, digest in dataset.checksums.items()),
        "used by": "\n".join(dataset.uses),
    }
    for label, text in rows.items():
        if text:
            facts.add_row(label, text)
    console = make_console()
    console.print(dataset.title, style="bold")
    console.print(facts)


@app.command()
def check(
    name: Name,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|ARCHIVE", help="The copy, a folder with it, or a file whose checksum is published."
        ),
    ],
) -> None:
    """Print what is wrong with a copy of a dataset, a line each; exit with 1 if anything is."""
    dataset = _dataset(name)
    found = dataset.check(path)
    for line in found:
        typer.echo(line)
    if found:
        raise typer.Exit(1)
    if path.is_file():
        typer.echo("the checksum is the published one")
    else:
        typer.echo(_complete(len(dataset.read(path)), dataset.n_files))


def _dataset(name: str) -> Dataset[Any]:
    from earmark.datasets import DATASETS

    if name.lower() not in DATASETS:
        raise ConfigError(f"no dataset '{name}'; there are {', '.join(DATASETS)}")
    return DATASETS[name.lower()]


def _entry(dataset: Dataset[Any], data: Path | None) -> dict[str, Any]:
    """Return a dataset's facts, and what is in `data` of it."""
    entry: dict[str, Any] = {
        "name": dataset.name,
        "title": dataset.title,
        "content": dataset.content,
        "labels": list(dataset.labels),
        "n_files": dataset.n_files,
        "hours": dataset.hours,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "source": dataset.source,
        "uses": list(dataset.uses),
        "checksums": dict(dataset.checksums),
    }
    if data is not None:
        copy = dataset.find(data)
        entry["copy"] = None
        if copy is not None:
            found = copy.check()
            n_files = None if found else len(copy.read())
            entry["copy"] = {"folder": str(copy.root), "problems": found, "n_files": n_files}
    return entry


def _table(entries: list[dict[str, Any]], *, with_copies: bool) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in ("name", "holds", "size", *(["copy"] if with_copies else ["licence"])):
        table.add_column(column, overflow="fold", no_wrap=column in ("name", "size"))
    for entry in entries:
        last = _state(entry) if with_copies else entry["licence"]
        table.add_row(entry["name"], entry["content"], _size(entry["n_files"], entry["hours"]), last)
    return table


def _state(entry: dict[str, Any]) -> str:
    copy = entry["copy"]
    if copy is None:
        return "none"
    problems = copy["problems"]
    if not problems:
        return f"{_complete(copy['n_files'], entry['n_files'])}: {copy['folder']}"
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{problems[0]}{more}: {copy['folder']}"


def _complete(n_files: int, published: int | None) -> str:
    """Say how much there is; what an index lists can be a part of the dataset."""
    whole = published in (None, n_files)
    return f"complete, {n_files} files" if whole else f"{n_files} of {published} published files"


def _size(n_files: int | None, hours: float | None) -> str:
    parts = [f"{n_files} files" if n_files else "", f"{hours:g} h" if hours else ""]
    return ", ".join(part for part in parts if part)


def _print_json(value: Any) -> None:
    typer.echo(json_format.dumps(value, indent=1, ensure_ascii=False))
