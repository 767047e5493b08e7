"""What a worker does with a task: the same under every engine."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from hashlib import sha256

from earmark.batch.items import result_path
from earmark.batch.parts import count_parts, detect_part, join_parts
from earmark.batch.plan import Plan
from earmark.batch.task import Outcome, Task
from earmark.detector import Detector
from earmark.errors import ModelError, StoreError
from earmark.files import atomic_write
from earmark.formats import dumps
from earmark.jobs import fault_of
from earmark.modelfile import read_model
from earmark.pool import Progress, Work
from earmark.timeline import Timeline


def make_work(plan: Plan) -> Work[Task, Outcome]:
    """Load the model; return what does a task.

    Raises
    ------
    ModelError
        If the model is not the one the batch was begun with.
    """
    found = sha256(read_model(plan.model)).hexdigest()
    if found != plan.sha256:
        raise ModelError(
            f"model '{plan.model}' has the checksum {found[:12]}, the batch was begun with that of "
            f"{plan.sha256[:12]}; restore that file, or begin another batch in another folder"
        )
    return partial(process_one, Detector(plan.model, plan.overrides), plan)


def process_one(detector: Detector, plan: Plan, task: Task, progress: Progress) -> Outcome:
    """Do a task; what it writes is whole and on disk on return.  Failures are returned, not raised."""
    began = time.perf_counter()
    try:
        outcome = _done(detector, plan, task, progress)
    except Exception as err:
        error, hopeless = fault_of(err, task.source, task.id)
        outcome = Outcome(error, fault=_place_of(err, hopeless))
    seconds = round(time.perf_counter() - began, 3)
    return replace(outcome, seconds=seconds)


def _done(detector: Detector, plan: Plan, task: Task, progress: Progress) -> Outcome:
    if task.joins:
        return _kept(detector, plan, task, join_parts(detector, plan.parts_folder, task))
    if task.part is not None:
        detect_part(detector, plan.split_s or 0.0, plan.parts_folder, task, progress)
        return Outcome()
    if plan.split_s is not None and (n_parts := count_parts(detector, plan.split_s, task.source)) > 1:
        return Outcome(n_parts=n_parts)
    return _kept(detector, plan, task, detector.detect(task.source, progress=progress, threaded=False))


def _kept(detector: Detector, plan: Plan, task: Task, timeline: Timeline) -> Outcome:
    """Write a result, or return it to be kept."""
    card = detector.model.card
    text = dumps(timeline, "json", model=(card.name, card.version))
    kept = text if plan.results == "parquet" else None
    if kept is None:
        with atomic_write(plan.results_folder / result_path(task.id), workshop=plan.workshop) as file:
            file.write(text)
    return Outcome(
        duration=timeline.duration, shares=seconds_of(timeline), warnings=timeline.warnings, text=kept
    )


def seconds_of(timeline: Timeline) -> dict[str, float]:
    """Return the seconds of each label; where speech and music were looked for, of both and neither, too."""
    found = timeline.durations()
    if {"speech", "music"} <= found.keys():
        shares = timeline.shares()
        found |= {name: shares[name] * timeline.duration for name in ("both", "neither")}
    return {name: round(seconds, 3) for name, seconds in found.items()}


def _place_of(err: Exception, hopeless: bool) -> str:
    if isinstance(err, StoreError):
        return "store"
    return "disk" if hopeless else "item"
