"""Scoring annotation files: which file belongs to which, the report, and its tables."""

from earmark.evaluation.report import FileScore, Report, score

__all__ = ["FileScore", "Report", "score"]
