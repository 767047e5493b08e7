"""Effects: what each does to a known signal; nothing moves, and chance comes from the seed alone."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from earmark import chains, effects
from earmark.chains import Effect, apply, random_chain
from earmark.codecs import CODECS, CodecSpec, code
from earmark.errors import ConfigError

RATE = 16_000
Float = npt.NDArray[np.float32]


def sine(hz: float, seconds: float = 1.0, db: float = -20.0, rate: int = RATE) -> Float:
    t = np.arange(round(seconds * rate)) / rate
    return (np.sqrt(2) * 10 ** (db / 20) * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def bursts(seconds: float = 3.0, rate: int = RATE) -> Float:
    """Noise below 3 kHz, in bursts of speech-like length."""
    rng = np.random.default_rng(0)
    noise = effects.band_limit(rng.standard_normal(round(seconds * rate)), rate, 300, 3000)
    t = np.arange(len(noise)) / rate
    return (0.1 * noise * (np.sin(2 * np.pi * 2 * t) > 0)).astype(np.float32)


def rms_db(signal: Float) -> float:
    return float(10 * np.log10(np.mean(np.asarray(signal, dtype=float) ** 2)))


def lag(reference: Float, altered: Float) -> int:
    """Samples by which `altered` comes late, by cross-correlation."""
    n = 2 * len(reference)
    product = np.conj(np.fft.rfft(reference, n)) * np.fft.rfft(altered, n)
    best = int(np.argmax(np.fft.irfft(product, n)))
    return best if best < n // 2 else best - n


# -- codecs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["mp3:16", "mp3:64", "aac:24", "opus:8", "opus:32", "mp2:48", "mulaw", "alaw"]
)
def test_a_codec_leaves_sounds_in_place_and_mostly_intact(text: str) -> None:
    signal = bursts()
    spec = CodecSpec.parse(text)
    coded = code(signal, RATE, spec.name, spec.kbps)
    assert coded.dtype == np.float32
    assert len(coded) == len(signal)
    assert abs(lag(signal, coded)) <= 0.002 * RATE
    assert rms_db(coded) == pytest.approx(rms_db(signal), abs=2.5)
    assert 1e-4 < np.sqrt(np.mean((coded - signal) ** 2)) < 0.1


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100])
@pytest.mark.parametrize("codec", ["mp3", "opus", "mulaw"])
def test_codecs_keep_the_time_at_other_rates(codec: str, rate: int) -> None:
    signal = bursts(1.0, rate)
    coded = code(signal, rate, codec, None if codec == "mulaw" else 32)
    assert len(coded) == len(signal)
    assert abs(lag(signal, coded)) <= 0.002 * rate


def test_telephone_codecs_cut_at_4_khz() -> None:
    coded = code(sine(1000) + sine(6000), RATE, "alaw")
    assert rms_db(coded) == pytest.approx(-20, abs=0.3)


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_take_signals_of_any_length(codec: str) -> None:
    kbps = None if codec.endswith("law") else 32
    for n in (0, 1, 100):
        assert code(np.zeros(n), RATE, codec, kbps).shape == (n,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ogg:32", "there are mp3, aac, opus"),
        ("mp3", "codec mp3: give 8 to 160 kbit/s"),
        ("opus:500", "codec opus:500: give 6 to 128 kbit/s"),
        ("mp3:fast", "'fast' is no bit rate"),
        ("alaw:64", "it has one rate; write alaw"),
        ("mp3:nan", "give 8 to 160"),
    ],
)
def test_wrong_codecs_are_told(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CodecSpec.parse(text)


# -- filters and rooms ---------------------------------------------------------------------------


def test_band_limits_keep_the_band_and_nothing_else() -> None:
    kept, low, high = (
        effects.band_limit(sine(hz, 2.0), RATE, 300, 3400)[4000:-4000] for hz in (1000, 150, 4000)
    )
    assert np.allclose(kept, sine(1000, 2.0)[4000:-4000], atol=1e-3)
    assert rms_db(low) < -80
    assert rms_db(high) < -80
    full = effects.band_limit(bursts(), RATE, 0, RATE / 2)
    assert np.allclose(full, bursts(), atol=1e-4)


def test_an_equaliser_has_the_gains_it_was_given() -> None:
    hz, gains = [100, 400, 1600, 6400], [-10, 0, 6, -3]
    for at, gain in zip((*hz, 800), (*gains, 3), strict=True):
        changed = effects.equalise(sine(at, 2.0), RATE, hz, gains)[4000:-4000]
        assert rms_db(changed) == pytest.approx(-20 + gain, abs=0.3)


def test_convolution_equals_the_direct_sum() -> None:
    rng = np.random.default_rng(1)
    for n, taps in ((20_000, 301), (50, 301), (40_000, 9000)):
        signal, kernel = rng.standard_normal(n), rng.standard_normal(taps).astype(np.float32)
        direct = np.convolve(signal, kernel)[100 : 100 + n] if n < 30_000 else None
        fast = effects.convolve(signal, kernel, 100)
        assert len(fast) == n
        if direct is None:
            t = 12_345
            assert fast[t] == pytest.approx(np.dot(signal[t + 100 - 8999 : t + 101], kernel[::-1]), abs=1e-2)
        else:
            assert np.allclose(fast, direct, atol=1e-3)


def test_a_room_has_its_decay_and_its_direct_sound() -> None:
    impulse = effects.room_impulse(RATE, 1.0, 6.0, seed=3).astype(float)
    assert np.argmax(np.abs(impulse)) == 0
    assert 10 * np.log10(impulse[0] ** 2 / np.sum(impulse[1:] ** 2)) == pytest.approx(6, abs=0.01)
    assert np.sum(impulse**2) == pytest.approx(1, abs=1e-4)
    tail = np.fft.irfft(
        np.where(np.fft.rfftfreq(len(impulse), 1 / RATE) < 800, np.fft.rfft(impulse), 0), len(impulse)
    )
    power = [rms_db(tail[int(t * RATE) : int((t + 0.1) * RATE)]) for t in (0.1, 0.2, 0.3, 0.4)]
    assert np.polyfit([0.1, 0.2, 0.3, 0.4], power, 1)[0] == pytest.approx(-60, abs=12)


# -- levels, noise, discs ------------------------------------------------------------------------


def test_hard_clipping_is_flat_and_soft_clipping_bends() -> None:
    signal = sine(500)
    hard = effects.clip(signal, RATE, 6.0)
    assert np.max(np.abs(hard)) == pytest.approx(np.max(np.abs(signal)) / 2, rel=0.01)
    assert np.mean(np.abs(hard) == np.max(hard)) > 0.5
    soft = effects.clip(signal, RATE, 6.0, soft=True)
    assert np.max(np.abs(soft)) < np.max(np.abs(hard))
    assert len(np.unique(np.abs(soft))) > 5


def test_riding_divides_level_differences_and_has_a_limit() -> None:
    signal = np.concatenate([sine(500, 4, -20), sine(500, 4, -30)])
    ridden = effects.ride_level(signal, RATE, ratio=2.0, window_s=0.5, most_db=12)
    loud, soft = rms_db(ridden[RATE : 3 * RATE]), rms_db(ridden[5 * RATE : 7 * RATE])
    assert loud - soft == pytest.approx(5, abs=0.1)
    limited = effects.ride_level(signal, RATE, ratio=2.0, window_s=0.5, most_db=1)
    assert rms_db(limited[5 * RATE : 7 * RATE]) == pytest.approx(-29, abs=0.1)


def test_hiss_and_hum_lie_below_the_signal_by_what_was_asked() -> None:
    signal = np.concatenate([sine(1000, 2), np.zeros(2 * RATE, np.float32)])
    hiss = effects.add_hiss(signal, RATE, 30, seed=1) - signal
    hum = effects.add_hum(signal, RATE, 25, mains_hz=50) - signal
    assert rms_db(hiss) == pytest.approx(-50, abs=0.2)
    assert rms_db(hum) == pytest.approx(-45, abs=0.1)
    spectrum = np.abs(np.fft.rfft(hum))
    assert np.argmax(spectrum) / 4 == pytest.approx(50)


def test_crackle_is_as_dense_as_asked_and_leaves_the_rest() -> None:
    signal = sine(500, 20)
    clicks = np.abs(effects.add_crackle(signal, RATE, per_second=5, below_db=0, seed=2) - signal)
    starts = np.flatnonzero(np.diff((clicks > 1e-3).astype(int)) == 1)
    groups = 1 + np.sum(np.diff(starts) > 0.003 * RATE)
    assert 70 < groups < 130
    assert np.mean(clicks > 1e-3) < 0.05


def test_wow_moves_sounds_to_and_fro_by_less_than_it_says() -> None:
    noise = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    bent = effects.wow(noise, RATE, depth=0.003, rate_hz=0.5)
    limit = 0.003 / (2 * np.pi * 0.5) * RATE
    lags = [lag(noise[i : i + 2000], bent[i : i + 2000]) for i in range(0, len(noise), 2000)]
    assert -limit - 1 <= min(lags) < -10
    assert 10 < max(lags) <= limit + 1


@pytest.mark.parametrize("name", sorted(chains.EFFECTS))
def test_every_effect_takes_silence_and_nothing(name: str) -> None:
    parameters = {
        "add_crackle": {"per_second": 5, "below_db": 3, "seed": 0},
        "add_hiss": {"below_db": 30, "seed": 0},
        "add_hum": {"below_db": 30, "mains_hz": 50.0},
        "band_limit": {"low_hz": 300, "high_hz": 3400},
        "clip": {"over_db": 6},
        "code": {"codec": "mulaw"},
        "equalise": {"hz": [100, 1000], "gains_db": [3, -3]},
        "reverberate": {"rt60_s": 0.3, "direct_to_reverb_db": 3, "seed": 0},
        "ride_level": {"ratio": 2, "window_s": 1, "most_db": 6},
        "wow": {"depth": 0.002, "rate_hz": 1.3},
    }[name]
    for n in (0, 1, 4000):
        silent = Effect(name, parameters)(np.zeros(n, np.float32), RATE)
        assert silent.shape == (n,)
        assert silent.dtype == np.float32
        assert np.max(np.abs(silent), initial=0) < 1e-3


# -- chance --------------------------------------------------------------------------------------


def test_a_drawn_chain_repeats_from_its_seed_and_survives_json() -> None:
    signal = bursts(1.0)
    for seed in range(12):
        chain = random_chain(np.random.default_rng(seed))
        stored = json.loads(json.dumps([[e.name, dict(e.parameters)] for e in chain]))
        again = [Effect(name, parameters) for name, parameters in stored]
        assert again == list(random_chain(np.random.default_rng(seed)))
        altered = apply(signal, RATE, chain)
        assert len(altered) == len(signal)
        assert abs(lag(signal, altered)) < 0.01 * RATE
        if seed < 4:
            assert np.array_equal(altered, apply(signal, RATE, again))


def test_chains_use_every_effect_and_sometimes_none() -> None:
    drawn = [random_chain(np.random.default_rng(seed)) for seed in range(100)]
    assert {effect.name for chain in drawn for effect in chain} == {*chains.EFFECTS}
    assert () in drawn


def test_unknown_effects_are_refused() -> None:
    with pytest.raises(ConfigError, match="there are add_crackle"):
        Effect("flanger")
