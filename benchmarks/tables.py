"""Put the figures of benchmarks/results into docs/detector.md: python benchmarks/tables.py"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "detector.md"


def number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
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


def blocks() -> dict[str, str]:
    results = {path.stem: json.loads(path.read_text()) for path in (HERE / "results").glob("*.json")}
    found: dict[str, str] = {}
    if "detector" in results:
        figures = results["detector"]["figures"]
        parts = [f for f in figures if len([g for g in figures if g["group"] == f["group"]]) < 6]
        found["conditions"] = by_group([f for f in figures if f not in parts])
        found["goals"] = by_figure([f for f in figures if f["goal"] or f in parts])
        found["model"] = "`" + results["detector"]["config"]["model"]["sha256"] + "`"
    if "clips" in results:
        found["clips"] = by_group(results["clips"]["figures"])
    if "speed" in results:
        found["speed"] = by_figure(results["speed"]["figures"])
        found["machine"] = results["speed"]["environment"]["processor"]
    if "networks" in results:
        columns = ("parameters", "cpu_s_per_hour", "speech_f", "music_f", "overlap_f", "four_state")
        found["networks"] = table(
            ["network", "idea", "parameters", "CPU s/h", "speech F", "music F", "overlap F", "four-state"],
            [[r["name"], r["idea"], *(f"{r[c]:,}" for c in columns)] for r in results["networks"]["rows"]],
        )
    return found


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, block in blocks().items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = pattern.sub(lambda m, block=block: f"{m[1]}{block}\n{m[2]}", text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
