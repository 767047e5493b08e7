"""Sources: an index and folders become recordings of one class; wrong input is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from earmark.audio_writer import write_audio
from earmark.errors import ConfigError
from earmark.sources import SUSPECT, Source, read_folders, read_index, select

HEADER = "path,content,detail,vocals,seconds,fold,source,group,gender,language,licence"


def make_index(folder: Path, rows: list[str], *, header: str = HEADER) -> Path:
    for row in rows:
        file = folder / row.partition(",")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    path = folder / "index.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


ROWS = [
    "a/1.opus,speech,,,12.5,0,reader,reader/ann,f,en,CC BY 4.0",
    "b/2.opus,music,pop,accompanied singing,60,1,band,band/song,,,CC0",
    "b/3.opus,music,stem,instrumental (single stem),30,2,band,band/stem,,,CC0",
    "b/4.opus,music,suspect label: loop,,30,2,band,band/loop,,,CC0",
    "c/5.opus,speech,babble; café,,9,1,crowd,crowd/1,,,CC0",
    "d/6.opus,field recording,choir,,9,1,field,field/1,,,none",
]


def test_an_index_gives_its_speech_music_and_noise_with_absolute_paths(tmp_path: Path) -> None:
    sources = read_index(make_index(tmp_path, ROWS))
    assert [s.content for s in sources] == ["speech", "music", "music", "music", "noise"]
    assert sources[0] == Source(
        str(tmp_path / "a/1.opus"), "speech", False, 12.5, "reader/ann", "reader", 0, "CC BY 4.0", "en", ""
    )


@pytest.mark.parametrize(
    ("vocals", "sung"),
    [
        ("vocal", True),
        ("choir/group singing a cappella", True),
        ("rap", True),
        ("", False),
        ("instrumental (single stem)", False),
        ("instrumental/whistling", False),
        ("single line", False),
        ("no vocals", False),
    ],
)
def test_music_is_sung_where_its_vocals_say_so(tmp_path: Path, vocals: str, sung: bool) -> None:
    (source,) = read_index(make_index(tmp_path, [f"1.opus,music,pop,{vocals},10,0,x,x/1,,,"]))
    assert source.sung is sung


def test_babble_is_noise_and_doubtful_labels_can_be_left_out(tmp_path: Path) -> None:
    sources = read_index(make_index(tmp_path, ROWS))
    assert [s.detail for s in sources if s.content == "noise"] == ["babble; café"]
    assert [s.group for s in select(sources, not_details=SUSPECT)] == [
        "reader/ann",
        "band/song",
        "band/stem",
        "crowd/1",
    ]


def test_select_joins_its_conditions(tmp_path: Path) -> None:
    sources = read_index(make_index(tmp_path, ROWS))
    assert [s.group for s in select(sources, folds={1}, contents={"music"})] == ["band/song"]
    assert [s.origin for s in select(sources, not_origins={"band"})] == ["reader", "crowd"]
    with pytest.raises(ConfigError, match=r"no source comes from bnad; there are band, crowd, reader"):
        select(sources, not_origins={"bnad"})
    with pytest.raises(ConfigError, match="choose more widely"):
        select(sources, folds={7})


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (ROWS, HEADER.replace("seconds,", "").replace("fold,", ""), "has no column seconds, fold"),
        ([ROWS[0].replace("12.5", "long")], HEADER, "line 2: seconds and fold must be numbers"),
        ([ROWS[0].replace("12.5", "-1")], HEADER, "line 2: seconds is -1"),
    ],
)
def test_a_wrong_index_is_told_by_its_line(
    tmp_path: Path, rows: list[str], header: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_index(make_index(tmp_path, rows, header=header))
    assert "\n" not in str(caught.value)


def test_missing_files_are_counted(tmp_path: Path) -> None:
    index = make_index(tmp_path, ROWS)
    (tmp_path / "b/3.opus").unlink()
    with pytest.raises(ConfigError, match=r"line 4: no file '.*3\.opus' \(1 of 5 are missing\)"):
        read_index(index)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_index(tmp_path / "none.csv")


def test_folders_give_class_length_and_group(tmp_path: Path) -> None:
    for name, seconds in [
        ("voices/ann/1.wav", 1.5),
        ("voices/ann/2.flac", 0.5),
        ("voices/3.wav", 1.0),
        ("songs/4.wav", 2.0),
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_audio(tmp_path / name, np.zeros(int(16_000 * seconds)), 16_000)
    (tmp_path / "voices" / "notes.txt").touch()
    sources = read_folders(speech=tmp_path / "voices", sung=tmp_path / "songs")
    assert [(s.content, s.sung, s.origin, s.group) for s in sources] == [
        ("speech", False, "voices", "voices/3.wav"),
        ("speech", False, "voices", "voices/ann"),
        ("speech", False, "voices", "voices/ann"),
        ("music", True, "songs", "songs/4.wav"),
    ]
    assert [s.seconds for s in sources] == pytest.approx([1.0, 1.5, 0.5, 2.0])


def test_folders_without_readable_audio_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give at least one of"):
        read_folders()
    with pytest.raises(ConfigError, match="is no folder"):
        read_folders(speech=tmp_path / "none")
    with pytest.raises(ConfigError, match="holds no audio file"):
        read_folders(noise=tmp_path)
    (tmp_path / "broken.wav").write_bytes(b"no audio at all")
    with pytest.raises(ConfigError, match=r"broken\.wav' cannot be read"):
        read_folders(noise=tmp_path)
