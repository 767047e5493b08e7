"""Singing from speech: notes, lengths, grids and voices of synthesised syllables."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pyworld", reason="pyworld is not installed: the train extra brings it")

import pyworld
import soxr

from earmark.errors import AudioError, ConfigError
from earmark.train import sing as vocal

RATE = 16_000
VOWELS = ((700, 1200, 2500), (300, 2200, 3000), (500, 900, 2400), (400, 1900, 2600))
# Steady hand: what the melody asks for and nothing else.
PLAIN = replace(
    vocal.STYLES["pop"],
    scoop=0.0, ornament=0.0, melisma=0.0, vibrato=0.0, glide_s=(0.04, 0.06), talk=0.0, beats=((1, 1), (2, 1)),
    bpm=(80, 90), ring_db=(0, 0),
)  # fmt: skip


def resonate(signal, hz, bandwidth):
    """Two-pole resonance as its truncated impulse response."""
    n = np.arange(1024)
    ring = np.exp(-np.pi * bandwidth * n / RATE) * np.sin(2 * np.pi * hz * (n + 1) / RATE)
    return np.convolve(signal, ring)[: len(signal)]


def speech(n_syllables=12, f0=120.0, seed=0):
    """Source-filter speech: a hiss, then a vowel with falling pitch, and a pause after every fourth."""
    rng = np.random.default_rng(seed)
    parts = [np.zeros(RATE // 5)]
    for k in range(n_syllables):
        n = int(0.16 * RATE)
        phase = np.cumsum(f0 * np.linspace(1.1, 0.9, n) / RATE)
        pulses = np.diff(np.floor(phase), prepend=0.0)
        vowel = sum(resonate(pulses, hz, 80 + 0.03 * hz) / (i + 1) for i, hz in enumerate(VOWELS[k % 4]))
        hiss = np.diff(rng.normal(size=int(0.06 * RATE)), prepend=0.0)
        parts += [0.03 * hiss, np.hanning(n) ** 0.3 * vowel / np.abs(vowel).max() * 0.5]
        parts.append(np.zeros(int((0.3 if k % 4 == 3 else 0.02) * RATE)))
    return np.concatenate(parts) + 1e-4 * rng.normal(size=sum(map(len, parts)))


@pytest.fixture(scope="module")
def voice():
    return vocal.analyse(speech(), RATE)


def pitch_track(samples):
    """Pitch in MIDI note numbers every 5 ms, NaN where unvoiced."""
    signal = samples.astype(np.float64)
    rough, times = pyworld.dio(signal, RATE, f0_floor=60.0, f0_ceil=900.0)
    f0 = pyworld.stonemask(signal, rough, times, RATE)
    f0[f0 == 0] = np.nan
    return 69 + 12 * np.log2(f0 / 440)


def middle_of(note, track, low=0.2, high=0.7):
    """Track inside a note, away from its consonants and glides."""
    first, last = (int((note.start + share * note.duration) / vocal.FRAME_S) for share in (low, high))
    return track[first:last]


def envelope_db(samples):
    """Level of 10 ms windows every 5 ms, dB; frame k is centred on 5 k ms."""
    smooth = np.convolve(samples.astype(np.float64) ** 2, np.ones(160) / 160, mode="same")[::80]
    return 10 * np.log10(smooth + 1e-9)


def test_every_syllable_of_the_speech_is_found(voice):
    found = vocal.syllables(voice)
    assert len(found) == 12
    assert all(s.start <= s.vowel_start < s.vowel_end <= s.end for s in found)
    # The vowel of the first syllable lies at 0.26-0.42 s.
    assert found[0].vowel_start * vocal.FRAME_S == pytest.approx(0.27, abs=0.03)
    assert found[0].vowel_end * vocal.FRAME_S == pytest.approx(0.41, abs=0.03)


def test_analysis_resamples_other_rates(voice):
    slow = soxr.resample(speech(), RATE, 24_000)
    other = vocal.analyse(slow, 24_000)
    assert abs(len(other.f0) - len(voice.f0)) <= 1
    assert other.register == pytest.approx(voice.register, abs=0.2)


def test_sung_pitch_sits_on_the_notes_of_the_melody(voice):
    rng = np.random.default_rng(1)
    melody = vocal.compose(12, voice.register + 5, PLAIN, rng)
    track = pitch_track(vocal.perform(voice, melody, PLAIN, rng))
    errors = [
        middle_of(note, track) - melody.pitch(note.degree) for line in melody.lines for note in line.notes
    ]
    cents = 100 * np.concatenate(errors)
    assert np.isnan(cents).mean() < 0.05
    assert (np.abs(cents[~np.isnan(cents)]) < 50).mean() > 0.9
    assert len({note.degree for line in melody.lines for note in line.notes}) > 2


def test_vowels_last_as_long_as_their_notes(voice):
    note = vocal.Note(0.3, 2.0, 0)
    melody = vocal.Melody(voice.register + 4, vocal.SCALES["major"], (vocal.Line(0, (note,)),))
    sung = vocal.perform(voice, melody, PLAIN, np.random.default_rng(2))
    level = envelope_db(sung)
    active = np.flatnonzero(level > level.max() - 20) * vocal.FRAME_S
    # Spoken, the whole syllable takes 0.22 s; the note's release may end a little early or late.
    assert active[-1] - active[0] == pytest.approx(2.0, abs=0.35)


def test_vibrato_swings_at_the_rate_and_depth_of_the_style(voice):
    style = replace(PLAIN, vibrato=1.0, vibrato_hz=(6.0, 6.0), vibrato_cents=(60, 60))
    note = vocal.Note(0.3, 3.0, 0)
    melody = vocal.Melody(voice.register + 5, vocal.SCALES["major"], (vocal.Line(0, (note,)),))
    track = pitch_track(vocal.perform(voice, melody, style, np.random.default_rng(3)))
    swing = middle_of(note, track, 0.35, 0.9)
    missing = np.isnan(swing)
    assert missing.mean() < 0.05
    swing = np.interp(np.arange(len(swing)), np.flatnonzero(~missing), swing[~missing])
    swing = swing - swing.mean()
    spectrum = np.abs(np.fft.rfft(swing * np.hanning(len(swing)), 4096))
    rates = np.fft.rfftfreq(4096, vocal.FRAME_S)
    assert rates[spectrum[rates > 3].argmax() + (rates <= 3).sum()] == pytest.approx(6.0, abs=0.5)
    assert 25 < 100 * swing.std() * np.sqrt(2) < 90


def test_lines_are_parted_by_a_breath_of_at_most_one_second(voice):
    melody = vocal.compose(40, 60.0, vocal.STYLES["folk"], np.random.default_rng(4))
    ends = [line.notes[-1].start + line.notes[-1].duration for line in melody.lines]
    rests = np.array([line.notes[0].start for line in melody.lines[1:]]) - ends[:-1]
    assert len(rests) > 1
    assert rests.min() > 0.2
    assert rests.max() < 1.01
    counts = [sum(note.begins_syllable for note in line.notes) for line in melody.lines]
    assert sum(counts) == 40
    assert [line.first_syllable for line in melody.lines] == np.cumsum([0, *counts[:-1]]).tolist()


def test_melody_stays_within_its_span():
    style = vocal.STYLES["hymn"]
    melody = vocal.compose(60, 60.0, style, np.random.default_rng(5))
    notes = [note for line in melody.lines for note in line.notes]
    pitches = np.array([melody.pitch(note.degree) for note in notes])
    # Ornaments may touch the neighbouring step.
    assert np.abs(pitches - 60).max() <= style.span + 3


@pytest.mark.parametrize("style", ["opera", "indian", "rock", "hum", "chant"])
def test_styles_give_finite_audible_song(voice, style):
    sung = vocal.sing(voice, np.random.default_rng(6), style)
    assert sung.dtype == np.float32
    assert np.isfinite(sung).all()
    assert 0.5 < np.abs(sung).max() <= 0.99
    level = envelope_db(sung)
    assert (level > level.max() - 35).mean() > 0.4


def test_unknown_style_is_named_with_the_known_ones(voice):
    with pytest.raises(ConfigError, match=r"'polka'.*pop.*opera"):
        vocal.sing(voice, np.random.default_rng(0), "polka")


def test_same_seed_gives_the_same_song_and_another_a_different_one():
    samples = speech(6)
    first, again, other = (
        vocal.make_singing(samples, RATE, np.random.default_rng(seed)) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_audio_without_a_voice_is_refused():
    hiss = 0.01 * np.random.default_rng(0).normal(size=RATE)
    with pytest.raises(AudioError, match="without a voiced syllable"):
        vocal.make_singing(hiss, RATE, np.random.default_rng(0))


def test_rapped_vowels_begin_on_the_grid_of_sixteenths(voice):
    bpm = 90.0
    rapped = vocal.rap(voice, np.random.default_rng(9), bpm)
    grid = 60 / bpm / 4

    def on_grid(voice):
        # Every vowel of this speech follows a hiss, so it begins a voiced run.
        onsets = np.flatnonzero(np.diff((voice.f0 > 0).astype(int)) == 1) * vocal.FRAME_S / grid
        assert len(onsets) >= 6
        return (np.abs(onsets - np.round(onsets)) < 0.15).mean()

    # By chance 30 % of the onsets are that close to the grid.
    assert on_grid(vocal.analyse(rapped, RATE)) > 0.75
    assert on_grid(voice) < 0.5


def test_choir_is_broader_than_one_singer(voice):
    sung = vocal.choir([voice], np.random.default_rng(10))
    assert np.isfinite(sung).all()
    assert np.abs(sung).max() <= 0.99
    assert len(sung) > RATE


def test_changed_voice_scales_pitch_and_length_as_asked(voice):
    changed = vocal.change_voice(
        voice, np.random.default_rng(11), pitch=1.3, formants=1.1, speed=0.8, liveliness=1.0
    )
    assert len(changed) == pytest.approx(len(voice.f0) * vocal.FRAME_S * RATE / 0.8, rel=0.02)
    other = vocal.analyse(changed, RATE)
    assert other.register - voice.register == pytest.approx(12 * np.log2(1.3), abs=0.3)


def test_changed_voice_narrows_the_pitch_range_as_asked(voice):
    def spread(v):
        low, high = np.percentile(np.log2(v.f0[v.f0 > 0]), [5, 95])
        return float(high - low)

    flat = vocal.change_voice(
        voice, np.random.default_rng(12), pitch=1.0, formants=1.0, speed=1.0, liveliness=0.3
    )
    assert spread(vocal.analyse(flat, RATE)) == pytest.approx(0.3 * spread(voice), rel=0.3)


def test_changed_voice_moves_the_formants_as_asked(voice):
    def centre(v):
        hz = np.linspace(0, RATE / 2, v.envelope.shape[1])
        mean = v.envelope[v.f0 > 0].mean(axis=0)
        band = hz < 4000
        return float((hz * mean)[band].sum() / mean[band].sum())

    moved = vocal.change_voice(
        voice, np.random.default_rng(13), pitch=1.0, formants=1.2, speed=1.0, liveliness=1.0
    )
    assert centre(vocal.analyse(moved, RATE)) / centre(voice) == pytest.approx(1.2, abs=0.08)
