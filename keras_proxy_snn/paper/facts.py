"""Versions and hardware for the record of a result; it never holds the name of a machine."""

import platform
import sys

import keras

from .._version import __version__
from ..basics.processor import cpu, gpu_name

__all__ = ["hardware", "versions"]


def versions() -> dict[str, str]:
    """Versions of Python, Keras, its backend and this package."""
    backend = keras.config.backend()
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        backend: sys.modules[backend].__version__,
        "keras_proxy_snn": __version__,
    }


def hardware() -> str:
    """Name of the GPU, or name, cores and vector extensions of the processor."""
    return gpu_name() or cpu()
