"""Put the figures of benchmarks/results into the pages of docs: python benchmarks/tables.py"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"

# Figures of which other systems have a table, with the heads of its columns.
SYSTEM_COLUMNS = {
    "clean: speech F": "speech F",
    "clean: music F": "music F",
    "clean: overlap F": "overlap F",
    "clean: four-state accuracy": "four states",
    "singing: speech reported": "singing: speech reported",
    "noise: either reported": "noise: either reported",
    "plain speech: speech missed": "plain speech: missed",
    "MP3 44.1 kHz stereo 128k: whole detection": "cost",
}


def number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if not unit and value == int(value):
        return f"{value:,.0f}"
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.2f} {unit}".strip()


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def goal(figure: dict[str, Any]) -> str:
    bound = figure["goal"]
    if not bound:
        return ""
    return ("≥ " if bound["at_least"] else "≤ ") + number(bound["value"], figure["unit"])


def by_figure(figures: list[dict[str, Any]]) -> str:
    """One figure a row, with its goal."""
    rows = [[f"{f['group']}: {f['name']}", number(f["value"], f["unit"]), goal(f)] for f in figures]
    return table(["figure", "measured", "goal"], rows)


def by_group(figures: list[dict[str, Any]]) -> str:
    """One group a row, its figures beside each other."""
    groups: dict[str, dict[str, str]] = {}
    for figure in figures:
        groups.setdefault(figure["group"], {})[figure["name"]] = number(figure["value"], figure["unit"])
    names = list(next(iter(groups.values())))
    return table(["", *names], [[group, *(row.get(n, "") for n in names)] for group, row in groups.items()])


def beside(figures: list[dict[str, Any]]) -> str:
    """One figure a row, its groups beside each other, with the goal of the first that has one."""
    groups = list(dict.fromkeys(f["group"] for f in figures))
    rows: dict[str, dict[str, str]] = {}
    goals: dict[str, str] = {}
    for figure in figures:
        rows.setdefault(figure["name"], {})[figure["group"]] = number(figure["value"], figure["unit"])
        goals[figure["name"]] = goals.get(figure["name"]) or goal(figure)
    cells = [[name, *(row.get(group, "") for group in groups), goals[name]] for name, row in rows.items()]
    return table(["", *groups, "goal"], cells)


def by_row(report: dict[str, Any]) -> str:
    """One system of a paper's table a row, as it is configured now: ours and, in brackets, the paper's."""
    from earmark.datasets.tasks import dataset_of
    from earmark.train.experiments import read_experiment
    from earmark.train.experiments.prepared import Prepared
    from earmark.train.experiments.report import paired_lines
    from earmark.train.experiments.rows import TransferRow

    experiment = read_experiment(HERE / "tables" / f"{report['table']}.toml")
    rows, compared = [], []
    # What networks learnt first, which depends on what was there.
    sources = dict.fromkeys(tuple(r["setup"].get("sources", ())) for r in report["results"])
    for data, noise in product(experiment.data, ("", *experiment.noise)):
        known, setups = experiment.on(data), {}
        for row, first in product(known.rows, sources):
            if isinstance(row, TransferRow) != bool(first):
                continue
            prepared = Prepared(known, dataset_of(data), (), noise=noise, sources=dict.fromkeys(first, ()))
            wanted = (row.name, prepared.setup(row))
            results = [r for r in report["results"] if (r["row"], r["setup"]) == wanted]
            # Of one copy of the data: the last that was used, if results tell.
            own = [r["figures"] for r in results if r.get("clips") in (None, results[-1].get("clips"))]
            if own:
                cells = [
                    with_paper([f[m] for f in own if m in f], row.paper.get(m)) for m in experiment.measures
                ]
                rows.append([row.name, prepared.data, str(len(own)), *cells])
                setups[row.name] = wanted[1]
        current = [r for r in report["results"] if setups.get(r["row"]) == r["setup"]]
        compared += [f"- {line}, {data}" for line in paired_lines(known, current)]
    whole = table(["system", "data", "runs", *experiment.measures], rows)
    return "\n\n".join([whole, "\n".join(compared)]) if compared else whole


def with_paper(values: list[float], paper: tuple[float, ...] | None) -> str:
    if not values:
        return "–"
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}" + (f" ({paper[0]:.1f})" if paper else "")


def by_system(folders: Iterable[Path]) -> str:
    """One model a row: what it finds in the programmes, what it takes for something else, and its cost."""
    rows = []
    for folder in folders:
        report = json.loads((folder / "detector.json").read_text())
        figures = report["figures"]
        if (folder / "speed.json").exists():
            figures += json.loads((folder / "speed.json").read_text())["figures"]
        found = {f"{f['group']}: {f['name']}": number(f["value"], f["unit"]) for f in figures}
        rows.append([report["config"]["model"]["name"], *(found.get(key, "–") for key in SYSTEM_COLUMNS)])
    return table(["", *SYSTEM_COLUMNS.values()], rows)


def blocks() -> dict[str, str]:
    results = {path.stem: json.loads(path.read_text()) for path in (HERE / "results").glob("*.json")}
    found = {name: by_row(report) for name, report in results.items() if "table" in report}
    if "detector" in results:
        figures = results["detector"]["figures"]
        parts = [f for f in figures if len([g for g in figures if g["group"] == f["group"]]) < 6]
        found["conditions"] = by_group([f for f in figures if f not in parts])
        found["goals"] = by_figure([f for f in figures if f["goal"] or f in parts])
        found["model"] = "`" + results["detector"]["config"]["model"]["sha256"] + "`"
        others = sorted(path.parent for path in (HERE / "results").glob("*/detector.json"))
        if others:
            found["systems"] = by_system([HERE / "results", *others])
    if "clips" in results:
        found["clips"] = by_group(results["clips"]["figures"])
    if "speed" in results:
        figures = results["speed"]["figures"]
        formats = {f["group"] for f in figures if f["unit"] == "CPU s/h"}
        rest = [f for f in figures if f["goal"] or f["group"] not in formats]
        found["speed"] = f"{by_group([f for f in figures if f['group'] in formats])}\n\n{by_figure(rest)}"
        found["machine"] = results["speed"]["environment"]["processor"]
    if "listen" in results:
        figures = results["listen"]["figures"]
        told = [
            f for f in figures if f["name"].startswith(("starts and", "told", "sound needed", "of detect"))
        ]
        found["listen"] = beside(told)
        found["listen-loss"] = beside([f for f in figures if f["group"] in ("paced", "fast")])
        found["listen-agreement"] = by_figure([f for f in figures if f["group"] == "told at once as detect"])
    if "networks" in results:
        columns = ("parameters", "cpu_s_per_hour", "speech_f", "music_f", "overlap_f", "four_state")
        found["networks"] = table(
            ["network", "idea", "parameters", "CPU s/h", "speech F", "music F", "overlap F", "four-state"],
            [
                [r["name"], r["idea"], f"{r['parameters']:,}", *(f"{r[c]:.1f}" for c in columns[1:])]
                for r in results["networks"]["rows"]
            ],
        )
    return found


def main() -> None:
    filled = blocks()
    for page in (DOCS / "detector.md", DOCS / "papers.md", DOCS / "listen.md"):
        text = page.read_text(encoding="utf-8")
        for name, block in filled.items():
            pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
            text = pattern.sub(lambda m, block=block: f"{m[1]}{block}\n{m[2]}", text)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
