"""Mixtures and silence: known ratios and cuts, the lists of a fold, the published lists read back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.datasets.mixtures import SMR_LEVELS_DB, Mixture, list_mixtures, mix, scale
from earmark.datasets.published import assign, read_folds
from earmark.datasets.recordings import Clip
from earmark.datasets.silence import normalise, prepare, remove_silence
from earmark.errors import AudioError, ConfigError

PUBLISHED = Path(__file__).parents[2] / "shared" / "golden" / "folds" / "musan"
RATE = 16_000


def noise(seconds: float, level: float = 0.3, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).uniform(-1, 1, round(seconds * RATE))


# -- ratios --------------------------------------------------------------------------------------


@pytest.mark.parametrize("smr_db", SMR_LEVELS_DB)
def test_the_powers_have_the_ratio_asked_for(smr_db: float) -> None:
    speech, music = scale(noise(0.5), noise(0.2, 0.01, seed=1), smr_db)
    assert 10 * np.log10(np.mean(speech**2) / np.mean(music**2)) == pytest.approx(smr_db, abs=1e-6)


def test_gains_are_those_of_the_published_mixtures() -> None:
    speech, music = scale([0.5, -0.5], [1.0, -1.0], 0)
    # The music must be half as strong: g = 0.5, so speech / 1.5 and music * 0.5 / 1.5.
    assert speech == pytest.approx([1 / 3, -1 / 3])
    assert music == pytest.approx([1 / 3, -1 / 3])


def test_music_is_repeated_or_cut_to_the_length_of_the_speech() -> None:
    _, music = scale([1.0] * 5, [1.0, 2.0, 3.0], 0)
    assert music / music[0] == pytest.approx([1, 2, 3, 1, 2])
    _, music = scale([1.0] * 2, [1.0, 2.0, 30.0], 0)
    assert music / music[0] == pytest.approx([1, 2])


def test_a_mixture_has_mean_0_and_peak_1() -> None:
    mixed = mix(noise(0.2) + 0.1, noise(0.1, seed=2), 5)
    assert mixed.mean() == pytest.approx(0, abs=1e-12)
    assert np.abs(mixed).max() == pytest.approx(1)
    assert len(mixed) == 3200


@pytest.mark.parametrize("call", [lambda x: scale(x, [1.0], 0), lambda x: scale([1.0], x, 0)])
def test_what_is_silent_or_no_signal_is_refused(call) -> None:
    with pytest.raises(AudioError, match="is silent"):
        call([0.0, 0.0])
    with pytest.raises(AudioError, match="mono"):
        call([])
    with pytest.raises(AudioError, match="part of the music is silent"):
        scale([1.0], [0.0, 1.0], 0)


# -- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_speech", "n_music"), [(3, 60), (60, 3), (4, 4)])
def test_the_larger_class_is_used_once_and_the_other_evenly(n_speech: int, n_music: int) -> None:
    speech, music = [f"s{i}" for i in range(n_speech)], [f"m{i}" for i in range(n_music)]
    mixtures = list_mixtures(speech, music, seed=5)
    assert len(mixtures) == max(n_speech, n_music)
    for files, used in (
        (speech, Counter(m.speech for m in mixtures)),
        (music, Counter(m.music for m in mixtures)),
    ):
        assert set(used) == set(files)
        assert max(used.values()) - min(used.values()) <= 1
    assert [m.smr_db for m in mixtures] == [-5 + i % 26 for i in range(len(mixtures))]


def test_the_list_depends_on_the_seed_alone() -> None:
    speech, music = [f"s{i}" for i in range(5)], [f"m{i}" for i in range(9)]
    assert list_mixtures(speech, music, seed=1) == list_mixtures(speech, music, seed=1)
    assert list_mixtures(speech, music, seed=1) != list_mixtures(speech, music, seed=2)
    with pytest.raises(ConfigError, match="no speech file"):
        list_mixtures([], music)


# -- published lists -----------------------------------------------------------------------------

LISTS = (
    "music,speech,speech+music\n"
    "music-a.wav,speech-a.wav,speech-a.wav+music-b.wav;SMR=-5dB\n"
    "music-b.wav,,speech-a.wav+music-a.wav;SMR=-4dB\n",
    "music,speech,speech+music\nmusic-c.wav,speech-b.wav,speech-b.wav+music-c.wav;SMR=-5dB\n",
)


def write_lists(folder: Path, *lists: str) -> Path:
    for number, text in enumerate(lists):
        (folder / f"fold{number}.csv").write_text(text, encoding="utf-8")
    return folder


def make_clips(*names: str) -> list[Clip]:
    return [Clip(Path(f"/data/{name}.flac"), name.partition("-")[0], name) for name in names]


def test_published_lists_give_files_and_mixtures(tmp_path: Path) -> None:
    first, second = read_folds(write_lists(tmp_path, *LISTS))
    assert first.files == {"music": ("music-a.wav", "music-b.wav"), "speech": ("speech-a.wav",)}
    assert first.mixtures[0] == Mixture("speech-a.wav", "music-b.wav", -5)
    assert second.files["music"] == ("music-c.wav",)


def test_clips_get_the_folds_in_which_they_are_listed(tmp_path: Path) -> None:
    folds = read_folds(write_lists(tmp_path, *LISTS))
    clips = make_clips("music-c", "speech-a", "music-a", "music-b", "speech-b", "music-unlisted")
    assert [(c.group, c.fold) for c in assign(clips, folds)] == [
        ("music-c", 1),
        ("speech-a", 0),
        ("music-a", 0),
        ("music-b", 0),
        ("speech-b", 1),
    ]
    with pytest.raises(ConfigError, match="2 of the 5 listed files are missing: music-c, speech-b"):
        assign(make_clips("speech-a", "music-a", "music-b"), folds)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ((), "no list of each fold"),
        ((LISTS[0], LISTS[0]), r"fold1.csv' lists files that are listed already: music-a.wav"),
        (("a,b\n",), "line 1: the columns are"),
        ((LISTS[1].replace("SMR=-5dB", "SMR=loud"),), "line 2: .* is no mixture"),
        ((LISTS[1].replace("+music-c", "+music-x"),), "mixes music files that it does not list: music-x"),
    ],
)
def test_wrong_lists_are_told(tmp_path: Path, lists: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_folds(write_lists(tmp_path, *lists))


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published lists are not here")
def test_the_published_folds_of_musan_follow_the_rules() -> None:
    folds = read_folds(PUBLISHED)
    assert [{label: len(names) for label, names in f.files.items()} for f in folds] == [
        {"music": 221, "speech": 143},
        {"music": 214, "speech": 142},
        {"music": 210, "speech": 140},
    ]
    for fold in folds:
        ours = list_mixtures(fold.files["speech"], fold.files["music"], seed=0)
        assert [m.smr_db for m in ours] == [m.smr_db for m in fold.mixtures]
        assert sorted(m.music for m in ours) == sorted(m.music for m in fold.mixtures)
        uses = [sorted(Counter(m.speech for m in some).values()) for some in (ours, fold.mixtures)]
        assert uses[0] == uses[1]


# -- silence -------------------------------------------------------------------------------------


def slow_cuts(signal: np.ndarray) -> list[tuple[int, int]]:
    """Find the cuts frame by frame, as the rule is worded."""
    padded = np.pad(signal, 200, mode="reflect")
    rms = [np.sqrt(np.mean(padded[i : i + 400] ** 2)) for i in range(0, len(signal) + 1, 160)]
    loud = [value >= 0.025 * max(rms) for value in rms]
    sounding = [sum(loud[max(i - 2, 0) : i + 3]) >= 3 for i in range(len(loud))]
    cuts, i, last = [], 0, len(sounding) - 1
    while i <= last:
        while sounding[i] and i < last:
            i += 1
        j = i
        while not sounding[j] and j < last:
            j += 1
        k, end = max(160 * (i - 1) + 400, 1), min(160 * (j - 1) + 400, len(signal))
        if (end - k) / RATE > 0.075:
            cuts.append((k, end))
        i = j + 1
    return cuts


def pieces(*seconds: float) -> np.ndarray:
    """Return noise and silence in turn."""
    return np.concatenate([noise(s, seed=i) * (i % 2 == 0) for i, s in enumerate(seconds)])


def test_two_pauses_are_cut_out_and_one_is_not() -> None:
    once = pieces(0.3, 0.3, 0.3)
    assert remove_silence(once) == pytest.approx(once)
    twice = pieces(0.3, 0.3, 0.3, 0.3, 0.3)
    kept = remove_silence(twice)
    cuts = slow_cuts(twice)
    assert len(cuts) == 2
    sounds = np.ones(len(twice), dtype=bool)
    for k, end in cuts:
        sounds[k:end] = False
    assert kept == pytest.approx(twice[sounds])
    assert len(twice) - len(kept) == pytest.approx(0.6 * RATE, abs=1000)


def test_short_pauses_stay() -> None:
    signal = pieces(0.3, 0.07, 0.3, 0.07, 0.3)
    assert remove_silence(signal) == pytest.approx(signal)


def test_the_length_can_be_kept_with_ones() -> None:
    signal = pieces(0.3, 0.3, 0.3, 0.3, 0.3)
    kept, same = remove_silence(signal), remove_silence(signal, keep_length=True)
    assert len(same) == len(signal)
    assert same[: len(kept)] == pytest.approx(kept)
    assert (same[len(kept) :] == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.02, 0.4), min_size=1, max_size=7), st.booleans())
def test_cuts_are_those_found_frame_by_frame(seconds: list[float], silence_first: bool) -> None:
    signal = pieces(*([0.001] if silence_first else []), *seconds)
    cuts = slow_cuts(signal)
    lost = sum(end - k for k, end in cuts) if len(cuts) > 1 else 0
    kept = remove_silence(signal)
    assert len(kept) == len(signal) - lost
    sounds = np.ones(len(signal), dtype=bool)
    for k, end in cuts if len(cuts) > 1 else []:
        sounds[k:end] = False
    assert (kept == signal[sounds]).all()


def test_a_prepared_signal_is_level_and_lasts_a_tenth_of_a_second() -> None:
    short = prepare(noise(0.03))
    assert len(short) == 4 * 480
    assert np.abs(short).max() == pytest.approx(1)
    assert short.mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("signal", [np.zeros(500), np.full(500, 0.3)])
def test_a_signal_that_never_changes_has_no_level(signal: np.ndarray) -> None:
    with pytest.raises(AudioError, match="never changes"):
        normalise(signal)


def test_only_one_channel_is_taken() -> None:
    with pytest.raises(AudioError, match="mono"):
        remove_silence(np.zeros((2, 500)))
    with pytest.raises(AudioError, match="mono"):
        normalise([])
