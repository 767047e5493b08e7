"""`earmark models`: which models there are, and what their cards say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.errors import ModelError

if TYPE_CHECKING:
    from rich.table import Table

    from earmark.card import DecodeOptions, ModelCard
    from earmark.catalogue import AnyCard
    from earmark.classifiercard import ClassifierCard
    from earmark.embeddingcard import EmbeddingCard
    from earmark.patchcard import PatchCard

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    architectures: Annotated[
        bool,
        typer.Option(
            "--architectures",
            help="List the published networks in earmark.train.models. [dim]Needs the extra 'train'.[/dim]",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the architectures as JSON.")] = False,
) -> None:
    """List the models that come with earmark and those imported; `show` prints a card."""
    if architectures and context.invoked_subcommand is None:
        _list_architectures(json)
        return
    if architectures or json:
        raise typer.BadParameter("--architectures stands alone, --json only with it or after show")
    if context.invoked_subcommand is not None:
        return
    from earmark.catalogue import load_card
    from earmark.embeddingcard import EmbeddingCard
    from earmark.modelfile import embedded_models, user_models
    from earmark.terminal import make_console

    names = [*embedded_models(), *user_models()]
    if not names:
        raise ModelError("no model is installed with earmark; give the path of one with --model FILE.onnx")
    table = _table("name", "version", "labels", "size", "description")
    for name in names:
        card = load_card(name)
        if isinstance(card, EmbeddingCard):
            sizes = dict.fromkeys(map(str, card.embeddings.values()))
            labels = f"embeddings of {' or '.join(sizes)}"
        else:
            labels = ", ".join(card.labels)
        table.add_row(name, card.version, labels, _size(name), card.description)
    make_console().print(table)


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A model's name, or an .onnx file.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print the card as JSON, as stored in the model.")
    ] = False,
) -> None:
    """Print the card of a model: labels, decoding defaults, training sources, licence, figures."""
    from earmark.catalogue import load_card

    card = load_card(model)
    if json:
        typer.echo(card.to_json())
    else:
        _print_card(card, _size(model))


def _list_architectures(json: bool) -> None:
    """Print the registry of architectures, with the parameters of each."""
    from json import dumps

    from earmark.train.models import ARCHITECTURES, published_parameters

    if json:
        listed = [
            {
                "name": a.name,
                "paper": a.paper,
                "summary": a.summary,
                "input": a.input,
                "output": a.output,
                "classes": a.n_classes,
                "parameters": published_parameters(a.name),
                "parameters_by_head": {head: published_parameters(a.name, head) for head in a.heads},
            }
            for a in ARCHITECTURES.values()
        ]
        typer.echo(dumps(listed, indent=2, ensure_ascii=False))
        return
    from earmark.terminal import make_console

    table = _table("name", "paper", "input", "output", "classes", "parameters")
    for column in table.columns[-2:]:
        column.justify = "right"
    for a in ARCHITECTURES.values():
        parameters = f"{published_parameters(a.name):,}"
        table.add_row(a.name, a.paper, a.input, a.output, str(a.n_classes or "–"), parameters)
    make_console().print(table)


def _size(name_or_path: str) -> str:
    from earmark.modelfile import read_model

    n_bytes = len(read_model(name_or_path))
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.0f} kB"


def _print_card(card: AnyCard, size: str) -> None:
    from earmark.classifiercard import ClassifierCard
    from earmark.embeddingcard import EmbeddingCard
    from earmark.patchcard import PatchCard
    from earmark.terminal import make_console

    console = make_console()
    console.print(f"{card.name} {card.version}", style="bold")
    console.print(card.description)
    console.print()
    facts = _table("", "")
    facts.show_header = False
    if isinstance(card, EmbeddingCard):
        facts.add_row("embeddings", ", ".join(f"{name} ({n})" for name, n in card.embeddings.items()))
    else:
        facts.add_row("classes" if isinstance(card, ClassifierCard) else "labels", ", ".join(card.labels))
    facts.add_row("licence", card.licence)
    facts.add_row("size", size)
    decoding = None
    if isinstance(card, EmbeddingCard | ClassifierCard):
        facts.add_row("input", _window_input(card))
        if isinstance(card, ClassifierCard):
            facts.add_row("embedding", f"'{card.embedding}' of {card.backbone}, {card.dimension} numbers")
            facts.add_row("classifier", f"{card.head}, fusion {card.fusion}")
    elif isinstance(card, PatchCard):
        _add_rows(facts, _patch_facts(card))
        decoding = _patch_decoding(card)
    else:
        _add_rows(facts, _stream_facts(card))
        decoding = _threshold_table(card.labels, card.decode)
    console.print(facts)
    if decoding is not None:
        console.print()
        console.print(decoding)
    if card.sources:
        keys = list(dict.fromkeys(key for source in card.sources for key in source))
        sources = _table(*("source" if key == "name" else key for key in keys))
        for source in card.sources:
            sources.add_row(*(_value(source.get(key, "")) for key in keys))
        console.print()
        console.print(sources)
    for title, values in (("metrics", card.metrics), ("trained", card.trained)):
        if values:
            table = _table(title, "")
            for path, value in _leaves(values):
                table.add_row(path, value)
            console.print()
            console.print(table)


def _add_rows(table: Table, rows: Iterable[tuple[str, str]]) -> None:
    for row in rows:
        table.add_row(*row)


def _stream_facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    front = card.front_end
    yield (
        "input",
        f"{front.sample_rate} Hz, {front.n_mels} mel bands {front.fmin:g}-{front.fmax:g} Hz, "
        f"a frame every {1000 * front.grid.hop_s:g} ms",
    )
    yield "context", f"{card.context * front.grid.hop_s:.2g} s on each side"


def _threshold_table(labels: Iterable[str], decode: Mapping[str, DecodeOptions]) -> Table:
    decoding = _table("decoding", "threshold", "release", "min. duration", "min. gap", "smooth")
    for label in labels:
        options = decode[label]
        decoding.add_row(
            label,
            f"{options.threshold:.3g}",
            f"{options.release_at:.3g}",
            *(f"{seconds:g} s" for seconds in (options.min_duration, options.min_gap, options.smooth)),
        )
    return decoding


def _patch_facts(card: PatchCard) -> Iterator[tuple[str, str]]:
    from earmark.decodings import FrameThresholds

    extractor = card.extractor()
    frame_s = extractor.hop_length / extractor.sample_rate
    options = "".join(f", {name} {value}" for name, value in card.features.items() if name != "name")
    yield (
        "input",
        f"{extractor.sample_rate} Hz, features '{extractor.name}'{options}, {extractor.n_bands} bands, "
        f"patches of {extractor.patch_length * frame_s:g} s every {1000 * extractor.step * frame_s:g} ms",
    )
    if card.classes != card.labels:
        yield "classes", ", ".join(card.classes)
    streams = isinstance(card.decode, FrameThresholds)
    yield "context", "the patch" if streams else "the whole recording: it cannot stream"


def _window_input(card: EmbeddingCard | ClassifierCard) -> str:
    extractor = card.extractor()
    rate = extractor.sample_rate
    return (
        f"{rate} Hz, features '{extractor.name}', {extractor.n_bands} bands, "
        f"windows of {extractor.window_length / rate:.3g} s every {1000 * extractor.window_hop / rate:.3g} ms"
    )


def _patch_decoding(card: PatchCard) -> Table:
    from earmark.decodings import FrameThresholds, GatedViterbi

    if isinstance(card.decode, FrameThresholds):
        return _threshold_table(card.labels, card.decode.options)
    how = "energy, then Viterbi" if isinstance(card.decode, GatedViterbi) else "Viterbi"
    decoding = _table(f"decoding: {how}", "")
    for name, value in asdict(card.decode).items():
        decoding.add_row(name, f"{value:g}")
    return decoding


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Return the leaves of nested mappings as (path, text)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _value(value)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return str(value)
