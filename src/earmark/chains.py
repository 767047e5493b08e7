"""Effects drawn at random, as data: a chain can be written down, and applied again with the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from earmark import effects
from earmark.codecs import code
from earmark.errors import ConfigError

FloatArray = npt.NDArray[np.float32]

EFFECTS: dict[str, Callable[..., FloatArray]] = {
    "add_crackle": effects.add_crackle,
    "add_hiss": effects.add_hiss,
    "add_hum": effects.add_hum,
    "band_limit": effects.band_limit,
    "clip": effects.clip,
    "code": code,
    "equalise": effects.equalise,
    "reverberate": effects.reverberate,
    "ride_level": effects.ride_level,
    "wow": effects.wow,
}


@dataclass(frozen=True)
class Effect:
    """One effect and its parameters.

    Parameters
    ----------
    name : str
        A key of `EFFECTS`.
    parameters : mapping
        Keyword arguments, fit for JSON.

    Raises
    ------
    ConfigError
        If there is no such effect.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in EFFECTS:
            raise ConfigError(f"effect '{self.name}': there are {', '.join(EFFECTS)}")

    def __call__(self, samples: npt.ArrayLike, sample_rate: int) -> FloatArray:
        """Return the altered signal, of the same length."""
        return EFFECTS[self.name](samples, sample_rate, **self.parameters)


def apply(samples: FloatArray, sample_rate: int, chain: Iterable[Effect]) -> FloatArray:
    """Apply effects one after the other."""
    for effect in chain:
        samples = effect(samples, sample_rate)
    return samples


def random_chain(rng: np.random.Generator) -> tuple[Effect, ...]:
    """Draw what befalls a programme: nothing, a studio, a room, a narrow line, an old disc, an overload."""
    kind = rng.choice(
        ["clean", "studio", "room", "narrow", "disc", "overload"], p=[0.2, 0.3, 0.1, 0.15, 0.15, 0.1]
    )
    chain: list[Effect] = []
    if kind == "studio":
        chain += [random_riding(rng), random_equaliser(rng)]
    elif kind == "room":
        chain += [random_room(rng), random_noise(rng)]
    elif kind == "narrow":
        chain += [random_band_limit(rng), random_noise(rng)]
    elif kind == "disc":
        chain += random_disc(rng)
    elif kind == "overload":
        chain += [random_clipping(rng)]
    if rng.random() < 0.6:
        chain.append(random_codec(rng))
    return tuple(chain)


def random_codec(rng: np.random.Generator) -> Effect:
    """Draw a codec, from good to bad rates; seldom a telephone's."""
    name = str(
        rng.choice(["mp3", "aac", "opus", "mp2", "mulaw", "alaw"], p=[0.35, 0.25, 0.2, 0.08, 0.06, 0.06])
    )
    if name in ("mulaw", "alaw"):
        return Effect("code", {"codec": name})
    lowest = {"mp3": 16, "aac": 16, "opus": 8, "mp2": 32}[name]
    return Effect("code", {"codec": name, "kbps": round(_log_uniform(rng, lowest, 96))})


def random_band_limit(rng: np.random.Generator) -> Effect:
    """Draw a band: a telephone's, medium wave's, or a low-pass of 4 to 7.5 kHz."""
    kind = rng.integers(3)
    if kind == 0:
        low, high = rng.uniform(200, 400), rng.uniform(3000, 3800)
    elif kind == 1:
        low, high = rng.uniform(50, 150), rng.uniform(3500, 5000)
    else:
        low, high = 0.0, rng.uniform(4000, 7500)
    return Effect("band_limit", {"low_hz": round(float(low), 1), "high_hz": round(float(high), 1)})


def random_equaliser(rng: np.random.Generator) -> Effect:
    """Draw a smooth curve: a tilt of up to some 3 dB an octave, shelves and a few bumps."""
    hz = [63.0 * 2**k for k in range(8)]
    octaves = np.arange(8) - 4.0
    gains = np.clip(rng.normal(0, 1), -3, 3) * octaves + rng.normal(0, 2.5, size=8)
    gains += np.where(octaves < rng.uniform(-4, -1), rng.normal(0, 4), 0)
    gains += np.where(octaves > rng.uniform(1, 3), rng.normal(0, 4), 0)
    return Effect("equalise", {"hz": hz, "gains_db": [round(float(g), 2) for g in np.clip(gains, -18, 18)]})


def random_room(rng: np.random.Generator) -> Effect:
    """Draw a room: 0.1 to 1.5 s, near the microphone or far."""
    parameters = {
        "rt60_s": round(_log_uniform(rng, 0.1, 1.5), 3),
        "direct_to_reverb_db": round(float(rng.uniform(-4, 12)), 2),
        "seed": _seed(rng),
    }
    return Effect("reverberate", parameters)


def random_clipping(rng: np.random.Generator) -> Effect:
    """Draw an overload of 1 to 15 dB, hard or soft."""
    return Effect("clip", {"over_db": round(float(rng.uniform(1, 15)), 2), "soft": bool(rng.random() < 0.5)})


def random_riding(rng: np.random.Generator) -> Effect:
    """Draw a slow compressor."""
    parameters = {
        "ratio": round(float(rng.uniform(1.2, 4)), 2),
        "window_s": round(_log_uniform(rng, 0.4, 8), 2),
        "most_db": round(float(rng.uniform(4, 12)), 1),
    }
    return Effect("ride_level", parameters)


def random_noise(rng: np.random.Generator) -> Effect:
    """Draw faint hiss or hum: the recording's own, not an event of its own."""
    below = round(float(rng.uniform(25, 50)), 1)
    if rng.random() < 0.7:
        return Effect("add_hiss", {"below_db": below, "seed": _seed(rng)})
    return Effect("add_hum", {"below_db": below, "mains_hz": float(rng.choice([50.0, 60.0]))})


def random_disc(rng: np.random.Generator) -> tuple[Effect, ...]:
    """Draw an old disc: a narrow band, wow, hiss and crackle; from vinyl to shellac."""
    age = rng.random()
    turns = float(rng.choice([33.3, 45.0, 78.0])) / 60
    return (
        Effect(
            "wow", {"depth": round(0.0005 + 0.003 * age * float(rng.random()), 5), "rate_hz": round(turns, 4)}
        ),
        Effect(
            "add_crackle",
            {
                "per_second": round(_log_uniform(rng, 1, 10) * (1 + 8 * age), 1),
                "below_db": round(float(rng.uniform(-2, 12)), 1),
                "seed": _seed(rng),
            },
        ),
        Effect("add_hiss", {"below_db": round(45 - 25 * age * float(rng.random()), 1), "seed": _seed(rng)}),
        Effect("band_limit", {"low_hz": round(40 + 160 * age, 1), "high_hz": round(7500 - 4200 * age, 1)}),
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 31))
