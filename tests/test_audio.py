"""Reading recordings: levels, times, formats, damage, and what a user is told."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
import time
import wave
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from earmark.audio import open_audio, read_audio, to_mono
from earmark.errors import AudioError
from earmark.headers import index_comes_last

RATE = 16_000


def tone(seconds: float, rate: int, hz: float = 440.0, level: float = 0.5) -> np.ndarray:
    """A sine, shape=(1, n)."""
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate))[None].astype(np.float32)


def burst(seconds: float, rate: int, at: float) -> np.ndarray:
    """Silence with a tone from `at` on, shape=(1, n)."""
    samples = tone(seconds, rate, 1000.0)
    samples[:, : round(at * rate)] = 0
    return samples


def onset(samples: np.ndarray, rate: int = RATE) -> float:
    """When a signal first exceeds a fifth of its peak, seconds."""
    return float(np.argmax(np.abs(samples) > 0.2 * np.abs(samples).max())) / rate


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def write(
    target: Path | io.BytesIO,
    channels: np.ndarray,
    rate: int = RATE,
    codec: str = "pcm_s16le",
    *,
    layout: str | None = None,
    container: str | None = None,
    frame: int = 1024,
    starts: dict[int, float] | None = None,
    video_s: float = 0.0,
    options: dict[str, str] | None = None,
    bit_rate: int | None = None,
) -> Path | io.BytesIO:
    """Encode float channels; `starts` moves the time stamps from a sample on, seconds."""
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[len(channels)]
    with av.open(target, "w", format=container, container_options=options or {}) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        pictures = out.add_stream("mpeg4", rate=5) if video_s else None
        if pictures is not None:
            pictures.width = pictures.height = 32
            pictures.pix_fmt = "yuv420p"
            for index in range(round(5 * video_s)):
                picture = av.VideoFrame.from_ndarray(np.zeros((48, 32), np.uint8), format="yuv420p")
                picture.pts, picture.time_base = index, Fraction(1, 5)
                out.mux(pictures.encode(picture))
            out.mux(pictures.encode(None))
        shift = 0.0
        for first in range(0, channels.shape[1], frame):
            shift = (starts or {}).get(first, shift)
            piece = channels[:, first : first + frame].T.astype(np.float32).reshape(1, -1)
            sound = av.AudioFrame.from_ndarray(piece, format="flt", layout=layout)
            sound.sample_rate = rate
            sound.pts, sound.time_base = first + round(shift * rate), Fraction(1, rate)
            out.mux(stream.encode(sound))
        out.mux(stream.encode(None))
    return target


def encoded(*args: object, **kwargs: object) -> bytes:
    buffer = io.BytesIO()
    write(buffer, *args, **kwargs)  # type: ignore[arg-type]
    return buffer.getvalue()


def read(source: object) -> tuple[np.ndarray, list[str]]:
    """Read a source given as anything, or as bytes; return samples and warnings."""
    with open_audio(io.BytesIO(source) if isinstance(source, bytes) else source) as audio:  # type: ignore[arg-type]
        samples = np.concatenate(list(audio))
        return samples, audio.warnings


class Pipe(io.RawIOBase):
    """Bytes that can only be read on, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:  # type: ignore[override]
        return self._data.read(min(size, 3000))


# -- what is heard ---------------------------------------------------------------------------------


def test_16_bit_samples_at_the_wanted_rate_come_back_exactly() -> None:
    signal = np.round(tone(1.5, RATE) * 32000) / 32768
    samples, warnings = read(encoded(signal, container="wav"))
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, signal[0])
    assert warnings == []


@pytest.mark.parametrize(
    ("codec", "container", "tolerance"),
    [
        ("pcm_u8", "wav", 0.01),
        ("pcm_s16be", "aiff", 1e-4),
        ("pcm_s24le", "wav", 1e-4),
        ("pcm_s32le", "wav", 1e-4),
        ("pcm_s64le", "nut", 1e-4),
        ("pcm_f32le", "wav", 1e-4),
        ("pcm_f64le", "wav", 1e-4),
        ("pcm_mulaw", "wav", 0.02),
        ("pcm_s16le_planar", "nut", 1e-4),
        ("adpcm_ima_wav", "wav", 0.02),
        ("flac", "flac", 1e-4),
        ("alac", "mov", 1e-4),
        ("libmp3lame", "mp3", 0.06),  # LAME lowers the level by 5 %
        ("aac", "mp4", 0.02),
        ("aac", "matroska", 0.02),
        ("libopus", "ogg", 0.02),
        ("mp2", "mpegts", 0.02),
    ],
)
def test_level_length_and_onset_survive_every_format(codec: str, container: str, tolerance: float) -> None:
    rate = 48_000
    signal = np.repeat(burst(2.0, rate, 0.5), 2, axis=0)
    samples, warnings = read(encoded(signal, rate, codec, container=container))
    # AAC in Matroska and MP2 carry no or only a rounded account of the encoder's delay.
    slack = 0.03 if container in ("matroska", "mpegts") else 0.002
    assert onset(samples) == pytest.approx(0.5, abs=slack)
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.05)
    assert rms(samples[12_000:28_000]) == pytest.approx(0.5 / np.sqrt(2), rel=tolerance)
    assert warnings == []


def test_a_lead_in_that_the_decoder_leaves_out_counts_where_the_container_counts_it() -> None:
    data = encoded(burst(2.0, 44_100, 0.5), 44_100, "wmav2", container="asf", bit_rate=96_000)
    with av.open(io.BytesIO(data)) as container:
        frame = next(container.decode(audio=0))
        assert (container.streams.audio[0].start_time, frame.time) == (0, pytest.approx(0.092, abs=0.001))
    assert onset(read(data)[0]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000])
def test_a_tone_keeps_its_pitch_level_and_length_at_any_rate(rate: int) -> None:
    samples, _ = read(encoded(tone(3.0, rate, 1000.0), rate, container="wav"))
    assert len(samples) == 3 * RATE
    expected = tone(3.0, RATE, 1000.0)[0]
    np.testing.assert_allclose(samples[800:-800], expected[800:-800], atol=2e-4)


def test_what_lies_above_the_new_nyquist_frequency_is_removed() -> None:
    samples, _ = read(encoded(tone(1.0, 96_000, 10_000.0), 96_000, "pcm_f32le", container="wav"))
    assert rms(samples[800:-800]) < 1e-5


@pytest.mark.parametrize("n_channels", [1, 2, 6, 8])
@pytest.mark.parametrize("codec", ["pcm_f32le", "flac"])
def test_equal_channels_keep_their_level(n_channels: int, codec: str) -> None:
    signal = np.full((n_channels, RATE), 0.8, np.float32)
    samples, _ = read(encoded(signal, codec=codec, container="wav" if codec[0] == "p" else "flac"))
    np.testing.assert_allclose(samples, 0.8, atol=1e-4)


def test_eight_planar_channels_are_averaged() -> None:
    levels = np.linspace(0.1, 0.8, 8)[:, None]
    levels[3] = 0  # the low-frequency channel, which could not hold the tone
    samples, _ = read(encoded(tone(2.0, 48_000, level=1.0) * levels, 48_000, "aac", container="mp4"))
    assert rms(samples[8000:24_000]) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)


def test_where_channels_cancel_the_loudest_is_used_and_one_warning_names_the_span() -> None:
    left = tone(6.0, RATE)[0]
    right = 0.9 * left
    right[2 * RATE : 4 * RATE] *= -1
    samples, warnings = read(encoded(np.stack([left, right]), codec="pcm_f32le", container="wav"))
    np.testing.assert_array_equal(samples[2 * RATE : 4 * RATE], left[2 * RATE : 4 * RATE])
    np.testing.assert_allclose(samples[4 * RATE :], 0.95 * left[4 * RATE :], atol=1e-6)
    assert len(warnings) == 1
    assert "opposite phase" in warnings[0]
    assert "between 00:00:02 and 00:00:04, 2 s" in warnings[0]


def test_one_silent_channel_of_two_is_no_cancellation() -> None:
    signal = np.concatenate([tone(2.0, RATE), np.zeros((1, 2 * RATE))])
    samples, warnings = read(encoded(signal, codec="pcm_f32le", container="wav"))
    assert rms(samples) == pytest.approx(0.25 / np.sqrt(2), rel=1e-3)
    assert warnings == []


def test_samples_do_not_depend_on_how_the_file_is_cut_into_frames() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(-0.5, 0.5, (2, 3 * 44_100 + 17)).astype(np.float32)
    signal[1, 44_100:60_000] = -signal[0, 44_100:60_000]
    wav, _ = read(encoded(signal, 44_100, container="wav"))
    assert len(wav) == round(signal.shape[1] * RATE / 44_100)
    for frame, container in ((100, "nut"), (30_000, "nut"), (50_000, "nut")):
        other, _ = read(encoded(signal, 44_100, container=container, frame=frame))
        np.testing.assert_array_equal(other, wav)
    other, _ = read(encoded(signal, 44_100, "flac", container="flac"))
    np.testing.assert_array_equal(other, wav)


def test_blocks_are_of_bounded_length(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", np.zeros((1, 90 * 8000), np.float32), 8000, frame=65_536)
    with open_audio(path) as audio:  # type: ignore[arg-type]
        lengths = [len(block) / RATE for block in audio]
    assert sum(lengths) == 90
    assert all(10 <= length <= 30 for length in lengths[:-1])


def test_rate_and_channels_may_change_in_mid_stream() -> None:
    options = {"write_xing": "0"}
    first = encoded(tone(2.0, 44_100), 44_100, "libmp3lame", container="mp3", options=options)
    stereo = np.repeat(tone(2.0, 48_000), 2, axis=0)
    second = encoded(stereo, 48_000, "libmp3lame", container="mp3", options=options)
    samples, _ = read(first + second)
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.2)
    for middle in (RATE, 3 * RATE):
        window = samples[middle : middle + RATE // 2]
        assert rms(window) == pytest.approx(0.5 / np.sqrt(2), rel=0.06)
        crossings = np.count_nonzero(np.diff(np.signbit(window)))
        assert crossings == pytest.approx(440, abs=4)


def test_attributes_describe_the_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", np.zeros((2, 44_100), np.float32), 44_100, "flac")
    with open_audio(str(path), sample_rate=8000) as audio:
        assert (audio.codec, audio.n_channels, audio.native_rate) == ("flac", 2, 44_100)
        assert audio.name == str(path)
        assert audio.duration == pytest.approx(1.0)
        assert sum(map(len, audio)) == 8000


def test_read_audio_returns_samples_and_their_rate() -> None:
    samples, rate = read_audio(io.BytesIO(encoded(tone(0.5, RATE), container="wav")), sample_rate=8000)
    assert (len(samples), rate) == (4000, 8000)


# -- the container's time line ---------------------------------------------------------------------


def test_sound_that_starts_after_the_pictures_starts_late() -> None:
    data = encoded(burst(2.0, RATE, 0.25), container="matroska", video_s=3.0, starts={0: 0.5})
    samples, warnings = read(data)
    assert onset(samples) == pytest.approx(0.75, abs=0.002)
    assert len(samples) / RATE == pytest.approx(2.5, abs=0.002)
    assert warnings == []


def test_sound_alone_starts_at_zero_whatever_its_time_stamps() -> None:
    samples, _ = read(encoded(burst(2.0, RATE, 0.25), container="matroska", starts={0: 0.5}))
    assert onset(samples) == pytest.approx(0.25, abs=0.002)


def test_a_gap_in_the_time_stamps_becomes_silence() -> None:
    data = encoded(tone(4.0, RATE), container="matroska", frame=1600, starts={32_000: 1.5})
    samples, warnings = read(data)
    assert len(samples) / RATE == pytest.approx(5.5, abs=0.002)
    assert rms(samples[33_000:55_000]) == 0
    assert rms(samples[57_000:]) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert len(warnings) == 1
    assert "gaps (1, the first at 00:00:02); 1.50 s" in warnings[0]


def test_gaps_up_to_a_tenth_of_a_second_are_rounding() -> None:
    data = encoded(tone(4.0, RATE), container="matroska", frame=1600, starts={32_000: 0.08})
    samples, warnings = read(data)
    assert len(samples) == 4 * RATE
    assert warnings == []


def test_time_stamps_that_jump_by_hours_or_back_are_not_followed() -> None:
    data = encoded(tone(4.0, RATE), container="matroska", frame=1600, starts={32_000: 10_000.0})
    samples, warnings = read(data)
    assert len(samples) == 4 * RATE
    assert any("jump at 00:00:02" in warning for warning in warnings)
    once = encoded(tone(4.0, 48_000), 48_000, "mp2", container="mpegts")
    assert len(read(once + once)[0]) == 2 * len(read(once)[0])


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("pcm_s16le", "wav", {}),
        ("pcm_f32le", "wav", {}),
        ("flac", "flac", {}),
        ("libmp3lame", "mp3", {}),
        ("aac", "mp4", {"movflags": "faststart"}),
        ("libopus", "matroska", {}),
    ],
)
def test_a_file_that_breaks_off_gives_what_is_there_and_a_warning(
    codec: str, container: str, options: dict[str, str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    noise = rng.uniform(-0.3, 0.3, (1, 10 * 48_000)).astype(np.float32)
    path = tmp_path / "whole"
    write(path, noise, 48_000, codec, container=container, options=options)
    data = path.read_bytes()
    assert read(data)[1] == []
    samples, warnings = read(data[: int(0.4 * len(data))])
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.4)
    assert len(warnings) == 1
    assert "breaks off at 00:00:04 (of an expected 00:00:10): what follows is missing" in warnings[0]


def test_a_hole_in_an_mp3_is_said_to_shift_what_follows() -> None:
    data = bytearray(encoded(tone(10.0, 48_000), 48_000, "libmp3lame", container="mp3"))
    third = len(data) // 3
    data[third : third + third // 2] = bytes(third // 2)
    _, warnings = read(bytes(data))
    assert any("damaged at 00:00:03" in warning for warning in warnings)
    assert "lost at the damage, and later times are early by it" in warnings[-1]


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_an_ogg_file_without_its_last_page_breaks_off(codec: str) -> None:
    sound = np.random.default_rng(1).uniform(-0.3, 0.3, (1, 10 * 48_000)).astype(np.float32)
    data = encoded(sound, 48_000, codec, container="ogg")
    assert read(data)[1] == read(data + data)[1] == []
    for length in (len(data) // 2, data.rindex(b"OggS"), data.rindex(b"OggS") + 20, len(data) - 1):
        _, warnings = read(data[:length])
        assert len(warnings) == 1
        assert "(the end of the file is missing): what follows is missing" in warnings[0]


def test_a_coded_signal_in_the_samples_of_a_wav_is_decoded() -> None:
    raw = io.BytesIO()
    with av.open(raw, "w", format="spdif") as container:
        stream = container.add_stream("ac3", rate=48_000, layout="stereo")
        sound = np.tile(0.3 * np.sin(2 * np.pi * 500 * np.arange(96_000) / 48_000), (2, 1))
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((2, 2, 48_000, 0, "NONE", ""))
        wav.writeframes(raw.getvalue())
    file.seek(0)
    with open_audio(file) as audio:
        samples = np.concatenate(list(audio))
        assert audio.codec == "ac3"
    assert np.sqrt(np.mean(samples[8000:16_000] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)


def test_a_wav_in_a_pipe_that_breaks_off_is_noticed_too() -> None:
    data = encoded(tone(4.0, RATE), container="wav")
    _, warnings = read(Pipe(data[: len(data) // 4 * 2]))
    assert "breaks off at 00:00:02 (of an expected 00:00:04)" in warnings[0]


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF])
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
def test_a_wav_header_written_into_a_pipe_promises_nothing(size: int, codec: str) -> None:
    data = encoded(tone(2.0, RATE), codec=codec, container="wav")
    at = data.index(b"data") + 4
    data = data[:4] + b"\xff" * 4 + data[8:at] + size.to_bytes(4, "little") + data[at + 4 :]
    for source in (data, Pipe(data)):
        samples, warnings = read(source)
        assert len(samples) == 2 * RATE
        assert warnings == []


def test_damage_in_the_middle_is_read_as_silence_of_the_same_length() -> None:
    data = bytearray(encoded(tone(6.0, 48_000, 3000.0), 48_000, "aac", container="mp4"))
    whole, _ = read(bytes(data))
    with av.open(io.BytesIO(data)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for at, size in packets[140:148]:
        assert at is not None
        data[at : at + size] = b"\xff" * size
    samples, warnings = read(bytes(data))
    assert len(samples) == len(whole)
    assert rms(samples[round(3.0 * RATE) : round(3.1 * RATE)]) < 0.05
    np.testing.assert_allclose(samples[-2 * RATE :], whole[-2 * RATE :], atol=0.02)
    assert len(warnings) == 1
    assert warnings[0].startswith("damaged at 00:00:03: 8 packets cannot be decoded, 0.17 s")


@pytest.mark.parametrize(
    ("value", "codec"), [(np.nan, "pcm_f32le"), (np.inf, "pcm_f32le"), (-np.inf, "pcm_f64le")]
)
def test_a_sample_that_is_no_number_is_an_error_that_names_its_time(value: float, codec: str) -> None:
    signal = np.zeros((2, 8000 * 4), np.float32)
    signal[0, 8000 * 2 + 400] = value
    with pytest.raises(AudioError, match=r"NaN or infinity\) at 2\.050 s"):
        read(encoded(signal, 8000, codec, container="wav"))


# -- errors ----------------------------------------------------------------------------------------


def only_pictures() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 32), np.uint8), format="yuv420p")
        picture.pts = 0
        out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def image() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as out:
        stream = out.add_stream("png")
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb24"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def of_unknown_codec() -> bytes:
    return encoded(tone(1.0, RATE), container="wav").replace(
        b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x99\x99"
    )


def with_a_rate_no_recording_has() -> bytes:
    data = encoded(tone(1.0, RATE), container="wav")
    return data.replace(RATE.to_bytes(4, "little"), (2_000_000_000).to_bytes(4, "little"), 1)


def without_samples() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.wav", b"", "is empty (0 bytes)"),
        ("text.mp3", b"Dear listener, this is a letter.\n" * 100, "is no audio or video, or its header"),
        ("film.mkv", only_pictures, "has no audio (video only)"),
        ("cover.png", image, "has no audio (video only)"),
        ("titles.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n", "has no audio (subtitle only)"),
        ("rare.wav", of_unknown_codec, "no decoder for its sound"),
        ("none.wav", without_samples, "holds no sound"),
        ("rate.wav", with_a_rate_no_recording_has, "states 1 channels at 2000000000 Hz"),
        ("head.flac", lambda: b"fLaC" + bytes(60), "cannot be read"),
        (
            "cut.m4a",
            lambda: encoded(tone(3.0, RATE), codec="aac", container="mp4")[:3000],
            "header is damaged",
        ),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n", "cannot be read"),
        ("list.txt", b"ffconcat version 1.0\nfile '/dev/zero'\n", "refers to other files"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_name_and_cause(
    name: str, content: object, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content() if callable(content) else content)  # type: ignore[arg-type]
    with pytest.raises(AudioError) as caught:
        read(path)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert "\n" not in text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("scale", [32_768, 1e25])
def test_integers_stored_as_floats_are_refused(scale: float) -> None:
    data = encoded(tone(1.0, RATE) * np.float32(scale), codec="pcm_f32le", container="wav")
    with pytest.raises(AudioError, match=r"far above full scale, which is 1\.0, at 0 s") as refused:
        read(data)
    assert "\n" not in str(refused.value)


def test_floats_somewhat_above_full_scale_are_read_as_they_are() -> None:
    samples, warnings = read(encoded(tone(1.0, RATE) * 8, codec="pcm_f32le", container="wav"))
    assert samples.max() == pytest.approx(4, abs=0.01)
    assert warnings == []


def test_packets_that_all_fail_are_an_error_not_silence() -> None:
    data = bytearray(encoded(tone(3.0, RATE), codec="aac", container="mp4"))
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = b"\xff" * (end - start)
    with pytest.raises(AudioError, match=r"none of \d+ aac packets"):
        read(bytes(data))


def test_missing_files_folders_and_odd_sources_are_told_apart(tmp_path: Path) -> None:
    for source, message in (
        (tmp_path / "no.wav", "does not exist"),
        (tmp_path, "is a folder"),
        (str(tmp_path / "a\0b.wav"), "cannot be opened"),
        (io.StringIO("text"), "opened with 'rb'"),
        (42, "got a int"),
    ):
        with pytest.raises(AudioError, match=message):
            open_audio(source)  # type: ignore[arg-type]


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes(b"RIFF")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match="may not be read"):
        open_audio(path)


def test_a_stream_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(0.1, RATE))
    with pytest.raises(AudioError, match="no audio stream 1; choose 0 to 0"):
        open_audio(str(path), stream=1)


def test_the_second_audio_stream_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "two.mka"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for level, stream in zip((0.1, 0.6), streams, strict=True):
            piece = np.full((1, RATE), level * 32768, np.int16)
            sound = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            sound.sample_rate = RATE
            out.mux(stream.encode(sound))
            out.mux(stream.encode(None))
    for number, level in enumerate((0.1, 0.6)):
        samples, _ = read_audio(path, stream=number)
        np.testing.assert_allclose(samples, level, atol=1e-4)


def test_an_impossible_sample_rate_is_refused() -> None:
    with pytest.raises(AudioError, match="it must be 1000 to 768000"):
        open_audio("any.wav", sample_rate=0)


@pytest.mark.skipif(sys.platform == "win32", reason="colons are not allowed in names")
@pytest.mark.parametrize("name", ["a:b.wav", "concat:one.wav", "http:x.wav", "pipe:0", "-.wav"])
def test_names_that_look_like_protocols_are_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plain.wav", tone(0.5, RATE))
    os.rename(tmp_path / "plain.wav", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read(name)[0]) == RATE // 2


# -- pipes and addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "container"), [("pcm_s16le", "wav"), ("libmp3lame", "mp3"), ("libopus", "webm")]
)
def test_standard_input_need_not_be_seekable(
    codec: str, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(burst(2.0, 48_000, 0.5), 48_000, codec, container=container)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(data), isatty=lambda: False))
    samples, warnings = read("-")
    assert onset(samples) == pytest.approx(0.5, abs=0.002)
    assert warnings == []


def test_standard_input_from_a_keyboard_or_without_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(b""), isatty=lambda: True))
    with pytest.raises(AudioError, match="nothing is piped"):
        open_audio("-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(b""), isatty=lambda: False))
    with pytest.raises(AudioError, match=r"'standard input' is empty"):
        open_audio("-")


@pytest.mark.parametrize("container", ["mp4", "mov"])
@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}, {"movflags": "frag_keyframe"}])
def test_an_mp4_can_come_through_a_pipe_wherever_its_index_is(
    container: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "burst"
    write(path, burst(3.0, RATE, 1.5), codec="aac", container=container, options=options)
    data = path.read_bytes()
    assert index_comes_last(data[:65_536]) == (not options)
    samples, warnings = read(Pipe(data))
    assert onset(samples) == pytest.approx(1.5, abs=0.07)
    assert warnings == []


def test_a_pipe_that_must_be_copied_and_finds_no_room_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("earmark.files.shutil.copyfileobj", full)
    with pytest.raises(AudioError, match="must be copied to be read, which fails: No space left"):
        read(Pipe(encoded(tone(1.0, RATE), codec="aac", container="mp4")))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_interruption_while_a_pipe_is_read_is_not_taken_for_its_end(
    interruption: type[BaseException], share: float
) -> None:
    data = encoded(tone(60.0, RATE), container="wav")

    class Interrupted(Pipe):
        def read(self, size: int = -1) -> bytes:  # type: ignore[override]
            if self._data.tell() > max(65_536, share * len(data)):
                raise interruption
            return super().read(size)

    with pytest.raises(interruption):
        read(Interrupted(data))


def test_what_cannot_be_read_from_a_pipe_may_be_given_as_a_file() -> None:
    with pytest.raises(AudioError, match="some formats cannot be read from a pipe: give the file itself"):
        read(Pipe(bytes(range(256)) * 100))


def test_a_file_object_is_left_open() -> None:
    file = io.BytesIO(encoded(tone(0.5, RATE), container="wav"))
    read(file)
    assert not file.closed


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server: /tone.wav, /slow (never answers), /stops (half of what it promised), /mute (nothing)."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    data = encoded(tone(4.0, RATE), container="wav")
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                done.wait(10)
                return
            if self.path not in ("/tone.wav", "/stops", "/mute"):
                self.send_error({"/private": 401, "/broken": 500}.get(self.path, 404))
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.path == "/mute":
                return
            self.wfile.write(data if self.path == "/tone.wav" else data[: len(data) // 2])

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    done.set()
    httpd.shutdown()
    httpd.server_close()


def test_an_address_is_read_like_a_file(server: str) -> None:
    samples, warnings = read(f"{server}/tone.wav")
    assert len(samples) == 4 * RATE
    assert warnings == []


def test_a_download_that_stops_gives_what_came_and_a_warning(server: str) -> None:
    samples, warnings = read(f"{server}/stops")
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.3)
    assert len(warnings) == 1
    assert "breaks off at 00:00:02" in warnings[0]
    assert "the server closed the connection too early" in warnings[0]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no.wav", "404"),
        ("private", "401"),
        ("broken", "refused"),
        ("mute", "no such server, or the server closed the connection too early; check the address"),
    ],
)
def test_what_a_server_refuses_is_explained(server: str, path: str, message: str) -> None:
    with pytest.raises(AudioError, match=message) as caught:
        open_audio(f"{server}/{path}")
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_answer_is_given_up(server: str) -> None:
    started = time.monotonic()
    with pytest.raises(AudioError, match=r"no data came within 0\.3 s"):
        open_audio(f"{server}/slow", timeout=0.3)
    assert time.monotonic() - started < 3


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(AudioError, match="cannot be reached") as caught:
        open_audio("http://user:secret@127.0.0.1:9/a.wav", timeout=2)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://example.org/a.wav", "file:///etc/passwd", "rtmp://example.org/live"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(AudioError, match="may start with http:// or https://"):
        open_audio(url)


# -- arrays ----------------------------------------------------------------------------------------


def test_to_mono_averages_integers_and_floats() -> None:
    both = np.array([[0.8, 0.4], [0.8, 0.0]])
    np.testing.assert_allclose(to_mono(both), [0.8, 0.2], atol=1e-7)
    np.testing.assert_allclose(to_mono(np.array([[16384, -32768]], np.int16)), [0.5, -1.0])
    np.testing.assert_allclose(to_mono(np.array([128, 255], np.uint8)), [0.0, 127 / 128])
    assert to_mono(both).dtype == np.float32


def test_to_mono_takes_the_loudest_channel_only_in_the_seconds_that_cancel() -> None:
    left = tone(2.0, RATE)[0]
    right = np.concatenate([-left[:RATE], left[RATE:]]) * 0.8
    mono = to_mono(np.stack([left, right]))
    np.testing.assert_array_equal(mono[:RATE], left[:RATE])
    np.testing.assert_allclose(mono[RATE:], 0.9 * left[RATE:], atol=1e-7)


def test_to_mono_refuses_samples_by_channels() -> None:
    with pytest.raises(AudioError, match=r"got samples of shape \(1000, 2\)"):
        to_mono(np.zeros((1000, 2)))
    with pytest.raises(AudioError, match=r"got samples of shape \(0, 100\)"):
        to_mono(np.zeros((0, 100)))
