"""The processor and the GPU that the backend computes on, and the compiler for processors."""

import importlib
import os
import platform
import sys
from functools import cache
from pathlib import Path

import keras

__all__ = ["EXTENSIONS", "cpu", "gpu_name", "has_bfloat16", "numba_works"]

_INFO = Path("/proc/cpuinfo")

EXTENSIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Vector extensions that decide how long a convolution takes, as Linux names them."""


def cpu() -> str:
    """Name of the processor, its number of cores and those of `EXTENSIONS` that it has."""
    name = _field("model name") or platform.processor() or platform.machine()
    has = _field("flags").split()
    extensions = " ".join(extension for extension in EXTENSIONS if extension in has)
    return ", ".join(filter(None, [name, f"{os.cpu_count()} cores", extensions]))


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


def has_bfloat16() -> bool | None:
    """Whether the processor multiplies bfloat16 by itself; `None` if the system does not tell.

    Example:

    >>> from keras_proxy_snn.basics.processor import has_bfloat16
    >>> has_bfloat16() in (True, False, None)
    True
    """
    has = _field("flags").split()
    return any(name in has for name in ("avx512_bf16", "amx_bf16")) if has else None


@cache
def numba_works() -> bool:
    """Whether Numba is installed, and fits NumPy.

    Example:

    >>> from keras_proxy_snn.basics.processor import numba_works
    >>> numba_works() in (True, False)
    True
    """
    try:
        importlib.import_module("numba")
    except ImportError:
        return False
    return True


def _field(name: str) -> str:
    """A field of the first processor in `/proc/cpuinfo`; empty where it is not said."""
    lines = _INFO.read_text().splitlines() if _INFO.exists() else []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")
