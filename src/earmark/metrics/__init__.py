"""Scores of timelines against references, pooled over files by adding what was counted."""

from earmark.metrics.counts import Counts, count_answers
from earmark.metrics.events import boundary_counts, event_counts
from earmark.metrics.score import EventScore, LabelScore, Rules, Score
from earmark.metrics.segments import STATES, Confusion, label_counts

__all__ = [
    "STATES",
    "Confusion",
    "Counts",
    "EventScore",
    "LabelScore",
    "Rules",
    "Score",
    "boundary_counts",
    "count_answers",
    "event_counts",
    "label_counts",
]
