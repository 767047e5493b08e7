"""A detector adapted to recordings and their timelines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from earmark import __version__
from earmark.card import DecodeOptions, ModelCard, card_kind
from earmark.errors import ConfigError, ModelError
from earmark.files import atomic_write
from earmark.modelfile import open_model, read_model
from earmark.train.adapting.choice import Choice, choose, deal
from earmark.train.adapting.examples import Examples
from earmark.train.adapting.gathering import gather
from earmark.train.adapting.head import HeadedGraph
from earmark.train.adapting.marked import Marked
from earmark.train.adapting.notes import notes_of
from earmark.train.adapting.report import AdaptReport

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Adapted:
    """An adapted model, not yet written.

    Parameters
    ----------
    report : AdaptReport
    """

    report: AdaptReport
    _graph: HeadedGraph
    _choices: dict[str, Choice]
    _trained: dict[str, Any]

    def write(self, path: Path, name: str | None = None) -> None:
        """Write the model file, called by its file's stem if no name is given.

        Raises
        ------
        ConfigError
            If nothing was changed (see `AdaptReport`) and there is no new label.
        ModelError
            If the file would not answer as it must.
        EarmarkError
            If it cannot be written.
        """
        report, base = self.report, self._graph.card
        if not report.changed and not report.new_labels:
            raise ConfigError(
                f"nothing written: on recordings left out, '{base.name}' was best as it is; add "
                "recordings on which it errs, or use it"
            )
        none = np.zeros(self._graph.head.weights.shape[2])
        changes = [self._choices[one].change if one in self._choices else none for one in report.labels]
        head = self._graph.head.changed(np.array(changes))
        data = self._graph.with_head(head, self._card(name or path.stem))
        with atomic_write(path, binary=True) as file:
            file.write(data)

    def _card(self, name: str) -> ModelCard:
        report, base = self.report, self._graph.card
        hours = report.seconds / 3600
        own = {
            "name": "recordings this model was adapted to",
            "content": ", ".join(self._choices),
            "minutes": round(report.seconds / 60, 1),
            "licences": ["not known"],
        }
        return replace(
            base,
            name=name,
            version="1",
            description=f"{base.description} Adapted from '{base.name}' to {report.recordings} recordings "
            f"({hours:.2g} h).",
            labels=report.labels,
            decode={**base.decode, **{label: DecodeOptions() for label in report.new_labels}},
            sources=(*base.sources, own),
            metrics={
                "frame F on recordings left out": {
                    label: {
                        side: round(figures[label], 4)
                        for side, figures in (("before", report.before), ("after", report.after))
                        if label in figures
                    }
                    for label in report.after
                }
            },
            trained=self._trained,
        )


def adapt(
    model: str | Path,
    marked: Sequence[Marked],
    *,
    jobs: int = 1,
    tell: Tell = lambda text: None,
) -> Adapted:
    """Fit a model's last layer to what is marked.

    Parameters
    ----------
    model : str or Path
        Name or path of a detector.
    marked : sequence of Marked
        A label that one timeline looks for counts as looked for in all of them; one that none looks for stays
        as it is.
    jobs : int
        Recordings heard at a time.
    tell : callable
        Told what is being done.

    Raises
    ------
    ModelError
        If the model is no detector whose last layer can be fitted.
    ConfigError
        If nothing can be learned: no recording can be used, or no label is the model's.
    """
    data = read_model(model)
    graph = _open(model, data)
    labels = _labels(graph.card, marked)
    gathered = gather(graph, marked, labels, jobs, tell)
    examples = gathered.examples
    choices = _choose(examples, labels, graph.card, tell)
    ordered = (*graph.card.labels, *(label for label in labels if label not in graph.card.labels))
    changed = [one for one in graph.card.labels if one in choices and choices[one].penalty is not None]
    measured = {one: each for one, each in choices.items() if each.after and each.after.n_reference}
    report = AdaptReport(
        recordings=gathered.recordings,
        seconds=gathered.seconds,
        labels=ordered,
        new_labels=ordered[len(graph.card.labels) :],
        before={
            one: each.before.f1 for one, each in measured.items() if each.before and one in graph.card.labels
        },
        after={one: each.after.f1 for one, each in measured.items() if each.after},
        changed=bool(changed),
        notes=tuple(notes_of(gathered, choices, graph.card.labels)),
        failed=gathered.failed,
    )
    trained = {
        "earmark": __version__,
        "adapted from": {
            "name": graph.card.name,
            "version": graph.card.version,
            "sha256": hashlib.sha256(data).hexdigest(),
        },
        "recordings": report.recordings,
        "hours": round(report.seconds / 3600, 3),
        "groups": examples.n_groups,
        "penalty": {one: each.penalty if each.penalty else "unchanged" for one, each in choices.items()},
        "before": {"metrics": dict(graph.card.metrics), "trained": dict(graph.card.trained)},
    }
    return Adapted(report, graph, choices, trained)


def _open(model: str | Path, data: bytes) -> HeadedGraph:
    file = open_model(model)
    if card_kind(file.card) is not None:
        raise ModelError(
            f"model '{model}' cannot be adapted: it is no detector of the kind that comes with earmark; give "
            "'detector', or a model that earmark train or earmark adapt has made"
        )
    return HeadedGraph(data, ModelCard.from_json(file.card, file.origin), str(model))


def _labels(card: ModelCard, marked: Sequence[Marked]) -> tuple[str, ...]:
    """Return the labels that are looked for, the model's own first."""
    sought = {label for one in marked for label in one.timeline.labels}
    there = list(dict.fromkeys(segment.label for one in marked for segment in one.timeline))
    own = [label for label in card.labels if label in sought]
    knows = f"'{card.name}' knows {', '.join(card.labels)}"
    if not there:
        raise ConfigError(f"the timelines mark nothing; {knows}: mark what is heard, and try again")
    for label in there:
        for known in card.labels:
            if known.casefold() == label.casefold() and known != label:
                raise ConfigError(f"label '{label}' is not '{known}', which the model knows; rename it")
    if not own:
        raise ConfigError(f"the timelines mark {', '.join(there)}; {knows}: none in common; rename them")
    return (*own, *(label for label in there if label not in card.labels))


def _choose(examples: Examples, labels: tuple[str, ...], card: ModelCard, tell: Tell) -> dict[str, Choice]:
    part = deal(examples.group)
    choices = {}
    for column, label in enumerate(labels):
        own, kept = examples.of(column), examples.counted[:, column]
        if not len(own.marked):
            continue
        tell(f"fitting '{label}' ({column + 1} of {len(labels)})")
        options = card.decode.get(label, DecodeOptions())
        choices[label] = choose(own, part[kept], options.threshold, new=label not in card.labels)
    return choices
