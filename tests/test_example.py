"""The example programme through `earmark detect` and the model that comes with earmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from earmark.cli.app import run
from earmark.formats import read
from earmark.metrics import label_counts
from earmark.modelfile import DEFAULT_MODEL, embedded_models

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

pytestmark = pytest.mark.skipif(
    DEFAULT_MODEL not in embedded_models(), reason=f"no model '{DEFAULT_MODEL}' in the installed package"
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what `earmark detect` writes for the example."""
    folder = tmp_path_factory.mktemp("found")
    code = run(["detect", str(EXAMPLES / "programme.opus"), "-o", str(folder), "-f", "json", "--quiet"])
    assert code == 0
    return folder / "programme.json"


@pytest.mark.parametrize("label", ["speech", "music"])
def test_at_least_nine_tenths_of_the_example_are_found_and_right(found: Path, label: str) -> None:
    reference, estimate = read(EXAMPLES / "programme.csv"), read(found)
    counts = label_counts(reference, estimate, label, duration=estimate.duration)
    assert counts.f1 >= 0.9, f"{label}: precision {counts.precision:.3f}, recall {counts.recall:.3f}"


def test_the_talk_over_music_in_the_example_is_reported_as_both(found: Path) -> None:
    reference, estimate = read(EXAMPLES / "programme.csv"), read(found)
    marked = estimate.overlap()
    for start, end in reference.overlap():
        covered = sum(max(0.0, min(end, b) - max(start, a)) for a, b in marked)
        # The first one is the end of a fade, whose last second is hardly heard below the voice.
        near = any(abs(start - a) <= 0.5 and abs(end - b) <= 1.0 for a, b in marked)
        assert near or covered > 0.5 * (end - start), f"{start:.2f} to {end:.2f} s: {covered:.2f} s found"
