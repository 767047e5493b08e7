"""What docs/serve.md and the files for deployment say about the server holds."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from serverhelp import program

from earmark.cli.app import run

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")


def test_the_client_of_the_page_runs(
    tmp_path: Path,
    tiny_model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    token = "what --token says, if it was given"
    assert token in PAGE
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with program(tmp_path / "store", "--model", str(tiny_model_path), token=token) as (_, port):
        monkeypatch.chdir(tmp_path)
        names: dict[str, object] = {}
        for block in blocks:
            exec(block.replace("127.0.0.1:7373", f"127.0.0.1:{port}"), names)
    said = capsys.readouterr().out
    assert "'speech': 0." in said
    assert "start,end,label,confidence" in said
    assert "{'name': 'edited', 'version': 1}" in said


@pytest.mark.parametrize("file", ["Dockerfile", "earmark.service"])
def test_what_is_deployed_can_be_run(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = (ROOT / "deploy" / file).read_text(encoding="utf-8")
    if file == "Dockerfile":
        words = re.findall(r'"([^"]+)"', re.search(r"^ENTRYPOINT \[(.*)\]$", text, re.MULTILINE)[1])  # type: ignore[index]
    else:
        words = shlex.split(re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1])  # type: ignore[index]
    assert words[0].endswith("earmark")
    assert words[1] == "serve"
    assert run(["serve", "--help"]) == 0
    shown = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert {word for word in words if word.startswith("--")} <= shown


def test_every_address_of_the_page_exists() -> None:
    from earmark.server.app import _ROUTERS

    paths = {
        re.sub(r"{\w+}", "*", route.path)
        for router in _ROUTERS
        for route in router.routes  # type: ignore[attr-defined]
    }
    told = {
        re.sub(r"\?.*", "", re.sub(r"(?<=/)[A-Z]+(?=/|$|\?)", "*", path))
        for path in re.findall(r"`(?:GET|POST|PUT|DELETE) (/api[^`]*)`", PAGE)
    }
    assert len(told) > 12
    assert told <= paths
