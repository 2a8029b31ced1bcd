"""One file per experiment: its docstring states source and expected results; the rest is data."""

from . import (
    ablation,
    figure2,
    figure3,
    figure4,
    figure5,
    growing_t,
    headline,
    headline_cifar10,
    headline_cifar10_long,
    low_t,
    table2,
    table3,
    warm_start,
)

__all__ = ["EXPERIMENTS"]

_MODULES = (
    table2,
    table3,
    figure2,
    figure3,
    figure4,
    figure5,
    low_t,
    growing_t,
    ablation,
    headline,
    headline_cifar10,
    headline_cifar10_long,
    warm_start,
)

EXPERIMENTS = {module.EXPERIMENT.name: module.EXPERIMENT for module in _MODULES}
"""Experiments by name."""
