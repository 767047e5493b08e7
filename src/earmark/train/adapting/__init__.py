"""A detector that learns from corrected recordings: its last layer, fitted again.

marked recordings → activations → examples → choice of penalties → head → model file, one module each.
"""

from earmark.train.adapting.marked import Marked, read_marked
from earmark.train.adapting.report import AdaptReport
from earmark.train.adapting.run import Adapted, adapt

__all__ = ["AdaptReport", "Adapted", "Marked", "adapt", "read_marked"]
