"""`RUNTIMES`: every runtime of exported files, called as the exporter calls it."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..export import FORMATS, c, interpreter, litert, onnx
from ..export.formats import writer
from ..export.program import Program
from . import nir_peers

__all__ = ["RUNTIMES", "RefusedError", "Runtime", "installed"]


class RefusedError(ValueError):
    """A format says that it cannot express a network."""


@dataclass(frozen=True)
class Runtime:
    """A runtime of files.

    Attributes:
        modules: What must be installed for it.
        run: Function of a program, a folder for the file, images, and a number that chooses one of
            the file's forms. It returns `Program.scores`, or raises `RefusedError`.
    """

    modules: tuple[str, ...]
    run: Callable[[Program, Path, np.ndarray, int], np.ndarray]


def _written(format: str, run: Callable[..., np.ndarray], **options: object) -> Any:
    """Write a file of a format in one of its forms, then run it."""
    kind = FORMATS[format]

    def written_and_run(
        program: Program, folder: Path, images: np.ndarray, number: int
    ) -> np.ndarray:
        path = folder / f"net{kind.suffix}"
        form = kind.forms[number % len(kind.forms)]
        try:
            writer(format).write(program, path, form=form, **options)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        return run(path, program, images)

    return written_and_run


def _interpreted(program: Program, folder: Path, images: np.ndarray, number: int) -> np.ndarray:
    trace = interpreter.run(program, images)
    return program.scores(trace.spike_counts, trace.potentials[-1])


def _in_spikingjelly(program: Program, folder: Path, images: np.ndarray, number: int) -> np.ndarray:
    if program.is_integer:
        raise RefusedError(
            "SpikingJelly reads one threshold per layer; an integer network has several."
        )
    if any(layer.v_0 for layer in program.neurons):
        raise RefusedError(
            "SpikingJelly starts potentials at the value after a reset, so `v_0` must be 0."
        )
    run = _written("nir", nir_peers.spikingjelly, pooling="average")
    scores: np.ndarray = run(program, folder, images, number)
    return scores


def _onnx_in(runtime: str) -> Callable[..., np.ndarray]:
    return _written("onnx", partial(onnx.run, runtime=runtime))


# The runtime of each format's own `run` has the name of the format, or this one.
_NAMES = {"onnx": "onnxruntime"}

RUNTIMES = {
    "interpreter": Runtime((), _interpreted),
    **{
        _NAMES.get(format, format): Runtime(kind.libraries, _written(format, writer(format).run))
        for format, kind in FORMATS.items()
    },
    "onnxruntime-node": Runtime(("onnx",), _onnx_in("onnxruntime-node")),
    "openvino": Runtime(("onnx", "openvino"), _onnx_in("openvino")),
    "tflite-micro": Runtime(
        ("ai_edge_litert", "tflite_micro"), _written("litert", litert.run_micro)
    ),
    "nirtorch": Runtime(("nir", "nirtorch", "torch"), _written("nir", nir_peers.nirtorch)),
    "spikingjelly": Runtime(("nir", "nirtorch", "torch", "spikingjelly"), _in_spikingjelly),
}


def installed() -> tuple[str, ...]:
    """Names of the runtimes on this machine; C needs a compiler, Node its own package.

    Example:

    >>> from keras_proxy_snn.verification.files import installed
    >>> "interpreter" in installed()
    True
    """
    beside = {"c": _has_compiler, "onnxruntime-node": onnx.has_onnxruntime_node}
    return tuple(
        name
        for name, runtime in RUNTIMES.items()
        if all(importlib.util.find_spec(module) for module in runtime.modules)
        and (name not in beside or beside[name]())
    )


def _has_compiler() -> bool:
    try:
        return bool(c.compiler())
    except FileNotFoundError:
        return False
