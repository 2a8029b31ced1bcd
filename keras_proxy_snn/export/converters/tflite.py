"""Convert TensorFlow's graph of a model to a LiteRT file with `tf.lite.TFLiteConverter`.

The writer `keras_proxy_snn.export.litert` makes smaller and faster files without TensorFlow. This
converter serves to check that writer. Both use the same model, names of inputs and outputs, and
metadata; they share no code that builds a graph. `keras_proxy_snn.export.litert.run` runs the files
of both.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...basics.files import replacing
from ...model import ProxyModel
from ..frontend.from_model import from_model
from ..litert import with_facts
from .graphs import FORMS, graph

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["FORMS", "write"]


def write(
    model: ProxyModel, path: str | Path, *, form: str = "unrolled", batch_size: int = 1
) -> None:
    """Convert a model on the TensorFlow backend to a `.tflite` file of builtin operators.

    Inputs, outputs and the signature have the names of `keras_proxy_snn.export.litert.write`.

    Args:
        model: The model.
        path: The file to write; an existing one is replaced.
        form: One of `FORMS`.
        batch_size: Number of images per call; it cannot be changed in the file.

    Raises:
        ValueError: If the form is unknown, or Keras does not run on TensorFlow.

    Example:

    >>> import tempfile
    >>> import keras, keras_proxy_snn
    >>> from keras_proxy_snn.export.converters import tflite
    >>> model = keras_proxy_snn.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    >>> if keras.config.backend() == "tensorflow":
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         tflite.write(model, f"{folder}/net.tflite")
    """
    function = graph(model, form, batch_size, "tf.lite.TFLiteConverter")
    with replacing(path) as draft:
        draft.write_bytes(with_facts(_convert(function), from_model(model), form))


def _convert(function: "tf.types.experimental.PolymorphicFunction") -> bytes:
    """Freeze the weights and convert.

    Without freezing, a SavedModel would leave the weights to an initialiser.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = function.get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    module = tf.Module()

    @tf.function(input_signature=function.input_signature)
    def call(*inputs: object) -> Any:
        return tf.nest.pack_sequence_as(concrete.structured_outputs, frozen(*inputs))

    module.call = call
    with tempfile.TemporaryDirectory() as folder:
        # A signature reaches the file only through a SavedModel.
        tf.saved_model.save(module, folder, signatures={"serving_default": call})
        content: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return content
