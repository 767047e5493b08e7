"""What the source of a batch names: folders, patterns, lists, tables; and where results go."""

from __future__ import annotations

import errno
import http.server
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from batchhelp import fill, ids, manifest

from earmark.batch.items import Item, find_items, result_path
from earmark.errors import ConfigError, StoreError


def test_a_folder_gives_the_recordings_below_it(here: Path) -> None:
    for name in ("in/b/x.MP3", "in/a.wav", "in/notes.txt", "in/.hidden.wav", "in/.git/y.wav"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    assert list(find_items("in")) == [
        Item("a.wav", str(here / "in" / "a.wav")),
        Item("b/x.MP3", str(here / "in/b/x.MP3")),
    ]
    assert ids("in/*.wav") == ["a.wav"]
    assert ids("in/**/*.*3") == ["b/x.MP3"]
    assert ids("in/a.wav") == ["a.wav"]


def test_a_list_names_recordings_and_addresses(here: Path) -> None:
    (here / "lists").mkdir()
    (here / "lists" / "all.m3u").write_text(
        "#EXTM3U\n\na.wav\n/data/b.wav\nhttps://host/c.mp3\ns3://bucket/d.mp3\n"
    )
    assert list(find_items("lists/all.m3u")) == [
        Item("a.wav", str(here / "lists" / "a.wav")),
        Item("data/b.wav", "/data/b.wav"),
        Item("https://host/c.mp3", "https://host/c.mp3"),
        Item("s3://bucket/d.mp3", "s3://bucket/d.mp3"),
    ]


def test_a_table_gives_ids_and_facts(here: Path) -> None:
    (here / "t.csv").write_text('\ufeffid,path,station\n7,"a,b.wav",One\n,c.wav,Two\n', encoding="utf-8")
    assert list(find_items("t.csv")) == [
        Item("7", str(here / "a,b.wav"), {"station": "One"}),
        Item("c.wav", str(here / "c.wav"), {"station": "Two"}),
    ]


@pytest.fixture
def server(here: Path) -> Iterator[str]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=here)
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_list_on_a_web_server_is_fetched_and_its_paths_are_relative_to_it(here: Path, server: str) -> None:
    (here / "deep").mkdir()
    (here / "deep" / "list.txt").write_text("a.wav\n/b.wav\n")
    assert [item.source for item in find_items(f"{server}/deep/list.txt")] == [
        f"{server}/deep/a.wav",
        f"{server}/b.wav",
    ]


def test_a_list_that_is_cut_off_is_no_short_list(
    here: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "list.txt").write_text("a.wav\nb.wav\n")
    length = http.server.SimpleHTTPRequestHandler.send_header
    monkeypatch.setattr(
        http.server.SimpleHTTPRequestHandler,
        "send_header",
        lambda self, name, value: length(self, name, "99" if name == "Content-Length" else value),
    )
    with pytest.raises(StoreError, match="was cut off, 87 bytes are missing; start again"):
        list(find_items(f"{server}/list.txt"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none", "'none' does not exist; give a folder"),
        ("empty", "'empty' names no audio or video file"),
        ("empty/*.wav", "'empty/*.wav' names no audio"),
        ("bad.csv", "has the columns a, b; its first line must name one source, path, file or url"),
        ("short.csv", "table 'short.csv', line 3: 1 columns, not 2"),
        ("blank.csv", "table 'blank.csv', line 2: 'path' is empty"),
        ("latin.txt", "'latin.txt' is no UTF-8 text"),
        ("https://host/folder/", "of web servers, give a list"),
    ],
)
def test_sources_that_name_nothing_are_refused_in_one_line(here: Path, source: str, words: str) -> None:
    (here / "empty").mkdir()
    (here / "bad.csv").write_text("a,b\n1,2\n")
    (here / "short.csv").write_text("path,b\nx.wav,2\ny.wav\n")
    (here / "blank.csv").write_text("path,b\n,2\n")
    (here / "latin.txt").write_bytes("märz.wav\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        list(find_items(source))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_have_places_of_their_own_and_none_outside_the_folder() -> None:
    names = ["a.wav", "a.mp3", "b/a.wav", "b%2Fa.wav", "../a.wav", "..", "", "b//a.wav", "http://h/a.wav",
             "http/h/a.wav", "a:b.wav", "a?b.wav", "n" * 300, "n" * 301, "ü" * 150, ".a.wav"]  # fmt: skip
    paths = [result_path(name) for name in names]
    assert len(set(paths)) == len(names)
    assert not any(path.is_absolute() or ".." in path.parts for path in paths)
    assert all(len(part.encode()) < 255 for path in paths for part in path.parts)
    assert [path.as_posix() for path in paths[:3]] == ["a.wav.json", "a.mp3.json", "b/a.wav.json"]


def test_results_and_folders_of_results_do_not_meet() -> None:
    names = ["x", "x.json/y", "x.JSON/y", "x%2Ejson/y", "x.json", "x.json/y.json/z", "a.json/b", "a"]
    paths = [result_path(name) for name in names]
    files = {path.as_posix().casefold() for path in paths}
    assert len(files) == len(names) - 1  # two differ in case only, as they did
    folders = {folder.as_posix().casefold() for path in paths for folder in path.parents}
    assert not files & folders
    assert paths[1].as_posix() == "x%2Ejson/y.json"


@pytest.fixture
def shut(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a recording, and one below it that cannot be read, even by root."""
    scan = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    fill(here / "in", "a.wav", "shut/b.wav", "z/c.wav")
    monkeypatch.setattr(os, "scandir", refusing)
    return here / "in"


def test_a_folder_that_cannot_be_read_does_not_keep_the_others_from_being_done(
    shut: Path, tiny_model_path: Path, batch: Any
) -> None:
    problems: list[str] = []
    assert sorted(item.id for item in find_items(str(shut), problems.append)) == ["a.wav", "z/c.wav"]
    told = f"folder '{shut}/shut' cannot be read (Permission denied); change its permissions"
    assert problems == [told]
    code, out, err = batch(shut, "--out", "out", "--model", tiny_model_path)
    assert (code, err) == (1, f"earmark: {told}\n")
    assert out.startswith("2 recordings, ")
    assert {row["status"] for row in manifest(Path("out")).values()} == {"done"}
    with pytest.raises(ConfigError, match="shut' cannot be read"):
        list(find_items(str(shut / "shut")))


def test_columns_of_a_table_and_of_the_manifest_do_not_meet(
    here: Path, tiny_model_path: Path, batch: Any
) -> None:
    fill(here, "a.wav")
    (here / "t.csv").write_text("path,status,speech,table_speech,station\na.wav,aired,yes,no,One\n")
    assert batch("t.csv", "--out", "out", "--model", tiny_model_path)[0] == 0
    row = manifest(here / "out")["a.wav"]
    assert (row["status"], row["table_status"], row["station"]) == ("done", "aired", "One")
    assert (row["speech"], row["table_table_speech"], row["table_speech"]) == ("1.0", "yes", "no")


def test_a_table_that_names_a_column_twice_is_refused(here: Path) -> None:
    (here / "t.csv").write_text("path,a,b,a\nx.wav,1,2,3\n")
    with pytest.raises(ConfigError, match=r"table 't\.csv' has several columns 'a'; give each a name"):
        list(find_items("t.csv"))
