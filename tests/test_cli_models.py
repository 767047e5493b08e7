"""`earmark models`: the list, the card as text and as JSON, models that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TINY_CARD, write_tiny_model

from earmark.card import DecodeOptions, ModelCard
from earmark.cli.app import run

CARD = replace(
    TINY_CARD,
    decode={**TINY_CARD.decode, "speech": DecodeOptions(threshold=0.55, min_gap=0.5)},
    context=104,
    sources=(
        {"name": "Low tones", "minutes": 12.5, "licence": "CC0-1.0", "taken": "all"},
        {"name": "High tones", "minutes": 90, "licence": "CC BY 4.0"},
    ),
    metrics={"speech": {"f1": 0.93214, "folds": [1, 2]}, "measured on": "tones [made up]"},
    trained={"seed": 3, "steps": 40_000},
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend that one model, 'tones', comes with earmark."""
    (tmp_path / "assets").mkdir()
    monkeypatch.setattr("earmark.modelfile.files", lambda _: tmp_path)
    monkeypatch.setenv("EARMARK_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("COLUMNS", "100")
    return write_tiny_model(tmp_path / "assets" / "tones.onnx", CARD)


def test_models_are_listed_with_version_labels_and_size(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models"]) == 0
    header, row, *rest = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "version", "labels", "size", "description"]
    size = f"{installed.stat().st_size / 1000:.0f} kB"
    assert row.startswith(f"tones   1         speech, music, noise   {size}   Marks low tones as speech,")
    assert " ".join([row, *rest]).split()[-3:] == ["nothing", "as", "noise."]


def test_a_card_is_shown_to_be_read(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", "tones"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for expected in (
        "tiny 1",
        "labels speech, music, noise",
        "licence CC0-1.0",
        "input 16000 Hz, 64 mel bands 40-8000 Hz, a frame every 20 ms",
        "context 2.1 s on each side",
        "decoding threshold release min. duration min. gap smooth",
        "speech 0.55 0.44 0.3 s 0.5 s 0.1 s",
        "music 0.5 0.4 0.3 s 0.3 s 0.1 s",
        "source minutes licence taken",
        "Low tones 12.5 CC0-1.0 all",
        "High tones 90 CC BY 4.0",
        "speech.f1 0.9321",
        "speech.folds 1, 2",
        "measured on tones [made up]",
        "steps 40000",
    ):
        assert expected in lines


def test_a_model_file_is_shown_by_its_path_and_its_json_is_the_stored_card(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_tiny_model(tmp_path / "mine.onnx", CARD)
    assert run(["models", "show", str(path), "--json"]) == 0
    assert ModelCard.from_json(capsys.readouterr().out, "output") == CARD


@pytest.mark.parametrize("name", ["nothing", "missing.onnx"])
def test_an_unknown_model_is_one_line_that_names_the_known(
    installed: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "show", name]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"earmark: no model '{name}' ")
    assert "tones" in err


def test_without_models_the_way_out_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.modelfile.files", lambda _: tmp_path)
    monkeypatch.setenv("EARMARK_MODELS", str(tmp_path / "own"))
    assert run(["models"]) == 2
    assert capsys.readouterr().err == (
        "earmark: no model is installed with earmark; give the path of one with --model FILE.onnx\n"
    )


def test_an_unknown_subcommand_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "shwo"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("earmark: no such command 'shwo'")
    assert err.rstrip().endswith("see 'earmark models --help'")
