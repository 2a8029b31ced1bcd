"""Versions and hardware for the record of a result; it never holds the name of a machine."""

import os
import platform
import sys
from pathlib import Path

import keras

from .._version import __version__

__all__ = ["gpu_name", "hardware", "versions"]


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
    """Name of the GPU, or name of the CPU and its number of cores."""
    return gpu_name() or f"{_cpu_name()}, {os.cpu_count()} cores"


def gpu_name() -> str | None:
    """Name of the GPU that the backend computes on; `None` without a GPU."""
    backend = sys.modules[keras.config.backend()]
    if keras.config.backend() == "tensorflow":
        devices = backend.config.list_physical_devices("GPU")
        if not devices:
            return None
        details = backend.config.experimental.get_device_details(devices[0])
        return str(details.get("device_name", "GPU"))
    if keras.config.backend() == "torch":
        return backend.cuda.get_device_name() if backend.cuda.is_available() else None
    device = backend.devices()[0]
    return str(device.device_kind) if device.platform == "gpu" else None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
