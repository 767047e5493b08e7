"""The papers' experiments: tables as TOML files, their rows trained, scored and put beside the figures.

data → split → signal → features → patches → network → scores, one module each.
"""

from earmark.train.experiments.export import export_row
from earmark.train.experiments.report import experiment_table
from earmark.train.experiments.results import Workplace
from earmark.train.experiments.run import run_experiment
from earmark.train.experiments.table import read_experiment

__all__ = ["Workplace", "experiment_table", "export_row", "read_experiment", "run_experiment"]
