"""The documentation runs: its Python blocks, its `earmark` commands, and its links."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from earmark.cli.app import COMMANDS, run
from earmark.formats import FORMATS
from earmark.modelfile import DEFAULT_MODEL, embedded_models

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "examples/README.md", *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md")))]
PYTHON_PAGES = ["README.md", "docs/features.md", "docs/python.md", "docs/score.md"]

needs_model = pytest.mark.skipif(
    DEFAULT_MODEL not in embedded_models(), reason=f"no model '{DEFAULT_MODEL}' in the installed package"
)


class Block(NamedTuple):
    """A fenced block: the line it starts at, and its text."""

    line: int
    text: str


def blocks(page: str, language: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [Block(text.count("\n", 0, m.start(1)), m[1]) for m in fence.finditer(text)]


def execute(block: Block, page: str, names: dict[str, Any]) -> None:
    """Run a block; what follows ``print(...)  #`` must be what is printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * block.line + block.text, page, "exec"), names)
    promised = re.findall(r"print\(.*\)  # (.+)", block.text)
    printed = iter(out.getvalue().splitlines())
    for line in promised:
        assert line in printed, f"{page}, block at line {block.line}: '{line}' is not printed"


def commands(page: str) -> list[list[str]]:
    """Return the `earmark` commands of a page as arguments, without what pipes into or out of them."""
    lines = (line for block in blocks(page, "sh") for line in block.text.splitlines())
    found = []
    for line in lines:
        call = re.search(r"(?:^|\| )earmark (.*)", line)
        if call:
            found.append(shlex.split(call[1].partition(" < ")[0], comments=True))
    return found


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the examples in it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("page", ["docs/python.md"])
def test_blocks_that_need_no_model_run_each_for_itself(page: str) -> None:
    alone = [
        b for b in blocks(page, "python") if not re.search(r"\b(detect|detector|Detector|Model)\b", b.text)
    ]
    assert len(alone) > 3
    for block in alone:
        execute(block, page, {"__name__": "block"})


@needs_model
@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_all_python_blocks_of_a_page_run_in_turn(page: str) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page, "python"):
        execute(block, page, names)


@needs_model
@pytest.mark.usefixtures("checkout")
def test_commands_on_the_example_succeed(capsys: pytest.CaptureFixture[str]) -> None:
    done = 0
    for page in PAGES:
        for arguments in commands(page):
            if arguments[:1] == ["detect"] and any(word.startswith("examples") for word in arguments):
                assert run(arguments) == 0, (page, arguments, capsys.readouterr().err)
                done += 1
    assert done > 5


@pytest.mark.usefixtures("checkout")
def test_conversions_of_the_example_succeed() -> None:
    calls = [c for c in commands("docs/cli.md") if c[0] == "convert" and c[1] != "-"]
    assert len(calls) == 2
    for arguments in calls:
        assert run(arguments) == 0


@pytest.mark.usefixtures("checkout")
def test_scores_of_the_example_succeed() -> None:
    calls = [c for c in commands("docs/score.md") if c[0] == "score" and "-" not in c]
    assert len(calls) == 4
    Path("marks").mkdir()
    shutil.copy("examples/programme.csv", "marks")
    for arguments in calls:
        assert run(arguments) == 0


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_exist(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for arguments in commands(page):
        if arguments[0].startswith("-"):
            continue
        assert arguments[0] in COMMANDS
        nested = arguments[0] in ("batch", "bench", "models", "datasets") and arguments[1:2]
        path = arguments[: 2 if nested and not arguments[1].startswith("-") else 1]
        assert run([*path, "--help"]) == 0
        shown = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", capsys.readouterr().out))
        used = {word for word in arguments[len(path) :] if re.match(r"--?[a-z]", word)}
        assert used <= shown, f"{page}: {used - shown} in 'earmark {' '.join(arguments)}'"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", ["README.md", "docs/formats.md"])
def test_the_table_of_formats_is_complete(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
    assert {name: tuple(re.findall(r"`([^`]+)`", cell)) for name, cell in rows.items()} == {
        name: known.suffixes for name, known in FORMATS.items()
    }
