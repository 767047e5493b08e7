"""`earmark train`: make the bank, train the network, write the model file with its card."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from earmark.train.loop import Progress as Step


def train(
    config: Annotated[Path, typer.Argument(help="Configuration (TOML), e.g. configs/detector.toml.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Corpus index (CSV); overrides data.index of the configuration."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of the run: checkpoint, metrics.jsonl, the model. Resumed from. "
            "[dim]\\[default: runs/NAME][/dim]",
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for prepared training material (about 1.5 GB).")
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Override one value: train.seed=2, network.width=96.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that prepare and mix.")] = 2,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Stop when the material is ready.")
    ] = False,
) -> None:
    """Train a detector, an embedder or a network of genres as a configuration says.

    Prints nothing but progress; `OUT/metrics.jsonl` logs losses and validation scores, and `OUT/NAME.onnx`
    is the model, with its card inside.  Run it again to go on after an interruption.
    """
    from earmark.train.device import find_device
    from earmark.train.tasks import read_task

    find_device(device)
    settings, run = read_task(config, tuple(change or ()))
    out = out or Path("runs") / settings.name
    if data is not None:
        settings = replace(settings, data=replace(settings.data, index=str(data)))  # type: ignore[arg-type]
    with _progress() as bar:
        preparing = bar.add_task("preparing recordings", total=None)
        training = bar.add_task("training", total=None, visible=False)

        def on_prepare(done: int, total: int) -> None:
            bar.update(preparing, completed=done, total=total)

        def on_step(step: Step) -> None:
            scores = step.scores or {}
            text = "".join(f"  {name} {value:.1f}" for name, value in scores.items())
            bar.update(
                training,
                visible=True,
                total=1.0,
                completed=step.share,
                description=f"step {step.step}  loss {step.loss:.3f}",
            )
            if text:
                bar.console.print(f"step {step.step}:{text}", highlight=False)

        path = run(
            settings,
            out,
            cache=cache or out / "cache",
            device=device,
            jobs=jobs,
            prepare_only=prepare_only,
            on_prepare=on_prepare,
            on_step=on_step,
        )
    if path is not None:
        typer.echo(f"wrote {path}")


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
    )
