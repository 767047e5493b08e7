"""`earmark fit`: a classifier of one's own, and how right it will be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.train.fitting.report import Report

_HEADS, _FUSIONS = ("svm", "lda", "d128", "d512"), ("late", "early")
_DATA = "Folder of class folders (CLASS/FILE or CLASS/GROUP/FILE), or CSV: path,label[,group][,start,end]."
# Columns of tables that are not shown on a terminal.
_WIDE = 160


def fit(
    data: Annotated[Path, typer.Argument(metavar="DATA", help=_DATA, show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL.onnx", help="The model to write.")],
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Model for embeddings (see: earmark models). [dim]\\[default: embedder][/dim]",
        ),
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which one, of a backbone that has several. [dim]\\[default: 960 of embedder, or the "
            "first][/dim]",
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="From one window to the next, seconds. By default the backbone's own, or a window of a "
            "network.",
        ),
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="svm, lda, d128 or d512; may be repeated. [dim]\\[default: all][/dim]"
        ),
    ] = None,
    fusion: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="late or early; may be repeated. [dim]\\[default: both][/dim]"),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Parts tested in turn. [dim]\\[default: 5, or fewer][/dim]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes other folds.")] = 0,
    architecture: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Train this network, e.g. ecapa-ccs-fsa, in place of a backbone's classifier.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of a network; each hears every file eight times.")] = 80,
    width: Annotated[float, typer.Option(metavar="SHARE", help="Of a network's channels, e.g. 0.25.")] = 1.0,
    device: Annotated[str, typer.Option(help="A network is trained on: cpu or cuda.")] = "cpu",
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Let an ECAPA network multiply in whole numbers: it hears faster."),
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A first look: three folds, no networks.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write report.html, report.json, files.csv and pictures here."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            help="Recordings embedded at a time. [dim]\\[default: one per core][/dim]",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; so does the variable NO_COLOR.")
    ] = False,
) -> None:
    """Learn to tell your own classes apart, say how right that is, and write one model file.

    Recordings of one group are never learned and tested at once. Embeddings are kept: an interrupted run goes
    on where it was. Use the model with: earmark classify MODEL.onnx INPUT
    """
    heads = _chosen("--head", head, _HEADS)
    fusions = _chosen("--fusion", fusion, _FUSIONS)
    for name, value, least in (("--jobs", jobs, 1), ("--folds", folds, 2), ("--seed", seed, 0)):
        if value is not None and value < least:
            raise ConfigError(f"{name} {value}: give {least} or more")
    of_networks = {
        "--epochs": epochs != 80, "--width": width != 1.0, "--device": device != "cpu", "--int8": int8,
    }  # fmt: skip
    of_heads = {
        "--backbone": backbone, "--embedding": embedding, "--head": head, "--fusion": fusion,
        "--quick": quick,
    }  # fmt: skip
    alone = of_networks if architecture is None else of_heads
    for name, given in alone.items():
        if given:
            what = "needs --architecture" if architecture is None else "does not go with --architecture"
            raise ConfigError(f"{name} {what}; leave it out, or see: earmark fit --help")
    if output.suffix.lower() != ".onnx" or output.is_dir():
        raise ConfigError(f"--output {output}: give a file that ends in .onnx")
    if report is not None and report.exists() and not report.is_dir():
        raise ConfigError(f"--report {report}: that is a file; give a folder")
    # Imported late: they bring in torch.
    from earmark.cli.outcome import status
    from earmark.cli.places import make_folders
    from earmark.cores import usable_cores
    from earmark.embedjobs import EmbedSettings
    from earmark.modelfile import DEFAULT_EMBEDDER, LEARNED_EMBEDDING
    from earmark.terminal import print_warning
    from earmark.train.crops.config import CropConfig
    from earmark.train.fitting.netfile import FittedNetwork
    from earmark.train.fitting.netsettings import NetworkSettings
    from earmark.train.fitting.network import fit_network
    from earmark.train.fitting.run import FitSettings, Fitted, fit_classifier

    make_folders({output.parent, *([] if report is None else [report])})
    run: Callable[..., FittedNetwork | Fitted]
    if architecture is None:
        backbone = backbone or DEFAULT_EMBEDDER
        if backbone == DEFAULT_EMBEDDER:
            embedding = embedding or LEARNED_EMBEDDING
        vectors = EmbedSettings(backbone, embedding, hop)
        settings = FitSettings(vectors, heads, fusions, folds, seed, quick, jobs or usable_cores())
        run, kept = partial(fit_classifier, data, settings), "embeddings are"
    else:
        training, processes = CropConfig(epochs=epochs), jobs or usable_cores()
        network = NetworkSettings(
            architecture, training, width, folds, seed, processes, device, hop=hop, int8=int8
        )
        run, kept = partial(fit_network, data, network), "what was trained is"
    with status(quiet, not no_color, kept) as tell:
        fitted = run(tell=tell, warn=lambda text: print_warning(text, color=not no_color))
        fitted.write(output)
        if report is not None:
            tell("writing the report")
            _write(report, fitted.report)
    if not quiet:
        _show(fitted.report, output, report, not no_color)


def _chosen(option: str, given: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in given or () if name not in known]
    if unknown:
        raise ConfigError(f"{option} {unknown[0]}: choose one of {', '.join(known)}")
    return tuple(name for name in known if name in (given or ()))


def _write(folder: Path, report: Report) -> None:
    from earmark.files import atomic_write
    from earmark.train.fitting.page import make_page
    from earmark.train.fitting.pictures import draw_confusion, draw_curve
    from earmark.train.fitting.report import write_answers, write_json

    write_json(folder / "report.json", report)
    write_answers(folder / "files.csv", report)
    with atomic_write(folder / "report.html") as page:
        page.write(make_page(report))
    for name, picture in (("confusion", draw_confusion(report)), ("learning-curve", draw_curve(report))):
        with atomic_write(folder / f"{name}.png", binary=True) as file:
            file.write(picture)


def _show(report: Report, output: Path, folder: Path | None, color: bool) -> None:
    from earmark.terminal import make_console
    from earmark.train.fitting.summary import print_summary

    console = make_console(color=color)
    if not console.is_terminal:
        console = make_console(color=color, width=_WIDE)
    print_summary(console, report)
    also = "" if folder is None else f" and {folder / 'report.html'}"
    how = "" if report.chosen.fusion == "late" else " (a model fused early: no --timeline)"
    console.print(f"wrote {output}{also}; use it with: earmark classify {output} INPUT{how}", soft_wrap=True)
