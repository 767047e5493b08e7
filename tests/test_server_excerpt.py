"""Pieces to be played: what `detect` hears there, to the sample, in any order."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from earmark.audio import read_audio
from earmark.bench import signals
from earmark.errors import AudioError
from earmark.server.excerpt import Player, check_piece, to_wav

SECONDS = 40.0
# Time stamps of these are whole milliseconds.
ROUNDED = (
    signals.Format("MP3 in Matroska", ".mkv", "libmp3lame", 44_100, 2, 128_000),
    signals.Format("Opus in WebM", ".webm", "libopus", 48_000, 2, 96_000),
)
STARTS = (0.0, 3.0, 30.0, 12.345, 12.845, 39.0, 0.5, 25.0)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return signals.material(SECONDS)


def mono(samples: np.ndarray) -> np.ndarray:
    return samples.mean(axis=1) / 32768


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("kind", [*signals.FORMATS, *ROUNDED], ids=lambda kind: kind.suffix)
def test_a_piece_is_where_detect_hears_it(tmp_path: Path, sound: np.ndarray, kind: signals.Format) -> None:
    path = signals.encode(tmp_path / f"a{kind.suffix}", kind, sound)
    rate = kind.sample_rate
    whole, _ = read_audio(path, sample_rate=rate)
    player = Player(str(path))
    assert (player.rate, player.n_channels) == (rate, kind.channels)
    for start in STARTS:
        found = mono(player.read(start, 0.5))
        first = round(start * rate)
        expected = whole[first : first + round(0.5 * rate)]
        assert len(found) == len(expected)
        # Decoders of AAC make up noise of their own, so that pieces need not be the same to the last bit.
        shifted = min(rms(found[1:] - expected[:-1]), rms(found[:-1] - expected[1:]))
        assert rms(found - expected) < 0.4 * shifted, f"{kind.name} at {start} s"
        assert kind.codec == "aac" or rms(found - expected) < 1e-3, f"{kind.name} at {start} s"
    assert len(player.read(SECONDS + 5, 1)) == 0
    player.close()


@pytest.mark.parametrize("kind", [signals.MP3, ROUNDED[0]], ids=lambda kind: kind.suffix)
def test_pieces_that_follow_each_other_are_the_whole(
    tmp_path: Path, sound: np.ndarray, kind: signals.Format
) -> None:
    path = signals.encode(tmp_path / f"a{kind.suffix}", kind, sound)
    player = Player(str(path))
    pieces = []
    while len(piece := player.read(0.7 * len(pieces), 0.7)):
        pieces.append(piece)
    whole, _ = read_audio(path, sample_rate=44_100)
    np.testing.assert_allclose(mono(np.concatenate(pieces)), whole, atol=1e-4)


def test_a_wav_says_what_it_holds() -> None:
    samples = np.arange(-10, 10, dtype=np.int16).reshape(-1, 2)
    with wave.open(io.BytesIO(to_wav(samples, 8000))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 10)
        assert file.readframes(10) == samples.astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("start", "seconds"), [(-1, 1), (0, 0), (0, 31), (float("nan"), 1), (0, float("inf"))]
)
def test_impossible_pieces_are_refused(start: float, seconds: float) -> None:
    with pytest.raises(AudioError, match="up to 30 s"):
        check_piece(start, seconds)
