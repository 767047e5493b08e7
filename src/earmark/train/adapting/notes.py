"""What a user should know of an adaptation, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from earmark.metrics import Counts
from earmark.train.adapting.choice import Choice
from earmark.train.adapting.gathering import Gathered


def notes_of(gathered: Gathered, choices: Mapping[str, Choice], own: tuple[str, ...]) -> Iterator[str]:
    """Yield notes, a sentence each; `own` are the labels of the model given."""
    if gathered.examples.n_groups == 1:
        yield (
            "there is one recording (or group): none could be left out, so what this brings is not measured, "
            "and how much may change was set, not chosen; add recordings"
        )
    elif not all(each.nested for each in choices.values() if each.after):
        yield (
            "there are two recordings (or groups): the figures are of those by which it was chosen how much "
            "may change, and flatter; add recordings"
        )
    for label in own:
        if label not in choices:
            yield f"'{label}' is looked for in no timeline: it stays as it was"
    for label, choice in choices.items():
        yield from _of(label, choice, new=label not in own)
    if gathered.is_thinned:
        yield f"there is much to learn from: one frame every {gathered.spacing_s:.1f} s was taken"


def _of(label: str, choice: Choice, *, new: bool) -> Iterator[str]:
    before, after = choice.before, choice.after
    if before is None or after is None:
        if new:
            yield f"'{label}' is new; what lies in one recording (or group) alone is not measured"
    elif choice.penalty is None:
        yield f"'{label}' stays as it was: nothing tried was better on recordings left out"
    elif not after.n_reference:
        yield (
            f"'{label}' is nowhere in these recordings, so it has no F: {_share(before)} of the frames left "
            f"out were taken for it before, {_share(after)} after; the model will find less of it elsewhere, "
            "too, so add recordings with it"
        )
    elif not new and after.f1 < before.f1:
        yield f"'{label}' has a lower F: what was best on other recordings was not so on those left out"


def _share(counts: Counts) -> str:
    return f"{100 * counts.n_estimated / max(1, counts.n_all):.1f} %"
