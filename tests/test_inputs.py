"""What a user names becomes recordings, and each result a place of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePath

import pytest

from earmark.inputs import Input, InputError, expand, output_path, plan_outputs


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with recordings and other things; the working directory is above it."""
    for name in (
        "archive/b.mp3",
        "archive/A.WAV",
        "archive/notes.txt",
        "archive/.hidden.wav",
        "archive/.trash/old.wav",
        "archive/2024/show.mkv",
        "archive/2024/take [1].flac",
        "empty/readme.md",
        "take [1].wav",
        "take 1.wav",
        "data.bin",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sources(*inputs: str) -> list[str]:
    found, problems = expand(inputs)
    assert problems == []
    return [item.source.replace(os.sep, "/") for item in found]


def relatives(*inputs: str) -> list[str]:
    return [item.relative.as_posix() for item in expand(inputs)[0]]


def problem(*inputs: str) -> str:
    found, problems = expand(inputs)
    assert found == []
    (text,) = map(str, problems)
    assert "\n" not in text
    return text


def test_a_folder_gives_its_recordings_in_order_without_hidden_ones(archive: Path) -> None:
    assert sources("archive") == [
        "archive/A.WAV",
        "archive/b.mp3",
        "archive/2024/show.mkv",
        "archive/2024/take [1].flac",
    ]
    assert relatives("archive")[2:] == ["2024/show.mkv", "2024/take [1].flac"]


def test_a_named_file_is_taken_whatever_its_suffix(archive: Path) -> None:
    assert sources("data.bin", "archive/.hidden.wav") == ["data.bin", "archive/.hidden.wav"]
    assert relatives("archive/.hidden.wav") == [".hidden.wav"]


def test_patterns_match_as_in_a_shell_and_below_folders(archive: Path) -> None:
    assert sources("archive/*.mp3") == ["archive/b.mp3"]
    assert sources("archive/**/*.mkv") == ["archive/2024/show.mkv"]
    assert sources("archive/[AB].WAV") == ["archive/A.WAV"]
    assert sources("archive/**") == sorted(sources("archive"))
    assert sources("archive/20*") == ["archive/2024/show.mkv", "archive/2024/take [1].flac"]
    assert sources("*.bin") == ["data.bin"]
    assert relatives("archive/**/*.mkv") == ["2024/show.mkv"]
    assert relatives("*/b.mp3") == ["archive/b.mp3"]


def test_an_existing_file_with_brackets_in_its_name_is_that_file(archive: Path) -> None:
    assert sources("take [1].wav") == ["take [1].wav"]
    os.remove("take [1].wav")
    assert sources("take [1].wav") == ["take 1.wav"]


def test_a_recording_named_twice_is_done_once(archive: Path) -> None:
    assert len(sources("archive", "archive/b.mp3", "./archive/b.mp3", "archive/*.mp3", "-", "-")) == 5


def test_patterns_go_down_into_no_link_to_a_folder(archive: Path) -> None:
    for name in ("one", "two"):  # two ways back: 2 ** 40 paths for whoever follows them
        (archive / "archive/2024" / name).symlink_to(archive / "archive", target_is_directory=True)
    assert sources("**/*.mkv", "archive/**/2024/**") == [
        "archive/2024/show.mkv",
        "archive/2024/take [1].flac",
    ]
    assert relatives("archive/**") == sorted(relatives("archive"))
    absolute = archive.as_posix()
    assert sources(f"{absolute}/**/*.mkv") == [f"{absolute}/archive/2024/show.mkv"]


def test_a_file_goes_by_its_own_name_where_a_link_to_it_is_found_too(archive: Path) -> None:
    (archive / "archive/A-latest.mp3").symlink_to("b.mp3")
    assert sources("archive/*.mp3") == ["archive/b.mp3"]
    assert sources("archive/b.mp3", "archive/A-latest.mp3") == ["archive/b.mp3"]
    assert sources("archive/A-latest.mp3") == ["archive/A-latest.mp3"]


def test_addresses_are_named_after_their_last_part() -> None:
    found, problems = expand(
        [
            "https://example.org/radio/M%C3%A4rz%20show.mp3?token=1#t=3",
            "http://example.org/",
            "HTTP://h/a%2Fb.mp3",
        ]
    )
    assert problems == []
    assert [item.name for item in found] == ["März show.mp3", "example.org", "a_b.mp3"]
    assert found[0].source.endswith("#t=3")


@pytest.mark.parametrize(
    "url", ["http://h/..", "http://h/%2e%2e", "http://h/%2e%2e%2f%2e%2e%2fx", "http://h/."]
)
def test_no_address_leads_out_of_the_folder_for_results(url: str) -> None:
    ((item,), _) = expand([url])
    assert output_path(item, "out", "csv").parent == Path("out")
    assert not item.name.startswith(".")


def test_standard_input_is_an_input() -> None:
    assert expand(["-"]) == ([Input("-", "stdin", PurePath("stdin"))], [])


def test_what_gives_nothing_is_reported_and_the_others_are_kept(archive: Path) -> None:
    assert "'no.wav' does not exist" in problem("no.wav")
    assert "'*.ogg' matches nothing" in problem("*.ogg")
    assert "'empty/*' matches no audio or video file" in problem("empty/*")
    assert "'empty' holds no audio or video" in problem("empty")
    assert "may start with http" in problem("ftp://h/a.wav")
    assert "is no address (" in problem("http://[::1/a.wav")
    assert "is no address (" in problem("http://h:123456/a.wav")
    found, problems = expand(["no.wav", "archive/b.mp3", "*.ogg"])
    assert [item.name for item in found] == ["b.mp3"]
    assert len(problems) == 2
    assert all(isinstance(err, InputError) for err in problems)


def test_a_folder_that_cannot_be_read_does_not_stop_the_others(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str = ".") -> object:
        if str(path).endswith("2024"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found, problems = expand(["archive"])
    assert [item.name for item in found] == ["A.WAV", "b.mp3"]
    (text,) = map(str, problems)
    assert "2024' cannot be read (Permission denied)" in text


@pytest.mark.parametrize("suffix", ["csv", ".csv"])
def test_results_keep_the_place_below_a_folder_input(archive: Path, suffix: str) -> None:
    results = [output_path(item, "out", suffix).as_posix() for item in expand(["archive"])[0]]
    assert results == ["out/A.csv", "out/b.csv", "out/2024/show.csv", "out/2024/take [1].csv"]


def test_only_the_last_suffix_is_replaced() -> None:
    item = Input("x/2024.05.01.mp3", "2024.05.01.mp3", PurePath("2024.05.01.mp3"))
    assert output_path(item, "out", "segments.csv") == Path("out/2024.05.01.segments.csv")


def test_every_recording_gets_one_result_per_suffix(archive: Path) -> None:
    items, _ = expand(["archive/b.mp3", "-"])
    plan = plan_outputs(items, "out", ["csv", "json"])
    assert plan[items[0]] == (Path("out/b.csv"), Path("out/b.json"))
    assert plan[items[1]] == (Path("out/stdin.csv"), Path("out/stdin.json"))


@pytest.mark.parametrize("other", ["sub/show.mp3", "sub/SHOW.wav", "https://h/Show.ogg"])
def test_two_recordings_for_one_result_are_refused_by_name(other: str) -> None:
    items = [
        Input(source, PurePath(source).name, PurePath(PurePath(source).name))
        for source in ("show.wav", other)
    ]
    with pytest.raises(InputError) as caught:
        plan_outputs(items, "out", ["csv"])
    assert "'show.wav'" in str(caught.value)
    assert f"'{other}'" in str(caught.value)


def test_a_result_never_overwrites_a_recording(archive: Path) -> None:
    items, _ = expand(["archive/A.WAV", "data.bin"])
    with pytest.raises(InputError, match=r"would overwrite the recording 'archive.A\.WAV'"):
        plan_outputs(items, "archive", ["wav"])
    with pytest.raises(InputError, match=r"would overwrite the recording 'data\.bin'"):
        plan_outputs(items, ".", ["bin"])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_result_never_overwrites_a_recording_through_a_link(archive: Path) -> None:
    os.symlink("archive", "out")
    items, _ = expand(["archive/b.mp3"])
    with pytest.raises(InputError, match="would overwrite"):
        plan_outputs(items, "out", ["mp3"])
