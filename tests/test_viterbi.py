"""The likeliest sequence of states, against all sequences; the gate of energy and what follows it."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from earmark.decodings import GatedViterbi
from earmark.errors import AudioError, ConfigError
from earmark.gate import decode_gated, energy_gate
from earmark.posteriors import Posteriors
from earmark.viterbi import viterbi


def score(states, emissions, transitions) -> float:
    steps = sum(transitions[a, b] for a, b in pairwise(states))
    return steps + sum(emissions[t, s] for t, s in enumerate(states))


@pytest.mark.parametrize(("n_steps", "n_states"), [(1, 3), (2, 1), (5, 2), (6, 3), (4, 5)])
def test_no_sequence_is_likelier(n_steps, n_states):
    rng = np.random.default_rng(n_steps)
    for _ in range(20):
        emissions, transitions = rng.normal(size=(n_steps, n_states)), rng.normal(size=(n_states, n_states))
        emissions[rng.random(emissions.shape) < 0.1] = -np.inf
        emissions[:, 0] = np.maximum(emissions[:, 0], -3)
        found = viterbi(emissions, transitions)
        best = max(
            score(s, emissions, transitions) for s in product(range(n_states), repeat=n_steps)
        )  # fmt: skip
        assert score(found.tolist(), emissions, transitions) == pytest.approx(best)


def test_no_steps_have_no_states_and_ties_go_to_the_lowest():
    assert viterbi(np.empty((0, 2)), np.zeros((2, 2))).shape == (0,)
    assert viterbi(np.zeros((4, 3)), np.zeros((3, 3))).tolist() == [0] * 4


@pytest.mark.parametrize(
    ("emissions", "transitions"),
    [(np.zeros(3), np.zeros((3, 3))), (np.zeros((4, 3)), np.zeros((2, 3))),
     (np.zeros((4, 0)), np.zeros((0, 0)))],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(emissions, transitions):
    with pytest.raises(ConfigError, match=r"give \(T, K\) and \(K, K\)"):
        viterbi(emissions, transitions)


def test_nan_is_refused():
    with pytest.raises(ConfigError, match="NaN"):
        viterbi([[np.nan, 0.0]], np.zeros((2, 2)))


def energies(*stretches: tuple[int, float]) -> np.ndarray:
    return np.concatenate([np.full(n, level, np.float32) for n, level in stretches])


def test_the_gate_opens_for_long_enough_and_leaves_blips_out():
    # A change costs 345, a frame on the wrong side 23, and one without energy 5 more.
    gate = energy_gate(energies((100, 0), (200, -20), (5, 0), (200, -20), (100, 0)), GatedViterbi())
    assert np.flatnonzero(np.diff(gate)).tolist() == [99, 504]
    # 40 frames of silence cost 40 * 5 and two changes, or 40 * 23 on the wrong side: the gate stays.
    assert energy_gate(energies((100, 0), (38, -20), (100, 0)), GatedViterbi()).all()
    assert not energy_gate(energies((100, 0), (45, -20), (100, 0)), GatedViterbi()).all()


def test_digital_silence_has_no_energy_and_is_not_in_the_mean():
    assert not energy_gate(energies((50, -np.inf)), GatedViterbi()).any()
    gate = energy_gate(energies((100, -np.inf), (100, 0)), GatedViterbi())
    assert gate.tolist() == [False] * 100 + [True] * 100
    assert energy_gate(energies((0, 0)), GatedViterbi()).shape == (0,)


def test_each_stretch_with_energy_has_its_own_classes():
    log_energy = energies((200, 0), (200, -20), (200, 0))
    values = np.full((300, 2), 0.1, np.float32)
    values[:150, 0] = values[150:, 1] = 0.9
    values[40:43] = [0.1, 0.9]  # too short to change for
    posteriors = Posteriors(values, None, ("a", "b"), 0.02)
    found = decode_gated(posteriors, log_energy, 2, GatedViterbi())
    assert [(s.start, s.end, s.label) for s in found] == [(0.0, 2.0, "a"), (4.0, 6.0, "b")]
    assert found[0].confidence == pytest.approx((97 * 0.9 + 3 * 0.1) / 100)
    changed = decode_gated(posteriors, energies((600, 0)), 2, GatedViterbi(class_change=10))
    assert [(s.start, s.end, s.label) for s in changed] == [(0.0, 3.0, "a"), (3.0, 6.0, "b")]


def test_energies_must_fit_the_cells():
    with pytest.raises(AudioError, match="5 energies do not fit 2 cells"):
        decode_gated(Posteriors(np.ones((2, 1)), None, ("a",), 0.02), energies((5, 0)), 2, GatedViterbi())


@pytest.mark.parametrize(
    "values",
    [{"energy_ratio": 0.0}, {"gate_error": 0.5}, {"gate_change": -1.0}, {"class_change": float("nan")}],
)
def test_constants_outside_their_range_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        GatedViterbi(**values)
