"""`earmark convert`."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from earmark.cli.convert import convert
from earmark.errors import AnnotationError, ConfigError, EarmarkError
from earmark.formats import read

CSV = "start,end,label,confidence\n0.500,2.000,speech,0.900\n1.250,3.000,music,\n"
LABELS = "0.500000\t2.000000\tspeech\n1.250000\t3.000000\tmusic\n"


def run(*arguments: object, input: str | bytes | None = None) -> Result:
    app = typer.Typer()
    app.command("convert")(convert)
    return CliRunner().invoke(app, [str(a) for a in arguments], input=input)


@pytest.fixture
def show(tmp_path: Path) -> Path:
    path = tmp_path / "show.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "suffix", [".json", ".rttm", ".TextGrid", ".eaf", ".txt", ".vtt", ".srt", ".jams", ".tsv"]
)
def test_a_file_is_converted_by_its_suffix_and_back(show: Path, suffix: str) -> None:
    other, back = show.with_suffix(suffix), show.with_name("back.csv")
    assert run(show, other).exit_code == 0
    assert run(other, back).exit_code == 0
    assert [(s.start, s.end, s.label) for s in read(back)] == [(0.5, 2.0, "speech"), (1.25, 3.0, "music")]


def test_nothing_is_printed_when_all_is_well(show: Path) -> None:
    result = run(show, show.with_suffix(".txt"))
    assert result.output == ""
    assert show.with_suffix(".txt").read_text() == LABELS


def test_standard_input_and_output_need_a_named_format() -> None:
    result = run("-", "-", "--from", "csv", "--to", "audacity", input=CSV.encode())
    assert result.stdout_bytes == LABELS.encode()
    without_from, without_to = (
        run("-", "-", "--to", "csv", input=CSV),
        run("-", "-", "--from", "csv", input=CSV),
    )
    assert isinstance(without_from.exception, ConfigError)
    assert "add --from NAME, one of csv, json" in str(without_from.exception)
    assert isinstance(without_to.exception, ConfigError)
    assert "add --to NAME" in str(without_to.exception)


def test_a_closed_standard_input_or_output_is_told(show: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(AnnotationError, match=r"^standard input is closed; pipe an annotation into it"):
        convert(Path("-"), show.with_suffix(".txt"), from_format="csv")
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(EarmarkError, match=r"^standard output is closed; name a file to write$"):
        convert(show, Path("-"), to_format="srt")


def test_faults_in_standard_input_name_it() -> None:
    result = run("-", "-", "--from", "csv", "--to", "csv", input="start,end,label\n2,1,a\n")
    assert str(result.exception).startswith("'standard input' line 2: the end, 1 s, is before the start")
    assert result.stdout == ""


def test_a_named_format_overrides_the_suffix(show: Path) -> None:
    assert run(show, show.with_name("a.txt"), "--to", "rttm").exit_code == 0
    assert show.with_name("a.txt").read_text().startswith("SPEAKER ")
    result = run(show.with_name("a.txt"), "-", "--from", "rttm", "--to", "audacity")
    assert result.stdout == LABELS


def test_an_existing_file_is_replaced_only_by_force(show: Path) -> None:
    target = show.with_suffix(".txt")
    target.write_text("by hand")
    result = run(show, target)
    assert isinstance(result.exception, AnnotationError)
    assert str(result.exception).endswith("exists; name another file, or add --force to replace it")
    assert target.read_text() == "by hand"
    assert run(show, target, "--force").exit_code == 0
    assert target.read_text() == LABELS


def test_the_input_is_never_overwritten_with_itself(show: Path) -> None:
    link = show.with_name("link.csv")
    link.symlink_to(show)
    for target in (show, link, show.parent / "." / show.name):
        result = run(show, target, "--force", "--to", "json")
        assert isinstance(result.exception, AnnotationError)
        assert str(result.exception).endswith("is the input itself; name another file to write")
    assert show.read_text() == CSV


def test_a_fault_in_the_input_leaves_no_output(show: Path) -> None:
    show.write_text(CSV + "x,1,speech,\n")
    result = run(show, show.with_suffix(".json"))
    assert isinstance(result.exception, AnnotationError)
    assert "line 4: start 'x' is not a number" in str(result.exception)
    assert [p.name for p in show.parent.iterdir()] == ["show.csv"]


def test_warnings_go_to_standard_error(show: Path) -> None:
    show.write_text(CSV + "4,4,speech,\n")
    result = run(show, "-", "--to", "audacity")
    assert result.exit_code == 0
    assert result.stdout == LABELS
    assert result.stderr == f"earmark: '{show}' line 4: an entry without length was left out\n"


def test_columns_of_a_csv_can_be_chosen(show: Path) -> None:
    result = run(show, "-", "--to", "csv", "--columns", "label, duration")
    assert result.stdout == "label,duration\nspeech,1.500\nmusic,1.750\n"
    other = run(show, "-", "--to", "json", "--columns", "label")
    assert isinstance(other.exception, ConfigError)
    assert "json has no option 'columns'" in str(other.exception)


def test_an_unknown_format_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    result = run(tmp_path / "none.csv", tmp_path / "a.csv", "--to", "excel")
    assert isinstance(result.exception, ConfigError)
    assert "unknown format 'excel'; choose one of csv, json" in str(result.exception)
