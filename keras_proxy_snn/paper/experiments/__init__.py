"""One file an experiment: its head says what is expected, the rest is data."""

from . import table2

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = {module.EXPERIMENT.name: module.EXPERIMENT for module in (table2,)}
"""Experiments by name."""
