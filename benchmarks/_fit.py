"""Least squares: exponents of power laws, and straight lines."""

import numpy as np


def exponent(x, y):
    """Slope b of `y = a x^b` by least squares on logarithms, and R^2, the explained variance."""
    x, y = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    b, a = np.polyfit(x, y, 1)
    residual = float(np.sum((y - (a + b * x)) ** 2))
    total = float(np.sum((y - y.mean()) ** 2))
    return float(b), 1.0 - residual / total if total else 1.0


def line(x, y):
    """`(a, b)` of `y = a + b x`, with neither below zero (memory never shrinks)."""
    b, a = np.polyfit(np.asarray(x, float), np.asarray(y, float), 1)
    return max(float(a), 0.0), max(float(b), 0.0)
