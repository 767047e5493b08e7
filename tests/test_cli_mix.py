"""`earmark mix`: files with exact labels, the same again from the same seed, and clear refusals."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from earmark.audio import read_audio
from earmark.audio_writer import AUDIO_FORMATS, write_audio
from earmark.cli.app import run
from earmark.errors import AudioError, ConfigError, EarmarkError
from earmark.formats import read
from earmark.programme import Event, Programme
from earmark.sources import Source

RATE = 16_000


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings a class: tones of 500 Hz for speech, of 1500 Hz for music, of 3000 Hz for noise."""
    folder = tmp_path_factory.mktemp("recordings")
    t = np.arange(12 * RATE) / RATE
    rows = ["path,content,detail,vocals,seconds,fold,source,group,gender,language,licence"]
    for content, hz in (("speech", 500), ("music", 1500), ("noise", 3000)):
        (folder / content).mkdir()
        for k in range(3):
            write_audio(folder / content / f"{k}.wav", 0.1 * np.sin(2 * np.pi * hz * t), RATE)
            rows.append(f"{content}/{k}.wav,{content},,,12,{k},{content}-set,{content}/{k},,,CC BY {k}.0")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder


def mix(recordings: Path, out: Path, *options: str) -> int:
    """Run the command on the index, for programmes of 30 s."""
    return run(["mix", "--index", str(recordings / "index.csv"), "-o", str(out), "-d", "30", *options])


def test_programmes_come_with_labels_that_fit_the_sound(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(sources: Sequence[Source], duration: float, rng: np.random.Generator) -> Programme:
        index = {s.content: i for i, s in enumerate(sources)}
        bed = ((5.0, 6.0, 14.0, 15.0), (-18.0, -30.0, -30.0, -18.0))
        return Programme(
            duration,
            (
                Event(index["speech"], 6.0, 8.0, float(rng.integers(3)), (0.0,), (-20.0,)),
                Event(index["music"], 1.0, 18.0, 2.0, *bed),
                Event(index["noise"], 20.0, 5.0, 0.0, (0.0,), (-25.0,)),
            ),
        )

    monkeypatch.setattr("earmark.planner.plan", plan)
    assert mix(recordings, tmp_path, "-n", "2") == 0
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "mix.json",
        "programme-0001.csv",
        "programme-0001.wav",
        "programme-0002.csv",
        "programme-0002.wav",
    ]
    for name in ("programme-0001", "programme-0002"):
        reference = read(tmp_path / f"{name}.csv")
        assert [(s.start, s.end, s.label) for s in reference] == [
            (1.0, 19.0, "music"),
            (6.0, 14.0, "speech"),
            (20.0, 25.0, "noise"),
        ]
        assert reference[0].speech_to_music_db == reference[1].speech_to_music_db == pytest.approx(10, abs=2)
        samples, _ = read_audio(tmp_path / f"{name}.wav")
        assert len(samples) == 30 * RATE
        cells = np.abs(np.fft.rfft(samples.reshape(-1, 320), axis=1)) / 160
        for segment, hz in zip(reference, (1500, 500, 3000), strict=True):
            heard = np.flatnonzero(cells[:, hz // 50] > 0.01) * 0.02
            assert heard[0] == pytest.approx(segment.start)
            assert heard[-1] + 0.02 == pytest.approx(segment.end)


def test_mix_json_tells_the_plan_the_sources_and_their_licences(recordings: Path, tmp_path: Path) -> None:
    assert mix(recordings, tmp_path, "--seed", "1", "--codec", "mp3:24", "--codec", "mulaw", "-n", "2") == 0
    record = json.loads((tmp_path / "mix.json").read_text(encoding="utf-8"))
    assert record["seed"] == 1
    assert {"earmark", "numpy", "av"} <= record["versions"].keys()
    first, second = record["programmes"]
    assert first["effects"] == [{"name": "code", "parameters": {"codec": "mp3", "kbps": 24.0}}]
    assert second["effects"] == [{"name": "code", "parameters": {"codec": "mulaw", "kbps": None}}]
    used = {event["source"] for p in record["programmes"] for event in p["events"]}
    assert used == set(range(len(record["sources"])))
    assert {(s["origin"], s["licence"]) for s in record["sources"]} == {
        (a["origin"], a["licence"]) for a in record["attribution"]
    }
    assert all(Path(s["path"]).is_file() for s in record["sources"])


def test_a_seed_gives_the_same_files_however_many_are_made(recordings: Path, tmp_path: Path) -> None:
    assert mix(recordings, tmp_path / "a", "--seed", "7", "--effects", "-n", "2") == 0
    assert mix(recordings, tmp_path / "b", "--seed", "7", "--effects", "-n", "1") == 0
    assert mix(recordings, tmp_path / "c", "--seed", "8", "--effects", "-n", "1") == 0
    for suffix in ("wav", "csv"):
        one, same, other = (
            (tmp_path / folder / f"programme-0001.{suffix}").read_bytes() for folder in ("a", "b", "c")
        )
        assert one == same
        assert one != other


def test_folds_and_origins_limit_the_sources(recordings: Path, tmp_path: Path) -> None:
    assert (
        mix(recordings, tmp_path, "--fold", "0", "--fold", "2", "--not-origin", "noise-set", "-n", "2") == 0
    )
    sources = json.loads((tmp_path / "mix.json").read_text())["sources"]
    assert {s["fold"] for s in sources} == {0, 2}
    assert {s["content"] for s in sources} == {"speech", "music"}


def test_folders_and_other_formats_work(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--speech", str(recordings / "speech"), "--sung", str(recordings / "music")]
    options = ["-d", "20", "-f", "json", "-f", "textgrid", "--audio-format", "flac"]
    assert run(["mix", "-o", str(tmp_path / "new" / "mix"), *folders, *options]) == 0
    names = {f.name for f in (tmp_path / "new" / "mix").iterdir()}
    assert names == {"mix.json", "programme-0001.flac", "programme-0001.json", "programme-0001.TextGrid"}
    timeline = read(tmp_path / "new" / "mix" / "programme-0001.json")
    assert timeline.duration == 20
    assert timeline.labels[:2] == ("speech", "music")
    assert "1 programme of 20 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--codec", "mp3:1"], "give 8 to 160 kbit/s"),
        (["--codec", "mp3:32", "--effects"], "exclude each other"),
        (["--audio-format", "aac"], "choose one of wav, flac, mp3, opus"),
        (["-f", "xml"], "unknown format 'xml'"),
        (["--origin", "nobody"], "no source comes from nobody"),
        (["--fold", "9"], "choose more widely"),
        (["--speech", "."], "give either --index FILE, or folders"),
        (["--count", "0"], "count"),
        (["--duration", "0.5"], "duration"),
        (["--duration", "nan"], "--duration nan: give 1 to 21600 seconds"),
    ],
)
def test_wrong_options_end_with_one_line_and_write_nothing(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    out = tmp_path / "out"
    assert mix(recordings, out, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_an_earlier_mix_is_kept_unless_forced(recordings: Path, tmp_path: Path) -> None:
    assert mix(recordings, tmp_path) == 0
    before = (tmp_path / "mix.json").read_bytes()
    assert mix(recordings, tmp_path, "--seed", "5") == 2
    assert (tmp_path / "mix.json").read_bytes() == before
    assert mix(recordings, tmp_path, "--seed", "5", "--force") == 0
    assert (tmp_path / "mix.json").read_bytes() != before


def test_a_forced_mix_leaves_nothing_of_the_earlier_one(recordings: Path, tmp_path: Path) -> None:
    assert mix(recordings, tmp_path, "-n", "2", "-f", "csv", "-f", "rttm") == 0
    (tmp_path / "mine.txt").touch()
    assert mix(recordings, tmp_path, "--audio-format", "flac", "--force") == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"mix.json", "mine.txt", "programme-0001.flac", "programme-0001.csv"}


@pytest.mark.parametrize("suffix", AUDIO_FORMATS)
def test_written_audio_reads_back_in_place(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).standard_normal(3 * RATE)
    signal = 0.1 * np.convolve(noise, np.hanning(16) / 8, mode="same") * (np.arange(3 * RATE) > RATE)
    path = tmp_path / f"a.{suffix}"
    write_audio(path, signal, RATE)
    assert [f.name for f in tmp_path.iterdir()] == [path.name]
    samples, _ = read_audio(path)
    assert len(samples) == pytest.approx(len(signal), abs=0.1 * RATE)
    n = min(len(samples), len(signal))
    product = np.conj(np.fft.rfft(signal[:n], 2 * n)) * np.fft.rfft(samples[:n], 2 * n)
    best = int(np.argmax(np.fft.irfft(product)))
    assert min(best, 2 * n - best) <= 0.005 * RATE
    if suffix in ("wav", "flac"):
        assert np.allclose(samples, signal, atol=2 / 32768)
        with av.open(str(path)) as container:
            assert container.streams.audio[0].layout.nb_channels == 1


def test_audio_beyond_full_scale_is_cut_and_wrong_targets_are_refused(tmp_path: Path) -> None:
    write_audio(tmp_path / "loud.wav", [-2.0, 2.0], RATE)
    assert np.allclose(read_audio(tmp_path / "loud.wav")[0], [-1, 1], atol=1e-4)
    with pytest.raises(ConfigError, match=r"must end in \.wav"):
        write_audio(tmp_path / "a.aiff", [0.0], RATE)
    with pytest.raises(AudioError, match="44100 Hz: libopus allows"):
        write_audio(tmp_path / "a.opus", [0.0], 44_100)
    with pytest.raises(EarmarkError, match=r"a\.wav' cannot be written: "):
        write_audio(tmp_path / "loud.wav" / "a.wav", [0.0], RATE)
    with pytest.raises(AudioError, match="one mono channel"):
        write_audio(tmp_path / "a.wav", np.zeros((2, 5)), RATE)
    assert [f.name for f in tmp_path.iterdir()] == ["loud.wav"]


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "opus"])
def test_a_full_disk_is_one_error_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], suffix: str
) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def seek(self, offset: int, whence: int = 0) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def full_disk(path: Path, *, binary: bool) -> Iterator[io.BytesIO]:
        yield Full()

    monkeypatch.setattr("earmark.audio_writer.atomic_write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_audio(tmp_path / f"a.{suffix}", np.zeros(60 * 48_000, np.float32), 48_000)
    assert capfd.readouterr() == ("", "")
