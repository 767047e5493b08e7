"""Front ends of published systems: against librosa, against slow references, their oddities, bad input."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earmark.errors import AudioError, ConfigError
from earmark.features.extractor import Extractor
from earmark.features.mel import htk_mel_to_hz, hz_to_htk_mel, mel_edges, mel_filters
from earmark.features.mfcc import cepstrum
from earmark.features.pcen import normalise_energies
from earmark.features.registry import FEATURES, create_features
from earmark.features.scaling import SCALINGS, fit_scaling
from earmark.features.sidekit import SidekitMel, sidekit_filters
from earmark.samples import Signal
from earmark.windows import window_parts

ORACLE = np.load(Path(__file__).parent / "data" / "features_oracle.npz")
ALL = [(name, variant) for name, entry in FEATURES.items() for variant in entry.variants]


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def oracle_signal(rate: int) -> np.ndarray:
    """Return what tests/data/make_features_oracle.py made its features of."""
    i = np.arange(int(0.3 * rate))
    faint = (i * 7919 % 1009) / 1009 - 0.5
    x = 0.2 * np.sin(2 * np.pi * 440 / rate * i) + 0.1 * np.sin(2 * np.pi * 2900 / rate * i) + 0.01 * faint
    x[:: rate // 20] += 0.6
    return (x + 0.05).astype(np.float32)


def by_band(options: tuple[str, ...]) -> dict[str, int]:
    return {"n_mels": 40} if "n_mels" in options else {}


# All front ends


@pytest.mark.parametrize(("name", "variant"), ALL)
def test_features_and_patches_have_the_shapes_they_promise(name: str, variant: str) -> None:
    extractor = create_features(name, variant)
    assert (extractor.name, extractor.variant) == (name, variant)
    assert extractor.scaling in SCALINGS
    for n in (0, 1, 150, 2500, 3 * extractor.sample_rate + 17):
        features = extractor(noise(n))
        assert features.dtype == np.float32
        assert features.shape == (extractor.n_bands, extractor.n_frames(n))
        assert np.isfinite(features).all()
        patches = extractor.cut(features)
        values = np.asarray(patches)
        assert values.shape == patches.shape == (len(patches), extractor.n_bands, extractor.patch_length)
        assert values.dtype == np.float32
        assert patches.finite.all()
        assert np.array_equal(patches[-3:], values[-3:])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("s", (201, 98)), ("ls", (257, 97)), ("ms", (21, 98)), ("lms", (120, 98)), ("lmhs", (120, 98)),
        ("lmps", (120, 98)), ("lmhps-ef", (240, 98)), ("mhps-ef", (240, 98)), ("hps-ef", (402, 98)),
        ("lhps-ef", (514, 97)), ("ina", (21, 98)), ("kc-mel", (128, 44)), ("kc-mfcc", (22, 17)),
        ("swishnet-mfcc", (20, 98)), ("allconv-mel", (40, 25)), ("gro-t1", (1024, 1)),
        ("gro-t1-cnn", (257, 24)), ("gro-t3", (80, 65)), ("tvsm", (128, 32)), ("gro-t2", (128, 44)),
        ("gro-t4", (1024, 22)),
        ("openl3-mel256", (256, 6 * 199)), ("openl3-linear", (257, 6 * 197)), ("vggish", (64, 98)),
        ("kumar", (128, 87)), ("bbnn", (128, 22)), ("heo", (48, 87)),
    ],
)  # fmt: skip
def test_a_second_has_as_many_bands_and_frames_as_the_papers_say(name: str, shape: tuple[int, int]) -> None:
    extractor = create_features(name)
    assert extractor(noise(extractor.sample_rate)).shape == shape


@pytest.mark.parametrize("key", [key for key in ORACLE.files if key.split()[0] != "tvsm"])
def test_features_are_those_of_librosa(key: str) -> None:
    name, variant = key.split()
    base = FEATURES[name].extractor
    fewer = by_band(base.options) if base.scaling == "none" else {}
    extractor = create_features(name, variant, **fewer)
    found, expected = extractor(oracle_signal(extractor.sample_rate)), ORACLE[key]
    thinned = found[:, ::7] if expected.shape != found.shape else found
    # Bands are brought to a standard deviation of 1, or are dB.
    np.testing.assert_allclose(thinned, expected, atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "band"),
    [("s", 25), ("lms", 39), ("lmhps-ef", 46), ("ina", 7), ("kc-mel", 38), ("gro-t3", 23), ("gro-t1-cnn", 43),
     ("gro-t1", 171), ("tvsm", 44), ("gro-t2", 38), ("gro-t4", 46)],
)  # fmt: skip
def test_a_tone_of_1_khz_shows_in_its_band_while_it_sounds(name: str, band: int) -> None:
    extractor = create_features(name)
    t = np.arange(4 * extractor.sample_rate) / extractor.sample_rate
    tone = 0.5 * np.sin(2 * np.pi * 1000 * t) * (np.abs(t - 2) < 0.5)
    features = extractor(tone.astype(np.float32) + noise(len(t)) / 100)
    when = np.array([extractor.centre(frame) for frame in range(features.shape[1])])
    sounds = np.abs(when - 2) < 0.5
    contrast = features[:, sounds].mean(axis=1) - features[:, ~sounds].mean(axis=1)
    assert contrast.argmax() == band
    level = features[band]
    loud = when[level > (level.min() + level.max()) / 2]
    coarse = extractor.hop_length / extractor.sample_rate
    np.testing.assert_allclose([loud[0], loud[-1]], [1.5, 2.5], atol=0.02 + 1.5 * coarse)


def test_importing_the_detectors_front_end_loads_no_other() -> None:
    code = (
        "import sys, earmark.features; print([m for m in sys.modules if m.startswith('earmark.features.')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['earmark.features.mel', 'earmark.features.logmel']"


@pytest.mark.parametrize("name", FEATURES)
def test_signals_that_are_none_are_refused(name: str) -> None:
    extractor = create_features(name)
    with pytest.raises(AudioError, match=r"shape \(2, 100\); give one mono channel"):
        extractor(np.zeros((2, 100)))
    with pytest.raises(AudioError, match="NaN or infinite"):
        extractor(np.array([0, np.nan, 1], np.float32))
    with pytest.raises(AudioError, match="int16 samples; give floating point"):
        extractor(np.zeros(100, np.int16))
    with pytest.raises(AudioError, match=rf"shape \(3, 100\); '{name}' has shape"):
        extractor.cut(np.zeros((3, 100), np.float32))


# The registry


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("lmhps-e", {}, "unknown features 'lmhps-e'; did you mean 'lmhps-ef'?"),
        ("spectrum?", {}, "unknown features 'spectrum\\?'; choose one of s, ls, ms, "),
        (
            "lms",
            {"variant": "fixed"},
            "features 'lms' have no variant 'fixed'; choose one of paper, corrected",
        ),
        ("ina", {"variant": "corrected"}, "features 'ina' have no variant 'corrected'; choose one of paper"),
        ("lms", {"n_mel": 80}, "unknown option 'n_mel' of features 'lms'; did you mean 'n_mels'?"),
        (
            "s",
            {"l_harm": 21},
            "unknown option 'l_harm' of features 's'; choose one of patch_length, patch_hop",
        ),
        ("lms", {"n_mels": 80.0}, "n_mels 80.0 of features 'lms': it must be int"),
        ("lms", {"n_mels": True}, "n_mels True of features 'lms': it must be int"),
        ("lms", {"n_mels": 0}, "n_mels 0 of features 'lms': it must be at least 1"),
        ("s", {"patch_length": 0}, "patch_length 0 of features 's': it must be at least 1"),
        ("s", {"patch_hop": -1}, "patch_hop -1 of features 's'"),
        ("lmhs", {"l_harm": 20}, "l_harm 20: it must be odd"),
        ("ina", {"n_bands": 25}, "n_bands 25 of features 'ina': there are 24"),
        ("kc-mel", {"scaling": 3}, "scaling 3 of features 'kc-mel': it must be str"),
        ("kc-mel", {"scaling": "none"}, "scaling 'none' of features 'kc-mel': choose band-range or band"),
        ("kc-mfcc", {"n_mfcc": 200}, r"n_mfcc 200 of 'kc-mfcc': it must be at most n_mels \(128\)"),
    ],
)
def test_names_and_options_that_are_wrong_are_refused_in_one_line(
    name: str, options: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        create_features(name, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_the_sweeps_of_the_paper_can_be_written_down() -> None:
    table = {
        "name": "lmhps-ef",
        "variant": "corrected",
        "n_mels": 20,
        "l_harm": 51,
        "l_perc": 31,
        "patch_length": 25,
    }
    extractor = create_features(**table)  # type: ignore[arg-type]
    features = extractor(noise(16_000))
    assert features.shape == (40, 98)
    assert extractor.cut(features).starts.tolist() == [0, 25, 50]
    assert create_features("s", patch_length=25, patch_hop=5).step == 5


# Bhattacharjee et al.


def slow_lmhps(samples: np.ndarray, n_mels: int, l_harm: int, l_perc: int, variant: str) -> np.ndarray:
    """Compute "lmhps-ef" frame by frame and window by window, in double precision."""
    x = samples - samples.astype(np.float64).mean()
    x = x / np.abs(x).max()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    n_frames = 1 + (len(x) - 400) // 160
    s = np.array([np.abs(np.fft.rfft(x[160 * i : 160 * i + 400] * hann)) for i in range(n_frames)]).T
    along_time, along_frequency = np.empty_like(s), np.empty_like(s)
    padded = np.pad(s, ((0, 0), (l_harm // 2, l_harm // 2)), mode="symmetric")
    for t in range(n_frames):
        along_time[:, t] = np.median(padded[:, t : t + l_harm], axis=1)
    padded = np.pad(s, ((l_perc // 2, l_perc // 2), (0, 0)), mode="symmetric")
    for f in range(len(s)):
        along_frequency[f] = np.median(padded[f : f + l_perc], axis=0)
    share = along_time**2 / (along_time**2 + along_frequency**2)
    rows = []
    for part in (s * share, s * (1 - share)):
        if variant == "paper":
            power = (mel_filters(22_050, 400, n_mels, 0, 11_025) @ part) ** 2
        else:
            power = mel_filters(16_000, 400, n_mels, 0, 8_000) @ part**2
        level = 10 * np.log10(np.maximum(power, 1e-10))
        level = np.maximum(level, level.max() - 80)
        rows += [(row - row.mean()) / row.std() if np.ptp(row) else 0 * row for row in level]
    return np.array(rows)


@pytest.mark.parametrize("variant", ["paper", "corrected"])
def test_the_whole_chain_is_that_of_the_definition(variant: str) -> None:
    x = noise(12_345) + 0.1
    x[::3000] += 1
    x[5000:9000] += 0.3 * np.sin(np.arange(4000) / 5).astype(np.float32)
    extractor = create_features("lmhps-ef", variant, n_mels=60, l_harm=31, l_perc=15)
    np.testing.assert_allclose(extractor(x), slow_lmhps(x, 60, 31, 15, variant), atol=3e-3)


def test_bands_have_mean_0_and_deviation_1_over_the_recording() -> None:
    for variant, constant in (("paper", [0, 120]), ("corrected", [])):
        features = create_features("lmhps-ef", variant)(noise(3 * 16_000))
        assert len(features) == 240
        np.testing.assert_allclose(features.mean(axis=1), 0, atol=1e-5)
        deviation = features.std(axis=1)
        # The program's first filter holds no bin.
        assert np.flatnonzero(deviation == 0).tolist() == constant
        np.testing.assert_allclose(np.delete(deviation, constant), 1, atol=1e-4)


def test_a_tone_is_harmonic_and_a_click_percussive() -> None:
    t = np.arange(3 * 16_000) / 16_000
    tone = np.where(t < 1.5, 0.5 * np.sin(2 * np.pi * 1000 * t), 0)
    clicks = np.zeros_like(tone)
    clicks[24_000 + 800 :: 1600] = 0.5
    features = create_features("hps-ef")((tone + clicks).astype(np.float32))
    # Bin 25 is 1 kHz; bands of the two parts are compared by when they are above their mean.
    harmonic, percussive = features[25], features[201 + 100]
    first, second = slice(5, 140), slice(160, 290)
    assert harmonic[first].mean() > 0.5 > -0.5 > harmonic[second].mean()
    assert percussive[second].max() > 3 > percussive[first].max()


def test_squaring_powers_halves_the_range_that_is_heard() -> None:
    # Seven levels, 10 dB apart: in "paper" those 40 dB and more below the loudest value are one.
    x = noise(7 * 4000) * np.repeat(10 ** (-np.arange(0, 70, 10) / 20), 4000).astype(np.float32)
    middle = [12 + 25 * i for i in range(7)]
    for variant, falls in (("paper", 4), ("corrected", 6)):
        levels = create_features("lms", variant, n_mels=20)(x)[:, middle].mean(axis=0)
        assert (np.diff(levels) < -0.1).tolist() == [i < falls for i in range(6)]
        assert (np.diff(levels[falls:]) == 0).all()
    # Where nothing is that quiet, there is no difference: doubled dB are the same once standardised.
    same = [create_features("lms", variant, n_mels=20)(noise(16_000)) for variant in ("paper", "corrected")]
    np.testing.assert_allclose(same[0], same[1], atol=0.02)


def test_filters_for_another_rate_hear_a_tone_in_a_higher_band() -> None:
    t = np.arange(32_000) / 16_000
    x = (np.sin(2 * np.pi * 2000 * t) * (t > 1) + noise(32_000) / 100).astype(np.float32)
    bands = {}
    for variant, rate in (("paper", 22_050), ("corrected", 16_000)):
        features = create_features("lmhs", variant, n_mels=40)(x)
        on, off = features[:, 105:190], features[:, 5:95]
        bands[variant] = int(((on.mean(axis=1) - off.mean(axis=1)) / (off.std(axis=1) + 0.1)).argmax())
        centre = mel_edges(40, 0, rate / 2)[1:-1][bands[variant]]
        # Bin 50 of 400: 2000 Hz, or 2756 Hz to filters that take the rate for 22.05 kHz.
        assert abs(np.log2(centre / (50 * rate / 400))) < 0.2
    assert bands["paper"] != bands["corrected"]


@pytest.mark.parametrize(
    ("variant", "length", "hop", "n_frames", "starts"),
    [
        ("paper", 68, None, 68, []),
        ("paper", 68, None, 69, [0]),
        ("paper", 68, None, 136, [0]),
        ("paper", 68, None, 137, [0, 68]),
        ("paper", 25, None, 50, [0, 25]),
        ("paper", 68, 1, 71, [0, 1, 2]),
        ("paper", 68, None, 34, [0]),
        ("paper", 68, None, 40, [0]),
        ("corrected", 68, None, 68, [0]),
        ("corrected", 68, None, 136, [0, 68]),
        ("corrected", 68, 1, 71, [0, 1, 2, 3]),
        ("corrected", 68, None, 34, [0]),
        ("corrected", 68, None, 0, []),
        ("paper", 68, None, 0, []),
    ],
)
def test_patches_end_where_the_program_ends_them(
    variant: str, length: int, hop: int | None, n_frames: int, starts: list[int]
) -> None:
    options = {"patch_length": length} | ({"patch_hop": hop} if hop else {})
    extractor = create_features("ms", variant, **options)
    features = np.tile(np.arange(n_frames, dtype=np.float32), (21, 1))
    patches = extractor.cut(features)
    assert patches.starts.tolist() == starts
    expected = [(np.arange(start, start + length)) % max(1, n_frames) for start in starts]
    assert np.array_equal(patches[:][:, 0], np.reshape(expected, (-1, length)))


def test_short_signals_are_doubled_and_silence_has_no_features() -> None:
    x = noise(500)
    extractor = create_features("s")
    np.testing.assert_allclose(extractor(x), extractor(np.tile(x, 4)), atol=1e-5)
    for name in ("s", "ls", "lms", "lmhps-ef", "lhps-ef"):
        assert not create_features(name)(np.full(8000, 0.25, np.float32)).any()


def test_level_and_offset_do_not_matter() -> None:
    x = noise(16_000)
    for name in ("ls", "lmhps-ef"):
        extractor = create_features(name)
        np.testing.assert_allclose(extractor(0.1 * x + 0.5), extractor(x), atol=0.01)


# inaSpeechSegmenter


def slow_patches(log_mel: np.ndarray) -> np.ndarray:
    """Cut patches one by one: whole windows every second frame, then copies of the outermost at the ends."""
    whole = [log_mel[:, i : i + 68] for i in range(0, log_mel.shape[1] - 67, 2)]
    scaled = [(patch - patch.mean()) / patch.std() for patch in whole]
    return np.array([scaled[0]] * 17 + scaled + [scaled[-1]] * (16 + log_mel.shape[1] % 2))


def test_there_is_one_patch_for_each_20_ms() -> None:
    extractor = create_features("ina")
    for n_frames in (68, 69, 70, 71, 100, 251):
        log_mel = noise(21 * n_frames).reshape(21, n_frames)
        patches = extractor.cut(log_mel)
        assert len(patches) == -(-n_frames // 2)
        np.testing.assert_allclose(patches[:], slow_patches(log_mel), atol=1e-4)
    for n_frames in (1, 50, 51, 67):
        assert len(extractor.cut(noise(21 * n_frames).reshape(21, n_frames))) == -(-n_frames // 2)


def test_to_train_on_patches_may_share_nothing() -> None:
    patches = create_features("ina", patch_hop=68).cut(noise(21 * 250).reshape(21, 250))
    assert patches.starts.tolist() == [0, 68, 136, 136]  # as everywhere, the last one fills the end


def test_short_recordings_are_filled_with_the_least_value_of_all_bands() -> None:
    extractor = create_features("ina")
    log_mel = noise(24 * 30).reshape(24, 30)
    log_mel[23, 5] = -9
    filled = np.concatenate([log_mel[:21], np.full((21, 38), -9)], axis=1)
    np.testing.assert_allclose(extractor.cut(log_mel)[:1], slow_patches(filled)[:1], atol=1e-5)


def test_patches_that_touch_digital_silence_are_marked() -> None:
    x = noise(48_000)
    x[16_000:17_000] = 0
    extractor = create_features("ina")
    assert isinstance(extractor, SidekitMel)
    analysis = extractor.analyse(x)
    silent = np.flatnonzero(np.isneginf(analysis.log_energy))
    assert silent.tolist() == [100, 101, 102, 103]
    assert np.isneginf(analysis.log_mel[:, silent]).all()
    patches = extractor.cut(analysis.log_mel)
    touched = [i for i, start in enumerate(patches.starts) if start <= 103 and start + 68 > 100]
    assert np.flatnonzero(~patches.finite).tolist() == touched
    assert not patches[touched].any()
    assert not extractor.cut(np.full((21, 90), 2.0, np.float32)).finite.any()


def test_bands_and_energy_are_those_of_sidekit() -> None:
    x = noise(2000) + 0.01
    extractor = create_features("ina", n_bands=24)
    assert isinstance(extractor, SidekitMel)
    analysis = extractor.analyse(x)
    assert analysis.log_mel.shape == (24, 11)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)
    for t in range(11):
        frame = x[160 * t : 160 * t + 400].astype(np.float64)
        emphasised = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.rfft(emphasised * window, 512)) ** 2
        np.testing.assert_allclose(
            analysis.log_mel[:, t], np.log(sidekit_filters(16_000, 512) @ power), atol=1e-4
        )
        assert abs(analysis.log_energy[t] - np.log((emphasised**2).sum())) < 1e-4
    assert np.array_equal(create_features("ina")(x), analysis.log_mel[:21])


def test_sidekits_triangles_stand_on_whole_bins() -> None:
    filters = sidekit_filters(16_000, 512)
    edges = [100, 180, 268, 365, 472, 589, 719, 861, 1017, 1189, 1378, 1586, 1815, 2067, 2344, 2649, 2985,
             3354, 3760, 4207, 4698, 5239, 5834, 6488, 7208, 8000]  # fmt: skip
    exact = mel_edges(24, 100, 8000, htk=True)
    np.testing.assert_allclose(exact, edges, atol=0.6)
    for row, (low, centre, high) in enumerate(zip(exact, exact[1:], exact[2:], strict=False)):
        bins = np.flatnonzero(filters[row])
        assert bins[0] == int(low * 0.032) + 1
        assert bins[-1] == int(high * 0.032) - 1
        at = int(centre * 0.032)
        assert filters[row, at] == pytest.approx(
            2 / (high - low) * (at / 0.032 - low) / (centre - low), rel=1e-5
        )


# Kehling and Cano, SwishNet


def test_a_second_gives_kehlings_swishnet_16_frames_and_the_original_98() -> None:
    for name, length in (("kc-mfcc", 16), ("swishnet-mfcc", 98)):
        extractor = create_features(name)
        patches = extractor.cut(extractor(noise(extractor.sample_rate)))
        assert patches.shape == (1, extractor.n_bands, length)


def test_coefficients_are_those_of_the_orthonormal_cosine_transform() -> None:
    levels = noise(32 * 9).reshape(32, 9)
    k, m = np.arange(32)[:, None], np.arange(32)
    basis = np.sqrt(2 / 32) * np.cos(np.pi * k * (2 * m + 1) / 64)
    basis[0] /= np.sqrt(2)
    np.testing.assert_allclose(basis @ basis.T, np.eye(32), atol=1e-12)
    np.testing.assert_allclose(cepstrum(levels, 20), (basis @ levels)[:20], atol=1e-6)


def test_kehlings_levels_have_no_range_and_swishnets_have_80_db() -> None:
    x = np.concatenate([noise(22_050), np.zeros(22_050, np.float32)])
    assert create_features("kc-mel")(x).min() == pytest.approx(-100)
    flat = create_features("kc-mfcc")(x)[0, -5:] / np.sqrt(128)
    loudest = create_features("kc-mel")(x).max()
    assert abs(flat.max() - (loudest - 80)) < 3


# Bhatia and Thakur


def test_chunks_of_200_ms_stand_for_themselves() -> None:
    extractor = create_features("allconv-mel")
    x = noise(3 * 8820 + 100) * np.repeat([1, 0.001, 0.1, 1], 8820)[: 3 * 8820 + 100]
    features = extractor(x)
    assert features.shape == (40, 15)
    for chunk in range(3):
        alone = extractor(x[chunk * 8820 : (chunk + 1) * 8820])
        np.testing.assert_allclose(features[:, 5 * chunk : 5 * chunk + 5], alone, atol=1e-4)
        assert alone.max() == 0
        assert alone.min() >= -80
    np.testing.assert_allclose(features[:, 5:10], extractor(1000 * x[8820 : 2 * 8820]), atol=1e-3)


def test_chunks_last_as_long_at_another_rate() -> None:
    extractor = create_features("allconv-mel", sample_rate=16_000)
    assert (extractor.chunk, extractor.hop_length, extractor.win_length) == (3200, 640, 372)
    assert extractor(noise(3 * 3200 + 100)).shape == (40, 15)
    assert extractor.centre(0) == pytest.approx(create_features("allconv-mel").centre(0), abs=1e-4)
    # The bands are those up to half that rate: the loudest is the one around the tone.
    with pytest.raises(ConfigError, match="sample_rate 10 of 'allconv-mel': it must be at least 8000"):
        create_features("allconv-mel", sample_rate=10)
    tone = np.sin(2 * np.pi * 7000 * np.arange(3200) / 16_000).astype(np.float32)
    centres = mel_edges(40, 0, 8000)[1:-1]
    np.testing.assert_array_equal(extractor(tone).argmax(axis=0), np.abs(centres - 7000).argmin())


def test_decibels_are_of_the_amplitude() -> None:
    t = np.arange(8820) / 44_100
    # Windows are 100 ms or more apart; the second half is 20 dB down.
    x = (np.sin(2 * np.pi * 3000 * t) * np.where(np.arange(8820) < 4000, 1, 0.1)).astype(np.float32)
    peaks = create_features("allconv-mel")(x).max(axis=0)
    np.testing.assert_allclose(peaks, [0, 0, peaks[2], -10, -10], atol=0.05)


def test_batches_or_training_patches_scale_the_bands() -> None:
    assert create_features("allconv-mel").scaling == "batch"
    assert create_features("allconv-mel", "corrected").scaling == "band"
    batch = noise(8 * 40 * 5).reshape(8, 40, 5) - 30
    scaled = fit_scaling([batch], "batch")(batch)
    np.testing.assert_allclose(scaled.mean(axis=(0, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(axis=(0, 2)), 1, atol=1e-3)


# Grollmisch et al.


def test_averaged_frames_are_means_of_ten() -> None:
    extractor = create_features("gro-t1")
    x = noise(12_000 * 4)
    padded = np.pad(x / np.abs(x).max(), 1024, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    n = 1 + len(x) // 2048
    logs = np.array(
        [np.log(1 + np.abs(np.fft.rfft(padded[2048 * i :][:2048] * hann)))[:1024] for i in range(n)]
    )
    expected = np.array([logs[i : i + 10].mean(axis=0) for i in range(n - 9)]).T
    np.testing.assert_allclose(extractor(x), expected, atol=1e-5)
    np.testing.assert_allclose(extractor(x[:5000])[:, 0].shape, (1024,))
    assert extractor.centre(0) == pytest.approx(4.5 * 2048 / 12_000)


def test_single_windows_are_not_averaged() -> None:
    extractor = create_features("gro-t4")
    x = noise(44_100)
    logs = create_features("gro-t1-cnn")  # the same chain at another size
    whole = replace(logs, sample_rate=44_100, win_length=2048, hop_length=2048, n_fft=2048)
    assert np.array_equal(extractor(x), whole(x)[:1024])
    assert extractor.reach == 0
    assert extractor.centre(3) == pytest.approx(3 * 2048 / 44_100)


def test_patches_of_t1_overlap_by_half() -> None:
    extractor = create_features("gro-t1-cnn")
    assert extractor.cut(noise(257 * 90).reshape(257, 90)).starts.tolist() == [0, 17, 34, 51]
    assert extractor.scaling == "cell"


# TVSM


def test_energies_are_torchaudios_and_smoothed_along_the_bands() -> None:
    x = oracle_signal(16_000)
    found = create_features("tvsm")(x)
    energies = ORACLE["tvsm paper, before normalisation"].astype(np.float64)
    smooth = energies.copy()
    for band in range(1, 128):
        smooth[band] = 0.975 * smooth[band - 1] + 0.025 * energies[band]
    expected = np.sqrt(energies / (1e-6 + smooth) ** 0.98 + 2) - np.sqrt(2)
    np.testing.assert_allclose(found, expected[:, : found.shape[1]], rtol=2e-3, atol=1e-4)
    # So that a frame does not depend on those before it.
    later = create_features("tvsm")(np.concatenate([noise(5120), x]))
    np.testing.assert_allclose(later[:, 13:-1], found[:, 3:-1], atol=1e-4)


def test_energies_are_normalised_by_their_course() -> None:
    steady = normalise_energies(np.full((50, 3), 5.0, np.float32))
    np.testing.assert_allclose(steady, np.sqrt(5**0.02 + 2) - np.sqrt(2), rtol=1e-5)


def test_chunks_of_20_s_are_patches_and_a_shorter_rest_is_none() -> None:
    extractor = create_features("tvsm")
    for n_frames, count in ((0, 0), (624, 0), (625, 1), (1300, 2)):
        assert len(extractor.cut(np.zeros((128, n_frames), np.float32))) == count


# Mel scale, scaling, patches


def test_htks_scale_and_unit_height() -> None:
    np.testing.assert_allclose(hz_to_htk_mel([0, 700, 1000]), [0, 781.17, 999.99], atol=0.01)
    np.testing.assert_allclose(htk_mel_to_hz(hz_to_htk_mel([40, 7000])), [40, 7000])
    filters = mel_filters(16_000, 65_536, 20, 0, 8000, htk=True, unit_area=False)
    np.testing.assert_allclose(filters.max(axis=1), 1, atol=0.01)


@pytest.mark.parametrize("kind", [kind for kind in SCALINGS if kind != "none"])
def test_scalings_are_those_of_all_patches_together(kind: str) -> None:
    patches = 5 * noise(30 * 4 * 6).reshape(30, 4, 6) + np.array([[-300], [0], [5], [7]], np.float32)
    patches[:, 3] = 7
    scaled = fit_scaling([patches[:1], patches[1:20], patches[:0], patches[20:]], kind)(patches)
    axes = (0,) if kind == "cell" else (0, 2)
    np.testing.assert_allclose(scaled.mean(axis=axes), 0, atol=1e-4)
    varying = np.delete(scaled, 3, axis=1)
    greatest = np.abs(varying).max(axis=axes) if kind == "band-range" else varying.std(axis=axes)
    np.testing.assert_allclose(greatest, 1, atol=1e-3)
    assert np.abs(scaled[:, 3]).max() == 0


def test_scalings_without_patches_or_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="no patches"):
        fit_scaling([], "band")
    for kind in ("none", "bands"):
        with pytest.raises(ConfigError, match=f"scaling '{kind}' cannot be fitted; choose one of band, "):
            fit_scaling([np.zeros((1, 2, 3))], kind)


def test_patches_are_cut_when_they_are_asked_for() -> None:
    extractor: Extractor = create_features("gro-t3", patch_length=4, patch_hop=2)
    features = np.arange(80 * 11, dtype=np.float32).reshape(80, 11)
    patches = extractor.cut(features)
    assert patches.shape == (4, 80, 4)
    assert np.array_equal(patches[[2, 0]], np.stack([features[:, 4:8], features[:, :4]]))
    assert np.array_equal(patches[np.array([3])][0], features[:, 6:10])
    patches[:1][:] = 0
    assert np.array_equal(patches[:1][0], features[:, :4])
    assert np.asarray(patches, np.float64).dtype == np.float64


def test_the_bands_of_heo_are_those_of_torchaudio() -> None:
    """Windows in the middle of longer transforms; bands of height 1 between equal steps of HTK's mels."""
    extractor = create_features("heo")
    samples = noise(44_356)
    mirrored = np.pad(samples, 1024, mode="reflect")
    frames = np.stack([mirrored[i * 256 : i * 256 + 2048] for i in range(174)])
    window = np.zeros(2048)
    window[768:1280] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 11_025 / 700), 50) / 2595) - 1)
    bins = np.arange(1025) * 22_050 / 2048
    bands = np.array([np.interp(bins, edges[i : i + 3], [0, 1, 0]) for i in range(48)])
    np.testing.assert_allclose(extractor(samples), np.log(power @ bands.T + 1e-6).T, atol=2e-3)


def test_what_is_shorter_than_a_patch_of_heo_is_heard_again() -> None:
    extractor = create_features("heo")
    samples = noise(30_000)
    (part,) = window_parts(Signal([samples], 22_050), extractor)
    (run,) = part.runs
    expected = extractor(np.tile(samples, 3))[:, :202]
    np.testing.assert_allclose(run.patches[0, :, 5:190], expected[:, 5:190], atol=1e-3)
