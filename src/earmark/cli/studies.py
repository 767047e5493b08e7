"""Commands of `earmark bench` that repeat the papers' studies; all need the extra train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli.outcome import finish, status

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the datasets.")]
Results = Annotated[
    Path, typer.Argument(metavar="RESULTS", help="JSON of a table that was run, with the row to use.")
]
Picture = Annotated[Path, typer.Option("--picture", metavar="FILE", help="Picture (PNG, SVG, PDF).")]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the result as JSON.")]
Runs = Annotated[Path, typer.Option("--runs", help="Folder for features and checkpoints.")]
RUNS = Path("runs/tables")


def separability(
    data: Data = Path("data"),
    on: Annotated[
        str | None, typer.Option("--on", metavar="NAME", help="Dataset; default: the study's first there.")
    ] = None,
    variant: Annotated[str, typer.Option("--variant", help="Of the features: paper or corrected.")] = "paper",
    vectors: Annotated[int, typer.Option("--vectors", min=1, help="Patches of each class.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other patches.")] = 0,
    picture: Picture = Path("results/separability.png"),
    out: Out = None,
    runs: Runs = RUNS,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that compute features.")] = 2,
) -> None:
    """Show how well speech and music part by the skewness of their spectrograms (BHA, Fig. 2).

    Needs the extra train.
    """
    from earmark.bench.report import Figure
    from earmark.terminal import print_warning
    from earmark.train.experiments.prepared import find_data
    from earmark.train.studies.pictures import draw_separability
    from earmark.train.studies.separability import STUDY, measure_separability, versions

    chosen = find_data(STUDY, data, on)
    dataset = chosen.dataset
    for problem in chosen.problems:
        print_warning(f"{dataset} in '{data}': {problem}")
    with status(kept="features are") as tell:
        found = measure_separability(
            chosen.clips, runs / "features", variant=variant, vectors=vectors, seed=seed, jobs=jobs, tell=tell
        )
    figures = []
    for one in found:
        folds = len(one.accuracy)
        figures += [
            Figure(one.title, "right by nearest neighbours, unseen recordings", sum(one.accuracy) / folds),
            Figure(one.title, "silhouette", one.silhouette, ""),
            Figure(one.title, "silhouette of the centroids", one.centroid_silhouette, ""),
        ]
    config = {"data": dataset, "variant": variant, "vectors": vectors, "seed": seed}
    details = {
        "packages": versions(),
        "vectors": {one.title: one.n_vectors for one in found},
        "right by fold": {one.title: one.accuracy for one in found},
    }
    finish("separability", config, figures, details, {}, out)
    title = f"{STUDY.source}: {STUDY.title}, on {dataset}"
    draw_separability(picture, title, STUDY.protocol.classes, found)
    typer.echo(f"drew {picture}", err=True)


def transfer(
    results: Results = Path("results/bha-3.json"),
    row: Annotated[
        str, typer.Option("--row", metavar="NAME", help="Row to start from; a multi-task one.")
    ] = "LMHPS-EF-B3-MTL",
    data: Data = Path("data"),
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="NAME", help="Broadcasts to tune on; default: the first there."),
    ] = None,
    hours: Annotated[
        float, typer.Option("--hours", help="Length of the programmes that are made of a corpus.")
    ] = 4.0,
    seed: Annotated[int, typer.Option("--seed", help="Of programmes, batches and noise.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two epochs, few answers: whether it runs, no result.")
    ] = False,
    out: Out = None,
    runs: Runs = RUNS,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE.onnx", help="Write both detectors as a model for detect."),
    ] = None,
) -> None:
    """Tune a trained multi-task network to find speech and music in broadcasts (BHA, Table V).

    Needs the extra train.
    """
    from earmark.bench.broadcasts import find_broadcasts
    from earmark.bench.report import Figure, write_report
    from earmark.terminal import make_console
    from earmark.train.studies.joint import export_detectors
    from earmark.train.studies.marked import MarkedStore
    from earmark.train.studies.trained import load_trained
    from earmark.train.studies.transfer import transfer as tune
    from earmark.train.studies.transfer_table import transfer_table

    trained = load_trained(results, row, runs / "checkpoints")
    fold = trained.origin["repetition"]
    dataset, recordings = find_broadcasts(data, on, hours=hours, fold=fold, seed=seed)
    store = MarkedStore(runs / "features", trained.extractor)
    with status(kept="features and checkpoints are") as tell:
        joint, report = tune(
            trained,
            recordings,
            store,
            runs / "checkpoints",
            seed=seed,
            device=device,
            quick=quick,
            tell=tell,
        )
    make_console().print(transfer_table(dataset, trained.origin, quick, report))
    if export is not None:
        export_detectors(joint, trained, dataset, report, export)
        typer.echo(f"wrote {export}; use it with: earmark detect --model {export}")
    if out is not None:
        figures = [
            Figure(f"{part}, {variant}", f"{name} {measure}", value / 100)
            for part, variants in report["figures"].items()
            for variant, own in variants.items()
            for name, measures in own.items()
            for measure, value in measures.items()
        ]
        length = {"hours": hours} if dataset == "corpus" else {}
        config = {"data": dataset, **length, "seed": seed, "quick": quick, "start": trained.origin}
        details = {"counts": report["counts"], "epochs": report["epochs"]}
        write_report(out, "transfer", config, figures, details)
        typer.echo(f"wrote {out}", err=True)


def learned_features(
    results: Results,
    recordings: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Recordings, e.g. one of speech, one of music.")
    ],
    row: Annotated[
        str, typer.Option("--row", metavar="NAME", help="Row to use; an all-convolutional net.")
    ] = "All-Conv",
    picture: Picture = Path("results/learned-features.png"),
    runs: Runs = RUNS,
) -> None:
    """Draw the 16 features that the all-convolutional net has learned, over recordings (ALL, Fig. 2).

    Needs the extra train.
    """
    from earmark.train.studies.learned import learned_features as describe
    from earmark.train.studies.learned import preferences, scaled
    from earmark.train.studies.pictures import draw_learned
    from earmark.train.studies.trained import load_trained

    trained = load_trained(results, row, runs / "checkpoints")
    with status() as tell:
        features = []
        for recording in recordings:
            tell(recording.name)
            features.append(describe(trained, str(recording)))
    features = scaled(features)
    title = f"ALL, Fig. 2: the learned features of {row}, trained on {trained.origin['data']}"
    if trained.origin["quick"]:
        title += " (QUICK: no result)"
    draw_learned(picture, title, [recording.name for recording in recordings], features)
    for i, recording in enumerate(recordings):
        highest = [str(k + 1) for k, own in enumerate(preferences(features)) if own == i]
        typer.echo(f"{recording.name}: features {', '.join(highest) or 'none'} are the highest")
    typer.echo(f"drew {picture}", err=True)


def heo_cost(
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="NAME", help="Network to measure; may be repeated. Default: all."),
    ] = None,
    width: Annotated[float, typer.Option("--width", metavar="SHARE", help="Of a network's channels.")] = 1.0,
    batch: Annotated[int, typer.Option("--batch", min=2, help="Crops of a step of training.")] = 64,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps that are timed.")] = 3,
    minutes: Annotated[float, typer.Option("--minutes", min=1.0, help="Audio that is heard.")] = 2.0,
    device: Annotated[str, typer.Option("--device", help="To train on: cpu or cuda.")] = "cpu",
    out: Out = None,
) -> None:
    """Measure what the networks for genres cost: an epoch, its memory, and an hour of audio in use.

    Needs the extra train.
    """
    from earmark.bench.report import Figure, Goal
    from earmark.train.fitting.netsettings import FEATURES
    from earmark.train.studies.cost import measure_costs

    with status() as tell:
        found = measure_costs(
            network or list(FEATURES),
            width=width,
            batch=batch,
            steps=steps,
            minutes=minutes,
            device=device,
            tell=tell,
        )
    goals = {"ecapa-ccs-fsa, int8: an hour of audio": Goal(60, at_least=False)} if width == 1 else {}
    figures = []
    for name, costs in found.items():
        training, use = costs["training"], costs["use"]
        figures += [
            Figure(name, "parameters", training["parameters"] / 1e6, "million"),
            Figure(name, "an epoch of GTZAN", training["epoch_s"], "s"),
            Figure(name, "memory in training", training["memory_mb"], "MB"),
            Figure(name, "features of an hour of audio", use["features"], "CPU s"),
        ]
        for products, cost in use["products"].items():
            who = f"{name}, {products}"
            figures += [
                Figure(who, "an hour of audio", use["features"] + cost["network"], "CPU s"),
                Figure(who, "of it network", cost["network"], "CPU s"),
                Figure(who, "an hour of songs, 16 crops each: network", cost["crops"], "CPU s"),
                *(
                    Figure(who, f"of it {operation}", own, "CPU s")
                    for operation, own in cost["profile"].items()
                ),
            ]
    config = {"width": width, "batch": batch, "steps": steps, "minutes": minutes, "device": device}
    finish("heo-cost", config, figures, found, goals, out)
