"""What one recording may take of a batch, and long ones in parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchhelp import begin, fill, linux

from earmark.audio_writer import write_audio
from earmark.detector import Detector
from earmark.errors import ConfigError
from earmark.pool import Limits


def test_a_recording_that_hangs_or_kills_its_worker_costs_nothing_else(
    tmp_path: Path, tiny_model_path: Path
) -> None:
    fill(tmp_path / "in", "a.wav", "hangs.wav", "kills.wav", "z.wav")
    found = begin(tmp_path, tiny_model_path, Limits(seconds=2.0), jobs=2).outcomes
    assert {name: outcome.error for name, outcome in found.items()} == {
        "a.wav": None,
        "z.wav": None,
        "hangs.wav": "it took longer than 2 s, the limit of time; raise it, or check the recording",
        "kills.wav": "the process working on it died (SIGKILL); it may be damaged: convert it first",
    }


@linux
def test_a_recording_that_takes_too_much_memory_is_ended(tmp_path: Path, tiny_model_path: Path) -> None:
    fill(tmp_path / "in", "a.wav", "grows.wav")
    found = begin(tmp_path, tiny_model_path, Limits(memory_mb=600.0)).outcomes
    assert found["a.wav"].error is None
    assert found["grows.wav"].error == (
        "it took more than 600 MB, the limit of memory; raise it, or check the recording"
    )


def test_limits_of_nothing_are_refused(batch: Any) -> None:
    assert batch("retry", "out", "--timeout", "0")[2] == "earmark: a limit of time of 0: it must be above 0\n"


def test_a_long_recording_in_parts_has_the_timeline_it_has_in_one_piece(
    tmp_path: Path, strided_model_path: Path
) -> None:
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(0, 0.3, 126), 4 * 16_000)
    (tmp_path / "in").mkdir()
    for name, seconds in (("long.wav", 500.013), ("short.wav", 30.0)):
        n = round(16_000 * seconds)
        write_audio(tmp_path / "in" / name, (level[:n] * rng.standard_normal(n)).astype(np.float32), 16_000)
    found = begin(tmp_path, strided_model_path, jobs=2, split_s=120.0)
    assert found.outcomes["short.wav"].error is None
    for name in ("long.wav", "short.wav"):
        whole = Detector(strided_model_path).detect(tmp_path / "in" / name)
        result = json.loads((tmp_path / "out" / "results" / f"{name}.json").read_text())
        assert len(whole) > 0
        assert result["duration"] == whole.duration
        assert result["segments"] == [
            {key: getattr(s, key) for key in ("start", "end", "label", "confidence", "speech_to_music_db")}
            for s in whole
        ]
    assert list((tmp_path / "out" / "parts").iterdir()) == []


def test_models_that_hear_a_recording_as_a_whole_are_not_split(tmp_path: Path, tiny_model_path: Path) -> None:
    fill(tmp_path / "in", "a.wav")
    with pytest.raises(ConfigError, match="parts of 60 s: they must be 120 s or longer"):
        begin(tmp_path, tiny_model_path, split_s=60.0)
