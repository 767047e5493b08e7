"""Networks against each other: the same mixtures, steps and seeds, one choice changed at a time.

Rows are trained one by one and kept, so an interrupted comparison goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich import box
from rich.table import Table

from earmark.environment import environment
from earmark.errors import ConfigError
from earmark.features import FrontEnd
from earmark.train.config import DetectorConfig, load_config, read_toml
from earmark.train.device import one_thread
from earmark.train.loop import Progress, evaluate, train
from earmark.train.prepare import load_bank, training_sources
from earmark.train.run import held_out_batches


@dataclass(frozen=True)
class Row:
    """One network of a comparison: its name, where its idea comes from, and what it changes in the base."""

    name: str
    idea: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A comparison as its TOML file says.

    Parameters
    ----------
    base : Path
        Configuration that every row starts from.
    common : tuple of str
        Changes that every row shares, e.g. fewer steps.
    batches : int
        Held-out batches each row is scored on.
    rows : tuple of Row
    """

    base: Path
    common: tuple[str, ...]
    batches: int
    rows: tuple[Row, ...]


def read_comparison(path: Path) -> Comparison:
    """Read a comparison.

    Raises
    ------
    ConfigError
        If the file cannot be read or lacks something.
    """
    table = read_toml(path)
    try:
        rows = tuple(Row(row["name"], row["idea"], tuple(row.get("set", ()))) for row in table["row"])
        return Comparison(path.parent / table["base"], tuple(table["common"]), int(table["batches"]), rows)
    except (KeyError, TypeError, ValueError) as err:
        raise ConfigError(
            f"comparison '{path}' is not understood ({err}); it needs base, common, batches and "
            "[[row]] tables with name, idea and set"
        ) from err


def compare_networks(
    comparison: Comparison,
    index: Path,
    out: Path,
    *,
    cache: Path,
    runs: Path,
    device: str,
    jobs: int,
    tell: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """Train and score every row that `out` does not hold yet; return all rows' results.

    Each result has the row, the resolved configuration, parameters, CPU seconds an audio hour costs the
    network on one thread, and frame scores (0-100) on mixtures of the held-out collections.
    """
    done = json.loads(out.read_text(encoding="utf-8"))["rows"] if out.exists() else []
    for row in comparison.rows:
        config = load_config(comparison.base, (*comparison.common, f'data.index="{index}"', *row.changes))
        resolved = _without_paths(config)
        if any(r["config"] == resolved for r in done):
            continue
        tell(f"{row.name}: preparing")
        bank = load_bank(
            training_sources(config.data),
            config.data,
            config.front_end,
            cache,
            seed=config.train.seed,
            jobs=jobs,
        )

        def on_step(step: Progress, row: Row = row) -> None:
            tell(f"{row.name}: step {step.step} of {step.steps}, loss {step.loss:.3f}")

        folder = runs / "".join(c if c.isalnum() else "-" for c in row.name.lower())
        net = train(config, bank, folder, device=device, workers=max(1, jobs // 2), report=on_step)
        tell(f"{row.name}: scoring")
        scores = evaluate(net, held_out_batches(config, cache, jobs, comparison.batches))
        done = [r for r in done if r["name"] != row.name]
        done.append(
            {
                "name": row.name,
                "idea": row.idea,
                "parameters": sum(p.numel() for p in net.parameters()),
                "cpu_s_per_hour": round(_cost(net, config.front_end), 2),
                **{name: round(value, 2) for name, value in scores.items()},
                "config": resolved,
            }
        )
        order = [r.name for r in comparison.rows]
        done.sort(key=lambda r: order.index(r["name"]) if r["name"] in order else len(order))
        out.parent.mkdir(parents=True, exist_ok=True)
        report = {"environment": environment() | {"torch": torch.__version__}, "rows": done}
        out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return done


def comparison_table(rows: list[dict[str, Any]]) -> Table:
    """Lay results out as a table, one network a row."""
    table = Table(title="Networks: frames mixed from held-out collections", box=box.HORIZONTALS)
    table.add_column("network")
    for name in ("parameters", "CPU s/h", "speech F", "music F", "overlap F", "four-state"):
        table.add_column(name, justify="right")
    for row in rows:
        scores = (f"{row[name]:.1f}" for name in ("speech_f", "music_f", "overlap_f", "four_state"))
        table.add_row(row["name"], f"{row['parameters']:,}", f"{row['cpu_s_per_hour']:.1f}", *scores)
    return table


def _without_paths(config: DetectorConfig) -> dict[str, Any]:
    resolved: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    resolved["data"]["index"] = Path(config.data.index).name
    return resolved


@torch.no_grad()
def _cost(net: torch.nn.Module, front_end: FrontEnd) -> float:
    """Return the network's CPU seconds for an hour of audio, in one thread, best of three."""
    log_mel = torch.full((1, front_end.n_mels, round(60 / front_end.grid.hop_s)), -50.0)
    costs = []
    with one_thread():
        for _ in range(4):
            began = time.process_time()
            net(log_mel)
            costs.append(60 * (time.process_time() - began))
    return float(np.min(costs[1:]))
