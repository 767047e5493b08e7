"""Datasets: copies in their real layouts are read and checked, from made-up sound."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark.audio_writer import write_audio
from earmark.cli.app import run
from earmark.datasets import DATASETS, Clip, avaspeech, dafx12, gtzan_genres, isa_engine, musan, sefire
from earmark.datasets.openbmat import majority
from earmark.datasets.tasks import TASKS
from earmark.errors import AnnotationError, AudioError, ConfigError
from earmark.timeline import Segment

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
RATE = 8000


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of one second."""
    path = tmp_path_factory.mktemp("sound") / "second.wav"
    write_audio(path, 0.1 * np.sin(np.arange(RATE) / 3), RATE)
    return path


@pytest.fixture
def fill(tmp_path: Path, second: Path):
    """Return a function that makes files below `tmp_path`: recordings of a second, or texts."""

    def write(*recordings: str, **texts: str) -> Path:
        for name in (*recordings, *texts):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        for name in recordings:
            shutil.copy(second, tmp_path / name)
        for name, text in texts.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def described(name: str, folder: Path) -> list[tuple[str, ...]]:
    return [(c.path.stem, c.label, c.detail, c.group) for c in DATASETS[name].read(folder)]


# -- what all share ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_says_what_it_is_and_where_to_get_it(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.name == name
    assert all([dataset.title, dataset.content, dataset.labels, dataset.licence, dataset.uses])
    assert dataset.source.endswith(".")
    assert name == "corpus" or dataset.citation.endswith((".", "4870820."))
    assert all(
        digest.partition(":")[0] in hashlib.algorithms_guaranteed for digest in dataset.checksums.values()
    )


@pytest.mark.parametrize("name", DATASETS)
def test_without_a_copy_the_message_says_what_to_do(name: str, tmp_path: Path) -> None:
    dataset = DATASETS[name]
    (tmp_path / name).mkdir()
    assert dataset.find(tmp_path) is None
    (line,) = dataset.check(tmp_path)
    assert line.startswith(f"no copy of {dataset.title} in '{tmp_path}'")
    assert line.endswith(dataset.source)
    assert "\n" not in line
    with pytest.raises(ConfigError, match="no copy of"):
        dataset.read(tmp_path / "nowhere")


def test_a_copy_is_found_by_name_with_its_top_folder_and_as_the_folder_itself(fill) -> None:
    files = ("music_wav/blues.wav", "speech_wav/news.wav")
    for top in ("gtzan-speech-music/", "gtzan-speech-music/music_speech/", "music_speech/", ""):
        folder = fill(*(top + file for file in files))
        copy = DATASETS["gtzan-speech-music"].find(folder)
        assert copy is not None
        assert copy.root == folder / top
        shutil.rmtree(folder)


def test_an_archive_is_checked_by_its_published_checksum(tmp_path: Path) -> None:
    archive = tmp_path / "musan.tar.gz"
    archive.write_bytes(b"not it")
    (line,) = DATASETS["musan"].check(archive)
    assert "not the 0c472d4fc0c5141eca47ad1ffeb2a7df published" in line
    digest = hashlib.md5(b"not it").hexdigest()
    assert replace(DATASETS["musan"], checksums={"musan.tar.gz": f"md5:{digest}"}).check(archive) == []
    (line,) = DATASETS["sefire"].check(archive)
    assert "published checksum are none" in line


# -- clips ---------------------------------------------------------------------------------------


@pytest.fixture
def musan_copy(fill) -> Path:
    return fill(
        "musan/music/fma/music-fma-0000.wav",
        "musan/music/fma/music-fma-0001.wav",
        "musan/music/rfm/music-rfm-0000.wav",
        "musan/speech/librivox/speech-librivox-0000.wav",
        "musan/speech/us-gov/speech-us-gov-0000.wav",
        "musan/noise/free-sound/noise-free-sound-0000.wav",
        **{
            "musan/music/fma/ANNOTATIONS": "music-fma-0001 pop,rock Y Some\nmusic-fma-0000 blues N Else\n",
            "musan/speech/librivox/ANNOTATIONS": "speech-librivox-0000 f german\n",
            "musan/noise/free-sound/ANNOTATIONS": "noise-free-sound-0000\n",
        },
    )


def test_musan_gives_genre_and_gender_in_the_order_of_its_annotations(musan_copy: Path) -> None:
    assert [found[:3] for found in described("musan", musan_copy)] == [
        ("music-fma-0001", "music", "pop"),
        ("music-fma-0000", "music", "blues"),
        ("music-rfm-0000", "music", ""),
        ("speech-librivox-0000", "speech", "f"),
        ("speech-us-gov-0000", "speech", ""),
        ("noise-free-sound-0000", "noise", ""),
    ]


def test_musan_without_the_folders_of_its_sources_is_read(fill) -> None:
    folder = fill("music/music-fma-0000.wav", "speech/speech-us-gov-0000.wav")
    assert [found[0] for found in described("musan", folder)] == ["music-fma-0000", "speech-us-gov-0000"]


def test_what_is_wrong_with_a_copy_is_told_line_by_line(
    musan_copy: Path, fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DATASETS["musan"].check(musan_copy) == [
        "music: 3 files, the published dataset has 660",
        "speech: 2 files, the published dataset has 426",
        "noise: 1 files, the published dataset has 930",
    ]
    for label, count in (("music", 3), ("speech", 2), ("noise", 1)):
        monkeypatch.setitem(musan._COUNTS, label, count)
    assert DATASETS["musan"].check(musan_copy) == []
    (musan_copy / "musan/music/fma/music-fma-0001.wav").unlink()
    (musan_copy / "musan/music/rfm/music-rfm-0000.wav").write_bytes(b"")
    fill("musan/music/fma/holiday.mp3", "musan/music/._music-fma-0000.wav")
    assert DATASETS["musan"].check(musan_copy) == [
        "1 annotated files are missing: music-fma-0001",
        "music: 2 files, the published dataset has 3",
        "1 empty files: music/rfm/music-rfm-0000.wav",
        "1 foreign audio files: music/fma/holiday.mp3",
    ]
    # Reading goes on with what is there.
    assert len(DATASETS["musan"].read(musan_copy)) == 5


def test_gtzan_is_complete_with_64_files_of_each(fill) -> None:
    names = [f"{label}_wav/{i}.wav" for label in ("music", "speech") for i in range(64)]
    folder = fill(*names)
    assert DATASETS["gtzan-speech-music"].check(folder) == []
    assert described("gtzan-speech-music", folder)[0] == ("0", "music", "", "music/0")


def test_sefire_gives_kinds_of_music_and_blocks_of_neighbours(fill, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = "Filename\tLabel\n00001.mp3\ts\n00002.mp3\t1\n00024.mp3\t2\n00025.mp3\ti\n00026.mp3\tx\n"
    folder = fill(
        *(f"sefire/samples/000{n}.mp3" for n in ("01", "02", "24", "25", "26")),
        **{"sefire/samples/sample labels.txt": labels},
    )
    assert described("sefire", folder) == [
        ("00001", "speech", "", "sefire/0"),
        ("00002", "music", "solo singing", "sefire/0"),
        ("00024", "music", "choir", "sefire/0"),
        ("00025", "music", "instrumental", "sefire/1"),
        ("00026", "noise", "", "sefire/1"),
    ]
    assert DATASETS["sefire"].read(folder)[0].finest == "speech"
    assert DATASETS["sefire"].check(folder) == ["labelled clips: 5 files, the published dataset has 3682"]
    monkeypatch.setattr(sefire, "_N_CLIPS", 5)
    assert DATASETS["sefire"].check(folder) == []
    fill(**{"sefire/samples/sample labels.txt": labels.replace("\t2\n", "\t7\n")})
    (line,) = DATASETS["sefire"].check(folder)
    assert "line 4: '00024.mp3\\t7': give a file name, a tab and one of s, 1, 2, i, x" in line


def test_acmusyt_is_told_by_its_folders(fill) -> None:
    folder = fill("speech/1.wav", "music/2.wav", "a_cappella/3.wav", "other/4.wav")
    assert [found[:3] for found in described("acmusyt", folder)] == [
        ("3", "music", "a cappella"),
        ("2", "music", ""),
        ("1", "speech", ""),
    ]
    assert DATASETS["acmusyt"].check(folder) == [
        "speech: 1 files, the published dataset has 40",
        "music with instruments: 1 files, the published dataset has 35",
        "a cappella: 1 files, the published dataset has 40",
        "1 foreign audio files: other/4.wav",
    ]


def test_scheirer_slaney_keeps_parts_and_what_is_sung(fill) -> None:
    inner = "music-speech/wavfile"
    names = ("train/speech/a", "train/music/b", "train/m+s/c", "train/other/d", "test/speech/a")
    folder = fill(
        *(f"{inner}/{name}.wav" for name in (*names, "test/music/vocals/e", "test/music/novocals/f"))
    )
    clips = DATASETS["scheirer-slaney"].read(folder)
    assert [(c.path.stem, c.part, c.label, c.detail) for c in clips] == [
        ("a", "train", "speech", ""),
        ("b", "train", "music", ""),
        ("c", "train", "speech+music", ""),
        ("d", "train", "noise", ""),
        ("a", "test", "speech", ""),
        ("f", "test", "music", "novocals"),
        ("e", "test", "music", "vocals"),
    ]
    assert len({c.group for c in clips}) == 7
    assert DATASETS["scheirer-slaney"].check(folder) == [
        "speech: 2 files, the published dataset has 80",
        "music: 3 files, the published dataset has 101",
        "both at once and other: 2 files, the published dataset has 64",
    ]


def test_gtzan_genres_is_read_from_either_copy(fill, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"genres_original/{genre}/{genre}.00000.wav" for genre in gtzan_genres.CLASSES]
    folder = fill(*names, "genres_original/rock/rock.00001.au")
    assert described("gtzan-genres", folder)[-2:] == [
        ("rock.00000", "music", "rock", "gtzan/rock.00000"),
        ("rock.00001", "music", "rock", "gtzan/rock.00001"),
    ]
    monkeypatch.setattr(gtzan_genres, "_COUNTS", dict.fromkeys(gtzan_genres.CLASSES, 1))
    assert DATASETS["gtzan-genres"].check(folder) == ["rock: 2 files, the published dataset has 1"]


def test_acmusif_is_told_by_folders_of_sizes(fill) -> None:
    files = ("1 solos/a.wav", "duo/b.wav", "Trio/x/c.wav", "cuarteto/d.wav", "5/e.wav", "15/f.wav")
    folder = fill(*(f"acmusif/v1.1/{name}" for name in files))
    assert described("acmusif", folder) == [
        ("a", "music", "1", "1 solos/a"),
        ("b", "music", "2", "duo/b"),
        ("c", "music", "3", "Trio/x/c"),
        ("d", "music", "4", "cuarteto/d"),
        ("e", "music", "5 or more", "5/e"),
    ]
    assert DATASETS["acmusif"].check(folder) == [
        "1: 1 files, the published dataset has 43",
        "2: 1 files, the published dataset has 42",
        "3: 1 files, the published dataset has 43",
        "4: 1 files, the published dataset has 21",
        "5 or more: 1 files, the published dataset has 36",
        "1 foreign audio files: 15/f.wav",
    ]


def test_acmusvf_bears_two_tasks(fill) -> None:
    kinds = ("male_accompanied", "male_a_cappella", "female_accompanied", "female_a_cappella")
    folder = fill(*(f"{kind}/1.wav" for kind in kinds))
    assert [c.label for c in TASKS["singer"].read(folder)] == ["male", "male", "female", "female"]
    assert [c.label for c in TASKS["accompaniment"].read(folder)] == ["accompanied", "a cappella"] * 2
    assert DATASETS["acmusvf"].check(folder) == [
        "male: 2 files, the published dataset has 46",
        "female: 2 files, the published dataset has 24",
    ]
    shutil.rmtree(folder / kinds[0])
    with pytest.raises(ConfigError, match=r"no copy of ACMusVF.*male_accompanied/, male_a_cappella/"):
        TASKS["singer"].read(folder)


def test_engine_pieces_keep_their_parts_and_neighbours(fill, monkeypatch: pytest.MonkeyPatch) -> None:
    root = "IDMT-ISA-ELECTRIC-ENGINE"
    states = ("engine1_good", "engine2_broken", "engine3_heavyload")
    folder = fill(
        *(f"{root}/train_cut/{state}/pure_{n}.wav" for state in states for n in (9, 10)),
        *(f"{root}/test_cut/{state}/atmo_high_0.wav" for state in states),
        *(f"{root}/{part}/{state}/pure.wav" for part in ("train", "test") for state in states),
    )
    clips = DATASETS["isa-engine"].read(folder)
    assert [(c.part, c.detail, c.group) for c in clips if c.detail == "heavy load"] == [
        ("train", "heavy load", "train/heavy load/pure/1"),
        ("train", "heavy load", "train/heavy load/pure/0"),
        ("test", "heavy load", "test/heavy load/atmo_high/0"),
    ]
    monkeypatch.setattr(isa_engine, "_COUNTS", {"good": 3, "broken": 3, "heavy load": 4})
    fill(f"{root}/else.wav")
    assert DATASETS["isa-engine"].check(folder) == [
        "heavy load: 3 files, the published dataset has 4",
        "1 foreign audio files: else.wav",
    ]


@pytest.mark.parametrize(("name", "task"), [("isa-metal-balls", "metal-surface"), ("isa-pucks", "plastic")])
def test_sorted_copies_have_the_official_parts(name: str, task: str, fill) -> None:
    folders = {
        "isa-metal-balls": ("eloxed", "coated", "broken"),
        "isa-pucks": ("material1", "material_2", "material 3", "material4", "noise"),
    }[name]
    folder = fill(*(f"{name}/{part}/{kind}/1.wav" for part in ("train", "test") for kind in folders))
    clips = TASKS[task].read(folder)
    assert [c.label for c in clips if c.part == "test"] == list(TASKS[task].classes)
    assert len(clips) == 2 * len(folders)
    (line,) = DATASETS[name].check(folder)
    assert line.startswith(f"recordings: {2 * len(folders)} files, the published dataset has 15")


def test_esc50_keeps_sources_and_folds(fill) -> None:
    header = "filename,fold,target,category,esc10,src_file,take\n"
    rows = "1-7-A-0.wav,1,0,dog,True,7,A\n1-7-B-0.wav,1,0,dog,True,7,B\n5-9-A-42.wav,5,42,siren,False,9,A\n"
    names = ("1-7-A-0", "1-7-B-0", "5-9-A-42")
    folder = fill(
        *(f"ESC-50-master/audio/{name}.wav" for name in names),
        **{"ESC-50-master/meta/esc50.csv": header + rows},
    )
    clips = DATASETS["esc-50"].read(folder)
    assert [(c.label, c.detail, c.group, c.fold) for c in clips] == [
        ("noise", "dog", "freesound/7", 0),
        ("noise", "dog", "freesound/7", 0),
        ("noise", "siren", "freesound/9", 4),
    ]
    assert [c.label for c in TASKS["environment"].read(folder)] == ["dog", "dog", "siren"]
    (folder / "ESC-50-master/audio/1-7-B-0.wav").unlink()
    assert DATASETS["esc-50"].check(folder) == [
        "1 listed clips are missing: 1-7-B-0.wav",
        "listed clips: 3 files, the published dataset has 2000",
    ]
    for old, new, message in [("wav,5,", "wav,6,", r"line 4.*fold '6'"), (",fold", "", "no column fold")]:
        fill(**{"ESC-50-master/meta/esc50.csv": (header + rows).replace(old, new)})
        (line,) = DATASETS["esc-50"].check(folder)
        assert re.search(message, line)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_name_classes_of_their_data(name: str) -> None:
    task = TASKS[name]
    assert len(task.classes) == len(set(task.classes)) >= 2
    if name not in ("accompaniment", "singer"):
        assert set(task.classes) <= set(DATASETS[task.dataset].labels)


def clips_of(task: str, n: int, **changes: Any) -> list[Clip]:
    """Return `n` clips of each class of a task, without files."""
    classes = TASKS[task].classes
    return [Clip(Path(f"{c}{i}"), c, f"{c}{i}", **changes) for c in classes for i in range(n)]


def test_a_task_is_tested_fold_by_fold_in_classes_of_equal_size() -> None:
    task = TASKS["singer"]
    clips = [c for c in clips_of("singer", 30) if c.label == "male" or int(c.group[6:]) < 20]
    tested: set[str] = set()
    for repetition in range(10):
        train, validation, test = task.split(clips, repetition)
        assert [len(part) for part in (train, validation, test)] == [40, 5, 4]
        assert Counter(c.label for c in test) == {"male": 2, "female": 2}
        groups = [{c.group for c in part} for part in (train, validation, test)]
        assert len(set().union(*groups)) == sum(map(len, groups))
        tested |= groups[2]
    assert sum(name.startswith("female") for name in tested) == 20  # all of the smaller class
    assert task.split(clips, 0) == task.split(clips, 0) != task.split(clips, 10)
    with pytest.raises(ConfigError, match="2 folds of task 'singer': there must be at least 3"):
        task.split(clips, 0, n_folds=2)


def test_official_tests_and_folds_are_kept() -> None:
    engine = clips_of("engine-state", 10, part="train") + clips_of("engine-state", 4, part="test")[1:]
    train, validation, test = TASKS["engine-state"].split(engine, 0)
    assert (len(train), len(validation)) == (24, 6)
    assert {c.part for c in train + validation} == {"train"}
    assert Counter(c.label for c in test if c.part == "test") == dict.fromkeys(isa_engine.CLASSES, 3)
    sounds = [replace(c, fold=i % 5) for i, c in enumerate(clips_of("environment", 5))]
    train, validation, test = TASKS["environment"].split(sounds, 4)
    assert ({c.fold for c in test}, {c.fold for c in validation}) == ({4}, {0})
    assert {c.fold for c in train} == {1, 2, 3}


# -- indices -------------------------------------------------------------------------------------

HEADER = "path,content,detail,vocals,seconds,fold,source,group,gender,language,licence"
ROWS = [
    "a/1.wav,speech,,,1,0,reader,reader/ann,f,en,CC BY 4.0",
    "a/2.wav,speech,,,1,1,reader,reader/bob,m,en,CC BY 4.0",
    "b/3.wav,music,pop,sung,1,0,band,band/song,,,CC0",
    "b/4.wav,music,rock,,1,1,band,band/other,,,CC0",
    "c/5.wav,noise,,,1,0,world,world/wind,,,CC0",
    "c/6.wav,noise,,,1,1,world,world/rain,,,CC0",
    "d/7.wav,field recording,choir,,1,2,sefire,sefire/0,,,research",
    "d/8.wav,field recording,speech,,1,1,sefire,sefire/1,,,research",
    "e/9.wav,benchmark,music,,1,0,gtzan-speech-music,gtzan-sm/9,,,none",
    "f/jazz.00000.wav,benchmark,jazz,,1,2,gtzan-genres-part,gtzan/jazz.00000,,,none",
]


@pytest.fixture
def corpus(fill) -> Path:
    names = [f"corpus/{row.partition(',')[0]}" for row in ROWS]
    return fill(*names, **{"corpus/index.csv": "\n".join([HEADER, *ROWS]) + "\n"}) / "corpus"


def test_a_corpus_gives_its_classes_with_folds(corpus: Path) -> None:
    clips = DATASETS["corpus"].read(corpus)
    assert [(c.label, c.group, c.fold, c.licence) for c in clips[:3]] == [
        ("speech", "reader/ann", 0, "CC BY 4.0"),
        ("speech", "reader/bob", 1, "CC BY 4.0"),
        ("music", "band/song", 0, "CC0"),
    ]
    assert Counter(c.label for c in clips) == {"speech": 2, "music": 2, "noise": 2}
    assert DATASETS["corpus"].check(corpus) == DATASETS["corpus"].check(corpus.parent) == []


def test_benchmarks_of_a_corpus_are_those_datasets(corpus: Path) -> None:
    assert described("sefire", corpus) == [
        ("7", "music", "choir", "sefire/0"),
        ("8", "speech", "", "sefire/1"),
    ]
    assert [c.fold for c in DATASETS["sefire"].read(corpus.parent)] == [2, 1]
    assert described("gtzan-speech-music", corpus) == [("9", "music", "", "gtzan-sm/9")]
    assert described("gtzan-genres", corpus) == [("jazz.00000", "music", "jazz", "gtzan/jazz.00000")]
    assert [(c.label, c.fold) for c in TASKS["genre"].read(corpus)] == [("jazz", 2)]
    assert DATASETS["gtzan-genres"].check(corpus) == []
    assert DATASETS["sefire"].check(corpus) == DATASETS["gtzan-speech-music"].check(corpus) == []
    (corpus / "d/7.wav").unlink()
    assert DATASETS["sefire"].check(corpus) == ["1 files of the index are missing: d/7.wav"]
    assert len(DATASETS["sefire"].read(corpus)) == 1


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("c/6.wav,noise,,,1,1", "c/6.wav,noise,,,1,0", ["noise: no recording in fold 1"]),
        ("reader/bob", "reader/ann", ["1 groups lie in several folds: reader/ann"]),
        (
            "b/3.wav",
            "b/x.wav",
            ["1 files of the index are missing: b/x.wav", "1 foreign audio files: b/3.wav"],
        ),
        ("a/1.wav,speech,,,1,0", "a/1.wav,speech,,,long,0", ["line 2: seconds and fold must be numbers"]),
        ("group,", "", ["has no column group"]),
    ],
)
def test_a_wrong_index_is_told(corpus: Path, old: str, new: str, lines: list[str]) -> None:
    index = corpus / "index.csv"
    index.write_text(index.read_text().replace(old, new))
    found = DATASETS["corpus"].check(corpus)
    assert len(found) == len(lines)
    assert all(line in text for line, text in zip(lines, found, strict=True))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
@pytest.mark.parametrize("name", ["corpus", "sefire", "gtzan-speech-music", "gtzan-genres"])
def test_the_corpus_beside_the_repository_is_complete(name: str) -> None:
    assert DATASETS[name].check(CORPUS) == []


# -- annotated recordings ------------------------------------------------------------------------


def test_muspeak_takes_the_newer_annotation_and_keeps_overlap(fill) -> None:
    folder = fill(
        "theconcert2.mp3",
        "UTMA-26.mp3",
        "eatmycountry1609.mp3",
        **{
            "theconcert2.csv": "0,0.1,m\n",
            "theconcert2_v2.csv": "0.2,0.5,m\n0.4,0.2,s\n\n",
            "UTMA-26_v2.csv": "0,1,s\n",
        },
    )
    second, first = DATASETS["muspeak"].read(folder)[::-1]
    assert [(s.start, s.end, s.label) for s in first.reference] == [
        (0.2, 0.7, "music"),
        (0.4, pytest.approx(0.6), "speech"),
    ]
    assert first.reference.duration == pytest.approx(1.0)
    assert first.reference.labels == ("speech", "music")
    assert (first.group, second.group) == ("theconcert", "UTMA")
    lines = DATASETS["muspeak"].check(folder)
    assert lines[0].startswith("4 recordings are missing: Consc")
    assert lines[1].startswith("5 annotations are missing: Consc")
    fill(**{"UTMA-26_v2.csv": "0,1,s\n1,2,x\n"})
    with pytest.raises(
        AnnotationError, match=r"UTMA-26_v2.csv' line 2: '1,2,x': give start, duration and m or s"
    ):
        DATASETS["muspeak"].read(folder)
    assert "line 2" in DATASETS["muspeak"].check(folder)[-1]


def bmat(*annotators: dict[str, list[tuple[float, float]]]) -> str:
    annotations = {
        f"annotator_{n}": {
            name: {str(i): {"class": "music", "start": a, "end": b} for i, (a, b) in enumerate(marks)}
            | {"x": {"class": "no-music", "start": 0, "end": 1}}
            for name, marks in recordings.items()
        }
        for n, recordings in enumerate(annotators)
    }
    return json.dumps({"annotations": annotations, "agreement": {}})


def test_openbmat_takes_what_most_annotators_marked(fill) -> None:
    name = "France_Series_Films_1_2"
    annotation = "annotations/json/MD_mapping.json"
    marks = bmat({name: [(0.0, 0.5)]}, {name: [(0.2, 0.9)]}, {name: [(0.4, 0.6), (0.8, 1.0)]})
    folder = fill(f"audio/{name}.wav", "audio/else.wav", **{annotation: marks})
    (recording,) = DATASETS["openbmat"].read(folder)
    assert recording.reference.labels == ("music",)
    assert list(recording.reference) == [Segment(0.2, 0.6, "music"), Segment(0.8, 0.9, "music")]
    assert recording.detail == "Series_Films"
    assert DATASETS["openbmat"].check(folder) == [
        "annotated recordings: 1 files, the published dataset has 1647",
        "1 foreign audio files: audio/else.wav",
    ]
    fill(**{annotation: '{"annotations": {"a": {"b": [1]}}}'})
    (line,) = DATASETS["openbmat"].check(folder)
    assert "does not map annotators and recordings to segments" in line


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([[(0, 2)], [(1, 3)]], [(1, 2)]),
        ([[(0, 2)]], [(0, 2)]),
        ([[], [(0, 2)]], []),
        ([[(0, 1)], [(1, 2)], []], []),
        ([], []),
    ],
)
def test_the_majority_is_more_than_half(marks: list[Any], expected: list[tuple[float, float]]) -> None:
    assert majority(marks) == expected


@pytest.fixture
def films(fill) -> Path:
    return fill(
        "audio/-abc.wav",
        **{
            "labels/music labels/-abc.csv": "0.1,0.4,m\n",
            "labels/speech labels/-abc.csv": "0.2\t0.6\ts\n0.2\t0.6\tm\n",
            "labels/speech labels/half.csv": "0\t1\ts\n",
        },
    )


def test_avaspeech_takes_speech_and_music_from_their_own_files(films: Path) -> None:
    (recording,) = DATASETS["avaspeech-smad"].read(films)
    assert list(recording.reference) == [Segment(0.1, 0.4, "music"), Segment(0.2, 0.6, "speech")]
    assert DATASETS["avaspeech-smad"].check(films) == [
        "1 videos have one of the two annotations, the other is missing: half",
        "annotated videos: 1 files, the published dataset has 160",
    ]


def test_whole_films_are_refused(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avaspeech, "audio_seconds", lambda _: 5400.0)
    with pytest.raises(ConfigError, match="lasts 5400 s, but what is marked are the 900 s from 15:00 on"):
        DATASETS["avaspeech-smad"].read(films)
    assert "cut it" in DATASETS["avaspeech-smad"].check(films)[-1]


def test_dafx12_gives_spectrograms_with_targets(fill, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"LIF-h1": "test-austrian", "31-RSI2-2012_01_25_07_30_02": "train"}
    header = "start,duration,label\n"
    for name in names:
        folder = fill(
            **{
                f"dafx12/labels/music/{name}.csv": f"{header}0,5,1\n5,5,0\n",
                f"dafx12/labels/speech/{name}.csv": f"{header}0,4,0\n4,4,1\n8,2,0\n10,0,1\n",
            }
        )
        (folder / "dafx12/features").mkdir(exist_ok=True)
        np.save(folder / f"dafx12/features/{name}.npy", np.ones((3, 20), np.float32))
    swiss, austrian = DATASETS["dafx12"].read(folder)
    assert (swiss.part, swiss.group, austrian.part, austrian.group) == (
        "train",
        "RSI2",
        "test-austrian",
        "LIF",
    )
    assert list(swiss.reference) == [Segment(0, 5, "music"), Segment(4, 8, "speech")]
    assert swiss.reference.duration == 10
    assert swiss.load().shape == (3, 20)
    assert swiss.targets(20).T.tolist() == [[8 <= i < 16 for i in range(20)], [i < 10 for i in range(20)]]
    (line,) = DATASETS["dafx12"].check(folder)
    assert line.startswith("70 recordings or their annotations are missing: ")
    monkeypatch.setattr(dafx12, "_PART_OF", names)
    assert DATASETS["dafx12"].check(folder) == []
    np.save(swiss.path, np.ones(3))
    with pytest.raises(AudioError, match=r"has shape \(3,\)"):
        swiss.load()
    swiss.path.write_bytes(b"nonsense")
    (line,) = DATASETS["dafx12"].check(folder)
    assert "is no array of numbers" in line


def test_the_parts_of_dafx12_have_their_published_sizes() -> None:
    assert Counter(dafx12._PART_OF.values()) == {
        "train": 30,
        "validation": 12,
        "test-swiss": 18,
        "test-austrian": 12,
    }


# -- the command ---------------------------------------------------------------------------------


def test_the_command_lists_and_finds_copies(corpus: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert run(["datasets"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in out for name in DATASETS)
    assert run(["datasets", "--data", str(corpus.parent)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert f"2 of 3682 published files: {corpus}" in lines["sefire"]
    assert f"complete, 6 files: {corpus}" in lines["corpus"]
    assert lines["musan"].rstrip().endswith("none")


def test_the_list_as_json_says_what_was_found(corpus: Path, capsys) -> None:
    (corpus / "d/7.wav").unlink()
    assert run(["datasets", "--data", str(corpus), "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(entries) == list(DATASETS)
    assert entries["musan"]["copy"] is None
    assert entries["musan"]["checksums"] == {"musan.tar.gz": "md5:0c472d4fc0c5141eca47ad1ffeb2a7df"}
    assert entries["sefire"]["copy"] == {
        "folder": str(corpus),
        "problems": ["1 files of the index are missing: d/7.wav"],
        "n_files": None,
    }


def test_check_prints_problems_and_fails(corpus: Path, capsys) -> None:
    assert run(["datasets", "check", "corpus", str(corpus)]) == 0
    assert capsys.readouterr().out == "complete, 6 files\n"
    (corpus / "b/3.wav").unlink()
    assert run(["datasets", "check", "corpus", str(corpus)]) == 1
    assert "are missing: b/3.wav" in capsys.readouterr().out
    assert run(["datasets", "check", "musan", str(corpus)]) == 1
    assert "https://www.openslr.org/17/" in capsys.readouterr().out


def test_show_says_where_to_get_it(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["datasets", "show", "MUSAN"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("MUSAN\n")
    assert "Get musan.tar.gz (11 GB) at https://www.openslr.org/17/ and unpack it." in out
    assert run(["datasets", "show", "muspeak", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_files"] == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "mussan"], "no dataset 'mussan'; there are musan, "),
        (["--data", "/no/such/folder"], "--data /no/such/folder: there is no such folder"),
        (["--json", "show", "musan"], "belong behind 'show'"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: list[str], message: str, capsys) -> None:
    assert run(["datasets", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_melon_tells_what_its_archives_lack(tmp_path: Path) -> None:
    songs = [
        {"id": i, "song_gn_gnr_basket": genres}
        for i, genres in enumerate((["GN0100"], ["GN9000"], ["GN1500"], ["GN0100", "GN0200"], ["GN3000"], []))
    ]
    (tmp_path / "song_meta.json").write_text(json.dumps(songs))
    melon = DATASETS["melon"]
    count = "songs of one genre: 3 listed, Heo et al. have 612774"
    assert melon.check(tmp_path) == [count, "1 archives are missing: arena_mel_0.tar"]
    for n in (0, 2):
        with tarfile.open(tmp_path / f"arena_mel_{n}.tar", "w") as archive:
            archive.add(tmp_path / "song_meta.json", "0/0.npy")
    assert melon.check(tmp_path) == [count, "1 archives are missing: arena_mel_1.tar"]
    whole = (tmp_path / "arena_mel_0.tar").read_bytes()
    (tmp_path / "arena_mel_1.tar").write_bytes(whole[:700])
    assert melon.check(tmp_path) == [count, "'arena_mel_1.tar' is cut short; get it again"]
    assert described("melon", tmp_path) == [
        ("0", "music", "GN0100", "0"), ("1", "music", "GN3000", "1"), ("4", "music", "GN3000", "4"),
    ]  # fmt: skip
    assert len(melon.labels) == 28
    (tmp_path / "song_meta.json").write_text("{}{")
    assert "is no list of Melon's songs" in melon.check(tmp_path)[0]
