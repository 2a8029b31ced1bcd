"""The second road to an ONNX file: TensorFlow's graph of a model, converted by tf2onnx.

It shares nothing with the writer but the names of inputs and outputs, which makes it a check
on the writer. The file is larger and slower, and potentials are in Keras's order.
"""

import importlib
from pathlib import Path
from typing import Any

import keras

from ..._version import __version__
from ...model import ProxyModel
from ..frontend.from_model import from_model

__all__ = ["FORMS", "write"]

FORMS: tuple[str, ...] = ("unrolled", "step")

_OPSET = 18


def write(model: ProxyModel, path: str | Path, *, form: str = "unrolled") -> None:
    """Convert a model on the TensorFlow backend to an ONNX file.

    Inputs and outputs are named as by `keras_proxy_snn.export.onnx.write`. Potentials of maps
    are `(batch, height, width, filters)`.

    Args:
        model: The model.
        path: The file to write; an existing one is replaced.
        form: One of `FORMS`.

    Raises:
        ValueError: If the form is unknown, or Keras does not run on TensorFlow.
        ImportError: If tf2onnx is not installed.

    Example:

    >>> import tempfile
    >>> import keras, keras_proxy_snn
    >>> from keras_proxy_snn.export import tf2onnx_converter
    >>> model = keras_proxy_snn.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    >>> if keras.config.backend() == "tensorflow":
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         tf2onnx_converter.write(model, f"{folder}/net.onnx")
    """
    if form not in FORMS:
        raise ValueError(f"`form` must be one of {FORMS}. Received: {form!r}.")
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "tf2onnx converts graphs of TensorFlow, so Keras's backend must be 'tensorflow'. "
            f"Received: {keras.config.backend()!r}; the writer, `export.onnx`, needs no backend."
        )
    try:
        tf2onnx = importlib.import_module("tf2onnx")
    except ImportError as error:
        raise ImportError("tf2onnx is needed: pip install keras-proxy-snn[export]") from error
    function = _unrolled(model) if form == "unrolled" else _step(model)
    proto, _ = tf2onnx.convert.from_function(
        function, input_signature=function.input_signature, opset=_OPSET
    )
    facts = {"time_steps": model.time_steps, "form": form, "keras_proxy_snn": __version__}
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=str(value))
    Path(path).write_bytes(proto.SerializeToString())


def _unrolled(model: ProxyModel) -> Any:
    """All T steps without a loop, as one chunk."""
    import tensorflow as tf

    program = from_model(model)

    @tf.function(input_signature=[_image(model)])
    def unrolled(image: Any) -> dict[str, Any]:
        (stages,) = model.snn.walk(image, model.time_steps)
        spikes, v = stages[model.snn.stages[-1].name]
        outputs = {"spike_counts": tf.reduce_sum(spikes, axis=1)}
        if program.readout == "potential":
            outputs[f"{program.readout_state}_out"] = v - program.neurons[-1].v_0
        return outputs

    return unrolled


def _step(model: ProxyModel) -> Any:
    """One step: the layers themselves, over a time axis of length one."""
    import tensorflow as tf

    program = from_model(model)
    program.check_is_chain("The step form by tf2onnx")
    names = [f"v_{layer.name}" for layer in program.neurons]
    pairs = zip(names, program.state_shapes(), strict=True)
    state = [tf.TensorSpec((None, *shape), tf.float32, name) for name, shape in pairs]
    stages = model.snn.stages

    @tf.function(input_signature=[_image(model), *state])
    def step(image: Any, *potentials: Any) -> dict[str, Any]:
        signal = image[:, None]
        before, after = iter(zip(program.neurons, potentials, strict=True)), {}
        for stage in stages:
            if stage in model.snn.if_layers:
                layer, v = next(before)
                # The file counts potentials from `v_0`, Keras from zero.
                signal, v = stage.fire(stage.current(signal), v + layer.v_0)
                after[f"v_{layer.name}_out"] = v - layer.v_0
            else:
                signal = stage(signal)
        return {"spikes": signal[:, 0], **after}

    return step


def _image(model: ProxyModel) -> Any:
    import tensorflow as tf

    return tf.TensorSpec((None, *model.snn.image_shape), tf.float32, "image")
