"""Detector: from a signal or a recording to its timeline, and what importing earmark costs."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY_CARD, write_tiny_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import earmark
from earmark import posteriorstream
from earmark.card import DecodeOptions
from earmark.decode import decode
from earmark.detector import Detector, detect
from earmark.errors import AudioError, ConfigError, ModelError
from earmark.jobs import Job, Settings, run_jobs
from earmark.posteriors import Posteriors
from earmark.timeline import Segment, Timeline

Tone = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def detector(tiny_model_path: Path) -> Detector:
    return Detector(tiny_model_path)


@pytest.fixture
def programme(tone: Tone) -> np.ndarray:
    """Eight seconds: low tone 1 to 4 s, high tone 20 dB below it 3 to 6 s."""
    return tone(8, 440, 0.5, start=1, end=4) + tone(8, 5000, 0.05, start=3, end=6)


def test_tones_are_found_where_they_sound(detector: Detector, programme: np.ndarray) -> None:
    found = detector.detect(programme, 16_000)
    assert [s.label for s in found] == ["speech", "music"]
    assert [(s.start, s.end) for s in found] == [
        pytest.approx((1, 4), abs=0.041),
        pytest.approx((3, 6), abs=0.041),
    ]
    assert all(s.confidence is not None and s.confidence > 0.95 for s in found)
    # The tone's 20 dB, give or take the widths of the two mel filters.
    ratios = [s.speech_to_music_db for s in found]
    assert ratios == [pytest.approx(24, abs=6)] * 2
    assert (found.duration, found.labels, found.source) == (8.0, ("speech", "music", "noise"), None)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_other_rates_give_the_same_times(detector: Detector, tone: Tone, rate: int) -> None:
    found = detector.detect(tone(3.3, 500, start=1, end=2, rate=rate), rate)
    assert [(s.start, s.end, s.label) for s in found] == [
        (pytest.approx(1, abs=0.041), pytest.approx(2, abs=0.041), "speech")
    ]
    assert found.duration == pytest.approx(3.3, abs=1e-6)


def test_silence_and_nothing_give_an_empty_timeline(detector: Detector) -> None:
    assert detector.detect(np.zeros(160_001, np.float32), 16_000) == Timeline(
        (), 160_001 / 16_000, ("speech", "music", "noise")
    )
    assert detector.detect(np.zeros(0, np.float32), 16_000) == Timeline((), 0.0, ("speech", "music", "noise"))


def test_a_segment_up_to_the_end_ends_with_the_signal(detector: Detector, tone: Tone) -> None:
    found = detector.detect(tone(2.013, 440, start=1), 16_000)
    assert found[0].end == found.duration == pytest.approx(2.013, abs=1e-9)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), rate=st.sampled_from([16_000, 22_050]))
def test_the_stream_gives_the_same_segments_however_it_is_cut(
    detector: Detector, monkeypatch: pytest.MonkeyPatch, tone: Tone, data: st.DataObject, rate: int
) -> None:
    monkeypatch.setattr(posteriorstream, "CORE_FRAMES", 60)
    x = tone(9, 300, start=0.5, end=4, rate=rate) + tone(9, 4000, start=2, rate=rate)
    x[::7] += np.random.default_rng(0).normal(0, 0.002, len(x[::7])).astype(np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(x)), max_size=12)))
    found = tuple(detector.stream(np.split(x, cuts), rate))
    assert found == detector.detect(x, rate).segments
    assert {s.label for s in found} == {"speech", "music"}


def test_detecting_equals_decoding_the_posteriors(detector: Detector, programme: np.ndarray) -> None:
    posteriors = detector.model.posteriors(programme, 16_000)
    assert decode(posteriors, detector.options) == detector.detect(programme, 16_000)


def test_segments_come_before_the_signal_has_ended(detector: Detector, tone: Tone) -> None:
    given_out = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal given_out
        for _ in range(20):
            given_out += 1
            yield tone(10, 440, start=2, end=5)

    next(detector.stream(blocks(), 16_000))
    assert given_out < 20


def test_progress_rises_to_the_duration_and_the_sink_gets_all_posteriors(
    detector: Detector, tone: Tone
) -> None:
    x = tone(130.007, 440, start=100)
    told: list[tuple[float, float | None]] = []
    parts: list[Posteriors] = []
    found = detector.detect(x, 16_000, progress=lambda *both: told.append(both), posterior_sink=parts.append)
    seconds = [done for done, _ in told]
    assert seconds == sorted(seconds)
    assert len(seconds) >= 2
    assert {total for _, total in told} == {len(x) / 16_000}
    assert seconds[-1] == found.duration == pytest.approx(130.007, abs=1e-6)
    whole = Posteriors.concatenate(parts)
    assert np.array_equal(whole.values, detector.model.posteriors(x, 16_000).values)
    assert whole.duration == pytest.approx(130.007, abs=1e-6)


# -- options -------------------------------------------------------------------------------------


def test_options_change_only_what_they_name(tiny_model_path: Path) -> None:
    own = DecodeOptions(threshold=0.7, min_gap=2)
    options = Detector(tiny_model_path, {"speech": {"min_duration": 5}, "music": own}).options
    assert options == {
        "speech": replace(DecodeOptions(), min_duration=5),
        "music": own,
        "noise": DecodeOptions(),
    }


def test_a_release_moves_with_a_threshold_given_alone(tmp_path: Path) -> None:
    card = replace(
        TINY_CARD, decode=dict.fromkeys(TINY_CARD.labels, DecodeOptions(threshold=0.5, release=0.4))
    )
    path = write_tiny_model(tmp_path / "a.onnx", card)
    options = Detector(
        path, {"speech": {"threshold": 0.25}, "music": {"threshold": 0.25, "release": 0.1}}
    ).options
    assert options["speech"].release == pytest.approx(0.2)
    assert options["music"].release == 0.1
    assert options["noise"].release == 0.4


def test_options_reach_the_answer(tiny_model_path: Path, programme: np.ndarray) -> None:
    assert [s.label for s in detect(programme, 16_000, model=tiny_model_path)] == ["speech", "music"]
    assert len(detect(programme, 16_000, model=tiny_model_path, min_duration=3.5)) == 0
    only = Detector(tiny_model_path, {"speech": {"min_duration": 3.5}})
    assert [s.label for s in only.detect(programme, 16_000)] == ["music"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"singing": {"threshold": 0.5}}, "options for 'singing': the model knows speech, music, noise"),
        ({"speech": {"min_pause": 0.5}}, "unknown option 'min_pause'; there are threshold, release"),
        ({"speech": {"threshold": 1.5}}, "threshold 1.5: it must lie between 0 and 1"),
        ({"speech": {"threshold": "high"}}, "threshold 'high': it must be a number"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    tiny_model_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        Detector(tiny_model_path, options)
    assert "\n" not in str(refused.value)


def test_a_missing_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no model 'nobody'"):
        Detector("nobody")


# -- recordings ----------------------------------------------------------------------------------


def test_a_recording_gives_what_its_samples_give(
    detector: Detector, programme: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "programme.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((programme * 32767).astype("<i2").tobytes())
    found = detector.detect(path)
    wanted = detector.detect((programme * 32767).astype("<i2").astype(np.float32) / 32768, 16_000)
    assert found == replace(wanted, source=str(path))
    assert earmark.detect(str(path), model=detector.model) == found
    with path.open("rb") as file:
        assert detector.detect(file).segments == found.segments


def test_progress_tells_the_whole_of_a_recording_and_nothing_of_a_stream(
    detector: Detector, tmp_path: Path
) -> None:
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 40_000))
    told: list[tuple[float, float | None]] = []
    detector.detect(path, progress=lambda *both: told.append(both))
    assert told == [(2.5, 2.5)]
    list(detector.stream([np.zeros(40_000, np.float32)], 16_000, progress=lambda *both: told.append(both)))
    assert told[1:] == [(2.5, None)]


def test_a_rate_is_needed_with_samples_and_refused_with_a_recording(detector: Detector) -> None:
    with pytest.raises(AudioError, match="without a sample rate"):
        detector.detect(np.zeros(10, np.float32))
    with pytest.raises(AudioError, match="states its own"):
        detector.detect("a.wav", 16_000)
    for rate in (0, float("nan"), "16000"):
        with pytest.raises(AudioError, match=f"sample rate {rate!r} Hz: it must be"):
            detector.detect(np.zeros(10, np.float32), rate)


@pytest.mark.parametrize("scale", [32_768, 1e30, 1e300])
def test_integers_stored_as_floats_are_refused(detector: Detector, tone: Tone, scale: float) -> None:
    loud = np.concatenate([np.zeros(300_000), tone(2, 440).astype(np.float64) * scale])
    with pytest.raises(AudioError, match=r"far above full scale.*divide them by their full scale"):
        detector.detect(loud, 16_000)


# -- the package ---------------------------------------------------------------------------------


def loaded_after(code: str) -> set[str]:
    """Return the top-level modules a fresh interpreter holds after running `code`."""
    report = "; import sys; print(' '.join({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_earmark_loads_nothing_heavy() -> None:
    assert not loaded_after("import earmark") & {"numpy", "onnxruntime", "av", "soxr", "typer", "rich"}


def test_detecting_loads_no_other_framework(tiny_model_path: Path) -> None:
    code = (
        "import numpy, earmark; "
        f"earmark.detect(numpy.ones(16000, numpy.float32), 16000, model={str(tiny_model_path)!r})"
    )
    heavy = {"torch", "tensorflow", "scipy", "pandas", "librosa", "sklearn", "numba", "matplotlib", "onnx"}
    loaded = loaded_after(code)
    assert "onnxruntime" in loaded
    assert not loaded & heavy


@pytest.mark.parametrize("name", earmark.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(earmark, name).__name__ == name
    assert name in dir(earmark)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'detekt'"):
        _ = earmark.detekt
    assert set(earmark.__all__) == set(earmark._HOMES)
    assert earmark.Segment is Segment


def test_the_version_is_the_projects() -> None:
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^version = "(.+)"$', project, re.MULTILINE).group(1) == earmark.__version__  # type: ignore[union-attr]


def write_wav(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


@pytest.fixture
def long_recording(tmp_path: Path, tone: Tone) -> Path:
    x = tone(200, 440, 0.3, start=20, end=90.5, rate=22_050) + tone(
        200, 5000, 0.2, start=60, end=199, rate=22_050
    )
    return write_wav(tmp_path / "long.wav", x, 22_050)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "earmark-ahead"]


def test_threads_change_nothing(
    strided_model_path: Path, long_recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.detector.usable_cores", lambda: 2)
    found: list[tuple[Timeline, list[Any], list[Posteriors], int]] = []
    detector = Detector(strided_model_path)
    for threaded in (False, True):
        told: list[Any] = []
        parts: list[Posteriors] = []
        most = 0

        def note(*progress: float | None, told: list[Any] = told) -> None:
            nonlocal most
            most = max(most, len(threads()))
            told.append(progress)

        timeline = detector.detect(
            long_recording, progress=note, posterior_sink=parts.append, threaded=threaded
        )
        found.append((timeline, told, parts, most))
    plain, threaded_run = found
    assert plain[0] == threaded_run[0]
    assert len(plain[0]) > 0
    assert plain[1] == threaded_run[1]
    assert all(np.array_equal(a.values, b.values) for a, b in zip(plain[2], threaded_run[2], strict=True))
    assert plain[3] == 0
    assert threaded_run[3] >= 1
    assert threads() == []


@pytest.mark.parametrize("cores", [1, 2])
def test_one_core_gets_no_threads(
    detector: Detector, long_recording: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr("earmark.detector.usable_cores", lambda: cores)
    started: list[str] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda self: (started.append(self.name), start(self))[1])
    detector.detect(long_recording)
    assert len(started) == (2 if cores == 2 else 0)


def test_errors_leave_no_threads_behind(
    detector: Detector, long_recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.detector.usable_cores", lambda: 2)

    def refuse(part: Posteriors) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detector.detect(long_recording, posterior_sink=refuse)
    assert threads() == []
    (tmp_path / "bad.flac").write_bytes(b"fLaC" + bytes(5000))
    with pytest.raises(AudioError, match=r"bad\.flac' cannot be read"):
        detector.detect(tmp_path / "bad.flac")
    nothing = np.full(60 * 16_000, np.nan, "<f4")
    nothing[: 50 * 16_000] = 0
    write_float_wav(tmp_path / "nan.wav", nothing)
    with pytest.raises(AudioError, match=r"holds values that are no numbers .* at 50\.000 s"):
        detector.detect(tmp_path / "nan.wav")
    assert threads() == []


def write_float_wav(path: Path, samples: np.ndarray) -> None:
    data = samples.astype("<f4").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 3, 1, 16_000,
                       64_000, 4, 32, b"data", len(data))  # fmt: skip
    path.write_bytes(head + data)


def test_an_open_file_is_read_where_detect_was_called(
    detector: Detector, long_recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.detector.usable_cores", lambda: 2)
    readers: set[int] = set()

    class _Noting(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            readers.add(threading.get_ident())
            return super().read(size)

    with _Noting(long_recording) as file:
        found = detector.detect(file)  # type: ignore[arg-type]
    assert readers == {threading.get_ident()}
    assert found.segments == detector.detect(long_recording).segments


@pytest.mark.parametrize(("processes", "threaded"), [(1, False), (4, True)])
def test_a_recording_by_itself_may_use_the_cores_that_several_would(
    detector: Detector, long_recording: Path, monkeypatch: pytest.MonkeyPatch, processes: int, threaded: bool
) -> None:
    asked: list[bool] = []
    detect = Detector.detect

    def noting(self: Detector, *arguments: Any, threaded: bool, **named: Any) -> Timeline:
        asked.append(threaded)
        return detect(self, *arguments, threaded=threaded, **named)

    monkeypatch.setattr(Detector, "detect", noting)
    settings = Settings(detector.model.origin, detector.options)
    job = Job(str(long_recording), "long.wav")
    ((_, record),) = run_jobs(
        [job], settings, processes=processes, progress=lambda *_: None, detector=detector
    )
    assert record.error is None
    assert asked == [threaded]
