"""Noises of throats: cries of animals and babies, whistling, coughs, sneezes, snores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earmark.train.synth.parts import (
    Array,
    Recipe,
    Rng,
    between,
    chance,
    coloured,
    curve,
    decay,
    decibels,
    envelope,
    harmonics,
    moving,
    normal,
    place,
    pulses,
    repeat,
    resonate,
    tone,
    wander,
)


def call(
    rng: Rng,
    sr: int,
    seconds: float,
    pitch: npt.ArrayLike,
    formants: npt.ArrayLike,
    *,
    fall: float = 9.0,
    rough: float = 0.0,
    breath: float = 0.1,
    tremolo: float = 0.0,
    opening: npt.ArrayLike = (0.8, 1.1, 0.8),
) -> Array:
    """Return one cry of a throat: a gliding harmonic source with breath, through moving formants.

    Parameters
    ----------
    pitch : array of float, two or more
        Hz on the way, at random times.
    formants : array of float
        Hz, lowest first.
    fall : float
        dB per octave of the source.
    rough, breath : float
        0 to 1: hoarseness, which comes and goes, and air.
    tremolo : float
        Rate of bleating, Hz; 0 for none.
    opening : array of float
        Factors that the formants go through.
    """
    n = max(64, int(seconds * sr))
    log_pitch = np.log(np.asarray(pitch, np.float64))
    # Uneven times make plateaux and sudden glides, as throats do.
    times = np.cumsum(rng.dirichlet(np.full(len(log_pitch) - 1, 1.5)))
    f0 = np.exp(curve(n, log_pitch, np.concatenate([[0.0], times[:-1], [1.0]])))
    hoarse = rough * np.clip(0.6 + wander(rng, n, sr, 5), 0, 1)
    f0 *= np.exp(0.006 * wander(rng, n, sr, 25) + 0.05 * hoarse * wander(rng, n, sr, 90))
    swing = tone(rng, sr, tremolo, n) if tremolo else np.zeros(n)
    source = tone(rng, sr, f0 * (1 + 0.03 * swing), n, harmonics(rng, 60, fall, 2.0))
    source += 0.7 * hoarse * tone(rng, sr, f0 / 2, n, harmonics(rng, 80, fall - 3, 3.0))
    source *= 1 + hoarse * np.clip(wander(rng, n, sr, 70), -1, 2)
    source += breath * np.std(source) * coloured(rng, n, sr, -2)
    centres = np.atleast_1d(np.asarray(formants, np.float64))
    opened = curve(64, opening)

    def throat(progress: Array, hz: Array) -> Array:
        shape = np.interp(progress, np.linspace(0, 1, 64), opened)
        gain = np.full((len(progress), hz.shape[1]), 0.01)
        for index, centre in enumerate(centres):
            at = centre * shape
            gain += 0.75**index / (1 + ((hz - at) / (0.11 * at + 40)) ** 2) ** 0.7
        return gain

    out = moving(source * (1 + 0.6 * swing), sr, throat)
    return normal(out * envelope(n, sr, rng.uniform(0.03, 0.3) * seconds, rng.uniform(0.1, 0.5) * seconds))


@dataclass(frozen=True)
class _Species:
    """One animal's call: pitch (Hz), its course as factors, seconds, formants (Hz), and how it is repeated.

    `bout` calls follow each other at `inner` seconds; then comes a rest of `outer` seconds.
    """

    pitch: tuple[float, float]
    course: tuple[float, ...]
    seconds: tuple[float, float]
    formants: tuple[float, ...]
    rough: float = 0.1
    breath: float = 0.1
    tremolo: tuple[float, float] | None = None
    bout: int = 1
    inner: tuple[float, float] = (0.06, 0.5)
    outer: tuple[float, float] = (0.4, 3.0)
    fall: float = 8.0


_ANIMALS = {
    "dog": _Species((180, 700), (0.7, 1.2, 0.7), (0.09, 0.35), (750, 1500, 2900), 0.5, 0.3, bout=5, fall=10),
    "dog whining": _Species((500, 1500), (0.8, 1.1, 1.3, 0.8), (0.2, 1.2), (1200, 2500), 0.05, bout=4),
    "cat": _Species((350, 900), (0.8, 1.2, 1.1, 0.75), (0.4, 1.6), (900, 1900, 3600), 0.15, bout=2),
    "cow": _Species((80, 280), (0.7, 1.1, 1.0, 0.8), (0.8, 2.6), (380, 800, 2200), 0.3, 0.15),
    "sheep": _Species((180, 520), (1.0, 1.1, 0.9), (0.4, 1.6), (800, 1700, 2900), 0.3, 0.2, (6, 14), 2),
    "rooster": _Species((450, 900), (0.7, 1.0, 0.8, 1.3, 1.35, 1.1), (1.2, 2.4), (1100, 2200, 3800), 0.3),
    "hen": _Species((250, 650), (0.9, 1.2, 0.8), (0.06, 0.3), (1000, 1900, 3200), 0.6, 0.3, bout=8),
    "goose and donkey": _Species(
        (180, 600), (0.8, 1.5, 0.9), (0.2, 0.9), (700, 1600, 2600), 0.9, 0.4, bout=4
    ),
    "wolf": _Species((250, 750), (0.6, 1.0, 1.1, 1.05, 0.7), (1.5, 5.0), (550, 1100), 0.02, 0.05, fall=13),
    "owl and dove": _Species((220, 600), (0.95, 1.05, 0.95), (0.15, 0.7), (400,), 0.02, bout=4, fall=18),
    "crow": _Species((300, 650), (0.9, 1.1, 0.8), (0.18, 0.5), (1300, 2300), 1.0, 0.5, bout=4),
    "seagull": _Species((600, 1700), (0.9, 1.4, 1.0, 0.7), (0.2, 1.0), (1600, 3000), 0.2, bout=6),
    "frog": _Species((120, 900), (0.9, 1.1), (0.1, 0.8), (700, 1900), 0.4, 0.2, (14, 60), 6),
    "horse": _Species((500, 1300), (0.8, 1.5, 1.0, 0.5), (0.9, 2.2), (900, 1800, 3000), 0.4, 0.3, (6, 11)),
    "pig": _Species((90, 500), (0.8, 1.2, 0.9), (0.1, 0.7), (600, 1500, 2600), 1.0, 0.7, bout=5),
    "whale and elephant": _Species(
        (90, 900), (0.6, 1.3, 0.8, 1.5, 0.7), (0.8, 4.0), (600, 1400), 0.3, bout=2
    ),
    "monkey": _Species((350, 1300), (0.7, 1.6, 0.9), (0.08, 0.5), (900, 2000), 0.3, 0.3, bout=9),
    "baby": _Species((300, 620), (0.8, 1.15, 1.1, 0.75), (0.5, 1.7), (1000, 1700, 3500), 0.25, bout=6),
    "whistling": _Species((700, 2400), (1.0, 1.3, 0.8), (0.15, 1.0), (1500,), 0.0, 0.15, bout=3, fall=30),
    "screams": _Species((450, 1500), (0.8, 1.2, 1.1, 0.8), (0.4, 2.0), (1000, 1600, 2900), 0.5, 0.2),
}


def _animal(species: _Species) -> Recipe:
    def recipe(rng: Rng, n: int, sr: int) -> Array:
        size, inner, held = rng.uniform(0.75, 1.3), between(rng, *species.inner), chance(rng, 0.35)
        base = between(rng, *species.pitch)

        def voice() -> Array:
            course = np.array(species.course) ** rng.uniform(0.2, 1.5)
            course *= base * np.exp(rng.normal(0, 0.08, len(course)))
            if held:
                course = np.repeat(course, [1] + [3] * (len(course) - 2) + [1])
            return call(
                rng,
                sr,
                between(rng, *species.seconds),
                course,
                np.array(species.formants) * size,
                fall=species.fall + rng.normal(0, 1.5),
                rough=float(np.clip(species.rough * rng.uniform(0.3, 1.8), 0, 1)),
                breath=species.breath * rng.uniform(0.5, 2),
                tremolo=between(rng, *species.tremolo) if species.tremolo else 0.0,
                opening=rng.uniform(0.7, 1.3, 4),
            )

        calls: list[Array] = []

        def bout() -> Array:
            events, t = [], 0.0
            for _ in range(int(rng.integers(1, species.bout + 1))):
                if len(calls) < 6:
                    calls.append(voice())
                one = calls[int(rng.integers(len(calls)))]
                events.append((t, one * decibels(rng.normal(0, 2))))
                t += len(one) / sr + inner * rng.uniform(0.6, 1.4)
            return place(int((t + 0.1) * sr) + 1, sr, events)

        return repeat(rng, n, sr, bout, species.outer, 0.7, rest=True)

    return recipe


def _breath(rng: Rng, sr: int, seconds: float, formants: npt.ArrayLike) -> Array:
    """One breath of air through a throat, without voice."""
    n = max(64, int(seconds * sr))
    air = resonate(coloured(rng, n, sr, -1), sr, formants, 4.0, 1.0, dry=0.15)
    return normal(air * curve(n, [0, rng.uniform(0.5, 1), rng.uniform(0.2, 1), 0]))


def _coughs(rng: Rng, n: int, sr: int) -> Array:
    """Coughs, sneezes and throats cleared: a burst of air, then a hoarse bit of voice."""
    formants = np.array([650, 1500, 2600]) * rng.uniform(0.8, 1.3)
    f0, sneeze = between(rng, 110, 420), chance(rng, 0.3)

    def fit() -> Array:
        events, t = [], 0.0
        if sneeze:
            events.append((t, 0.2 * _breath(rng, sr, 0.6, formants)))
            t += rng.uniform(0.5, 0.8)
        for _ in range(1 if sneeze else int(rng.integers(1, 5))):
            burst = rng.standard_normal(int(0.25 * sr))
            burst *= decay(len(burst), sr, between(rng, 0.06, 0.2), 0.004)
            events.append((t, normal(resonate(burst, sr, formants, 3.0, 1.0, dry=0.3))))
            seconds = between(rng, 0.08, 0.3)
            voice = call(rng, sr, seconds, f0 * rng.uniform(0.7, 1.1, 3), formants, rough=0.9, breath=1.0)
            events.append((t + 0.03, rng.uniform(0.1, 0.9) * voice))
            t += rng.uniform(0.25, 0.5)
        return place(int((t + 0.5) * sr), sr, events)

    return repeat(rng, n, sr, fit, (0.4, 4.0), 0.8, rest=True)


def _snores(rng: Rng, n: int, sr: int) -> Array:
    """Snoring, purring, panting, sniffing: breaths in and out at an even pace."""
    every, formants = between(rng, 0.35, 4.5), np.array([400, 1300, 2300]) * rng.uniform(0.8, 1.4)
    rasp, hoarse = between(rng, 22, 90), rng.uniform(0, 1.5) * chance(rng, 0.6)

    def breath() -> Array:
        size = int(0.42 * every * sr)
        rate = rasp * np.exp(0.15 * wander(rng, size, sr, 8))
        flutter = pulses(rate, size, sr, lambda count: rng.uniform(0.3, 1, count))
        drag = resonate(flutter, sr, formants, 4.0, 1.0, dry=0.1) * curve(size, [0, 1, 0.7, 0])
        inward = place(
            size, sr, [(0.0, hoarse * normal(drag)), (0.0, 0.4 * _breath(rng, sr, size / sr, formants))]
        )
        outward = rng.uniform(0.1, 0.6) * _breath(rng, sr, 0.4 * every, formants * 1.2)
        return np.concatenate([inward, np.zeros(int(0.08 * every * sr)), outward])

    return repeat(rng, n, sr, breath, (every, 1.01 * every), 0.05)


THROATS: dict[str, Recipe] = {
    **{name: _animal(species) for name, species in _ANIMALS.items()},
    "coughs": _coughs,
    "snores and breath": _snores,
}
