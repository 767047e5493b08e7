"""From recordings and timelines to frames to learn from, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from earmark.errors import ConfigError
from earmark.train.adapting.examples import Examples, targets
from earmark.train.adapting.head import HeadedGraph
from earmark.train.adapting.hearing import Heard, Listener, hear_all
from earmark.train.adapting.marked import Marked

# A frame so often is learned from, or every second of those, and so on, if there are more than the most.
_SPACING_S, _MOST_FRAMES = 0.1, 40_000
# A timeline may end this much behind its recording, whose length is rounded in places.
_LATE_S = 0.5


@dataclass(frozen=True)
class Gathered:
    """What there is to learn from.

    Parameters
    ----------
    examples : Examples
    recordings : int
        Those that were heard.
    seconds : float
        Their length together.
    failed : dict of str to str
        The others, by path, and why.
    spacing_s : float
        From one frame that is learned from to the next.
    is_thinned : bool
        Whether that is more than usual, for there are too many.
    """

    examples: Examples
    recordings: int
    seconds: float
    failed: dict[str, str]
    spacing_s: float
    is_thinned: bool


def gather(
    graph: HeadedGraph,
    marked: Sequence[Marked],
    labels: tuple[str, ...],
    jobs: int,
    tell: Callable[[str], None],
) -> Gathered:
    """Hear recordings, and lay what is marked beside it.

    Parameters
    ----------
    graph : HeadedGraph
    marked : sequence of Marked
    labels : tuple of str
        Those that are looked for, the model's own first.
    jobs : int
        Recordings heard at a time.
    tell : callable
        Told what is being done.

    Raises
    ------
    ConfigError
        If no recording can be used.
    """
    paths, hop_s = [str(one.path) for one in marked], graph.card.front_end.grid.hop_s
    spacing = usual = max(1, round(_SPACING_S / hop_s))
    width = graph.head.weights.shape[2] - 1
    listener = Listener(graph.cut(), graph.card, graph.head.n_turns, width, spacing)
    tell(f"hearing {len(paths)} recordings")
    heard: dict[int, Heard] = {}
    failed: dict[int, str] = {}
    n_frames = 0
    for place, one in hear_all(
        paths, listener, jobs, lambda n: tell(f"heard {n} of {len(paths)} recordings")
    ):
        end = marked[place].timeline.duration
        late = end > one.seconds + _LATE_S
        if one.error is not None or late:
            failed[place] = one.error or (
                f"its timeline ends at {end:.2f} s, the recording at {one.seconds:.2f} s; is it another's?"
            )
            continue
        heard[place] = _thin(one, spacing, (end or one.seconds) / hop_s)
        n_frames += len(heard[place].frames)
        while n_frames > _MOST_FRAMES:
            spacing *= 2
            heard = {i: _thin(each, spacing) for i, each in heard.items()}
            n_frames = sum(len(each.frames) for each in heard.values())
    if not n_frames:
        why = f"; the first, '{paths[min(failed)]}': {failed[min(failed)]}" if failed else ", all are silent"
        raise ConfigError(f"of {len(paths)} recordings, none can be learned from{why}")
    order = sorted(heard)
    hidden = np.concatenate([heard[i].hidden for i in order])
    logits = np.concatenate([graph.head.logits(heard[i].hidden, heard[i].frames) for i in order])
    sides = [targets(marked[i].timeline, labels, heard[i].frames, hop_s) for i in order]
    names = list(dict.fromkeys(marked[i].group for i in order))
    places = [names.index(marked[i].group) for i in order]
    examples = Examples(
        np.column_stack([hidden, np.ones(len(hidden))]).astype(np.float64),
        logits[:, [graph.card.labels.index(one) for one in labels if one in graph.card.labels]],
        np.concatenate([sought for sought, _ in sides]),
        np.concatenate([certain for _, certain in sides]),
        np.repeat(places, [len(heard[i].frames) for i in order]),
    )
    return Gathered(
        examples,
        len(order),
        sum(heard[i].seconds for i in order),
        {paths[i]: failed[i] for i in sorted(failed)},
        spacing * hop_s,
        spacing > usual,
    )


def _thin(heard: Heard, spacing: int, end: float = np.inf) -> Heard:
    """Keep frames that are multiples of `spacing` and lie before `end`."""
    kept = (heard.frames % spacing == 0) & (heard.frames + 0.5 < end)
    return replace(heard, hidden=heard.hidden[kept], frames=heard.frames[kept])
