"""What tests need that not every machine has."""

import importlib.util

import pytest

HAS_MICRO = importlib.util.find_spec("tflite_micro") is not None

needs_micro = pytest.mark.skipif(not HAS_MICRO, reason="needs tflite-micro")
needs_vela = pytest.mark.skipif(
    importlib.util.find_spec("ethosu") is None, reason="needs ethos-u-vela"
)
