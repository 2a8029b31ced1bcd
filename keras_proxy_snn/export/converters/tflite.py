"""The second road to a LiteRT file: TensorFlow's graph of a model and `tf.lite.TFLiteConverter`.

It shares nothing with the writer but the names of inputs and outputs, which makes it a check on
the writer. The file is larger and slower; `keras_proxy_snn.export.litert.run` runs it too.
"""

import tempfile
from pathlib import Path
from typing import Any

from ..frontend.from_model import from_model

__all__ = ["FORMS", "write"]

FORMS: tuple[str, ...] = ("unrolled", "step")


def write(model: Any, path: str | Path, *, form: str = "unrolled", batch_size: int = 1) -> None:
    """Convert a model on the TensorFlow backend to a `.tflite` file of builtin operators.

    Inputs, outputs and the signature are named as by `keras_proxy_snn.export.litert.write`.

    Args:
        model: A `keras_proxy_snn.ProxyModel`.
        path: Where to write; an existing file is replaced.
        form: One of `FORMS`.
        batch_size: Of the file; it cannot be changed later.

    Raises:
        ValueError: If the form is unknown, or Keras does not run on TensorFlow.

    Example:

    >>> import tempfile
    >>> import keras, keras_proxy_snn
    >>> from keras_proxy_snn.export import tflite_converter
    >>> model = keras_proxy_snn.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    >>> if keras.config.backend() == "tensorflow":
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         tflite_converter.write(model, f"{folder}/net.tflite")
    """
    import keras

    if form not in FORMS:
        raise ValueError(f"`form` must be one of {FORMS}. Received: {form!r}.")
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "tf.lite.TFLiteConverter converts graphs of TensorFlow, so Keras's backend must be "
            f"'tensorflow'. Received: {keras.config.backend()!r}; the writer, `export.litert`, "
            "needs no backend."
        )
    make = _unrolled if form == "unrolled" else _step
    Path(path).write_bytes(_convert(make(model, batch_size)))


def _unrolled(model: Any, batch_size: int) -> Any:
    """All T steps without a loop, as one chunk."""
    import tensorflow as tf

    program = from_model(model)

    @tf.function(input_signature=[_image(model, batch_size)])
    def unrolled(image: Any) -> dict[str, Any]:
        (stages,) = model.snn.walk(image, model.time_steps)
        spikes, v = stages[model.snn.stages[-1].name]
        outputs = {"spike_counts": tf.reduce_sum(spikes, axis=1)}
        if program.readout == "potential":
            outputs[f"{program.readout_state}_out"] = v - program.neurons[-1].v_0
        return outputs

    return unrolled


def _step(model: Any, batch_size: int) -> Any:
    """One step: the layers themselves, over a time axis of length one."""
    import tensorflow as tf

    program = from_model(model)
    program.check_is_chain("The step form by TFLiteConverter")
    names = [f"v_{layer.name}" for layer in program.neurons]
    pairs = zip(names, program.state_shapes(), strict=True)
    state = [tf.TensorSpec((batch_size, *shape), tf.float32, name) for name, shape in pairs]

    @tf.function(input_signature=[_image(model, batch_size), *state])
    def step(image: Any, *potentials: Any) -> dict[str, Any]:
        signal = image[:, None]
        before, after = iter(zip(program.neurons, potentials, strict=True)), {}
        for stage in model.snn.stages:
            if stage in model.snn.if_layers:
                layer, v = next(before)
                # The file counts potentials from `v_0`, Keras from zero.
                signal, v = stage.fire(stage.current(signal), v + layer.v_0)
                after[f"v_{layer.name}_out"] = v - layer.v_0
            else:
                signal = stage(signal)
        return {"spikes": signal[:, 0], **after}

    return step


def _image(model: Any, batch_size: int) -> Any:
    import tensorflow as tf

    return tf.TensorSpec((batch_size, *model.snn.image_shape), tf.float32, "image")


def _convert(function: Any) -> bytes:
    """Freeze the weights, which a SavedModel would leave to an initialiser, and convert."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = function.get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    module = tf.Module()

    @tf.function(input_signature=function.input_signature)
    def call(*inputs: Any) -> Any:
        return tf.nest.pack_sequence_as(concrete.structured_outputs, frozen(*inputs))

    module.call = call
    with tempfile.TemporaryDirectory() as folder:
        # Only a SavedModel brings a signature into the file.
        tf.saved_model.save(module, folder, signatures={"serving_default": call})
        content: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return content
