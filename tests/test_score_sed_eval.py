"""Scores equal those of sed_eval, stored by tests/data/make_sed_eval_oracle.py, to the last count."""

from __future__ import annotations

import json
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest

import earmark
from earmark.cli.app import run
from earmark.formats import write
from earmark.metrics import Counts, Rules, Score
from earmark.timeline import Segment, Timeline

ORACLE = json.loads((Path(__file__).parent / "data" / "sed_eval_oracle.json").read_text(encoding="utf-8"))
LABELS = tuple(ORACLE["labels"])
CASES = {case["name"]: case for case in ORACLE["cases"]}
PRF = ("precision", "recall", "f1")
RATES = ("missed_share", "insertion_rate", "error_rate")


def timelines(case: dict[str, Any]) -> list[Timeline]:
    return [Timeline([Segment(*row) for row in rows], case.get("duration")) for rows in case["rows"]]


def score(case: dict[str, Any], share: float = 0.0) -> Score:
    return Score.of(*timelines(case), Rules(LABELS, offset_share=share))


def picked(found: Score, name: str) -> list[Counts]:
    """Return the counts of each label that the oracle calls by this name."""
    if name == "segments":
        return [found.labels[label].segments for label in LABELS]
    collar, kind = name.split()[:2]
    return [getattr(found.labels[label].collars[float(collar)], kind) for label in LABELS]


def share_of(name: str) -> float:
    return float(name.split()[2]) if name.count(" ") == 2 else 0.0


def check_ratios(counts: Counts, expected: list[float | None]) -> None:
    names = (*PRF, *RATES)[: len(expected)]
    for name, value in zip(names, expected, strict=True):
        if value is None:
            assert getattr(counts, name) == 0.0
            # An F of sed_eval has no value where precision or recall have none.
            assert set(counts.undefined) & ({name} if name != "f1" else set(PRF))
        else:
            assert getattr(counts, name) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_counts_of_a_recording_are_the_same(name: str) -> None:
    case = CASES[name]
    for kind, expected in case["counts"].items():
        found = picked(score(case, share_of(kind)), kind)
        assert [[c.tp, c.fp, c.fn, c.tn] for c in found] == expected


def test_ratios_are_the_same_or_flagged_where_there_is_nothing_to_divide_by() -> None:
    cases = [case for case in CASES.values() if "ratios" in case]
    assert len(cases) == 3
    for case in cases:
        for kind, expected in case["ratios"].items():
            for counts, ratios in zip(picked(score(case, share_of(kind)), kind), expected, strict=True):
                # Rates without a reference have a tiny denominator in sed_eval, and none here.
                check_ratios(counts, ratios if counts.n_reference else ratios[:3])


@pytest.mark.parametrize("kind", ORACLE["pooled"]["counts"])
def test_pooled_figures_are_the_same(kind: str) -> None:
    pooled = reduce(add, (score(case, share_of(kind)) for case in CASES.values()))
    for counts, ratios in zip(picked(pooled, kind), ORACLE["pooled"]["ratios"][kind], strict=True):
        check_ratios(counts, ratios)
    overall = reduce(add, picked(pooled, kind))
    check_ratios(overall, ORACLE["pooled"]["overall"][kind])
    if kind == "segments":
        assert overall == pooled.overall.segments
        assert overall.accuracy == pytest.approx(ORACLE["pooled"]["accuracy"], abs=1e-12)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write all cases as files, in several formats that keep the digits."""
    parent = tmp_path_factory.mktemp("cases")
    sides = (parent / "references", parent / "estimates")
    for number, case in enumerate(CASES.values()):
        for side, timeline in zip(sides, timelines(case), strict=True):
            suffix = ".json" if "duration" in case else (".txt", ".tsv", ".json")[number % 3]
            write(timeline, side / f"part {number % 4}" / f"case {number}{suffix}")
    return sides


def test_files_give_the_same_pooled_figures(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", *map(str, folders), "-l", "music", "-l", "speech", "-f", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["pooled"]
    assert found["files"] == len(CASES)
    for kind, expected in ORACLE["pooled"]["counts"].items():
        if share_of(kind):
            continue
        for label, (tp, fp, fn, tn) in zip(LABELS, expected, strict=True):
            part = found["labels"][label]
            if kind == "segments":
                part = part["segments"]
                assert part["tn"] == tn
            else:
                collar, name = kind.split()
                part = part["collars"][collar][name]
            assert (part["tp"], part["fp"], part["fn"]) == (tp, fp, fn)
    assert found["overall"]["segments"]["accuracy"] == pytest.approx(ORACLE["pooled"]["accuracy"], abs=1e-12)


def test_an_end_share_is_passed_on(folders: tuple[Path, Path]) -> None:
    report = earmark.score(*folders, labels=LABELS, offset_share=0.2)
    found = [report.pooled.labels[label].collars[0.5].onset_offset for label in LABELS]
    expected = ORACLE["pooled"]["counts"]["0.5 onset_offset 0.2"]
    assert [[c.tp, c.fp, c.fn, c.tn] for c in found] == expected
