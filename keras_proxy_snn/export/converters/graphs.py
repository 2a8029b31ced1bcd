"""TensorFlow's graph of a model, in each form that the converters accept."""

from typing import Any

import keras

from ...basics.checks import check_choice
from ...basics.types import Images
from ...model import ProxyModel
from ..frontend.from_model import from_model

__all__ = ["FORMS", "graph"]

FORMS: tuple[str, ...] = ("unrolled", "step")


def graph(model: ProxyModel, form: str, batch_size: int | None, converter: str) -> Any:
    """Build the `tf.function` that a converter reads.

    Inputs and outputs have the same names as in files of the package's own writers. Potentials of
    maps have the shape `(batch, height, width, filters)`.

    Args:
        model: The model.
        form: `"unrolled"`: all T steps without a loop, from images `(batch, height, width,
            channels)` to spike counts. `"step"`: one time step, from images and potentials to
            spikes and potentials.
        batch_size: Number of images per call; `None` for any number.
        converter: Name of the converter, for error messages.

    Returns:
        The function, with an `input_signature`.

    Raises:
        ValueError: If the form is unknown, Keras does not run on TensorFlow, or the form is
            `"step"` and the network is not a chain.
    """
    check_choice("form", form, FORMS)
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"{converter} converts TensorFlow's graphs, so Keras's backend must be 'tensorflow'. "
            f"Received: {keras.config.backend()!r}. The package's own writers need no backend."
        )
    return (_unrolled if form == "unrolled" else _step)(model, batch_size, converter)


def _unrolled(model: ProxyModel, batch_size: int | None, converter: str) -> Any:
    """A function of all T steps, as one chunk."""
    import tensorflow as tf

    program = from_model(model)

    @tf.function(input_signature=[_image(model, batch_size)])
    def unrolled(image: Images) -> dict[str, Any]:
        (stages,) = model.snn.walk(image, model.time_steps)
        spikes, v = stages[model.snn.stages[-1].name]
        outputs = {"spike_counts": tf.reduce_sum(spikes, axis=1)}
        if program.readout == "potential":
            outputs[f"{program.readout_state}_out"] = v - program.neurons[-1].v_0
        return outputs

    return unrolled


def _step(model: ProxyModel, batch_size: int | None, converter: str) -> Any:
    """A function of one time step: the model's layers with a time axis of length 1."""
    import tensorflow as tf

    program = from_model(model)
    program.check_is_chain(f"The step form by {converter}")
    names = [f"v_{layer.name}" for layer in program.neurons]
    pairs = zip(names, program.state_shapes(), strict=True)
    state = [tf.TensorSpec((batch_size, *shape), tf.float32, name) for name, shape in pairs]

    @tf.function(input_signature=[_image(model, batch_size), *state])
    def step(image: Images, *potentials: object) -> dict[str, Any]:
        signal = image[:, None]
        before, after = iter(zip(program.neurons, potentials, strict=True)), {}
        for stage in model.snn.stages:
            if stage in model.snn.if_layers:
                layer, v = next(before)
                # The file counts potentials from `v_0`; Keras counts them from zero.
                signal, v = stage.fire(stage.current(signal), v + layer.v_0)
                after[f"v_{layer.name}_out"] = v - layer.v_0
            else:
                signal = stage(signal)
        return {"spikes": signal[:, 0], **after}

    return step


def _image(model: ProxyModel, batch_size: int | None) -> Any:
    import tensorflow as tf

    return tf.TensorSpec((batch_size, *model.snn.image_shape), tf.float32, "image")
